//! From words to keys (BIP-32), along any path; the usual ones are those of BIP-44 with Cosmos' coin type 118.

use std::{fmt, str::FromStr};

use bip32::{ChildNumber, DerivationPath, XPrv};
use hearth_pocket::keys::SecretKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::mnemonic::Words;

/// Path of the key that owns, in a wallet that Hearth makes.
pub const MAIN_PATH: &str = "m/44'/118'/0'/0/0";
/// Path of the key that signs unattended, in a wallet that Hearth makes.
pub const WORKING_PATH: &str = "m/44'/118'/0'/0/1";
/// Steps of the longest path that is taken: BIP-44 has five.
const MAX_STEPS: usize = 10;
/// How many indexes are looked at along each of the usual ways.
const USUAL: u32 = 20;

/// Where a key lies below its words, as `m/44'/118'/0'/0/0`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Path(DerivationPath);

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no path of a key: write it as m/44'/118'/0'/0/0, with ' or h for a hardened step")]
pub struct PathError(String);

impl Path {
    /// The path of the key that owns, in a wallet that Hearth makes.
    #[must_use]
    pub fn main() -> Path {
        Path::usual(0, 0)
    }

    /// The path of the key that signs unattended, in a wallet that Hearth makes.
    #[must_use]
    pub fn working() -> Path {
        Path::usual(0, 1)
    }

    /// `m/44'/118'/account'/0/index`.
    fn usual(account: u32, index: u32) -> Path {
        let step = |number: u32, is_hardened: bool| {
            ChildNumber(if is_hardened {
                number | ChildNumber::HARDENED_FLAG
            } else {
                number
            })
        };
        let mut path = DerivationPath::default();
        path.extend([
            step(44, true),
            step(118, true),
            step(account, true),
            step(0, false),
            step(index, false),
        ]);
        Path(path)
    }

    /// The paths along which wallets of Cosmos chains put their keys: the first indexes of the first account, and the
    /// first keys of the next accounts.
    pub fn usual_ones() -> impl Iterator<Item = Path> {
        let indexes = (0..USUAL).map(|index| Path::usual(0, index));
        indexes.chain((1..USUAL).map(|account| Path::usual(account, 0)))
    }

    /// The first of the usual paths that is not among those taken.
    #[must_use]
    pub fn next_after(taken: &[&Path]) -> Path {
        let paths = (0..).map(|index| Path::usual(0, index));
        let mut free = paths.filter(|path| !taken.contains(&path));
        free.next().unwrap_or_else(Path::main)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Path, PathError> {
        let wrong = || PathError(text.chars().take(80).collect());
        let plain = text.trim().replace(['h', 'H', '’', '′'], "'");
        let path: DerivationPath = plain.parse().map_err(|_| wrong())?;
        if path.is_empty() || path.len() > MAX_STEPS {
            return Err(wrong());
        }
        Ok(Path(path))
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;

    fn try_from(text: String) -> Result<Path, PathError> {
        text.parse()
    }
}

impl From<Path> for String {
    fn from(path: Path) -> String {
        path.to_string()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The 32 bytes of a secret key that is one; wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// The key with these bytes; `None` where they are no number below the order of the curve.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Secret> {
        let mut secret = Zeroizing::new([0_u8; 32]);
        if bytes.len() != secret.len() {
            return None;
        }
        secret.copy_from_slice(bytes);
        SecretKey::from_bytes(&secret).ok()?;
        Some(Secret(secret))
    }

    /// The 32 bytes, to be sealed or exported.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key.
    pub(crate) fn key(&self) -> SecretKey {
        #[allow(clippy::expect_used, reason = "whoever made this checked the number")]
        SecretKey::from_bytes(&self.0).expect("a number below the group order")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Derives one key of some words.
pub(crate) fn derive(words: &Words, passphrase: &str, path: &Path) -> Secret {
    derive_from(&words.seed(passphrase), path)
}

/// Derives one key of a seed: the seed costs far more than its keys.
pub(crate) fn derive_from(seed: &[u8; 64], path: &Path) -> Secret {
    // A derived number is invalid with probability 2^-127.
    #[allow(clippy::expect_used, reason = "a checked path, a seed of 64 bytes")]
    let key = XPrv::derive_from_path(seed, &path.0).expect("a derived number below the group order");
    Secret(Zeroizing::new(key.private_key().to_bytes().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_give_the_known_address() {
        // BIP-39's first test words; the Cosmos address of the same bytes is widely published.
        let words = Words::parse(&format!("{} about", "abandon ".repeat(11))).unwrap();
        let address = derive(&words, "", &Path::main()).key().address().clone();
        let cosmos = bech32_of(address.to_bytes(), "cosmos");
        assert_eq!(cosmos, "cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4");
        assert_ne!(address, *derive(&words, "", &Path::working()).key().address());
        assert_ne!(address, *derive(&words, "extra", &Path::main()).key().address());
    }

    #[test]
    fn paths_are_read_as_people_write_them() {
        assert_eq!(Path::main().to_string(), MAIN_PATH);
        assert_eq!(Path::working().to_string(), WORKING_PATH);
        for same in ["m/44h/118h/0h/0/0", "m/44'/118'/0'/0/0", " m/44H/118’/0'/0/0 "] {
            assert_eq!(same.parse::<Path>().unwrap(), Path::main(), "{same}");
        }
        assert_eq!("m/7".parse::<Path>().unwrap().to_string(), "m/7");
        for wrong in [
            "",
            "m",
            "m/",
            "44'/118'",
            "m/44''",
            "m/2147483648",
            "m/x",
            "m/-1",
            "m//0",
            "n/0",
        ] {
            assert!(wrong.parse::<Path>().is_err(), "{wrong}");
        }
        assert!(format!("m{}", "/1".repeat(11)).parse::<Path>().is_err());
    }

    #[test]
    fn the_next_path_is_the_first_that_is_free() {
        let (main, working) = (Path::main(), Path::working());
        assert_eq!(
            Path::next_after(&[&main, &working]).to_string(),
            "m/44'/118'/0'/0/2"
        );
        assert_eq!(Path::next_after(&[&working]), main);
        assert_eq!(Path::usual_ones().count(), 39);
    }

    fn bech32_of(bytes: [u8; 20], prefix: &str) -> String {
        bech32::encode::<bech32::Bech32>(bech32::Hrp::parse(prefix).unwrap(), &bytes).unwrap()
    }
}
