//! What the gateway can be told.

use std::time::Duration;

use hearth_base::Amount;

/// Settings of the gateway. [`Config::default`] suits chat.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether this node's own applications may sign for themselves where they have not delegated to its gateway. Their
    /// key has to be open then, and what they ask can be told to be theirs.
    pub direct: bool,
    /// How long a connection to a supplier may take.
    pub connect: Duration,
    /// How long a streamed answer may take to its first byte: suppliers mean the same by it. Long prompts are read
    /// before the first token. An answer that is not streamed has no first byte before its last.
    pub first_byte: Duration,
    /// How long a whole answer may take, as suppliers count it.
    pub total: Duration,
    /// Answers in progress at once; more are refused. Every one of them costs stake.
    pub max_concurrent: usize,
    /// The largest body of a request. Suppliers take 20 MB at most.
    pub max_request_bytes: usize,
    /// The largest part of an answer; one that is not streamed is one part.
    pub max_part_bytes: usize,
    /// The most bytes of all parts of an answer together, as they travel.
    pub max_answer_bytes: usize,
    /// The most parts of an answer.
    pub max_parts: u32,
    /// The most that answers may cost in a day, until the owner sets another cap.
    pub daily_cap: Amount,
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
            direct: false,
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(120),
            total: Duration::from_secs(30 * 60),
            max_concurrent: 32,
            max_request_bytes: 20 * 1000 * 1000,
            // An answer is held three times at most while its name is put in: 100 MB at the largest.
            max_part_bytes: 16 * 1024 * 1024,
            max_answer_bytes: 32 * 1024 * 1024,
            // A token of each part: more than any model's context.
            max_parts: 2_000_000,
            daily_cap: Amount::from_upokt(5_000_000),
            tries: 2,
            allow_local_endpoints: false,
            keep_receipts: 100_000,
        }
    }
}

impl Config {
    /// A limit of the supplier's, with a twentieth for the way: one with the same limit says so itself before we give
    /// it up, and then it is sure that nothing was served.
    pub(crate) fn with_the_way(limit: Duration) -> Duration {
        limit.saturating_add(limit / 20)
    }

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
            ("max_answer_bytes", self.max_answer_bytes),
            ("max_parts", self.max_parts as usize),
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
