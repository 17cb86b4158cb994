//! Transactions that are signed elsewhere: given out as a file, and taken back with a signature.
//!
//! The file is the one of the chain's own tools (`pocketd tx … --generate-only`), so that the owner's key can stay on a
//! machine that never sees this one. What comes back is sent only where its messages are those that were given out, and
//! its signature is that of the account over just these bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_base::Amount;
use hearth_pocket::{
    address::Address,
    keys::{PublicKey, SignError, Signer},
    message::{
        Any, Coin,
        cosmos::{AuthInfo, Fee, PubKey, SignMode, TxBody, TxRaw},
        unknown_type,
    },
    ring::Ring,
    tx::{SignedTx, sign_bytes},
};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The Cosmos SDK simulates with this key for an account whose own it does not know; its signature is not looked at.
const UNKNOWN_KEY: &str = "035ad6810a47f073553ff30d2fcc7e0d3b1c0b74b61a1aaa2582344037151e143a";

/// The public networks, whose files are told from those of this one.
const NETWORKS: [&str; 2] = ["pocket", "pocket-lego-testnet"];

/// A transaction as the chain's tools keep it in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TxFile {
    pub(crate) body: TxBody,
    pub(crate) auth_info: AuthInfo,
    #[serde(default)]
    pub(crate) signatures: Vec<String>,
}

/// A transaction for somebody else to sign.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsigned {
    /// The file.
    pub file: Value,
    /// The command that signs it, on a machine that has the key and needs no network.
    pub command: String,
}

/// A file that is no signed transaction.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("this is no transaction in the JSON of pocketd: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("this transaction has a message that Hearth does not know: {0}")]
    UnknownMessage(String),
    #[error(
        "this is a document in amino-JSON, the older form, and Hearth signs files in the JSON of pocketd alone"
    )]
    Amino,
    #[error("it has \"{0}\", which this version does not know: nothing is signed that could not be shown")]
    Field(String),
    #[error(
        "it is valid in any order and has no time at which it ends (timeout_timestamp): no block takes such a one"
    )]
    NoEnd,
    #[error("this transaction carries no signature")]
    Unsigned,
    #[error("it is signed by several keys or in another mode: sign it alone, with --sign-mode direct")]
    Mode,
    #[error("its public key is none of Pocket's accounts")]
    Key,
    #[error("this transaction carries a signature already")]
    Signed,
    #[error("its first message names nobody who signs it")]
    NoSigner,
    #[error(
        "{first} and {other} have to sign it, and one signature is given here: make a transaction for each"
    )]
    Signers { first: String, other: String },
    #[error("the chain does not know {account} yet: it signs once something was paid to it")]
    Unknown { account: Address },
    #[error(
        "its signature is not that of {account} over this transaction on {chain_id}: sign it again as it is"
    )]
    Signature { account: Address, chain_id: String },
    #[error("it is signed for the network {signed_for}, and this node is on {chain_id}")]
    OtherChain { signed_for: String, chain_id: String },
}

impl TxFile {
    /// Reads a file, all of it.
    pub(crate) fn read(file: &Value) -> Result<TxFile, FileError> {
        if is_amino(file) {
            return Err(FileError::Amino);
        }
        if let Some(url) = file.pointer("/body/messages").and_then(unknown_type) {
            return Err(FileError::UnknownMessage(url.chars().take(128).collect()));
        }
        let read = TxFile::deserialize(file)?;
        if let Some(field) = unread(file, &serde_json::to_value(&read)?) {
            return Err(FileError::Field(field));
        }
        if read.body.unordered && read.body.timeout_timestamp.is_none() {
            return Err(FileError::NoEnd);
        }
        Ok(read)
    }
}

impl FileError {
    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            FileError::UnknownMessage(_) => "Sign and send it with the program that made it.",
            FileError::Amino => {
                "Make it anew with `pocketd tx … --generate-only`, or sign it with the program that made it."
            }
            FileError::OtherChain { .. } => {
                "Send it from a node on that network, or sign it again for this one. Nothing was sent."
            }
            FileError::Unsigned => "Sign it first: `hearth tx sign FILE`. Nothing was sent.",
            FileError::Signed => "`hearth tx broadcast FILE` sends what is signed.",
            FileError::Shape(_)
            | FileError::Field(_)
            | FileError::NoEnd
            | FileError::Mode
            | FileError::Key
            | FileError::NoSigner
            | FileError::Signers { .. }
            | FileError::Unknown { .. }
            | FileError::Signature { .. } => {
                "Take the file as it was given out, by `hearth` or by `pocketd tx … --generate-only`. Nothing was signed \
                 or sent."
            }
        }
    }
}

/// What older programs sign: its messages and its fee stand at the top.
fn is_amino(file: &Value) -> bool {
    let has = |name: &str| file.get(name).is_some();
    (has("msgs") || has("msg")) && has("fee") && !has("body")
}

