//! `hearth wallet`.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use hearth_base::Amount;
use hearth_node::{
    Words,
    control::{
        AccountKind, Balances, CreateWallet, CreatedWallet, Direction, FeeChoice, History, Movement,
        MovementKind, PlaceKind, ReservedFor, SendDraft, SendOrder, SendReview, Sent, TransactionList,
        TransactionReason, TransactionState, Trust, UnlockWallet, Upokt, WalletPage,
    },
};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, Fee, SendArgs, WalletCommand},
    contacts, file, keys, morse,
    out::{bold, dim, fit, plain, pokt, short, yellow},
    secret::{new_password, password},
    transfer,
};

pub(super) async fn run(command: &WalletCommand, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    // Addresses and words are in the files, so these two need no daemon.
    match command {
        WalletCommand::List => return list(&place, out).await,
        WalletCommand::Export(from) => {
            return transfer::export(&hearth_node::offline_wallet(&place.layout)?, from, out);
        }
        WalletCommand::SignMessage {
            account,
            message,
            file,
            password: from,
        } => {
            let wallet = hearth_node::offline_wallet(&place.layout)?;
            let message = keys::message(message.as_deref(), file.as_deref())?;
            return keys::sign_message(&wallet, account, &message, from, out);
        }
        WalletCommand::VerifyMessage {
            address,
            message,
            file,
            signature,
            public_key,
        } => {
            let message = keys::message(message.as_deref(), file.as_deref())?;
            return keys::verify_message(address, &message, signature, public_key, out);
        }
        WalletCommand::Create(_)
        | WalletCommand::Import(_)
        | WalletCommand::Keys(_)
        | WalletCommand::Balance
        | WalletCommand::Send(_)
        | WalletCommand::History(_)
        | WalletCommand::Label { .. }
        | WalletCommand::Contacts { .. }
        | WalletCommand::Transactions
        | WalletCommand::Morse { .. }
        | WalletCommand::Lock
        | WalletCommand::Unlock(_) => {}
    }
    let client = Client::connect(&place).await?;
    match command {
        WalletCommand::Create(from) => {
            let password = new_password(from, "New password (8 characters or more): ")?;
            let created: CreatedWallet = client.post("/wallet/create", &CreateWallet { password }).await?;
            if out.json {
                out.value(&created);
            } else {
                words(out, &created.words);
                accounts(out, &created.wallet);
            }
        }
        WalletCommand::Import(from) => transfer::import(from, &client, out).await?,
        WalletCommand::Keys(command) => keys::run(command, &client, out).await?,
        WalletCommand::Balance => balance(out, &client).await?,
        WalletCommand::Send(send) => pay(send, &client, out).await?,
        WalletCommand::History(wanted) => contacts::history(wanted, &client, out).await?,
        WalletCommand::Label { movement, label } => {
            contacts::label(movement, label.as_deref(), &client, out).await?;
        }
        WalletCommand::Contacts { command } => contacts::run(command.as_ref(), &client, out).await?,
        WalletCommand::Transactions => transactions(out, &client.get("/wallet/transactions").await?),
        WalletCommand::Morse { command } => morse::run(command, &client, out).await?,
        WalletCommand::Lock => show(out, &client.post_empty::<WalletPage>("/wallet/lock").await?),
        WalletCommand::Unlock(from) => {
            let password = password(from, "Password: ")?;
            show(
                out,
                &client
                    .post::<WalletPage>("/wallet/unlock", &UnlockWallet { password })
                    .await?,
            );
        }
        WalletCommand::List
        | WalletCommand::Export(_)
        | WalletCommand::SignMessage { .. }
        | WalletCommand::VerifyMessage { .. } => {}
    }
    Ok(())
}

async fn list(place: &Place, out: &Out) -> Done {
    match Client::connect(place).await {
        Ok(client) => {
            show(out, &client.get::<WalletPage>("/wallet").await?);
            return Ok(());
        }
        Err(exit) if exit.is("not_running") => {}
        Err(exit) => return Err(exit),
    }
    let wallet = hearth_node::offline_wallet(&place.layout)?;
    wallet.accounts().ok_or_else(no_wallet)?;
    show(out, &hearth_node::wallet_page(&wallet.state().borrow(), false));
    Ok(())
}

