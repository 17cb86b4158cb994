//! Keys, over the wallet.

use std::path::{Path, PathBuf};

use futures::{StreamExt as _, stream::BoxStream};
use hearth_wallet::{Error, KeyState, Role, Wallet, WalletState, Words};
use tokio_stream::wrappers::WatchStream;

use crate::{
    control::types::{Account, CheckWords, Event, KeyRole, RecoveryWords, WalletPage, WalletStatus},
    error::ApiError,
    parts::{Answer, Keyring},
};

/// The wallet behind the API.
pub struct WalletKeyring {
    pub wallet: Wallet,
    /// Where the password lies that opens the working key at every start, once it is there.
    pub password_file: Option<PathBuf>,
}

impl WalletKeyring {
    /// Runs what stretches a password outside of the async threads.
    async fn in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Wallet) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let wallet = self.wallet.clone();
        let done = tokio::task::spawn_blocking(move || work(&wallet)).await;
        done.map_err(|error| ApiError::internal(&error))?
            .map_err(ApiError::from)
    }
}

#[async_trait::async_trait]
impl Keyring for WalletKeyring {
    fn status(&self) -> WalletStatus {
        status(&self.wallet.state().borrow())
    }

    fn page(&self) -> WalletPage {
        let state = self.wallet.state().borrow().clone();
        let account = |role: Role, address: &hearth_pocket::Address, key: KeyState| Account {
            role: match role {
                Role::Main => KeyRole::Main,
                Role::Working => KeyRole::Working,
            },
            path: role.path().to_owned(),
            address: address.to_string(),
            locked: key == KeyState::Locked,
        };
        let accounts = state.accounts.as_ref().map_or_else(Vec::new, |accounts| {
            vec![
                account(Role::Main, &accounts.main, state.main),
                account(Role::Working, &accounts.working, state.working),
            ]
        });
        WalletPage {
            status: status(&state),
            accounts,
            unattended: self.password_file.as_deref().is_some_and(Path::exists),
        }
    }

    async fn create(&self, password: String) -> Answer<RecoveryWords> {
        let words = self.in_background(move |wallet| wallet.create(&password)).await?;
        Ok(said(&words))
    }

    async fn import(&self, words: String, password: String) -> Answer<()> {
        self.in_background(move |wallet| wallet.import(&Words::parse(&words)?, &password))
            .await
    }

    async fn unlock(&self, password: String) -> Answer<()> {
        self.in_background(move |wallet| wallet.unlock(&password)).await
    }

    fn lock(&self) {
        self.wallet.lock();
    }

    async fn words(&self, password: String) -> Answer<RecoveryWords> {
        let words = self
            .in_background(move |wallet| wallet.reveal_words(&password))
            .await?;
        Ok(said(&words))
    }

    async fn check(&self, check: CheckWords) -> Answer<bool> {
        self.in_background(
            move |wallet| match wallet.check_words(&Words::parse(&check.words)?) {
                Ok(()) => Ok(true),
                Err(Error::OtherWords) => Ok(false),
                Err(error) => Err(error),
            },
        )
        .await
    }

    fn events(&self) -> BoxStream<'static, Event> {
        WatchStream::from_changes(self.wallet.state())
            .map(|state| Event::Wallet(status(&state)))
            .boxed()
    }
}

fn status(state: &WalletState) -> WalletStatus {
    WalletStatus {
        exists: state.accounts.is_some(),
        main_locked: state.main == KeyState::Locked,
        working_locked: state.working == KeyState::Locked,
        main_address: state.accounts.as_ref().map(|accounts| accounts.main.to_string()),
        working_address: state
            .accounts
            .as_ref()
            .map(|accounts| accounts.working.to_string()),
        words_checked: state.words_checked,
    }
}

fn said(words: &Words) -> RecoveryWords {
    RecoveryWords {
        words: words.text().split(' ').map(str::to_owned).collect(),
    }
}
