//! Keys: recovery words, derivation, the encrypted keystore, unlocking, signing.
//!
//! A wallet is a list of accounts. Each has a key of its own, from recovery words along some path, or brought in as
//! bytes or as an export of `pocketd`; or only an address, whose key is elsewhere. What this node uses a key for is its
//! purpose: the *owner* holds stake and money and stays sealed until the password is typed; the *operator* signs relays,
//! claims and proofs unattended, the *gateway* what this node asks; the *application* pays for it. New words give two
//! keys: one that owns and pays (`m/44'/118'/0'/0/0`), one that signs unattended (`…/0'/0/1`).
//!
//! A purpose has one account, but for the operator's: a node that serves several suppliers has an operator for each.
//!
//! Keys that sign unattended can be sealed apart, under a password that may lie on the disk: it opens nothing else.
//!
//! Nothing secret leaves this crate but through `export`; `Debug` of every type here shows addresses alone.

mod armor;
mod attempts;
mod change;
mod derive;
mod entry;
mod export;
pub mod fuzz;
mod handle;
mod keystore;
mod message;
mod mnemonic;
mod morse;
mod opening;
mod seal;

pub use armor::ArmorError;
pub use change::{EntryChange, ForeignKey};
pub use derive::{MAIN_PATH, Path, PathError, Secret, WORKING_PATH};
pub use entry::{Entry, EntryId, Naming, Origin, Purpose};
pub use export::{Form, Phrase, candidates};
pub use handle::{Accounts, Config, KeyHandle, KeyState, Wallet, WalletState};
pub use message::{SignedMessage, verify_message};
pub use mnemonic::{Words, WordsError};
pub use morse::{MorseError, MorseKey, morse_address};
pub use seal::Cost;

/// Why a wallet does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no wallet yet: create one, or restore one from its recovery words")]
    None,
    #[error("there is a wallet already in {0}: move it away first; nothing was changed")]
    Exists(std::path::PathBuf),
    #[error("wrong password; {tries_left} tries left before a minute of waiting")]
    WrongPassword { tries_left: u32 },
    #[error("too many wrong passwords: try again in {seconds} s")]
    Wait { seconds: u64 },
    #[error("a password needs at least {least} characters")]
    WeakPassword { least: usize },
    #[error("this password must open nothing but the working key: take another one than the wallet's")]
    SamePassword,
    #[error("this wallet only watches addresses: it has no key and no password yet")]
    NoPassword,
    #[error(transparent)]
    Words(#[from] WordsError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Armor(#[from] ArmorError),
    #[error(transparent)]
    Morse(#[from] MorseError),
    #[error("a secret key in hex is 64 digits from 0 to f that make a number below the order of the curve")]
    Hex,
    #[error("these are words of another wallet: nothing was changed")]
    OtherWords,
    #[error("this key has no recovery words: export it as hex or armored")]
    NoWords,
    #[error("there is no account \"{0}\" in this wallet")]
    NoEntry(String),
    #[error("no account of this wallet is the {}", .0.word())]
    NoKeyFor(Purpose),
    #[error("no key of this wallet signs unattended: import or name the operator first")]
    NoWorkingKey,
    #[error("the key of {address} is not in this wallet, which only watches the account: sign elsewhere")]
    Watched {
        address: hearth_pocket::address::Address,
    },
    #[error(
        "an account that is only watched cannot sign unattended, nor take the place of a key that is here"
    )]
    WatchedPurpose,
    #[error("this account is in the wallet already, as \"{label}\": nothing was changed")]
    Known { label: String },
    #[error("\"{label}\" is in use: give its purposes to another account first")]
    InUse { label: String },
    #[error("there is an account \"{label}\" already")]
    LabelTaken { label: String },
    #[error("a label has 1 to {most} characters in one line, and does not begin as an address does")]
    Label { most: usize },
    #[error("a message has {most} bytes at most")]
    Message { most: usize },
    #[error("a wallet has {most} accounts at most")]
    TooMany { most: usize },
    #[error("the wallet file {path} cannot be {what}: {source}")]
    File {
        path: std::path::PathBuf,
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the wallet file {path} is damaged ({why}): restore the wallet from its recovery words")]
    Damaged { path: std::path::PathBuf, why: String },
    #[error(
        "the wallet file {path} was written by {by} in form {found}, and this Hearth reads up to form {known}: start \
         that Hearth again, or restore the wallet from its recovery words; nothing was changed"
    )]
    Newer {
        path: std::path::PathBuf,
        by: String,
        found: u32,
        known: u32,
    },
    #[error("the computer gives no random numbers: {0}")]
    Random(String),
}

#[cfg(test)]
mod tests;
