//! Roles on the chain: what is staked, and how it is taken, changed and given up.
//!
//! ```text
//! Order ─► Facts (read) ─► plan (pure) ─► Plan: steps with their messages, and what to know before ─► outbox
//! ```
//! A plan is looked at before anything is signed. What it needs beforehand is a step of its own, and each step is signed
//! only once the one before it is in a block.

mod facts;
mod order;
mod plan;
mod roles;

pub use facts::Facts;
pub use order::{Offer, Order, Role, Share};
pub use plan::{Note, Plan, RoleError, Step, plan};
pub use roles::{Error, Review, Roles};

#[cfg(test)]
mod tests;