pub(super) fn no_wallet() -> Exit {
    Fault::not_ready("no_wallet", "there is no wallet yet")
        .remedy("`hearth wallet create`, or `hearth wallet import` with recovery words")
        .into()
}

/// Four columns, numbered, to be written down.
pub(super) fn words(out: &Out, words: &[String]) {
    out.line("");
    for row in words.chunks(4).enumerate() {
        let cells = row
            .1
            .iter()
            .enumerate()
            .map(|(column, word)| format!("{:>2} {word:<14}", row.0 * 4 + column + 1));
        out.line(&format!("  {}", cells.collect::<String>().trim_end()));
    }
    out.line("");
    out.hint(
        "Write these words down on paper: whoever has them has the money, and nobody can send them again.",
    );
}

pub(super) fn show(out: &Out, page: &WalletPage) {
    if out.json {
        out.value(page)
    } else {
        accounts(out, page)
    }
}

fn accounts(out: &Out, page: &WalletPage) {
    for account in &page.accounts {
        out.line(&keys::line(account));
    }
    if page.accounts.is_empty() {
        out.line("  no wallet yet: `hearth wallet create` or `hearth wallet import`");
    }
}

async fn balance(out: &Out, client: &Client) -> Done {
    let balances: Balances = client.get("/wallet/balances").await?;
    if out.json {
        out.value(&balances);
        return Ok(());
    }
    let wallet: WalletPage = client.get("/wallet").await?;
    for place in &balances.places {
        let label = match place.kind {
            PlaceKind::SpendableMain | PlaceKind::SpendableWorking | PlaceKind::Spendable => "spendable",
            PlaceKind::Supplier => "staked to earn",
            PlaceKind::Application => "set aside for chat",
            PlaceKind::Gateway => "set aside for the gateway",
        };
        let standing = match place.standing.trust {
            Trust::Proven => format!("proven at {}", place.standing.height),
            Trust::Unverified => "not verified yet".to_owned(),
            Trust::Stale => format!("stale, of {}", place.standing.height),
        };
        let account = named(&wallet, &place.address);
        let whose = place
            .owner
            .as_deref()
            .map(|owner| format!(", of {owner}: in no total"));
        out.line(&format!(
            "  {label:<26} {:>18}   {}",
            pokt(place.amount.0),
            dim(&format!("{account}, {standing}{}", whose.unwrap_or_default()))
        ));
        if let Some(height) = place.free_at_height {
            out.line(&dim(&format!("  {:<26} back in block {height}", "")).to_string());
        }
    }
    let total = format!("{:<26} {:>18}", "total", pokt(balances.total.0));
    out.line(&format!("  {}", bold(&total)));
    for one in &balances.reserved {
        let label = match one.reserved_for {
            ReservedFor::Chat => "of it: bought answers",
            ReservedFor::Fees => "of it: fees on their way",
            ReservedFor::Transactions => "of it: on its way out",
        };
        out.line(&dim(&format!("  {label:<26} {:>18}", pokt(one.amount.0))).to_string());
    }
    for one in &balances.coming {
        let label = format!("open claims of {}", short(&one.supplier));
        let text = format!(
            "≈ {} of {} claimed, after the shares of others",
            pokt(one.amount.0),
            pokt(one.claimed.0)
        );
        out.line(&dim(&format!("  {label:<26} {text}")).to_string());
    }
    for one in &balances.others {
        let label = format!("of {}, not yours", short(&one.owner));
        out.line(&dim(&format!("  {label:<26} {:>18}", pokt(one.amount.0))).to_string());
    }
    Ok(())
}

