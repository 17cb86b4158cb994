//! Changes of what is kept. Each reads the file, makes the new one and writes it whole; only then does the wallet in
//! memory follow, so that a failed change has changed nothing.

use std::{collections::BTreeSet, sync::Arc};

use hearth_pocket::address::Address;
use zeroize::Zeroizing;

use crate::{
    Error, armor,
    derive::{Path, Secret, derive},
    entry::{self, Entry, EntryId, Naming, Origin, Purpose},
    handle::{KeyState, Wallet},
    keystore::{self, MAIN, MAX_ENTRIES, Phrase, StoredEntry, WORKING, WalletFile, apart_label},
    mnemonic::Words,
    opening::{Opened, give_key},
    seal::{lock, seal},
};

/// The fewest characters of a password.
const MIN_PASSWORD_CHARS: usize = 8;

/// A key that is brought in from elsewhere.
#[derive(Debug)]
pub enum ForeignKey {
    /// Recovery words with their passphrase, and where the key lies below them.
    Words {
        words: Words,
        passphrase: Zeroizing<String>,
        path: Path,
    },
    /// The 32 bytes.
    Raw(Secret),
    /// An opened export of `pocketd keys export`.
    Armored(Secret),
}

impl ForeignKey {
    /// A key as 64 hex digits, with or without `0x`.
    ///
    /// # Errors
    /// Another text.
    pub fn hex(text: &str) -> Result<ForeignKey, Error> {
        let digits = text.trim();
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let bytes = Zeroizing::new(hex::decode(digits).map_err(|_| Error::Hex)?);
        Secret::from_bytes(&bytes).map(ForeignKey::Raw).ok_or(Error::Hex)
    }

    /// A key as `pocketd keys export` wrote it, under the passphrase that was given there.
    ///
    /// # Errors
    /// Another text, another passphrase.
    pub fn armored(text: &str, passphrase: &str) -> Result<ForeignKey, Error> {
        Ok(ForeignKey::Armored(armor::open(text, passphrase)?))
    }

    fn secret(&self) -> Secret {
        match self {
            ForeignKey::Words {
                words,
                passphrase,
                path,
            } => derive(words, passphrase, path),
            ForeignKey::Raw(secret) | ForeignKey::Armored(secret) => secret.clone(),
        }
    }

    /// The address of the key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.secret().key().address().clone()
    }
}

/// What of an entry is to be another.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntryChange<'a> {
    pub label: Option<&'a str>,
    /// These and no others.
    pub purposes: Option<&'a BTreeSet<Purpose>>,
    /// Leaves others what several may share.
    pub beside: bool,
}

impl Wallet {
    /// Makes a wallet from new words and opens both keys. The words are returned once, to be written down.
    ///
    /// # Errors
    /// A wallet that exists, a weak password, a folder that cannot be written.
    pub fn create(&self, password: &str) -> Result<Words, Error> {
        let words = Words::generate()?;
        self.put(&words, "", password, false)?;
        Ok(words)
    }

    /// Makes a wallet from words that the owner has: the first key owns, the second signs unattended. Opens both.
    ///
    /// # Errors
    /// As [`Wallet::create`].
    pub fn import(&self, words: &Words, password: &str) -> Result<(), Error> {
        self.restore(words, "", password)
    }

    /// As [`Wallet::import`], for words with a passphrase of BIP-39.
    ///
    /// # Errors
    /// As [`Wallet::create`].
    pub fn restore(&self, words: &Words, passphrase: &str, password: &str) -> Result<(), Error> {
        // Whoever types the words in has them written down.
        self.put(words, passphrase, password, true)
    }

    fn put(&self, words: &Words, passphrase: &str, password: &str, is_checked: bool) -> Result<(), Error> {
        strong_enough(password)?;
        let _turn = self.inner.changing.lock();
        let path = keystore::file_in(&self.inner.config.folder);
        if self.keys().file.is_some() || path.exists() {
            return Err(Error::Exists(path));
        }
        let mut opened = self.fresh(WalletFile::empty()?, password)?;
        let phrase = opened.phrase(words, passphrase, is_checked)?;
        let mut secrets = Vec::new();
        for (path, label, purposes) in [
            (Path::main(), "main", MAIN),
            (Path::working(), "working", WORKING),
        ] {
            let secret = derive(words, passphrase, &path);
            let origin = Origin::Words { phrase, path };
            let id = opened.add(&secret, origin, &Naming::of(&purposes).called(label))?;
            secrets.push((id, secret));
        }
        self.keep(opened, secrets)
    }

