//! A transaction of another node or program, for an account here to sign: the other half of [`crate::elsewhere`].

use hearth_chain::{Head, QueryError, Standing, Validity};
use hearth_pocket::{
    address::Address,
    message::{
        Any, application::MsgStakeApplication, cosmos::TxRaw, gateway::MsgStakeGateway,
        supplier::MsgStakeSupplier,
    },
    tx::{Plan, SignedTx, sign_bytes},
};
use prost::Message as _;
use serde_json::Value;

use crate::{
    elsewhere::{FileError, TxFile},
    plan::Note,
    roles::{Error, Roles},
};

/// A file that waits for its signature.
#[derive(Clone, Debug)]
pub struct ToSign {
    pub account_number: u64,
    pub sequence: u64,
    /// The bytes that are signed: chain, account number, and everything of the transaction but signatures.
    pub sign_doc: Vec<u8>,
    /// What the chain adds to what the messages say.
    pub notes: Vec<Note>,
    file: TxFile,
}

/// Whose signature a file wants: that of who signs its messages.
///
/// # Errors
/// No transaction, one with a signature, one that several have to sign.
pub fn wanted_signer(file: &Value) -> Result<String, FileError> {
    let messages = TxFile::unsigned(file)?.body.messages;
    let first = messages.first().and_then(Any::signer);
    let first = first
        .filter(|signer| !signer.is_empty())
        .ok_or(FileError::NoSigner)?;
    let is_others = |message: &&Any| message.signer().as_ref() != Some(&first);
    match messages.iter().find(is_others) {
        Some(other) => Err(FileError::Signers {
            other: other.signer().unwrap_or_default(),
            first,
        }),
        None => Ok(first),
    }
}

impl ToSign {
    /// Puts the account's part into a file, as `pocketd tx sign` does: its key, the mode and the sequence.
    ///
    /// # Errors
    /// No transaction, or one with a signature.
    pub fn new(
        file: &Value,
        public_key: &[u8; 33],
        chain_id: &str,
        (account_number, sequence): (u64, u64),
    ) -> Result<ToSign, FileError> {
        let mut file = TxFile::unsigned(file)?;
        // The chain refuses a sequence beside the nonce of an unordered transaction.
        let sequence = if file.body.unordered { 0 } else { sequence };
        let signer = Plan::ordered(Vec::new(), sequence).auth_info(public_key);
        file.auth_info.signer_infos = signer.signer_infos;
        let sign_doc = sign_bytes(
            &file.body.encode_to_vec(),
            &file.auth_info.encode_to_vec(),
            chain_id,
            account_number,
        );
        Ok(ToSign {
            account_number,
            sequence,
            sign_doc,
            notes: Vec::new(),
            file,
        })
    }

    /// What is signed says to do.
    #[must_use]
    pub fn messages(&self) -> &[Any] {
        &self.file.body.messages
    }

    fn without_signature(&self) -> SignedTx {
        let raw = TxRaw {
            body_bytes: self.file.body.encode_to_vec(),
            auth_info_bytes: self.file.auth_info.encode_to_vec(),
            signatures: Vec::new(),
        };
        SignedTx::new(raw.encode_to_vec())
    }

    /// The file with its signature, base64.
    ///
    /// # Errors
    /// None that is known: the file was read from JSON.
    pub fn signed(mut self, signature: String) -> Result<Value, FileError> {
        self.file.signatures = vec![signature];
        let mut file = serde_json::to_value(self.file)?;
        // The chain's programs take a mode that is null for the one that is meant, and fail.
        let mode = file.pointer_mut("/auth_info/signer_infos/0/mode_info");
        if let Some(mode) = mode.and_then(Value::as_object_mut) {
            mode.retain(|_, value| !value.is_null());
        }
        Ok(file)
    }
}

