//! Account addresses: `pokt1…`, checked.

use std::{fmt, str::FromStr};

use bech32::{Bech32, Hrp};
use ripemd::Ripemd160;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// What stands before the `1` of an account's address.
pub const PREFIX: &str = "pokt";

/// A checked account address. Ordered by its text, as the chain's own stores are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("\"{0}\" is no address: it is not valid bech32 (a letter may be wrong or missing)")]
    NotBech32(String),
    #[error("\"{text}\" begins with \"{prefix}\": an account's address begins with \"pokt1\"")]
    WrongPrefix { text: String, prefix: String },
    #[error("\"{text}\" holds {length} bytes: an account's address holds 20")]
    WrongLength { text: String, length: usize },
}

impl Address {
    /// The address of a compressed secp256k1 public key.
    #[must_use]
    pub fn from_public_key(public_key: &[u8; 33]) -> Address {
        let hash: [u8; 20] = Ripemd160::digest(Sha256::digest(public_key)).into();
        Address::from_bytes(&hash)
    }

    /// The address with these 20 bytes.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "it cannot")]
    pub fn from_bytes(bytes: &[u8; 20]) -> Address {
        let text = bech32::encode::<Bech32>(Hrp::parse_unchecked(PREFIX), bytes);
        Address(text.expect("20 bytes and a prefix of 4 stay below the 90 characters of bech32"))
    }

    /// Reads an address.
    ///
    /// # Errors
    /// A text that is not bech32, has another prefix or another length.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let (prefix, bytes) = decode(text)?;
        if prefix != PREFIX {
            return Err(AddressError::WrongPrefix {
                text: text.to_owned(),
                prefix,
            });
        }
        if bytes.len() != 20 {
            return Err(AddressError::WrongLength {
                text: text.to_owned(),
                length: bytes.len(),
            });
        }
        // Bech32 may be all upper case; the chain's stores know the lower case.
        Ok(Address(text.to_ascii_lowercase()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 20 bytes.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "it cannot")]
    pub fn to_bytes(&self) -> [u8; 20] {
        let bytes = decode(&self.0).ok().and_then(|(_, bytes)| bytes.try_into().ok());
        bytes.expect("checked when the address was made")
    }

    /// The same 20 bytes under another prefix, for example `poktvaloper`.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> Option<String> {
        bech32::encode::<Bech32>(Hrp::parse(prefix).ok()?, &self.to_bytes()).ok()
    }
}

fn decode(text: &str) -> Result<(String, Vec<u8>), AddressError> {
    let not_bech32 = || AddressError::NotBech32(text.chars().take(100).collect());
    let checked =
        bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text).map_err(|_| not_bech32())?;
    Ok((checked.hrp().to_lowercase(), checked.byte_iter().collect()))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Address {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        Address::parse(text)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        Address::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_has_the_address_the_chain_gives_it() {
        let key: [u8; 33] = hex::decode("0254cef063677b0fda3f2bfc9b90f5eb2178fcfb49a8e18969242dbbbb4fa59d83")
            .unwrap()
            .try_into()
            .unwrap();
        let address = Address::from_public_key(&key);
        assert_eq!(address.as_str(), "pokt1xnldtq9m5ugyegd4z9t9l8cys6pmtgm2kgws0j");
        assert_eq!(Address::parse(address.as_str()), Ok(address.clone()));
        assert_eq!(Address::from_bytes(&address.to_bytes()), address);
        assert_eq!(
            Address::parse(&address.as_str().to_ascii_uppercase()),
            Ok(address)
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let bad = |text: &str| Address::parse(text).unwrap_err();
        assert!(matches!(bad(""), AddressError::NotBech32(_)));
        assert!(matches!(
            bad("pokt1xnldtq9m5ugyegd4z9t9l8cys6pmtgm2kgws0k"),
            AddressError::NotBech32(_)
        ));
        let valoper = "poktvaloper13wdgydaq22wmey74z42weary84359pkdyls6hh";
        assert!(matches!(bad(valoper), AddressError::WrongPrefix { .. }));
    }
}
