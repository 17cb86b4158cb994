//! Transactions of the Cosmos SDK in SIGN_MODE_DIRECT: built, signed and read.
//!
//! What is signed is the bytes of a body and of its authorisation info, so both are kept as bytes from the moment
//! they are made.

use prost::Message;
use sha2::{Digest, Sha256};

use crate::{
    keys::{SignError, Signer},
    message::{
        Any, Coin, Timestamp, TypeUrl,
        cosmos::{
            AuthInfo, Fee, ModeInfo, ModeInfoSingle, PubKey, SignDoc, SignMode, SignerInfo, TxBody, TxRaw,
        },
    },
};

/// Why bytes are no transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxError {
    #[error("these bytes are no transaction: {part}: {why}")]
    Undecodable {
        part: &'static str,
        why: prost::DecodeError,
    },
    #[error("the document to sign holds fields that this Hearth does not know, so it cannot be shown whole")]
    NotWhole,
}

/// What keeps a transaction from being played twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The account's next sequence number.
    Ordered { sequence: u64 },
    /// A moment at most ten minutes ahead, different for every transaction of the signer.
    Unordered { until: Timestamp },
}

/// What goes into a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub messages: Vec<Any>,
    pub memo: String,
    /// The last height at which it may be included; 0 for none.
    pub timeout_height: u64,
    /// The last moment at which it may be included.
    pub timeout: Option<Timestamp>,
    pub replay: Replay,
    /// The fee; empty for none.
    pub fee: Vec<Coin>,
    pub gas_limit: u64,
}

impl Plan {
    /// An ordered transaction of these messages with neither fee nor gas, to be filled in.
    #[must_use]
    pub fn ordered(messages: Vec<Any>, sequence: u64) -> Plan {
        Plan {
            messages,
            memo: String::new(),
            timeout_height: 0,
            timeout: None,
            replay: Replay::Ordered { sequence },
            fee: Vec::new(),
            gas_limit: 0,
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> TxBody {
        let (unordered, timeout) = match self.replay {
            Replay::Ordered { .. } => (false, self.timeout),
            Replay::Unordered { until } => (true, Some(until)),
        };
        TxBody {
            messages: self.messages.clone(),
            memo: self.memo.clone(),
            timeout_height: self.timeout_height,
            unordered,
            timeout_timestamp: timeout,
            ..TxBody::default()
        }
    }

    /// The authorisation info for a signer with this public key.
    #[must_use]
    pub fn auth_info(&self, public_key: &[u8; 33]) -> AuthInfo {
        let mode = ModeInfoSingle {
            mode: SignMode::Direct.into(),
        };
        let sequence = match self.replay {
            Replay::Ordered { sequence } => sequence,
            Replay::Unordered { .. } => 0,
        };
        AuthInfo {
            signer_infos: vec![SignerInfo {
                public_key: Some(
                    PubKey {
                        key: public_key.to_vec(),
                    }
                    .to_any(),
                ),
                mode_info: Some(ModeInfo {
                    single: Some(mode),
                    multi: None,
                }),
                sequence,
            }],
            fee: Some(Fee {
                amount: self.fee.clone(),
                gas_limit: self.gas_limit,
                ..Fee::default()
            }),
        }
    }

    /// Signs the transaction for one chain and account.
    ///
    /// # Errors
    /// A key that is locked or out of reach.
    pub fn sign(
        &self,
        signer: &dyn Signer,
        chain_id: &str,
        account_number: u64,
    ) -> Result<SignedTx, SignError> {
        sign(
            &self.body(),
            &self.auth_info(&signer.public_key()),
            signer,
            chain_id,
            account_number,
        )
    }

    /// The transaction with an empty signature, as the simulation wants it.
    #[must_use]
    pub fn unsigned(&self, public_key: &[u8; 33]) -> Vec<u8> {
        let raw = TxRaw {
            body_bytes: self.body().encode_to_vec(),
            auth_info_bytes: self.auth_info(public_key).encode_to_vec(),
            signatures: vec![Vec::new()],
        };
        raw.encode_to_vec()
    }
}

/// Signs a body and its authorisation info as they are. [`Plan::sign`] fits them together.
///
/// # Errors
/// A key that is locked or out of reach.
pub fn sign(
    body: &TxBody,
    auth_info: &AuthInfo,
    signer: &dyn Signer,
    chain_id: &str,
    account_number: u64,
) -> Result<SignedTx, SignError> {
    let (body_bytes, auth_info_bytes) = (body.encode_to_vec(), auth_info.encode_to_vec());
    let signature = signer.sign(&sign_bytes(
        &body_bytes,
        &auth_info_bytes,
        chain_id,
        account_number,
    ))?;
    let raw = TxRaw {
        body_bytes,
        auth_info_bytes,
        signatures: vec![signature.to_vec()],
    };
    Ok(SignedTx::new(raw.encode_to_vec()))
}

/// Signs a transaction that was kept without its signature, as [`Plan::unsigned`] gives it. The same bytes and key always
/// give the same transaction.
///
/// # Errors
/// Bytes that are no transaction; a key that is locked or out of reach.
pub fn sign_unsigned(
    unsigned: &[u8],
    signer: &dyn Signer,
    chain_id: &str,
    account_number: u64,
) -> Result<SignedTx, SignError> {
    let mut raw = TxRaw::decode(unsigned).map_err(|why| SignError::Unavailable {
        address: signer.address().clone(),
        why: format!("what it is to sign cannot be read: {why}"),
    })?;
    let signature = signer.sign(&sign_bytes(
        &raw.body_bytes,
        &raw.auth_info_bytes,
        chain_id,
        account_number,
    ))?;
    raw.signatures = vec![signature.to_vec()];
    Ok(SignedTx::new(raw.encode_to_vec()))
}

/// The bytes that a signer signs.
#[must_use]
pub fn sign_bytes(body_bytes: &[u8], auth_info_bytes: &[u8], chain_id: &str, account_number: u64) -> Vec<u8> {
    let doc = SignDoc {
        body_bytes: body_bytes.to_vec(),
        auth_info_bytes: auth_info_bytes.to_vec(),
        chain_id: chain_id.to_owned(),
        account_number,
    };
    doc.encode_to_vec()
}

/// The hash under which the chain knows a transaction.
#[must_use]
pub fn hash(raw: &[u8]) -> [u8; 32] {
    Sha256::digest(raw).into()
}

/// A transaction ready to be sent. Keep it before sending: the same bytes may be sent again, never others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTx {
    raw: Vec<u8>,
    hash: [u8; 32],
}

impl SignedTx {
    /// Wraps bytes that were kept.
    #[must_use]
    pub fn new(raw: Vec<u8>) -> SignedTx {
        let hash = hash(&raw);
        SignedTx { raw, hash }
    }

