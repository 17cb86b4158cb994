//! Keys, over the wallet.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt as _, stream::BoxStream};
use hearth_pocket::Signer as _;
use hearth_wallet::{
    Entry, EntryChange, EntryId, Error, ForeignKey, Form, KeyState, Naming, Origin, Path as KeyPath, Wallet,
    WalletState, Words,
};
use tokio_stream::wrappers::WatchStream;
use zeroize::Zeroizing;

use crate::{
    control::types::{
        Account, AccountKind, AccountState, AddAccount, ChangeAccount, CheckWords, Event, ExportAccount,
        ExportForm, ExportedAccount, NewKey, Purpose, RecoveryWords, WalletPage, WalletStatus, WatchAddress,
    },
    error::ApiError,
    parts::{Answer, Keyring, Signed, SigningAccount},
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

    fn entry(&self, id: EntryId) -> Answer<Entry> {
        let accounts = self.wallet.accounts().ok_or(Error::None)?;
        let entry = accounts.all.into_iter().find(|entry| entry.id == id);
        Ok(entry.ok_or_else(|| Error::NoEntry(id.to_string()))?)
    }

    fn shown(&self, entry: &Entry) -> Account {
        let state = self.wallet.state().borrow().clone();
        let key = state.entries.iter().find(|(known, _)| known.id == entry.id);
        account(entry, key.map_or(KeyState::Locked, |(_, key)| *key))
    }
}

#[async_trait::async_trait]
impl Keyring for WalletKeyring {
    fn status(&self) -> WalletStatus {
        status(&self.wallet.state().borrow())
    }

    fn page(&self) -> WalletPage {
        let is_there = self.password_file.as_deref().is_some_and(Path::exists);
        wallet_page(&self.wallet.state().borrow(), is_there)
    }

    async fn create(&self, password: String) -> Answer<RecoveryWords> {
        let words = self.in_background(move |wallet| wallet.create(&password)).await?;
        Ok(said(&words))
    }

    async fn import(&self, words: String, passphrase: String, password: String) -> Answer<()> {
        let passphrase = Zeroizing::new(passphrase);
        self.in_background(move |wallet| wallet.restore(&Words::parse(&words)?, &passphrase, &password))
            .await
    }

    async fn unlock(&self, password: String) -> Answer<()> {
        self.in_background(move |wallet| wallet.unlock(&password)).await
    }

