//! Keys as `pocketd keys export` writes them: ASCII armor (RFC 4880, section 6) around a key under a passphrase.
//!
//! Two ways of sealing are about. Newer releases of the Cosmos SDK stretch the passphrase by Argon2id and seal by
//! ChaCha20-Poly1305 with a nonce of zeroes (the salt is new each time, so the key is); older ones take bcrypt, SHA-256
//! and the secret box of NaCl. Both are read, the newer one is written.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, aead::Aead as _};
use poly1305::Poly1305;
use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::derive::Secret;

const BLOCK: &str = "TENDERMINT PRIVATE KEY";
/// An armored key is some 300 bytes; a text that is longer than this is none.
const MAX_BYTES: usize = 16 * 1024;
/// What the Cosmos SDK puts before the 32 bytes of a secp256k1 key: the amino prefix and the length.
const AMINO: [u8; 5] = [0xe1, 0xb0, 0xf7, 0x9b, 0x20];
/// The strength of the SDK's bcrypt.
const BCRYPT_COST: u32 = 12;
/// The figures of the SDK's Argon2id: 64 MiB, one pass, four lanes.
const ARGON2: (u32, u32, u32) = (64 * 1024, 1, 4);
const LINE: usize = 64;

/// Why an armored key is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArmorError {
    #[error("this is no exported key: one begins with -----BEGIN {BLOCK}-----")]
    Shape,
    #[error("the exported key is damaged: {0}")]
    Damaged(&'static str),
    #[error("the key is sealed by \"{0}\", and bcrypt and argon2 are known")]
    Sealing(String),
    #[error("the key is of the kind \"{0}\", and Pocket's accounts have secp256k1 keys")]
    Kind(String),
    #[error("the passphrase does not open this exported key")]
    Passphrase,
}

/// Opens an exported key.
pub(crate) fn open(text: &str, passphrase: &str) -> Result<Secret, ArmorError> {
    let block = Block::parse(text)?;
    if let Some(kind) = block.header("type").filter(|kind| *kind != "secp256k1") {
        return Err(ArmorError::Kind(shortened(kind)));
    }
    let salt = block.header("salt").unwrap_or_default();
    let salt = hex::decode(salt).map_err(|_| ArmorError::Damaged("its salt is no hex"))?;
    let opened = match block.header("kdf") {
        Some("argon2") => open_argon2(&block.body, &salt, passphrase)?,
        Some("bcrypt") => open_bcrypt(&block.body, &salt, passphrase)?,
        other => return Err(ArmorError::Sealing(shortened(other.unwrap_or_default()))),
    };
    let key = opened
        .strip_prefix(&AMINO)
        .ok_or(ArmorError::Damaged("it holds no secp256k1 key"))?;
    Secret::from_bytes(key).ok_or(ArmorError::Damaged("what it holds is no key"))
}

/// Writes a key so that `pocketd keys import` reads it.
pub(crate) fn write(secret: &Secret, passphrase: &str) -> Result<Zeroizing<String>, String> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let key = argon2_key(passphrase, &salt).map_err(|error| error.to_string())?;
    let mut plain = Zeroizing::new(AMINO.to_vec());
    plain.extend_from_slice(secret.bytes());
    let sealed = ChaCha20Poly1305::new((&*key).into())
        .encrypt((&[0_u8; 12]).into(), plain.as_slice())
        .map_err(|_| "the key cannot be sealed")?;
    let body = BASE64.encode(&sealed);
    let mut lines = Vec::new();
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push(line);
        rest = after;
    }
    let sum = BASE64.encode(&crc24(&sealed).to_be_bytes()[1..]);
    Ok(Zeroizing::new(format!(
        "-----BEGIN {BLOCK}-----\nkdf: argon2\nsalt: {}\ntype: secp256k1\n\n{}\n={sum}\n-----END {BLOCK}-----\n",
        hex::encode_upper(salt),
        lines.join("\n"),
    )))
}

