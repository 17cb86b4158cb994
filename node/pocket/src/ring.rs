//! Ring signatures: somebody of the ring has signed, and nobody sees who (bLSAG over secp256k1).
//!
//! A ring of `n` is walked once around. At every member `L = s·G + c·P` and `R = s·H(P) + c·I` give the next
//! member's challenge `c = H(message, L, R)`; the walk must end at the challenge it began with. `I = x·H(P)`, the
//! key image, is the same for all signatures of one key.
//!
//! The challenge has a quirk that must be reproduced: a hash that is shorter than 32 bytes is padded on the
//! *right* (see [`curve::hash_to_scalar`]).

use std::sync::OnceLock;

use k256::{ProjectivePoint, Scalar, ecdsa::SigningKey, elliptic_curve::ops::MulByGeneratorVartime};
use sha3::{Digest, Sha3_512};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::message::application::Application;

pub(crate) mod curve;
mod table;
mod verifier;

pub use verifier::RingVerifier;

use curve::Challenge;
use table::{Digits, Table};

/// Bytes before the first member: size, challenge, key image.
const HEAD: usize = 4 + 32 + 33;
/// Bytes of a member: scalar and public key.
const MEMBER: usize = 32 + 33;
/// The largest ring that is looked at. An application may have a handful of gateways; a ring with this many
/// repeated members would cost its verifier 0.3 s.
pub const MAX_MEMBERS: usize = 1024;

/// The public key that completes the ring of an application without a gateway. Its secret is public too:
/// `x = SHA-256("placeholder_ring_key_for_apps_without_gateways") mod (N − 1) + 1`.
pub const PLACEHOLDER_PUBLIC_KEY: [u8; 33] = [
    0x02, 0x10, 0x66, 0xf2, 0x93, 0x70, 0x93, 0x56, 0xa3, 0x3e, 0x9c, 0x13, 0x01, 0x78, 0x67, 0x58, 0x6b,
    0xaf, 0x52, 0x51, 0x3e, 0x84, 0x5b, 0xc4, 0x33, 0x52, 0x33, 0xa1, 0x5e, 0xd1, 0xe0, 0x0b, 0xaf,
];

/// Why a ring cannot be built, signed or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    #[error("a ring has from 2 to {MAX_MEMBERS} members, this one has {size}")]
    Size { size: usize },
    #[error("{} is no compressed point of secp256k1, so it cannot be a ring's member", hex::encode(.key))]
    BadMember { key: Vec<u8> },
    #[error("the signing key {} is no member of the ring", hex::encode(.key))]
    NotAMember { key: [u8; 33] },
    #[error("the system gave no random bytes: {why}")]
    NoRandomness { why: String },
    #[error("a ring signature of {size} members has {expected} bytes, this one has {length}")]
    TooShort {
        size: usize,
        expected: usize,
        length: usize,
    },
    #[error("the ring signature's key image is no point of secp256k1")]
    BadImage,
    #[error("the ring signature does not hold for this request")]
    Invalid,
    #[error("{} signed in the ring, but is neither the application nor one of its gateways", hex::encode(.key))]
    ForeignMember { key: [u8; 33] },
}

/// A member's key with the point it hashes to.
#[derive(Clone, Debug)]
struct Member {
    key: [u8; 33],
    point: ProjectivePoint,
    hash: ProjectivePoint,
    /// Tables for `point` and `hash`, once they pay.
    tables: OnceLock<Box<(Table, Table)>>,
}

impl Member {
    fn new(key: &[u8; 33]) -> Result<Member, RingError> {
        let point = curve::decode(key).ok_or_else(|| RingError::BadMember { key: key.to_vec() })?;
        let hash = curve::hash_to_curve(key).ok_or_else(|| RingError::BadMember { key: key.to_vec() })?;
        Ok(Member {
            key: *key,
            point: point.into(),
            hash,
            tables: OnceLock::new(),
        })
    }

    fn tables(&self) -> &(Table, Table) {
        self.tables
            .get_or_init(|| Box::new((Table::new(&self.point), Table::new(&self.hash))))
    }
}

