//! A small program around the API.

use hearth_api::{ApiError, Host, control::types::*, parts::Answer};
use tokio::sync::watch;

/// The program around it.
pub(crate) struct Program {
    pub(crate) setup: watch::Sender<Setup>,
    /// A folder that is the home of the person who runs this.
    pub(crate) home: std::path::PathBuf,
    /// Backups that were begun, and those that were done; each ends only once it may.
    pub(crate) backups: watch::Sender<Backups>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Backups {
    pub(crate) begun: u32,
    pub(crate) done: u32,
    pub(crate) dropped: u32,
    pub(crate) held: bool,
}

/// Work that somebody may let go of half done.
struct Half<'a>(&'a watch::Sender<Backups>, bool);

impl Drop for Half<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|backups| {
            backups.done += u32::from(self.1);
            backups.dropped += u32::from(!self.1);
        });
    }
}

#[async_trait::async_trait]
impl Host for Program {
    async fn doctor(&self) -> Vec<Check> {
        [Level::Fail, Level::Ok, Level::Warn]
            .into_iter()
            .map(|level| Check {
                level,
                code: "x".into(),
                subject: "X".into(),
                fact: String::new(),
                meaning: String::new(),
                remedy: None,
            })
            .collect()
    }
    fn setup(&self) -> watch::Receiver<Setup> {
        self.setup.subscribe()
    }
    fn run_setup(&self) {
        self.setup.send_modify(|setup| setup.running = true);
    }
    fn licences(&self) -> Vec<Licence> {
        Vec::new()
    }
    fn workplace(&self) -> Option<hearth_connect::Workplace> {
        Some(hearth_connect::Workplace {
            places: hearth_connect::Places {
                home: self.home.clone(),
                config: self.home.join(".config"),
                claude: None,
                codex: None,
                commands: Vec::new(),
            },
            record: self.home.join("connections.json"),
        })
    }
    async fn computer(&self) -> Computer {
        Computer::default()
    }
    async fn config(&self) -> Answer<ConfigPage> {
        Ok(ConfigPage {
            file: "config.toml".into(),
            settings: Vec::new(),
            needs_restart: false,
            can_restart: false,
            problem: None,
        })
    }
    async fn change_config(&self, changes: Vec<ConfigChange>) -> Answer<ConfigPage> {
        match changes.first() {
            Some(change) if change.key == "wrong" => {
                Err(ApiError::refused("config_unknown", "\"wrong\" is no setting"))
            }
            Some(_) | None => self.config().await,
        }
    }
    async fn back_up(&self, order: BackUp) -> Answer<BackupMade> {
        let mut half = Half(&self.backups, false);
        self.backups.send_modify(|backups| backups.begun += 1);
        let mut seen = self.backups.subscribe();
        let _ = seen.wait_for(|backups| !backups.held).await;
        half.1 = true;
        Ok(BackupMade {
            path: order.to,
            chain_id: "test".into(),
            made_at: Timestamp::from_ms(0),
            files: 3,
            hearth: "1".into(),
        })
    }
    async fn test_backup(&self, order: TestBackup) -> Answer<BackupTested> {
        let made = BackUp {
            to: order.from,
            passphrase: String::new(),
        };
        Ok(BackupTested {
            backup: self.back_up(made).await?,
            wallet: Some("pokt1main".into()),
            is_this_wallet: None,
            password_opens: None,
            conversations: 1,
            transactions: 2,
        })
    }
    fn restart(&self) -> bool {
        false
    }
}
