//! Settings of the weights.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use crate::{
    download::Backoff,
    provider::{HttpGateway, HttpLimits},
};

/// Settings of the weights.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where pulled models lie. Made if it is not there.
    pub folder: PathBuf,
    /// The most bytes of pulled models; `None`: as many as the disk takes.
    pub quota_bytes: Option<u64>,
    /// Bytes that a download leaves free on the disk.
    pub keep_free_bytes: u64,
    /// Gateways that are asked when a pull names none.
    pub sources: Vec<String>,
    /// Threads that hash. Each reaches about 1.8 GB/s, more than most disks.
    pub hash_threads: NonZeroUsize,
    /// Patience with gateways.
    pub http: HttpLimits,
    /// A crash loses at most this much of a download ...
    pub checkpoint_bytes: u64,
    /// ... or what arrived in this time.
    pub checkpoint_interval: Duration,
    /// How much is asked for in one request.
    pub span_bytes: u64,
    /// How failures are spaced.
    pub backoff: Backoff,
}

impl Config {
    /// Sound values for everything but the folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Config {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Config {
            folder,
            quota_bytes: None,
            keep_free_bytes: 1 << 30,
            sources: Vec::new(),
            hash_threads: NonZeroUsize::new(cores.min(4)).unwrap_or(NonZeroUsize::MIN),
            http: HttpLimits::default(),
            checkpoint_bytes: 64 << 20,
            checkpoint_interval: Duration::from_secs(5),
            span_bytes: 16 << 20,
            backoff: Backoff {
                first_ms: 5_000,
                longest_ms: 600_000,
            },
        }
    }

    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.span_bytes == 0 || self.checkpoint_bytes == 0 {
            return Err(ConfigError::Zero);
        }
        for source in &self.sources {
            HttpGateway::new(source, self.http).map_err(|_| ConfigError::Source(source.clone()))?;
        }
        Ok(())
    }
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("weights.span_bytes and weights.checkpoint_bytes must be above 0")]
    Zero,
    #[error("weights.sources has \"{0}\", which is no address: write http://HOST:PORT or https://HOST")]
    Source(String),
}
