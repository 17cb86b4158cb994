//! Downloads that are refused or odd: budgets, full databases, models that are none, files of other importers.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it wants, all else is a failure"
)]

use std::{fs, sync::Arc};

use axum::{Router, body::Bytes};
use cid::{Cid, Version};

use super::{
    downloads::{publisher, until, until_failed, until_ready},
    generators::splitmix,
    local::{node, node_with, node_with_pages},
    replay::{MemoryBlocks, serve},
};
use crate::{
    Block, DownloadState, ManifestFile, ModelKind, PullError,
    block::{DAG_CBOR, DAG_PB},
    gateway::{Mode, router},
    manifest::{Description, Manifest},
    unixfs::{Profile, dag_pb, data, import_bytes, tree},
};

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_is_fetched() {
    let (_folder, first, cid) = publisher().await;
    let address = serve(first.router()).await;
    let changes: [(&str, &str, fn(&mut crate::Config)); 2] = [
        ("the quota leaves 5.0 MB", "download_quota", |config| {
            config.quota_bytes = Some(5_000_000)
        }),
        ("the disk has 0.0 MB to spare", "download_disk", |config| {
            config.keep_free_bytes = u64::MAX
        }),
    ];
    for (wanted, fact, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        let second = node_with(folder.path(), change).await;
        let mut seen = second.pull(cid, std::slice::from_ref(&address)).await.unwrap();
        let why = until_failed(&mut seen).await;
        assert!(why.contains(wanted) && why.contains("9.0 MB"), "{why}");
        assert!(matches!(
            &seen.borrow().state,
            DownloadState::Failed {
                retry_at_ms: None,
                code: Some(code),
                values,
                ..
            } if code == fact && values["needed_bytes"].starts_with('9')
        ));
        assert!(!folder.path().join("weights/models").exists());
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named_and_tried_again() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let second = node(folder.path()).await;
    let in_the_way = folder
        .path()
        .join(format!("weights/models/{cid}/Model-21.gguf.partial"));
    fs::create_dir_all(&in_the_way).unwrap();
    let mut seen = second.pull(cid, &[serve(first.router()).await]).await.unwrap();
    let why = until_failed(&mut seen).await;
    assert!(why.contains("cannot be written"), "{why}");
    fs::remove_dir(&in_the_way).unwrap();
    until_ready(&mut seen).await;
}

#[tokio::test]
async fn models_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let weights = node(folder.path()).await;
    let address = serve(Router::new()).await;
    let raw: Cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
        .try_into()
        .unwrap();
    let other: Cid = "bafkr4ieeohvqqiaewqouyvz2qxjtmifxq4ugozf4n7a2dohm7d3pwd6xcm"
        .try_into()
        .unwrap();
    let cbor = Block::new(Version::V1, DAG_CBOR, Bytes::from_static(&[0xa0]));
    assert!(matches!(
        weights.pull(raw, std::slice::from_ref(&address)).await,
        Err(PullError::NoManifest(_))
    ));
    assert!(matches!(
        weights.pull(other, std::slice::from_ref(&address)).await,
        Err(PullError::Hash(_))
    ));
    assert!(matches!(
        weights.pull(*cbor.cid(), &[]).await,
        Err(PullError::NoSource(_))
    ));
    assert!(matches!(
        weights.pull(*cbor.cid(), &["ftp://x".to_owned()]).await,
        Err(PullError::Source(_))
    ));
    // A gateway that does not have it, then one that has no manifest there.
    let mut seen = weights.pull(*cbor.cid(), &[address]).await.unwrap();
    let why = until_failed(&mut seen).await;
    assert!(
        why.contains("manifest") && why.contains("does not have it"),
        "{why}"
    );
    let blocks = MemoryBlocks::default();
    blocks.put([cbor.clone()]);
    let address = serve(router(Arc::new(blocks), Mode::Trustless)).await;
    let mut seen = weights.pull(*cbor.cid(), &[address]).await.unwrap();
    until(&mut seen, |seen| matches!(&seen.state, DownloadState::Failed { why, retry_at_ms: None, .. } if why.contains("no Hearth model manifest"))).await;
}

/// The blocks of a manifest over `files`.
fn manifest_of(files: &[(&str, Cid, u64)]) -> (Cid, Block) {
    let file = |(path, cid, size): &(&str, Cid, u64)| ManifestFile {
        path: (*path).to_owned(),
        size_bytes: *size,
        cid: *cid,
    };
    let manifest = Manifest::new(Description {
        slug: "foreign".to_owned(),
        title: "Foreign".to_owned(),
        kind: ModelKind::Chat,
        licence: String::new(),
        files: files.iter().map(file).collect(),
    })
    .unwrap();
    (
        *manifest.cid(),
        Block::verify(*manifest.cid(), manifest.bytes().clone()).unwrap(),
    )
}