/// A ring to sign for. Keep it as long as its members stay the same: its second signature builds tables
/// (721 KB a member) that make all later ones faster.
#[derive(Debug)]
pub struct Ring {
    members: Vec<Member>,
    signed_before: std::sync::atomic::AtomicBool,
}

/// What a ring needs of a signer's key.
pub(crate) struct SigningSecret {
    secret: Scalar,
    public: [u8; 33],
    hash: Option<ProjectivePoint>,
    image: ProjectivePoint,
    /// For the decoys' steps, from the second signature on.
    image_table: OnceLock<Table>,
}

impl ZeroizeOnDrop for SigningSecret {}

impl Drop for SigningSecret {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl SigningSecret {
    pub(crate) fn new(key: &SigningKey, public: [u8; 33]) -> SigningSecret {
        let secret = *key.as_nonzero_scalar().as_ref();
        let hash = curve::hash_to_curve(&public);
        let image = hash.unwrap_or(ProjectivePoint::IDENTITY) * secret;
        SigningSecret {
            secret,
            public,
            hash,
            image,
            image_table: OnceLock::new(),
        }
    }
}

impl Ring {
    /// The ring of these compressed keys, in this order. A key may stand in it more than once.
    ///
    /// # Errors
    /// Fewer than two keys, too many, or one that is no point.
    pub fn new(keys: &[[u8; 33]]) -> Result<Ring, RingError> {
        if !(2..=MAX_MEMBERS).contains(&keys.len()) {
            return Err(RingError::Size { size: keys.len() });
        }
        let members = keys.iter().map(Member::new).collect::<Result<_, _>>()?;
        Ok(Ring {
            members,
            signed_before: false.into(),
        })
    }

    /// The members' keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8; 33]> {
        self.members.iter().map(|member| &member.key)
    }

    /// Signs a message hash; the bytes are ready for a request's `signature`.
    pub(crate) fn sign(&self, signer: &SigningSecret, message_hash: &[u8; 32]) -> Result<Vec<u8>, RingError> {
        let mut random = vec![0; 32 * self.members.len()];
        getrandom::fill(&mut random).map_err(|error| RingError::NoRandomness {
            why: error.to_string(),
        })?;
        // The nonce is hedged: bad randomness alone does not give the key away.
        let mut hasher = Sha3_512::new();
        hasher.update(b"hearth ring nonce");
        hasher.update(signer.secret.to_bytes());
        hasher.update(message_hash);
        hasher.update(&random[..32]);
        let nonce = curve::reduce_wide(&hasher.finalize().into());
        let decoys: Vec<Scalar> = random[32..].chunks_exact(32).map(curve::reduce).collect();
        random.zeroize();
        let not_a_member = || RingError::NotAMember { key: signer.public };
        let at = self
            .members
            .iter()
            .position(|member| member.key == signer.public)
            .ok_or_else(not_a_member)?;
        self.sign_with(signer, at, message_hash, nonce, &decoys)
    }

    /// Signs as the member at `at` with given scalars: the nonce, and the decoys from its successor on.
    fn sign_with(
        &self,
        signer: &SigningSecret,
        at: usize,
        message_hash: &[u8; 32],
        mut nonce: Scalar,
        decoys: &[Scalar],
    ) -> Result<Vec<u8>, RingError> {
        let size = self.members.len();
        let hash = signer.hash.ok_or(RingError::NotAMember { key: signer.public })?;
        let use_tables = self
            .signed_before
            .swap(true, std::sync::atomic::Ordering::Relaxed);
        let image = if use_tables {
            Image::Table(signer.image_table.get_or_init(|| Table::new(&signer.image)))
        } else {
            Image::Point(&signer.image)
        };

        let challenge = Challenge::new(message_hash);
        let mut challenges = vec![Scalar::ZERO; size];
        let mut scalars = vec![Scalar::ZERO; size];
        // The secret's own multiplications run in constant time.
        challenges[(at + 1) % size] =
            challenge.next(&[ProjectivePoint::mul_by_generator(&nonce), hash * nonce]);
        for (step, decoy) in (1..size).zip(decoys) {
            let k = (at + step) % size;
            scalars[k] = *decoy;
            let member = &self.members[k];
            let tables = use_tables.then(|| member.tables());
            let points = walk(member, tables, &image, decoy, &challenges[k]);
            challenges[(k + 1) % size] = challenge.next_vartime(&points);
        }
        scalars[at] = nonce - challenges[at] * signer.secret;
        nonce.zeroize();

        let mut bytes = Vec::with_capacity(HEAD + MEMBER * size);
        bytes.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&challenges[0].to_bytes());
        bytes.extend_from_slice(&curve::encode(&signer.image.to_affine()));
        for (scalar, member) in scalars.iter().zip(&self.members) {
            bytes.extend_from_slice(&scalar.to_bytes());
            bytes.extend_from_slice(&member.key);
        }
        Ok(bytes)
    }
}

