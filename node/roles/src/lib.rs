//! Roles on the chain: what is staked, and how it is taken, changed and given up.
//!
//! ```text
//! Order ─► Facts (read) ─► plan (pure) ─► Plan: steps with their messages, and what to know before ─► outbox
//! ```
//! A plan is looked at before anything is signed. What it needs beforehand is a step of its own, and each step is signed
//! only once the one before it is in a block.

mod card;
mod elsewhere;
mod error;
mod facts;
mod leaves;
mod morse;
mod order;
mod plan;
mod power;
mod powers;
mod returned;
mod roles;
mod sent;
mod settled;
mod stranger;
mod to_sign;

pub use card::read_card;
pub use elsewhere::{FileError, Unsigned};
pub use facts::{Facts, Party};
pub use leaves::{Before, leaves};
pub use morse::{Morse, MorseKind, MorseOrder, MorseTerms, is_claimed, read_morse_address, staked_for};
pub use order::{Offer, Order, Role, ServiceOrder, Share};
pub use plan::{Note, Plan, RoleError, Step, is_near, plan};
pub use power::{Over, Power};
pub use powers::powers;
pub use returned::{Leaving, Returned, Returns, free_height};
pub use roles::{Error, Review, Roles};
pub use sent::{SentElsewhere, Trial};
pub use settled::{KnownFrom, Settled, SettledKind, Settlements};
pub use stranger::Stranger;
pub use to_sign::{ToSign, wanted_signer};

#[cfg(test)]
mod tests;
