//! What a program wants signed, read so that the owner is shown all of it.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_base::{Amount, is_unseen};
use hearth_pocket::{
    Address, adr36,
    message::{
        Any, Coin,
        cosmos::{MsgExec, MsgSend, PubKey},
        unknown_type,
    },
    tx,
};
use hearth_roles::{Before, Note, leaves, powers};
use prost::Message as _;
use time::OffsetDateTime;

use crate::{
    control::types::{NewSignature, RoleNote, SignatureContent, Timestamp, TransactionContent, Upokt},
    error::ApiError,
};

/// The longest text.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// The largest document. The chain takes no larger transaction either.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// A fee that is so many times what the network asks for is marked, and any above 1 POKT.
const HIGH_TIMES: u128 = 10;
const HIGHEST_FEE: Amount = Amount::from_upokt(1_000_000);
const LEAST_HIGH: Amount = Amount::from_upokt(1_000);

/// Messages lie no deeper in each other than they are read.
const MAX_DEPTH: u8 = 16;

/// What would be signed, and how it is shown.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) content: SignatureContent,
    pub(crate) bytes: Vec<u8>,
}

/// Reads a request for the signature of `address`.
pub(crate) fn read(
    wanted: &NewSignature,
    address: &Address,
    public_key: &[u8; 33],
    chain_id: &str,
    is_own: &dyn Fn(&str) -> bool,
    before: &Before,
) -> Result<Wanted, ApiError> {
    match (&wanted.text, &wanted.document) {
        (Some(text), None) => of_text(text, address),
        (None, Some(document)) => of_document(document, address, public_key, chain_id, is_own, before),
        (None, None) | (Some(_), Some(_)) => Err(ApiError::bad_request(
            "give either a text or the document of a transaction to sign",
        )),
    }
}

fn of_text(text: &str, address: &Address) -> Result<Wanted, ApiError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ApiError::bad_request(format!(
            "the text has {} bytes, and {MAX_TEXT_BYTES} are signed at most",
            text.len()
        )));
    }
    // What cannot be seen could say something else than what is shown.
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        return Err(ApiError::bad_request(format!(
            "the text holds the invisible character U+{:04X}",
            u32::from(hidden)
        )));
    }
    Ok(Wanted {
        bytes: adr36::sign_bytes(address, text.as_bytes()),
        content: SignatureContent::Text {
            text: text.to_owned(),
        },
    })
}

/// Control characters, and letters that nobody sees.
fn is_hidden(c: char) -> bool {
    is_unseen(c) || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn of_document(
    document: &str,
    address: &Address,
    public_key: &[u8; 33],
    chain_id: &str,
    is_own: &dyn Fn(&str) -> bool,
    before: &Before,
) -> Result<Wanted, ApiError> {
    let refused = |why: String| ApiError::bad_request(format!("this is not signed: {why}"));
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(refused(format!("it is longer than {MAX_DOCUMENT_BYTES} bytes")));
    }
    let bytes = STANDARD
        .decode(document)
        .map_err(|error| refused(format!("it is no base64: {error}")))?;
    let content = of_sign_doc(&bytes, address, public_key, chain_id, is_own, before)?;
    Ok(Wanted {
        bytes,
        content: SignatureContent::Transaction(Box::new(content)),
    })
}

/// The messages of a document that is to be signed; none where it cannot be read, which [`read`] says.
pub(crate) fn messages(wanted: &NewSignature) -> Vec<Any> {
    let document = wanted.document.as_ref();
    let document = document.filter(|document| document.len() <= MAX_DOCUMENT_BYTES);
    let bytes = document.and_then(|document| STANDARD.decode(document).ok());
    let read = bytes.and_then(|bytes| tx::decode_sign_doc(&bytes).ok());
    read.map(|read| read.body.messages).unwrap_or_default()
}