/// The parts of an armored text.
pub(crate) struct Block {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Block {
    pub(crate) fn parse(text: &str) -> Result<Block, ArmorError> {
        if text.len() > MAX_BYTES {
            return Err(ArmorError::Shape);
        }
        let (_, rest) = text
            .split_once(&format!("-----BEGIN {BLOCK}-----"))
            .ok_or(ArmorError::Shape)?;
        let (inside, _) = rest
            .split_once(&format!("-----END {BLOCK}-----"))
            .ok_or(ArmorError::Damaged("its last line is missing"))?;
        let (mut headers, mut body, mut sum) = (Vec::new(), String::new(), None);
        for line in inside.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(": ") {
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            } else if let Some(told) = line.strip_prefix('=').filter(|told| told.len() == 4) {
                sum = Some(told.to_owned());
            } else {
                body.push_str(line);
            }
        }
        let body = BASE64
            .decode(body)
            .map_err(|_| ArmorError::Damaged("it is no base64"))?;
        // The sum may be left out.
        if let Some(sum) = sum
            && BASE64.encode(&crc24(&body).to_be_bytes()[1..]) != sum
        {
            return Err(ArmorError::Damaged("its checksum differs"));
        }
        Ok(Block { headers, body })
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(name, _)| name == wanted);
        found.next().map(|(_, value)| value.as_str())
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn argon2_key(passphrase: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, argon2::Error> {
    let (memory, passes, lanes) = ARGON2;
    let params = Params::new(memory, passes, lanes, Some(32))?;
    let mut key = Zeroizing::new([0_u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
        passphrase.as_bytes(),
        salt,
        key.as_mut(),
    )?;
    Ok(key)
}

fn open_argon2(sealed: &[u8], salt: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, ArmorError> {
    let key = argon2_key(passphrase, salt).map_err(|_| ArmorError::Damaged("its salt is too short"))?;
    ChaCha20Poly1305::new((&*key).into())
        .decrypt((&[0_u8; 12]).into(), sealed)
        .map(Zeroizing::new)
        .map_err(|_| ArmorError::Passphrase)
}

fn open_bcrypt(sealed: &[u8], salt: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, ArmorError> {
    let salt = salt
        .try_into()
        .map_err(|_| ArmorError::Damaged("its salt is not 16 bytes"))?;
    let hashed = bcrypt::hash_with_salt(passphrase, BCRYPT_COST, salt)
        .map_err(|_| ArmorError::Damaged("its passphrase holds a zero byte"))?;
    let hashed = Zeroizing::new(hashed.format_for_version(bcrypt::Version::TwoA));
    let key = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(hashed.as_bytes())));
    open_secret_box(sealed, &key)
}

/// NaCl's secret box: a nonce of 24 bytes, a tag of 16, then what XSalsa20 hides. The first 32 bytes of the stream are the
/// key of the tag.
fn open_secret_box(sealed: &[u8], key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, ArmorError> {
    let short = ArmorError::Damaged("it is too short");
    let (nonce, rest) = sealed.split_first_chunk::<24>().ok_or(short.clone())?;
    let (tag, hidden) = rest.split_first_chunk::<16>().ok_or(short)?;
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let mut tag_key = Zeroizing::new([0_u8; 32]);
    stream.apply_keystream(tag_key.as_mut());
    let counted = Poly1305::new((&*tag_key).into()).compute_unpadded(hidden);
    if !bool::from(counted.as_slice().ct_eq(tag)) {
        return Err(ArmorError::Passphrase);
    }
    let mut opened = Zeroizing::new(hidden.to_vec());
    stream.apply_keystream(&mut opened);
    Ok(opened)
}

/// The checksum of RFC 4880, section 6.1.
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00b7_04ce_u32, |sum, byte| {
        let mut sum = sum ^ (u32::from(*byte) << 16);
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x0100_0000 != 0 {
                sum ^= 0x0186_4cfb;
            }
        }
        sum & 0x00ff_ffff
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{derive::derive, mnemonic::Words};

    fn golden() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors/keyring.json")).unwrap()
    }

    #[test]
    fn keys_that_the_cosmos_sdk_exported_are_read() {
        let golden = golden();
        let text = |name: &str| golden[name].as_str().unwrap();
        for form in ["argon2", "bcrypt"] {
            let secret = open(text(form), text("passphrase")).unwrap();
            assert_eq!(hex::encode(secret.bytes()), text("secret"), "{form}");
            assert_eq!(secret.key().address().as_str(), text("address"));
            assert_eq!(open(text(form), "another").unwrap_err(), ArmorError::Passphrase);
            let pasted = format!(
                "$ pocketd keys export op1\n{}\n$ ",
                text(form).replace('\n', "\r\n")
            );
            assert!(open(&pasted, text("passphrase")).is_ok(), "{form}");
        }
    }

    #[test]
    fn keys_lie_where_the_cosmos_sdk_derives_them() {
        for case in golden()["derivations"].as_array().unwrap() {
            let text = |name: &str| case[name].as_str().unwrap();
            let words = Words::parse(text("Words")).unwrap();
            let secret = derive(&words, text("Passphrase"), &text("Path").parse().unwrap());
            assert_eq!(hex::encode(secret.bytes()), text("Secret"), "{}", text("Path"));
            assert_eq!(secret.key().address().as_str(), text("Address"));
        }
    }

    #[test]
    fn a_written_key_is_read_again_and_looks_like_the_sdks() {
        let golden = golden();
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let written = write(&secret, "a passphrase").unwrap();
        assert_eq!(open(&written, "a passphrase").unwrap().bytes(), secret.bytes());
        let shape = |text: &str| -> Vec<(usize, String)> {
            let lines = text.trim_end().lines();
            lines
                .map(|line| (line.len(), line.chars().take(5).collect::<String>()))
                .collect()
        };
        let theirs = golden["argon2"].as_str().unwrap();
        let (ours, theirs) = (shape(&written), shape(theirs));
        let lengths = |shape: &[(usize, String)]| -> Vec<usize> { shape.iter().map(|line| line.0).collect() };
        assert_eq!(lengths(&ours).len(), lengths(&theirs).len());
        assert_eq!((&ours[0], ours.last()), (&theirs[0], theirs.last()));
    }

    #[test]
    fn what_is_wrong_with_an_export_is_said() {
        let good = golden()["argon2"].as_str().unwrap().to_owned();
        let of = |text: &str| open(text, "hearth golden passphrase").unwrap_err();
        assert_eq!(of("hello"), ArmorError::Shape);
        assert_eq!(
            of(&good[..good.len() / 2]),
            ArmorError::Damaged("its last line is missing")
        );
        assert_eq!(
            of(&good.replace("argon2", "scrypt")),
            ArmorError::Sealing("scrypt".into())
        );
        assert_eq!(
            of(&good.replace("secp256k1", "ed25519")),
            ArmorError::Kind("ed25519".into())
        );
        assert_eq!(
            of(&good.replace("kdf: argon2\n", "")),
            ArmorError::Sealing(String::new())
        );
        assert_eq!(of(&"x".repeat(100_000)), ArmorError::Shape);
    }
}
