//! From words to keys (BIP-32, BIP-44 with Cosmos' coin type 118).

use hearth_pocket::keys::SecretKey;
use zeroize::Zeroizing;

use crate::mnemonic::Words;

/// Path of the main key.
pub const MAIN_PATH: &str = "m/44'/118'/0'/0/0";
/// Path of the working key.
pub const WORKING_PATH: &str = "m/44'/118'/0'/0/1";

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Owns supplier and application; asks for the password.
    Main,
    /// Operator of the supplier, and own gateway; signs unattended.
    Working,
}

impl Role {
    /// The derivation path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Role::Main => MAIN_PATH,
            Role::Working => WORKING_PATH,
        }
    }
}

/// A derived secret; wiped when dropped.
pub(crate) struct Derived(Zeroizing<[u8; 32]>);

impl Derived {
    /// The 32 bytes, to be sealed.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The key.
    pub(crate) fn key(&self) -> SecretKey {
        #[allow(clippy::expect_used, reason = "the derivation checked the scalar")]
        SecretKey::from_bytes(&self.0).expect("a scalar below the group order")
    }
}

/// Derives one key.
pub(crate) fn derive(words: &Words, role: Role) -> Derived {
    let seed = words.seed();
    // Both paths are constants that parse, and a derived scalar is invalid with probability 2^-127; the published
    // test vector below runs this very line.
    #[allow(clippy::expect_used, reason = "constant paths, a seed of 64 bytes")]
    let key = bip32::XPrv::derive_from_path(&*seed, &role.path().parse().expect("a constant path"))
        .expect("a derived scalar below the group order");
    Derived(Zeroizing::new(key.private_key().to_bytes().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_give_the_known_address() {
        // BIP-39's first test words; the Cosmos address of the same bytes is widely published.
        let words = Words::parse(&format!("{} about", "abandon ".repeat(11))).unwrap();
        let address = derive(&words, Role::Main).key().address().clone();
        let cosmos = bech32_of(address.to_bytes(), "cosmos");
        assert_eq!(cosmos, "cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4");
        assert_ne!(address, *derive(&words, Role::Working).key().address());
    }

    fn bech32_of(bytes: [u8; 20], prefix: &str) -> String {
        bech32::encode::<bech32::Bech32>(bech32::Hrp::parse(prefix).unwrap(), &bytes).unwrap()
    }
}
