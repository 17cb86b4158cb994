//! Outgoing HTTP: the one place where clients are made, and the one check of where an address leads.
//!
//! Whatever lies on this computer or in a private network is asked directly, never through a proxy of the
//! environment: a proxy would look for it on its own side. What strangers name (suppliers on chain) or what travels
//! over several hosts (sources of models) may not lead to private addresses: an address is checked as it is written,
//! again after its name was resolved, and after every redirect.

mod address;
mod client;
mod resolve;

pub use address::{is_public, is_public_ip};
pub use client::{Client, Config, PrivateAddresses, Refused};
