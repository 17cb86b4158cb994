//! The wallet file `wallet.json`: two sealed boxes and what may be known without a password.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hearth_base::private::write_private;
use hearth_pocket::address::Address;
use serde::{Deserialize, Serialize};

use crate::{Error, seal::Sealed};

/// The form of the file that this program writes.
const VERSION: u32 = 1;
/// A wallet file is about 2 KB; one that is larger than this is none.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The addresses and public keys of a wallet; no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Address of the main key.
    pub main: Address,
    /// Address of the working key.
    pub working: Address,
    /// Compressed public key of the main key, hex.
    pub main_public_key: String,
    /// Compressed public key of the working key, hex.
    pub working_public_key: String,
}

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
    pub(crate) accounts: Accounts,
    /// Whether the owner has shown that the words are written down.
    pub(crate) words_checked: bool,
    /// The recovery words.
    pub(crate) words: Sealed,
    /// The 32 bytes of the working key.
    pub(crate) working: Sealed,
}

impl WalletFile {
    pub(crate) fn new(accounts: Accounts, words: Sealed, working: Sealed, words_checked: bool) -> WalletFile {
        WalletFile {
            version: VERSION,
            accounts,
            words_checked,
            words,
            working,
        }
    }
}

/// Where the wallet file lies in the keystore folder.
pub(crate) fn file_in(folder: &Path) -> PathBuf {
    folder.join("wallet.json")
}

/// Reads the wallet file; `None` where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<WalletFile>, Error> {
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
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| damaged(error.to_string()))
}

/// Writes the wallet file so that a crash leaves the old one or the new one, whole.
pub(crate) fn write(path: &Path, file: &WalletFile) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        what: "written",
        source,
    };
    let text = serde_json::to_vec_pretty(file).map_err(|error| failed(error.into()))?;
    write_private(path, &text).map_err(failed)
}