    fn lock_but(&self, kept: &[u32]) {
        let kept: Vec<EntryId> = kept.iter().map(|id| EntryId(*id)).collect();
        self.wallet.lock_but(&kept);
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

    fn signing_account(&self, address: Option<&str>) -> Answer<SigningAccount> {
        let signer = match address {
            Some(address) => self.wallet.signer_of(&super::address(address)?)?,
            None => self.wallet.signer(hearth_wallet::Purpose::Owner)?,
        };
        if signer.is_unattended() {
            return Err(ApiError::refused(
                "no_such_signer",
                format!(
                    "{} signs unattended, and so only what its roles need: signatures are given by the owner's accounts",
                    signer.address()
                ),
            ));
        }
        Ok(SigningAccount {
            address: signer.address().clone(),
            public_key: signer.public_key(),
        })
    }

    fn sign(&self, address: &str, bytes: &[u8]) -> Answer<Signed> {
        let account = self.signing_account(Some(address))?;
        let signature = self.wallet.signer_of(&account.address)?.sign(bytes);
        let signature = signature.map_err(|error| ApiError::conflict("key_locked", error.to_string()))?;
        Ok(Signed {
            signature: STANDARD.encode(signature),
            public_key: STANDARD.encode(account.public_key),
        })
    }

    async fn add(&self, order: AddAccount) -> Answer<Account> {
        let entry = self.in_background(move |wallet| add(wallet, order)).await?;
        Ok(self.shown(&entry))
    }

    async fn watch(&self, order: WatchAddress) -> Answer<Account> {
        let address = super::address(&order.address)?;
        let naming = naming(order.label, &order.purposes);
        let entry = self
            .in_background(move |wallet| wallet.watch(&address, &naming))
            .await?;
        Ok(self.shown(&entry))
    }

    async fn change(&self, id: u32, order: ChangeAccount) -> Answer<Account> {
        let id = EntryId(id);
        let before = self.entry(id)?;
        let purposes = order.purposes.map(|purposes| of(&purposes));
        let purposes = purposes.filter(|wanted| *wanted != before.purposes);
        let password = password_for(purposes.is_some(), order.password)?;
        let entry = self
            .in_background(move |wallet| {
                let change = EntryChange {
                    label: order.label.as_deref(),
                    purposes: purposes.as_ref(),
                    beside: order.beside,
                };
                wallet.change(id, &change, &password)
            })
            .await?;
        Ok(self.shown(&entry))
    }

    async fn remove(&self, id: u32, password: Option<String>) -> Answer<()> {
        let id = EntryId(id);
        let password = password_for(!self.entry(id)?.is_watched(), password)?;
        self.in_background(move |wallet| wallet.remove(id, &password))
            .await
    }

    async fn export(&self, id: u32, order: ExportAccount) -> Answer<ExportedAccount> {
        let id = EntryId(id);
        let entry = self.entry(id)?;
        let account = self.shown(&entry);
        let form = match (order.form, order.passphrase.filter(|text| !text.is_empty())) {
            (ExportForm::Words, _) => None,
            (ExportForm::Hex, _) => Some(Form::Hex),
            (ExportForm::Armored, Some(passphrase)) => Some(Form::Armored(Zeroizing::new(passphrase))),
            (ExportForm::Armored, None) => {
                return Err(ApiError::refused(
                    "armor_passphrase",
                    "an armored key is sealed under a passphrase",
                )
                .remedy("Give one."));
            }
        };
        let password = order.password;
        let Some(form) = form else {
            let phrase = self
                .in_background(move |wallet| wallet.export_words(Some(id), &password))
                .await?;
            return Ok(ExportedAccount {
                account,
                words: Some(said(&phrase.words).words),
                passphrase: Some(phrase.passphrase.to_string()).filter(|text| !text.is_empty()),
                key: None,
            });
        };
        let key = self
            .in_background(move |wallet| wallet.export_key(id, &form, &password))
            .await?;
        Ok(ExportedAccount {
            account,
            words: None,
            passphrase: None,
            key: Some(key.to_string()),
        })
    }

    async fn change_password(&self, old: String, new: String) -> Answer<()> {
        self.in_background(move |wallet| wallet.change_password(&old, &new))
            .await
    }

    async fn seal_operator(&self, password: String, passphrase: String) -> Answer<()> {
        self.in_background(move |wallet| wallet.seal_working(&password, &passphrase))
            .await
    }

    fn events(&self) -> BoxStream<'static, Event> {
        WatchStream::from_changes(self.wallet.state())
            .map(|state| Event::Wallet(status(&state)))
            .boxed()
    }
}

/// The password that was sent, where one is needed: one that was not sent is no guess.
fn password_for(is_needed: bool, password: Option<String>) -> Answer<Zeroizing<String>> {
    match password {
        None if is_needed => Err(
            ApiError::conflict("key_locked", "this takes the wallet's password")
                .remedy("Send the password with it."),
        ),
        password => Ok(Zeroizing::new(password.unwrap_or_default())),
    }
}

