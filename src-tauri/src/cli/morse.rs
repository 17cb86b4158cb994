//! `hearth wallet morse`: POKT of the former network.

use hearth_node::control::{
    ClaimMorse, MorseAccount, MorseClaimAs, MorseKeyFile, MorseState, RoleName, SignedMorseClaim,
};

use super::{
    Client, Done, Exit, Fault, Out,
    args::{MorseCommand, MorseKeyArgs},
    file,
    out::{dim, pokt},
    roles,
    secret::{Source, password, typed},
};

pub(super) async fn run(command: &MorseCommand, client: &Client, out: &Out) -> Done {
    match command {
        MorseCommand::Show { address, key } => {
            let account: MorseAccount = match address {
                // What is typed is no path: only letters and digits go into it.
                Some(address) if is_plain(address) => client.get(&format!("/wallet/morse/{address}")).await?,
                Some(address) => {
                    let fault = Fault::wrong_use(format!("\"{address}\" is no address of Morse"));
                    return Err(fault.remedy("write its 40 hex digits").into());
                }
                None => client.post("/wallet/morse", &read(key)?).await?,
            };
            show(out, &account);
            Ok(())
        }
        MorseCommand::Claim {
            key,
            to,
            application,
            services,
            shares,
            node,
            operator,
            how,
        } => {
            let claim = match application {
                Some(service) => MorseClaimAs::Application {
                    service: service.clone(),
                },
                None if services.is_empty() => MorseClaimAs::Account,
                None => MorseClaimAs::Supplier {
                    node: node.clone(),
                    operator: operator.clone(),
                    services: roles::offers(services, shares)?,
                },
            };
            let order = ClaimMorse {
                key: read(key)?,
                to: to.clone(),
                claim,
            };
            let signed: SignedMorseClaim = client.post("/wallet/morse/claim", &order).await?;
            if !out.json {
                show(out, &signed.account);
            }
            roles::carry_out(&signed.order, how, client, out).await
        }
    }
}

fn is_plain(address: &str) -> bool {
    !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Reads a key: a file, or what somebody types.
fn read(from: &MorseKeyArgs) -> Result<MorseKeyFile, Exit> {
    let key = match &from.key {
        Some(path) => file::read_text(path, file::SECRET, "what `pocket accounts export` wrote")?,
        None => typed("The key of Morse, 128 hex digits: ", "the key of Morse")?,
    };
    // Only an export has a passphrase.
    let is_export = key.trim_start().starts_with('{');
    let passphrase = if is_export && !from.no_passphrase {
        let source = Source::of(from.key_passphrase_file.as_deref(), "--key-passphrase-file");
        password(source, "Passphrase of the export (may be empty): ")?
    } else {
        String::new()
    };
    Ok(MorseKeyFile { key, passphrase })
}

fn show(out: &Out, account: &MorseAccount) {
    if out.json {
        out.value(account);
        return;
    }
    out.line(&format!("  {:<12} {}", "Morse", account.address));
    match account.state {
        MorseState::Unknown => out.line("               this network knows no such account of Morse"),
        MorseState::Claimed => out.line(&format!(
            "               claimed in block {}, for {}",
            account.claimed_height.unwrap_or_default(),
            account.claimed_by.as_deref().unwrap_or("nobody")
        )),
        MorseState::Claimable => {
            out.line(&format!("  {:<12} {:>18}", "not staked", pokt(account.balance.0)));
            let role = match account.staked_as {
                Some(RoleName::Application) => Some("application"),
                Some(RoleName::Supplier | RoleName::Gateway) => Some("node"),
                None => None,
            };
            if let Some(role) = role {
                let text = format!("staked as {role}");
                out.line(&format!("  {text:<12} {}", pokt(account.stake.0)));
            }
            if let Some(owner) = &account.owner {
                out.line(&format!("  {:<12} {}", "its owner", dim(owner)));
            }
        }
    }
    if account.state == MorseState::Claimable && !account.is_enabled {
        out.hint("The network takes no claims of Morse accounts at the moment.");
    }
}
