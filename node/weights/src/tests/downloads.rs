//! Downloads between nodes: the whole way, kills, lies, and owners who change their minds.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it wants, all else is a failure"
)]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use cid::Cid;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::{
    generators::splitmix,
    local::{model_file, node, node_with},
    replay::serve,
};
use crate::{AddOptions, Download, DownloadState, Origin, Weights};

pub(super) const SIZE: usize = 9_000_000;

/// A node with one model of [`SIZE`] bytes. Keep the folder.
pub(super) async fn publisher() -> (tempfile::TempDir, Weights, Cid) {
    hearth_base::tls::init();
    let folder = tempfile::tempdir().unwrap();
    let weights = node(folder.path()).await;
    let model = weights
        .add(&model_file(folder.path(), 21, SIZE), AddOptions::default())
        .await
        .unwrap();
    let cid = *model.cid();
    (folder, weights, cid)
}

/// A gateway whose answers are changed on the way.
pub(super) async fn faulty<F, A>(inner: Router, change: F) -> String
where
    F: Fn(String, Response) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send,
{
    let app = Router::new().fallback(move |request: Request| {
        let (inner, change) = (inner.clone(), change.clone());
        async move {
            let uri = request.uri().to_string();
            let response = inner.oneshot(request).await.unwrap();
            change(uri, response).await
        }
    });
    serve(app).await
}

pub(super) async fn until(
    seen: &mut watch::Receiver<Download>,
    what: impl Fn(&Download) -> bool,
) -> Download {
    let last = seen.clone();
    let waiting = seen.wait_for(|download| what(download));
    match tokio::time::timeout(Duration::from_secs(30), waiting).await {
        Ok(found) => found.unwrap().clone(),
        Err(_) => panic!("still {:?}", last.borrow()),
    }
}

pub(super) async fn until_ready(seen: &mut watch::Receiver<Download>) {
    until(seen, |download| {
        matches!(download.state, DownloadState::Ready { .. })
    })
    .await;
}

pub(super) async fn until_failed(seen: &mut watch::Receiver<Download>) -> String {
    let failed = until(seen, |download| {
        matches!(download.state, DownloadState::Failed { .. })
    })
    .await;
    match failed.state {
        DownloadState::Failed { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// Whether the model is there, byte by byte, with nothing left over.
pub(super) async fn check_pulled(weights: &Weights, cid: &Cid, folder: &Path) {
    let opened = weights.open(cid).await.unwrap();
    assert_eq!(fs::read(opened.files()[0].path()).unwrap(), splitmix(21, SIZE));
    assert_eq!(weights.get(cid).await.unwrap().unwrap().origin, Origin::Pulled);
    let model = folder.join("weights/models").join(cid.to_string());
    let names: Vec<_> = fs::read_dir(model)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["Model-21.gguf"]);
    assert!(
        fs::metadata(opened.files()[0].path())
            .unwrap()
            .permissions()
            .readonly()
    );
}

#[tokio::test]
async fn a_model_goes_from_node_to_node() {
    let (_folder, first, cid) = publisher().await;
    let second_folder = tempfile::tempdir().unwrap();
    let second = node(second_folder.path()).await;
    let address = serve(first.router()).await;
    let mut seen = second.pull(cid, std::slice::from_ref(&address)).await.unwrap();
    until_ready(&mut seen).await;
    check_pulled(&second, &cid, second_folder.path()).await;
    assert_eq!(seen.borrow().title.as_deref(), Some("Model-21"));
    // Asked again it is there at once.
    until_ready(&mut second.pull(cid, &[]).await.unwrap()).await;

    // What was pulled is served on.
    let third_folder = tempfile::tempdir().unwrap();
    let third = node(third_folder.path()).await;
    let mut seen = third
        .pull(cid, &[format!("{}/ipfs/", serve(second.router()).await)])
        .await
        .unwrap();
    until_ready(&mut seen).await;
    check_pulled(&third, &cid, third_folder.path()).await;
    let removed = third.remove(&cid).await.unwrap();
    assert!(!removed.files[0].path.exists(), "pulled files are deleted");
    assert!(third.list().await.unwrap().is_empty() && third.downloads().borrow().is_empty());
    let mut seen = third.pull(cid, &[address]).await.unwrap();
    until_ready(&mut seen).await;
    check_pulled(&third, &cid, third_folder.path()).await;
}

/// Lets `n_bytes` of leaves through in all, then hangs.
fn limited(
    served: Arc<AtomicU64>,
    n_bytes: u64,
) -> impl Fn(String, Response) -> futures::future::Ready<Response> + Clone {
    move |uri, response| {
        if !uri.contains("format=car") {
            return futures::future::ready(response);
        }
        let served = served.clone();
        let (head, body) = response.into_parts();
        let body = body.into_data_stream().then(move |part| {
            let served = served.clone();
            async move {
                if served.fetch_add(
                    part.as_ref().map_or(0, |part| part.len() as u64),
                    Ordering::SeqCst,
                ) > n_bytes
                {
                    std::future::pending::<()>().await;
                }
                part
            }
        });
        futures::future::ready(Response::from_parts(head, Body::from_stream(body)))
    }
}

/// Runs a node on a runtime of its own, and ends that in the middle as a kill would: nothing is finished.
fn killed_in_the_middle(folder: &Path, cid: Cid, address: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let have = runtime.block_on(async {
        let weights = node(folder).await;
        let mut seen = weights.pull(cid, &[address.to_owned()]).await.unwrap();
        let seen = until(&mut seen, |download| download.state.progress().0 > 3_000_000).await;
        seen.state.progress().0
    });
    runtime.shutdown_background();
    have
}

#[tokio::test]
async fn a_killed_download_goes_on_where_it_was() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let served = Arc::new(AtomicU64::new(0));
    let slow = faulty(first.router(), limited(served.clone(), 5_500_000)).await;
    let path = folder.path().to_owned();
    let have = tokio::task::spawn_blocking(move || killed_in_the_middle(&path, cid, &slow))
        .await
        .unwrap();
    assert!(have < SIZE as u64);

    // The gateway of the record hangs still; another is named.
    let served = Arc::new(AtomicU64::new(0));
    let counted = faulty(first.router(), limited(served.clone(), u64::MAX)).await;
    let second = node_with(folder.path(), |config| {
        config.http.stall = Duration::from_millis(300)
    })
    .await;
    let mut seen = second.pull(cid, &[counted]).await.unwrap();
    until_ready(&mut seen).await;
    check_pulled(&second, &cid, folder.path()).await;
    let fetched = served.load(Ordering::SeqCst);
    assert!(
        fetched < SIZE as u64 - have + 1_000_000,
        "{fetched} bytes came again, though {have} were there"
    );
}

#[tokio::test]
async fn a_torn_file_is_found_and_mended() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let slow = faulty(first.router(), limited(Arc::default(), 6_500_000)).await;
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || killed_in_the_middle(&path, cid, &slow))
        .await
        .unwrap();

    // The disk lost what it had promised.
    let partial = folder
        .path()
        .join(format!("weights/models/{cid}/Model-21.gguf.partial"));
    fs::File::options()
        .write(true)
        .open(&partial)
        .unwrap()
        .set_len(1_500_000)
        .unwrap();
    let second = node_with(folder.path(), |config| {
        config.http.stall = Duration::from_millis(300)
    })
    .await;
    let mut seen = second.pull(cid, &[serve(first.router()).await]).await.unwrap();
    until_ready(&mut seen).await;
    check_pulled(&second, &cid, folder.path()).await;
}

