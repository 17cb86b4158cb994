//! What the API asks of the program around it.

use std::{path::Path, sync::Arc};

use hearth_api::{
    ApiError, Host,
    control::types::{
        BackUp, BackupMade, BackupTested, Check, Computer, ConfigChange, ConfigPage, Licence, Setup,
        TestBackup, Timestamp,
    },
};
use hearth_base::{ChainId, Secret};
use hearth_connect::Workplace;
use hearth_engine::Hardware;
use serde::Deserialize;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};

use crate::{
    backup::{self, Backup, BackupError, Guesses, Refused, SealError},
    config::{self, Change, Layered},
    config_page,
    data_dir::Layout,
    doctor::{self, DoctorInput},
    logging,
    reconfigure::reconfigure,
    setup::SetupRunner,
};

/// Written by `cargo run -p xtask -- licences` from the lock file.
const LICENCES: &str = include_str!("../../../assets/licences.json");

/// The program, seen from its API.
pub(crate) struct Program {
    pub(crate) input: DoctorInput,
    pub(crate) setup: SetupRunner,
    /// What counts. Held while the file is changed, so that two changes do not cross.
    pub(crate) layered: Mutex<Layered>,
    pub(crate) layout: Layout,
    pub(crate) chain: ChainId,
    /// Held while a backup is made or tested: each takes much memory, and a test says whether a password is right.
    pub(crate) guesses: Mutex<Guesses>,
    /// Tells whoever runs the node to start it anew; `None` where nobody would.
    pub(crate) restart: Option<Arc<Notify>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    licence: String,
    repository: Option<String>,
}

#[async_trait::async_trait]
impl Host for Program {
    async fn doctor(&self) -> Vec<Check> {
        doctor::run_checks(&self.input).await
    }

    fn setup(&self) -> watch::Receiver<Setup> {
        self.setup.state()
    }

    fn run_setup(&self) {
        self.setup.run();
    }

    fn licences(&self) -> Vec<Licence> {
        // The file is made by a program and read by a test.
        let entries: Vec<Entry> = serde_json::from_str(LICENCES).unwrap_or_default();
        let licence = |entry: Entry| Licence {
            name: entry.name,
            version: entry.version,
            licence: entry.licence,
            repository: entry.repository,
        };
        entries.into_iter().map(licence).collect()
    }

    fn workplace(&self) -> Option<Workplace> {
        let places = config::places()?;
        config::is_a_person(&places, self.layout.root()).then(|| Workplace {
            places,
            record: self.layout.connections(),
        })
    }

    async fn computer(&self) -> Computer {
        let root = self.layout.root().to_owned();
        // The probe opens driver libraries, which can take a while.
        let probed = tokio::task::spawn_blocking(move || (Hardware::probe(), doctor::free_bytes(&root)));
        let Ok((hardware, free)) = probed.await else {
            return Computer::default();
        };
        Computer {
            cpu: hardware.cpu,
            threads: u32::try_from(hardware.threads).unwrap_or(u32::MAX),
            memory_bytes: hardware.memory_bytes,
            available_bytes: hardware.available_bytes,
            graphics: hardware.gpus.into_iter().map(|gpu| gpu.name).collect(),
            disk_free_bytes: free.unwrap_or_default(),
        }
    }

    async fn config(&self) -> Result<ConfigPage, ApiError> {
        let now = self.layered.lock().await;
        Ok(config_page::page(&now, self.restart.is_some()))
    }

    async fn change_config(&self, changes: Vec<ConfigChange>) -> Result<ConfigPage, ApiError> {
        let changes: Vec<Change> = changes
            .into_iter()
            .map(|ConfigChange { key, value }| Change { key, value })
            .collect();
        let mut now = self.layered.lock().await;
        let next =
            reconfigure(&now, &changes, Some(&self.chain)).map_err(|error| config_page::refused(&error))?;
        // What can take effect without a new start does.
        const FILTER: &str = "log.filter";
        if next.settings.log.filter != now.settings.log.filter
            && logging::set_filter(&next.settings.log.filter).is_ok()
        {
            now.settings.log.filter.clone_from(&next.settings.log.filter);
            if let Some(filter) = next.origins.get(FILTER) {
                now.origins.insert(FILTER.to_owned(), filter.clone());
            }
        }
        Ok(config_page::page(&now, self.restart.is_some()))
    }

