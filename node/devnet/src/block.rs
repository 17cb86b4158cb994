//! Blocks: headers, the validator's signature, and the hashes in between.

use ed25519_consensus::SigningKey;
use hearth_pocket::merkle;
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint::{
    AppHash, Hash, Signature, Time, account,
    block::{Commit, CommitSig, Header, Height, Id, Round, header::Version, parts},
    chain,
    validator::{Info, Set},
    vote::{self, CanonicalVote},
};
use tendermint_proto::v0_38::types as raw;

/// Blocks are cut into parts of this many bytes, whose hashes the block id commits to.
const PART_SIZE: usize = 65_536;
/// The version of CometBFT's block format.
const BLOCK_PROTOCOL: u64 = 11;

/// Why a block cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("the height {0} is too large for a block")]
    Height(u64),
    #[error("the block cannot be made: {0}")]
    Header(#[from] tendermint::Error),
    #[error("the block's vote cannot be encoded")]
    Encode,
}

/// The one validator.
pub(crate) struct Validator {
    key: SigningKey,
    info: Info,
    set_hash: Hash,
}

/// What a new block is made of.
pub(crate) struct Draft<'a> {
    pub(crate) chain_id: &'a str,
    pub(crate) height: u64,
    pub(crate) time_ns: u64,
    /// The block before, and the commit for it; nothing for the first block.
    pub(crate) last: Option<(Id, Commit)>,
    pub(crate) txs: &'a [Vec<u8>],
    /// The state after the block before.
    pub(crate) app_hash: [u8; 32],
    pub(crate) last_results_hash: [u8; 32],
}

/// A block that was made and signed.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) header: Header,
    pub(crate) id: Id,
    /// The commit for this block.
    pub(crate) commit: Commit,
}

impl Validator {
    pub(crate) fn new(seed: [u8; 32], power: u32) -> Validator {
        let key = SigningKey::from(seed);
        let public = tendermint::PublicKey::from_raw_ed25519(key.verification_key().as_bytes());
        // An ed25519 key always makes a public key that tendermint knows.
        #[allow(
            clippy::unwrap_used,
            clippy::expect_used,
            reason = "32 bytes of an ed25519 key are a public key"
        )]
        let public = public.expect("32 bytes of an ed25519 key are a public key");
        let info = Info::new(public, vote::Power::from(power));
        let set_hash = Set::new(vec![info.clone()], Some(info.clone())).hash();
        Validator { key, info, set_hash }
    }

    pub(crate) fn info(&self) -> &Info {
        &self.info
    }

    /// Makes and signs a block.
    pub(crate) fn seal(&self, draft: &Draft<'_>) -> Result<Sealed, BlockError> {
        let header = self.header(draft)?;
        let block = raw_block(&header, draft);
        let id = Id {
            hash: header.hash(),
            part_set_header: part_set(&block)?,
        };
        let commit = self.commit(draft, id)?;
        Ok(Sealed { header, id, commit })
    }

    fn header(&self, draft: &Draft<'_>) -> Result<Header, BlockError> {
        let last_commit = draft.last.as_ref().map(|(_, commit)| commit);
        Ok(Header {
            version: Version {
                block: BLOCK_PROTOCOL,
                app: 0,
            },
            chain_id: chain::Id::try_from(draft.chain_id.to_owned())?,
            height: height(draft.height)?,
            time: time(draft.time_ns)?,
            last_block_id: draft.last.as_ref().map(|(id, _)| *id),
            last_commit_hash: Some(commit_hash(last_commit)),
            data_hash: Some(data_hash(draft.txs)),
            validators_hash: self.set_hash,
            next_validators_hash: self.set_hash,
            consensus_hash: consensus_hash(),
            app_hash: AppHash::try_from(draft.app_hash.to_vec())?,
            last_results_hash: Some(Hash::Sha256(draft.last_results_hash)),
            evidence_hash: Some(Hash::Sha256(merkle::root(&[]))),
            proposer_address: self.info.address,
        })
    }

    fn commit(&self, draft: &Draft<'_>, id: Id) -> Result<Commit, BlockError> {
        let timestamp = time(draft.time_ns)?;
        let canonical = CanonicalVote {
            vote_type: vote::Type::Precommit,
            height: height(draft.height)?,
            round: Round::default(),
            block_id: Some(id),
            timestamp: Some(timestamp),
            chain_id: chain::Id::try_from(draft.chain_id.to_owned())?,
        };
        let bytes = raw::CanonicalVote::from(canonical).encode_length_delimited_to_vec();
        let signature = Signature::try_from(self.key.sign(&bytes).to_bytes().as_slice())?;
        Ok(Commit {
            height: height(draft.height)?,
            round: Round::default(),
            block_id: id,
            signatures: vec![CommitSig::BlockIdFlagCommit {
                validator_address: self.info.address,
                timestamp,
                signature: Some(signature),
            }],
        })
    }
}

