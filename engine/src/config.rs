//! Settings of an engine, and their bounds.

/// How exactly numbers are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// Activations are quantised in blocks of 32: to 8 bits as other fast engines do, in narrow models to 16. Keys and
    /// values are kept with 16 bits.
    #[default]
    Fast,
    /// Weights are widened to f32 and all arithmetic is f32: the reference the fast path is compared with.
    Exact,
}

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// Compute threads; 0 takes every processor this process may use.
    pub threads: usize,
    /// Memory for weights and KV caches together; without it, what is free on the machine, less a tenth.
    pub memory_limit_bytes: Option<u64>,
    /// Sequences decoded together, for each priority. More than this wait in the queue, but for one of each request
    /// and asker that has none while others have several: up to twice as many.
    pub max_running: usize,
    /// Requests that may wait; the next one is refused as busy.
    pub max_queued: usize,
    /// Prompt tokens computed in one round, so that running answers go on meanwhile. At 256 a round of the
    /// demo model takes about half a second on two cores.
    pub prefill_tokens_per_round: usize,
    /// How exactly numbers are computed.
    pub precision: Precision,
    /// Gives the time as seconds since 1970, for chat templates that print the date; without it such a
    /// template is refused.
    pub unix_now: Option<fn() -> i64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: 0,
            memory_limit_bytes: None,
            max_running: 8,
            max_queued: 256,
            prefill_tokens_per_round: 128,
            precision: Precision::Fast,
            unix_now: None,
        }
    }
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A figure outside its range.
    #[error("engine.{field} is {value}: it must be {range}")]
    BadConfig {
        /// The field.
        field: &'static str,
        /// What it is.
        value: usize,
        /// What is allowed.
        range: &'static str,
    },
    /// The system gave no thread.
    #[error("the engine cannot start its threads ({reason}): raise the limit of processes")]
    Threads {
        /// The system's words.
        reason: String,
    },
}

/// Refuses figures outside their range.
pub(crate) fn check(config: &Config) -> Result<(), StartError> {
    let ranges = [
        ("threads", config.threads, 0, 1024, "from 0 (all) to 1024"),
        ("max_running", config.max_running, 1, 256, "from 1 to 256"),
        ("max_queued", config.max_queued, 1, 65_536, "from 1 to 65536"),
        (
            "prefill_tokens_per_round",
            config.prefill_tokens_per_round,
            1,
            4096,
            "from 1 to 4096",
        ),
    ];
    for (field, value, low, high, range) in ranges {
        if !(low..=high).contains(&value) {
            return Err(StartError::BadConfig { field, value, range });
        }
    }
    Ok(())
}
