//! The way out: JSON-RPC to several endpoints of one chain, with time limits, scores, pauses and failover.
//!
//! Nothing here is trusted: what comes back is checked by the `verify` part, and an endpoint whose answer fails
//! that check is banned by its caller, with what it said kept as evidence.

mod endpoint;
mod error;
mod evidence;
mod health;
mod pool;
pub mod wire;

pub(crate) use endpoint::Endpoint;
pub use error::RpcError;
pub(crate) use error::is_pruned;
pub use evidence::Evidence;
pub(crate) use evidence::{Heard, Lie};
pub use health::{EndpointState, EndpointStatus};
pub(crate) use pool::{Fault, Pool};
