//! Arguments of a call: from JSON, where bytes are base64 or hex, or from a URI, where texts are quoted.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::RpcError;

/// The arguments by name.
#[derive(Debug, Default)]
pub(super) struct Args {
    values: BTreeMap<String, Value>,
    from_uri: bool,
}

/// The names of arguments that are given by their place.
fn names(method: &str) -> &'static [&'static str] {
    match method {
        "abci_query" => &["path", "data", "height", "prove"],
        "block" | "commit" | "header" | "block_results" | "consensus_params" => &["height"],
        "block_by_hash" | "header_by_hash" => &["hash"],
        "blockchain" => &["minHeight", "maxHeight"],
        "validators" => &["height", "page", "per_page"],
        "tx" => &["hash", "prove"],
        "tx_search" => &["query", "prove", "page", "per_page", "order_by"],
        "block_search" => &["query", "page", "per_page", "order_by"],
        "broadcast_tx_sync" | "broadcast_tx_async" | "broadcast_tx_commit" | "check_tx" => &["tx"],
        "subscribe" | "unsubscribe" => &["query"],
        "devnet_faucet" => &["address", "amount"],
        "devnet_produce" => &["blocks"],
        _ => &[],
    }
}

impl Args {
    pub(super) fn from_json(method: &str, params: Option<&Value>) -> Result<Args, RpcError> {
        let values = match params {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::Object(values)) => values
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            Some(Value::Array(values)) => {
                let names = names(method).iter().map(|name| (*name).to_owned());
                names.zip(values.iter().cloned()).collect()
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                return Err(RpcError::params("expected an object or a list"));
            }
        };
        Ok(Args {
            values,
            from_uri: false,
        })
    }

    pub(super) fn from_query(query: &str) -> Args {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Args {
            values: pairs
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect(),
            from_uri: true,
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.values
            .get(name)
            .filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// The value as it was given.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }

    /// All arguments as one object.
    pub(super) fn object(&self) -> Value {
        Value::Object(
            self.values
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, RpcError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if self.from_uri => Ok(Some(unquote(text).to_owned())),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(RpcError::params(format!("{name} is no text: {other}"))),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, RpcError> {
        let bad = |value: &Value| RpcError::params(format!("{name} is no number: {value}"));
        match self.get(name) {
            None => Ok(None),
            Some(value @ Value::Number(number)) => number.as_i64().map(Some).ok_or_else(|| bad(value)),
            Some(value @ Value::String(text)) => unquote(text).parse().map(Some).map_err(|_| bad(value)),
            Some(value @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_))) => {
                Err(bad(value))
            }
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, RpcError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(other) => Err(RpcError::params(format!(
                "{name} is neither true nor false: {other}"
            ))),
        }
    }

    /// Bytes that travel as base64 in JSON: transactions and hashes.
    pub(super) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, RpcError> {
        let Some(text) = self.text_raw(name)? else {
            return Ok(None);
        };
        if self.from_uri {
            return uri_bytes(name, text).map(Some);
        }
        STANDARD
            .decode(text)
            .map(Some)
            .map_err(|_| RpcError::params(format!("{name} is not base64")))
    }

    /// Bytes that travel as hex in JSON: the data of a query, and block hashes of humans.
    pub(super) fn hex(&self, name: &str) -> Result<Option<Vec<u8>>, RpcError> {
        let Some(text) = self.text_raw(name)? else {
            return Ok(None);
        };
        if self.from_uri {
            return uri_bytes(name, text).map(Some);
        }
        hex::decode(text)
            .map(Some)
            .map_err(|_| RpcError::params(format!("{name} is not hex")))
    }

    fn text_raw(&self, name: &str) -> Result<Option<&str>, RpcError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(RpcError::params(format!("{name} is no text: {other}"))),
        }
    }
}

/// `0x…` is hex, a quoted text stands for its own bytes.
fn uri_bytes(name: &str, text: &str) -> Result<Vec<u8>, RpcError> {
    if let Some(digits) = text.strip_prefix("0x") {
        return hex::decode(digits).map_err(|_| RpcError::params(format!("{name} is not hex")));
    }
    if text.starts_with('"') {
        return Ok(unquote(text).as_bytes().to_vec());
    }
    hex::decode(text).map_err(|_| RpcError::params(format!("{name}: write 0x and hex, or a quoted text")))
}

fn unquote(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}
