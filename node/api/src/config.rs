//! Settings of the API.

use std::{net::SocketAddr, time::Duration};

use crate::{auth::OriginPattern, control::types::NetworkName};

/// Settings of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where it listens; port 0 takes a free one. Beyond loopback is refused until a login is set.
    pub listen: SocketAddr,
    /// Names, beside `localhost` and addresses, under which this node may be called once a login is set.
    pub allowed_hosts: Vec<String>,
    /// Origins of pages that browsers let call the OpenAI API, beside those of the settings.
    pub allowed_origins: Vec<OriginPattern>,
    /// Proxies that are believed for whom they call. Without them nobody who comes through a proxy is told apart.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// What the listener allows.
    pub limits: hearth_listen::Limits,
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
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            limits: limits(),
            // 128,000 tokens of some 5 bytes, eight times over for JSON escapes and history.
            max_body_bytes: 8 << 20,
            drain: Duration::from_secs(10),
            network,
        }
    }
}

/// A page has some six connections and an event stream; programs keep some dozen. An idle connection takes some 10 kB.
fn limits() -> hearth_listen::Limits {
    hearth_listen::Limits {
        connections: 512,
        per_address: 128,
        loopback: 512,
        read_within: Duration::from_secs(30),
        // Events are heard for as long as a page is open.
        busy_within: None,
        // Set by the API, with the size of a body.
        drain: Duration::ZERO,
        headers: 256,
        head_bytes: 32 << 10,
        body_bytes: 0,
        // Six of the largest bodies, beyond the 32 KiB that every connection has of its own.
        memory_bytes: 48 << 20,
        rate: None,
    }
}
