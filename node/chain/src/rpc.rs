//! The way out: JSON-RPC to several endpoints of one chain, with time limits, health and failover.
//!
//! Nothing here is trusted: what comes back is checked by the `verify` part, and an endpoint whose answer fails
//! that check is banned by its caller.

mod endpoint;
mod pool;
pub mod wire;

pub(crate) use endpoint::Endpoint;
pub(crate) use endpoint::is_pruned;
pub use endpoint::{EndpointState, EndpointStatus, RpcError};
pub(crate) use pool::Pool;
