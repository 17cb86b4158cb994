//! Opening what is sealed: one guess at a time, and few of them.

use std::{collections::BTreeMap, sync::Arc};

use hearth_pocket::keys::SecretKey;
use zeroize::Zeroizing;

use crate::{
    Error,
    attempts::PasswordAttempts,
    derive::{Secret, derive},
    entry::{Entry, EntryId, Origin},
    handle::Wallet,
    keystore::{self, StoredEntry, WalletFile, apart_label, first_words_label},
    mnemonic::Words,
    seal::{Cost, OpenError, Sealed, lock, seal},
};

/// Wrong passwords before the wallet makes one wait.
const TRIES: u32 = 5;
/// How long one waits then.
const WAIT_MS: i64 = 60_000;

/// A wallet whose password was typed.
pub(crate) struct Opened {
    /// The key that opens all of it.
    pub(crate) key: Zeroizing<[u8; 32]>,
    /// What is kept, in the form of this program.
    pub(crate) file: WalletFile,
    /// Whether that differs from what is written: it was of the first form.
    pub(crate) is_upgraded: bool,
}

impl Opened {
    /// The secret of an entry; `None` where it is only watched.
    pub(crate) fn secret(&self, stored: &StoredEntry) -> Result<Option<Secret>, &'static str> {
        let entry = &stored.entry;
        let Some(sealed) = &stored.secret else {
            return if entry.is_watched() {
                Ok(None)
            } else {
                Err("a key is missing")
            };
        };
        let bytes = sealed.open(&self.key, &self.file.secret_label(entry));
        let secret = bytes.and_then(|bytes| Secret::from_bytes(&bytes));
        let secret = secret.ok_or("a key cannot be opened")?;
        if is_of(&secret.key(), entry) {
            Ok(Some(secret))
        } else {
            Err("a key is of another address")
        }
    }

    /// The words of an entry or of another phrase, with their passphrase.
    pub(crate) fn words(&self, phrase: u32) -> Result<(Words, Zeroizing<String>), &'static str> {
        let known = self.file.phrases.iter().find(|known| known.id == phrase);
        let sealed = known.and_then(|known| known.words.as_ref());
        let sealed = sealed.ok_or("the words are missing")?;
        let bytes = sealed.open(&self.key, &self.file.phrase_label(phrase));
        let bytes = bytes.ok_or("the words cannot be opened")?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "the words are no text")?;
        let (words, passphrase) = text.split_once('\n').unwrap_or((text, ""));
        let words = Words::parse(words).map_err(|_| "the words fail their checksum")?;
        Ok((words, Zeroizing::new(passphrase.to_owned())))
    }
}

/// Whether a key is the one that an entry tells of. What it tells is not sealed.
fn is_of(key: &SecretKey, entry: &Entry) -> bool {
    let told = entry.public_key.as_deref().and_then(keystore::public_key);
    *key.address() == entry.address && told == Some(key.public_key())
}

/// A new key for a wallet, sealed under its password.
pub(crate) fn give_key(
    file: &mut WalletFile,
    password: &str,
    cost: Cost,
) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut key = Zeroizing::new([0_u8; 32]);
    getrandom::fill(key.as_mut()).map_err(|error| Error::Random(error.to_string()))?;
    file.key = Some(seal(key.as_slice(), password, &file.key_label(), cost).map_err(Error::Random)?);
    Ok(key)
}

impl Wallet {
    /// Opens the keys with the password of the wallet.
    ///
    /// # Errors
    /// No wallet, a wrong password, too many of them; a file of the first form that cannot be written in the new one.
    pub fn unlock(&self, password: &str) -> Result<(), Error> {
        let _turn = self.inner.changing.lock();
        let opened = self.open_main(password)?;
        let mut open = BTreeMap::new();
        for stored in &opened.file.entries {
            if let Some(secret) = opened.secret(stored).map_err(|why| self.damaged(why))? {
                open.insert(stored.entry.id, Arc::new(secret.key()));
            }
        }
        if opened.is_upgraded {
            keystore::write(&keystore::file_in(&self.inner.config.folder), &opened.file)?;
        }
        self.touch();
        let mut keys = self.keys();
        keys.file = Some(opened.file);
        keys.open = open;
        self.publish(&keys);
        Ok(())
    }

    /// Opens the keys that sign unattended, with the password that was set for them; where none was, with that of the
    /// wallet.
    ///
    /// # Errors
    /// As [`Wallet::unlock`]; no key signs unattended.
    pub fn unlock_working(&self, password: &str) -> Result<(), Error> {
        let file = self.keys().file.clone().ok_or(Error::None)?;
        let unattended = || file.entries.iter().filter(|stored| stored.entry.is_unattended());
        let apart: Vec<(&StoredEntry, &Sealed)> = unattended()
            .filter_map(|stored| Some((stored, stored.apart.as_ref()?)))
            .collect();
        let mut open: BTreeMap<EntryId, Arc<SecretKey>> = BTreeMap::new();
        if apart.is_empty() {
            let opened = self.open_main(password)?;
            for stored in opened
                .file
                .entries
                .iter()
                .filter(|stored| stored.entry.is_unattended())
            {
                if let Some(secret) = opened.secret(stored).map_err(|why| self.damaged(why))? {
                    open.insert(stored.entry.id, Arc::new(secret.key()));
                }
            }
        }
        for (stored, sealed) in apart {
            let entry = &stored.entry;
            let bytes = self.judged(|| sealed.open(password, &apart_label(&entry.address)))?;
            let secret =
                Secret::from_bytes(&bytes).ok_or_else(|| self.damaged("the working key is no key"))?;
            let key = secret.key();
            if !is_of(&key, entry) {
                return Err(self.damaged("the working key is of another address"));
            }
            open.insert(entry.id, Arc::new(key));
        }
        if open.is_empty() {
            return Err(Error::NoWorkingKey);
        }
        let mut keys = self.keys();
        keys.open.extend(open);
        self.publish(&keys);
        Ok(())
    }

