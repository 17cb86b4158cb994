//! The session tree: a sparse Merkle sum trie whose root commits to every relay of a session.
//!
//! ```text
//! SumTrie ── insert ──► root() ──► Root (48 bytes: hash | sum | count)   → in the claim
//!         └─ prove_closest(path) ──► ClosestProof ── compact() ──► gob bytes → in the proof
//! verify_closest(&ClosestProof, &Root)                                    ← the checker, without a tree
//! ```
//! The shape is that of Go's `smt` library, down to the bytes of extension nodes, so that a proof of the same
//! relays inserted in the same order is the same bytes. The tree keeps no values: it hashes a leaf when it is
//! inserted and remembers where the caller keeps the relay ([`Values`]); only a proof asks for them again.
//!
//! The verifying half (`digest`, `closest`, `compact`, `verify`) does not use the tree.

mod closest;
mod compact;
mod digest;
mod tree;
mod verify;

pub use closest::ClosestProof;
pub use compact::{CompactClosestProof, CompactError, CompactProof};
pub use digest::{Node, Root, RootError, leaf_path};
pub use tree::{SumTrie, Values};
pub use verify::{VerifyError, verify_closest};

#[cfg(test)]
mod tests;
