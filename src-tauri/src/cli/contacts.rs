//! The address book, labels, and the history as it is asked for.

use std::fmt::Write as _;

use hearth_node::control::{
    Account, Contact, ContactList, History, ImportContacts, LabelMovement, SaveContact, SendReview,
    Timestamp, WalletPage,
};

use super::{
    Client, Done, Exit, Fault, Out,
    args::{ContactsCommand, HistoryArgs},
    file,
    out::{dim, plain, yellow},
    wallet,
};

pub(super) async fn run(command: Option<&ContactsCommand>, client: &Client, out: &Out) -> Done {
    let list = match command {
        None | Some(ContactsCommand::List | ContactsCommand::Export) => client.get("/contacts").await?,
        Some(ContactsCommand::Add { name, address, note }) => {
            let contact = SaveContact {
                address: address.clone(),
                name: name.clone(),
                note: note.clone(),
            };
            client.put_for("/contacts", &contact).await?
        }
        Some(ContactsCommand::Rm { who }) => {
            let address = address_of(who, client).await?;
            client.delete(&format!("/contacts/{address}")).await?;
            client.get("/contacts").await?
        }
        Some(ContactsCommand::Import { file: path }) => {
            // Without the program's name: it may be the export of another node.
            let wanted = "a file that `wallet contacts export` wrote";
            let text = file::read(path, file::DOCUMENT, wanted)?;
            let given: ImportContacts = serde_json::from_slice(&text).map_err(|error| {
                Fault::wrong_use(format!("{} is no address book ({error})", path.display()))
                    .remedy(format!("name {wanted}"))
            })?;
            client.post("/contacts/import", &given).await?
        }
    };
    let list: ContactList = list;
    if out.json || matches!(command, Some(ContactsCommand::Export)) {
        out.value(&list);
        return Ok(());
    }
    for Contact {
        name, address, note, ..
    } in &list.contacts
    {
        let (name, note) = (plain(name), plain(note.as_deref().unwrap_or_default()));
        out.line(&format!("  {name:<20} {address}  {}", dim(&note)));
    }
    if list.contacts.is_empty() {
        out.hint("nobody yet: `hearth wallet contacts add NAME ADDRESS`");
    }
    Ok(())
}

/// The address of a name of the address book; what is an address stays.
async fn address_of(who: &str, client: &Client) -> Result<String, Exit> {
    let list: ContactList = client.get("/contacts").await?;
    Ok(find(who, &list.contacts, &[])?)
}

/// The address of whoever is to be paid: a name of the address book, or the label of an own account.
pub(super) async fn payee(who: &str, client: &Client) -> Result<String, Exit> {
    let list: ContactList = client.get("/contacts").await?;
    let page: WalletPage = client.get("/wallet").await?;
    Ok(find(who, &list.contacts, &page.accounts)?)
}

/// What is no name is refused by the node, which says what an address is.
fn find(who: &str, contacts: &[Contact], own: &[Account]) -> Result<String, Fault> {
    let who = who.trim();
    if who.starts_with("pokt1") {
        return Ok(who.to_owned());
    }
    let is_it = |name: &str| name.to_lowercase() == who.to_lowercase();
    let contact = contacts.iter().find(|contact| is_it(&contact.name));
    let own = own.iter().find(|account| is_it(&account.label));
    match (contact, own) {
        (Some(contact), Some(own)) if contact.address != own.address => {
            let message = format!(
                "\"{who}\" is a name of the address book ({}) and an account of this wallet ({})",
                contact.address, own.address
            );
            Err(Fault::wrong_use(message).remedy("write the address of the one that is meant"))
        }
        (Some(contact), _) => Ok(contact.address.clone()),
        (None, Some(own)) => Ok(own.address.clone()),
        (None, None) => Ok(who.to_owned()),
    }
}

/// Calls a movement something.
pub(super) async fn label(movement: &str, label: Option<&str>, client: &Client, out: &Out) -> Done {
    let is_hash = movement.len() == 64 && movement.bytes().all(|digit| digit.is_ascii_hexdigit());
    let given = LabelMovement {
        movement: if is_hash {
            movement.to_lowercase()
        } else {
            movement.to_owned()
        },
        label: label.unwrap_or_default().to_owned(),
    };
    client.put("/wallet/label", &given).await?;
    if out.json {
        out.value(&given);
    } else {
        out.hint("noted");
    }
    Ok(())
}

/// The history, or what is asked for of it.
pub(super) async fn history(wanted: &HistoryArgs, client: &Client, out: &Out) -> Done {
    if wanted.csv {
        out.stream(&client.table("/wallet/history.csv").await?);
        return Ok(());
    }
    let mut path = format!("/wallet/history?limit={}", wanted.limit);
    let mut add = |name: &str, value: &str| {
        let value: String = url_encoded(value);
        // Writing into a string does not fail.
        let _ = write!(path, "&{name}={value}");
    };
    if !wanted.kind.is_empty() {
        add("kinds", &wanted.kind.join(","));
    }
    if let Some(text) = &wanted.find {
        add("q", text);
    }
    if let Some(day) = &wanted.since {
        add("since", &moment("--since", day, "00:00:00")?);
    }
    if let Some(day) = &wanted.until {
        add("until", &moment("--until", day, "23:59:59.999")?);
    }
    let history: History = client.get(&path).await?;
    wallet::history(out, &history);
    if history.movements.is_empty() && !out.json {
        out.line("  nothing was found");
    }
    let left = history.total.saturating_sub(history.movements.len() as u64);
    if left > 0 && !out.json {
        out.hint(&format!("and {left} more: --limit, or --csv for all"));
    }
    Ok(())
}

