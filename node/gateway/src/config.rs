//! What the gateway can be told.

use std::time::Duration;

use hearth_pocket::Address;

/// Settings of the gateway. [`Config::default`] suits chat.
#[derive(Clone, Debug)]
pub struct Config {
    /// Applications to pay with, beside those that the chain lists as delegated to this gateway.
    pub applications: Vec<Address>,
    /// How long a connection to a supplier may take.
    pub connect: Duration,
    /// How long an answer may take to its first verified byte. Long prompts are read before the first token.
    pub first_byte: Duration,
    /// How long a whole answer may take.
    pub total: Duration,
    /// Answers in progress at once; more are refused. Every one of them costs stake.
    pub max_concurrent: usize,
    /// The largest body of a request. Suppliers take 20 MB at most.
    pub max_request_bytes: usize,
    /// The largest answer, or part of a streamed one.
    pub max_part_bytes: usize,
    /// How many suppliers are tried, as long as none of them has begun to answer.
    pub tries: u32,
    /// Whether endpoints on this computer or in private networks are asked. A supplier's address comes from the
    /// chain: a stranger's must not reach into the local network. On devnet they are all local.
    pub allow_local_endpoints: bool,
    /// How many receipts are kept.
    pub keep_receipts: u32,
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("gateway.{name} is zero: give a time, for example \"30s\"")]
    ZeroTime { name: &'static str },
    #[error("gateway.first_byte is longer than gateway.total: raise total or lower first_byte")]
    FirstByteBeyondTotal,
    #[error("gateway.{name} is zero: nothing could be sent")]
    ZeroCount { name: &'static str },
}

impl Default for Config {
    fn default() -> Config {
        Config {
            applications: Vec::new(),
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(120),
            total: Duration::from_secs(30 * 60),
            max_concurrent: 32,
            max_request_bytes: 20 * 1000 * 1000,
            max_part_bytes: 32 * 1024 * 1024,
            tries: 2,
            allow_local_endpoints: false,
            keep_receipts: 100_000,
        }
    }
}

impl Config {
    /// Checks the settings.
    ///
    /// # Errors
    /// The first setting with which nothing would work.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (name, time) in [
            ("connect", self.connect),
            ("first_byte", self.first_byte),
            ("total", self.total),
        ] {
            if time.is_zero() {
                return Err(ConfigError::ZeroTime { name });
            }
        }
        if self.first_byte > self.total {
            return Err(ConfigError::FirstByteBeyondTotal);
        }
        let counts = [
            ("max_concurrent", self.max_concurrent),
            ("max_request_bytes", self.max_request_bytes),
            ("max_part_bytes", self.max_part_bytes),
            ("tries", self.tries as usize),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(ConfigError::ZeroCount { name }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!(Config::default().check(), Ok(()));
        let bad = Config {
            total: Duration::from_secs(1),
            ..Config::default()
        };
        assert_eq!(bad.check(), Err(ConfigError::FirstByteBeyondTotal));
        let bad = Config {
            tries: 0,
            ..Config::default()
        };
        assert_eq!(bad.check(), Err(ConfigError::ZeroCount { name: "tries" }));
        let bad = Config {
            connect: Duration::ZERO,
            ..Config::default()
        };
        assert_eq!(bad.check(), Err(ConfigError::ZeroTime { name: "connect" }));
    }
}
