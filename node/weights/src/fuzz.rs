//! Entry functions for fuzzing: each takes any bytes and must neither panic nor take memory beyond its limits.

use bytes::Bytes;
use cid::Version;

use crate::{
    block::{Block, DAG_CBOR, DAG_PB},
    car::CarReader,
    manifest::Manifest,
    unixfs::{dag_pb, data, directory, read},
};

/// A CAR stream, cut into pieces of the length that the first byte says.
pub fn car(bytes: &[u8]) {
    let step = usize::from(bytes.first().copied().unwrap_or(1)).max(1);
    let mut reader = CarReader::new();
    for part in bytes.chunks(step) {
        reader.push(part);
        while let Ok(Some(_)) = reader.next_block() {}
    }
    let _ = reader.finish();
}

/// A dag-pb node, read as every kind of UnixFS node.
pub fn dag_pb(bytes: &[u8]) {
    let block = Block::new(Version::V1, DAG_PB, Bytes::copy_from_slice(bytes));
    let _ = read::file_node(&block);
    if let Ok(mut planner) = read::Planner::new(*block.cid()) {
        let _ = planner.give(&block);
    }
    if let Ok(node) = dag_pb::decode(block.bytes())
        && let Some(Ok(message)) = node.data.as_ref().map(data::decode)
    {
        let _ = directory::list(&node, &message);
    }
}

/// A model manifest.
pub fn manifest(bytes: &[u8]) {
    let block = Block::new(Version::V1, DAG_CBOR, Bytes::copy_from_slice(bytes));
    if let Ok(manifest) = Manifest::from_block(&block) {
        assert_eq!(
            manifest.bytes(),
            block.bytes(),
            "a manifest is read only in its canonical form"
        );
    }
}
