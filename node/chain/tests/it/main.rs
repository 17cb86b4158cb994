//! The chain part against nodes that answer from recorded data: honest, down, slow, senseless, lying, foreign.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod devnet;
mod endpoints;
mod follow;
mod node;
mod prove;
mod send;
mod sending;
mod trouble;
