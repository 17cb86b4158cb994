//! The wallet file `wallet.json`: sealed boxes, and what may be known without a password.
//!
//! A password opens one box, which holds the wallet's own key; that key opens the words and each entry's secret. So a
//! change of the password writes one box anew, and any number of keys costs one stretching. What signs unattended may
//! have a second box under a password of its own.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path as FilePath, PathBuf},
};

use hearth_base::private::write_private;
use hearth_pocket::address::Address;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    derive::Path,
    entry::{Entry, EntryId, Origin, Purpose},
    seal::{Locked, Sealed},
};

/// The newest form of the file that this program knows.
const VERSION: u32 = 3;
/// The form of a file in which each purpose has one entry at most, so that earlier programs read it, too.
const VERSION_ALONE: u32 = 2;
/// The most entries of a wallet.
pub(crate) const MAX_ENTRIES: usize = 100;
/// An entry with all its boxes is about 1 KB; a file that is larger than this is none.
const MAX_FILE_BYTES: u64 = 512 * 1024;

/// What every form of the file begins with, this one's successors included: a program that does not know the form can
/// say who does.
#[derive(Deserialize)]
struct FileVersion {
    version: u32,
    written_by: Option<String>,
}

/// The whole file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WalletFile {
    pub(crate) version: u32,
    pub(crate) written_by: String,
    /// Tells this wallet's boxes from those of others.
    pub(crate) wallet: String,
    /// The wallet's own key, under the password. `None` while nothing here is secret, or all of it is of the first form.
    pub(crate) key: Option<Sealed>,
    /// The words as the first form had them, under the password itself, until the password was typed once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_words: Option<Sealed>,
    pub(crate) phrases: Vec<Phrase>,
    pub(crate) entries: Vec<StoredEntry>,
    /// The id of the next phrase or entry.
    pub(crate) next_id: u32,
}

/// Recovery words.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phrase {
    pub(crate) id: u32,
    /// Whether the owner has shown that the words are written down.
    pub(crate) is_checked: bool,
    /// The words and, in a second line, their passphrase, under the wallet's key.
    pub(crate) words: Option<Locked>,
}

/// An entry with its boxes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredEntry {
    pub(crate) entry: Entry,
    /// Its 32 bytes, under the wallet's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Locked>,
    /// Its 32 bytes under a password that opens nothing else, for starts without anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) apart: Option<Sealed>,
}

impl WalletFile {
    /// A wallet without entries.
    pub(crate) fn empty() -> Result<WalletFile, Error> {
        let mut id = [0_u8; 8];
        getrandom::fill(&mut id).map_err(|error| Error::Random(error.to_string()))?;
        Ok(WalletFile {
            version: VERSION_ALONE,
            written_by: written_by(),
            wallet: hex::encode(id),
            key: None,
            first_words: None,
            phrases: Vec::new(),
            entries: Vec::new(),
            next_id: 1,
        })
    }

    pub(crate) fn take_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    pub(crate) fn entry(&self, id: EntryId) -> Option<&StoredEntry> {
        self.entries.iter().find(|stored| stored.entry.id == id)
    }

    pub(crate) fn entry_mut(&mut self, id: EntryId) -> Option<&mut StoredEntry> {
        self.entries.iter_mut().find(|stored| stored.entry.id == id)
    }

    pub(crate) fn serving(&self, purpose: Purpose) -> Option<&Entry> {
        let mut entries = self.entries.iter().map(|stored| &stored.entry);
        entries.find(|entry| entry.purposes.contains(&purpose))
    }

    /// What the box of the wallet's key is sealed with.
    pub(crate) fn key_label(&self) -> String {
        format!("hearth wallet {} key", self.wallet)
    }

    pub(crate) fn phrase_label(&self, phrase: u32) -> String {
        format!("hearth wallet {} phrase {phrase}", self.wallet)
    }

    pub(crate) fn secret_label(&self, entry: &Entry) -> String {
        format!(
            "hearth wallet {} entry {} {}",
            self.wallet, entry.id, entry.address
        )
    }

    /// Gives purposes to an entry, and takes those that it did not have from the others: `beside` leaves them what
    /// several may share.
    pub(crate) fn assign(&mut self, id: EntryId, purposes: &BTreeSet<Purpose>, beside: bool) {
        let had = self.entry(id).map(|stored| stored.entry.purposes.clone());
        let had = had.unwrap_or_default();
        let is_taken = |purpose: &Purpose| {
            purposes.contains(purpose) && !(purpose.is_shared() && (beside || had.contains(purpose)))
        };
        for stored in &mut self.entries {
            if stored.entry.id == id {
                stored.entry.purposes.extend(purposes);
            } else {
                stored.entry.purposes.retain(|purpose| !is_taken(purpose));
            }
        }
    }

    /// The form that holds what is in the file.
    pub(crate) fn form(&self) -> u32 {
        let mut purposes = BTreeSet::new();
        let mut all = self.entries.iter().flat_map(|stored| &stored.entry.purposes);
        if all.all(|purpose| purposes.insert(*purpose)) {
            VERSION_ALONE
        } else {
            VERSION
        }
    }