/// A field that says something and was not read: what is signed would say less than the file.
fn unread(given: &Value, read: &Value) -> Option<String> {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => given.iter().find_map(|(key, given)| {
            let at = |inner: String| format!("{key}.{inner}");
            match read.get(key) {
                Some(read) => unread(given, read).map(at),
                None => (!says_nothing(given)).then(|| key.chars().take(64).collect()),
            }
        }),
        (Value::Array(given), Value::Array(read)) => given
            .iter()
            .zip(read)
            .find_map(|(given, read)| unread(given, read)),
        _ => None,
    }
}

/// What a field holds that was not set.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0",
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.values().all(says_nothing),
    }
}

impl Unsigned {
    /// The file and the command for one account.
    pub(crate) fn new(
        messages: &[Any],
        (fee, gas_limit): (Amount, u64),
        account: &Address,
        chain_id: &str,
        (number, sequence): (u64, u64),
    ) -> Result<Unsigned, FileError> {
        let file = TxFile {
            body: TxBody {
                messages: messages.to_vec(),
                ..TxBody::default()
            },
            auth_info: AuthInfo {
                signer_infos: Vec::new(),
                fee: Some(Fee {
                    amount: vec![Coin::upokt(fee)],
                    gas_limit,
                    ..Fee::default()
                }),
            },
            signatures: Vec::new(),
        };
        Ok(Unsigned {
            file: serde_json::to_value(file)?,
            command: format!(
                "pocketd tx sign unsigned.json --from {account} --chain-id {chain_id} --sign-mode direct --offline \
                 --account-number {number} --sequence {sequence} --output-document signed.json"
            ),
        })
    }
}

/// A transaction that came back, before its signature was looked at.
pub(crate) struct Returned {
    raw: TxRaw,
    public_key: PublicKey,
    pub(crate) account: Address,
    pub(crate) messages: Vec<Any>,
}

impl Returned {
    /// Reads a file.
    pub(crate) fn read(file: &Value) -> Result<Returned, FileError> {
        let TxFile {
            body,
            auth_info,
            signatures,
        } = TxFile::read(file)?;
        if signatures.is_empty() {
            return Err(FileError::Unsigned);
        }
        let ([signature], [signer]) = (signatures.as_slice(), auth_info.signer_infos.as_slice()) else {
            return Err(FileError::Mode);
        };
        let single = signer.mode_info.as_ref().and_then(|mode| mode.single.as_ref());
        if single.is_none_or(|single| single.mode != i32::from(SignMode::Direct)) {
            return Err(FileError::Mode);
        }
        let key = signer.public_key.as_ref().and_then(Any::unpack::<PubKey>);
        let key = key.and_then(Result::ok).ok_or(FileError::Key)?;
        let public_key = PublicKey::from_bytes(&key.key).map_err(|_| FileError::Key)?;
        let signature = STANDARD.decode(signature).map_err(|_| FileError::Unsigned)?;
        Ok(Returned {
            account: public_key.address(),
            public_key,
            messages: body.messages.clone(),
            raw: TxRaw {
                body_bytes: body.encode_to_vec(),
                auth_info_bytes: auth_info.encode_to_vec(),
                signatures: vec![signature],
            },
        })
    }

    /// The transaction, if its signature holds on this chain.
    pub(crate) fn checked(&self, chain_id: &str, account_number: u64) -> Result<SignedTx, FileError> {
        if self.is_signed_for(chain_id, account_number) {
            return Ok(SignedTx::new(self.raw.encode_to_vec()));
        }
        // A file does not say its network. The account's number there is not known, but often the same or none.
        let others = NETWORKS.into_iter().filter(|other| *other != chain_id);
        let mut numbers = others.flat_map(|other| [(other, account_number), (other, 0)]);
        let chain_id = chain_id.to_owned();
        Err(
            match numbers.find(|(other, number)| self.is_signed_for(other, *number)) {
                Some((other, _)) => FileError::OtherChain {
                    signed_for: other.to_owned(),
                    chain_id,
                },
                None => FileError::Signature {
                    account: self.account.clone(),
                    chain_id,
                },
            },
        )
    }

    fn is_signed_for(&self, chain_id: &str, account_number: u64) -> bool {
        let bytes = sign_bytes(
            &self.raw.body_bytes,
            &self.raw.auth_info_bytes,
            chain_id,
            account_number,
        );
        let signature = self.raw.signatures.first().map_or(&[][..], Vec::as_slice);
        self.public_key.verify(&bytes, signature).is_ok()
    }
}

/// Stands in for a key that is elsewhere while gas is counted; signs nothing.
pub(crate) struct Keyless {
    address: Address,
    public_key: [u8; 33],
}

impl Keyless {
    pub(crate) fn new(address: Address, public_key: Option<[u8; 33]>) -> Keyless {
        let mut unknown = [0_u8; 33];
        // The constant is hex of this length; were it not, zeroes would be refused by the simulation alone.
        let _ = hex::decode_to_slice(UNKNOWN_KEY, &mut unknown);
        Keyless {
            address,
            public_key: public_key.unwrap_or(unknown),
        }
    }

