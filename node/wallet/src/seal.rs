//! Sealed boxes: XChaCha20-Poly1305, opened by a password that Argon2id stretches, or by a key.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What a guess at the password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// RFC 9106, section 4, second recommendation: 64 MiB, three passes, four lanes; about 0.2 s on a desktop.
    pub const STRONG: Cost = Cost {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };
    /// For tests and for play money only.
    pub const PLAY: Cost = Cost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    /// A box that asks for more than this is damaged or hostile: 4 GiB, 64 passes, 64 lanes.
    fn is_sane(self) -> bool {
        (1..=64).contains(&self.passes)
            && (1..=64).contains(&self.lanes)
            && (8 * self.lanes..=4 * 1024 * 1024).contains(&self.memory_kib)
    }
}

/// A secret under a password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    kdf: String,
    cost: Cost,
    salt: String,
    cipher: String,
    nonce: String,
    sealed: String,
}

/// A secret under a key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Locked {
    nonce: String,
    sealed: String,
}

/// Why a box stays closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    WrongPassword,
    Damaged(&'static str),
}

const KDF: &str = "argon2id-19";
const CIPHER: &str = "xchacha20poly1305";

/// Seals `secret`; `label` (what the box is, whose it is) is authenticated with it.
pub(crate) fn seal(secret: &[u8], password: &str, label: &str, cost: Cost) -> Result<Sealed, String> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let key = stretch(password, &salt, cost).ok_or("no memory for the key derivation")?;
    let Locked { nonce, sealed } = lock(secret, &key, label)?;
    Ok(Sealed {
        kdf: KDF.to_owned(),
        cost,
        salt: BASE64.encode(salt),
        cipher: CIPHER.to_owned(),
        nonce,
        sealed,
    })
}

/// Seals `secret` under a key; `label` is authenticated with it.
pub(crate) fn lock(secret: &[u8], key: &[u8; 32], label: &str) -> Result<Locked, String> {
    let mut nonce = [0_u8; 24];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let payload = Payload {
        msg: secret,
        aad: label.as_bytes(),
    };
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt((&nonce).into(), payload)
        .map_err(|_| "the secret is too long to seal")?;
    Ok(Locked {
        nonce: BASE64.encode(nonce),
        sealed: BASE64.encode(sealed),
    })
}

impl Locked {
    /// Opens the box; `None` where key, label or box are not the ones that belong together.
    pub(crate) fn open(&self, key: &[u8; 32], label: &str) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; 24] = bytes(&self.nonce).ok()?;
        let sealed = BASE64.decode(&self.sealed).ok()?;
        let payload = Payload {
            msg: &sealed,
            aad: label.as_bytes(),
        };
        XChaCha20Poly1305::new(key.into())
            .decrypt((&nonce).into(), payload)
            .map(Zeroizing::new)
            .ok()
    }
}

impl Sealed {
    /// Opens the box. A changed box is not told apart from a wrong password: the cipher cannot.
    pub(crate) fn open(&self, password: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if self.kdf != KDF || self.cipher != CIPHER {
            return Err(OpenError::Damaged("unknown kind of sealing"));
        }
        if !self.cost.is_sane() {
            return Err(OpenError::Damaged("impossible cost figures"));
        }
        let salt: [u8; 16] = bytes(&self.salt)?;
        let _: [u8; 24] = bytes(&self.nonce)?;
        if BASE64.decode(&self.sealed).is_err() {
            return Err(OpenError::Damaged("not base64"));
        }
        let key = stretch(password, &salt, self.cost).ok_or(OpenError::Damaged("impossible cost figures"))?;
        let locked = Locked {
            nonce: self.nonce.clone(),
            sealed: self.sealed.clone(),
        };
        locked.open(&key, label).ok_or(OpenError::WrongPassword)
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], OpenError> {
    BASE64
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(OpenError::Damaged("a field has the wrong length"))
}

fn stretch(password: &str, salt: &[u8; 16], cost: Cost) -> Option<Zeroizing<[u8; 32]>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0_u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, key.as_mut())
        .ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn only_the_same_password_and_label_open(secret: Vec<u8>, password in "\\PC{8,20}", flip in 0_usize..1000) {
            let sealed = seal(&secret, &password, "words", Cost::PLAY).unwrap();
            prop_assert_eq!(&*sealed.open(&password, "words").unwrap(), &secret);
            prop_assert_eq!(sealed.open(&format!("{password}x"), "words"), Err(OpenError::WrongPassword));
            prop_assert_eq!(sealed.open(&password, "working"), Err(OpenError::WrongPassword));
            let mut changed = sealed.clone();
            let mut bytes = BASE64.decode(&sealed.sealed).unwrap();
            let at = flip % bytes.len();
            bytes[at] ^= 1;
            changed.sealed = BASE64.encode(bytes);
            prop_assert_eq!(changed.open(&password, "words"), Err(OpenError::WrongPassword));
        }
    }

    #[test]
    fn hostile_costs_are_refused_before_memory_is_taken() {
        let mut sealed = seal(b"secret", "password", "words", Cost::PLAY).unwrap();
        sealed.cost.memory_kib = u32::MAX;
        assert_eq!(
            sealed.open("password", "words"),
            Err(OpenError::Damaged("impossible cost figures"))
        );
    }
}