    /// What no program of ours writes.
    fn fault(&self) -> Option<&'static str> {
        let (mut ids, mut purposes, mut addresses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        if self.entries.len() > MAX_ENTRIES || self.phrases.len() > MAX_ENTRIES {
            return Some("too many entries");
        }
        let phrase_ids = self.phrases.iter().map(|phrase| phrase.id);
        let entry_ids = self.entries.iter().map(|stored| stored.entry.id.0);
        for id in phrase_ids.chain(entry_ids) {
            if id >= self.next_id || !ids.insert(id) {
                return Some("an id is there twice");
            }
        }
        for StoredEntry { entry, .. } in &self.entries {
            if !addresses.insert(&entry.address) {
                return Some("an address is there twice");
            }
            let mut fits = |purpose: &Purpose| purposes.insert(*purpose) || purpose.is_shared();
            if !entry.purposes.iter().all(&mut fits) {
                return Some("two entries serve one purpose");
            }
            let has_words = match &entry.origin {
                Origin::Words { phrase, .. } => self.phrases.iter().any(|known| known.id == *phrase),
                Origin::Raw | Origin::Armored | Origin::Watch => true,
            };
            if !has_words {
                return Some("the words of an entry are missing");
            }
            let has_key = entry
                .public_key
                .as_deref()
                .is_some_and(|key| public_key(key).is_some());
            if !has_key && !entry.is_watched() {
                return Some("a public key is no key");
            }
        }
        None
    }
}

/// The bytes of a public key.
pub(crate) fn public_key(hex: &str) -> Option<[u8; 33]> {
    let mut bytes = [0_u8; 33];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(bytes)
}

/// What the box of a key that signs unattended is sealed with; the first form had it already.
pub(crate) fn apart_label(address: &Address) -> String {
    format!("hearth working key {address}")
}

/// What the first form's box of the words was sealed with.
pub(crate) fn first_words_label(main: &Address) -> String {
    format!("hearth words {main}")
}

fn written_by() -> String {
    format!("Hearth {}", env!("CARGO_PKG_VERSION"))
}

/// The first form: one set of words, two keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstForm {
    #[serde(rename = "version")]
    _version: u32,
    accounts: FirstAccounts,
    words_checked: bool,
    words: Sealed,
    working: Sealed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstAccounts {
    main: Address,
    working: Address,
    main_public_key: String,
    working_public_key: String,
}

impl FirstForm {
    /// The same wallet in the form of this program. Its boxes stay as they are until somebody types the password.
    fn upgraded(self) -> Result<WalletFile, Error> {
        let mut file = WalletFile::empty()?;
        let phrase = file.take_id();
        file.phrases.push(Phrase {
            id: phrase,
            is_checked: self.words_checked,
            words: None,
        });
        file.first_words = Some(self.words);
        let FirstAccounts {
            main,
            working,
            main_public_key,
            working_public_key,
        } = self.accounts;
        for (address, public_key, path, label, purposes, apart) in [
            (main, main_public_key, Path::main(), "main", MAIN, None),
            (
                working,
                working_public_key,
                Path::working(),
                "working",
                WORKING,
                Some(self.working),
            ),
        ] {
            let entry = Entry {
                id: EntryId(file.take_id()),
                label: label.to_owned(),
                origin: Origin::Words { phrase, path },
                address,
                public_key: Some(public_key),
                purposes: purposes.into(),
            };
            file.entries.push(StoredEntry {
                entry,
                secret: None,
                apart,
            });
        }
        Ok(file)
    }
}

/// What the first key of new words is used for.
pub(crate) const MAIN: [Purpose; 2] = [Purpose::Owner, Purpose::Application];
/// What the second key of new words is used for.
pub(crate) const WORKING: [Purpose; 2] = [Purpose::Operator, Purpose::Gateway];

/// Where the wallet file lies in the keystore folder.
pub(crate) fn file_in(folder: &FilePath) -> PathBuf {
    folder.join("wallet.json")
}

/// Reads the wallet file; `None` where there is none.
pub(crate) fn read(path: &FilePath) -> Result<Option<WalletFile>, Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        what: "read",
        source,
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
            return Err(Error::Damaged {
                path: path.to_owned(),
                why: "far too large".to_owned(),
            });
        }
        Ok(_) => {}
    }
    let text = fs::read(path).map_err(failed)?;
    let damaged = |why: String| Error::Damaged {
        path: path.to_owned(),
        why,
    };
    let head: FileVersion = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if head.version > VERSION {
        return Err(Error::Newer {
            path: path.to_owned(),
            by: head.written_by.unwrap_or_else(|| "a newer Hearth".to_owned()),
            found: head.version,
            known: VERSION,
        });
    }
    let file = if head.version == 1 {
        let first: FirstForm = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        first.upgraded()?
    } else {
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?
    };
    match file.fault() {
        Some(why) => Err(damaged(why.to_owned())),
        None => Ok(Some(file)),
    }
}

/// Writes the wallet file so that a crash leaves the old one or the new one, whole.
pub(crate) fn write(path: &FilePath, file: &WalletFile) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        what: "written",
        source,
    };
    let text = serde_json::to_vec_pretty(file).map_err(|error| failed(error.into()))?;
    write_private(path, &text).map_err(failed)
}