/// A day or a moment as a moment of the API; a day is meant at this time of it.
fn moment(option: &str, text: &str, of_day: &str) -> Result<String, Fault> {
    let is_day = text.len() == "2026-01-31".len();
    let whole = if is_day {
        format!("{text}T{of_day}Z")
    } else {
        text.to_owned()
    };
    match serde_json::from_value::<Timestamp>(whole.as_str().into()) {
        Ok(_) => Ok(whole),
        Err(_) => Err(
            Fault::wrong_use(format!("{option} is \"{text}\", which is no time"))
                .remedy("write a day as 2026-01-31, or a moment as 2026-01-31T12:00:00Z"),
        ),
    }
}

pub(super) fn url_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.,".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What may be wrong with the recipient of a payment.
pub(super) fn warn(review: &SendReview, out: &Out) {
    if let Some(alike) = &review.looks_like {
        let name = plain(alike.name.as_deref().unwrap_or("an address you know"));
        let differs = alike.differs;
        let text = format!("  This address looks like {name}, but differs in {differs} letters. That one is");
        out.line(&yellow(&text).to_string());
        let other = format!("           {}", wallet::groups(&alike.address));
        out.line(&yellow(&other).to_string());
    }
    if review.to_own {
        out.hint("This is a key of this wallet: only the fee is spent.");
    } else if review.first_payment_to_address {
        out.hint("First payment to this address. A payment cannot be called back.");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use hearth_node::control::MovementKind;

    use super::*;
    use crate::cli::Args;

    #[test]
    fn days_and_moments_are_both_taken() {
        let since = |text: &str| moment("--since", text, "00:00:00");
        assert_eq!(since("2026-01-31").unwrap(), "2026-01-31T00:00:00Z");
        for whole in ["2026-01-31T12:30:00Z", "2026-01-31T12:30:00.5+02:00"] {
            assert_eq!(since(whole).unwrap(), whole);
        }
        assert_eq!(
            moment("--until", "2026-02-28", "23:59:59.999").unwrap(),
            "2026-02-28T23:59:59.999Z"
        );
        for wrong in ["", "yesterday", "2026-02-30", "31.01.2026", "2026-01-31 12:00"] {
            let fault = since(wrong).unwrap_err();
            assert!(fault.detail.message.contains(&format!("\"{wrong}\"")), "{wrong}");
            let remedy = fault.detail.remedy.unwrap();
            for form in ["2026-01-31,", "2026-01-31T12:00:00Z"] {
                assert!(remedy.contains(form), "{remedy}");
            }
        }
    }

    #[test]
    fn own_accounts_are_paid_by_their_labels_as_contacts_are() {
        let account = serde_json::json!({
            "id": 1, "label": "Savings", "kind": "words", "path": null, "address": "pokt1own", "purposes": [],
            "state": "open",
        });
        let own: Account = serde_json::from_value(account).unwrap();
        let contact = |name: &str, address: &str| Contact {
            address: address.to_owned(),
            name: name.to_owned(),
            note: None,
            created_at: Timestamp::from_ms(0),
        };
        let (bob, own) = (contact("Bob", "pokt1bob"), [own]);
        let found = |who: &str, contacts: &[Contact]| find(who, contacts, &own);
        for (who, address) in [
            (" savings ", "pokt1own"),
            ("BOB", "pokt1bob"),
            ("pokt1else", "pokt1else"),
            ("nobody", "nobody"),
        ] {
            assert_eq!(found(who, std::slice::from_ref(&bob)).unwrap(), address);
        }
        let refused = found("Savings", &[contact("savings", "pokt1bob")]).unwrap_err();
        assert!(refused.detail.message.contains("pokt1own"));
        assert_eq!(
            found("Savings", &[contact("savings", "pokt1own")]).unwrap(),
            "pokt1own"
        );
    }

    #[test]
    fn a_kind_that_is_none_is_refused_with_the_list() {
        let parse = |kind: &str| Args::try_parse_from(["hearth", "wallet", "history", "--kind", kind]);
        assert!(parse("sent,fee").is_ok());
        let refused = parse("x").map(drop).unwrap_err().to_string();
        for kind in [
            "sent", "received", "reward", "stake", "unstake", "returned", "slashed", "spent", "faucet",
            "morse", "fee",
        ] {
            assert!(refused.contains(kind), "{refused}");
            assert!(
                serde_json::from_value::<MovementKind>(kind.into()).is_ok(),
                "{kind}"
            );
        }
    }
}