impl Roles {
    /// A transaction of another node or program, ready for the signature of an account: `at` is its number and sequence,
    /// which the chain is asked for where they are not given.
    ///
    /// # Errors
    /// No transaction, one that is signed, one whose time has passed, an account that the chain does not know.
    pub async fn to_sign(
        &self,
        file: &Value,
        (account, public_key): (&Address, &[u8; 33]),
        at: Option<(u64, u64)>,
    ) -> Result<ToSign, Error> {
        let at = match at {
            Some(at) => at,
            // Nothing is lost by a wrong word here: the chain refuses a signature over another number.
            None => numbers(self.chain.account(account).await?.into_value(), account)?,
        };
        let mut waits = ToSign::new(file, public_key, self.chain.chain_id().as_str(), at)?;
        let head = self.chain.head().borrow().clone();
        let validity = Validity::of(&waits.without_signature());
        check_time(&head, &validity)?;
        waits.notes.extend(unchecked(&head, &validity));
        waits.notes.extend(self.stays(&waits.file.body.messages).await);
        Ok(waits)
    }

    /// Whether the key of an address is in this wallet.
    pub(crate) fn has_key_of(&self, address: &str) -> bool {
        let address = address.parse::<Address>();
        address.is_ok_and(|address| self.wallet.signer_of(&address).is_ok())
    }

    /// Where the number and the sequence that a document is for are not those of the account, by what the chain proves.
    /// Where nobody answers nothing is said: both are shown all the same.
    pub async fn other_numbers(&self, account: &Address, given: (u64, Option<u64>)) -> Vec<Note> {
        if self.chain.head().borrow().standing != Standing::Following {
            return Vec::new();
        }
        let known = self.chain.account(account).await;
        match known.and_then(hearth_chain::Told::proven) {
            Ok(known) => known
                .into_value()
                .map_or_else(Vec::new, |known| others(given, (known.number, known.sequence))),
            Err(error) => {
                tracing::debug!(%error, "the account's numbers cannot be read");
                Vec::new()
            }
        }
    }

    /// Whether messages take roles back that are on their way out. Where nobody answers nothing is said: the messages are
    /// shown all the same.
    pub(crate) async fn stays(&self, messages: &[Any]) -> Option<Note> {
        if self.chain.head().borrow().standing != Standing::Following {
            return None;
        }
        for message in messages {
            match self.leaves(message).await {
                Ok(0) => {}
                Ok(_) => return Some(Note::Stays),
                Err(error) => tracing::debug!(%error, "what is staked already cannot be read"),
            }
        }
        None
    }

    /// The last block of the role that a message stakes for again; 0 where it does not leave.
    async fn leaves(&self, message: &Any) -> Result<u64, QueryError> {
        let supplier = message.unpack::<MsgStakeSupplier>().and_then(Result::ok);
        if let Some(operator) = supplier.and_then(|stake| stake.operator_address.parse().ok()) {
            let record = self.chain.supplier(&operator).await?.into_value();
            return Ok(record.map_or(0, |record| record.unstake_session_end_height));
        }
        let application = message.unpack::<MsgStakeApplication>().and_then(Result::ok);
        if let Some(address) = application.and_then(|stake| stake.address.parse().ok()) {
            let record = self.chain.application(&address).await?.into_value();
            return Ok(record.map_or(0, |record| record.unstake_session_end_height));
        }
        let gateway = message.unpack::<MsgStakeGateway>().and_then(Result::ok);
        if let Some(address) = gateway.and_then(|stake| stake.address.parse().ok()) {
            let record = self.chain.gateway(&address).await?.into_value();
            return Ok(record.map_or(0, |record| record.unstake_session_end_height));
        }
        Ok(0)
    }
}

/// What differs between what a document is for and what the account has.
fn others((number, sequence): (u64, Option<u64>), (known, next): (u64, u64)) -> Vec<Note> {
    let number = (number != known).then_some(Note::OtherNumber { given: number, known });
    let sequence = sequence.filter(|given| *given != next);
    let sequence = sequence.map(|given| Note::OtherSequence { given, next });
    number.into_iter().chain(sequence).collect()
}

/// Whether a block can still take a transaction, by its own limits and the newest block that is known.
///
/// # Errors
/// Its time has passed.
pub(crate) fn check_time(head: &Head, validity: &Validity) -> Result<(), Error> {
    if matches!(
        head.standing,
        Standing::Unverified { .. } | Standing::TrustConflict { .. }
    ) {
        return Ok(());
    }
    if let Some(until) = validity.until.filter(|until| head.time > *until) {
        return Err(Error::Late(format!(
            "no block after {until} takes it, and the newest one is of {}",
            head.time
        )));
    }
    if let Some(last) = validity.last.filter(|last| head.height >= *last) {
        return Err(Error::Late(format!(
            "no block after {last} takes it, and the newest one is {}",
            head.height
        )));
    }
    Ok(())
}