    /// Takes a key in. Where there is no wallet it makes one, with this password; where its address is only watched so
    /// far, that entry gets the key.
    ///
    /// # Errors
    /// A wrong password, a key that is here already, a label that is taken.
    pub fn add(&self, key: &ForeignKey, naming: &Naming, password: &str) -> Result<Entry, Error> {
        let _turn = self.inner.changing.lock();
        let mut opened = self.opened_or_fresh(password)?;
        let secret = key.secret();
        let origin = match key {
            ForeignKey::Words {
                words,
                passphrase,
                path,
            } => Origin::Words {
                phrase: opened.phrase_of(words, passphrase)?,
                path: path.clone(),
            },
            ForeignKey::Raw(_) => Origin::Raw,
            ForeignKey::Armored(_) => Origin::Armored,
        };
        let id = opened.add(&secret, origin, naming)?;
        self.keep_one(opened, id, secret)
    }

    /// Adds another key of words that are here: of those of `like`, else of the first; at `path`, else at the next usual
    /// one that is free.
    ///
    /// # Errors
    /// A wrong password, no words, a key that is here already, a label that is taken.
    pub fn add_next(
        &self,
        like: Option<EntryId>,
        path: Option<Path>,
        naming: &Naming,
        password: &str,
    ) -> Result<Entry, Error> {
        let _turn = self.inner.changing.lock();
        let mut opened = self.open_main(password)?;
        let phrase = phrase_like(&opened.file, like)?;
        let (words, passphrase) = opened.words(phrase).map_err(|why| self.damaged(why))?;
        let path = path.unwrap_or_else(|| {
            let taken = opened
                .file
                .entries
                .iter()
                .filter_map(|stored| match &stored.entry.origin {
                    Origin::Words { phrase: of, path } if *of == phrase => Some(path),
                    Origin::Words { .. } | Origin::Raw | Origin::Armored | Origin::Watch => None,
                });
            Path::next_after(&taken.collect::<Vec<_>>())
        });
        let secret = derive(&words, &passphrase, &path);
        let id = opened.add(&secret, Origin::Words { phrase, path }, naming)?;
        self.keep_one(opened, id, secret)
    }

    /// Watches an address whose key is elsewhere. Needs no password; makes a wallet where there is none.
    ///
    /// # Errors
    /// An address that is here already, a label that is taken.
    pub fn watch(&self, address: &Address, naming: &Naming) -> Result<Entry, Error> {
        let _turn = self.inner.changing.lock();
        let known = self.keys().file.clone();
        let mut file = known.map_or_else(WalletFile::empty, Ok)?;
        // Taking a purpose from a key of the wallet is a matter of its password.
        let is_taken = |purpose: &Purpose| file.serving(*purpose).is_some_and(|entry| !entry.is_watched());
        if naming.purposes.iter().any(is_taken)
            || naming.purposes.iter().any(|purpose| purpose.is_unattended())
        {
            return Err(Error::WatchedPurpose);
        }
        let id = push(&mut file, address.clone(), None, Origin::Watch, naming)?;
        let entry = self.entry_of(&file, id)?;
        self.keep_file(file)?;
        Ok(entry)
    }

    /// Gives an entry another label.
    ///
    /// # Errors
    /// No such entry, a label that is taken.
    pub fn rename(&self, id: EntryId, label: &str) -> Result<Entry, Error> {
        let change = EntryChange {
            label: Some(label),
            ..EntryChange::default()
        };
        self.change(id, &change, "")
    }

    /// Uses an entry for these purposes and no others; whoever served one of those that are new to it serves it no more:
    /// `beside` leaves them what several may share.
    ///
    /// # Errors
    /// A wrong password, no such entry, a watched one that should sign unattended.
    pub fn assign(
        &self,
        id: EntryId,
        purposes: &BTreeSet<Purpose>,
        beside: bool,
        password: &str,
    ) -> Result<Entry, Error> {
        let change = EntryChange {
            purposes: Some(purposes),
            beside,
            ..EntryChange::default()
        };
        self.change(id, &change, password)
    }

