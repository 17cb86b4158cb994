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
mod tests {
    use hearth_pocket::{
        SecretKey,
        message::{TypeUrl as _, supplier::MsgStakeSupplier},
        tx::{Plan, Replay, sign_bytes},
    };

    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_bytes(&[3; 32]).unwrap()
    }

    fn ask(chain: &str, messages: Vec<Any>, signer: &SecretKey) -> Result<Wanted, ApiError> {
        let plan = Plan {
            messages,
            memo: "for a coffee".to_owned(),
            timeout_height: 0,
            timeout: None,
            replay: Replay::Ordered { sequence: 1 },
            fee: vec![Coin::upokt(Amount::from_upokt(9))],
            gas_limit: 100_000,
        };
        let auth = plan.auth_info(&signer.public_key());
        let bytes = sign_bytes(&plan.body().encode_to_vec(), &auth.encode_to_vec(), chain, 4);
        let wanted = NewSignature {
            document: Some(STANDARD.encode(bytes)),
            ..NewSignature::default()
        };
        read(
            &wanted,
            key().address(),
            &key().public_key(),
            "hearth-devnet",
            &|_| false,
            &Before::default(),
        )
    }

    fn payment() -> Any {
        payment_of(key().address().as_str())
    }

    /// A message that the signer does with a power of others.
    fn inside(message: Any) -> Any {
        MsgExec {
            grantee: key().address().to_string(),
            msgs: vec![message],
        }
        .to_any()
    }

    fn payment_of(from: &str) -> Any {
        MsgSend {
            from_address: from.to_owned(),
            to_address: "pokt1someone".to_owned(),
            amount: vec![Coin::upokt(Amount::from_upokt(5))],
        }
        .to_any()
    }

    #[test]
    fn all_of_a_transaction_is_shown() {
        let wanted = ask("hearth-devnet", vec![payment()], &key()).unwrap();
        let SignatureContent::Transaction(shown) = wanted.content else {
            panic!("a text");
        };
        assert_eq!((shown.fee, shown.gas), (Upokt(Amount::from_upokt(9)), 100_000));
        assert_eq!((shown.usual_fee.0.upokt(), shown.fee_is_high), (1, false));
        assert_eq!(shown.memo, "for a coffee");
        assert_eq!(shown.messages[0]["to_address"], "pokt1someone");
    }

    #[test]
    fn what_leaves_the_signer_is_summed_and_the_numbers_are_shown() {
        let me = key().address().to_string();
        let messages = vec![
            payment(),
            inside(payment()),
            inside(payment_of("pokt1boss")),
            inside(inside(payment_of(&me))),
        ];
        let wanted = ask("hearth-devnet", messages, &key()).unwrap();
        let SignatureContent::Transaction(shown) = wanted.content else {
            panic!("a text");
        };
        assert_eq!(shown.sent.0.upokt(), 15);
        assert_eq!((shown.account_number, shown.sequence), (4, 1));
    }

    #[test]
    fn a_fee_that_nobody_means_is_marked() {
        let high = |fee: u128, usual: u128| is_high(Amount::from_upokt(fee), Amount::from_upokt(usual));
        // A slip of the pen: 2 POKT in place of 2 upokt, also where the gas is as absurd.
        assert!(high(2_000_000, 2) && high(2_000_000, 1_900_000));
        assert!(high(1_001, 100) && !high(1_000, 100) && !high(1_001, 101));
        assert!(!high(200, 1), "what another wallet's rounding makes is no slip");
    }

    #[test]
    fn an_absurd_gas_limit_hides_no_absurd_fee() {
        // 0.9 POKT, for which the gas that is asked for would be the price.
        let usual = usual_fee(900_000_000_000, 1);
        assert!(is_high(Amount::from_upokt(900_000), usual), "{usual}");
        assert_eq!(usual_fee(200_000, 1).upokt(), 1);
        assert_eq!(usual_fee(30_000_000, 3), usual_fee(90_000_000, 3));
        assert!(usual_fee(90_000_000, 9) > usual_fee(90_000_000, 3));
    }

    #[test]
    fn powers_that_are_handed_over_are_marked() {
        let exec = ask("hearth-devnet", vec![inside(payment_of("pokt1boss"))], &key()).unwrap();
        let SignatureContent::Transaction(shown) = exec.content else {
            panic!("a text");
        };
        assert_eq!(shown.notes.len(), 1);
        assert_eq!(
            (shown.notes[0].code.as_str(), shown.notes[0].danger),
            ("in_name_of", true)
        );
        assert_eq!(shown.notes[0].values["accounts"], "pokt1boss");
    }

    #[test]
    fn amounts_that_are_none_are_refused_and_foreign_signers_and_addresses_are_marked() {
        let paying = |amount: &str, from: &str, to: &str| {
            let payment = MsgSend {
                from_address: from.to_owned(),
                to_address: to.to_owned(),
                amount: vec![Coin {
                    denom: "upokt".to_owned(),
                    amount: amount.to_owned(),
                }],
            };
            ask("hearth-devnet", vec![payment.to_any()], &key())
        };
        let key = key();
        let me = key.address().as_str();
        // What no sum of the chain holds is refused as well, and what other readers could take for another amount.
        let too_large = "340282366920938463463374607431768211456";
        for wrong in ["-5", "5.5", "", "5upokt", "0005", "+5", "00", too_large] {
            let error = paying(wrong, me, "pokt1someone").unwrap_err().to_string();
            assert!(
                error.contains(&format!("\"{wrong}upokt\" in it is no amount")),
                "{error}"
            );
        }
        let notes = |wanted: Result<Wanted, ApiError>| {
            let SignatureContent::Transaction(shown) = wanted.unwrap().content else {
                panic!("a text");
            };
            let notes = shown.notes.into_iter();
            notes.map(|note| (note.code, note.danger)).collect::<Vec<_>>()
        };
        let cosmos = "cosmos1fl48vsnmsdzcv85q5d2q4z5ajdha8yu34mf0eh";
        assert_eq!(
            notes(paying("5", me, cosmos)),
            [("other_chain".to_owned(), false)]
        );
        assert_eq!(
            notes(paying("5", "pokt1boss", me)),
            [("other_signer".to_owned(), true)]
        );
        assert_eq!(notes(paying("5", me, me)), []);
    }

    #[test]
    fn coins_that_are_none_and_sums_that_are_none_are_refused() {
        let coins = |coins: &[(&str, &str)]| {
            let coin = |(amount, denom): &(&str, &str)| Coin {
                denom: (*denom).to_owned(),
                amount: (*amount).to_owned(),
            };
            let payment = MsgSend {
                from_address: key().address().to_string(),
                to_address: "pokt1someone".to_owned(),
                amount: coins.iter().map(coin).collect(),
            };
            ask("hearth-devnet", vec![payment.to_any()], &key())
        };
        let most = u128::MAX.to_string();
        for denom in [
            "up okt",
            "upokt\u{7}",
            "u",
            " upokt",
            "1upokt",
            "",
            "upo\u{200b}kt",
        ] {
            let error = coins(&[("5", denom)]).unwrap_err().to_string();
            assert!(error.contains("in it is no amount"), "{denom:?}: {error}");
        }
        for fine in [("0", "upokt"), ("5", "ibc/27394FB0"), (most.as_str(), "upokt")] {
            assert!(coins(&[fine]).is_ok(), "{fine:?}");
        }
        let error = coins(&[(&most, "upokt"), ("1", "upokt")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("more than there can be"), "{error}");
    }

    #[test]
    fn a_stake_for_a_stranger_is_counted_and_marked() {
        let stake = MsgStakeSupplier {
            signer: key().address().to_string(),
            owner_address: "pokt1thief".to_owned(),
            operator_address: "pokt1op".to_owned(),
            stake: Some(Coin::upokt(Amount::from_upokt(60_000))),
            services: Vec::new(),
        };
        let wanted = ask("hearth-devnet", vec![stake.to_any()], &key()).unwrap();
        let SignatureContent::Transaction(shown) = wanted.content else {
            panic!("a text");
        };
        assert_eq!(shown.sent.0.upokt(), 60_000);
        let [note] = shown.notes.as_slice() else {
            panic!("{:?}", shown.notes);
        };
        assert_eq!((note.code.as_str(), note.danger), ("stake_for", true));
        assert_eq!(
            (note.values["amount"].as_str(), note.values["owner"].as_str()),
            ("60000", "pokt1thief")
        );
    }

    #[test]
    fn amino_is_named() {
        let wanted = NewSignature {
            document: Some(STANDARD.encode(r#"{"account_number":"1","fee":{},"msgs":[]}"#)),
            ..NewSignature::default()
        };
        let error = read(
            &wanted,
            key().address(),
            &key().public_key(),
            "x",
            &|_| false,
            &Before::default(),
        )
        .unwrap_err();
        assert!(error.to_string().contains("amino-JSON"), "{error}");
    }

    #[test]
    fn what_cannot_be_shown_or_is_not_ours_is_refused() {
        let unknown = Any {
            type_url: "/cosmos.gov.v1.MsgVote".to_owned(),
            value: vec![8, 1],
        };
        let mut hidden = payment();
        hidden.value.extend([0xba, 0x3e, 1, 7]);
        let other = SecretKey::from_bytes(&[4; 32]).unwrap();
        for (asked, why) in [
            (ask("pocket", vec![payment()], &key()), "chain \"pocket\""),
            (
                ask("hearth-devnet", vec![unknown.clone()], &key()),
                "a message that Hearth does not know: /cosmos.gov.v1.MsgVote",
            ),
            (
                ask("hearth-devnet", vec![inside(unknown)], &key()),
                "a message that Hearth does not know: /cosmos.gov.v1.MsgVote",
            ),
            (
                ask("hearth-devnet", vec![hidden], &key()),
                "cannot be shown whole",
            ),
            (ask("hearth-devnet", vec![payment()], &other), "its signer is not"),
        ] {
            let error = asked.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let text = |text: &str| {
            let wanted = NewSignature {
                text: Some(text.to_owned()),
                ..NewSignature::default()
            };
            read(
                &wanted,
                key().address(),
                &key().public_key(),
                "hearth-devnet",
                &|_| false,
                &Before::default(),
            )
        };
        assert!(text("I own this\naddress").is_ok());
        for hidden in [
            "\u{0}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{2028}", "\u{feff}",
        ] {
            assert!(text(&format!("pay{hidden} me")).is_err(), "{hidden:?}");
        }
        assert!(text(&"x".repeat(MAX_TEXT_BYTES + 1)).is_err());
        assert!(
            read(
                &NewSignature::default(),
                key().address(),
                &key().public_key(),
                "x",
                &|_| false,
                &Before::default()
            )
            .is_err()
        );
    }
}
