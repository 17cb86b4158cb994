//! Signatures that other programs ask the owner for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RoleNote, Timestamp, Upokt};

/// What a program wants signed: a text or a transaction, one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignature {
    /// Whose signature; none is the main account's.
    pub address: Option<String>,
    /// A text, signed as ADR-36 has it: no chain takes it for a transaction.
    pub text: Option<String>,
    /// The `SignDoc` of a transaction (`SIGN_MODE_DIRECT`), base64.
    pub document: Option<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// The owner has not decided yet.
    Waiting,
    Signed,
    Refused,
    /// Nobody decided in time.
    Expired,
}

/// A signature as the program that asked for it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestedSignature {
    pub id: String,
    pub state: SignatureState,
    pub expires_at: Timestamp,
    pub address: String,
    /// `r | s`, base64; once it is signed.
    pub signature: Option<String>,
    /// The compressed public key, base64; once it is signed.
    pub public_key: Option<String>,
}

/// A signature that waits for the owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignatureRequest {
    pub id: String,
    /// The name of the API key that asked.
    pub asked_by: String,
    pub address: String,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
    pub content: SignatureContent,
    pub needs_password: bool,
}

/// All of what would be signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SignatureContent {
    Text { text: String },
    Transaction(Box<TransactionContent>),
}

/// A transaction as it would be signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TransactionContent {
    pub chain_id: String,
    /// The messages as the chain's own JSON.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<serde_json::Value>,
    pub memo: String,
    /// What leaves the accounts of this wallet in all, besides the fee: payments, what is added to stakes, and what the chain
    /// charges for them; also inside other messages.
    #[serde(default)]
    pub sent: Upokt,
    /// The signer's number on the chain, and the place of the transaction among its own: 0 where it is unordered.
    #[serde(default)]
    pub account_number: u64,
    #[serde(default)]
    pub sequence: u64,
    pub fee: Upokt,
    pub gas: u64,
    /// What the network asks for so much gas.
    #[serde(default)]
    pub usual_fee: Upokt,
    /// The fee is far more than that, or than any transaction costs.
    #[serde(default)]
    pub fee_is_high: bool,
    /// The last block that may hold it; none is any block.
    pub timeout_height: Option<u64>,
    /// It may be sent beside others of the account, in any order: no later one takes its place.
    #[serde(default)]
    pub unordered: bool,
    /// The moment after which no block holds it.
    #[serde(default)]
    pub timeout: Option<Timestamp>,
    /// What to know before it is signed: powers that it hands over, a role that it takes back, an end that may have passed.
    #[serde(default)]
    pub notes: Vec<RoleNote>,
}

/// Those that wait, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignatureRequestList {
    pub requests: Vec<SignatureRequest>,
}

/// Signs what was shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApproveSignature {
    /// Opens the main key for this alone.
    pub password: Option<String>,
}

/// A transaction of another node or program, for an account here to sign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TxFile {
    /// The transaction without a signature, as `pocketd tx … --generate-only` and a node without the key write it.
    #[schema(value_type = Object)]
    pub tx: serde_json::Value,
    /// The account's number on the chain, and the sequence of this transaction: both or none. Without them the chain is
    /// asked; they let a node sign that reaches no chain.
    #[serde(default)]
    pub account_number: Option<u64>,
    #[serde(default)]
    pub sequence: Option<u64>,
}

/// All of what would be signed, and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxToSign {
    /// The account that signs, by its address.
    pub account: String,
    pub account_number: u64,
    pub sequence: u64,
    pub content: TransactionContent,
    pub needs_password: bool,
}

/// Signs a transaction that was looked at.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignTx {
    pub file: TxFile,
    /// Opens the main key for this alone.
    #[serde(default)]
    pub password: Option<String>,
}

/// A transaction with its signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignedTx {
    /// As `pocketd tx sign` writes it.
    #[schema(value_type = Object)]
    pub tx: serde_json::Value,
}
