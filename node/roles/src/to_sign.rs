//! A transaction of another node or program, for an account here to sign: the other half of [`crate::elsewhere`].

use hearth_pocket::{
    address::Address,
    message::Any,
    tx::{Plan, sign_bytes},
};
use prost::Message as _;
use serde_json::Value;

use crate::elsewhere::{FileError, TxFile};

/// A file that waits for its signature.
#[derive(Clone, Debug)]
pub struct ToSign {
    pub account_number: u64,
    pub sequence: u64,
    /// The bytes that are signed: chain, account number, and everything of the transaction but signatures.
    pub sign_doc: Vec<u8>,
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
            file,
        })
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
    use hearth_pocket::keys::SecretKey;
    use serde_json::json;

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
