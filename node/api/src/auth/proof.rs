//! The proof that a program on a port is the node of a data directory, before anybody shows it the token.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What keeps a proof from being one of anything else.
const PURPOSE: &[u8] = b"hearth: the node that listens on this port";
/// The longest challenge: a stranger may ask for a proof.
pub(crate) const MAX_CHALLENGE_CHARS: usize = 128;

/// HMAC-SHA256 by the token, over the challenge and the port: who holds the token can make it, and a program in between
/// that passes the challenge on to the node gets a proof for the node's port, not for its own.
#[must_use]
pub fn proof(token: &str, challenge: &str, port: u16) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(token.as_bytes()) else {
        return String::new();
    };
    mac.update(PURPOSE);
    mac.update(&port.to_be_bytes());
    mac.update(challenge.as_bytes());
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
}
