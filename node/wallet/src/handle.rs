//! The wallet in memory: which keys are open, and signing with them.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hearth_base::Clock;
use hearth_pocket::{
    address::Address,
    keys::{SecretKey, SignError, Signer},
    ring::Ring,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::{
    Error,
    attempts::PasswordAttempts,
    entry::{Entry, EntryId, Purpose},
    keystore::{self, StoredEntry, WalletFile},
    seal::Cost,
};

/// Where the keys lie and what guesses cost.
#[derive(Clone, Debug)]
pub struct Config {
    /// The keystore folder.
    pub folder: PathBuf,
    /// Cost of new seals; a sealed box carries its own.
    pub cost: Cost,
}

/// Whether a key can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Sealed; asks for the password.
    Locked,
    /// In memory.
    Open,
    /// Not here: the account is only watched.
    Elsewhere,
}

/// What the screen shows of the wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalletState {
    /// Whether there is a wallet.
    pub exists: bool,
    /// Its accounts, the oldest first.
    pub entries: Vec<(Entry, KeyState)>,
    /// Whether the owner has shown that the words are written down; where there are none there is nothing to write.
    pub words_checked: bool,
    /// Whether all keys that sign unattended have a password that opens nothing else.
    pub is_sealed_apart: bool,
}

impl WalletState {
    /// The account that serves a purpose; where several do, the first.
    #[must_use]
    pub fn entry(&self, purpose: Purpose) -> Option<&Entry> {
        self.serving(purpose).map(|(entry, _)| entry)
    }

    /// Whether the key for a purpose can sign; `None` where no account serves it.
    #[must_use]
    pub fn key(&self, purpose: Purpose) -> Option<KeyState> {
        self.serving(purpose).map(|(_, state)| *state)
    }

    /// The accounts that are operators of suppliers, the usual one first.
    pub fn operators(&self) -> impl Iterator<Item = &(Entry, KeyState)> {
        let entries = self.entries.iter();
        entries.filter(|(entry, _)| entry.purposes.contains(&Purpose::Operator))
    }

    /// Whether the key of an account is here and waits for the password.
    #[must_use]
    pub fn is_locked(&self, account: &Address) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(entry, state)| entry.address == *account && *state == KeyState::Locked)
    }

    /// The labels of the keys that sign unattended and are locked.
    #[must_use]
    pub fn locked_unattended(&self) -> Vec<&str> {
        let is_locked =
            |(entry, state): &&(Entry, KeyState)| entry.is_unattended() && *state == KeyState::Locked;
        let locked = self.entries.iter().filter(is_locked);
        locked.map(|(entry, _)| entry.label.as_str()).collect()
    }

    /// Whether the keys that ask for the password are closed: as long as one is open there is something to lock.
    #[must_use]
    pub fn is_main_locked(&self) -> bool {
        let is = |wanted| {
            let mut attended = self.entries.iter().filter(|(entry, _)| !entry.is_unattended());
            attended.any(|(_, state)| *state == wanted)
        };
        !self.exists || (is(KeyState::Locked) && !is(KeyState::Open))
    }

    fn serving(&self, purpose: Purpose) -> Option<&(Entry, KeyState)> {
        let mut entries = self.entries.iter();
        entries.find(|(entry, _)| entry.purposes.contains(&purpose))
    }
}

/// The addresses of a wallet by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    pub owner: Option<Address>,
    /// The usual one: the first of [`Accounts::operators`].
    pub operator: Option<Address>,
    /// All whose suppliers are served here, in the order of the accounts.
    pub operators: Vec<Address>,
    pub gateway: Option<Address>,
    pub application: Option<Address>,
    /// All of them, also those without a purpose and those that are only watched.
    pub all: Vec<Entry>,
}

impl Accounts {
    /// Whether the key of an address is here.
    #[must_use]
    pub fn owns(&self, address: &str) -> bool {
        let mut own = self.all.iter().filter(|entry| !entry.is_watched());
        own.any(|entry| entry.address.as_str() == address)
    }

    /// The address that a wallet is known by: the owner's, else that of its first account.
    #[must_use]
    pub fn usual(&self) -> Option<&Address> {
        self.owner
            .as_ref()
            .or_else(|| self.all.first().map(|entry| &entry.address))
    }
}

/// The wallet of this node. Clones are the same wallet.
#[derive(Clone)]
pub struct Wallet {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    keys: Mutex<Keys>,
    /// Held from the question whether one may try to the verdict, so that attempts side by side count one by one.
    pub(crate) attempts: Mutex<PasswordAttempts>,
    /// Held while the file is changed: from reading what is there to writing what comes of it.
    pub(crate) changing: Mutex<()>,
    state: watch::Sender<WalletState>,
    /// When a key that asks for the password was last opened or signed with.
    used_ms: AtomicI64,
}