    /// Opens the wallet. What is of the first form is brought into this program's, in memory alone.
    pub(crate) fn open_main(&self, password: &str) -> Result<Opened, Error> {
        let file = self.keys().file.clone().ok_or(Error::None)?;
        if let Some(sealed) = &file.key {
            let label = file.key_label();
            let bytes = self.judged(|| sealed.open(password, &label))?;
            let key = <[u8; 32]>::try_from(bytes.as_slice());
            return Ok(Opened {
                key: Zeroizing::new(key.map_err(|_| self.damaged("its key has the wrong length"))?),
                file,
                is_upgraded: false,
            });
        }
        let sealed = file.first_words.clone().ok_or(Error::NoPassword)?;
        let main = file
            .entries
            .first()
            .ok_or_else(|| self.damaged("it has no entries"))?;
        let label = first_words_label(&main.entry.address);
        let bytes = self.judged(|| sealed.open(password, &label))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.damaged("the words are no text"))?;
        let words = Words::parse(text).map_err(|_| self.damaged("the words fail their checksum"))?;
        self.upgraded(file, &words, password)
    }

    /// The boxes of the first form, as those of this one.
    fn upgraded(&self, mut file: WalletFile, words: &Words, password: &str) -> Result<Opened, Error> {
        let key = give_key(&mut file, password, self.inner.config.cost)?;
        file.first_words = None;
        let labels: Vec<String> = file
            .phrases
            .iter()
            .map(|phrase| file.phrase_label(phrase.id))
            .collect();
        // The first form has one phrase; those that were added since have their boxes.
        for (phrase, label) in file.phrases.iter_mut().zip(labels) {
            if phrase.words.is_none() {
                phrase.words = Some(lock(words.text().as_bytes(), &key, &label).map_err(Error::Random)?);
            }
        }
        let labels: Vec<String> = file
            .entries
            .iter()
            .map(|stored| file.secret_label(&stored.entry))
            .collect();
        for (stored, label) in file.entries.iter_mut().zip(labels) {
            let Origin::Words { path, .. } = &stored.entry.origin else {
                continue;
            };
            let secret = derive(words, "", path);
            if !is_of(&secret.key(), &stored.entry) {
                return Err(self.damaged("the words are of another address"));
            }
            stored.secret = Some(lock(secret.bytes(), &key, &label).map_err(Error::Random)?);
            // A box that the wallet's password opens keeps nothing apart.
            let label = apart_label(&stored.entry.address);
            if stored
                .apart
                .as_ref()
                .is_some_and(|apart| apart.open(password, &label).is_ok())
            {
                stored.apart = None;
            }
        }
        Ok(Opened {
            key,
            file,
            is_upgraded: true,
        })
    }

    /// Opens a box, one guess at a time. Stretching the password takes a while, so the keys are free meanwhile.
    fn judged(
        &self,
        open: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, OpenError>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut attempts = self.inner.attempts.lock();
        self.may_attempt(&mut attempts)?;
        match open() {
            Ok(bytes) => {
                attempts.wrong = 0;
                Ok(bytes)
            }
            Err(OpenError::Damaged(why)) => Err(self.damaged(why)),
            Err(OpenError::WrongPassword) => Err(self.count_wrong(&mut attempts)),
        }
    }

    fn may_attempt(&self, attempts: &mut PasswordAttempts) -> Result<(), Error> {
        let now_ms = self.inner.clock.now_ms();
        // Where the clock was set back one waits no longer than that.
        attempts.wait_until_ms = attempts.wait_until_ms.min(now_ms + WAIT_MS);
        let left_ms = attempts.wait_until_ms - now_ms;
        match u64::try_from(left_ms) {
            Ok(left_ms) if left_ms > 0 => Err(Error::Wait {
                seconds: left_ms.div_ceil(1000),
            }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn count_wrong(&self, attempts: &mut PasswordAttempts) -> Error {
        attempts.wrong += 1;
        if attempts.wrong < TRIES {
            return Error::WrongPassword {
                tries_left: TRIES - attempts.wrong,
            };
        }
        attempts.wrong = 0;
        attempts.wait_until_ms = self.inner.clock.now_ms() + WAIT_MS;
        Error::Wait {
            seconds: WAIT_MS.unsigned_abs() / 1000,
        }
    }
}
