//! What the API asks of the program around it: things that only the place that builds everything knows.

use hearth_connect::Workplace;
use tokio::sync::watch;

use crate::control::types::{Check, ConfiguredValue, Licence, Setup};

/// The program around the API. `hearth-node` implements it; tests have a small one.
#[async_trait::async_trait]
pub trait Host: Send + Sync + 'static {
    /// Runs all checks of the doctor. The API sorts them, fails last.
    async fn doctor(&self) -> Vec<Check>;

    /// The set-up of devnet, as it goes on. On other networks it stays at `Setup::default()` with `done`.
    fn setup(&self) -> watch::Receiver<Setup>;

    /// Begins the set-up, or goes on at the step that failed. Returns at once; [`Host::setup`] tells the rest.
    /// A set-up that runs is left alone.
    fn run_setup(&self);

    /// The parts that Hearth is built from.
    fn licences(&self) -> Vec<Licence>;

    /// Where the programs of the person who runs this keep their settings; `None` where nobody does, as in a service.
    fn workplace(&self) -> Option<Workplace>;

    /// Values of the configuration with their origin, for the Settings page.
    fn configured(&self) -> Vec<ConfiguredValue>;
}
