//! Keys of the former network (Morse), as its program exported them: JSON with a key under a passphrase, or 128 hex digits.
//!
//! Such a key signs a claim and is forgotten: none is ever part of a wallet. The passphrase is stretched by scrypt with
//! the figures of that program, and never with any that a file names, so that no file decides how much memory it takes.

use std::fmt;

use aes_gcm::{Aes256Gcm, KeyInit as _, aead::Aead as _};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_consensus::SigningKey;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

/// An export is some 350 bytes; a text that is longer than this is none.
const MAX_BYTES: usize = 16 * 1024;
/// The figures of Morse's scrypt: 2^15 rounds of 8 blocks, one lane, which takes 32 MiB.
const SCRYPT: (u8, u32, u32) = (15, 8, 1);
/// Salts have 16 bytes; this is room for others.
const MAX_SALT_BYTES: usize = 64;
/// A key in hex, and the tag of AES-GCM.
const SEALED_BYTES: usize = KEY_DIGITS + 16;
/// The seed and the public key, in hex.
const KEY_DIGITS: usize = 128;

/// Why a key of the former network is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MorseError {
    #[error(
        "this is no key of Morse: one is the JSON that `pocket accounts export` wrote, or 128 hex digits that were exported raw"
    )]
    Shape,
    #[error("the exported key of Morse is damaged: {0}")]
    Damaged(&'static str),
    #[error("the key of Morse is sealed by \"{0}\", and scrypt is known")]
    Sealing(String),
    #[error("the passphrase does not open this key of Morse")]
    Passphrase,
}

/// A key of the former network.
pub struct MorseKey {
    seed: Zeroizing<[u8; 32]>,
    public_key: [u8; 32],
}

/// What is in an export. What else it says (a hint, a figure of bcrypt that nothing uses) changes nothing.
#[derive(Deserialize)]
struct Export {
    kdf: String,
    salt: String,
    ciphertext: String,
}

/// An export that can be tried with a passphrase.
pub(crate) struct Sealed {
    salt: Vec<u8>,
    hidden: Vec<u8>,
}

impl MorseKey {
    /// Reads a key. A raw one needs no passphrase; the passphrase of an export may be empty.
    ///
    /// # Errors
    /// Another text, another passphrase. It takes a fraction of a second and 32 MiB.
    pub fn open(text: &str, passphrase: &str) -> Result<MorseKey, MorseError> {
        let text = text.trim();
        if is_raw(text) {
            return MorseKey::raw(text);
        }
        let sealed = Sealed::parse(text)?;
        // Morse took the spaces around a passphrase away.
        let key = stretched(passphrase.trim(), &sealed.salt)?;
        let (nonce, _) = key
            .split_first_chunk::<12>()
            .ok_or(MorseError::Damaged("its key is too short"))?;
        let opened = Aes256Gcm::new((&*key).into())
            .decrypt(nonce.into(), sealed.hidden.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| MorseError::Passphrase)?;
        let digits =
            std::str::from_utf8(&opened).map_err(|_| MorseError::Damaged("what it holds is no hex"))?;
        MorseKey::raw(digits)
    }

    fn raw(digits: &str) -> Result<MorseKey, MorseError> {
        let bytes = hex::decode(digits).map_err(|_| MorseError::Damaged("what it holds is no hex"))?;
        let bytes = Zeroizing::new(bytes);
        let (seed, public_key) = bytes
            .split_first_chunk::<32>()
            .ok_or(MorseError::Damaged("what it holds is no key"))?;
        let seed = Zeroizing::new(*seed);
        let signing = signing_key(&seed);
        if signing.verification_key().as_bytes().as_slice() != public_key {
            return Err(MorseError::Damaged("its secret half and its public half differ"));
        }
        Ok(MorseKey {
            public_key: signing.verification_key().to_bytes(),
            seed,
        })
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The address on the former network: 40 upper-case hex digits.
    #[must_use]
    pub fn address(&self) -> String {
        morse_address(&self.public_key)
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        signing_key(&self.seed).sign(bytes).to_bytes()
    }
}

/// The address of a key on the former network.
#[must_use]
pub fn morse_address(public_key: &[u8]) -> String {
    let digest = Sha256::digest(public_key);
    hex::encode_upper(digest.get(..20).unwrap_or_default())
}

/// Expands a seed; what is expanded is wiped with what holds it.
fn signing_key(seed: &[u8; 32]) -> Wiped {
    Wiped(SigningKey::from(*seed))
}

/// A signing key that is wiped when it is let go.
struct Wiped(SigningKey);

impl std::ops::Deref for Wiped {
    type Target = SigningKey;

