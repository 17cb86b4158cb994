//! Attacks on a whole node, bounded in count and time, on loopback alone: each shows that the node holds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod buying;
#[cfg(target_os = "linux")]
mod connections;
mod lying_endpoint;
mod relays;