/// An account by its label, with what it is used for; an address that is none of the wallet's, shortened.
fn named(wallet: &WalletPage, address: &str) -> String {
    let Some(account) = wallet.accounts.iter().find(|account| account.address == address) else {
        return short(address);
    };
    let purposes = account.purposes.iter().map(|purpose| purpose.word());
    let used = match account.kind {
        AccountKind::Watch => vec!["watched"],
        AccountKind::Words | AccountKind::Raw | AccountKind::Armored => purposes.collect(),
    };
    let label = plain(&account.label);
    if used.is_empty() {
        return label;
    }
    format!("{label} ({})", used.join(", "))
}

pub(super) fn history(out: &Out, history: &History) {
    if out.json {
        out.value(history);
        return;
    }
    for missing in &history.missing {
        out.line(&format!("  {}", yellow(&plain(&missing.message))));
    }
    for movement in &history.movements {
        let kind = match movement.kind {
            MovementKind::Sent => "sent",
            MovementKind::Received => "received",
            MovementKind::Reward => "reward",
            MovementKind::Stake => "stake",
            MovementKind::Unstake => "unstake",
            MovementKind::Returned => "returned",
            MovementKind::Slashed => "slashed",
            MovementKind::Spent => "spent",
            MovementKind::Faucet => "faucet",
            MovementKind::Morse => "morse",
            MovementKind::Fee => "fee",
        };
        let sign = match movement.direction {
            Direction::In => "+ ",
            Direction::Out => "− ",
            Direction::Within => "  ",
        };
        let amount = format!("{sign}{}", pokt(movement.amount.0));
        let other = movement.counterparty.as_deref().map(short);
        let other = movement.name.clone().or(other).unwrap_or_default();
        let other = match &movement.label {
            Some(label) => format!("{other} {label}"),
            None => other,
        };
        out.line(&format!(
            "  {:>9}  {kind:<9} {amount:>20}  {}",
            movement.height,
            dim(&plain(&other))
        ));
        let costs = costs(movement);
        if !costs.is_empty() {
            out.line(&format!("             {}", dim(&fit(&plain(&costs), 66))));
        }
    }
}

/// What a movement cost besides its amount, and what was signed where only that tells what it was for.
fn costs(movement: &Movement) -> String {
    let part = |what: &str, amount: Option<Upokt>| {
        let amount = amount.filter(|amount| !amount.0.is_zero())?;
        Some(format!("{what} {}", pokt(amount.0)))
    };
    let is_fee = movement.kind == MovementKind::Fee;
    let does = movement.messages.iter().filter(|_| is_fee);
    let does = does.filter_map(|url| url.rsplit('.').next().map(str::to_owned));
    [part("fee", movement.fee), part("charge", movement.charge)]
        .into_iter()
        .flatten()
        .chain(does)
        .collect::<Vec<String>>()
        .join(", ")
}

fn transactions(out: &Out, list: &TransactionList) {
    if out.json {
        out.value(list);
        return;
    }
    if list.transactions.is_empty() {
        out.line("  nothing was signed yet");
    }
    for one in &list.transactions {
        let reason = match one.reason {
            TransactionReason::Payment => "payment",
            TransactionReason::Role => "role",
            TransactionReason::Setup => "set-up",
            TransactionReason::Claim => "claim",
            TransactionReason::Proof => "proof",
            TransactionReason::Elsewhere => "elsewhere",
        };
        let state = match one.state {
            TransactionState::Waiting => "waiting",
            TransactionState::Signed => "on its way",
            TransactionState::Placed => "in a block",
            TransactionState::Included => "done",
            TransactionState::Failed => "failed",
            TransactionState::Refused => "not sent",
            TransactionState::Expired => "expired",
            TransactionState::Unknown => "unknown",
        };
        let height = one.height.map(|height| height.to_string()).unwrap_or_default();
        let amount = if one.amount.0.is_zero() {
            String::new()
        } else {
            pokt(one.amount.0)
        };
        let tx = one.tx.as_deref().map(short).unwrap_or_default();
        out.line(&format!(
            "  {height:>9}  {reason:<8} {state:<10} {amount:>18}  {}",
            dim(&tx)
        ));
        let kinds = one
            .messages
            .iter()
            .filter_map(|message| message["@type"].as_str());
        let mut does: Vec<&str> = kinds.filter_map(|kind| kind.rsplit('.').next()).collect();
        does.dedup();
        if !does.is_empty() {
            out.line(&format!("             {}", dim(&fit(&does.join(", "), 66))));
        }
        // Whole: what became of the money stands at its end.
        if let Some(why) = &one.why {
            out.line(&format!("             {}", dim(&plain(why))));
        }
    }
    let shown = list.transactions.len() as u64;
    if list.total > shown {
        out.hint(&format!(
            "and {} more: --json has {shown} at a time",
            list.total - shown
        ));
    }
}

