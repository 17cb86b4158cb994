//! The head of an evidence file: which form the file has, who wrote it, and whose session it is.
//!
//! ```text
//! "HEARTHE" | form u8 | u32 length of JSON | u32 CRC of form and JSON | JSON: the facts, and `written_by`
//! ```
//! Whatever comes after form 2, the head keeps this layout, so that a program that does not know the form can say who
//! does. Form 1 had the letter `V` in place of the number, a CRC of the JSON alone, and no `written_by`.

use std::io::{self, Read};

use hearth_store::stored::{self, Unreadable};

use super::part;
use crate::facts::Facts;

const MAGIC: &[u8; 7] = b"HEARTHE";
/// The form that this program writes.
const FORM: u8 = 2;
const FORM_1: u8 = b'V';
/// Bytes before the JSON.
const FIXED: usize = 16;
/// Facts are a few hundred bytes.
const MAX_FACTS: usize = 1 << 20;
/// A head that was torn off ends before this, with the room for answers behind it; so no more is read to tell.
const MAX_TORN: u64 = (FIXED + MAX_FACTS) as u64;

/// Why the head of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    /// A crash while the file was begun. Nothing is behind it, so no answer was ever written.
    #[error("its head was never finished, and nothing is behind it")]
    Torn,
    #[error("{why}")]
    Damaged { why: String },
    #[error(
        "it was written by {by} in form {found}, and this Hearth reads up to form {FORM}: start that Hearth again"
    )]
    Newer { found: u8, by: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<HeadError> for io::Error {
    fn from(error: HeadError) -> io::Error {
        match error {
            HeadError::Io(error) => error,
            HeadError::Torn | HeadError::Damaged { .. } | HeadError::Newer { .. } => {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
        }
    }
}

/// The head of a new file.
pub(crate) fn write(facts: &Facts) -> Result<Vec<u8>, serde_json::Error> {
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&stored::write(facts)?)?;
    fields.insert(
        "written_by".to_owned(),
        format!("Hearth {}", env!("CARGO_PKG_VERSION")).into(),
    );
    Ok(bytes_of(FORM, &serde_json::to_vec(&fields)?))
}

/// The head that a program of the first form wrote.
fn write_form_1(facts: &Facts) -> Result<Vec<u8>, serde_json::Error> {
    Ok(bytes_of(FORM_1, &serde_json::to_vec(facts)?))
}

fn bytes_of(form: u8, json: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(form);
    out.extend_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&checksum(form, json).to_le_bytes());
    out.extend_from_slice(json);
    out
}

fn checksum(form: u8, json: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    if form != FORM_1 {
        crc.update(&[form]);
    }
    crc.update(json);
    crc.finalize()
}

/// Reads the head of a file, and its length. `expected` are the facts that it should hold, where they are known: what
/// was written of a head can then be told from a head that was damaged.
pub(crate) fn read(input: &mut impl Read, expected: Option<&Facts>) -> Result<(Facts, u64), HeadError> {
    let mut bytes = Vec::new();
    input.take(FIXED as u64).read_to_end(&mut bytes)?;
    let length = match bytes.get(..FIXED) {
        Some(fixed) => u32::from_le_bytes(part(fixed, 8)) as usize,
        None => 0,
    };
    if length <= MAX_FACTS {
        input.take(length as u64).read_to_end(&mut bytes)?;
    }
    let why = match whole(&bytes, length) {
        Ok(facts) => return Ok((facts, (FIXED + length) as u64)),
        Err(HeadError::Damaged { why }) => why,
        Err(error) => return Err(error),
    };
    input.take(MAX_TORN).read_to_end(&mut bytes)?;
    let is_all = input.read(&mut [0])? == 0;
    if is_all && is_torn(&bytes, expected) {
        return Err(HeadError::Torn);
    }
    Err(HeadError::Damaged { why })
}