    /// Both, or neither. The password is for the purposes alone.
    ///
    /// # Errors
    /// As [`Wallet::rename`] and [`Wallet::assign`].
    pub fn change(&self, id: EntryId, change: &EntryChange<'_>, password: &str) -> Result<Entry, Error> {
        let _turn = self.inner.changing.lock();
        let known = self.keys().file.clone().ok_or(Error::None)?;
        let before = known.entry(id).ok_or_else(|| Error::NoEntry(id.to_string()))?;
        let purposes = change.purposes;
        if before.entry.is_watched()
            && purposes.is_some_and(|wanted| wanted.iter().any(|purpose| purpose.is_unattended()))
        {
            return Err(Error::WatchedPurpose);
        }
        let label = change.label.map(|label| free_label(&known, label, Some(id)));
        let label = label.transpose()?;
        let mut file = match purposes {
            Some(_) => self.open_main(password)?.file,
            None => known,
        };
        let stored = file.entry_mut(id).ok_or_else(|| Error::NoEntry(id.to_string()))?;
        if let Some(label) = label {
            stored.entry.label = label;
        }
        if let Some(purposes) = purposes {
            stored.entry.purposes.retain(|purpose| purposes.contains(purpose));
            file.assign(id, purposes, change.beside);
        }
        let entry = self.entry_of(&file, id)?;
        self.keep_file(file)?;
        Ok(entry)
    }

    /// Forgets an entry. Words that were made here stay, also where no entry is left of them.
    ///
    /// # Errors
    /// A wrong password, no such entry, one that is in use.
    pub fn remove(&self, id: EntryId, password: &str) -> Result<(), Error> {
        let _turn = self.inner.changing.lock();
        let is_watched = {
            let keys = self.keys();
            let file = keys.file.as_ref().ok_or(Error::None)?;
            let stored = file.entry(id).ok_or_else(|| Error::NoEntry(id.to_string()))?;
            if !stored.entry.purposes.is_empty() && !stored.entry.is_watched() {
                return Err(Error::InUse {
                    label: stored.entry.label.clone(),
                });
            }
            stored.entry.is_watched()
        };
        let file = if is_watched {
            self.keys().file.clone()
        } else {
            Some(self.open_main(password)?.file)
        };
        let mut file = file.ok_or(Error::None)?;
        file.entries.retain(|stored| stored.entry.id != id);
        self.keep_file(file)
    }

    /// Sets another password. The passwords of keys that are sealed apart stay.
    ///
    /// # Errors
    /// A wrong password, a weak one, one that opens a key that is sealed apart.
    pub fn change_password(&self, old: &str, new: &str) -> Result<(), Error> {
        strong_enough(new)?;
        let _turn = self.inner.changing.lock();
        let Opened { key, mut file, .. } = self.open_main(old)?;
        let opens = |stored: &StoredEntry| {
            let label = apart_label(&stored.entry.address);
            stored
                .apart
                .as_ref()
                .is_some_and(|apart| apart.open(new, &label).is_ok())
        };
        if file.entries.iter().any(opens) {
            return Err(Error::SamePassword);
        }
        let label = file.key_label();
        file.key = Some(seal(key.as_slice(), new, &label, self.inner.config.cost).map_err(Error::Random)?);
        self.keep_file(file)
    }

    /// Seals the keys that sign unattended apart, under a password that may lie in a file for starts without anybody: it
    /// opens nothing else.
    ///
    /// # Errors
    /// A wrong password, a weak `apart`, one that is the wallet's own; no key signs unattended.
    pub fn seal_working(&self, password: &str, apart: &str) -> Result<(), Error> {
        strong_enough(apart)?;
        if password == apart {
            return Err(Error::SamePassword);
        }
        let _turn = self.inner.changing.lock();
        let mut opened = self.open_main(password)?;
        let mut n_sealed = 0;
        for stored in opened.file.entries.clone() {
            let secret = opened.secret(&stored).map_err(|why| self.damaged(why))?;
            let (Some(secret), true) = (secret, stored.entry.is_unattended()) else {
                continue;
            };
            let label = apart_label(&stored.entry.address);
            let sealed =
                seal(secret.bytes(), apart, &label, self.inner.config.cost).map_err(Error::Random)?;
            if let Some(stored) = opened.file.entry_mut(stored.entry.id) {
                stored.apart = Some(sealed);
                n_sealed += 1;
            }
        }
        if n_sealed == 0 {
            return Err(Error::NoWorkingKey);
        }
        self.keep_file(opened.file)
    }

