//! `hearth wallet`: the keys. Everything secret is typed or read from a file.

use std::path::Path;

use hearth_node::control::{
    Account, AccountKind, AccountList, AccountState, AddAccount, Balances, ChangeAccount, ChangePassword,
    Discover, FoundAccounts, NewKey, OnChain, Purpose, RemoveAccount, SealOperator, WalletPage, WatchAddress,
};

use super::{
    Client, Done, Exit, Fault, Out,
    args::PasswordArgs,
    file,
    keys_args::{As, KeysCommand},
    out::{dim, pokt},
    secret::{Source, new_password, password},
    transfer::{agrees_to_move, agrees_to_take},
    wallet::{no_wallet, show, typed_words},
};

/// The change of an account's label alone.
fn called(label: &str) -> ChangeAccount {
    ChangeAccount {
        label: Some(label.to_owned()),
        ..ChangeAccount::default()
    }
}

pub(super) async fn run(command: &KeysCommand, client: &Client, out: &Out) -> Done {
    match command {
        KeysCommand::Accounts => accounts(out, &client.get("/wallet/accounts").await?),
        KeysCommand::Add {
            path,
            like,
            naming,
            password: from,
        } => {
            let page: WalletPage = client.get("/wallet").await?;
            agrees_to_take(naming, &page, client, out).await?;
            let order = AddAccount {
                key: NewKey::Next {
                    like: number(like.as_deref(), client).await?,
                    path: path.clone(),
                },
                label: naming.label.clone(),
                purposes: naming.purposes(),
                beside: naming.beside,
                password: password(from, "Password: ")?,
            };
            added(out, &client.post("/wallet/accounts", &order).await?);
        }
        KeysCommand::Watch { address, naming } => {
            let page: WalletPage = client.get("/wallet").await?;
            agrees_to_take(naming, &page, client, out).await?;
            let order = WatchAddress {
                address: address.clone(),
                label: naming.label.clone(),
                purposes: naming.purposes(),
            };
            added(out, &client.post("/wallet/watch", &order).await?);
        }
        KeysCommand::Label { account, label } => {
            let order = called(label);
            changed(account, &order, client, out).await?;
        }
        KeysCommand::Use {
            account,
            purposes,
            beside,
            yes,
            password: from,
        } => {
            let wanted = (purposes.as_slice(), *beside, *yes);
            used(account, wanted, from, client, out).await?;
        }
        KeysCommand::Remove {
            account,
            yes,
            password: from,
        } => remove(account, *yes, from, client, out).await?,
        KeysCommand::Password {
            new_password_file,
            password: from,
        } => change_password(new_password_file.as_deref(), from, client, out).await?,
        KeysCommand::SealOperator {
            operator_passphrase_file,
            password: from,
        } => seal_operator(operator_passphrase_file.as_deref(), from, client, out).await?,
        KeysCommand::Discover {
            words,
            like,
            passphrase,
            password: from,
        } => {
            let order = if *words {
                typed(*passphrase, out)?
            } else {
                Discover::Here {
                    like: number(like.as_deref(), client).await?,
                    password: password(from, "Password: ")?,
                }
            };
            found(out, &client.post("/wallet/discover", &order).await?);
        }
    }
    Ok(())
}

/// Uses an account for these purposes and no others.
async fn used(
    account: &str,
    (purposes, beside, yes): (&[As], bool, bool),
    from: &PasswordArgs,
    client: &Client,
    out: &Out,
) -> Done {
    let purposes: Vec<Purpose> = purposes.iter().copied().map(Into::into).collect();
    let page: WalletPage = client.get("/wallet").await?;
    let to = one(account, client).await?;
    agrees_to_move(&to, (&purposes, beside, yes), &page, client, out).await?;
    let order = ChangeAccount {
        beside,
        purposes: Some(purposes),
        password: Some(password(from, "Password: ")?),
        label: None,
    };
    let before = changed(account, &order, client, out).await?;
    no_more(&before, &order, out);
    Ok(())
}

