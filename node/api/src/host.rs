//! What the API asks of the program around it: things that only the place that builds everything knows.

use hearth_connect::Workplace;
use tokio::sync::watch;

use crate::{
    control::types::{
        BackUp, BackupMade, BackupTested, Check, Computer, ConfigChange, ConfigPage, Licence, Setup,
        TestBackup,
    },
    parts::Answer,
};

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

    /// What this computer has.
    async fn computer(&self) -> Computer;

    /// Every setting of the configuration, as it counts and as the file has it now.
    async fn config(&self) -> Answer<ConfigPage>;

    /// Changes the file of the configuration: all of it or nothing.
    async fn change_config(&self, changes: Vec<ConfigChange>) -> Answer<ConfigPage>;

    /// Copies what cannot be fetched again into one file that a passphrase opens.
    async fn back_up(&self, order: BackUp) -> Answer<BackupMade>;

    /// Opens all of a backup without touching any data. Whether it is this node's wallet is filled in by the route.
    async fn test_backup(&self, order: TestBackup) -> Answer<BackupTested>;

    /// Stops the node and starts it anew, where this program can; says whether it does.
    fn restart(&self) -> bool;
}
