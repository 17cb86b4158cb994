//! Words that two or more parts of Hearth speak: ids and amounts, the clock, task ownership and shutdown,
//! kinds of failure, files that are private.
//!
//! Nothing here knows a protocol or a socket. A type that only one part needs lives with that part.

pub mod amount;
pub mod clock;
pub mod failure;
pub mod ids;
pub mod json;
pub mod private;
pub mod secret;
pub mod tasks;
pub mod tls;
pub mod unseen;

pub use amount::Amount;
pub use clock::Clock;
pub use failure::{Failure, Kind};
pub use ids::{ChainId, Height, ServiceId, SessionId};
pub use secret::Secret;
pub use tasks::Tasks;
pub use unseen::is_unseen;
