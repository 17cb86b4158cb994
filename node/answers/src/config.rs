//! Settings of the loaded models.

use std::time::Duration;

/// Settings of the loaded models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The most models in memory at once.
    pub max_loaded: usize,
    /// A model that nobody asked for so long is unloaded. Zero: never.
    pub idle_unload: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_loaded: 3,
            idle_unload: Duration::from_secs(30 * 60),
        }
    }
}