    /// Opens the wallet, or begins one with this password where nothing here is secret yet.
    fn opened_or_fresh(&self, password: &str) -> Result<Opened, Error> {
        let file = self.keys().file.clone();
        match file {
            Some(file) if file.key.is_some() || file.first_words.is_some() => self.open_main(password),
            Some(watching) => self.fresh(watching, password),
            None => self.fresh(WalletFile::empty()?, password),
        }
    }

    fn fresh(&self, mut file: WalletFile, password: &str) -> Result<Opened, Error> {
        strong_enough(password)?;
        let key = give_key(&mut file, password, self.inner.config.cost)?;
        Ok(Opened {
            key,
            file,
            is_upgraded: true,
        })
    }

    fn keep_one(&self, opened: Opened, id: EntryId, secret: Secret) -> Result<Entry, Error> {
        let entry = self.entry_of(&opened.file, id)?;
        // What signs unattended begins at once; what asks for the password is as the others are, which are locked together.
        let is_first = self.keys().file.is_none();
        if entry.is_unattended() || is_first || self.has_open_attended() {
            self.keep(opened, vec![(id, secret)])?;
        } else {
            self.keep(opened, Vec::new())?;
        }
        Ok(entry)
    }

    /// Whether a key that asks for the password is open.
    fn has_open_attended(&self) -> bool {
        let state = self.state().borrow().clone();
        let mut entries = state.entries.iter();
        entries.any(|(entry, key)| !entry.is_unattended() && *key == KeyState::Open)
    }

    /// Writes the wallet, then has these keys open.
    fn keep(&self, opened: Opened, secrets: Vec<(EntryId, Secret)>) -> Result<(), Error> {
        self.keep_file(opened.file)?;
        self.touch();
        let mut keys = self.keys();
        let open = secrets
            .into_iter()
            .map(|(id, secret)| (id, Arc::new(secret.key())));
        keys.open.extend(open);
        self.publish(&keys);
        Ok(())
    }

    /// Writes the wallet. What serves another purpose now, or is gone, is closed if it should be.
    pub(crate) fn keep_file(&self, mut file: WalletFile) -> Result<(), Error> {
        for stored in &mut file.entries {
            if !stored.entry.is_unattended() {
                stored.apart = None;
            }
        }
        file.version = file.form();
        let path = keystore::file_in(&self.inner.config.folder);
        // Somebody put it there since the start, with keys of which nothing is known here.
        if self.keys().file.is_none() && path.exists() {
            return Err(Error::Exists(path));
        }
        keystore::write(&path, &file)?;
        let mut keys = self.keys();
        let was_unattended = |id: EntryId| {
            let before = keys.file.as_ref().and_then(|before| before.entry(id));
            before.is_some_and(|before| before.entry.is_unattended())
        };
        let closes: Vec<EntryId> = keys
            .open
            .keys()
            .copied()
            .filter(|id| {
                let after = file.entry(*id);
                after.is_none_or(|after| was_unattended(*id) && !after.entry.is_unattended())
            })
            .collect();
        keys.open.retain(|id, _| !closes.contains(id));
        keys.file = Some(file);
        self.publish(&keys);
        Ok(())
    }

    fn entry_of(&self, file: &WalletFile, id: EntryId) -> Result<Entry, Error> {
        let stored = file
            .entry(id)
            .ok_or_else(|| self.damaged("an entry is missing"))?;
        Ok(stored.entry.clone())
    }
}

impl Opened {
    /// Puts words in.
    fn phrase(&mut self, words: &Words, passphrase: &str, is_checked: bool) -> Result<u32, Error> {
        let id = self.file.take_id();
        let mut text = Zeroizing::new(String::with_capacity(512 + passphrase.len()));
        text.push_str(&words.text());
        if !passphrase.is_empty() {
            text.push('\n');
            text.push_str(passphrase);
        }
        let sealed = lock(text.as_bytes(), &self.key, &self.file.phrase_label(id)).map_err(Error::Random)?;
        self.file.phrases.push(Phrase {
            id,
            is_checked,
            words: Some(sealed),
        });
        Ok(id)
    }