pub(crate) fn height(number: u64) -> Result<Height, BlockError> {
    Height::try_from(number).map_err(|_| BlockError::Height(number))
}

pub(crate) fn time(ns: u64) -> Result<Time, BlockError> {
    let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
    let nanos = (ns % 1_000_000_000) as u32;
    Ok(Time::from_unix_timestamp(seconds, nanos)?)
}

/// What a header says about its transactions.
pub(crate) fn data_hash(txs: &[Vec<u8>]) -> Hash {
    Hash::Sha256(merkle::root_of(txs.iter().map(Sha256::digest)))
}

/// What a header says about the commit for the block before.
pub(crate) fn commit_hash(commit: Option<&Commit>) -> Hash {
    let signatures = commit.map_or(&[][..], |commit| commit.signatures.as_slice());
    let leaves = signatures
        .iter()
        .map(|signature| raw::CommitSig::from(signature.clone()).encode_to_vec());
    Hash::Sha256(merkle::root_of(leaves))
}

/// What a transaction's result puts into the next header.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ResultLeaf {
    #[prost(uint32, tag = 1)]
    pub(crate) code: u32,
    #[prost(bytes = "vec", tag = 2)]
    pub(crate) data: Vec<u8>,
    #[prost(int64, tag = 5)]
    pub(crate) gas_wanted: i64,
    #[prost(int64, tag = 6)]
    pub(crate) gas_used: i64,
}

/// What the next header says about this block's results.
pub(crate) fn results_hash(results: &[ResultLeaf]) -> [u8; 32] {
    merkle::root_of(results.iter().map(Message::encode_to_vec))
}

/// The largest block, in bytes.
pub(crate) const MAX_BYTES: i64 = 22_020_096;

#[derive(Clone, PartialEq, prost::Message)]
struct HashedParams {
    #[prost(int64, tag = 1)]
    max_bytes: i64,
    #[prost(int64, tag = 2)]
    max_gas: i64,
}

pub(crate) fn consensus_hash() -> Hash {
    let bytes = HashedParams {
        max_bytes: MAX_BYTES,
        max_gas: -1,
    }
    .encode_to_vec();
    Hash::Sha256(Sha256::digest(bytes).into())
}

fn raw_block(header: &Header, draft: &Draft<'_>) -> Vec<u8> {
    let last_commit = draft
        .last
        .as_ref()
        .map(|(_, commit)| commit.clone())
        .unwrap_or_default();
    raw::Block {
        header: Some(header.clone().into()),
        data: Some(raw::Data {
            txs: draft.txs.to_vec(),
        }),
        evidence: Some(raw::EvidenceList::default()),
        last_commit: Some(last_commit.into()),
    }
    .encode_to_vec()
}

fn part_set(block: &[u8]) -> Result<parts::Header, BlockError> {
    let leaves: Vec<Vec<u8>> = block.chunks(PART_SIZE).map(<[u8]>::to_vec).collect();
    let total = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
    Ok(parts::Header::new(total, Hash::Sha256(merkle::root_of(leaves)))?)
}

/// The bytes of a header and of a commit as the database keeps them.
pub(crate) fn encode(header: &Header, commit: &Commit) -> (Vec<u8>, Vec<u8>) {
    (
        raw::Header::from(header.clone()).encode_to_vec(),
        raw::Commit::from(commit.clone()).encode_to_vec(),
    )
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(header: &[u8], commit: &[u8]) -> Result<(Header, Commit), BlockError> {
    let header = raw::Header::decode(header).map_err(|_| BlockError::Encode)?;
    let commit = raw::Commit::decode(commit).map_err(|_| BlockError::Encode)?;
    Ok((header.try_into()?, commit.try_into()?))
}

/// The 20 bytes of the validator's address, as text.
pub(crate) fn address_text(address: &account::Id) -> String {
    hex::encode_upper(address.as_bytes())
}

/// A hash as the chain writes it: upper-case hex.
pub(crate) fn hash_text(hash: &Hash) -> String {
    hex::encode_upper(hash.as_bytes())
}