/// That the end of a transaction may have passed unseen.
fn unchecked(head: &Head, validity: &Validity) -> Option<Note> {
    let has_end = validity.until.is_some() || validity.last.is_some();
    (has_end && head.standing != Standing::Following).then_some(Note::EndUnchecked)
}

impl TxFile {
    fn unsigned(file: &Value) -> Result<TxFile, FileError> {
        let read = TxFile::read(file)?;
        if read.signatures.is_empty() {
            Ok(read)
        } else {
            Err(FileError::Signed)
        }
    }
}

/// An account that the chain does not know has no number to sign with.
pub(crate) fn numbers(
    account: Option<hearth_chain::Account>,
    address: &Address,
) -> Result<(u64, u64), FileError> {
    let known = account.ok_or_else(|| FileError::Unknown {
        account: address.clone(),
    })?;
    Ok((known.number, known.sequence))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use hearth_base::Height;
    use hearth_pocket::keys::SecretKey;
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_signature_is_that_of_the_chains_own_program() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../tests/vectors/tx_files.json")).unwrap();
        let key = hex::decode(vectors["key"].as_str().unwrap()).unwrap();
        let key = SecretKey::from_bytes(&key.try_into().unwrap()).unwrap();
        let chain = vectors["chain_id"].as_str().unwrap();
        for one in vectors["files"].as_array().unwrap() {
            let number = |name: &str| one[name].as_u64().unwrap();
            let unsigned = &one["unsigned"];
            assert_eq!(wanted_signer(unsigned).unwrap(), key.address().as_str());
            // That of an unordered one is 0, whatever the account's is.
            let at = (number("account_number"), number("sequence").max(1));
            let waits = ToSign::new(unsigned, &key.public_key(), chain, at).unwrap();
            let signed = waits
                .clone()
                .signed(STANDARD.encode(key.sign(&waits.sign_doc)))
                .unwrap();
            let theirs = &one["signed"];
            assert_eq!(signed["signatures"], theirs["signatures"]);
            assert_eq!(
                signed["auth_info"]["signer_infos"],
                theirs["auth_info"]["signer_infos"]
            );
            assert_eq!(signed["body"]["messages"], theirs["body"]["messages"]);
        }
    }

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors/tx_files.json")).unwrap()
    }

    #[test]
    fn what_hearth_does_not_know_is_named() {
        let file = vectors()["files"][0]["unsigned"].clone();
        let mut vote = file.clone();
        vote["body"]["messages"][0] =
            json!({ "@type": "/cosmos.gov.v1.MsgVote", "voter": "pokt1me", "option": "VOTE_OPTION_YES" });
        let error = wanted_signer(&vote).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this transaction has a message that Hearth does not know: /cosmos.gov.v1.MsgVote"
        );
        assert!(error.remedy().contains("the program that made it"));
        // Also inside others, where it would be bytes that nobody reads.
        let mut inside = file;
        inside["body"]["messages"][0] = json!({ "@type": "/cosmos.authz.v1beta1.MsgExec", "grantee": "pokt1me", "msgs": [
            { "@type": "/cosmos.gov.v1.MsgVote", "value": "CAE=" },
        ]});
        assert!(matches!(
            wanted_signer(&inside),
            Err(FileError::UnknownMessage(_))
        ));
        let amino = json!({
            "account_number": "1", "chain_id": "pocket", "fee": { "amount": [], "gas": "1" }, "memo": "", "sequence": "2",
            "msgs": [{ "type": "cosmos-sdk/MsgSend", "value": {} }],
        });
        let error = wanted_signer(&amino).unwrap_err();
        assert!(matches!(error, FileError::Amino) && error.remedy().contains("--generate-only"));
    }

    #[test]
    fn an_end_that_has_passed_is_refused_and_one_that_may_have_is_said() {
        let head = |height: u64, standing: Standing| Head {
            height: Height(height),
            time: OffsetDateTime::from_unix_timestamp(1_000).unwrap(),
            hash: [0; 32],
            verified_height: Height(height),
            proven_height: Height(height),
            block_time: None,
            standing,
        };
        let away = || Standing::Unreachable {
            why: "no network".to_owned(),
        };
        let last = |height: u64| Validity {
            last: Some(Height(height)),
            ..Validity::default()
        };
        let until = |second: i64| Validity {
            until: OffsetDateTime::from_unix_timestamp(second).ok(),
            ..Validity::default()
        };
        let late =
            |head: &Head, validity: &Validity| matches!(check_time(head, validity), Err(Error::Late(_)));
        let follows = head(50, Standing::Following);
        assert!(late(&follows, &last(50)) && !late(&follows, &last(51)));
        assert!(late(&follows, &until(999)) && !late(&follows, &until(1_000)));
        // What an older head says holds; what it does not say may have happened since.
        let stale = head(50, away());
        assert!(late(&stale, &last(50)) && !late(&stale, &last(51)));
        assert_eq!(unchecked(&stale, &last(51)), Some(Note::EndUnchecked));
        assert_eq!(unchecked(&stale, &until(2_000)), Some(Note::EndUnchecked));
        assert_eq!(unchecked(&stale, &Validity::default()), None);
        assert_eq!(unchecked(&follows, &last(51)), None);
        // An unproven head says nothing.
        let unproven = head(
            50,
            Standing::Unverified {
                why: "no anchor".to_owned(),
            },
        );
        assert!(!late(&unproven, &last(50)));
        assert_eq!(unchecked(&unproven, &last(50)), Some(Note::EndUnchecked));
    }

    #[test]
    fn numbers_that_are_not_the_accounts_are_said() {
        assert_eq!(others((4, Some(2)), (4, 2)), []);
        assert_eq!(others((4, None), (4, 2)), []);
        let [number, sequence] = &others((5, Some(9)), (4, 2))[..] else {
            panic!("two notes");
        };
        assert_eq!(
            number.to_string(),
            "it is for the account number 5, and the chain has this account as number 4"
        );
        assert_eq!(
            sequence.to_string(),
            "its sequence is 9, and the next one of the account is 2"
        );
    }

    #[test]
    fn what_is_no_file_or_signed_is_refused() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../tests/vectors/tx_files.json")).unwrap();
        let one = &vectors["files"][0];
        assert!(matches!(wanted_signer(&one["signed"]), Err(FileError::Signed)));
        assert!(matches!(wanted_signer(&json!({})), Err(FileError::Shape(_))));
        let mut two = vectors["files"][1]["unsigned"].clone();
        let mut second = two["body"]["messages"][0].clone();
        second["from_address"] = second["to_address"].clone();
        two["body"]["messages"].as_array_mut().unwrap().push(second);
        assert!(matches!(wanted_signer(&two), Err(FileError::Signers { .. })));
        // What is not read would not be signed, and nobody would see it.
        for (place, field) in [
            ("/body", "timeoutHeight"),
            ("/body/messages/0", "perSessionSpendLimit"),
            ("", "more"),
        ] {
            let mut unread = one["unsigned"].clone();
            unread.pointer_mut(place).unwrap()[field] = json!("5");
            let refused = wanted_signer(&unread);
            assert!(
                matches!(&refused, Err(FileError::Field(name)) if name.ends_with(field)),
                "{refused:?}"
            );
            unread.pointer_mut(place).unwrap()[field] = json!(null);
            assert!(wanted_signer(&unread).is_ok());
        }
        let mut endless = one["unsigned"].clone();
        endless["body"]["unordered"] = json!(true);
        endless["body"]["timeout_timestamp"] = json!(null);
        assert!(matches!(wanted_signer(&endless), Err(FileError::NoEnd)));
        let mut empty = one["unsigned"].clone();
        empty["body"]["messages"] = json!([]);
        assert!(matches!(wanted_signer(&empty), Err(FileError::NoSigner)));
        let address = "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7".parse().unwrap();
        assert!(matches!(numbers(None, &address), Err(FileError::Unknown { .. })));
    }
}
