//! What the owner of a service says of it. Anybody may put anything there, up to 256 KiB: what is no object, lies too deep
//! or has too many values is not shown, and said to be so.

use serde_json::Value;

use crate::control::types::ServiceCard;

/// The chain takes no more; an endpoint may give more.
const MAX_BYTES: usize = 256 << 10;
/// How deep values may lie in values, and how many there may be.
const MAX_DEPTH: usize = 16;
const MAX_VALUES: usize = 4_096;

pub(super) fn read(card: &[u8]) -> ServiceCard {
    let read = document(card);
    ServiceCard {
        bytes: card.len() as u64,
        problem: read.as_ref().err().cloned(),
        document: read.ok(),
    }
}

fn document(card: &[u8]) -> Result<Value, String> {
    if card.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    // Its own limit of depth keeps the reader's stack whole.
    let value: Value = serde_json::from_slice(card).map_err(|error| format!("it is no JSON: {error}"))?;
    if !value.is_object() {
        return Err("it is no JSON object".to_owned());
    }
    let mut left = MAX_VALUES;
    match is_small(&value, MAX_DEPTH, &mut left) {
        true => Ok(value),
        false => Err(format!(
            "it has more than {MAX_VALUES} values, or values {MAX_DEPTH} deep"
        )),
    }
}

fn is_small(value: &Value, depth: usize, left: &mut usize) -> bool {
    let (Some(below), Some(fewer)) = (depth.checked_sub(1), left.checked_sub(1)) else {
        return false;
    };
    *left = fewer;
    match value {
        Value::Array(values) => values.iter().all(|value| is_small(value, below, left)),
        Value::Object(fields) => fields.values().all(|value| is_small(value, below, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_cards_are_said_to_be_so_and_harm_nobody() {
        let good = read(br#"{"schema":"pocket-service-card/v1","rpc":["REST"]}"#);
        assert_eq!((good.problem, good.bytes), (None, 50));
        assert_eq!(good.document.unwrap()["rpc"][0], "REST");
        let nested =
            |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
        assert!(read(&nested(14)).document.is_some());
        for (card, word) in [
            (nested(15), "deep"),
            (nested(120), "deep"),
            (nested(100_000), "no JSON"),
            (b"[1]".to_vec(), "no JSON object"),
            (b"{\"a\":".to_vec(), "no JSON"),
            (vec![0xff; 10], "no JSON"),
            (vec![b' '; MAX_BYTES + 1], "bytes"),
            (
                format!("{{\"a\":[{}1]}}", "1,".repeat(5_000)).into_bytes(),
                "values",
            ),
        ] {
            let read = read(&card);
            assert!(read.document.is_none());
            assert!(read.problem.unwrap().contains(word), "{word}");
        }
    }
}
