//! Who listens on a port: asked before the token is shown there.

use hearth_base::Secret;

use crate::error::NodeError;

/// A question that only the node of a data directory can answer: it takes the token, and does not show it.
pub struct Challenge(String);

impl Challenge {
    /// A new one, so that no earlier answer fits.
    ///
    /// # Errors
    /// A computer that gives no random numbers.
    pub fn new() -> Result<Challenge, NodeError> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(|error| NodeError::Random(error.to_string()))?;
        Ok(Challenge(hex::encode(bytes)))
    }

    /// What is asked.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/health?challenge={}", self.0)
    }

    /// Whether the answer, JSON, is that of the node with this token that listens on `port`.
    #[must_use]
    pub fn is_answered(&self, answer: &[u8], token: &Secret, port: u16) -> bool {
        #[derive(serde::Deserialize)]
        struct Answer {
            proof: Option<String>,
        }
        let answer: Option<Answer> = serde_json::from_slice(answer).ok();
        let proof = answer.and_then(|answer| answer.proof);
        proof.is_some_and(|proof| proof == hearth_api::proof(token.reveal(), &self.0, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_token_and_the_port_answers() {
        let (challenge, token) = (Challenge::new().unwrap(), Secret::from("token"));
        assert_ne!(challenge.path(), Challenge::new().unwrap().path());
        let answer = |token: &str, port| {
            let proof = hearth_api::proof(token, &challenge.0, port);
            format!(r#"{{"status":"ok","proof":"{proof}"}}"#).into_bytes()
        };
        assert!(challenge.is_answered(&answer("token", 4327), &token, 4327));
        for wrong in [
            answer("other", 4327),
            // Passed on to the node on another port.
            answer("token", 4328),
            br#"{"status":"ok"}"#.to_vec(),
            b"<html>".to_vec(),
        ] {
            assert!(!challenge.is_answered(&wrong, &token, 4327));
        }
    }
}