/// Words of another wallet, to be looked below.
fn typed(has_passphrase: bool, out: &Out) -> Result<Discover, Exit> {
    let words = typed_words(out)?;
    let asked = has_passphrase.then(|| password(Source::typed(), "Passphrase of the words: "));
    Ok(Discover::Words {
        words,
        passphrase: asked.transpose()?,
    })
}

async fn change_password(new: Option<&Path>, from: &PasswordArgs, client: &Client, out: &Out) -> Done {
    let order = ChangePassword {
        password: password(from, "Password until now: ")?,
        new_password: new_password(
            Source::of(new, "--new-password-file"),
            "New password (8 characters or more): ",
        )?,
    };
    show(out, &client.post::<WalletPage>("/wallet/password", &order).await?);
    Ok(())
}

async fn seal_operator(apart: Option<&Path>, from: &PasswordArgs, client: &Client, out: &Out) -> Done {
    let apart = Source::of(apart, "--operator-passphrase-file");
    let passphrase = new_password(apart, "Passphrase of the working key: ")?;
    let order = SealOperator {
        password: password(from, "Password of the wallet: ")?,
        passphrase,
    };
    show(
        out,
        &client.post::<WalletPage>("/wallet/seal-operator", &order).await?,
    );
    out.hint(
        "Name its file at every start: --passphrase-file, or wallet.passphrase_file. It opens nothing else.",
    );
    Ok(())
}

/// The bytes of a message that is given or lies in a file.
pub(super) fn message(text: Option<&str>, file: Option<&Path>) -> Result<Vec<u8>, Exit> {
    match file {
        Some(path) => file::read(path, file::DOCUMENT, "a file that is the message alone"),
        None => Ok(text.unwrap_or_default().as_bytes().to_vec()),
    }
}

/// Signs a message, from the files: no daemon is needed.
pub(super) fn sign_message(
    wallet: &hearth_node::Wallet,
    account: &str,
    message: &[u8],
    from: &PasswordArgs,
    out: &Out,
) -> Done {
    wallet.accounts().ok_or_else(no_wallet)?;
    let refused = anyhow::Error::from;
    let entry = wallet.find(account).map_err(refused)?;
    let signed = wallet
        .sign_message(entry.id, message, &password(from, "Password: ")?)
        .map_err(refused)?;
    if out.json {
        out.value(&signed);
    } else {
        out.line(&format!("  address     {}", signed.address));
        out.line(&format!("  public key  {}", signed.public_key));
        out.line(&format!("  signature   {}", signed.signature));
    }
    Ok(())
}

/// Says whether a signature holds.
pub(super) fn verify_message(
    address: &str,
    message: &[u8],
    signature: &str,
    public_key: &str,
    out: &Out,
) -> Done {
    let read: Result<hearth_node::Address, _> = address.trim().parse();
    let address = read.map_err(|error| Fault::wrong_use(format!("{address}: {error}")))?;
    let signed = hearth_node::SignedMessage {
        address,
        public_key: public_key.to_owned(),
        signature: signature.to_owned(),
    };
    let holds = hearth_node::verify_message(&signed, message);
    if out.json {
        out.value(&serde_json::json!({ "address": signed.address, "holds": holds }));
        return if holds {
            Ok(())
        } else {
            Err(Exit::Said(super::fault::FAILED))
        };
    }
    if !holds {
        return Err(Fault::failed("signature_wrong", "this account did not sign this message").into());
    }
    out.line(&format!("  {} signed this message", signed.address));
    Ok(())
}

/// Changes an account and shows it. Gives what it was before.
async fn changed(account: &str, order: &ChangeAccount, client: &Client, out: &Out) -> Result<Account, Exit> {
    let before = one(account, client).await?;
    let path = format!("/wallet/accounts/{}", before.id);
    added(out, &client.patch(&path, order).await?);
    Ok(before)
}

/// Says what an account was used for and is no more.
fn no_more(before: &Account, order: &ChangeAccount, out: &Out) {
    let now = order.purposes.as_deref().unwrap_or_default();
    let lost: Vec<&str> = before
        .purposes
        .iter()
        .filter(|purpose| !now.contains(purpose))
        .map(|purpose| purpose.word())
        .collect();
    if lost.is_empty() || out.json {
        return;
    }
    out.hint(&format!(
        "It is not used as {} any more. `{}` takes that back.",
        lost.join(", "),
        use_again(before)
    ));
}

