//! What may be believed: headers by validators' signatures, values by proofs under a header's app hash.
//!
//! Pure: no I/O, no clock. Every function takes what a stranger sent and gives back a checked thing or an error that
//! says why the stranger is not believed. What decides about money is a [`Proven`], and only the checks here make one.

mod block;
mod header;
mod proven;
mod session;
mod state;
mod walk;

pub use block::{BlockError, Outcome, prove_results, prove_tx, prove_txs};
pub(crate) use header::restore;
pub use header::{
    HeaderError, LightBlock, Rules, Step, Trusted, VerifiedHeader, advance, anchor, step_back, validator_set,
};
pub use proven::Proven;
#[cfg(any(test, debug_assertions))]
pub use proven::proven_for_tests;
pub use session::NoSession;
pub(crate) use session::{Grounds, chosen};
pub use state::{Neighbour, ProofError, Statement, prove};
pub(crate) use walk::{Walk, Walked};

#[cfg(test)]
mod tests;
