//! Settings of the miner.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use hearth_base::ServiceId;

/// A body of 20 MiB, as the official miners take, and what a relay has around it.
pub const MAX_REQUEST_BYTES: usize = (20 << 20) + (64 << 10);
/// The most headers of a request, and the most bytes of them.
const MAX_HEADERS: usize = 256;
const MAX_HEAD_BYTES: usize = 32 << 10;

/// A name that clients of the network use for whatever model a service has.
const ANY_MODEL: &str = "pocket_network";

/// What the miner is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where relays arrive; bound only while earning is on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder of the evidence.
    pub evidence: PathBuf,
    /// The services that are sold, each with the limits of its answers.
    pub services: BTreeMap<ServiceId, ServiceConfig>,
    /// The backend's name for the model of each service; where there is none, the name that the request has.
    pub models: BTreeMap<ServiceId, String>,
    /// The most bytes of a relay request.
    pub max_request_bytes: usize,
    /// The most bytes of an answer; what is longer is cut off and not paid.
    pub max_answer_bytes: usize,
    /// The most parts in which the backend may send one.
    pub max_answer_parts: usize,
    /// Other names under which the model of a service is asked for.
    pub aliases: BTreeMap<String, ServiceId>,
    /// The most connections from other computers at once, and of these from one address or IPv6 network.
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    /// The most connections from this computer at once.
    pub max_connections_loopback: usize,
    /// The most bytes of requests in memory at once, beyond the 32 KiB that every connection has of its own: four of
    /// the largest allowed, or thousands of usual ones.
    pub max_waiting_bytes: usize,
    /// Requests of one address that are refused, before it waits. A check takes up to a millisecond, so a flood of
    /// refused ones costs 6 % of a core.
    pub refused: hearth_listen::Rate,
    /// How long a client may take to send its request.
    pub read_within: Duration,
    /// Below so many free bytes on the disk of the evidence, earning stops.
    pub min_free_bytes: u64,
    /// Threads that serve relays, with their curve arithmetic.
    pub threads: usize,
    /// Whether earning starts with the program, whatever was on when it ended.
    pub start: bool,
    /// Whether a staked URL may lie on this computer or in a private network.
    pub allow_local_url: bool,
}

/// Limits of a service's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// How long the backend may take to its first byte.
    pub first_byte_within: Duration,
    /// How long it may take in all.
    pub answer_within: Duration,
    /// Answers at once; 0 leaves it to the backend.
    pub slots: usize,
    /// Requests that may wait for a place.
    pub queue: usize,
}

impl Default for ServiceConfig {
    fn default() -> ServiceConfig {
        ServiceConfig {
            first_byte_within: Duration::from_secs(60),
            answer_within: Duration::from_secs(600),
            slots: 0,
            queue: 0,
        }
    }
}

impl Config {
    /// Settings with the usual limits.
    #[must_use]
    pub fn new(listen: SocketAddr, evidence: PathBuf) -> Config {
        Config {
            listen,
            evidence,
            services: BTreeMap::new(),
            models: BTreeMap::new(),
            max_request_bytes: MAX_REQUEST_BYTES,
            max_answer_bytes: 64 << 20,
            max_answer_parts: 1 << 20,
            aliases: BTreeMap::new(),
            max_connections: 1024,
            max_connections_per_address: 256,
            max_connections_loopback: 1024,
            max_waiting_bytes: 96 << 20,
            refused: hearth_listen::Rate {
                per_minute: 4_000,
                burst: 512,
            },
            read_within: Duration::from_secs(30),
            min_free_bytes: 256 << 20,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            start: false,
            allow_local_url: true,
        }
    }

    /// Checks what can be checked without asking anybody.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("max_request_bytes", self.max_request_bytes),
            ("max_answer_bytes", self.max_answer_bytes),
            ("max_answer_parts", self.max_answer_parts),
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
            ("max_connections_loopback", self.max_connections_loopback),
            ("max_waiting_bytes", self.max_waiting_bytes),
            ("threads", self.threads),
        ];
        if let Some((name, _)) = limits.iter().find(|(_, limit)| *limit == 0) {
            return Err(ConfigError::Zero { name });
        }
        for (service, config) in &self.services {
            if !hearth_pocket::relay::is_service_id(service.as_str()) {
                return Err(ConfigError::ServiceId {
                    id: service.to_string(),
                });
            }
            if config.first_byte_within.is_zero() || config.answer_within < config.first_byte_within {
                return Err(ConfigError::Limits {
                    id: service.to_string(),
                });
            }
        }
        Ok(())
    }
}

impl Config {
    /// The backend's name for the model of a service.
    pub(crate) fn model(&self, service: &ServiceId) -> Option<&str> {
        let model = self.models.get(service).map(String::as_str);
        model.filter(|model| !model.is_empty())
    }

    /// Whether a request's name for the model means whatever model the service has.
    pub(crate) fn means_the_service(&self, asked: &str, service: &ServiceId) -> bool {
        asked == ANY_MODEL
            || asked
                .strip_prefix(hearth_answers::NETWORK_PREFIX)
                .unwrap_or(asked)
                == service.as_str()
            || self.aliases.get(asked) == Some(service)
    }

    /// What the relay port allows, where an answer and its reader take `longest` at most.
    pub(crate) fn limits(&self, longest: Duration) -> hearth_listen::Limits {
        let limits = hearth_listen::Limits {
            connections: self.max_connections,
            per_address: self.max_connections_per_address,
            loopback: self.max_connections_loopback,
            read_within: self.read_within,
            busy_within: Some(longest),
            drain: longest,
            headers: MAX_HEADERS,
            head_bytes: MAX_HEAD_BYTES,
            body_bytes: self.max_request_bytes,
            memory_bytes: self.max_waiting_bytes,
            rate: Some(self.refused),
        };
        limits.fitting(hearth_listen::files::limit())
    }
}

/// Why settings cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("miner.{name} must be more than 0")]
    Zero { name: &'static str },
    #[error("\"{id}\" is no service id: use 1 to 42 letters, digits, - and _")]
    ServiceId { id: String },
    #[error(
        "service {id}: the time to the first byte must be more than 0 and at most the time for the whole answer"
    )]
    Limits { id: String },
}
