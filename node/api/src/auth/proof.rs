//! Proofs by the token: that a program on a port is the node of a data directory, before anybody shows it the token, and
//! that a call comes from the page of a sign-in.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What keeps a proof from being one of anything else.
const OF_PORT: &[u8] = b"hearth: the node that listens on this port";
const OF_PAGE: &[u8] = b"hearth: the page that signed in by this cookie";
/// The longest challenge: a stranger may ask for a proof.
pub(crate) const MAX_CHALLENGE_CHARS: usize = 128;

/// HMAC-SHA256 by the token, over the challenge and the port: who holds the token can make it, and a program in between
/// that passes the challenge on to the node gets a proof for the node's port, not for its own.
#[must_use]
pub fn proof(token: &str, challenge: &str, port: u16) -> String {
    by_token(token, &[OF_PORT, &port.to_be_bytes(), challenge.as_bytes()])
}

/// What a sign-in shows beside its cookie. Browsers send a cookie to every port of a host, so another program on this
/// computer can come by it; the page key lies where only pages of this port read it. A new token ends all of them.
pub(crate) fn page_key(token: &str, cookie: &str) -> String {
    by_token(token, &[OF_PAGE, cookie.as_bytes()])
}

fn by_token(token: &str, parts: &[&[u8]]) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(token.as_bytes()) else {
        return String::new();
    };
    for part in parts {
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_for_one_token_one_challenge_and_one_port() {
        let right = proof("token", "challenge", 4327);
        assert_eq!(right.len(), 64);
        assert_eq!(right, proof("token", "challenge", 4327));
        for other in [
            proof("other", "challenge", 4327),
            proof("token", "other", 4327),
            proof("token", "challenge", 4328),
        ] {
            assert_ne!(right, other);
        }
    }

    #[test]
    fn a_page_key_is_for_one_token_and_one_cookie_and_is_no_proof() {
        let right = page_key("token", "cookie");
        assert_eq!((right.len(), &right), (64, &page_key("token", "cookie")));
        for other in [
            page_key("other", "cookie"),
            page_key("token", "other"),
            proof("token", "cookie", 4327),
        ] {
            assert_ne!(right, other);
        }
        // A stranger chooses the challenge, and no challenge yields the key of a cookie.
        assert!(!OF_PAGE.starts_with(OF_PORT) && !OF_PORT.starts_with(OF_PAGE));
    }
}
