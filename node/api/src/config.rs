//! Settings of the API.

use std::{net::SocketAddr, time::Duration};

use crate::control::types::NetworkName;

/// Settings of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where it listens; port 0 takes a free one. Beyond loopback is refused until a login is set.
    pub listen: SocketAddr,
    /// Names, beside `localhost` and addresses, under which this node may be called.
    pub allowed_hosts: Vec<String>,
    /// The most bytes of a request's body.
    pub max_body_bytes: usize,
    /// How long answers in progress may go on after a stop.
    pub drain: Duration,
    /// The chain of this node.
    pub network: NetworkName,
}

impl Config {
    /// The usual settings for this address and chain.
    #[must_use]
    pub fn new(listen: SocketAddr, network: NetworkName) -> Config {
        Config {
            listen,
            allowed_hosts: Vec::new(),
            // 128,000 tokens of some 5 bytes, eight times over for JSON escapes and history; 32 calls at once take
            // 256 MiB at worst.
            max_body_bytes: 8 << 20,
            drain: Duration::from_secs(10),
            network,
        }
    }
}
