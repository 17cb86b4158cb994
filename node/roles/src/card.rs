//! The card of a service: what its owner says of it. Anybody may put anything there, up to 256 KiB: what is no object, lies
//! too deep or has too many values is neither shown nor signed.

use serde_json::Value;

/// The chain takes no more; an endpoint may give more.
const MAX_BYTES: usize = 256 << 10;
/// How deep values may lie in values, and how many there may be.
const MAX_DEPTH: usize = 16;
const MAX_VALUES: usize = 4_096;

/// Reads a card.
///
/// # Errors
/// What is wrong with it, to be put after its name.
pub fn read_card(card: &[u8]) -> Result<Value, String> {
    if card.len() > MAX_BYTES {
        return Err(format!("has {} bytes, {MAX_BYTES} at most are taken", card.len()));
    }
    // Its own limit of depth keeps the reader's stack whole.
    let value: Value = serde_json::from_slice(card).map_err(|error| hearth_base::json::fault(&error))?;
    if !value.is_object() {
        return Err("is no JSON object".to_owned());
    }
    let mut left = MAX_VALUES;
    match is_small(&value, MAX_DEPTH, &mut left) {
        true => Ok(value),
        false => Err(format!(
            "has more than {MAX_VALUES} values, or values nested deeper than {MAX_DEPTH} levels"
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
        let good = read_card(br#"{"schema":"pocket-service-card/v1","rpc":["REST"]}"#);
        assert_eq!(good.unwrap()["rpc"][0], "REST");
        let nested =
            |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
        assert!(read_card(&nested(14)).is_ok());
        for (card, word) in [
            (nested(15), "deep"),
            (nested(120), "deep"),
            (nested(100_000), "deeper than 127"),
            (b"[1]".to_vec(), "no JSON object"),
            (b"{\"a\":".to_vec(), "no JSON"),
            (vec![0xff; 10], "no JSON"),
            (vec![b' '; MAX_BYTES + 1], "bytes"),
            (
                format!("{{\"a\":[{}1]}}", "1,".repeat(5_000)).into_bytes(),
                "values",
            ),
        ] {
            let why = read_card(&card).unwrap_err();
            assert!(why.contains(word), "{word}: {why}");
        }
    }
}
