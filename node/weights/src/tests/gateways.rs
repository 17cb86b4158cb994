//! Gateways as they are found: without content types, without CARs, busy; and models that cannot be used.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it wants, all else is a failure"
)]

use std::fs;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tower::ServiceExt as _;

use super::{
    downloads::{check_pulled, faulty, publisher, until, until_failed, until_ready},
    local::{model_file, node, node_that_inspects},
    replay::serve,
};
use crate::{AddError, AddOptions, DownloadState, Fact, Inspector, Refusal, parse_cid};

#[tokio::test]
async fn blocks_that_are_right_are_taken_whatever_type_the_answer_has() {
    // P09
    let (_folder, first, cid) = publisher().await;
    for content_type in [None, Some("application/octet-stream"), Some("text/html")] {
        let gateway = faulty(first.router(), move |_, mut response: Response| async move {
            response.headers_mut().remove(header::CONTENT_TYPE);
            if let Some(content_type) = content_type {
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            }
            response
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let second = node(folder.path()).await;
        until_ready(&mut second.pull(cid, &[gateway]).await.unwrap()).await;
        check_pulled(&second, &cid, folder.path()).await;
    }
}

#[tokio::test]
async fn a_gateway_that_makes_no_cars_is_asked_for_blocks() {
    // P16b, P17
    let (_folder, first, cid) = publisher().await;
    for status in [
        StatusCode::NOT_ACCEPTABLE,
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_IMPLEMENTED,
    ] {
        let gateway = faulty(first.router(), move |uri, response| async move {
            if uri.contains("format=car") {
                status.into_response()
            } else {
                response
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let second = node(folder.path()).await;
        until_ready(&mut second.pull(cid, &[gateway]).await.unwrap()).await;
        check_pulled(&second, &cid, folder.path()).await;
    }
}

#[tokio::test]
async fn a_gateway_that_asks_to_be_left_alone_is_asked_once_and_the_download_can_be_given_up() {
    // P29
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let (_folder, first, cid) = publisher().await;
    for only_cars in [false, true] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let busy = faulty(first.router(), move |uri, response| {
            let counted = Arc::clone(&counted);
            async move {
                if only_cars && !uri.contains("format=car") {
                    return response;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "3600")]).into_response()
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let second = node(folder.path()).await;
        let before_ms = hearth_base::Clock::system().now_ms();
        let mut seen = second.pull(cid, std::slice::from_ref(&busy)).await.unwrap();
        let why = until_failed(&mut seen).await;
        assert!(why.contains("60 minutes"), "{why}");
        let retry_at = match &seen.borrow().state {
            DownloadState::Failed { retry_at_ms, .. } => retry_at_ms.unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(retry_at >= before_ms + 3_600_000);
        // Also where the owner is impatient, and for another download from there.
        let n_asked = asked.load(Ordering::SeqCst);
        assert!(n_asked <= 2, "one for each line: {n_asked}");
        assert!(second.resume(&cid).await);
        // It fails anew with other words; the state between may be over before anybody looks.
        until(
            &mut seen,
            |download| matches!(&download.state, DownloadState::Failed { why, .. } if why.contains("left alone")),
        )
        .await;
        assert_eq!(asked.load(Ordering::SeqCst), n_asked);
        assert!(second.cancel(&cid).await);
        let mut all = second.downloads();
        all.wait_for(Vec::is_empty).await.unwrap();
        assert!(
            !folder
                .path()
                .join("weights/models")
                .join(cid.to_string())
                .exists()
        );
    }
}

#[tokio::test]
async fn another_gateway_is_asked_while_one_wants_to_be_left_alone() {
    let (_folder, first, cid) = publisher().await;
    let busy = faulty(first.router(), |_, _| async {
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "3600")]).into_response()
    })
    .await;
    let honest = serve(first.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let second = node(folder.path()).await;
    until_ready(&mut second.pull(cid, &[busy, honest]).await.unwrap()).await;
    check_pulled(&second, &cid, folder.path()).await;
}

#[tokio::test]
async fn a_block_that_is_not_here_is_404_in_both_forms() {
    // I18
    let (_folder, first, _) = publisher().await;
    let unknown = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
    for query in ["format=car", "format=raw", "format=car&dag-scope=block"] {
        let uri = format!("/ipfs/{unknown}?{query}");
        let request = axum::http::Request::builder()
            .uri(&uri)
            .body(axum::body::Body::empty());
        let answer = first.router().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{query}");
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_used_is_neither_added_nor_listed_after_a_download() {
    let (_folder, first, cid) = publisher().await;
    let refusal = Refusal {
        fact: Fact::new("model_architecture").with("architecture", "gemma3"),
        text: "the architecture \"gemma3\" is not supported".to_owned(),
    };
    let refusing = {
        let refusal = refusal.clone();
        move || {
            let refusal = refusal.clone();
            Inspector::new(move |_| Err(refusal.clone()))
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let second = node_that_inspects(folder.path(), refusing()).await;
    let path = model_file(folder.path(), 3, 1000);
    let error = second.add(&path, AddOptions::default()).await.unwrap_err();
    assert!(
        matches!(&error, AddError::Refused(why) if why.text.contains("gemma3")),
        "{error}"
    );
    assert_eq!(error.fact(), refusal.fact);
    let gateway = serve(first.router()).await;
    let mut seen = second.pull(cid, &[gateway]).await.unwrap();
    let why = until_failed(&mut seen).await;
    assert!(why.contains("cannot be used") && why.contains("gemma3"), "{why}");
    assert!(second.list().await.unwrap().is_empty());
    match &seen.borrow().state {
        DownloadState::Failed {
            retry_at_ms,
            code,
            values,
            ..
        } => {
            assert_eq!(*retry_at_ms, None, "never by itself");
            assert_eq!(code.as_deref(), Some("model_architecture"));
            assert_eq!(values["architecture"], "gemma3");
        }
        other => panic!("{other:?}"),
    };
    assert!(second.cancel(&cid).await);
    second.downloads().wait_for(Vec::is_empty).await.unwrap();
}

#[tokio::test]
async fn odd_names_become_titles_and_paths_that_every_system_has() {
    // F02
    let folder = tempfile::tempdir().unwrap();
    let weights = node(folder.path()).await;
    let long = "x".repeat(240);
    for (name, title, path) in [
        ("a%20b#c'd\ne.gguf", "a%20b#c'd e", "a%20b#c'd_e.gguf"),
        (" .gguf", "model", "_ .gguf"),
        ("what?.gguf", "what?", "what_.gguf"),
        (long.as_str(), &long[..200], ""),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, name.repeat(100)).unwrap();
        let model = weights.add(&file, AddOptions::default()).await.unwrap();
        assert_eq!(model.manifest.title(), title, "{name:?}");
        let in_manifest = &model.manifest.files()[0].path;
        assert!(path.is_empty() || in_manifest == path, "{in_manifest:?}");
    }
}

#[tokio::test]
async fn a_download_that_the_catalogue_knows_is_called_by_its_title_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let weights = node(folder.path()).await;
    let cid = parse_cid("ipfs://bafyreie74gcw5gievotyvwx5bndtnv2igqo2bzcchmjq34dexnz3wrmgw4\n").unwrap();
    let nobody = faulty(axum::Router::new(), |_, _| async {
        StatusCode::NOT_FOUND.into_response()
    })
    .await;
    let seen = weights.pull(cid, &[nobody]).await.unwrap();
    assert_eq!(seen.borrow().title.as_deref(), Some("SmolLM2 135M Instruct"));
}