    fn refused(&self) -> SignError {
        SignError::Unavailable {
            address: self.address.clone(),
            why: "it is not in this wallet".to_owned(),
        }
    }
}

impl Signer for Keyless {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> [u8; 33] {
        self.public_key
    }

    fn sign(&self, _message: &[u8]) -> Result<[u8; 64], SignError> {
        Err(self.refused())
    }

    fn ring_sign(&self, _ring: &Ring, _message_hash: &[u8; 32]) -> Result<Vec<u8>, SignError> {
        Err(self.refused())
    }
}

#[cfg(test)]
mod tests {
    use hearth_pocket::{
        keys::SecretKey,
        message::{TypeUrl as _, cosmos::MsgSend},
        tx::Plan,
    };

    use super::*;
    use crate::to_sign::ToSign;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn given_out() -> (Vec<Any>, Unsigned) {
        let message = MsgSend {
            from_address: key(1).address().to_string(),
            to_address: key(2).address().to_string(),
            amount: vec![Coin::upokt(Amount::from_upokt(5))],
        };
        let messages = vec![message.to_any()];
        let fee = (Amount::from_upokt(7), 90_000);
        let unsigned = Unsigned::new(&messages, fee, key(1).address(), "pocket-beta", (12, 3)).unwrap();
        (messages, unsigned)
    }

    /// What another Hearth makes of a file, and `pocketd tx sign`: see the test against its own output.
    fn signed(unsigned: &Unsigned, by: &SecretKey, chain_id: &str) -> Value {
        let waits = ToSign::new(&unsigned.file, &by.public_key(), chain_id, (12, 3)).unwrap();
        let signature = STANDARD.encode(by.sign(&waits.sign_doc));
        waits.signed(signature).unwrap()
    }

    #[test]
    fn a_file_goes_out_and_comes_back_signed() {
        let (messages, unsigned) = given_out();
        assert_eq!(
            unsigned.file["body"]["messages"][0]["@type"],
            "/cosmos.bank.v1beta1.MsgSend"
        );
        assert_eq!(unsigned.file["auth_info"]["fee"]["gas_limit"], "90000");
        assert!(unsigned.command.contains("--account-number 12 --sequence 3"));
        let returned = Returned::read(&signed(&unsigned, &key(1), "pocket-beta")).unwrap();
        assert_eq!(
            (&returned.account, &returned.messages),
            (key(1).address(), &messages)
        );
        let tx = returned.checked("pocket-beta", 12).unwrap();
        // The same bytes as if it had been signed here.
        let here = Plan {
            fee: vec![Coin::upokt(Amount::from_upokt(7))],
            gas_limit: 90_000,
            ..Plan::ordered(messages, 3)
        };
        assert_eq!(tx, here.sign(&key(1), "pocket-beta", 12).unwrap());
    }

    #[test]
    fn what_was_changed_on_the_way_is_refused() {
        let (_, unsigned) = given_out();
        let good = signed(&unsigned, &key(1), "pocket-beta");
        let refused = |file: &Value| match Returned::read(file) {
            Ok(returned) => returned.checked("pocket-beta", 12).map(drop),
            Err(error) => Err(error),
        };
        assert!(refused(&good).is_ok());
        assert!(matches!(refused(&unsigned.file), Err(FileError::Unsigned)));
        assert!(matches!(
            refused(&serde_json::json!({"messages": []})),
            Err(FileError::Shape(_))
        ));
        // For another chain, for another amount, with another fee.
        let other_chain = signed(&unsigned, &key(1), "pocket");
        assert!(matches!(
            refused(&other_chain),
            Err(FileError::OtherChain { signed_for, .. }) if signed_for == "pocket"
        ));
        for (path, value) in [
            ("/body/messages/0/amount/0/amount", "6"),
            ("/body/memo", "hello"),
            ("/auth_info/fee/gas_limit", "90001"),
            ("/auth_info/signer_infos/0/sequence", "4"),
        ] {
            let mut changed = good.clone();
            *changed.pointer_mut(path).unwrap() = value.into();
            assert!(
                matches!(refused(&changed), Err(FileError::Signature { .. })),
                "{path}"
            );
        }
        let mut amino = good.clone();
        *amino
            .pointer_mut("/auth_info/signer_infos/0/mode_info/single/mode")
            .unwrap() = "SIGN_MODE_LEGACY_AMINO_JSON".into();
        assert!(matches!(
            refused(&amino),
            Err(FileError::Mode | FileError::Shape(_))
        ));
    }

    #[test]
    fn a_stand_in_signs_nothing() {
        let keyless = Keyless::new(key(1).address().clone(), None);
        assert_eq!(hex::encode(keyless.public_key()), UNKNOWN_KEY);
        assert!(PublicKey::from_bytes(&keyless.public_key()).is_ok());
        assert!(keyless.sign(b"anything").is_err());
    }
}
