//! CIDs as people paste them: with `ipfs://`, as the address of a gateway, with spaces and line ends around them.

use cid::Cid;

/// A text without a CID of a model in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no CID: {why}")]
pub struct NoCid {
    text: String,
    why: &'static str,
}

impl NoCid {
    /// The beginning of the text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Reads a CID, alone or in one of the usual addresses.
///
/// # Errors
/// A text that has none.
pub fn parse_cid(text: &str) -> Result<Cid, NoCid> {
    // The longest thing that is shown of what somebody pasted.
    const SHOWN: usize = 120;
    let trimmed =
        text.trim_matches(|letter: char| letter.is_whitespace() || "\"'`<>\u{feff}".contains(letter));
    candidates(trimmed)
        .find_map(|candidate| candidate.parse().ok())
        .ok_or_else(|| NoCid {
            text: trimmed.chars().take(SHOWN).collect(),
            why: if candidates(trimmed).any(|candidate| candidate.starts_with("bafy")) {
                "a letter of it is wrong or missing; copy it again"
            } else {
                "a model's begins with bafyrei"
            },
        })
}

/// The places where an address has its CID: after its scheme, after `/ipfs/`, or as the first name of its host.
fn candidates(text: &str) -> impl Iterator<Item = &str> {
    let lower = text.get(..7).map(str::to_ascii_lowercase);
    let by_scheme = (lower.as_deref() == Some("ipfs://")).then(|| &text[7..]);
    let by_path = text.split_once("/ipfs/").map(|(_, rest)| rest);
    let by_host = text
        .split_once("://")
        .filter(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains(".ipfs.")))
        .map(|(_, rest)| rest);
    let by_name = text.strip_prefix("ipfs/");
    [
        Some(text),
        by_scheme.map(without_prefix),
        by_path,
        by_host,
        by_name,
    ]
    .into_iter()
    .flatten()
    .map(|rest| rest.split(['/', '?', '#', '.']).next().unwrap_or_default())
}

/// `ipfs://ipfs/CID` is written, too.
fn without_prefix(rest: &str) -> &str {
    rest.strip_prefix("ipfs/").unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafyreie74gcw5gievotyvwx5bndtnv2igqo2bzcchmjq34dexnz3wrmgw4";

    #[test]
    fn a_cid_is_read_however_it_is_pasted() {
        for text in [
            CID.to_owned(),
            format!(" {CID}\n"),
            format!("\u{feff}{CID}\r\n"),
            format!("\"{CID}\""),
            format!("ipfs://{CID}"),
            format!("IPFS://{CID}/"),
            format!("ipfs://ipfs/{CID}"),
            format!("/ipfs/{CID}"),
            format!("ipfs/{CID}"),
            format!("http://127.0.0.1:4327/ipfs/{CID}?format=raw"),
            format!("https://{CID}.ipfs.dweb.link/a.gguf"),
        ] {
            assert_eq!(
                parse_cid(&text).map(|cid| cid.to_string()),
                Ok(CID.to_owned()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_has_no_cid_is_shown_shortened() {
        for text in ["", "smollm2", "ipfs://", "https://example.org/", "bafyrei"] {
            assert!(parse_cid(text).is_err(), "{text:?}");
        }
        let long = parse_cid(&"x".repeat(10_000)).unwrap_err().to_string();
        assert!(long.len() < 250);
    }
}