    /// Words that are here already, else puts them in.
    fn phrase_of(&mut self, words: &Words, passphrase: &str) -> Result<u32, Error> {
        let ids: Vec<u32> = self.file.phrases.iter().map(|phrase| phrase.id).collect();
        let is_same = |id: &u32| {
            self.words(*id)
                .is_ok_and(|(known, with)| *known.text() == *words.text() && with.as_str() == passphrase)
        };
        match ids.into_iter().find(is_same) {
            Some(id) => Ok(id),
            None => self.phrase(words, passphrase, true),
        }
    }

    /// Puts a key in.
    fn add(&mut self, secret: &Secret, origin: Origin, naming: &Naming) -> Result<EntryId, Error> {
        let key = secret.key();
        let public_key = Some(hex::encode(key.public_key()));
        let address = key.address().clone();
        let id = push(&mut self.file, address, public_key, origin, naming)?;
        let label = self
            .file
            .entry(id)
            .map(|stored| self.file.secret_label(&stored.entry));
        let sealed = lock(secret.bytes(), &self.key, &label.unwrap_or_default()).map_err(Error::Random)?;
        if let Some(stored) = self.file.entry_mut(id) {
            stored.secret = Some(sealed);
        }
        Ok(id)
    }
}

/// Puts an entry in, or makes one that is only watched more than that.
fn push(
    file: &mut WalletFile,
    address: Address,
    public_key: Option<String>,
    origin: Origin,
    naming: &Naming,
) -> Result<EntryId, Error> {
    let known = file.entries.iter().find(|stored| stored.entry.address == address);
    let known = known.map(|stored| stored.entry.clone());
    let id = match known {
        Some(watched) if watched.is_watched() && public_key.is_some() => {
            let label = match &naming.label {
                Some(label) => free_label(file, label, Some(watched.id))?,
                None => watched.label,
            };
            if let Some(stored) = file.entry_mut(watched.id) {
                stored.entry.label = label;
                stored.entry.origin = origin;
                stored.entry.public_key = public_key;
            }
            watched.id
        }
        Some(known) => return Err(Error::Known { label: known.label }),
        None => {
            if file.entries.len() >= MAX_ENTRIES {
                return Err(Error::TooMany { most: MAX_ENTRIES });
            }
            let label = match &naming.label {
                Some(label) => free_label(file, label, None)?,
                None => default_label(file, naming),
            };
            let id = EntryId(file.take_id());
            let entry = Entry {
                id,
                label,
                origin,
                address,
                public_key,
                purposes: BTreeSet::new(),
            };
            file.entries.push(StoredEntry {
                entry,
                secret: None,
                apart: None,
            });
            id
        }
    };
    file.assign(id, &naming.purposes, naming.beside);
    Ok(id)
}

/// The words of an entry, else the first.
pub(crate) fn phrase_like(file: &WalletFile, like: Option<EntryId>) -> Result<u32, Error> {
    let Some(id) = like else {
        return file.phrases.first().map(|phrase| phrase.id).ok_or(Error::NoWords);
    };
    let stored = file.entry(id).ok_or_else(|| Error::NoEntry(id.to_string()))?;
    match stored.entry.origin {
        Origin::Words { phrase, .. } => Ok(phrase),
        Origin::Raw | Origin::Armored | Origin::Watch => Err(Error::NoWords),
    }
}

fn free_label(file: &WalletFile, text: &str, of: Option<EntryId>) -> Result<String, Error> {
    let label = entry::label(text)?;
    let is_taken = |stored: &StoredEntry| stored.entry.label == label && Some(stored.entry.id) != of;
    if file.entries.iter().any(is_taken) {
        return Err(Error::LabelTaken { label });
    }
    Ok(label)
}

fn default_label(file: &WalletFile, naming: &Naming) -> String {
    let stem = naming
        .purposes
        .first()
        .map_or("account", |purpose| purpose.word());
    let is_taken = |label: &str| file.entries.iter().any(|stored| stored.entry.label == label);
    let numbered = (2..).map(|number: u32| format!("{stem} {number}"));
    let mut free = std::iter::once(stem.to_owned())
        .chain(numbered)
        .filter(|label| !is_taken(label));
    free.next().unwrap_or_else(|| stem.to_owned())
}

fn strong_enough(password: &str) -> Result<(), Error> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(Error::WeakPassword {
            least: MIN_PASSWORD_CHARS,
        });
    }
    Ok(())
}
