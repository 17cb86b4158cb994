//! Error answers of all miners: the classic one's unsigned relay response with HTTP status 200, the HA miner's HTTP
//! status with a JSON text, and Hearth's, which has a code beside that text.

use std::fmt;

use hearth_pocket::message::relay::RelayMinerError;
use serde::Deserialize;

/// What a refusal means, whichever miner said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The session is not the supplier's current one: its chain or ours is behind, or it has expired.
    Session,
    /// The ring signature does not hold for it.
    Ring,
    /// It cannot read the request.
    BadRequest,
    /// It is not the supplier that was meant.
    WrongSupplier,
    /// It does not serve this service.
    UnknownService,
    /// The application has used up its share of stake with it.
    Exhausted,
    /// The application is not staked for this service.
    NotStaked,
    /// The request or its answer is too large for it.
    TooLarge,
    /// Its backend took too long.
    Timeout,
    /// Its backend failed.
    Backend,
    /// It cannot serve now.
    Unavailable,
    /// Anything else.
    Other,
}

/// A supplier's refusal. Nobody signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    /// `relayer_proxy 7`, or `HTTP 429`.
    pub code: String,
    /// What it said, cut to a readable length.
    pub text: String,
    /// Whether the supplier's miner said it, which then served nothing. A reverse proxy that lost the connection to it
    /// (500, 502, 504 in its own words) cannot know.
    pub is_the_miners: bool,
}

/// The longest text of a supplier that is shown or kept.
const TEXT: usize = 300;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl Refusal {
    /// Reads the classic miner's error.
    #[must_use]
    pub fn classic(error: &RelayMinerError) -> Refusal {
        let why = match (error.codespace.as_str(), error.code) {
            ("relayer_proxy", 1 | 6) | ("relay_authenticator", 1) => Why::Session,
            ("relayer_proxy", 2 | 3) => Why::UnknownService,
            ("relayer_proxy", 7 | 13) => Why::Exhausted,
            ("relayer_proxy", 9) | ("relay_authenticator", 2 | 6) => Why::WrongSupplier,
            ("relayer_proxy", 10) => Why::Timeout,
            ("relayer_proxy", 11 | 12) => Why::TooLarge,
            ("relayer_proxy", 14) | ("relay_authenticator", 4) | ("service", 1111) => Why::BadRequest,
            ("relayer_proxy", 4 | 5 | 8) => Why::Backend,
            ("rings", _) => Why::Ring,
            ("query", 3) if error.message.contains("not staked") => Why::NotStaked,
            ("query", 3) => Why::Session,
            ("session", 1102 | 1103 | 1109) => Why::NotStaked,
            ("session", _) => Why::Session,
            ("service", 1117) => Why::UnknownService,
            _ => Why::Other,
        };
        let text = if error.message.is_empty() {
            &error.description
        } else {
            &error.message
        };
        Refusal {
            why,
            code: format!("{} {}", error.codespace, error.code),
            text: shortened(text),
            is_the_miners: true,
        }
    }

    /// Reads an error with a status of its own.
    #[must_use]
    pub fn http(status: u16, body: &[u8]) -> Refusal {
        #[derive(Deserialize)]
        struct Said {
            error: String,
            code: Option<String>,
        }
        let said = serde_json::from_slice::<Said>(body);
        let is_the_miners = said.is_ok() || !matches!(status, 500 | 502 | 504);
        let (text, code) = match said {
            Ok(said) => (said.error, said.code),
            Err(_) => {
                let text = String::from_utf8_lossy(&body[..body.len().min(4 * TEXT)]);
                (text.into_owned(), None)
            }
        };
        let says = |word: &str| text.to_ascii_lowercase().contains(word);
        let why = match status {
            400 if says("session") => Why::Session,
            400 => Why::BadRequest,
            // The text of a ring that does not hold speaks of the session too, so it is looked for first.
            403 if says("ring") => Why::Ring,
            403 if says("session") => Why::Session,
            403 if says("supplier") => Why::WrongSupplier,
            404 => Why::UnknownService,
            413 => Why::TooLarge,
            429 => Why::Exhausted,
            500 | 502 => Why::Backend,
            503 if says("not registered") => Why::WrongSupplier,
            503 => Why::Unavailable,
            504 => Why::Timeout,
            _ => Why::Other,
        };
        let why = code.and_then(|code| meaning(&code, &text)).unwrap_or(why);
        let text = if text.trim().is_empty() {
            "no reason given".to_owned()
        } else {
            shortened(&text)
        };
        Refusal {
            why,
            code: format!("HTTP {status}"),
            text,
            is_the_miners,
        }
    }
}

/// What a code of Hearth's miner means.
fn meaning(code: &str, text: &str) -> Option<Why> {
    Some(match code {
        "expired" | "other_session" => Why::Session,
        "no_session" if text.contains("not staked") => Why::NotStaked,
        "no_session" => Why::Session,
        "ring" | "large_ring" | "no_gateway" => Why::Ring,
        "garbage" | "invalid" | "payload" | "headers" | "replay" => Why::BadRequest,
        "other_supplier" | "not_in_session" => Why::WrongSupplier,
        "unknown_service" => Why::UnknownService,
        "over_meter" => Why::Exhausted,
        "too_large" | "answer_too_large" => Why::TooLarge,
        "busy" | "crowded" | "closed" | "no_chain" | "too_slow" => Why::Unavailable,
        "first_byte" | "total_time" => Why::Timeout,
        "backend" | "evidence" | "signing" | "internal" => Why::Backend,
        _ => return None,
    })
}

fn shortened(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match clean.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_status_and_words() {
        let said = |status, body: &str| Refusal::http(status, body.as_bytes()).why;
        let not_staked = r#"{"error":"a session: not staked for the service","code":"no_session"}"#;
        assert_eq!(said(403, not_staked), Why::NotStaked);
        assert_eq!(said(503, r#"{"error":"","code":"closed"}"#), Why::Unavailable);
        assert_eq!(
            said(403, r#"{"error":"anybody could sign","code":"no_gateway"}"#),
            Why::Ring
        );
        // Without a code, or with one of a later version, status and words are all there is.
        assert_eq!(said(403, r#"{"error":"session expired"}"#), Why::Session);
        assert_eq!(said(503, r#"{"error":"x","code":"new"}"#), Why::Unavailable);
        assert_eq!(said(503, r#"{"error":"x","code":7}"#), Why::Unavailable);
    }
}
