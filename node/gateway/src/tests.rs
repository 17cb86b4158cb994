//! The gateway over a small chain and suppliers that misbehave, with real keys and signatures.

mod chain;
mod formats;
mod misbehaving;
mod payers;
mod recorded;
mod sending;
mod spending;
mod supplier;
mod world;
