//! The wallet in memory: which keys are open, and signing with them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hearth_base::Clock;
use hearth_pocket::{
    address::Address,
    keys::{SecretKey, SignError, Signer},
    ring::Ring,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    Error,
    derive::{Role, derive},
    keystore::{self, Accounts, WalletFile},
    mnemonic::Words,
    seal::{Cost, OpenError, Sealed, seal},
};

/// The fewest characters of a password.
const MIN_PASSWORD_CHARS: usize = 8;
/// Wrong passwords before the wallet makes one wait.
const TRIES: u32 = 5;
/// How long one waits then.
const WAIT: Duration = Duration::from_secs(60);

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
}

/// What the screen shows of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletState {
    /// Addresses; `None` where there is no wallet yet.
    pub accounts: Option<Accounts>,
    /// The main key.
    pub main: KeyState,
    /// The working key.
    pub working: KeyState,
    /// Whether the owner has shown that the words are written down.
    pub words_checked: bool,
}

/// The wallet of this node. Clones are the same wallet.
#[derive(Clone)]
pub struct Wallet {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    clock: Clock,
    keys: Mutex<Keys>,
    /// Held from the question whether one may try to the verdict, so that attempts side by side count one by one.
    attempts: Mutex<PasswordAttempts>,
    state: watch::Sender<WalletState>,
}

struct Keys {
    file: Option<WalletFile>,
    main: Option<Arc<SecretKey>>,
    working: Option<Arc<SecretKey>>,
}

