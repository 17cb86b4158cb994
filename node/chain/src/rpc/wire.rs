//! The answers of CometBFT's JSON-RPC, read leniently: unknown fields are skipped, numbers may be text, what may
//! be `null` may be missing. Headers, commits and validators are read by the `tendermint` crate, which checks them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

/// A number as CometBFT writes it: 64-bit ones as text, 32-bit ones bare.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Bare(i64),
    Text(String),
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(0),
        Some(Number::Bare(number)) => Ok(number),
        Some(Number::Text(text)) => text.parse().map_err(D::Error::custom),
    }
}

fn base64_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    STANDARD.decode(text).map_err(D::Error::custom)
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A type of the `tendermint` crate. Its decoder of base64 panics at some texts that are none: they are refused before
/// it sees them.
fn tendermint<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    check_bytes(&value).map_err(D::Error::custom)?;
    T::deserialize(value).map_err(D::Error::custom)
}

fn tendermint_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(tendermint::<D, Option<Vec<T>>>(deserializer)?.unwrap_or_default())
}

/// Whether signatures and keys are base64, and an app hash is hex in capitals as in every real answer: what is not is
/// taken for base64.
fn check_bytes(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check_bytes),
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            let is_good = match (name.as_str(), field) {
                ("signature" | "value", Value::String(text)) => STANDARD.decode(text).is_ok(),
                ("app_hash", Value::String(text)) => {
                    hex::decode(text).is_ok() && !text.contains(|letter: char| letter.is_ascii_lowercase())
                }
                _ => return check_bytes(field),
            };
            is_good
                .then_some(())
                .ok_or_else(|| format!("{name} is not encoded properly"))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// `status`, as far as we use it.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub node_info: NodeInfo,
    pub sync_info: SyncInfo,
}

#[derive(Clone, Debug, Deserialize)]
pub struct NodeInfo {
    /// The chain id.
    pub network: String,
    #[serde(default)]
    pub version: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct SyncInfo {
    #[serde(default)]
    pub latest_block_hash: String,
    #[serde(deserialize_with = "number")]
    pub latest_block_height: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub latest_block_time: time::OffsetDateTime,
    #[serde(default)]
    pub catching_up: bool,
}

/// `abci_query`.
#[derive(Clone, Debug, Deserialize)]
pub struct AbciQueryAnswer {
    pub response: AbciQuery,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AbciQuery {
    #[serde(deserialize_with = "number")]
    pub code: i64,
    #[serde(deserialize_with = "nullable")]
    pub log: String,
    #[serde(deserialize_with = "nullable")]
    pub codespace: String,
    #[serde(deserialize_with = "base64_bytes")]
    pub key: Vec<u8>,
    #[serde(deserialize_with = "base64_bytes")]
    pub value: Vec<u8>,
    #[serde(rename = "proofOps", alias = "proof_ops", deserialize_with = "nullable")]
    pub proof_ops: ProofOps,
    #[serde(deserialize_with = "number")]
    pub height: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ProofOps {
    #[serde(deserialize_with = "nullable")]
    pub ops: Vec<ProofOp>,
}

/// One step of a proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ProofOp {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    #[serde(deserialize_with = "base64_bytes")]
    pub key: Vec<u8>,
    #[serde(deserialize_with = "base64_bytes")]
    pub data: Vec<u8>,
}

/// `block_results`.
#[derive(Clone, Debug, Deserialize)]
pub struct BlockResults {
    #[serde(deserialize_with = "number")]
    pub height: i64,
    #[serde(default, deserialize_with = "nullable")]
    pub txs_results: Vec<TxOutcome>,
    #[serde(default, deserialize_with = "nullable")]
    pub finalize_block_events: Vec<RawEvent>,
}

/// What became of a transaction in its block.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TxOutcome {
    #[serde(deserialize_with = "number")]
    pub code: i64,
    #[serde(deserialize_with = "base64_bytes")]
    pub data: Vec<u8>,
    #[serde(deserialize_with = "nullable")]
    pub log: String,
    #[serde(deserialize_with = "nullable")]
    pub codespace: String,
    #[serde(deserialize_with = "number")]
    pub gas_wanted: i64,
    #[serde(deserialize_with = "number")]
    pub gas_used: i64,
    #[serde(deserialize_with = "nullable")]
    pub events: Vec<RawEvent>,
}

/// An event as the chain emitted it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RawEvent {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, deserialize_with = "nullable")]
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attribute {
    pub key: String,
    #[serde(default, deserialize_with = "nullable")]
    pub value: String,
}

/// `tx`, and one entry of `tx_search`.
#[derive(Clone, Debug, Deserialize)]
pub struct TxAnswer {
    pub hash: String,
    #[serde(deserialize_with = "number")]
    pub height: i64,
    #[serde(default, deserialize_with = "number")]
    pub index: i64,
    pub tx_result: TxOutcome,
    #[serde(default, deserialize_with = "base64_bytes")]
    pub tx: Vec<u8>,
    #[serde(default)]
    pub proof: Option<TxProof>,
}

/// That a transaction is in its block.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TxProof {
    #[serde(default)]
    pub proof: TxPath,
}