#[tokio::test]
async fn a_kill_between_the_move_and_the_record_loses_nothing() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let slow = faulty(first.router(), limited(Arc::default(), 6_500_000)).await;
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || killed_in_the_middle(&path, cid, &slow))
        .await
        .unwrap();
    let model = folder.path().join(format!("weights/models/{cid}"));
    let (partial, whole) = (model.join("Model-21.gguf.partial"), model.join("Model-21.gguf"));
    // First with the right bytes, as after the move; another run with wrong ones, which are fetched again.
    for flip in [0, 1] {
        let second = node_with(folder.path(), |config| {
            config.http.stall = Duration::from_millis(300)
        })
        .await;
        let mut bytes = splitmix(21, SIZE).to_vec();
        bytes[8_000_000] ^= flip;
        let _ = fs::remove_file(&partial);
        let _ = fs::remove_file(&whole);
        fs::write(&whole, bytes).unwrap();
        let mut seen = second.pull(cid, &[serve(first.router()).await]).await.unwrap();
        until_ready(&mut seen).await;
        if flip == 1 {
            second.verify(&cid).await.unwrap();
        } else {
            check_pulled(&second, &cid, folder.path()).await;
        }
        second.stop();
        second.join().await;
    }
}

/// Flips a bit in the middle of every answer that is longer than a node.
async fn corrupt(_uri: String, response: Response) -> Response {
    let (head, body) = response.into_parts();
    let mut bytes = body.collect().await.unwrap().to_bytes().to_vec();
    if bytes.len() > 100_000 {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    }
    Response::from_parts(head, Body::from(bytes))
}

#[tokio::test]
async fn a_bad_block_is_thrown_away_and_fetched_elsewhere() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let second = node(folder.path()).await;
    let liar = faulty(first.router(), corrupt).await;
    let mut seen = second
        .pull(cid, &[liar.clone(), serve(first.router()).await])
        .await
        .unwrap();
    until_ready(&mut seen).await;
    check_pulled(&second, &cid, folder.path()).await;

    // The liar alone: a clear failure, and what was good is kept.
    let alone_folder = tempfile::tempdir().unwrap();
    let alone = node(alone_folder.path()).await;
    let mut seen = alone.pull(cid, &[liar]).await.unwrap();
    let why = until_failed(&mut seen).await;
    assert!(why.contains("bad block") && why.contains("weights"), "{why}");
    let mut seen = alone.pull(cid, &[serve(first.router()).await]).await.unwrap();
    until_ready(&mut seen).await;
    check_pulled(&alone, &cid, alone_folder.path()).await;
}

