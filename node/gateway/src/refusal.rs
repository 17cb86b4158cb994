//! Error answers of all miners: the classic one's unsigned relay response with HTTP status 200, the HA miner's HTTP
//! status with a JSON text, and Hearth's, which has a code beside that text.

use std::fmt;

use hearth_pocket::message::relay::RelayMinerError;
use serde::Deserialize;

/// What a refusal means, whichever miner said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
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
    pub why: RefusalReason,
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
            ("relayer_proxy", 1 | 6) | ("relay_authenticator", 1) => RefusalReason::Session,
            ("relayer_proxy", 2 | 3) => RefusalReason::UnknownService,
            ("relayer_proxy", 7 | 13) => RefusalReason::Exhausted,
            ("relayer_proxy", 9) | ("relay_authenticator", 2 | 6) => RefusalReason::WrongSupplier,
            ("relayer_proxy", 10) => RefusalReason::Timeout,
            ("relayer_proxy", 11 | 12) => RefusalReason::TooLarge,
            ("relayer_proxy", 14) | ("relay_authenticator", 4) | ("service", 1111) => {
                RefusalReason::BadRequest
            }
            ("relayer_proxy", 4 | 5 | 8) => RefusalReason::Backend,
            ("rings", _) => RefusalReason::Ring,
            ("query", 3) if error.message.contains("not staked") => RefusalReason::NotStaked,
            ("query", 3) => RefusalReason::Session,
            ("session", 1102 | 1103 | 1109) => RefusalReason::NotStaked,
            ("session", _) => RefusalReason::Session,
            ("service", 1117) => RefusalReason::UnknownService,
            _ => RefusalReason::Other,
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
        struct ErrorBody {
            error: String,
            code: Option<String>,
        }
        let said = serde_json::from_slice::<ErrorBody>(body);
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
            400 if says("session") => RefusalReason::Session,
            400 => RefusalReason::BadRequest,
            // The text of a ring that does not hold speaks of the session too, so it is looked for first.
            403 if says("ring") => RefusalReason::Ring,
            403 if says("session") => RefusalReason::Session,
            403 if says("supplier") => RefusalReason::WrongSupplier,
            404 => RefusalReason::UnknownService,
            413 => RefusalReason::TooLarge,
            // The miners' words for an application whose stake pays no more; everybody else means: later.
            429 if says("offchain rate limit") || says("stake") => RefusalReason::Exhausted,
            429 => RefusalReason::Unavailable,
            500 | 502 => RefusalReason::Backend,
            503 if says("not registered") => RefusalReason::WrongSupplier,
            503 => RefusalReason::Unavailable,
            504 => RefusalReason::Timeout,
            _ => RefusalReason::Other,
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
fn meaning(code: &str, text: &str) -> Option<RefusalReason> {
    Some(match code {
        "expired" | "other_session" => RefusalReason::Session,
        "no_session" if text.contains("not staked") => RefusalReason::NotStaked,
        "no_session" => RefusalReason::Session,
        "ring" | "large_ring" | "no_gateway" => RefusalReason::Ring,
        "garbage" | "invalid" | "payload" | "headers" | "replay" => RefusalReason::BadRequest,
        "other_supplier" | "not_in_session" => RefusalReason::WrongSupplier,
        "unknown_service" => RefusalReason::UnknownService,
        "over_meter" => RefusalReason::Exhausted,
        "too_large" | "answer_too_large" => RefusalReason::TooLarge,
        "busy" | "crowded" | "closed" | "no_chain" | "no_funds" | "retired" | "supplier_away"
        | "too_slow" => RefusalReason::Unavailable,
        "first_byte" | "total_time" => RefusalReason::Timeout,
        "backend" | "evidence" | "signing" | "internal" => RefusalReason::Backend,
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
        assert_eq!(said(403, not_staked), RefusalReason::NotStaked);
        assert_eq!(
            said(503, r#"{"error":"","code":"closed"}"#),
            RefusalReason::Unavailable
        );
        assert_eq!(
            said(403, r#"{"error":"anybody could sign","code":"no_gateway"}"#),
            RefusalReason::Ring
        );
        // Without a code, or with one of a later version, status and words are all there is.
        assert_eq!(
            said(403, r#"{"error":"session expired"}"#),
            RefusalReason::Session
        );
        assert_eq!(
            said(503, r#"{"error":"x","code":"new"}"#),
            RefusalReason::Unavailable
        );
        assert_eq!(said(503, r#"{"error":"x","code":7}"#), RefusalReason::Unavailable);
    }

    #[test]
    fn what_a_miner_refuses_because_its_backend_fails_is_unpaid_r40() {
        for (status, code, why) in [
            (502, "backend", RefusalReason::Backend),
            (503, "busy", RefusalReason::Unavailable),
            (504, "first_byte", RefusalReason::Timeout),
            (504, "total_time", RefusalReason::Timeout),
        ] {
            let body = serde_json::json!({ "error": "the backend fails", "code": code }).to_string();
            let refusal = Refusal::http(status, body.as_bytes());
            assert_eq!((refusal.why, refusal.is_the_miners), (why, true), "{code}");
        }
        // A reverse proxy does not know what was served.
        assert!(!Refusal::http(502, b"<html>502 Bad Gateway</html>").is_the_miners);
    }
}
