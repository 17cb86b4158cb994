//! The messages that may stand in an [`Any`], for its JSON form.

use std::cell::Cell;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Any, Timestamp, TypeUrl, application, cosmos, gateway, migration, proof, service, session, shared,
    supplier, tokenomics,
};

/// How one type goes from bytes to JSON and back.
struct Entry {
    type_url: &'static str,
    to_json: fn(&[u8]) -> Result<Value, String>,
    from_json: fn(Value) -> Result<Vec<u8>, String>,
}

const fn entry<T: TypeUrl + Serialize + for<'de> Deserialize<'de>>() -> Entry {
    Entry {
        type_url: T::TYPE_URL,
        to_json: |bytes| {
            let message = T::decode(bytes).map_err(|error| error.to_string())?;
            serde_json::to_value(message).map_err(|error| error.to_string())
        },
        from_json: |value| {
            let message: T = serde_json::from_value(value).map_err(|error| error.to_string())?;
            Ok(message.encode_to_vec())
        },
    }
}

const ENTRIES: &[Entry] = &[
    entry::<application::MsgDelegateToGateway>(),
    entry::<application::MsgStakeApplication>(),
    entry::<application::MsgTransferApplication>(),
    entry::<application::MsgUndelegateFromGateway>(),
    entry::<application::MsgUnstakeApplication>(),
    entry::<application::MsgUpdateParam>(),
    entry::<application::MsgUpdateParams>(),
    entry::<cosmos::AllowedMsgAllowance>(),
    entry::<cosmos::BaseAccount>(),
    entry::<cosmos::BasicAllowance>(),
    entry::<cosmos::GenericAuthorization>(),
    entry::<cosmos::ModuleAccount>(),
    entry::<cosmos::MsgExec>(),
    entry::<cosmos::MsgGrant>(),
    entry::<cosmos::MsgGrantAllowance>(),
    entry::<cosmos::MsgRevoke>(),
    entry::<cosmos::MsgRevokeAllowance>(),
    entry::<cosmos::MsgSend>(),
    entry::<cosmos::PeriodicAllowance>(),
    entry::<cosmos::PubKey>(),
    entry::<cosmos::SendAuthorization>(),
    entry::<gateway::MsgStakeGateway>(),
    entry::<gateway::MsgUnstakeGateway>(),
    entry::<gateway::MsgUpdateGatewayMetadata>(),
    entry::<gateway::MsgUpdateParam>(),
    entry::<gateway::MsgUpdateParams>(),
    entry::<migration::MsgClaimMorseAccount>(),
    entry::<migration::MsgClaimMorseApplication>(),
    entry::<migration::MsgClaimMorseSupplier>(),
    entry::<migration::MsgUpdateParams>(),
    entry::<proof::MsgCreateClaim>(),
    entry::<proof::MsgSubmitProof>(),
    entry::<proof::MsgUpdateParam>(),
    entry::<proof::MsgUpdateParams>(),
    entry::<service::MsgAddService>(),
    entry::<service::MsgTransferService>(),
    entry::<service::MsgUpdateParam>(),
    entry::<service::MsgUpdateParams>(),
    entry::<session::MsgUpdateParam>(),
    entry::<session::MsgUpdateParams>(),
    entry::<shared::MsgUpdateParam>(),
    entry::<shared::MsgUpdateParams>(),
    entry::<supplier::MsgStakeSupplier>(),
    entry::<supplier::MsgUnstakeSupplier>(),
    entry::<supplier::MsgUpdateParam>(),
    entry::<supplier::MsgUpdateParams>(),
    entry::<tokenomics::MsgUpdateParam>(),
    entry::<tokenomics::MsgUpdateParams>(),
];

fn find(type_url: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.type_url == type_url)
}