/// The way from a transaction to the data hash of its block.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TxPath {
    #[serde(deserialize_with = "number")]
    pub total: i64,
    #[serde(deserialize_with = "number")]
    pub index: i64,
    #[serde(deserialize_with = "nullable")]
    pub aunts: Base64List,
}

/// Bytes as base64, several: the hashes beside a way, the transactions of a block.
#[derive(Clone, Debug, Default)]
pub struct Base64List(pub Vec<Vec<u8>>);

impl<'de> Deserialize<'de> for Base64List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Base64List, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let hashes = texts
            .iter()
            .map(|text| STANDARD.decode(text).map_err(D::Error::custom));
        hashes.collect::<Result<_, _>>().map(Base64List)
    }
}

/// `tx_search`.
#[derive(Clone, Debug, Deserialize)]
pub struct TxSearch {
    #[serde(default, deserialize_with = "nullable")]
    pub txs: Vec<TxAnswer>,
    #[serde(default, deserialize_with = "number")]
    pub total_count: i64,
}

/// `block_search`, as far as we use it.
#[derive(Clone, Debug, Deserialize)]
pub struct BlockSearch {
    #[serde(default, deserialize_with = "nullable")]
    pub blocks: Vec<FoundBlock>,
    #[serde(default, deserialize_with = "number")]
    pub total_count: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct FoundBlock {
    pub block: FoundHeader,
}

#[derive(Clone, Debug, Deserialize)]
pub struct FoundHeader {
    #[serde(deserialize_with = "tendermint")]
    pub header: tendermint::block::Header,
}

/// `broadcast_tx_sync`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Broadcast {
    #[serde(deserialize_with = "number")]
    pub code: i64,
    #[serde(deserialize_with = "nullable")]
    pub log: String,
    #[serde(deserialize_with = "nullable")]
    pub codespace: String,
    pub hash: String,
}

/// `commit`.
#[derive(Clone, Debug, Deserialize)]
pub struct CommitAnswer {
    #[serde(deserialize_with = "tendermint")]
    pub signed_header: tendermint::block::signed_header::SignedHeader,
}

/// `validators`, one page.
#[derive(Clone, Debug, Deserialize)]
pub struct ValidatorsAnswer {
    #[serde(deserialize_with = "number")]
    pub block_height: i64,
    #[serde(default, deserialize_with = "tendermint_list")]
    pub validators: Vec<tendermint::validator::Info>,
    #[serde(deserialize_with = "number")]
    pub total: i64,
}

/// `header`.
#[derive(Clone, Debug, Deserialize)]
pub struct HeaderAnswer {
    #[serde(deserialize_with = "tendermint")]
    pub header: tendermint::block::Header,
}

/// `block`, as far as we use it: the transactions.
#[derive(Clone, Debug, Deserialize)]
pub struct BlockAnswer {
    pub block: BlockContent,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BlockContent {
    #[serde(deserialize_with = "nullable")]
    pub data: BlockData,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BlockData {
    #[serde(deserialize_with = "nullable")]
    pub txs: Base64List,
}

/// A JSON-RPC envelope. `result` stays raw, so that a wrong shape can be told from a wrong envelope.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(crate) result: Option<&'a serde_json::value::RawValue>,
    #[serde(default)]
    pub(crate) error: Option<CallError>,
}

/// The error object of JSON-RPC.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CallError {
    #[serde(deserialize_with = "number")]
    pub(crate) code: i64,
    #[serde(deserialize_with = "nullable")]
    pub(crate) message: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) data: String,
}

/// What a subscription over `/websocket` delivers. Hearth polls instead, which survives more; this is for readers of
/// recorded traffic.
#[derive(Clone, Debug, Deserialize)]
pub struct Subscription {
    /// The query that was subscribed to. Empty in the acknowledgement.
    #[serde(default)]
    pub query: String,
    /// What happened. Absent in the acknowledgement.
    #[serde(default)]
    pub data: Option<Pushed>,
}

/// One pushed happening.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", content = "value")]
pub enum Pushed {
    #[serde(rename = "tendermint/event/NewBlockHeader")]
    Header(HeaderAnswer),
    #[serde(rename = "tendermint/event/NewBlock")]
    Block(Box<PushedBlock>),
    #[serde(rename = "tendermint/event/Tx")]
    Tx(PushedTx),
}

/// A block with what its execution caused.
#[derive(Clone, Debug, Deserialize)]
pub struct PushedBlock {
    pub block: FoundHeader,
    pub result_finalize_block: Finalized,
}

/// What the execution of a block caused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Finalized {
    #[serde(deserialize_with = "nullable")]
    pub events: Vec<RawEvent>,
    #[serde(deserialize_with = "nullable")]
    pub tx_results: Vec<TxOutcome>,
}

/// A transaction in its block.
#[derive(Clone, Debug, Deserialize)]
pub struct PushedTx {
    #[serde(rename = "TxResult")]
    pub tx_result: PushedResult,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PushedResult {
    #[serde(deserialize_with = "number")]
    pub height: i64,
    #[serde(deserialize_with = "base64_bytes")]
    pub tx: Vec<u8>,
    pub result: TxOutcome,
}