/// The key image: its table where there is one.
enum Image<'a> {
    Point(&'a ProjectivePoint),
    Table(&'a Table),
}

/// One step of the walk: `L = s·G + c·P` and `R = s·H(P) + c·I`. Public data only, so the time may vary.
fn walk(
    member: &Member,
    tables: Option<&(Table, Table)>,
    image: &Image<'_>,
    s: &Scalar,
    c: &Scalar,
) -> [ProjectivePoint; 2] {
    let (s_digits, c_digits) = (Digits::of(s), Digits::of(c));
    let l = match tables {
        Some((point, _)) => table::lincomb([(table::generator(), &s_digits), (point, &c_digits)]),
        None => ProjectivePoint::mul_by_generator_and_mul_add_vartime(s, c, &member.point),
    };
    let r = match (tables, image) {
        (Some((_, hash)), Image::Table(image)) => table::lincomb([(hash, &s_digits), (image, &c_digits)]),
        (Some((_, hash)), Image::Point(image)) => table::lincomb([(hash, &s_digits)]) + curve::mul(image, c),
        (None, Image::Table(image)) => table::lincomb([(image, &c_digits)]) + curve::mul(&member.hash, s),
        (None, Image::Point(image)) => curve::lincomb(&member.hash, s, image, c),
    };
    [l, r]
}

/// A ring signature, read but not verified.
#[derive(Clone, Debug)]
pub struct RingSignature {
    challenge: Scalar,
    image: [u8; 33],
    /// Scalar and key of each member.
    members: Vec<(Scalar, [u8; 33])>,
}

impl RingSignature {
    /// Reads a signature as leniently as the chain does: scalars are reduced, bytes after the last member are
    /// ignored, a ring of one is read.
    ///
    /// # Errors
    /// Bytes that are too short, no member or too many, or a key image that is no point.
    pub fn parse(bytes: &[u8]) -> Result<RingSignature, RingError> {
        let signature = RingSignature::read(bytes)?;
        signature.image_point()?;
        Ok(signature)
    }

    /// As [`RingSignature::parse`], but leaves it to the check whether the key image is a point: a [`RingVerifier`]
    /// that knows the image need not take the root for it.
    ///
    /// # Errors
    /// Bytes that are too short, no member or too many.
    pub fn read(bytes: &[u8]) -> Result<RingSignature, RingError> {
        let short = |size, expected| RingError::TooShort {
            size,
            expected,
            length: bytes.len(),
        };
        let (head, rest) = bytes
            .split_at_checked(HEAD)
            .ok_or_else(|| short(1, HEAD + MEMBER))?;
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if size == 0 || size > MAX_MEMBERS {
            return Err(RingError::Size { size });
        }
        let rest = rest
            .get(..MEMBER * size)
            .ok_or_else(|| short(size, HEAD + MEMBER * size))?;
        let mut image = [0; 33];
        image.copy_from_slice(&head[36..]);
        let members = rest
            .chunks_exact(MEMBER)
            .map(|member| {
                let mut key = [0; 33];
                key.copy_from_slice(&member[32..]);
                (curve::reduce(&member[..32]), key)
            })
            .collect();
        Ok(RingSignature {
            challenge: curve::reduce(&head[4..36]),
            image,
            members,
        })
    }

    /// The members' keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8; 33]> {
        self.members.iter().map(|(_, key)| key)
    }

    /// The key image: the same for all signatures of one key.
    #[must_use]
    pub fn key_image(&self) -> &[u8; 33] {
        &self.image
    }

    /// Bytes that are the same for every way to write this signature down. The chain reads it leniently (scalars above
    /// the group's order, bytes behind the last member), and the walk around the ring may begin at any member; so a
    /// stranger can write a signature anew, but not with other pairs of scalar and key.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut members: Vec<[u8; MEMBER]> = self
            .members
            .iter()
            .map(|(scalar, key)| {
                let mut member = [0; MEMBER];
                member[..32].copy_from_slice(&scalar.to_bytes());
                member[32..].copy_from_slice(key);
                member
            })
            .collect();
        members.sort_unstable();
        let mut bytes = self.image.to_vec();
        bytes.extend(members.as_flattened());
        bytes
    }

    /// The key image as a point. Taking the root for it is dear, so it is not done for an image that is known.
    fn image_point(&self) -> Result<ProjectivePoint, RingError> {
        curve::decode(&self.image)
            .map(ProjectivePoint::from)
            .ok_or(RingError::BadImage)
    }

    /// Refuses a ring with a key that is not among `expected`. Order, repetition and size do not matter, as on
    /// the chain.
    ///
    /// # Errors
    /// The first foreign key.
    pub fn check_members(&self, expected: &[[u8; 33]]) -> Result<(), RingError> {
        match self.keys().find(|key| !expected.contains(key)) {
            Some(key) => Err(RingError::ForeignMember { key: *key }),
            None => Ok(()),
        }
    }

    /// Checks the ring equation. For many signatures of the same rings use a [`RingVerifier`].
    ///
    /// # Errors
    /// A member or key image that is no point, or an equation that does not hold.
    pub fn verify(&self, message_hash: &[u8; 32]) -> Result<(), RingError> {
        let image = self.image_point()?;
        let members = self
            .members
            .iter()
            .map(|(_, key)| Member::new(key))
            .collect::<Result<Vec<_>, _>>()?;
        let image = Image::Point(&image);
        self.walk_around(message_hash, &image, members.iter().map(|member| (member, None)))
    }

    fn walk_around<'a>(
        &self,
        message_hash: &[u8; 32],
        image: &Image<'_>,
        members: impl Iterator<Item = (&'a Member, Option<&'a (Table, Table)>)>,
    ) -> Result<(), RingError> {
        let challenge = Challenge::new(message_hash);
        let mut c = self.challenge;
        for ((s, _), (member, tables)) in self.members.iter().zip(members) {
            c = challenge.next_vartime(&walk(member, tables, image, s, &c));
        }
        if c == self.challenge {
            Ok(())
        } else {
            Err(RingError::Invalid)
        }
    }
}

/// Who may sign for an application in the session that ends at `session_end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedRing {
    /// The application and its gateways, sorted as text; their public keys are on chain.
    pub addresses: Vec<String>,
    /// Whether the placeholder key completes the ring: then anybody can sign.
    pub placeholder: bool,
}

impl ExpectedRing {
    /// The ring of `application`: its gateways now, and those that were undelegated only after the session.
    #[must_use]
    pub fn of(application: &Application, session_end: u64) -> ExpectedRing {
        let leaving = application.pending_undelegations.range(session_end..);
        let mut addresses: Vec<String> = application.delegatee_gateway_addresses.clone();
        addresses.extend(leaving.flat_map(|(_, list)| list.gateway_addresses.iter().cloned()));
        let placeholder = addresses.is_empty();
        addresses.push(application.address.clone());
        addresses.sort();
        addresses.dedup();
        ExpectedRing {
            addresses,
            placeholder,
        }
    }
}

#[cfg(test)]
mod tests;
