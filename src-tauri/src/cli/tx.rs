//! `hearth tx`: transactions that are made in one place and signed in another.

use std::path::Path;

use hearth_node::control::{BroadcastDone, BroadcastTrial, BroadcastTx, SignTx, SignedTx, TxFile, TxToSign};
use serde_json::Value;

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, PasswordArgs, TxCommand},
    file::{self, NewFile},
    message::{show_message, show_notes},
    out::{grouped, plain, pokt, short, word, yellow},
    secret::password,
};

pub(super) async fn run(command: &TxCommand, args: &Args, out: &Out) -> Done {
    let client = Client::connect(&Place::find(args).await?).await?;
    match command {
        TxCommand::Sign {
            file,
            output,
            account_number,
            sequence,
            dry_run,
            yes,
            password,
        } => {
            if !*dry_run {
                // Before anybody is asked: what is signed is not lost for a name that is taken.
                file::is_free(output, "--output")?;
            }
            let file = TxFile {
                tx: read(file)?,
                account_number: *account_number,
                sequence: *sequence,
            };
            let review: TxToSign = client.post("/wallet/tx/review", &file).await?;
            if *dry_run {
                show(&review, out);
                return Ok(());
            }
            let agreed = Agreed { yes: *yes, password };
            sign(file, &review, output, &agreed, &client, out).await
        }
        TxCommand::Broadcast { file, dry_run: true } => try_broadcast(read(file)?, &client, out).await,
        TxCommand::Broadcast { file, dry_run: false } => broadcast(read(file)?, &client, out).await,
    }
}

/// How the owner agrees.
struct Agreed<'a> {
    yes: bool,
    password: &'a PasswordArgs,
}

async fn sign(
    file: TxFile,
    review: &TxToSign,
    output: &Path,
    agreed: &Agreed<'_>,
    client: &Client,
    out: &Out,
) -> Done {
    if !out.json {
        show(review, out);
    }
    if !agreed.yes {
        match out.agrees("Sign it? Type yes: ") {
            Some(true) => {}
            Some(false) => return Err(Fault::failed("not_signed", "nothing was signed").into()),
            None => {
                let fault = Fault::wrong_use("nobody is there to say yes");
                return Err(fault.remedy("add --yes to sign without asking").into());
            }
        }
    }
    let is_wanted = review.needs_password || agreed.password.password_file.is_some();
    let password = is_wanted
        .then(|| password(agreed.password, "Password: "))
        .transpose()?;
    // What was shown is what is signed, also where the chain has moved on meanwhile.
    let file = TxFile {
        account_number: Some(review.account_number),
        sequence: Some(review.sequence),
        ..file
    };
    // Taken before: what is signed is not lost for a folder that is not there. Gone again where it is refused.
    let taken = NewFile::create(output, "--output")?;
    let signed: SignedTx = client
        .post_signed("/wallet/tx/sign", &SignTx { file, password })
        .await?;
    taken.fill(text(&signed.tx).as_bytes())?;
    if out.json {
        out.value(&signed);
        return Ok(());
    }
    out.line(&format!("  signed: {}", output.display()));
    out.elsewhere(&format!(
        "Nothing was sent. Whoever gave it out sends it: `hearth tx broadcast {0}`, or `pocketd tx broadcast {0}`.",
        word(output)
    ));
    Ok(())
}

async fn broadcast(tx: Value, client: &Client, out: &Out) -> Done {
    let done: BroadcastDone = client
        .post_signed("/roles/broadcast", &BroadcastTx { tx })
        .await?;
    if out.json {
        out.value(&done);
        return Ok(());
    }
    for message in &done.messages {
        show_message(out, message);
    }
    show_notes(out, &done.notes);
    let word = if done.was_there {
        "nothing was sent, it was done before in block"
    } else {
        "done in block"
    };
    out.line(&format!("  {word} {}: {}", done.height, short(&done.tx)));
    Ok(())
}

async fn try_broadcast(tx: Value, client: &Client, out: &Out) -> Done {
    let trial: BroadcastTrial = client
        .post_signed("/roles/broadcast/review", &BroadcastTx { tx })
        .await?;
    if out.json {
        out.value(&trial);
        return Ok(());
    }
    out.line(&format!("  signed by {}", plain(&trial.account)));
    for message in &trial.messages {
        show_message(out, message);
    }
    row(out, "fee", &format!("{} POKT", pokt(trial.fee.0)));
    show_notes(out, &trial.notes);
    out.line(&match trial.height {
        Some(height) => format!("  nothing would be sent, it was done before in block {height}"),
        None => "  the chain would take it now; nothing was sent".to_owned(),
    });
    Ok(())
}

fn row(out: &Out, name: &str, text: &str) {
    out.line(&format!("     {name:<22} {text}"));
}

fn show(review: &TxToSign, out: &Out) {
    if out.json {
        out.value(review);
        return;
    }
    let content = &review.content;
    let chain = plain(&content.chain_id);
    out.line(&format!("  {} signs, on {chain}", review.account));
    // What counts comes before the messages: many small ones may hide a large one.
    row(out, "messages", &content.messages.len().to_string());
    row(out, "sends in all", &format!("{} POKT", pokt(content.sent.0)));
    row(out, "fee", &format!("{} POKT", pokt(content.fee.0)));
    if content.fee_is_high {
        let text = format!(
            "far more than the network asks for ({} POKT)",
            pokt(content.usual_fee.0)
        );
        row(out, "", &yellow(&text).to_string());
    }
    show_notes(out, &content.notes);
    for message in &content.messages {
        show_message(out, message);
    }
    row(out, "gas limit", &grouped(content.gas.into()));
    if !content.memo.is_empty() {
        row(out, "memo", &plain(&content.memo));
    }
    if let Some(height) = content.timeout_height {
        row(out, "not after block", &height.to_string());
    }
    if let Some(until) = &content.timeout {
        row(out, "not after", &until.0.to_string());
    }
    row(out, "account number", &review.account_number.to_string());
    if content.unordered {
        out.line("     without a sequence: it can be sent at any time until then, whatever the account sends meanwhile");
    } else {
        row(out, "sequence", &review.sequence.to_string());
    }
}

fn read(file: &Path) -> Result<Value, Exit> {
    let text = file::read(file, file::DOCUMENT, "a file with one transaction")?;
    let tx = serde_json::from_slice(&text)
        .map_err(|error| Fault::failed("tx_wrong", format!("{} is no JSON: {error}", file.display())))?;
    Ok(tx)
}

/// A transaction as it stands in a file.
pub(super) fn text(tx: &Value) -> String {
    format!("{tx:#}\n")
}