/// The command that uses an account as it was used. It has no label there: purposes and labels may name another one now.
pub(super) fn use_again(account: &Account) -> String {
    let mut command = format!("hearth wallet use {}", account.address);
    for purpose in &account.purposes {
        command.push_str(" --as ");
        command.push_str(purpose.word());
    }
    // Another operator stays one.
    if account.purposes.contains(&Purpose::Operator) {
        command.push_str(" --beside");
    }
    command
}

async fn remove(account: &str, yes: bool, from: &PasswordArgs, client: &Client, out: &Out) -> Done {
    let found = one(account, client).await?;
    let is_watched = found.kind == AccountKind::Watch;
    if !is_watched && !out.json {
        // Where the chain is away, nobody knows what it holds.
        let balances: Option<Balances> = client.get("/wallet/balances").await.ok();
        for line in at_stake(&found, balances.as_ref()) {
            out.hint(&line);
        }
    }
    if !yes {
        let what = if is_watched {
            "Stop watching"
        } else {
            "Forget the key of"
        };
        match out
            .ask(&format!("{what} {} {}? Type yes: ", found.label, found.address))
            .as_deref()
        {
            Some("yes") => {}
            Some(_) => return Err(Fault::failed("not_removed", "nothing was changed").into()),
            None => {
                let fault = Fault::wrong_use("nobody is there to say yes");
                return Err(fault.remedy("add --yes to forget it without asking").into());
            }
        }
    }
    let asked = (!is_watched).then(|| password(from, "Password: "));
    let order = RemoveAccount {
        password: asked.transpose()?,
    };
    let path = format!("/wallet/accounts/{}/remove", found.id);
    show(out, &client.post::<WalletPage>(&path, &order).await?);
    Ok(())
}

/// What goes with a key that is forgotten, and what brings it back.
fn at_stake(account: &Account, balances: Option<&Balances>) -> [String; 2] {
    let holds = balances.map_or_else(
        || format!("What {} holds is not known now.", account.label),
        |balances| {
            let at = balances
                .places
                .iter()
                .filter(|place| place.address == account.address);
            let sum = at.map(|place| place.amount.0).sum();
            format!("{} holds {} POKT, stakes counted in.", account.label, pokt(sum))
        },
    );
    let back = match account.kind {
        AccountKind::Words => {
            let path = account.path.as_deref().unwrap_or("its path");
            format!("Only its recovery words bring it back, with {path}: have them on paper first.")
        }
        AccountKind::Raw | AccountKind::Armored => {
            "It was imported: no recovery words bring it back. `hearth wallet export` it first.".to_owned()
        }
        AccountKind::Watch => "Its key is not here.".to_owned(),
    };
    [holds, back]
}

/// The number of an account that is named.
async fn number(name: Option<&str>, client: &Client) -> Result<Option<u32>, Exit> {
    match name {
        Some(name) => Ok(Some(one(name, client).await?.id)),
        None => Ok(None),
    }
}

/// An account by its label, address, number or purpose.
async fn one(name: &str, client: &Client) -> Result<Account, Exit> {
    let page: WalletPage = client.get("/wallet").await?;
    let find =
        |is_it: &dyn Fn(&Account) -> bool| page.accounts.iter().find(|account| is_it(account)).cloned();
    let purpose = match name {
        "main" => "owner",
        "working" => "operator",
        other => other,
    };
    find(&|account| account.label == name || account.address == name)
        .or_else(|| find(&|account| account.purposes.iter().any(|known| known.word() == purpose)))
        .or_else(|| find(&|account| account.id.to_string() == name))
        .ok_or_else(|| {
            Fault::failed(
                "no_account",
                format!("there is no account \"{name}\" in this wallet"),
            )
            .remedy("`hearth wallet list` shows them")
            .into()
        })
}

pub(super) fn added(out: &Out, account: &Account) {
    if out.json {
        out.value(account);
    } else {
        out.line(&line(account));
    }
}

