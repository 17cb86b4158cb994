//! The chain against what the real one answered, and the devnet as clients see it.

mod calls;
mod golden;
mod light;
mod modules;
mod node;
mod queries;
mod replay;
mod settlement;
