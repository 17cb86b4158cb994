//! `trustless_gateway.json`: our server beside boxo's answers, and our client on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode},
};
use bytes::Bytes;
use cid::Cid;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::generators::{content, field, profiles, vectors};
use crate::{
    block::{Block, sha256},
    car::CarReader,
    filestore::Blocks,
    gateway::{Mode, router},
    provider::{HttpGateway, HttpLimits, Source, SourceError},
    records::RecordsError,
    unixfs::{NewEntry, import_bytes, write_directory},
};

static GATEWAY: LazyLock<Value> = LazyLock::new(|| vectors("trustless_gateway.json"));

/// Blocks in memory.
#[derive(Clone, Default)]
pub(super) struct MemoryBlocks(pub(super) Arc<Mutex<BTreeMap<Cid, Block>>>);

impl MemoryBlocks {
    pub(super) fn put(&self, blocks: impl IntoIterator<Item = Block>) {
        self.0
            .lock()
            .unwrap()
            .extend(blocks.into_iter().map(|block| (*block.cid(), block)));
    }

    pub(super) fn remove(&self, cid: &Cid) {
        self.0.lock().unwrap().remove(cid).unwrap();
    }
}

#[async_trait]
impl Blocks for MemoryBlocks {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, RecordsError> {
        Ok(Block::from_identity(*cid).or_else(|| self.0.lock().unwrap().get(cid).cloned()))
    }
}

/// The contents of the recording, with the same holes.
fn contents() -> MemoryBlocks {
    let blocks = MemoryBlocks::default();
    let profiles = profiles();
    for (name, described) in GATEWAY["contents"].as_object().unwrap() {
        let profile = profiles[described["config"].as_str().unwrap()];
        let wanted: Cid = field::<String>(described, "cid").as_str().try_into().unwrap();
        let root = if let Some(entries) = described["entries"].as_array() {
            // The one folder of the recording has one folder in it.
            let mut folders: BTreeMap<&str, Vec<NewEntry>> = BTreeMap::new();
            for entry in entries {
                let (child, made) = import_bytes(&profile, &content(entry)).unwrap();
                blocks.put(made);
                let path = entry["path"].as_str().unwrap();
                let (folder, name) = path.split_once('/').unwrap_or(("", path));
                folders.entry(folder).or_default().push(NewEntry {
                    name: name.to_owned(),
                    child,
                });
            }
            let mut top = folders.remove("").unwrap();
            for (name, entries) in folders {
                let (block, child) = write_directory(&profile, entries).unwrap();
                blocks.put([block]);
                top.push(NewEntry {
                    name: name.to_owned(),
                    child,
                });
            }
            let (block, child) = write_directory(&profile, top).unwrap();
            blocks.put([block]);
            child.cid
        } else {
            let (child, made) = import_bytes(&profile, &content(described)).unwrap();
            match name.as_str() {
                "MISSING" => {}
                "GAP" => {
                    let leaf = *made[1].cid();
                    blocks.put(made);
                    blocks.remove(&leaf);
                }
                _ => blocks.put(made),
            }
            child.cid
        };
        assert_eq!(root, wanted, "{name}");
    }
    blocks
}

/// The exchanges that a trustless gateway or its client takes part in.
fn exchanges() -> impl Iterator<Item = &'static Value> {
    GATEWAY["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|exchange| {
            let path = exchange["path"].as_str().unwrap();
            let accept = exchange["request_headers"]["Accept"].as_str().unwrap_or_default();
            let asks = |text: &str| path.contains(text) || accept.contains("application/vnd.ipld");
            asks("format=raw") || asks("format=car") || exchange["gateway"] == "trustless"
        })
}

fn header<'a>(exchange: &'a Value, name: &str) -> Option<&'a str> {
    exchange["response_headers"][name].as_str()
}

