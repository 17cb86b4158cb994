//! Models served out of their files.

use std::fs;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{
    generators::splitmix,
    local::{model_file, node},
    replay::serve,
};
use crate::{
    AddOptions, Block,
    car::CarReader,
    provider::{HttpGateway, HttpLimits, Source},
};

#[tokio::test]
async fn a_model_is_served_whole_and_a_changed_file_is_not() {
    hearth_base::tls::init();
    let folder = tempfile::tempdir().unwrap();
    let path = model_file(folder.path(), 11, 2_500_000);
    let weights = node(folder.path()).await;
    let model = weights.add(&path, AddOptions::default()).await.unwrap();
    let uri = format!("/ipfs/{}?format=car", model.cid());
    let request = || Request::builder().uri(&uri).body(Body::empty()).unwrap();
    let car = weights.router().oneshot(request()).await.unwrap();
    assert_eq!(car.status(), StatusCode::OK);
    let mut reader = CarReader::new();
    reader.push(&car.into_body().collect().await.unwrap().to_bytes());
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    // Manifest, node, three leaves.
    assert_eq!(blocks.len(), 5);
    assert_eq!(blocks[0].cid(), model.cid());
    let content: Vec<u8> = blocks[2..]
        .iter()
        .flat_map(|block| block.bytes().to_vec())
        .collect();
    assert_eq!(content, splitmix(11, 2_500_000));

    let gateway = HttpGateway::new(&serve(weights.router()).await, HttpLimits::default()).unwrap();
    let leaf: &Block = &blocks[3];
    assert_eq!(gateway.block(leaf.cid()).await.unwrap(), *leaf);

    let mut bytes = fs::read(&path).unwrap();
    bytes[1_100_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(
        gateway.block(leaf.cid()).await.is_err(),
        "bytes that are not the block's are never sent"
    );
    assert!(
        weights.blocks().get(blocks[4].cid()).await.unwrap().is_none(),
        "nothing of that file is"
    );
    assert!(
        weights.blocks().get(blocks[1].cid()).await.unwrap().is_some(),
        "nodes are in the database"
    );
    model_file(folder.path(), 11, 2_500_000);
    weights.open(model.cid()).await.unwrap();
    assert_eq!(
        gateway.block(leaf.cid()).await.unwrap(),
        *leaf,
        "verified again, served again"
    );
}
