//! Accounts with known keys: play money needs no secrets.

use bip32::{DerivationPath, XPrv};
use bip39::Mnemonic;
use hearth_base::Amount;
use hearth_pocket::SecretKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The path of the first key of a mnemonic.
const PATH: &str = "m/44'/118'/0'/0/0";

/// An account of the first state. Its key is public: it is derived from its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What it is for.
    pub name: String,
    /// Its address.
    pub address: String,
    /// The words that its key is derived from; empty for an account whose key is somebody else's.
    pub mnemonic: String,
    /// What it has at the start.
    pub balance: Amount,
}

impl Account {
    /// The account of a name: always the same one.
    #[must_use]
    pub fn named(name: &str, balance: Amount) -> Account {
        let mnemonic = mnemonic(name);
        let address = key_of(&mnemonic)
            .map(|key| key.address().as_str().to_owned())
            .unwrap_or_default();
        Account {
            name: name.to_owned(),
            address,
            mnemonic,
            balance,
        }
    }

    /// An account of somebody else.
    #[must_use]
    pub fn foreign(name: &str, address: &str, balance: Amount) -> Account {
        Account {
            name: name.to_owned(),
            address: address.to_owned(),
            mnemonic: String::new(),
            balance,
        }
    }

    /// The key, if it is known.
    #[must_use]
    pub fn key(&self) -> Option<SecretKey> {
        key_of(&self.mnemonic)
    }
}

fn mnemonic(name: &str) -> String {
    let entropy: [u8; 32] = Sha256::digest(format!("hearth devnet key: {name}")).into();
    // 32 bytes are one of the lengths that a mnemonic has.
    Mnemonic::from_entropy(&entropy)
        .map(|words| words.to_string())
        .unwrap_or_default()
}

fn key_of(mnemonic: &str) -> Option<SecretKey> {
    let seed = Mnemonic::parse(mnemonic).ok()?.to_seed("");
    let path: DerivationPath = PATH.parse().ok()?;
    let key = XPrv::derive_from_path(&seed, &path).ok()?;
    SecretKey::from_bytes(&key.private_key().to_bytes().into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_the_same_every_time_and_has_its_key() {
        let one = Account::named("faucet", Amount::from_upokt(1));
        assert_eq!(one, Account::named("faucet", Amount::from_upokt(1)));
        assert_eq!(one.key().unwrap().address().as_str(), one.address);
        assert_ne!(one.address, Account::named("validator", Amount::ZERO).address);
    }
}
