//! The chain part against nodes that answer from recorded data: honest, down, slow, senseless, lying, foreign.

mod devnet;
mod endpoints;
mod follow;
mod node;
mod prove;
mod send;
