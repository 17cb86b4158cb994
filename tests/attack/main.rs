//! Attacks on a whole node, bounded and on loopback: each does what a stranger could, and looks whether everybody else is
//! served still.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lying_endpoint;
