//! The UnixFS message inside a dag-pb node: what the node is, and how many bytes lie under each link.

use std::ops::Range;

use bytes::Bytes;

use super::proto::{self, Field, ProtoError};
use crate::varint::{self, Varint};

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// Bytes of a file; old importers write it for leaves.
    Raw,
    Directory,
    File,
    Metadata,
    Symlink,
    /// A directory too large for one block.
    HamtShard,
}

/// A decoded message. Mode and mtime (fields 7 and 8) are allowed and forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnixFs {
    pub(crate) kind: NodeKind,
    /// Where the file's own bytes lie in the message.
    pub(crate) content: Option<Range<usize>>,
    pub(crate) file_size: Option<u64>,
    pub(crate) block_sizes: Vec<u64>,
    pub(crate) hash_type: Option<u64>,
    pub(crate) fanout: Option<u64>,
}

/// Why bytes are no UnixFS message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    #[error("no protobuf")]
    Proto(#[from] ProtoError),
    #[error("type {0} is unknown")]
    Kind(u64),
    #[error("the type is missing")]
    NoKind,
    #[error("field {0} has the wrong form")]
    Form(u64),
}

/// The message of a file node or leaf: empty content is left out, the size never.
pub(crate) fn encode_file(content: &[u8], file_size: u64, block_sizes: &[u64]) -> Vec<u8> {
    let mut bytes = file_head(NodeKind::File, content.len());
    bytes.extend_from_slice(content);
    proto::write_varint(3, file_size, &mut bytes);
    for size in block_sizes {
        proto::write_varint(4, *size, &mut bytes);
    }
    bytes
}

/// What stands before the content of a leaf of `length` bytes.
pub(crate) fn file_head(kind: NodeKind, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    proto::write_varint(1, kind.code(), &mut bytes);
    if length > 0 {
        varint::write(2 << 3 | 2, &mut bytes);
        varint::write(length as u64, &mut bytes);
    }
    bytes
}

/// The message of a directory.
pub(crate) const DIRECTORY: [u8; 2] = [0x08, 0x01];

impl NodeKind {
    fn code(self) -> u64 {
        match self {
            NodeKind::Raw => 0,
            NodeKind::Directory => 1,
            NodeKind::File => 2,
            NodeKind::Metadata => 3,
            NodeKind::Symlink => 4,
            NodeKind::HamtShard => 5,
        }
    }

    fn from_code(code: u64) -> Result<NodeKind, DataError> {
        Ok(match code {
            0 => NodeKind::Raw,
            1 => NodeKind::Directory,
            2 => NodeKind::File,
            3 => NodeKind::Metadata,
            4 => NodeKind::Symlink,
            5 => NodeKind::HamtShard,
            other => return Err(DataError::Kind(other)),
        })
    }
}

/// Reads the message. Unknown fields are skipped, and block sizes may be packed.
pub(crate) fn decode(bytes: &Bytes) -> Result<UnixFs, DataError> {
    let mut kind = None;
    let mut message = UnixFs {
        kind: NodeKind::Raw,
        content: None,
        file_size: None,
        block_sizes: Vec::new(),
        hash_type: None,
        fanout: None,
    };
    for field in proto::fields(bytes) {
        match field? {
            (1, Field::Varint(code)) => kind = Some(NodeKind::from_code(code)?),
            (2, Field::Bytes(range)) => message.content = Some(range),
            (3, Field::Varint(size)) => message.file_size = Some(size),
            (4, Field::Varint(size)) => message.block_sizes.push(size),
            (4, Field::Bytes(range)) => unpack(&bytes[range], &mut message.block_sizes)?,
            (5, Field::Varint(code)) => message.hash_type = Some(code),
            (6, Field::Varint(fanout)) => message.fanout = Some(fanout),
            (number @ 1..=6, Field::Varint(_) | Field::Bytes(_) | Field::Fixed) => {
                return Err(DataError::Form(number));
            }
            (_, Field::Varint(_) | Field::Bytes(_) | Field::Fixed) => {}
        }
    }
    message.kind = kind.ok_or(DataError::NoKind)?;
    Ok(message)
}

fn unpack(mut bytes: &[u8], to: &mut Vec<u64>) -> Result<(), DataError> {
    while !bytes.is_empty() {
        match varint::read(bytes) {
            Varint::Value(value, length) => {
                to.push(value);
                bytes = &bytes[length..];
            }
            Varint::Short => return Err(ProtoError::Short.into()),
            Varint::TooLong => return Err(ProtoError::TooLong.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(content: Vec<u8>, file_size: u64, block_sizes: Vec<u64>) {
            let bytes = Bytes::from(encode_file(&content, file_size, &block_sizes));
            let message = decode(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(message.content.map_or(&[][..], |range| &bytes[range]), content.as_slice());
            prop_assert_eq!(message.file_size, Some(file_size));
            prop_assert_eq!(message.block_sizes, block_sizes);
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_a_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes.into());
        }
    }

    #[test]
    fn packed_sizes_are_read() {
        let message = decode(&Bytes::from_static(&[8, 2, 0x18, 5, 0x22, 2, 4, 1])).unwrap();
        assert_eq!(message.block_sizes, [4, 1]);
    }
}