/// The first type in a JSON, at any depth, whose messages cannot be shown.
#[must_use]
pub fn unknown_type(json: &Value) -> Option<&str> {
    match json {
        Value::Object(fields) => {
            let own = fields.get("@type").and_then(Value::as_str);
            own.filter(|url| find(url).is_none())
                .or_else(|| fields.values().find_map(unknown_type))
        }
        Value::Array(list) => list.iter().find_map(unknown_type),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Messages inside messages that are shown: the chain takes few, and each costs stack.
const MAX_DEPTH: u8 = 16;

thread_local! {
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// One message further inside, until it is dropped.
struct Inside;

impl Inside {
    fn enter() -> Option<Inside> {
        let depth = DEPTH.get();
        (depth < MAX_DEPTH).then(|| {
            DEPTH.set(depth + 1);
            Inside
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

/// A type that is not known shows its bytes as `value`.
impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nested = || S::Error::custom(format!("messages lie more than {MAX_DEPTH} deep in each other"));
        let _inside = Inside::enter().ok_or_else(nested)?;
        let mut object = Map::new();
        object.insert("@type".to_owned(), Value::String(self.type_url.clone()));
        match find(&self.type_url) {
            Some(entry) => {
                if let Value::Object(fields) = (entry.to_json)(&self.value).map_err(S::Error::custom)? {
                    object.extend(fields);
                }
            }
            None => {
                object.insert("value".to_owned(), Value::String(STANDARD.encode(&self.value)));
            }
        }
        object.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Any, D::Error> {
        let mut object = Map::deserialize(deserializer)?;
        let Some(Value::String(type_url)) = object.remove("@type") else {
            return Err(D::Error::missing_field("@type"));
        };
        let value = match (find(&type_url), object.remove("value")) {
            (Some(entry), None) => (entry.from_json)(Value::Object(object)).map_err(D::Error::custom)?,
            (None, Some(Value::String(bytes))) => STANDARD.decode(bytes).map_err(D::Error::custom)?,
            (Some(_) | None, _) => return Err(D::Error::custom(format!("\"{type_url}\" is not known"))),
        };
        Ok(Any { type_url, value })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(self.unix_nanos()).map_err(S::Error::custom)?;
        serializer.serialize_str(&moment.format(&Rfc3339).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(D::Error::custom)?;
        Ok(Timestamp::from_unix_nanos(moment.unix_timestamp_nanos()))
    }
}

impl Serialize for cosmos::Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sign = if self.seconds < 0 || self.nanos < 0 {
            "-"
        } else {
            ""
        };
        let (seconds, nanos) = (self.seconds.unsigned_abs(), self.nanos.unsigned_abs());
        if nanos == 0 {
            return serializer.collect_str(&format_args!("{sign}{seconds}s"));
        }
        serializer.collect_str(&format_args!("{sign}{seconds}.{nanos:09}s"))
    }
}

impl<'de> Deserialize<'de> for cosmos::Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<cosmos::Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        span(&text).ok_or_else(|| D::Error::custom(format!("\"{text}\" is no span of time")))
    }
}

/// `-1.5s` is minus one second and minus half a billion nanoseconds.
fn span(text: &str) -> Option<cosmos::Duration> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |rest| (-1, rest));
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(seconds) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    Some(cosmos::Duration {
        seconds: sign * seconds.parse::<i64>().ok()?,
        nanos: i32::try_from(sign).ok()? * format!("{fraction:0<9}").parse::<i32>().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_written_as_the_chains_tools_do() {
        for (text, seconds, nanos) in [
            ("86400s", 86_400, 0),
            ("0s", 0, 0),
            ("1.500000000s", 1, 500_000_000),
            ("-0.000000001s", 0, -1),
        ] {
            let span: cosmos::Duration = serde_json::from_value(text.into()).unwrap();
            assert_eq!((span.seconds, span.nanos), (seconds, nanos), "{text}");
            assert_eq!(serde_json::to_value(span).unwrap(), text);
        }
        for wrong in [
            "",
            "s",
            "1",
            "1.s",
            "+1s",
            "1.0000000001s",
            "99999999999999999999s",
        ] {
            assert!(
                serde_json::from_value::<cosmos::Duration>(wrong.into()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_type_that_is_not_known_is_found_inside_others() {
        let vote = Any {
            type_url: "/cosmos.gov.v1.MsgVote".to_owned(),
            value: vec![8, 1],
        };
        let exec = cosmos::MsgExec {
            msgs: vec![cosmos::MsgSend::default().to_any(), vote],
            ..cosmos::MsgExec::default()
        };
        let json = serde_json::to_value(exec.to_any()).unwrap();
        assert_eq!(unknown_type(&json), Some("/cosmos.gov.v1.MsgVote"));
        let json = serde_json::to_value(nested(2)).unwrap();
        assert_eq!(unknown_type(&json), None);
    }

    /// A message inside as many others.
    fn nested(depth: usize) -> Any {
        let mut message = cosmos::MsgSend::default().to_any();
        for _ in 0..depth {
            let exec = cosmos::MsgExec {
                msgs: vec![message],
                ..cosmos::MsgExec::default()
            };
            message = exec.to_any();
        }
        message
    }

    #[test]
    fn messages_too_deep_in_each_other_are_refused_and_others_are_shown_after() {
        assert!(serde_json::to_value(nested(15)).is_ok());
        for depth in [16, 400, 2_000] {
            let error = serde_json::to_value(nested(depth)).unwrap_err();
            assert!(
                error.to_string().contains("deep in each other"),
                "{depth}: {error}"
            );
        }
        assert!(
            serde_json::to_value(nested(15)).is_ok(),
            "nothing is left of those before"
        );
    }
}