#[tokio::test]
async fn a_gateway_that_cuts_and_refuses_is_borne_with() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let n_answers = Arc::new(AtomicUsize::new(0));
    // Every third answer is "busy", every CAR ends in the middle of its second leaf.
    let moody = faulty(first.router(), move |uri, response| {
        let n = n_answers.fetch_add(1, Ordering::SeqCst);
        async move {
            if n % 3 == 2 {
                return StatusCode::TOO_MANY_REQUESTS.into_response();
            }
            if !uri.contains("format=car") {
                return response;
            }
            let (head, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let bytes = bytes.slice(..bytes.len().min(1_300_000));
            Response::from_parts(head, Body::from(bytes))
        }
    })
    .await;
    let second = node(folder.path()).await;
    let mut seen = second.pull(cid, &[moody]).await.unwrap();
    until_ready(&mut seen).await;
    check_pulled(&second, &cid, folder.path()).await;
}

#[tokio::test]
async fn a_gateway_that_sends_no_ranges_is_asked_for_blocks() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    // CARs hold their header alone, as boxo's for a missing root.
    let short = faulty(first.router(), |uri, response| async move {
        if !uri.contains("format=car") {
            return response;
        }
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, Body::from(bytes.slice(..usize::from(bytes[0]) + 1)))
    })
    .await;
    let second = node(folder.path()).await;
    let mut seen = second.pull(cid, &[short]).await.unwrap();
    until_ready(&mut seen).await;
    check_pulled(&second, &cid, folder.path()).await;
}

#[tokio::test]
async fn the_owner_pauses_goes_on_and_gives_up() {
    let (_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let is_open = Arc::new(AtomicBool::new(false));
    let gate = is_open.clone();
    let served = Arc::new(AtomicU64::new(0));
    let limit = limited(served, 4_500_000);
    let address = faulty(first.router(), move |uri, response| {
        let (gate, limit) = (gate.clone(), limit.clone());
        async move {
            if gate.load(Ordering::SeqCst) {
                response
            } else {
                limit(uri, response).await
            }
        }
    })
    .await;
    let second = node(folder.path()).await;
    let mut seen = second.pull(cid, &[address]).await.unwrap();
    until(&mut seen, |download| download.state.progress().0 > 3_000_000).await;
    assert!(second.pause(&cid).await);
    let paused = until(&mut seen, |download| {
        matches!(download.state, DownloadState::Paused { .. })
    })
    .await;
    assert!(paused.state.progress().0 > 3_000_000, "{paused:?}");
    second.stop();
    second.join().await;
    drop(second);

    // It stays paused over a restart.
    let second = node(folder.path()).await;
    assert_eq!(second.downloads().borrow()[0].state.code(), "paused");
    is_open.store(true, Ordering::SeqCst);
    assert!(second.resume(&cid).await);
    let mut all = second.downloads();
    tokio::time::timeout(
        Duration::from_secs(30),
        all.wait_for(|all| all.iter().any(|one| one.state.code() == "ready")),
    )
    .await
    .unwrap()
    .unwrap();
    check_pulled(&second, &cid, folder.path()).await;
    assert!(
        !second.cancel(&cid).await || second.get(&cid).await.unwrap().is_some(),
        "what is ready is not given up"
    );

    let third_folder = tempfile::tempdir().unwrap();
    let third = node(third_folder.path()).await;
    let hanging = faulty(first.router(), limited(Arc::default(), 2_000_000)).await;
    let mut seen = third.pull(cid, &[hanging]).await.unwrap();
    until(&mut seen, |download| download.arrived_bytes > 0).await;
    assert!(third.cancel(&cid).await);
    let mut all = third.downloads();
    tokio::time::timeout(Duration::from_secs(30), all.wait_for(Vec::is_empty))
        .await
        .unwrap()
        .unwrap();
    assert!(
        !third_folder
            .path()
            .join("weights/models")
            .join(cid.to_string())
            .exists()
    );
    assert!(!third.pause(&cid).await);
}

#[tokio::test]
async fn adding_the_files_ends_the_download_of_them() {
    let (first_folder, first, cid) = publisher().await;
    let folder = tempfile::tempdir().unwrap();
    let second = node(folder.path()).await;
    let hanging = faulty(first.router(), limited(Arc::default(), 2_000_000)).await;
    let mut seen = second.pull(cid, &[hanging]).await.unwrap();
    until(&mut seen, |download| download.arrived_bytes > 0).await;
    let model = second
        .add(&first_folder.path().join("Model-21.gguf"), AddOptions::default())
        .await
        .unwrap();
    assert_eq!(
        (model.cid(), model.origin, model.is_usable()),
        (&cid, Origin::Added, true)
    );
    assert!(second.downloads().borrow().is_empty());
    assert!(second.open(&cid).await.is_ok());
    assert!(
        !folder
            .path()
            .join("weights/models")
            .join(cid.to_string())
            .exists()
    );
}
