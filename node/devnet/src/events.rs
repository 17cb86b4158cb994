//! Events as the chain emits them: bank's plain ones, and typed ones whose attributes are JSON.

use hearth_pocket::message::TypeUrl;
use serde::Serialize;
use serde_json::{Value, json};

/// One event with its attributes in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "t")]
    pub(crate) kind: String,
    #[serde(rename = "a")]
    pub(crate) attributes: Vec<(String, String)>,
}

impl Event {
    pub(crate) fn new<const N: usize>(kind: &str, attributes: [(&str, String); N]) -> Event {
        Event {
            kind: kind.to_owned(),
            attributes: attributes
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        }
    }

    /// A typed event: one attribute per field, sorted by name, each value in protobuf's JSON.
    pub(crate) fn typed<T: TypeUrl + Serialize>(message: &T) -> Event {
        let fields = match serde_json::to_value(message) {
            Ok(Value::Object(fields)) => fields,
            // Messages are structs of plain fields, which always become objects.
            Ok(_) | Err(_) => serde_json::Map::new(),
        };
        let mut attributes: Vec<(String, String)> = fields
            .into_iter()
            .map(|(key, value)| (key, value.to_string()))
            .collect();
        attributes.sort_unstable();
        Event {
            kind: T::TYPE_URL.trim_start_matches('/').to_owned(),
            attributes,
        }
    }

    /// The event with one more attribute.
    pub(crate) fn with(mut self, key: &str, value: String) -> Event {
        self.attributes.push((key.to_owned(), value));
        self
    }

    /// The form of CometBFT's JSON.
    pub(crate) fn to_json(&self) -> Value {
        let attributes: Vec<Value> = self
            .attributes
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value, "index": true}))
            .collect();
        json!({"type": self.kind, "attributes": attributes})
    }
}
