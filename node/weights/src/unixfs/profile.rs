//! Import profiles: what decides the CID of a file besides its bytes.

use cid::Version;

/// Which size of a directory decides that it must be sharded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryMeasure {
    /// Names and CIDs of the entries, as importers did until 2025.
    LinkBytes,
    /// The serialised block.
    BlockBytes,
}

/// Choices of an importer. The layout is always the balanced tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Version of the CIDs of dag-pb nodes.
    pub cid_version: Version,
    /// Whether leaves are plain bytes instead of dag-pb nodes.
    pub raw_leaves: bool,
    /// Length of all leaves but the last.
    pub chunk_bytes: u32,
    /// The most links of a file node.
    pub max_links: u32,
    /// Blocks of at most this many bytes become identity CIDs.
    pub inline_limit: Option<u8>,
    /// What is compared with [`DIRECTORY_LIMIT_BYTES`].
    pub directory_measure: DirectoryMeasure,
}

/// A directory over this many bytes is sharded by other importers; here it is refused.
pub const DIRECTORY_LIMIT_BYTES: usize = 262_144;

impl Profile {
    /// `unixfs-v1-2025` of IPIP-0499: the profile of everything that this program publishes.
    pub const V1_2025: Profile = Profile {
        cid_version: Version::V1,
        raw_leaves: true,
        chunk_bytes: 1_048_576,
        max_links: 1024,
        inline_limit: None,
        directory_measure: DirectoryMeasure::BlockBytes,
    };

    /// `unixfs-v0-2015`: what `ipfs add` gives when nothing is said.
    pub const V0_2015: Profile = Profile {
        cid_version: Version::V0,
        raw_leaves: false,
        chunk_bytes: 262_144,
        max_links: 174,
        inline_limit: None,
        directory_measure: DirectoryMeasure::LinkBytes,
    };
}
