//! Keys: recovery words, derivation, the encrypted keystore, unlocking, signing.
//!
//! One mnemonic gives two keys. The *main* key (`m/44'/118'/0'/0/0`) owns stake and money and stays sealed until
//! the owner types the password. The *working* key (`…/0'/0/1`) signs relays, claims and proofs unattended; it is
//! sealed in a box of its own, so that a password which lies on the disk for it never opens the main key, unless
//! the owner gave both the same one.
//!
//! Nothing secret leaves this crate but through [`Wallet::reveal_words`]; `Debug` of every type here shows
//! addresses alone.

mod derive;
mod handle;
mod keystore;
mod mnemonic;
mod seal;

pub use derive::{MAIN_PATH, Role, WORKING_PATH};
pub use handle::{Config, KeyHandle, KeyState, Wallet, WalletState};
pub use keystore::Accounts;
pub use mnemonic::{Words, WordsError};
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
    #[error(transparent)]
    Words(#[from] WordsError),
    #[error("these are words of another wallet: nothing was changed")]
    OtherWords,
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