/// An account in one line.
pub(super) fn line(account: &Account) -> String {
    let state = match account.state {
        AccountState::Locked => "locked",
        AccountState::Open => "open",
        AccountState::Elsewhere => "watched",
    };
    let purposes: Vec<&str> = account.purposes.iter().map(|purpose| purpose.word()).collect();
    let state = format!("{state}  {}", purposes.join(", "));
    format!(
        "  {:<12} {}  {}",
        account.label,
        account.address,
        dim(state.trim_end())
    )
}

fn accounts(out: &Out, list: &AccountList) {
    if out.json {
        out.value(list);
        return;
    }
    for one in &list.accounts {
        out.line(&line(&one.account));
        on_chain(out, &one.on_chain);
    }
}

fn found(out: &Out, list: &FoundAccounts) {
    if out.json {
        out.value(list);
        return;
    }
    for one in &list.accounts {
        let label = one.label.as_deref().unwrap_or("");
        out.line(&format!("  {:<22} {}  {}", one.path, one.address, dim(label)));
        on_chain(out, &one.on_chain);
    }
    out.hint(&format!(
        "{} paths were looked at. `hearth wallet import --path PATH` or `hearth wallet add --path PATH` takes one in.",
        list.looked_at
    ));
}

fn on_chain(out: &Out, known: &OnChain) {
    let says = |text: String| out.line(&format!("               {}", dim(&text)));
    says(format!("{} POKT", pokt(known.spendable.0)));
    if let Some(supplier) = &known.supplier {
        says(format!(
            "supplier of {}, {} POKT, {}",
            supplier.owner,
            pokt(supplier.stake.0),
            supplier.services.join(", ")
        ));
    }
    if let Some(stake) = &known.gateway {
        says(format!("gateway, {} POKT", pokt(stake.0)));
    }
    if let Some(stake) = &known.application {
        says(format!("application, {} POKT", pokt(stake.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_with_a_key_is_said_before_it_is_forgotten() {
        let mut account = Account {
            id: 1,
            label: "old".to_owned(),
            kind: AccountKind::Words,
            path: Some("m/44'/118'/0'/0/3".to_owned()),
            address: "pokt1x".to_owned(),
            purposes: Vec::new(),
            state: AccountState::Open,
        };
        let standing = serde_json::json!({ "trust": "proven", "height": 7, "age_s": null });
        let place = |address: &str, kind: &str, amount: &str| serde_json::json!({ "kind": kind, "address": address, "amount": amount, "standing": standing, "free_at_height": null });
        let balances: Balances = serde_json::from_value(serde_json::json!({
            "total": "0", "spendable": "0", "standing": standing,
            "places": [place("pokt1x", "spendable", "1500000"), place("pokt1y", "spendable", "7"), place("pokt1x", "supplier", "2000000")],
        }))
        .unwrap();
        let [holds, back] = at_stake(&account, Some(&balances));
        assert_eq!(holds, "old holds 3.500000 POKT, stakes counted in.");
        assert!(
            back.contains("recovery words") && back.contains("m/44'/118'/0'/0/3"),
            "{back}"
        );
        account.kind = AccountKind::Raw;
        let [holds, back] = at_stake(&account, None);
        assert!(holds.contains("not known"), "{holds}");
        assert!(
            back.contains("no recovery words bring it back") && back.contains("export"),
            "{back}"
        );
    }

    #[test]
    fn what_an_account_was_used_for_can_be_typed_again() {
        let account = |purposes: &[Purpose]| Account {
            id: 1,
            label: "main".to_owned(),
            kind: AccountKind::Words,
            path: None,
            address: "pokt1x".to_owned(),
            purposes: purposes.to_vec(),
            state: AccountState::Open,
        };
        assert_eq!(
            use_again(&account(&[Purpose::Owner, Purpose::Application])),
            "hearth wallet use pokt1x --as owner --as application"
        );
        assert_eq!(
            use_again(&account(&[Purpose::Operator])),
            "hearth wallet use pokt1x --as operator --beside"
        );
    }
}