    /// The bytes to send.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The hash.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The hash as the chain writes it: upper-case hex.
    #[must_use]
    pub fn hash_text(&self) -> String {
        hex::encode_upper(self.hash)
    }
}

/// A transaction that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedTx {
    pub raw: TxRaw,
    pub body: TxBody,
    pub auth_info: AuthInfo,
}

/// What a signer is asked to sign, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedSignDoc {
    pub body: TxBody,
    pub auth_info: AuthInfo,
    pub chain_id: String,
    pub account_number: u64,
}

/// Reads the bytes that a signer signs. They are refused where they would be other bytes if they were written again: what
/// a person is shown must be all that is signed.
///
/// # Errors
/// Bytes that are none, or hold what is not known here.
pub fn decode_sign_doc(bytes: &[u8]) -> Result<DecodedSignDoc, TxError> {
    let undecodable = |part| move |why| TxError::Undecodable { part, why };
    let doc = SignDoc::decode(bytes).map_err(undecodable("the document to sign"))?;
    let body = TxBody::decode(doc.body_bytes.as_slice()).map_err(undecodable("the body"))?;
    let auth_info =
        AuthInfo::decode(doc.auth_info_bytes.as_slice()).map_err(undecodable("the authorisation info"))?;
    let again = sign_bytes(
        &body.encode_to_vec(),
        &auth_info.encode_to_vec(),
        &doc.chain_id,
        doc.account_number,
    );
    if again != bytes {
        return Err(TxError::NotWhole);
    }
    Ok(DecodedSignDoc {
        body,
        auth_info,
        chain_id: doc.chain_id,
        account_number: doc.account_number,
    })
}

/// Reads a transaction.
///
/// # Errors
/// Bytes that are none.
pub fn decode(bytes: &[u8]) -> Result<DecodedTx, TxError> {
    let undecodable = |part| move |why| TxError::Undecodable { part, why };
    let raw = TxRaw::decode(bytes).map_err(undecodable("the outer message"))?;
    let body = TxBody::decode(raw.body_bytes.as_slice()).map_err(undecodable("the body"))?;
    let auth_info =
        AuthInfo::decode(raw.auth_info_bytes.as_slice()).map_err(undecodable("the authorisation info"))?;
    Ok(DecodedTx { raw, body, auth_info })
}

#[cfg(test)]
mod tests;