async fn pay(send: &SendArgs, client: &Client, out: &Out) -> Done {
    let typed = send.amount.as_deref().unwrap_or("0");
    let amount = Amount::parse_pokt(typed).map_err(|error| Fault::wrong_use(error.to_string()))?;
    let draft = SendDraft {
        from: match &send.from {
            Some(account) => account.clone(),
            None if send.from_working => "operator".to_owned(),
            None => "owner".to_owned(),
        },
        to: contacts::payee(&send.to, client).await?,
        amount: Upokt(amount),
        memo: send.memo.clone(),
        max: send.max,
        fee: match send.fee {
            Fee::Normal => FeeChoice::Normal,
            Fee::Higher => FeeChoice::Higher,
        },
        below_reserve: send.below_reserve,
    };
    let review: SendReview = client.post("/wallet/send/review", &draft).await?;
    if !out.json {
        looked_at(&review, out);
    }
    if send.yes
        && let Some(alike) = &review.looks_like
    {
        let message = format!(
            "{} looks like {}, and is another address",
            review.to, alike.address
        );
        return Err(Fault::failed("looks_alike", message)
            .meaning("Nothing left your wallet.")
            .remedy("compare both letter by letter; if it is meant, put it into the address book first, or pay without --yes")
            .into());
    }
    if !send.yes {
        let question = format!("Pay {} POKT? Type yes: ", pokt(review.amount.0));
        match out.agrees(&question) {
            Some(true) => {}
            Some(false) => {
                let fault = Fault::failed("not_paid", "not paid").meaning("Nothing left your wallet.");
                return Err(fault.into());
            }
            None => {
                let fault = Fault::wrong_use("nobody is there to say yes");
                return Err(fault.remedy("add --yes to pay without asking").into());
            }
        }
    }
    // One that is named is looked at, also where it is not needed.
    let password = if review.needs_password || send.password.password_file.is_some() {
        Some(password(&send.password, "Password: ")?)
    } else {
        None
    };
    let sent: Sent = client
        .post_signed(
            "/wallet/send",
            &SendOrder {
                review_id: review.review_id,
                password,
            },
        )
        .await?;
    if out.json {
        out.value(&sent);
    } else {
        out.line(&format!("  paid in block {}: {}", sent.height, sent.tx));
    }
    Ok(())
}

/// What a payment would do.
fn looked_at(review: &SendReview, out: &Out) {
    out.line(&format!("  {:<8} {:>18}", "pay", pokt(review.amount.0)));
    out.line(&format!("  {:<8} {:>18}", "fee", pokt(review.fee.0)));
    out.line(&format!("  {:<8} {}", "to", groups(&review.to)));
    if let Some(name) = &review.to_name {
        out.line(&format!("  {:<8} {}", "", plain(name)));
    }
    out.line(&format!("  {:<8} {}", "from", groups(&review.from_address)));
    out.line(&format!("  {:<8} {:>18}", "left", pokt(review.balance_after.0)));
    if let Some(memo) = &review.memo {
        out.line(&format!("  {:<8} {}", "memo", plain(memo)));
    }
    for message in review
        .messages
        .iter()
        .filter_map(|message| message["@type"].as_str())
    {
        out.line(&format!("  {:<8} {}", "signs", dim(message)));
    }
    contacts::warn(review, out);
}