/// Wrong passwords of late.
#[derive(Default)]
struct PasswordAttempts {
    wrong: u32,
    wait_until_ms: i64,
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
            main: None,
            working: None,
        };
        let state = watch::Sender::new(keys.state());
        Ok(Wallet {
            inner: Arc::new(Inner {
                config,
                clock,
                keys: Mutex::new(keys),
                attempts: Mutex::default(),
                state,
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
        self.keys().file.as_ref().map(|file| file.accounts.clone())
    }

    /// Makes a wallet from new words and opens both keys. The words are returned once, to be written down.
    ///
    /// # Errors
    /// A wallet that exists, a weak password, a folder that cannot be written.
    pub fn create(&self, password: &str) -> Result<Words, Error> {
        let words = Words::generate()?;
        self.put(&words, password, false)?;
        Ok(words)
    }

    /// Makes a wallet from words that the owner has. Opens both keys.
    ///
    /// # Errors
    /// As [`Wallet::create`].
    pub fn import(&self, words: &Words, password: &str) -> Result<(), Error> {
        // Whoever types the words in has them written down.
        self.put(words, password, true)
    }

    /// Opens the keys with the password of the wallet.
    ///
    /// # Errors
    /// No wallet, a wrong password, too many of them.
    pub fn unlock(&self, password: &str) -> Result<(), Error> {
        let words = self.opened_words(password)?;
        let mut keys = self.keys();
        keys.main = Some(Arc::new(derive(&words, Role::Main).key()));
        keys.working = Some(Arc::new(derive(&words, Role::Working).key()));
        self.publish(&keys);
        Ok(())
    }

    /// Opens the working key alone, with the password of its own box.
    ///
    /// # Errors
    /// As [`Wallet::unlock`].
    pub fn unlock_working(&self, password: &str) -> Result<(), Error> {
        let bytes = self.open_box(password, |file| {
            (file.working.clone(), working_label(&file.accounts))
        })?;
        let key = bytes
            .as_slice()
            .try_into()
            .ok()
            .and_then(|bytes| SecretKey::from_bytes(bytes).ok());
        let mut keys = self.keys();
        keys.working = Some(Arc::new(
            key.ok_or_else(|| self.damaged("the working key is no key"))?,
        ));
        self.publish(&keys);
        Ok(())
    }

    /// Seals the working key anew under `working_password`, which may then lie in a file for unattended starts.
    ///
    /// # Errors
    /// As [`Wallet::unlock`]; a weak `working_password`.
    pub fn reseal_working(&self, password: &str, working_password: &str) -> Result<(), Error> {
        strong_enough(working_password)?;
        let words = self.opened_words(password)?;
        let key = derive(&words, Role::Working);
        let mut keys = self.keys();
        let mut file = keys.file.clone().ok_or(Error::None)?;
        file.working = self.seal(key.bytes(), working_password, &working_label(&file.accounts))?;
        keystore::write(&keystore::file_in(&self.inner.config.folder), &file)?;
        keys.file = Some(file);
        Ok(())
    }

    /// Forgets the main key. Earning goes on with the working key.
    pub fn lock(&self) {
        let mut keys = self.keys();
        keys.main = None;
        self.publish(&keys);
    }

    /// Forgets both keys.
    pub fn lock_all(&self) {
        let mut keys = self.keys();
        keys.main = None;
        keys.working = None;
        self.publish(&keys);
    }

    /// Shows the recovery words to the owner.
    ///
    /// # Errors
    /// As [`Wallet::unlock`].
    pub fn reveal_words(&self, password: &str) -> Result<Words, Error> {
        self.opened_words(password)
    }

    /// Compares words that the owner typed from paper with the wallet's own, and notes a passed check. Needs no
    /// password: words are the wallet's if they give its address.
    ///
    /// # Errors
    /// No wallet, words of another one.
    pub fn check_words(&self, words: &Words) -> Result<(), Error> {
        let mut keys = self.keys();
        let mut file = keys.file.clone().ok_or(Error::None)?;
        if *derive(words, Role::Main).key().address() != file.accounts.main {
            return Err(Error::OtherWords);
        }
        file.words_checked = true;
        keystore::write(&keystore::file_in(&self.inner.config.folder), &file)?;
        keys.file = Some(file);
        self.publish(&keys);
        Ok(())
    }

    /// A handle that signs with one key for as long as it is open.
    ///
    /// # Errors
    /// No wallet yet.
    pub fn signer(&self, role: Role) -> Result<KeyHandle, Error> {
        let accounts = self.accounts().ok_or(Error::None)?;
        let (address, public_key) = match role {
            Role::Main => (accounts.main, accounts.main_public_key),
            Role::Working => (accounts.working, accounts.working_public_key),
        };
        let mut bytes = [0_u8; 33];
        hex::decode_to_slice(&public_key, &mut bytes).map_err(|_| self.damaged("a public key is no key"))?;
        Ok(KeyHandle {
            wallet: self.clone(),
            role,
            address,
            public_key: bytes,
        })
    }

    fn put(&self, words: &Words, password: &str, words_checked: bool) -> Result<(), Error> {
        strong_enough(password)?;
        let path = keystore::file_in(&self.inner.config.folder);
        let sealable = derive(words, Role::Working);
        let (main, working) = (derive(words, Role::Main).key(), sealable.key());
        let accounts = Accounts {
            main: main.address().clone(),
            working: working.address().clone(),
            main_public_key: hex::encode(main.public_key()),
            working_public_key: hex::encode(working.public_key()),
        };
        let sealed_words = self.seal(words.text().as_bytes(), password, &words_label(&accounts))?;
        let sealed_working = self.seal(sealable.bytes(), password, &working_label(&accounts))?;
        let mut keys = self.keys();
        if keys.file.is_some() || path.exists() {
            return Err(Error::Exists(path));
        }
        let file = WalletFile::new(accounts, sealed_words, sealed_working, words_checked);
        keystore::write(&path, &file)?;
        *keys = Keys {
            file: Some(file),
            main: Some(Arc::new(main)),
            working: Some(Arc::new(working)),
        };
        self.publish(&keys);
        Ok(())
    }

    /// Opens the box of the words.
    fn opened_words(&self, password: &str) -> Result<Words, Error> {
        let bytes = self.open_box(password, |file| (file.words.clone(), words_label(&file.accounts)))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.damaged("the words are no text"))?;
        Words::parse(text).map_err(|_| self.damaged("the words fail their checksum"))
    }

    /// Opens a box, one guess at a time. Stretching the password takes a while, so the keys are free meanwhile.
    fn open_box(
        &self,
        password: &str,
        of: impl FnOnce(&WalletFile) -> (Sealed, String),
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut attempts = self.inner.attempts.lock();
        self.may_attempt(&attempts)?;
        let (sealed, label) = of(self.keys().file.as_ref().ok_or(Error::None)?);
        let opened = sealed.open(password, &label);
        self.judge(&mut attempts, opened)
    }

    fn may_attempt(&self, attempts: &PasswordAttempts) -> Result<(), Error> {
        let left_ms = attempts.wait_until_ms - self.inner.clock.now_ms();
        match u64::try_from(left_ms) {
            Ok(left_ms) if left_ms > 0 => Err(Error::Wait {
                seconds: left_ms.div_ceil(1000),
            }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn judge(
        &self,
        attempts: &mut PasswordAttempts,
        opened: Result<Zeroizing<Vec<u8>>, OpenError>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        match opened {
            Ok(bytes) => {
                attempts.wrong = 0;
                Ok(bytes)
            }
            Err(OpenError::Damaged(why)) => Err(self.damaged(why)),
            Err(OpenError::WrongPassword) => {
                attempts.wrong += 1;
                if attempts.wrong >= TRIES {
                    attempts.wrong = 0;
                    let wait_ms = i64::try_from(WAIT.as_millis()).unwrap_or(i64::MAX);
                    attempts.wait_until_ms = self.inner.clock.now_ms() + wait_ms;
                    return Err(Error::Wait {
                        seconds: WAIT.as_secs(),
                    });
                }
                Err(Error::WrongPassword {
                    tries_left: TRIES - attempts.wrong,
                })
            }
        }
    }

    fn seal(&self, secret: &[u8], password: &str, label: &str) -> Result<Sealed, Error> {
        seal(secret, password, label, self.inner.config.cost).map_err(Error::Random)
    }

    fn damaged(&self, why: &str) -> Error {
        Error::Damaged {
            path: keystore::file_in(&self.inner.config.folder),
            why: why.to_owned(),
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        // Every change of the keys is one assignment, so a panic elsewhere leaves them whole.
        self.inner.keys.lock()
    }

    fn publish(&self, keys: &Keys) {
        self.inner.state.send_replace(keys.state());
    }
}

impl Keys {
    fn state(&self) -> WalletState {
        let of = |key: &Option<Arc<SecretKey>>| {
            if key.is_some() {
                KeyState::Open
            } else {
                KeyState::Locked
            }
        };
        WalletState {
            accounts: self.file.as_ref().map(|file| file.accounts.clone()),
            main: of(&self.main),
            working: of(&self.working),
            words_checked: self.file.as_ref().is_some_and(|file| file.words_checked),
        }
    }
}

fn words_label(accounts: &Accounts) -> String {
    format!("hearth words {}", accounts.main)
}

fn working_label(accounts: &Accounts) -> String {
    format!("hearth working key {}", accounts.working)
}

fn strong_enough(password: &str) -> Result<(), Error> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(Error::WeakPassword {
            least: MIN_PASSWORD_CHARS,
        });
    }
    Ok(())
}

/// Signs with one key of the wallet; refuses while that key is locked.
#[derive(Clone)]
pub struct KeyHandle {
    wallet: Wallet,
    role: Role,
    address: Address,
    public_key: [u8; 33],
}

impl KeyHandle {
    /// Which key this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    fn with_key<T>(&self, sign: impl FnOnce(&SecretKey) -> T) -> Result<T, SignError> {
        // The key is copied out, so that a long ring signature does not hold up other signers.
        let key = {
            let keys = self.wallet.keys();
            match self.role {
                Role::Main => keys.main.clone(),
                Role::Working => keys.working.clone(),
            }
        };
        key.as_deref().map(sign).ok_or_else(|| SignError::Locked {
            address: self.address.clone(),
        })
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
        write!(f, "KeyHandle({:?}, {})", self.role, self.address)
    }
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wallet({:?})", self.accounts())
    }
}
