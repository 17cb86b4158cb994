//! Which leaf a supplier has to prove, and whether it has to prove one at all.

mod go_rand;

use hearth_base::Amount;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

pub use crate::message::proof::{Claim, ProofRequirementReason};
pub use go_rand::{raw_draws, seed_from, seeded_float64, seeded_int63};

/// The path of the leaf to prove. `seed_hash` is the hash of the block before the proof window opens.
#[must_use]
pub fn required_path(seed_hash: &[u8], session_id: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed_hash)
        .chain_update(session_id.as_bytes())
        .finalize()
        .into()
}

/// The number between 0 and 1 that decides about a claim below the threshold. The claim is the one in the chain's
/// state, its validation status included.
#[must_use]
pub fn requirement_sample(claim: &Claim, seed_hash: &[u8]) -> f64 {
    let claim_hash = Sha256::digest(claim.encode_to_vec());
    seeded_float64(&[claim_hash.as_slice(), seed_hash])
}

/// The parameters of the proof module that decide whether a proof is required.
#[derive(Clone, Debug, PartialEq)]
pub struct RequirementParams {
    /// Claims worth at least this need a proof.
    pub threshold: Amount,
    /// The share of the other claims that needs one.
    pub request_probability: f64,
}

/// Whether a claim worth `claimed` needs a proof, and why.
#[must_use]
pub fn requirement(
    claim: &Claim,
    claimed: Amount,
    seed_hash: &[u8],
    params: &RequirementParams,
) -> ProofRequirementReason {
    if claimed >= params.threshold {
        ProofRequirementReason::Threshold
    } else if requirement_sample(claim, seed_hash) <= params.request_probability {
        ProofRequirementReason::Probabilistic
    } else {
        ProofRequirementReason::NotRequired
    }
}

#[cfg(test)]
mod tests;