/// An address in groups of four, as people compare them.
pub(super) fn groups(address: &str) -> String {
    let letters: Vec<char> = address.chars().collect();
    letters
        .chunks(4)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}

pub(super) fn typed_words(out: &Out) -> Result<String, Exit> {
    let unreadable = "the words cannot be read from standard input";
    if std::io::stdin().is_terminal() {
        out.stream("Recovery words, in one line or several; an empty line ends them:\n");
        return Ok(collect_words(std::io::stdin().lines()).context(unreadable)?);
    }
    file::read_stdin(file::SECRET, "recovery words")
}

/// Takes the lines of a pasted list up to its last word, so that none of them reaches whatever reads the terminal next;
/// or up to an empty one.
fn collect_words(lines: impl Iterator<Item = std::io::Result<String>>) -> std::io::Result<String> {
    let (mut words, mut n_lines) = (String::new(), 0);
    for line in lines {
        let line = line?;
        if line.trim().is_empty() && !words.is_empty() {
            break;
        }
        words.push_str(&line);
        words.push('\n');
        // The first half of 24 words passes as 12 now and then, so a list over several lines ends with 24 or by an empty
        // line.
        let is_whole = Words::parse(&words).is_ok_and(|read| n_lines == 0 || read.word(24).is_some());
        if is_whole {
            break;
        }
        n_lines += 1;
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(text: &str) -> (String, Vec<String>) {
        let mut lines = text.lines().map(|line| Ok(line.to_owned()));
        let words = collect_words(&mut lines).unwrap();
        (words, lines.map(Result::unwrap).collect())
    }

    #[test]
    fn what_export_printed_as_json_is_taken_with_its_last_bracket() {
        let words = Words::generate().unwrap();
        let value = serde_json::json!({ "words": *words.text() });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let (read, left) = collected(&format!("{text}\nnext"));
        assert_eq!(*Words::parse(&read).unwrap().text(), *words.text());
        assert_eq!(left, ["next"]);
    }

    #[test]
    fn a_pasted_list_is_taken_to_its_end_and_not_beyond() {
        let words = Words::generate().unwrap();
        let one_line = words.text().to_string();
        let numbered: Vec<String> = (1..=24)
            .map(|place| format!("{place:>2}. {}", words.word(place).unwrap()))
            .collect();
        for text in [one_line, numbered.join("\n")] {
            let (collected, rest) = collected(&format!("{text}\nrm -r /"));
            assert_eq!(Words::parse(&collected).unwrap().text(), words.text());
            assert_eq!(rest, ["rm -r /"]);
        }
        // Twelve words over several lines end by an empty one: they could be the half of a longer list.
        let twelve = format!("{}about", "abandon ".repeat(11));
        assert_eq!(collected(&format!("{twelve}\nrest")).1, ["rest"]);
        let (words, rest) = collected(&format!("{}\n\nrest", twelve.replace(' ', "\n")));
        assert!(Words::parse(&words).is_ok());
        assert_eq!(rest, ["rest"]);
    }

    #[test]
    fn a_history_says_fee_charge_and_what_was_signed() {
        let movement = |more: serde_json::Value| {
            let mut value = serde_json::json!({
                "id": "0a", "kind": "stake", "direction": "out", "amount": "5000000", "height": 7,
                "standing": { "trust": "proven", "height": 7, "age_s": null }
            });
            let fields = value.as_object_mut().unwrap();
            fields.extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Movement>(value).unwrap()
        };
        let both = movement(serde_json::json!({ "fee": "1000", "charge": "1000000" }));
        assert_eq!(costs(&both), "fee 0.001000, charge 1.000000");
        assert_eq!(costs(&movement(serde_json::json!({ "fee": "0" }))), "");
        // A fee is its own amount; what it was paid for is told.
        let fee = serde_json::json!({ "kind": "fee", "messages": ["/pocket.service.MsgAddService"] });
        assert_eq!(costs(&movement(fee)), "MsgAddService");
    }
}
