//! Content blocks: bytes whose hash was compared with their CID.
//!
//! A [`Block`] can be made only by hashing, so a function that takes one need not trust where it came from.

use bytes::Bytes;
use cid::{Cid, Version, multihash::Multihash};
use sha2::{Digest as _, Sha256};

/// The largest block that is read from anybody. The IPFS specifications ask for 2 MiB.
pub const MAX_BLOCK_BYTES: usize = 2 * 1024 * 1024;
/// The longest CID in bytes that is read from anybody; boxo refuses longer ones too.
pub(crate) const MAX_CID_BYTES: usize = 168;

/// Codec of plain bytes.
pub(crate) const RAW: u64 = 0x55;
/// Codec of UnixFS nodes.
pub(crate) const DAG_PB: u64 = 0x70;
/// Codec of manifests.
pub(crate) const DAG_CBOR: u64 = 0x71;
/// The one hash function that is computed here.
pub(crate) const SHA2_256: u64 = 0x12;
/// The "hash" that is the bytes themselves.
pub(crate) const IDENTITY: u64 = 0x00;

/// A SHA-256.
pub type Digest = [u8; 32];

/// Why bytes are not the block that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    #[error(
        "block {cid} has {size} bytes; more than {MAX_BLOCK_BYTES} are never accepted: the source is broken"
    )]
    TooLarge { cid: Cid, size: usize },
    #[error(
        "the bytes do not have the hash that their CID {cid} names: the source is broken or lies; take another"
    )]
    Mismatch { cid: Cid },
    #[error(
        "CID {cid} uses hash {name} (0x{code:x}); only sha2-256 is read: ask the publisher for such a CID"
    )]
    UnknownHash { cid: Cid, code: u64, name: &'static str },
}

/// Bytes that have the hash their CID names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    bytes: Bytes,
}

impl Block {
    /// Compares the bytes with the CID.
    ///
    /// # Errors
    /// Bytes that are too many or have another hash, and CIDs with a hash function other than sha2-256.
    pub fn verify(cid: Cid, bytes: Bytes) -> Result<Block, BlockError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(BlockError::TooLarge {
                cid,
                size: bytes.len(),
            });
        }
        check_hash(&cid)?;
        let same = match cid.hash().code() {
            IDENTITY => cid.hash().digest() == bytes.as_ref(),
            _ => cid.hash().digest() == sha256(&bytes).as_slice(),
        };
        if same {
            Ok(Block { cid, bytes })
        } else {
            Err(BlockError::Mismatch { cid })
        }
    }

    /// The block of an identity CID, whose bytes are in the CID.
    #[must_use]
    pub fn from_identity(cid: Cid) -> Option<Block> {
        (cid.hash().code() == IDENTITY).then(|| Block {
            cid,
            bytes: Bytes::copy_from_slice(cid.hash().digest()),
        })
    }

    /// A new block of version `version` and codec `codec`.
    #[must_use]
    pub(crate) fn new(version: Version, codec: u64, bytes: Bytes) -> Block {
        Block {
            cid: sha256_cid(version, codec, sha256(&bytes)),
            bytes,
        }
    }

    /// A new block whose bytes lie in its CID. The caller keeps them few.
    #[must_use]
    pub(crate) fn new_identity(codec: u64, bytes: Bytes) -> Option<Block> {
        let hash = Multihash::wrap(IDENTITY, &bytes).ok()?;
        Some(Block {
            cid: Cid::new_v1(codec, hash),
            bytes,
        })
    }

    /// Its name.
    #[must_use]
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Gives up the proof and keeps the bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// Refuses hash functions that are not computed here, by name.
pub(crate) fn check_hash(cid: &Cid) -> Result<(), BlockError> {
    let code = cid.hash().code();
    let known = match code {
        IDENTITY => true,
        SHA2_256 => cid.hash().digest().len() == 32,
        _ => false,
    };
    if known {
        Ok(())
    } else {
        Err(BlockError::UnknownHash {
            cid: *cid,
            code,
            name: hash_name(code),
        })
    }
}

/// The digest of a sha2-256 CID.
pub(crate) fn digest_of(cid: &Cid) -> Option<Digest> {
    if cid.hash().code() != SHA2_256 {
        return None;
    }
    cid.hash().digest().try_into().ok()
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// The CID of a block by its digest. Version 0 exists for dag-pb alone; all else gets version 1.
#[allow(
    clippy::expect_used,
    reason = "32 bytes fit the 64 of a multihash, and v0 takes any sha2-256 of 32 bytes"
)]
pub(crate) fn sha256_cid(version: Version, codec: u64, digest: Digest) -> Cid {
    let hash = Multihash::wrap(SHA2_256, &digest).expect("a digest of 32 bytes fits");
    if version == Version::V0 && codec == DAG_PB {
        return Cid::new_v0(hash).expect("sha2-256 of 32 bytes is what version 0 asks for");
    }
    Cid::new_v1(codec, hash)
}

fn hash_name(code: u64) -> &'static str {
    match code {
        IDENTITY => "identity",
        0x11 => "sha1",
        SHA2_256 => "sha2-256 of another length",
        0x13 => "sha2-512",
        0x14 => "sha3-512",
        0x16 => "sha3-256",
        0x1b => "keccak-256",
        0x1e => "blake3",
        0xb220 => "blake2b-256",
        0xb240 => "blake2b-512",
        0xb260 => "blake2s-256",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_bytes_become_a_block() {
        let block = Block::new(Version::V1, RAW, Bytes::from_static(b"hello world"));
        let text = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
        assert_eq!(block.cid().to_string(), text);
        assert_eq!(
            Block::verify(*block.cid(), block.bytes().clone()),
            Ok(block.clone())
        );
        let wrong = Block::verify(*block.cid(), Bytes::from_static(b"hello worle"));
        assert_eq!(wrong, Err(BlockError::Mismatch { cid: *block.cid() }));
        let large = Block::verify(*block.cid(), vec![0; MAX_BLOCK_BYTES + 1].into());
        assert!(matches!(large, Err(BlockError::TooLarge { .. })));
    }

    #[test]
    fn another_hash_is_refused_by_name() {
        let cid: Cid = "bafkr4ieeohvqqiaewqouyvz2qxjtmifxq4ugozf4n7a2dohm7d3pwd6xcm"
            .try_into()
            .unwrap();
        let error = Block::verify(cid, Bytes::new()).unwrap_err();
        assert!(error.to_string().contains("blake3"), "{error}");
    }

    #[test]
    fn an_identity_cid_is_its_bytes() {
        let cid: Cid = "bafkqac3imvwgy3zao5xxe3de".try_into().unwrap();
        assert_eq!(
            Block::from_identity(cid).unwrap().bytes().as_ref(),
            b"hello world"
        );
        assert!(Block::verify(cid, Bytes::from_static(b"hello")).is_err());
    }
}
