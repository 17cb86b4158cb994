//! One plain function for every parser of foreign bytes. `fuzz/` calls them with what a fuzzer makes, the tests
//! below with its corpus and with changed copies of it; none may panic or take memory beyond its limits.

use bytes::Bytes;
use cid::Version;

use crate::{
    block::{Block, DAG_CBOR, DAG_PB},
    car::CarReader,
    gateway,
    manifest::Manifest,
    unixfs::{dag_pb, data, directory, read},
};

/// A parser with its name; the folder of its corpus is `weights_` and the name.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: &[Target] = &[
    ("car", car),
    ("dag_pb", dag_pb),
    ("manifest", manifest),
    ("request", request),
];

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
    if let Ok(mut planner) = read::Planner::new(*block.cid())
        && planner.give(&block).is_ok()
        && let Some(plan) = planner.finish()
    {
        let parts = plan.pieces.iter().map(|piece| piece.length);
        let inline = plan.inline.iter().map(|(_, part)| part.len() as u64);
        assert_eq!(
            parts.chain(inline).sum::<u64>(),
            plan.size,
            "the parts of a file are the file"
        );
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

/// A request to the gateway: its address, a line end, its `Accept`.
pub fn request(bytes: &[u8]) {
    gateway::fuzz(bytes);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tests::generators::splitmix;

    #[test]
    fn the_corpus_and_changed_copies_of_it_are_survived() {
        for (name, target) in TARGETS {
            let folder = format!("{}/../../fuzz/corpus/weights_{name}", env!("CARGO_MANIFEST_DIR"));
            let files: Vec<_> = fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{folder}: {error}"))
                .collect();
            assert!(!files.is_empty(), "{folder} is empty");
            for file in files {
                let bytes = fs::read(file.unwrap().path()).unwrap();
                target(&bytes);
                for seed in 0..300_u64 {
                    let noise = splitmix(seed, 16);
                    let mut changed = bytes.clone();
                    let at = |idx: usize| usize::from(noise[idx]) * 257 % bytes.len().max(1);
                    changed[at(0)] ^= noise[1];
                    changed[at(2)] = noise[3];
                    changed.truncate(bytes.len() - if seed % 3 == 0 { at(4) } else { 0 });
                    target(&changed);
                }
            }
        }
    }

    /// The corpus holds the very blocks that this version writes.
    #[test]
    fn the_manifests_of_the_corpus_are_those_of_the_catalogue() {
        for entry in crate::catalogue::entries() {
            let slug = entry.manifest.slug();
            let path = format!(
                "{}/../../fuzz/corpus/weights_manifest/{slug}",
                env!("CARGO_MANIFEST_DIR")
            );
            assert_eq!(fs::read(path).unwrap(), *entry.manifest.bytes());
        }
    }
}
