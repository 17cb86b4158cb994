//! Configuration: one schema, four layers, each setting with its origin.
//!
//! built-in < `config.toml` < `HEARTH_*` environment (`HEARTH_MINER__PUBLIC_URL` = `miner.public_url`) < flags.
//! This is the only place that reads the environment; every other part gets checked values as arguments.

mod address;
mod backends;
mod change;
mod edit;
mod layers;
mod networks;
mod places;
mod schema;
mod settings;

pub use address::listen_address;
pub use backends::{BackendKind, BackendSettings};
pub(crate) use change::without_password;
pub use change::{ChangeError, Prepared, is_hidden, prepare, shown};
pub use edit::{Change, EditError};
pub use layers::{BUILT_IN, ConfigError, Flags, Layered, load};
pub use places::{is_a_person, places, working_key_credential};
pub use schema::{Kind, Setting};
pub use settings::{
    ApiSettings, ChainSettings, DevnetSettings, EngineSettings, GatewaySettings, LogFormat, LogSettings,
    MinerSettings, ModelsSettings, Settings, TrustSettings, WalletSettings, WeightsSettings,
};