/// All of a transaction, from the bytes that are signed. `is_own` tells the addresses whose keys are in the wallet, and
/// `before` what the chain has of what it changes.
pub(crate) fn of_sign_doc(
    bytes: &[u8],
    address: &Address,
    public_key: &[u8; 33],
    chain_id: &str,
    is_own: &dyn Fn(&str) -> bool,
    before: &Before,
) -> Result<TransactionContent, ApiError> {
    let refused = |why: String| ApiError::bad_request(format!("this is not signed: {why}"));
    if serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|json| json.get("msgs").is_some()) {
        return Err(refused(
            "it is a document in amino-JSON, the older form; ask for SIGN_MODE_DIRECT".to_owned(),
        ));
    }
    let read = tx::decode_sign_doc(bytes).map_err(|error| refused(error.to_string()))?;
    if read.chain_id != chain_id {
        return Err(refused(format!(
            "it is for the chain \"{}\", and this node is on \"{chain_id}\"",
            read.chain_id
        )));
    }
    let is_signers = |key: &Any| {
        PubKey::decode(key.value.as_slice()).is_ok_and(|known| known.key.as_slice() == public_key.as_slice())
    };
    let [signer] = read.auth_info.signer_infos.as_slice() else {
        return Err(refused("one signer is wanted".to_owned()));
    };
    if !signer.public_key.as_ref().is_some_and(is_signers) {
        return Err(refused(format!("its signer is not {address}")));
    }
    if !(read.body.extension_options.is_empty() && read.body.non_critical_extension_options.is_empty()) {
        return Err(refused("it has extensions".to_owned()));
    }
    let fee = read.auth_info.fee.unwrap_or_default();
    if !fee.granter.is_empty() || !(fee.payer.is_empty() || fee.payer == address.as_str()) {
        return Err(refused("somebody else is to pay its fee".to_owned()));
    }
    let timeout = read.body.timeout_timestamp.map(|until| {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(until.unix_nanos());
        moment
            .map(Timestamp::from)
            .map_err(|error| format!("its time of end is none: {error}"))
    });
    let shown: Result<Vec<serde_json::Value>, String> = read.body.messages.iter().map(shown).collect();
    let gas = fee.gas_limit;
    let usual = usual_fee(gas, read.body.messages.len());
    if let Some(wrong) = fee.amount.iter().find(|coin| !is_coin(&coin.denom, &coin.amount)) {
        return Err(refused(format!("its fee \"{wrong}\" is no amount")));
    }
    let fee = upokt(&fee.amount).map_err(refused)?;
    let messages = shown.map_err(refused)?;
    if let Some(wrong) = messages.iter().find_map(wrong_amount) {
        return Err(refused(format!("\"{wrong}\" in it is no amount")));
    }
    let is_ours = |one: &str| one == address.as_str() || is_own(one);
    let sent = leaves(&read.body.messages, &is_ours, before)
        .ok_or_else(|| refused("what it takes in all is more than there can be".to_owned()))?;
    let mut notes = powers(&read.body.messages, &is_ours, before);
    notes.extend(other_signer(&read.body.messages, address));
    let mut foreign = BTreeSet::new();
    messages
        .iter()
        .for_each(|message| foreign_addresses(message, &mut foreign));
    notes.extend(foreign.into_iter().map(|address| Note::OtherChain { address }));
    Ok(TransactionContent {
        chain_id: read.chain_id,
        messages,
        memo: read.body.memo,
        sent: Upokt(sent),
        account_number: read.account_number,
        sequence: signer.sequence,
        fee,
        gas,
        usual_fee: Upokt(usual),
        fee_is_high: is_high(fee.0, usual),
        timeout_height: Some(read.body.timeout_height).filter(|height| *height > 0),
        unordered: read.body.unordered,
        timeout: timeout.transpose().map_err(refused)?,
        notes: notes.iter().map(RoleNote::from).collect(),
    })
}

/// Whether the chain can have such a coin, as it writes it: whole, not below zero, and not so large that nobody has it.
fn is_coin(denom: &str, amount: &str) -> bool {
    let is_amount = amount
        .parse::<u128>()
        .is_ok_and(|read| read.to_string() == amount);
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || "/:._-".contains(sign);
    let begins = denom.starts_with(|first: char| first.is_ascii_alphabetic());
    is_amount && begins && (3..=128).contains(&denom.len()) && denom.chars().all(is_sign)
}