    fn deref(&self) -> &SigningKey {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn is_raw(text: &str) -> bool {
    text.len() == KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Sealed {
    /// Reads an export. Nothing is stretched.
    pub(crate) fn parse(text: &str) -> Result<Sealed, MorseError> {
        if text.len() > MAX_BYTES {
            return Err(MorseError::Shape);
        }
        let export: Export = serde_json::from_str(text).map_err(|_| MorseError::Shape)?;
        if export.kdf != "scrypt" {
            return Err(MorseError::Sealing(export.kdf.chars().take(40).collect()));
        }
        let salt = hex::decode(&export.salt).map_err(|_| MorseError::Damaged("its salt is no hex"))?;
        if salt.is_empty() || salt.len() > MAX_SALT_BYTES {
            return Err(MorseError::Damaged("its salt has a wrong length"));
        }
        let hidden = BASE64
            .decode(&export.ciphertext)
            .map_err(|_| MorseError::Damaged("its ciphertext is no base64"))?;
        if hidden.len() != SEALED_BYTES {
            return Err(MorseError::Damaged("its ciphertext has a wrong length"));
        }
        Ok(Sealed { salt, hidden })
    }
}

fn stretched(passphrase: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, MorseError> {
    let (log_n, r, p) = SCRYPT;
    let failed = MorseError::Damaged("its key cannot be stretched");
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| failed.clone())?;
    let mut key = Zeroizing::new([0_u8; 32]);
    scrypt::scrypt(passphrase.as_bytes(), salt, &params, key.as_mut()).map_err(|_| failed)?;
    Ok(key)
}

impl fmt::Debug for MorseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MorseKey({})", self.address())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn golden() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors/morse_keys.json")).unwrap()
    }

    #[test]
    fn keys_that_the_real_program_exported_are_read() {
        let golden = golden();
        let exports = golden["exports"].as_array().unwrap();
        assert!(exports.len() >= 2);
        for export in exports {
            let text = |name: &str| export[name].as_str().unwrap();
            let key = MorseKey::open(text("file"), text("passphrase")).unwrap();
            assert_eq!(key.address(), text("address"));
            assert_eq!(format!("{key:?}"), format!("MorseKey({})", text("address")));
            let wrong = MorseKey::open(text("file"), "another").unwrap_err();
            assert_eq!(wrong, MorseError::Passphrase);
            // The same key raw, as it was exported without a passphrase.
            let raw = hex::encode([key.seed.as_slice(), &key.public_key].concat());
            let again = MorseKey::open(&format!(" {raw}\n"), "").unwrap();
            assert_eq!(again.address(), text("address"));
            let signature = ed25519_consensus::Signature::from(key.sign(b"a claim"));
            let verifying = ed25519_consensus::VerificationKey::try_from(key.public_key).unwrap();
            assert!(verifying.verify(&signature, b"a claim").is_ok());
            assert!(verifying.verify(&signature, b"another").is_err());
        }
    }

    #[test]
    fn what_is_wrong_with_an_export_is_said_before_anything_is_stretched() {
        let golden = golden();
        let good = golden["exports"][0]["file"].as_str().unwrap();
        let of = |text: &str| MorseKey::open(text, "").unwrap_err();
        let with = |name: &str, value: Value| {
            let mut export: Value = serde_json::from_str(good).unwrap();
            export[name] = value;
            of(&export.to_string())
        };
        assert_eq!(of("hello"), MorseError::Shape);
        assert_eq!(of("{}"), MorseError::Shape);
        assert_eq!(of(&good[..good.len() / 2]), MorseError::Shape);
        assert_eq!(of(&"x".repeat(100_000)), MorseError::Shape);
        assert_eq!(with("kdf", "bcrypt".into()), MorseError::Sealing("bcrypt".into()));
        assert_eq!(
            with("kdf", "k".repeat(1000).into()),
            MorseError::Sealing("k".repeat(40))
        );
        let damaged = |error: MorseError| assert!(matches!(error, MorseError::Damaged(_)), "{error}");
        damaged(with("salt", "".into()));
        damaged(with("salt", "zz".into()));
        damaged(with("salt", "00".repeat(4000).into()));
        damaged(with("ciphertext", "!".into()));
        damaged(with("ciphertext", BASE64.encode(vec![0; 9000]).into()));
        damaged(of(&"0".repeat(128)));
        assert_eq!(of(&"0".repeat(127)), MorseError::Shape);
        // What an export says of the work of its passphrase decides nothing: this would be 2^60 rounds.
        let mut export: Value = serde_json::from_str(good).unwrap();
        for name in ["secparam", "n", "r", "p"] {
            export[name] = (1_u64 << 60).into();
        }
        let passphrase = golden["exports"][0]["passphrase"].as_str().unwrap();
        assert!(MorseKey::open(&export.to_string(), passphrase).is_ok());
    }
}
