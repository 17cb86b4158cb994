//! Every transaction of this node, on one path: record → sign → send → chase → end.
//!
//! ```text
//! Intent ─► waiting ─► signed ─► placed ─► ended: included | failed | refused | expired | unknown
//!              ▲          │
//!              └──────────┘  of one that is tried again, once it is certain that no block can hold it any more
//! ```
//! What is wanted is kept before anything else happens; the bytes that do it are kept before they are signed, and again
//! with their signature before they are sent. After a crash the very same bytes are sent again. Others are signed in
//! their place only with the same moment of validity, of which the chain takes one transaction at most, or once verified
//! blocks show that none holds the former ones and none ever will. So nothing is paid twice and nothing is lost, whatever
//! endpoints say.

mod db;
mod elsewhere;
mod groups;
mod intent;
mod item;
mod make;
mod network;
mod older;
mod open_tx;
mod outbox;
mod policy;
mod prune;
mod round;

pub use db::DbError;
pub use elsewhere::{Signed, sequence_of};
pub use intent::{Intent, Reason};
pub use item::{Item, Outcome, Part, State};
pub use network::{Draft, Failure, Moment, Network, Seen};
pub use outbox::{Args, Outbox, Put, PutError, Signers};
pub use policy::{Forbidden, Policy};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