pub(crate) struct Keys {
    pub(crate) file: Option<WalletFile>,
    pub(crate) open: BTreeMap<EntryId, Arc<SecretKey>>,
}

impl Wallet {
    /// Reads the keystore folder. All keys are locked at first.
    ///
    /// # Errors
    /// A wallet file that cannot be read or is damaged.
    pub fn open(config: Config, clock: Clock) -> Result<Wallet, Error> {
        let file = keystore::read(&keystore::file_in(&config.folder))?;
        let keys = Keys {
            file,
            open: BTreeMap::new(),
        };
        let state = watch::Sender::new(keys.state());
        Ok(Wallet {
            inner: Arc::new(Inner {
                config,
                clock,
                keys: Mutex::new(keys),
                attempts: Mutex::default(),
                changing: Mutex::default(),
                state,
                used_ms: AtomicI64::new(0),
            }),
        })
    }

    /// The state now and at every change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<WalletState> {
        self.inner.state.subscribe()
    }

    /// The addresses; `None` where there is no wallet yet.
    #[must_use]
    pub fn accounts(&self) -> Option<Accounts> {
        let keys = self.keys();
        let file = keys.file.as_ref()?;
        let of = |purpose| file.serving(purpose).map(|entry| entry.address.clone());
        Some(Accounts {
            owner: of(Purpose::Owner),
            operator: of(Purpose::Operator),
            operators: file
                .entries
                .iter()
                .filter(|stored| stored.entry.purposes.contains(&Purpose::Operator))
                .map(|stored| stored.entry.address.clone())
                .collect(),
            gateway: of(Purpose::Gateway),
            application: of(Purpose::Application),
            all: file.entries.iter().map(|stored| stored.entry.clone()).collect(),
        })
    }

    /// The address that serves a purpose.
    #[must_use]
    pub fn address(&self, purpose: Purpose) -> Option<Address> {
        let keys = self.keys();
        Some(keys.file.as_ref()?.serving(purpose)?.address.clone())
    }

    /// An entry by its address, label or number, or by what it is used for; `main` and `working` are the words of
    /// earlier releases for owner and operator.
    ///
    /// # Errors
    /// No wallet, no such entry.
    pub fn find(&self, name: &str) -> Result<Entry, Error> {
        let name = name.trim();
        let keys = self.keys();
        let file = keys.file.as_ref().ok_or(Error::None)?;
        let entries = || file.entries.iter().map(|stored| &stored.entry);
        let purpose = match name {
            "main" => Some(Purpose::Owner),
            "working" => Some(Purpose::Operator),
            other => Purpose::ALL.into_iter().find(|purpose| purpose.word() == other),
        };
        let found = entries()
            .find(|entry| entry.address.as_str() == name || entry.label == name)
            .or_else(|| file.serving(purpose?))
            .or_else(|| entries().find(|entry| entry.id.to_string() == name));
        found.cloned().ok_or_else(|| Error::NoEntry(shortened(name)))
    }

    /// Forgets the keys that ask for the password. Earning goes on with those that sign unattended.
    pub fn lock(&self) {
        self.lock_but(&[]);
    }

    /// Forgets the keys that ask for the password, but for these.
    pub fn lock_but(&self, kept: &[EntryId]) {
        let mut keys = self.keys();
        let unattended: Vec<EntryId> = keys.unattended().collect();
        keys.open
            .retain(|id, _| unattended.contains(id) || kept.contains(id));
        self.publish(&keys);
    }

    /// Forgets all keys.
    pub fn lock_all(&self) {
        let mut keys = self.keys();
        keys.open.clear();
        self.publish(&keys);
    }

    /// Forgets the keys that ask for the password if none was used for so long. Says whether it did.
    pub fn lock_unused(&self, limit: Duration) -> bool {
        let idle_ms = self.inner.clock.now_ms() - self.inner.used_ms.load(Ordering::Relaxed);
        if idle_ms < 0 {
            // The clock was set back: idleness counts from now on.
            self.touch();
        }
        let is_over = u128::try_from(idle_ms).is_ok_and(|idle| idle >= limit.as_millis());
        let is_open = {
            let keys = self.keys();
            let unattended: Vec<EntryId> = keys.unattended().collect();
            keys.open.keys().any(|id| !unattended.contains(id))
        };
        if is_over && is_open {
            self.lock();
        }
        is_over && is_open
    }

    /// A handle that signs with the key that serves a purpose, for as long as it is open.
    ///
    /// # Errors
    /// No wallet, no key for this, one that is only watched.
    pub fn signer(&self, purpose: Purpose) -> Result<KeyHandle, Error> {
        let entry = {
            let keys = self.keys();
            let file = keys.file.as_ref().ok_or(Error::None)?;
            file.serving(purpose).cloned()
        };
        self.handle(&entry.ok_or(Error::NoKeyFor(purpose))?)
    }

    /// A handle that signs with the key of an account, for as long as it is open.
    ///
    /// # Errors
    /// No wallet, no such account, one that is only watched.
    pub fn signer_of(&self, account: &Address) -> Result<KeyHandle, Error> {
        let entry = {
            let keys = self.keys();
            let file = keys.file.as_ref().ok_or(Error::None)?;
            // By the address alone: a label may be any text.
            let mut entries = file.entries.iter().map(|stored| &stored.entry);
            entries.find(|entry| entry.address == *account).cloned()
        };
        self.handle(&entry.ok_or_else(|| Error::NoEntry(account.to_string()))?)
    }

    fn handle(&self, entry: &Entry) -> Result<KeyHandle, Error> {
        if entry.is_watched() {
            return Err(Error::Watched {
                address: entry.address.clone(),
            });
        }
        let public_key = entry.public_key.as_deref().and_then(keystore::public_key);
        Ok(KeyHandle {
            wallet: self.clone(),
            id: entry.id,
            is_unattended: entry.is_unattended(),
            address: entry.address.clone(),
            public_key: public_key.ok_or_else(|| self.damaged("a public key is no key"))?,
        })
    }

    pub(crate) fn damaged(&self, why: &str) -> Error {
        Error::Damaged {
            path: keystore::file_in(&self.inner.config.folder),
            why: why.to_owned(),
        }
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, Keys> {
        // Every change of the keys is one assignment, so a panic elsewhere leaves them whole.
        self.inner.keys.lock()
    }

    pub(crate) fn publish(&self, keys: &Keys) {
        self.inner.state.send_replace(keys.state());
    }

    /// A key that asks for the password is in use.
    pub(crate) fn touch(&self) {
        let now_ms = self.inner.clock.now_ms();
        self.inner.used_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Keys {
    /// The entries whose keys sign while nobody is there.
    fn unattended(&self) -> impl Iterator<Item = EntryId> {
        let entries = self.file.iter().flat_map(|file| &file.entries);
        let unattended = entries.filter(|stored| stored.entry.is_unattended());
        unattended.map(|stored| stored.entry.id)
    }

    fn state(&self) -> WalletState {
        let Some(file) = &self.file else {
            return WalletState::default();
        };
        let of = |entry: &Entry| {
            if entry.is_watched() {
                KeyState::Elsewhere
            } else if self.open.contains_key(&entry.id) {
                KeyState::Open
            } else {
                KeyState::Locked
            }
        };
        let entries = file.entries.iter().map(|stored| &stored.entry);
        WalletState {
            exists: true,
            entries: entries.map(|entry| (entry.clone(), of(entry))).collect(),
            words_checked: file.phrases.iter().all(|phrase| phrase.is_checked),
            is_sealed_apart: is_sealed_apart(file),
        }
    }
}

/// Whether every key that signs unattended has a box of its own: one that has none is locked after a restart.
fn is_sealed_apart(file: &WalletFile) -> bool {
    let signs = |stored: &&StoredEntry| stored.entry.is_unattended() && !stored.entry.is_watched();
    let mut unattended = file.entries.iter().filter(signs).peekable();
    unattended.peek().is_some() && unattended.all(|stored| stored.apart.is_some())
}

fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}

/// Signs with one key of the wallet; refuses while that key is locked.
#[derive(Clone)]
pub struct KeyHandle {
    wallet: Wallet,
    id: EntryId,
    is_unattended: bool,
    address: Address,
    public_key: [u8; 33],
}

impl KeyHandle {
    /// Whether the key signs while nobody is there.
    #[must_use]
    pub fn is_unattended(&self) -> bool {
        self.is_unattended
    }

    fn with_key<T>(&self, sign: impl FnOnce(&SecretKey) -> T) -> Result<T, SignError> {
        // The key is copied out, so that a long ring signature does not hold up other signers.
        let key = self.wallet.keys().open.get(&self.id).cloned();
        let key = key.ok_or_else(|| SignError::Locked {
            address: self.address.clone(),
        })?;
        if !self.is_unattended {
            self.wallet.touch();
        }
        Ok(sign(&key))
    }
}

impl Signer for KeyHandle {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> [u8; 33] {
        self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.with_key(|key| key.sign(message))
    }

    fn ring_sign(&self, ring: &Ring, message_hash: &[u8; 32]) -> Result<Vec<u8>, SignError> {
        self.with_key(|key| Signer::ring_sign(key, ring, message_hash))?
    }
}

impl std::fmt::Debug for KeyHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyHandle({})", self.address)
    }
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wallet({:?})", self.accounts())
    }
}