/// A coin in a message that is none.
fn wrong_amount(json: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match json {
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            match (text("denom"), text("amount")) {
                (Some(denom), Some(amount)) if fields.len() == 2 => {
                    let is_none = denom.is_empty() && amount.is_empty();
                    (!is_coin(denom, amount) && !is_none).then(|| format!("{amount}{denom}"))
                }
                _ => fields.values().find_map(wrong_amount),
            }
        }
        Value::Array(values) => values.iter().find_map(wrong_amount),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether another account than `address` would have to sign a message.
fn other_signer(messages: &[Any], address: &Address) -> Option<Note> {
    let mut signers = messages.iter().filter_map(Any::signer);
    let signer = signers.find(|signer| signer != address.as_str())?;
    Some(Note::OtherSigner {
        signer,
        account: address.to_string(),
    })
}

/// The addresses of other chains in a message.
fn foreign_addresses(json: &serde_json::Value, found: &mut BTreeSet<String>) {
    use serde_json::Value;
    match json {
        Value::String(text) if is_foreign_address(text) => {
            found.insert(text.clone());
        }
        Value::Object(fields) => fields.values().for_each(|value| foreign_addresses(value, found)),
        Value::Array(values) => values.iter().for_each(|value| foreign_addresses(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a text has the form of an address (bech32), and not the beginning of Pocket's.
fn is_foreign_address(text: &str) -> bool {
    /// Letters of 20 bytes with their checksum.
    const LEAST_LETTERS: usize = 38;
    let Some((prefix, letters)) = text.trim().rsplit_once('1') else {
        return false;
    };
    let is_letter =
        |sign: char| (sign.is_ascii_lowercase() || sign.is_ascii_digit()) && !"1bio".contains(sign);
    !prefix.is_empty()
        && prefix.chars().all(|sign| sign.is_ascii_lowercase())
        && !prefix.starts_with("pokt")
        && letters.len() >= LEAST_LETTERS
        && letters.chars().all(is_letter)
}

/// Whom messages pay, also those inside others.
pub(crate) fn payees(messages: &[Any]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_payees(messages, MAX_DEPTH, &mut found);
    found
}

fn collect_payees(messages: &[Any], depth: u8, found: &mut BTreeSet<String>) {
    for message in messages {
        found.extend(
            message
                .unpack::<MsgSend>()
                .and_then(Result::ok)
                .map(|payment| payment.to_address),
        );
        let exec = message.unpack::<MsgExec>().and_then(Result::ok);
        if let Some((exec, deeper)) = exec.zip(depth.checked_sub(1)) {
            collect_payees(&exec.msgs, deeper, found);
        }
    }
}

/// What the network asks for a transaction. Its own gas limit is believed as far as its messages can use so much: a higher one
/// would make any fee look usual.
fn usual_fee(gas: u64, n_messages: usize) -> Amount {
    let most = hearth_chain::MOST_GAS_EACH.saturating_mul(n_messages.max(1) as u64);
    hearth_chain::fee_for(gas.min(most), hearth_chain::Config::GAS_PRICE_MICRO)
}

/// Whether a fee is one that nobody means to pay. Below a thousandth of a POKT other programs round as they like.
fn is_high(fee: Amount, usual: Amount) -> bool {
    let times = usual.upokt().saturating_mul(HIGH_TIMES);
    fee > HIGHEST_FEE || (fee > LEAST_HIGH && fee.upokt() > times)
}

/// A message as the chain's JSON; refused where that is not all of it.
fn shown(message: &Any) -> Result<serde_json::Value, String> {
    let url = &message.type_url;
    let json = serde_json::to_value(message).map_err(|error| format!("{url}: {error}"))?;
    if let Some(unknown) = unknown_type(&json) {
        return Err(format!(
            "this transaction has a message that Hearth does not know: {unknown}; sign it with the program that made it"
        ));
    }
    let again: Option<Any> = serde_json::from_value(json.clone()).ok();
    if again.as_ref() == Some(message) {
        Ok(json)
    } else {
        Err(format!("the message {url} cannot be shown whole"))
    }
}

fn upokt(coins: &[Coin]) -> Result<Upokt, String> {
    match coins {
        [] => Ok(Upokt::default()),
        [coin] => coin
            .to_amount()
            .map(Upokt)
            .ok_or_else(|| format!("its fee is {}{}", coin.amount, coin.denom)),
        [..] => Err("its fee is of several coins".to_owned()),
    }
}

#[cfg(test)]
mod tests;