#[tokio::test]
async fn files_of_other_importers_are_pulled_and_served_block_by_block() {
    hearth_base::tls::init();
    let blocks = MemoryBlocks::default();
    let old = Profile {
        chunk_bytes: 1000,
        max_links: 3,
        ..Profile::V0_2015
    };
    let inlined = Profile {
        chunk_bytes: 1000,
        inline_limit: Some(32),
        ..Profile::V1_2025
    };
    let mut files = Vec::new();
    let mut contents = Vec::new();
    let cases: [(&str, Profile, Bytes); 7] = [
        ("empty", Profile::V1_2025, Bytes::new()),
        ("empty-old", Profile::V0_2015, Bytes::new()),
        ("identity", inlined, Bytes::from_static(b"small")),
        ("inlined-end", inlined, splitmix(31, 3007)),
        ("old", old, splitmix(32, 20_001)),
        ("one-block-old", Profile::V0_2015, splitmix(33, 777)),
        ("zeros", old, vec![0; 12_000].into()),
    ];
    for (name, profile, content) in cases {
        let (root, made) = import_bytes(&profile, &content).unwrap();
        blocks.put(made);
        files.push((name, root.cid, content.len() as u64));
        contents.push(content);
    }
    // A leaf of type Raw, as trickle importers write them, and bytes in a node before those of its child.
    let content = splitmix(34, 500);
    let (before, after) = tree::leaf_frame(data::NodeKind::Raw, 500);
    let leaf = Block::new(
        Version::V0,
        DAG_PB,
        [&before, content.as_ref(), &after].concat().into(),
    );
    let link = dag_pb::Link {
        cid: *leaf.cid(),
        name: Some(String::new()),
        tsize: Some(leaf.bytes().len() as u64),
    };
    let node = dag_pb::encode(&[link], &data::encode_file(b"head", 504, &[500]));
    let node = Block::new(Version::V0, DAG_PB, node.into());
    files.push(("strange", *node.cid(), 504));
    contents.push([b"head", content.as_ref()].concat().into());
    blocks.put([leaf, node]);
    let (cid, manifest) = manifest_of(&files);
    blocks.put([manifest]);

    let folder = tempfile::tempdir().unwrap();
    let weights = self::node(folder.path()).await;
    let address = serve(router(Arc::new(blocks.clone()), Mode::Trustless)).await;
    let mut seen = weights.pull(cid, &[address]).await.unwrap();
    until_ready(&mut seen).await;
    let opened = weights.open(&cid).await.unwrap();
    for ((name, ..), content) in files.iter().zip(&contents) {
        assert_eq!(
            fs::read(opened.file(name).unwrap().path()).unwrap(),
            *content,
            "{name}"
        );
    }
    assert!(weights.verify(&cid).await.unwrap().is_intact());
    let all: Vec<Block> = blocks.0.lock().unwrap().values().cloned().collect();
    for block in all {
        assert_eq!(weights.blocks().get(block.cid()).await.unwrap(), Some(block));
    }
}

#[tokio::test]
async fn a_manifest_that_lies_about_a_size_is_refused() {
    hearth_base::tls::init();
    let blocks = MemoryBlocks::default();
    let (root, made) = import_bytes(&Profile::V1_2025, &splitmix(35, 2_000_000)).unwrap();
    blocks.put(made);
    let (cid, manifest) = manifest_of(&[("a.gguf", root.cid, 2_000_001)]);
    blocks.put([manifest]);
    let folder = tempfile::tempdir().unwrap();
    let weights = node(folder.path()).await;
    let address = serve(router(Arc::new(blocks), Mode::Trustless)).await;
    let why = until_failed(&mut weights.pull(cid, &[address]).await.unwrap()).await;
    assert!(why.contains("publisher made a mistake"), "{why}");
}

#[tokio::test]
async fn a_full_database_is_an_error_and_loses_nothing() {
    hearth_base::tls::init();
    // A manifest that takes many pages.
    let blocks = MemoryBlocks::default();
    let paths: Vec<String> = (0..90)
        .map(|idx| format!("{}-{idx}.json", "long".repeat(40)))
        .collect();
    let mut files = Vec::new();
    for (path, seed) in paths.iter().zip(0..) {
        let (root, made) = import_bytes(&Profile::V1_2025, &splitmix(seed, 10)).unwrap();
        blocks.put(made);
        files.push((path.as_str(), root.cid, 10));
    }
    let (cid, manifest) = manifest_of(&files);
    blocks.put([manifest]);
    let address = serve(router(Arc::new(blocks), Mode::Trustless)).await;
    let folder = tempfile::tempdir().unwrap();
    let weights = node_with_pages(folder.path(), Some(1)).await;
    match weights.pull(cid, std::slice::from_ref(&address)).await {
        Err(PullError::Records(error)) => assert!(error.to_string().contains("disk full"), "{error}"),
        Err(error) => panic!("{error}"),
        Ok(mut seen) => {
            let why = until_failed(&mut seen).await;
            assert!(why.contains("disk full"), "{why}");
        }
    }
    weights.stop();
    weights.join().await;
    drop(weights);
    let weights = node(folder.path()).await;
    until_ready(&mut weights.pull(cid, &[address]).await.unwrap()).await;
    assert!(weights.verify(&cid).await.unwrap().is_intact());
}