/// Reads a head of which all bytes are there.
fn whole(bytes: &[u8], length: usize) -> Result<Facts, HeadError> {
    let damaged = |why: &str| HeadError::Damaged { why: why.to_owned() };
    let Some(fixed) = bytes.get(..FIXED) else {
        return Err(damaged("its head is not whole"));
    };
    if fixed[..7] != *MAGIC {
        return Err(damaged("its first bytes are none of an evidence file"));
    }
    let (form, json) = (fixed[7], &bytes[FIXED..]);
    if json.len() != length {
        return Err(damaged("its head is not whole"));
    }
    if form != FORM_1 && form > FORM {
        let by = serde_json::from_slice(json).ok();
        let by = by.and_then(|fields: serde_json::Value| fields["written_by"].as_str().map(str::to_owned));
        let by = by.unwrap_or_else(|| "a newer Hearth".to_owned());
        return Err(HeadError::Newer { found: form, by });
    }
    if checksum(form, json) != u32::from_le_bytes(part(fixed, 12)) {
        return Err(damaged("the checksum of its head does not fit"));
    }
    stored::read(json, "the head").map_err(|error| match error {
        Unreadable::Newer { found, .. } => HeadError::Newer {
            found: u8::try_from(found).unwrap_or(u8::MAX),
            by: "a newer Hearth".to_owned(),
        },
        Unreadable::Damaged { why, .. } => HeadError::Damaged { why },
    })
}

/// Whether the bytes are the beginning of a head and nothing more, with or without zeros behind.
fn is_torn(bytes: &[u8], expected: Option<&Facts>) -> bool {
    let n_zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let written = &bytes[..bytes.len() - n_zeros];
    let Some(facts) = expected else {
        // Without the facts it cannot be told further than that.
        return written.len() <= FIXED;
    };
    [write(facts), write_form_1(facts)]
        .into_iter()
        .flatten()
        .any(|head| head.starts_with(written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::facts;

    fn read_bytes(bytes: &[u8]) -> Result<(Facts, u64), HeadError> {
        read(&mut &bytes[..], Some(&facts()))
    }

    #[test]
    fn a_head_of_the_first_form_is_read_for_ever() {
        let head = write_form_1(&facts()).unwrap();
        assert_eq!(&head[..8], b"HEARTHEV");
        let (found, length) = read_bytes(&[head.as_slice(), &[7; 90]].concat()).unwrap();
        assert_eq!((found, length), (facts(), head.len() as u64));
    }

    #[test]
    fn only_a_torn_head_with_nothing_behind_it_is_torn() {
        for head in [write(&facts()).unwrap(), write_form_1(&facts()).unwrap()] {
            for length in 0..head.len() {
                let torn = &head[..length];
                for bytes in [torn.to_vec(), [torn, &[0; 5000]].concat()] {
                    let error = read_bytes(&bytes).unwrap_err();
                    assert!(matches!(error, HeadError::Torn), "{length}: {error:?}");
                }
                // An answer behind it.
                let bytes = [torn, &[0; 7], &[9; 80]].concat();
                let error = read_bytes(&bytes).unwrap_err();
                assert!(matches!(error, HeadError::Damaged { .. }), "{length}: {error:?}");
            }
        }
    }

    #[test]
    fn every_turned_bit_of_a_head_is_found() {
        let head = [write(&facts()).unwrap(), vec![9; 80]].concat();
        for at in 0..head.len() - 80 {
            for bit in 0..8 {
                let mut bytes = head.clone();
                bytes[at] ^= 1 << bit;
                let error = read_bytes(&bytes).unwrap_err();
                let is_form = at == 7;
                assert!(
                    matches!(error, HeadError::Damaged { .. })
                        || is_form && matches!(error, HeadError::Newer { .. }),
                    "{at}, {bit}: {error:?}"
                );
            }
        }
    }

    #[test]
    fn a_newer_form_is_refused_with_the_name_of_its_writer() {
        let json = br#"{"written_by":"Hearth 9.1.0","quanta":7}"#;
        let error = read_bytes(&bytes_of(3, json)).unwrap_err().to_string();
        assert!(
            error.contains("Hearth 9.1.0") && error.contains("form 3"),
            "{error}"
        );
    }
}
