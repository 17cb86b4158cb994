//! Hashes and encodings of the ring signature, as go-dleq has them.

use k256::{
    AffinePoint, FieldBytes, ProjectivePoint, Scalar, WideBytes,
    elliptic_curve::{
        BatchNormalize,
        ops::{LinearCombination, Reduce},
        point::DecompressPoint,
        sec1::ToSec1Point,
        subtle::Choice,
    },
};
use sha3::{Digest, Sha3_256, Sha3_512};

/// How often a hash is hashed again until it is a point.
const ATTEMPTS: usize = 128;

/// A hash as a scalar: SHA3-512 modulo the order, and then the quirk of go-dleq. It takes the number's minimal
/// bytes and pads them on the *right*, so that one hash in 256 becomes another number.
pub(crate) fn hash_to_scalar(hasher: Sha3_512) -> Scalar {
    let number = reduce_wide(&hasher.finalize().into()).to_bytes();
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    if zeros == 0 {
        return reduce(&number);
    }
    let mut padded = [0; 32];
    padded[..32 - zeros].copy_from_slice(&number[zeros..]);
    reduce(&padded)
}

/// The hash of a public key as a point: SHA3-256, again and again until it is the x of a point; y is even.
pub(crate) fn hash_to_curve(key: &[u8; 33]) -> Option<ProjectivePoint> {
    let mut hash = Sha3_256::digest(key);
    for _ in 0..ATTEMPTS {
        // Go reduces x modulo p first; a hash at or above p (one in 2^224) will not be met.
        let x: FieldBytes = <[u8; 32]>::from(hash).into();
        if let Some(point) = Option::<AffinePoint>::from(AffinePoint::decompress(&x, Choice::from(0))) {
            return Some(point.into());
        }
        hash = Sha3_256::digest(hash);
    }
    None
}

/// The challenges over one message.
pub(crate) struct Challenge(Sha3_512);

impl Challenge {
    pub(crate) fn new(message_hash: &[u8; 32]) -> Challenge {
        Challenge(Sha3_512::new_with_prefix(message_hash))
    }

    /// The challenge after an `L` and `R` that come from a secret: in constant time.
    pub(crate) fn next(&self, points: &[ProjectivePoint; 2]) -> Scalar {
        self.of(&<ProjectivePoint as BatchNormalize<[ProjectivePoint; 2]>>::batch_normalize(points))
    }

    /// The challenge after an `L` and `R` that everybody can compute.
    pub(crate) fn next_vartime(&self, points: &[ProjectivePoint; 2]) -> Scalar {
        self.of(&<ProjectivePoint as BatchNormalize<[ProjectivePoint; 2]>>::batch_normalize_vartime(points))
    }

    fn of(&self, points: &[AffinePoint; 2]) -> Scalar {
        let mut hasher = self.0.clone();
        for point in points {
            hasher.update(encode(point));
        }
        hash_to_scalar(hasher)
    }
}

/// The compressed point; the point at infinity as Go writes it.
pub(crate) fn encode(point: &AffinePoint) -> [u8; 33] {
    let mut bytes = [0; 33];
    bytes[0] = 2;
    if let Ok(compressed) = <[u8; 33]>::try_from(point.to_sec1_point(true).as_bytes()) {
        bytes = compressed;
    }
    bytes
}

/// Reads a compressed point.
pub(crate) fn decode(bytes: &[u8; 33]) -> Option<AffinePoint> {
    let odd = match bytes[0] {
        2 => 0,
        3 => 1,
        _ => return None,
    };
    let mut x = FieldBytes::default();
    x.copy_from_slice(&bytes[1..]);
    AffinePoint::decompress(&x, Choice::from(odd)).into()
}

/// 32 bytes as a number modulo the order.
pub(crate) fn reduce(bytes: &[u8]) -> Scalar {
    let mut fixed = FieldBytes::default();
    fixed.copy_from_slice(bytes);
    <Scalar as Reduce<FieldBytes>>::reduce(&fixed)
}

/// 64 bytes as a number modulo the order.
pub(crate) fn reduce_wide(bytes: &[u8; 64]) -> Scalar {
    <Scalar as Reduce<WideBytes>>::reduce(&(*bytes).into())
}

/// `a·P` in variable time.
pub(crate) fn mul(point: &ProjectivePoint, a: &Scalar) -> ProjectivePoint {
    <ProjectivePoint as LinearCombination<[(ProjectivePoint, Scalar); 1]>>::lincomb_vartime(&[(*point, *a)])
}

/// `a·P + b·Q` in variable time.
pub(crate) fn lincomb(p: &ProjectivePoint, a: &Scalar, q: &ProjectivePoint, b: &Scalar) -> ProjectivePoint {
    <ProjectivePoint as LinearCombination<[(ProjectivePoint, Scalar); 2]>>::lincomb_vartime(&[
        (*p, *a),
        (*q, *b),
    ])
}
