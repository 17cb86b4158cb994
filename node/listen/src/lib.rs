//! The one place where this program listens for HTTP: connections, their limits, and the bytes of requests.
//!
//! ```text
//! socket ─► table (caps, longest-waiting makes way) ─► connection ─► head, bucket ─► service ─► answer
//!              ▲                                          │              │
//!              └── sweep: deadlines, stop ────────────────┘              └─ body: size, shared memory, deadline
//! ```
//! A connection *waits* while it is its client's turn: a head or a body is to come, or an answer to be taken. Only
//! one that waits can make way or be ended; an answer that is being made is finished. One that brought something worth
//! its work (a paid relay, a caller with a key) makes way last. No connection has a timer of its
//! own: one task looks at all of them. A body gets one when its bytes do not come at once.
//!
//! A panic while a request is answered costs that request, one elsewhere in a connection costs that connection.

mod activity;
mod body;
mod connection;
pub mod files;
mod limits;
mod listener;
mod origin;
mod stream;
mod table;

pub use body::{Body, BodyError, BodyRule, MemoryShare};
pub use connection::{Peer, Refusal, Service};
pub use limits::{Limits, Rate};
pub use listener::{Args, bind, start};

#[cfg(test)]
mod tests;