    async fn back_up(&self, order: BackUp) -> Result<BackupMade, ApiError> {
        let to = Path::new(order.to.trim());
        if !to.is_absolute() {
            return Err(ApiError::refused(
                "path_relative",
                "the path must begin at the root, as /home/me/hearth.backup",
            ));
        }
        let _turn = turn(&self.guesses)?;
        let config = self.layered.lock().await.file.clone();
        let passphrase = Secret::from(order.passphrase);
        let made = backup::back_up_sealed(&self.layout, &config, to, &passphrase).await;
        Ok(shown(to, &made.map_err(|error| backup_refused(&error))?))
    }

    async fn test_backup(&self, order: TestBackup) -> Result<BackupTested, ApiError> {
        let from = Path::new(order.from.trim());
        let (passphrase, password) = (
            order.passphrase.map(Secret::from),
            order.wallet_password.map(Secret::from),
        );
        let mut guesses = turn(&self.guesses)?;
        let tested = guesses.rehearse(&self.layout, from, passphrase.as_ref(), password.as_ref());
        let tested = tested.await.map_err(|refused| match refused {
            Refused::Wait { seconds } => hearth_wallet::Error::Wait { seconds }.into(),
            Refused::Backup(error) => backup_refused(&error),
        })?;
        Ok(BackupTested {
            backup: shown(from, &tested.backup),
            wallet: tested.wallet,
            is_this_wallet: None,
            password_opens: tested.password_opens,
            conversations: tested.conversations,
            transactions: tested.transactions,
        })
    }

    fn restart(&self) -> bool {
        self.restart
            .as_ref()
            .inspect(|restart| restart.notify_one())
            .is_some()
    }
}

fn shown(path: &Path, made: &Backup) -> BackupMade {
    BackupMade {
        path: path.display().to_string(),
        chain_id: made.chain_id.clone(),
        made_at: Timestamp::from_ms(made.made_at_ms),
        files: u32::try_from(made.files.len()).unwrap_or(u32::MAX),
        hearth: made.hearth.clone(),
    }
}

/// The turn to make or test a backup, which one has at a time.
fn turn(guesses: &Mutex<Guesses>) -> Result<MutexGuard<'_, Guesses>, ApiError> {
    guesses.try_lock().map_err(|_| {
        ApiError::conflict(
            "backup_busy",
            "another backup is being made or tested: wait until that is done",
        )
    })
}

/// Why there is no backup, in the words of the API.
fn backup_refused(error: &BackupError) -> ApiError {
    let words = hearth_base::failure::chain(error);
    match error {
        BackupError::Exists(_) => ApiError::conflict("backup_exists", words),
        BackupError::NeedsPassphrase(_) => ApiError::refused("passphrase_needed", words),
        BackupError::Sealed {
            source: SealError::Wrong,
            ..
        } => ApiError::refused("passphrase_wrong", words),
        BackupError::File { .. } => ApiError::refused("backup_unwritable", words),
        BackupError::Nothing(_)
        | BackupError::BrokenLink(_)
        | BackupError::NoBackup { .. }
        | BackupError::Damaged { .. }
        | BackupError::Newer { .. }
        | BackupError::HasData(_)
        | BackupError::Sealed { .. }
        | BackupError::DataDir(_)
        | BackupError::Store(_) => ApiError::refused("no_backup", words),
    }
}

#[cfg(test)]
mod tests {
    use hearth_base::Clock;

    use super::*;

    #[test]
    fn one_backup_is_made_or_tested_at_a_time() {
        let guesses = Mutex::new(Guesses::new(Clock::test(0)));
        let first = turn(&guesses).unwrap();
        assert_eq!(turn(&guesses).map(drop).unwrap_err().code, "backup_busy");
        drop(first);
        assert!(turn(&guesses).is_ok());
    }

    #[test]
    fn the_licences_are_readable_and_complete() {
        let entries: Vec<Entry> = serde_json::from_str(LICENCES).unwrap();
        for wanted in ["tokio", "k256", "candle-core", "sqlx"] {
            assert!(
                entries
                    .iter()
                    .any(|entry| entry.name == wanted && !entry.licence.is_empty()),
                "{wanted}"
            );
        }
    }
}
