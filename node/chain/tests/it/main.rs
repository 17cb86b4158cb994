//! The chain part against nodes that answer from recorded data: honest, down, slow, senseless, lying, foreign.

mod endpoints;
mod follow;
mod node;
mod prove;
mod send;
