//! What may be believed: headers by validators' signatures, values by proofs under a header's app hash.
//!
//! Pure: no I/O, no clock. Every function takes what a stranger sent and gives back a checked thing or an error that
//! says why the stranger is not believed.

mod block;
mod header;
mod state;

pub use block::{BlockError, prove_results, prove_tx, prove_txs};
pub use header::{
    HeaderError, LightBlock, Rules, Step, Trusted, VerifiedHeader, advance, anchor, restore, step_back,
    validator_set,
};
pub use state::{Neighbour, ProofError, Statement, prove};

#[cfg(test)]
mod tests;
