//! Secret and public secp256k1 keys, and the one trait through which everything is signed.

use std::{fmt, sync::OnceLock};

use k256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer as _, Verifier as _},
};

use crate::{
    address::Address,
    ring::{Ring, RingError, SigningSecret},
};

/// Why something could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("the key of {address} is locked: unlock the wallet and try again")]
    Locked { address: Address },
    #[error("the key of {address} cannot be used: {why}")]
    Unavailable { address: Address, why: String },
    #[error(transparent)]
    Ring(#[from] RingError),
}

/// Why bytes are no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a secret key is 32 bytes that make a number from 1 to the order of the curve")]
    BadSecret,
    #[error("a public key is 33 bytes that make a compressed point of secp256k1")]
    BadPublic,
}

/// Why a signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("a signature is 64 bytes, this one has {length}")]
    WrongLength { length: usize },
    #[error("the signature is not of this key over these bytes (or is not in its lower form)")]
    Invalid,
}

/// Who signs. The keys themselves may be locked away; a signature then fails with [`SignError::Locked`].
pub trait Signer: Send + Sync {
    /// The signer's address.
    fn address(&self) -> &Address;

    /// The signer's compressed public key.
    fn public_key(&self) -> [u8; 33];

    /// ECDSA with the lower `s` over the SHA-256 of `message`, as `r | s`: the signature of the Cosmos SDK.
    ///
    /// # Errors
    /// A key that is locked or out of reach.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;

    /// A ring signature over a message hash. The signer's key must be a member of the ring.
    ///
    /// # Errors
    /// A key that is locked, out of reach or no member.
    fn ring_sign(&self, ring: &Ring, message_hash: &[u8; 32]) -> Result<Vec<u8>, SignError>;
}

/// A secret key. Its memory is cleared when it is dropped.
pub struct SecretKey {
    key: SigningKey,
    public: [u8; 33],
    address: Address,
    /// What ring signatures need of this key besides the secret itself; made at the first of them.
    ring: OnceLock<SigningSecret>,
}

impl SecretKey {
    /// The key with these 32 bytes.
    ///
    /// # Errors
    /// Zero, or a number not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<SecretKey, KeyError> {
        let key = SigningKey::from_slice(bytes).map_err(|_| KeyError::BadSecret)?;
        let public = compressed(key.verifying_key());
        let address = Address::from_public_key(&public);
        Ok(SecretKey {
            key,
            public,
            address,
            ring: OnceLock::new(),
        })
    }

    /// The compressed public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 33] {
        self.public
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// ECDSA with the lower `s` over the SHA-256 of `message`, as `r | s`. Deterministic (RFC 6979).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.key.sign(message);
        signature.to_bytes().into()
    }
}

impl Signer for SecretKey {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> [u8; 33] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(SecretKey::sign(self, message))
    }

    fn ring_sign(&self, ring: &Ring, message_hash: &[u8; 32]) -> Result<Vec<u8>, SignError> {
        let secret = self
            .ring
            .get_or_init(|| SigningSecret::new(&self.key, self.public));
        Ok(ring.sign(secret, message_hash)?)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.address)
    }
}

/// A public key, ready to verify.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    bytes: [u8; 33],
}

impl PublicKey {
    /// The key with these 33 bytes.
    ///
    /// # Errors
    /// Bytes that are no compressed point of the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let bytes: [u8; 33] = bytes.try_into().map_err(|_| KeyError::BadPublic)?;
        let key = VerifyingKey::from_sec1_bytes(&bytes).map_err(|_| KeyError::BadPublic)?;
        Ok(PublicKey { key, bytes })
    }

    /// The compressed point.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 33] {
        self.bytes
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from_public_key(&self.bytes)
    }

    /// Checks a signature `r | s` over the SHA-256 of `message`. The higher form of `s` is refused.
    ///
    /// # Errors
    /// A signature of another length, key or message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        if signature.len() != 64 {
            return Err(SignatureError::WrongLength {
                length: signature.len(),
            });
        }
        let signature = Signature::from_slice(signature).map_err(|_| SignatureError::Invalid)?;
        self.key
            .verify(message, &signature)
            .map_err(|_| SignatureError::Invalid)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.bytes))
    }
}

fn compressed(key: &VerifyingKey) -> [u8; 33] {
    let point = key.to_sec1_point(true);
    let mut bytes = [0; 33];
    bytes.copy_from_slice(point.as_bytes());
    bytes
}
