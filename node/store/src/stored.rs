//! Values that are kept as JSON: each carries the version of its form, so that every later program reads it, and an
//! older one says in words that it cannot.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
pub use serde_json::Value;

/// The field that holds the version. Values of the first form do without.
const FIELD: &str = "version";

/// A value that is kept as a JSON object. The version goes up when a program of the former one could no longer read
/// what this one writes; a field that may be missing needs no new version, only a default.
pub trait Stored: Serialize + DeserializeOwned {
    /// What it is, for messages.
    const WHAT: &'static str;
    /// The version that this program writes.
    const VERSION: u64;

    /// Brings a value of an older version to this one.
    fn upgrade(from: u64, value: Value) -> Value {
        let _ = from;
        value
    }
}

/// Why a stored value cannot be read. `place` names the row or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error(
        "{what} in {place} was written by a newer Hearth (form {found}, this one reads up to {known}): start the newer \
         Hearth again"
    )]
    Newer {
        what: &'static str,
        place: String,
        found: u64,
        known: u64,
    },
    #[error("{what} in {place} cannot be read ({why}): it is left as it is; restore a backup to get it back")]
    Damaged {
        what: &'static str,
        place: String,
        why: String,
    },
}

/// The text of a value, with its version.
///
/// # Errors
/// A value that is no JSON object.
pub fn write<T: Stored>(value: &T) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Versioned {
        version: u64,
        #[serde(flatten)]
        fields: BTreeMap<String, Value>,
    }
    let fields = serde_json::from_value(serde_json::to_value(value)?)?;
    serde_json::to_string(&Versioned {
        version: T::VERSION,
        fields,
    })
}

/// Reads a value of this version or an older one.
///
/// # Errors
/// Text that is no such value, or one of a newer version; it names the place.
pub fn read<T: Stored>(text: impl AsRef<[u8]>, place: impl ToString) -> Result<T, Unreadable> {
    let damaged = |error: serde_json::Error| Unreadable::Damaged {
        what: T::WHAT,
        place: place.to_string(),
        why: error.to_string(),
    };
    let mut value: Value = serde_json::from_slice(text.as_ref()).map_err(damaged)?;
    let version = match value.as_object_mut().and_then(|fields| fields.remove(FIELD)) {
        None => 1,
        Some(version) => serde_json::from_value(version).map_err(damaged)?,
    };
    if version > T::VERSION {
        return Err(Unreadable::Newer {
            what: T::WHAT,
            place: place.to_string(),
            found: version,
            known: T::VERSION,
        });
    }
    if version < T::VERSION {
        value = T::upgrade(version, value);
    }
    serde_json::from_value(value).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lamp {
        watts: u32,
    }

    impl Stored for Lamp {
        const WHAT: &'static str = "a lamp";
        const VERSION: u64 = 2;

        fn upgrade(_from: u64, value: Value) -> Value {
            let kilowatts = value["kilowatts"].as_u64().unwrap_or_default();
            serde_json::json!({ "watts": kilowatts * 1000 })
        }
    }

    #[test]
    fn a_value_of_an_older_form_is_brought_to_this_one() {
        let text = write(&Lamp { watts: 7 }).unwrap();
        assert_eq!(text, r#"{"version":2,"watts":7}"#);
        assert_eq!(read::<Lamp>(&text, "row 1"), Ok(Lamp { watts: 7 }));
        assert_eq!(
            read::<Lamp>(r#"{"kilowatts":3}"#, "row 1"),
            Ok(Lamp { watts: 3000 })
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        let newer = read::<Lamp>(r#"{"version":3,"lumen":1}"#, "row 1 of lamps").unwrap_err();
        assert!(matches!(
            newer,
            Unreadable::Newer {
                found: 3,
                known: 2,
                ..
            }
        ));
        for text in [
            "{",
            r#"{"version":"x"}"#,
            r#"{"version":2,"watts":-1}"#,
            r#"{"version":2}"#,
        ] {
            let error = read::<Lamp>(text, "row 1 of lamps").unwrap_err();
            assert!(matches!(error, Unreadable::Damaged { .. }), "{text}");
            assert!(error.to_string().contains("a lamp in row 1 of lamps"), "{error}");
        }
    }
}
