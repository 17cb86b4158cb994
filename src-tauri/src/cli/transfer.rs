//! `hearth wallet import` and `export`: keys that come from elsewhere and go there.

use hearth_node::control::{
    Account, AccountKind, AccountList, AddAccount, ImportWallet, NewKey, Purpose, Upokt, WalletPage,
};

use super::{
    Client, Done, Exit, Fault, Out,
    file::{self, NewFile},
    keys::{added, use_again},
    keys_args::{ExportArgs, ImportArgs, NamingArgs},
    out::{plain, pokt},
    secret::{Source, new_password, password},
    wallet::{no_wallet, show, typed_words, words},
};

/// Brings in a wallet, or one key of another.
pub(super) async fn import(from: &ImportArgs, client: &Client, out: &Out) -> Done {
    let page: WalletPage = client.get("/wallet").await?;
    // Before anything secret is typed.
    agrees_to_take(&from.naming, &page, client, out).await?;
    let key = new_key(from, out)?;
    let is_whole = from.naming.purposes.is_empty() && from.naming.label.is_none() && from.path.is_none();
    let question = "New password (8 characters or more): ";
    let password = if page.status.exists && page.has_password() {
        password(&from.password, "Password of the wallet: ")?
    } else {
        new_password(&from.password, question)?
    };
    // Words alone, where there is no wallet, are the wallet.
    let key = match key {
        NewKey::Words {
            words, passphrase, ..
        } if is_whole && !page.status.exists => {
            let order = ImportWallet {
                words,
                passphrase,
                password,
            };
            show(out, &client.post::<WalletPage>("/wallet/import", &order).await?);
            return Ok(());
        }
        key @ (NewKey::Next { .. } | NewKey::Words { .. } | NewKey::Hex { .. } | NewKey::Armored { .. }) => {
            key
        }
    };
    let order = AddAccount {
        key,
        label: from.naming.label.clone(),
        purposes: from.naming.purposes(),
        beside: from.naming.beside,
        password,
    };
    let account: Account = client.post("/wallet/accounts", &order).await?;
    added(out, &account);
    let has_owner = |account: &Account| account.purposes.contains(&Purpose::Owner);
    if !has_owner(&account) && !page.accounts.iter().any(has_owner) {
        out.hint(&format!(
            "No account of this wallet is the owner, so nothing can be staked or sent. `hearth wallet use {} --as owner` makes it \
             this one; an owner whose key is elsewhere is named by `hearth wallet watch ADDRESS --as owner`.",
            account.address
        ));
    }
    Ok(())
}

/// The accounts that serve purposes until now which a new one is to serve, each with what it loses.
fn losers_of<'a>(
    accounts: &'a [Account],
    wanted: &[Purpose],
    beside: bool,
) -> Vec<(&'a Account, Vec<&'static str>)> {
    let is_taken = |purpose: &Purpose| !(beside && *purpose == Purpose::Operator) && wanted.contains(purpose);
    let lost = |account: &Account| -> Vec<&'static str> {
        let purposes = account.purposes.iter().filter(|purpose| is_taken(purpose));
        purposes.map(|purpose| purpose.word()).collect()
    };
    let all = accounts.iter().map(|account| (account, lost(account)));
    all.filter(|(_, lost)| !lost.is_empty()).collect()
}

/// Says who loses what a new account is to be used for, and asks.
pub(super) async fn agrees_to_take(
    naming: &NamingArgs,
    page: &WalletPage,
    client: &Client,
    out: &Out,
) -> Done {
    let losers = losers_of(&page.accounts, &naming.purposes(), naming.beside);
    says_losses(&losers, client, out).await;
    agrees(&losers, naming.yes, out)
}

/// The same for an account that is here, which may itself be used for something no more.
pub(super) async fn agrees_to_move(
    to: &Account,
    (purposes, beside, yes): (&[Purpose], bool, bool),
    page: &WalletPage,
    client: &Client,
    out: &Out,
) -> Done {
    let mut losers = losers_of(&page.accounts, purposes, beside);
    losers.retain(|(account, _)| account.id != to.id);
    says_losses(&losers, client, out).await;
    if to.purposes.contains(&Purpose::Gateway) && !purposes.contains(&Purpose::Gateway) {
        warn_of_gateway(to, client, out).await;
    }
    agrees(&losers, yes, out)
}