fn add(wallet: &Wallet, order: AddAccount) -> Result<Entry, Error> {
    let mut naming = naming(order.label, &order.purposes);
    naming.beside = order.beside;
    let path = |path: Option<String>| path.as_deref().map(str::parse::<KeyPath>).transpose();
    let key = match order.key {
        NewKey::Next { like, path: at } => {
            return wallet.add_next(like.map(EntryId), path(at)?, &naming, &order.password);
        }
        NewKey::Words {
            words,
            passphrase,
            path: at,
        } => ForeignKey::Words {
            words: Words::parse(&words)?,
            passphrase: Zeroizing::new(passphrase.unwrap_or_default()),
            path: path(at)?.unwrap_or_else(KeyPath::main),
        },
        NewKey::Hex { hex } => ForeignKey::hex(&hex)?,
        NewKey::Armored { text, passphrase } => ForeignKey::armored(&text, &passphrase)?,
    };
    wallet.add(&key, &naming, &order.password)
}

fn naming(label: Option<String>, purposes: &[Purpose]) -> Naming {
    Naming {
        label: label.filter(|label| !label.trim().is_empty()),
        purposes: of(purposes),
        beside: false,
    }
}

fn of(purposes: &[Purpose]) -> BTreeSet<hearth_wallet::Purpose> {
    purposes.iter().map(|purpose| inner(*purpose)).collect()
}

/// The purpose as the wallet knows it.
pub(super) const fn inner(purpose: Purpose) -> hearth_wallet::Purpose {
    match purpose {
        Purpose::Owner => hearth_wallet::Purpose::Owner,
        Purpose::Operator => hearth_wallet::Purpose::Operator,
        Purpose::Gateway => hearth_wallet::Purpose::Gateway,
        Purpose::Application => hearth_wallet::Purpose::Application,
    }
}

/// The purpose as the API says it.
pub(super) const fn outer(purpose: hearth_wallet::Purpose) -> Purpose {
    match purpose {
        hearth_wallet::Purpose::Owner => Purpose::Owner,
        hearth_wallet::Purpose::Operator => Purpose::Operator,
        hearth_wallet::Purpose::Gateway => Purpose::Gateway,
        hearth_wallet::Purpose::Application => Purpose::Application,
    }
}

/// The wallet and its accounts.
#[must_use]
pub fn wallet_page(state: &WalletState, has_password_file: bool) -> WalletPage {
    WalletPage {
        status: status(state),
        accounts: state
            .entries
            .iter()
            .map(|(entry, key)| account(entry, *key))
            .collect(),
        unattended: has_password_file,
        sealed_apart: state.is_sealed_apart,
        has_words: has_words(state),
    }
}

/// One account.
pub(super) fn account(entry: &Entry, key: KeyState) -> Account {
    Account {
        id: entry.id.0,
        label: entry.label.clone(),
        kind: match entry.origin {
            Origin::Words { .. } => AccountKind::Words,
            Origin::Raw => AccountKind::Raw,
            Origin::Armored => AccountKind::Armored,
            Origin::Watch => AccountKind::Watch,
        },
        path: entry.path().map(ToString::to_string),
        address: entry.address.to_string(),
        purposes: entry.purposes.iter().copied().map(outer).collect(),
        state: match key {
            KeyState::Locked => AccountState::Locked,
            KeyState::Open => AccountState::Open,
            KeyState::Elsewhere => AccountState::Elsewhere,
        },
    }
}

fn status(state: &WalletState) -> WalletStatus {
    let address = |purpose| state.entry(purpose).map(|entry| entry.address.to_string());
    WalletStatus {
        exists: state.exists,
        main_locked: state.is_main_locked(),
        working_locked: state.key(hearth_wallet::Purpose::Operator) != Some(KeyState::Open),
        main_address: address(hearth_wallet::Purpose::Owner),
        working_address: address(hearth_wallet::Purpose::Operator),
        words_checked: state.words_checked,
        has_words: has_words(state),
    }
}

/// Whether an account comes from recovery words.
fn has_words(state: &WalletState) -> bool {
    state.entries.iter().any(|(entry, _)| entry.path().is_some())
}

fn said(words: &Words) -> RecoveryWords {
    RecoveryWords {
        words: words.text().split(' ').map(str::to_owned).collect(),
    }
}