async fn ask(blocks: &MemoryBlocks, exchange: &Value) -> (Response<()>, Bytes) {
    let mode = if exchange["gateway"] == "trustless" {
        Mode::Trustless
    } else {
        Mode::Paths
    };
    let mut request = Request::builder()
        .method(exchange["method"].as_str().unwrap())
        .uri(exchange["path"].as_str().unwrap());
    for (name, value) in exchange["request_headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap());
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router(Arc::new(blocks.clone()), mode)
        .oneshot(request)
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    (
        Response::from_parts(head, ()),
        body.collect().await.unwrap().to_bytes(),
    )
}

fn blocks_of_car(bytes: &[u8]) -> Vec<Block> {
    let mut reader = CarReader::new();
    reader.push(bytes);
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    reader.finish().unwrap();
    blocks
}

#[tokio::test]
async fn our_server_answers_as_the_recorded_one() {
    let blocks = contents();
    let mut n_exchanges = 0;
    for exchange in exchanges() {
        if exchange["gateway"] == "online" {
            // That one searches the network before it gives up, ours does not.
            continue;
        }
        n_exchanges += 1;
        let (response, body) = ask(&blocks, exchange).await;
        let status = response.status();
        if exchange["note"] == "absent root: status 200 and a CAR of the header alone" {
            // I18: that one answers before it has looked, and its reader takes an empty CAR for a whole one.
            assert_eq!(status.as_u16(), 404, "{exchange}");
            continue;
        }
        assert_eq!(
            u64::from(status.as_u16()),
            field::<u64>(exchange, "status"),
            "{exchange}"
        );
        let sent = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        if exchange["method"] == "HEAD" {
            assert!(body.is_empty(), "{exchange}");
        }
        if !status.is_success() {
            let same = [("Allow", sent("allow")), ("Content-Range", sent("content-range"))];
            for (name, sent) in same {
                assert_eq!(sent, header(exchange, name), "{name} of {exchange}");
            }
            continue;
        }
        for name in [
            "Content-Type",
            "Content-Range",
            "X-Ipfs-Path",
            "X-Ipfs-Roots",
            "Cache-Control",
            "Accept-Ranges",
            "Content-Disposition",
            "X-Content-Type-Options",
            "Content-Location",
        ] {
            assert_eq!(sent(name), header(exchange, name), "{name} of {exchange}");
        }
        if header(exchange, "Content-Type") == Some("application/vnd.ipld.raw") {
            assert_eq!(sent("etag"), header(exchange, "Etag"), "{exchange}");
            assert_eq!(
                sent("content-length"),
                header(exchange, "Content-Length"),
                "{exchange}"
            );
        }
        if exchange["method"] == "GET" {
            assert_eq!(body.len(), field::<usize>(exchange, "body_length"), "{exchange}");
            if let Some(hash) = exchange["body_sha256"].as_str() {
                assert_eq!(hex::encode(sha256(&body)), hash, "{exchange}");
            }
        }
    }
    assert_eq!(n_exchanges, 63);
}

/// A server that gives one recorded answer to whatever is asked.
async fn recorded(exchange: &Value, body: Bytes) -> String {
    let status = StatusCode::from_u16(field(exchange, "status")).unwrap();
    let content_type = header(exchange, "Content-Type").map(str::to_owned);
    let app = Router::new().fallback(move || async move {
        let mut response = Response::builder().status(status);
        if let Some(content_type) = content_type {
            response = response.header("Content-Type", content_type);
        }
        response.body(Body::from(body)).unwrap()
    });
    serve(app).await
}

/// Serves until the test ends. Answers the address.
pub(super) async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    hearth_base::Tasks::root().spawn("test server", async move {
        axum::serve(listener, app).await.unwrap();
    });
    address
}

#[tokio::test]
async fn our_client_reads_the_recorded_answers() {
    hearth_base::tls::init();
    let blocks = contents();
    let mut seen = BTreeSet::new();
    for exchange in exchanges().filter(|exchange| exchange["method"] == "GET") {
        let status: u16 = field(exchange, "status");
        // Large bodies are not in the file; ours were compared with their hashes above.
        let body = match exchange["body_hex"].as_str() {
            Some(text) => hex::decode(text).unwrap().into(),
            None => ask(&blocks, exchange).await.1,
        };
        let address = recorded(exchange, body.clone()).await;
        let gateway = HttpGateway::new(&address, HttpLimits::default()).unwrap();
        let path = exchange["path"].as_str().unwrap();
        let name = path
            .trim_start_matches("/ipfs/")
            .split(['/', '?'])
            .next()
            .unwrap();
        let Ok(cid) = Cid::try_from(name) else { continue };
        let is_car = header(exchange, "Content-Type")
            .is_some_and(|found| found.starts_with("application/vnd.ipld.car"));
        seen.insert((status, is_car));
        if is_car {
            let found: Vec<_> = gateway.span(cid, 0, 0).collect().await;
            let found: Vec<Block> = found.into_iter().map(Result::unwrap).collect();
            assert_eq!(
                found.len(),
                field::<usize>(&exchange["car"], "blocks"),
                "{exchange}"
            );
            assert_eq!(found, blocks_of_car(&body));
            continue;
        }
        let cid = match header(exchange, "X-Ipfs-Roots").and_then(|roots| roots.split(',').next_back()) {
            Some(goal) if !name.starts_with("bafkqa") => goal.try_into().unwrap(),
            _ => cid,
        };
        let answer = gateway.block(&cid).await;
        match (status, answer) {
            (200, Ok(block)) => assert_eq!(block.bytes(), &body),
            (404 | 412 | 504, Err(SourceError::NotThere { .. })) => {}
            (206 | 304 | 400 | 405 | 406, Err(SourceError::Status { status: found, .. })) => {
                assert_eq!(found, status)
            }
            (_, answer) => panic!("{answer:?} for {exchange}"),
        }
    }
    assert!(seen.is_superset(&BTreeSet::from([
        (200, true),
        (200, false),
        (400, false),
        (404, false),
        (406, false),
        (504, false)
    ])));
}

#[tokio::test]
async fn answers_of_other_kinds_are_refused() {
    hearth_base::tls::init();
    let cid: Cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
        .try_into()
        .unwrap();
    let cases = [
        // A web page, a bad block, a block without an end.
        ("text/html", Bytes::from_static(b"<html>hello"), "ContentType"),
        (
            "application/vnd.ipld.raw",
            Bytes::from_static(b"hello worle"),
            "Bad",
        ),
        ("application/vnd.ipld.raw", vec![0; 3 << 20].into(), "Bad"),
    ];
    for (content_type, body, wanted) in cases {
        let exchange = serde_json::json!({"status": 200, "response_headers": {"Content-Type": content_type}});
        let gateway = HttpGateway::new(&recorded(&exchange, body).await, HttpLimits::default()).unwrap();
        let error = gateway.block(&cid).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(wanted), "{error:?}");
    }
    for address in ["", "localhost", "ftp://h", "file:///etc", "http://"] {
        assert!(
            HttpGateway::new(address, HttpLimits::default()).is_err(),
            "{address}"
        );
    }
}