async fn says_losses(losers: &[(&Account, Vec<&'static str>)], client: &Client, out: &Out) {
    for (account, lost) in losers {
        // A key may come to an address that was only watched so far.
        let unless = if account.kind == AccountKind::Watch {
            "unless this is its key, "
        } else {
            ""
        };
        out.hint(&format!(
            "{unless}{} ({}) will not be used as {} any more. `{}` takes that back.",
            plain(&account.label),
            account.address,
            lost.join(", "),
            use_again(account)
        ));
        if lost.contains(&Purpose::Gateway.word()) {
            warn_of_gateway(account, client, out).await;
        }
    }
}

/// Says what a staked gateway leaves behind. Where the chain is away, nobody knows whether it is one.
async fn warn_of_gateway(account: &Account, client: &Client, out: &Out) {
    let Ok(list) = client.get::<AccountList>("/wallet/accounts").await else {
        return;
    };
    let known = list.accounts.iter().find(|one| one.account.id == account.id);
    if let Some(stake) = known.and_then(|one| one.on_chain.gateway) {
        out.hint(&gateway_left(&account.label, stake));
    }
}

fn gateway_left(label: &str, stake: Upokt) -> String {
    format!(
        "{} is staked as a gateway with {} POKT: nobody signs any more for the applications that have delegated to it, and \
         `hearth unstake gateway` will mean another account.",
        plain(label),
        pokt(stake.0)
    )
}

fn agrees(losers: &[(&Account, Vec<&'static str>)], yes: bool, out: &Out) -> Done {
    if losers.is_empty() || yes {
        return Ok(());
    }
    match out.agrees("Take it from there? Type yes: ") {
        Some(true) => Ok(()),
        Some(false) => Err(Fault::failed("not_taken", "nothing was changed").into()),
        None => {
            let names: Vec<&str> = losers.iter().map(|(account, _)| account.label.as_str()).collect();
            let text = format!(
                "what it is to be used for is taken from {}, and nobody is there to say yes",
                names.join(", ")
            );
            Err(Fault::wrong_use(text)
                .remedy("add --yes to take it without asking, or leave --as out")
                .into())
        }
    }
}

fn new_key(from: &ImportArgs, out: &Out) -> Result<NewKey, Exit> {
    let apart = Source::of(from.key_passphrase_file.as_deref(), "--key-passphrase-file");
    let passphrase = |question: &str| password(apart, question);
    if from.hex {
        let secret = Source::of(from.secret_file.as_deref(), "--secret-file");
        return Ok(NewKey::Hex {
            hex: password(secret, "The key, 64 hex digits: ")?,
        });
    }
    if let Some(armored) = &from.armored {
        let wanted = "a file that `pocketd keys export` wrote";
        return Ok(NewKey::Armored {
            text: file::read_text(armored, file::SECRET, wanted)?,
            passphrase: passphrase("Passphrase of the export: ")?,
        });
    }
    let words = match &from.secret_file {
        Some(path) => file::read_text(path, file::SECRET, "a file with the recovery words")?,
        None => typed_words(out)?,
    };
    let has_passphrase = from.passphrase || from.key_passphrase_file.is_some();
    let asked = has_passphrase.then(|| passphrase("Passphrase of the words: "));
    Ok(NewKey::Words {
        words,
        passphrase: asked.transpose()?,
        path: from.path.clone(),
    })
}

/// Shows words or a key, from the files: no daemon is needed. Whose they are is said before the password is asked for.
pub(super) fn export(wallet: &hearth_node::Wallet, from: &ExportArgs, out: &Out) -> Done {
    wallet.accounts().ok_or_else(no_wallet)?;
    let named = from.account.as_deref().map(|name| wallet.find(name)).transpose();
    let named = named.map_err(anyhow::Error::from)?;
    match named.filter(|_| from.hex || from.armored.is_some()) {
        Some(entry) => export_key(wallet, &entry, from, out),
        None => export_words(wallet, from, out),
    }
}

fn export_words(wallet: &hearth_node::Wallet, from: &ExportArgs, out: &Out) -> Done {
    let refused = anyhow::Error::from;
    let named = from.account.as_deref().map(|name| wallet.find(name)).transpose();
    let id = named.map_err(refused)?.map(|entry| entry.id);
    let of = wallet.accounts_of_words(id);
    if !out.json && !of.is_empty() {
        let names: Vec<String> = of.iter().map(whose).collect();
        out.hint(&format!("The recovery words of {}.", names.join(" and of ")));
    }
    let phrase = wallet
        .export_words(id, &password(&from.password, "Password: ")?)
        .map_err(refused)?;
    let text = phrase.words.text();
    if out.json {
        let passphrase = Some(phrase.passphrase.as_str()).filter(|text| !text.is_empty());
        let accounts: Vec<_> = of.iter().map(as_json).collect();
        out.value(&serde_json::json!({
            "words": *text, "passphrase": passphrase, "path": phrase.path, "accounts": accounts,
        }));
        return Ok(());
    }
    words(out, &text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    if !phrase.passphrase.is_empty() {
        out.line(&format!("  passphrase: {}", *phrase.passphrase));
    }
    Ok(())
}

fn export_key(
    wallet: &hearth_node::Wallet,
    entry: &hearth_node::WalletEntry,
    from: &ExportArgs,
    out: &Out,
) -> Done {
    let refused = anyhow::Error::from;
    if !out.json {
        out.hint(&format!("The key of {}.", whose(entry)));
    }
    let main = password(&from.password, "Password: ")?;
    let mut told = as_json(entry);
    let Some(to) = &from.armored else {
        let key = wallet
            .export_key(entry.id, &hearth_node::KeyForm::Hex, &main)
            .map_err(refused)?;
        if out.json {
            told["hex"] = key.as_str().into();
            out.value(&told);
        } else {
            out.line(&key);
        }
        return Ok(());
    };
    let apart = Source::of(from.key_passphrase_file.as_deref(), "--key-passphrase-file");
    let passphrase = new_password(apart, "Passphrase for the exported key: ")?;
    let form = hearth_node::KeyForm::Armored(passphrase.into());
    let key = wallet.export_key(entry.id, &form, &main).map_err(refused)?;
    NewFile::create_private(to, "--armored")?.fill(key.as_bytes())?;
    if out.json {
        told["file"] = serde_json::json!(to);
        out.value(&told);
    } else {
        out.line(&format!("  {} lies in {}", entry.label, to.display()));
    }
    Ok(())
}

fn purposes(entry: &hearth_node::WalletEntry) -> Vec<&'static str> {
    entry.purposes.iter().map(|purpose| purpose.word()).collect()
}

/// An account with what it is used for.
fn whose(entry: &hearth_node::WalletEntry) -> String {
    let purposes = purposes(entry).join(", ");
    let used = if purposes.is_empty() {
        "used for nothing here"
    } else {
        &purposes
    };
    format!("{} ({}, {used})", plain(&entry.label), entry.address)
}

fn as_json(entry: &hearth_node::WalletEntry) -> serde_json::Value {
    serde_json::json!({ "address": entry.address, "label": entry.label, "purposes": purposes(entry) })
}

#[cfg(test)]
mod tests {
    use hearth_node::control::AccountState;

    use super::*;

    #[test]
    fn who_loses_a_purpose_is_known_before() {
        let account = |label: &str, purposes: &[Purpose]| Account {
            id: 1,
            label: label.to_owned(),
            kind: AccountKind::Words,
            path: None,
            address: format!("pokt1{label}"),
            purposes: purposes.to_vec(),
            state: AccountState::Open,
        };
        let accounts = [
            account("main", &[Purpose::Owner, Purpose::Application]),
            account("working", &[Purpose::Operator]),
        ];
        let lost = |wanted: &[Purpose], beside| {
            let lost = losers_of(&accounts, wanted, beside);
            let text = lost
                .iter()
                .map(|(account, lost)| format!("{}: {}", account.label, lost.join("+")));
            text.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(lost(&[Purpose::Owner], false), "main: owner");
        assert_eq!(
            lost(&[Purpose::Application, Purpose::Owner], false),
            "main: owner+application"
        );
        assert_eq!(lost(&[Purpose::Operator], false), "working: operator");
        assert_eq!(lost(&[Purpose::Operator], true), "");
        assert_eq!(lost(&[Purpose::Gateway], false), "");
        assert_eq!(lost(&[], false), "");
        let out = Out::new(true, false, None);
        let taken = losers_of(&accounts, &[Purpose::Owner], false);
        assert!(agrees(&taken, true, &out).is_ok() && agrees(&[], false, &out).is_ok());
        let stake = Upokt(hearth_base::Amount::from_upokt(5_000_000_000));
        assert!(
            gateway_left("main", stake).starts_with("main is staked as a gateway with 5,000.000000 POKT")
        );
    }
}
