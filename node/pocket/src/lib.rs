//! The Pocket protocol, pure: messages, keys, ring signatures, relays, trees and proofs, sessions, difficulty,
//! settlement arithmetic. No I/O, no clock.

pub mod address;
pub mod adr36;
pub mod difficulty;
pub mod fuzz;
pub mod gob;
#[cfg(test)]
mod golden;
pub mod keys;
pub mod merkle;
pub mod message;
pub mod payload;
pub mod proof;
pub mod relay;
pub mod ring;
pub mod session;
pub mod settlement;
pub mod stream;
pub mod trie;
pub mod tx;

pub use address::Address;
pub use keys::{PublicKey, SecretKey, SignError, Signer};
pub use ring::{Ring, RingSignature, RingVerifier};
