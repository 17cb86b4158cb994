//! Gateways that send what nobody asked for, and models whose pulled files went bad.

use std::fs;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use cid::{Cid, Version};
use futures::{StreamExt as _, stream};

use super::{
    downloads::{SIZE, check_pulled, faulty, publisher, until_failed, until_ready},
    generators::splitmix,
    local::node,
    replay::serve,
};
use crate::{
    AddOptions, Block, Origin,
    block::RAW,
    car::{header, section_head},
    provider::{HttpGateway, HttpLimits, Source as _, SourceError},
};

fn section(block: &Block) -> Bytes {
    [section_head(block), block.bytes().to_vec()].concat().into()
}

/// A CAR of valid blocks that belong to no model, for ever.
fn endless(root: Cid, block: &Block) -> Body {
    let sections = stream::repeat(section(block));
    let parts = stream::once(async move { Bytes::from(header(root)) }).chain(sections);
    Body::from_stream(parts.map(Ok::<_, std::io::Error>))
}

#[tokio::test]
async fn a_car_without_end_is_given_up() {
    let (_folder, first, cid) = publisher().await;
    for size in [0, 1 << 20] {
        let unwanted = Block::new(Version::V1, RAW, splitmix(99, size));
        let liar = faulty(first.router(), move |uri, response| {
            let unwanted = unwanted.clone();
            async move {
                if uri.contains("format=car") {
                    let (head, _) = response.into_parts();
                    Response::from_parts(head, endless(cid, &unwanted))
                } else {
                    response
                }
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let second = node(folder.path()).await;
        let mut seen = second.pull(cid, std::slice::from_ref(&liar)).await.unwrap();
        let why = until_failed(&mut seen).await;
        assert!(why.contains("without end"), "{why}");

        let folder = tempfile::tempdir().unwrap();
        let third = node(folder.path()).await;
        let honest = serve(first.router()).await;
        until_ready(&mut third.pull(cid, &[liar, honest]).await.unwrap()).await;
        check_pulled(&third, &cid, folder.path()).await;
    }
}

#[tokio::test]
async fn good_blocks_before_a_broken_end_are_kept() {
    hearth_base::tls::init();
    let blocks: Vec<Block> = (0..3)
        .map(|seed| Block::new(Version::V1, RAW, splitmix(seed, 1000)))
        .collect();
    let root = *blocks[0].cid();
    let mut car = header(root);
    for block in &blocks {
        car.extend(section(block));
    }
    // A section that is longer than any block.
    car.extend([0xff, 0xff, 0xff, 0x7f]);
    let app = axum::Router::new().fallback(move || {
        let car = car.clone();
        async move {
            Response::builder()
                .header("Content-Type", "application/vnd.ipld.car")
                .body(Body::from(car))
                .unwrap()
        }
    });
    let gateway = HttpGateway::new(&serve(app).await, HttpLimits::default()).unwrap();
    let mut results: Vec<_> = gateway.span(root, 0, 2999).collect().await;
    assert!(matches!(results.pop(), Some(Err(SourceError::Car { .. }))));
    let found: Vec<Block> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, blocks);
}

#[tokio::test]
async fn a_source_leads_to_nothing_else_inside() {
    hearth_base::tls::init();
    let block = Block::new(Version::V1, RAW, splitmix(3, 1000));
    let (cid, bytes) = (*block.cid(), block.bytes().clone());
    let inside = axum::Router::new().fallback(move || {
        let bytes = bytes.clone();
        async move {
            Response::builder()
                .header("Content-Type", "application/vnd.ipld.raw")
                .body(Body::from(bytes))
                .unwrap()
        }
    });
    let inside = serve(inside).await;
    let to = inside.clone();
    let leading = axum::Router::new().fallback(move |uri: axum::http::Uri| {
        let to = format!("{}{uri}", to.trim_end_matches('/'));
        async move {
            Response::builder()
                .status(307)
                .header("Location", to)
                .body(Body::empty())
                .unwrap()
        }
    });
    let direct = HttpGateway::new(&inside, HttpLimits::default()).unwrap();
    assert_eq!(direct.block(&cid).await.unwrap(), block);
    let led = HttpGateway::new(&serve(leading).await, HttpLimits::default()).unwrap();
    let error = led.block(&cid).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn damaged_pulled_files_are_deleted_when_the_model_is_added() {
    let (first_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let second = node(folder.path()).await;
    let address = serve(first.router()).await;
    until_ready(&mut second.pull(cid, &[address]).await.unwrap()).await;
    let pulled = second.get(&cid).await.unwrap().unwrap().files[0].path.clone();
    let damage = || {
        fs::remove_file(&pulled).unwrap();
        fs::write(&pulled, splitmix(22, SIZE)).unwrap();
    };

    // Mended in its place it stays the node's own.
    damage();
    fs::copy(first_folder.path().join("Model-21.gguf"), &pulled).unwrap();
    let model = second.add(&pulled, AddOptions::default()).await.unwrap();
    assert_eq!((model.origin, model.is_usable()), (Origin::Pulled, true));

    damage();
    let own = first_folder.path().join("Model-21.gguf");
    let model = second.add(&own, AddOptions::default()).await.unwrap();
    assert_eq!((model.origin, model.is_usable()), (Origin::Added, true));
    assert!(
        !pulled.parent().unwrap().exists(),
        "nothing is left that no quota counts"
    );
    assert!(second.open(&cid).await.is_ok());
}
