//! Every way to write a route, and nothing that opens another one.

use reqwest::Method;
use serde_json::json;

use crate::{
    parts::CID,
    support::{TOKEN, World, json, world},
};

/// Sends a path as it stands: clients of HTTP make some of them plain themselves.
async fn raw(world: &World, method: &str, path: &str, headers: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(world.api.addr()).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_default();
    (status, text)
}

#[tokio::test]
async fn slashes_and_a_missing_v1_are_served_t01_t02_t03_t05() {
    let world = world().await;
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2});
    for path in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "//v1//chat/completions/",
        "/chat/completions",
        "/v1/v1/chat/completions",
    ] {
        let answer = world.bare(Method::POST, path).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(json(answer).await["object"], "chat.completion", "{path}");
    }
    let embedding = world
        .bare(Method::POST, "/embeddings")
        .json(&json!({"model": "embed", "input": "x"}));
    assert_eq!(embedding.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn models_is_the_list_for_programs_and_the_page_for_browsers_t06() {
    let world = world().await;
    for path in ["/models", "/models/", "//models"] {
        let (status, text) = raw(&world, "GET", path, "accept: */*\r\n").await;
        assert!(
            status == 200 && text.contains("\"object\":\"list\""),
            "{path}: {text}"
        );
    }
    let one = json(
        world
            .bare(Method::GET, "/models/pocket/svc")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(one["id"], "pocket/svc");
    let browser = "accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    for path in [
        "/models",
        "/models/some-cid",
        "/usage",
        "/settings/keys",
        "/nowhere",
    ] {
        let (status, text) = raw(&world, "GET", path, browser).await;
        assert!(
            status == 200 && text.to_lowercase().contains("<!doctype html"),
            "{path}: {text}"
        );
    }
}

#[tokio::test]
async fn what_nobody_knows_is_answered_with_json_and_never_with_the_page() {
    let world = world().await;
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/", 404),
        ("POST", "/v1/audio/speech", 404),
        ("POST", "/images/generations", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/openai/v1/models", 404),
        ("GET", "/props", 404),
        ("POST", "/nowhere", 404),
        ("PUT", "/v1/models", 405),
        ("GET", "/chat/completions", 405),
        ("OPTIONS", "/v1/models", 405),
        ("POST", "/models", 405),
        ("POST", "/wallet", 405),
    ] {
        // Even a browser is not shown the page where an API is.
        let accept = if path.starts_with("/v1") {
            "accept: text/html\r\n"
        } else {
            ""
        };
        let (found, text) = raw(&world, method, path, accept).await;
        assert_eq!(found, status, "{method} {path}: {text}");
        assert!(
            text.contains("content-type: application/json"),
            "{method} {path}: {text}"
        );
        assert!(text.contains("\"error\""), "{method} {path}: {text}");
    }
}

#[tokio::test]
async fn no_way_to_write_a_path_opens_the_control_api() {
    let world = world().await;
    let (_, key) = world.key(json!({})).await;
    let paths = [
        "/api/v1/status",
        "/api/v1/keys",
        "/api/v1/settings",
        "/api/v1/openapi.json",
        "/api/v1/wallet/words",
    ];
    let mut asked = 0;
    for path in paths {
        let rest = path.trim_start_matches('/');
        let ways = [
            path.to_owned(),
            format!("/{path}"),
            format!("{path}/"),
            path.replace('/', "//"),
            format!("/v1/..{path}"),
            format!("/v1/{path}"),
            format!("/v1/v1/{rest}"),
            format!("/models/../{rest}"),
            format!("/models/%2e%2e/{rest}"),
            format!("/chat/completions/../../{rest}"),
            format!("/ipfs/../{rest}"),
            format!("/./{rest}"),
            format!("/%2f{rest}"),
            format!("/%61pi{}", &path[4..]),
            format!("/API{}", &path[4..]),
            format!("/api/v1/v1{}", &path[7..]),
            format!("/api//v1{}", &path[7..]),
            format!("/api/v1/auth/session/..{}", &path[7..]),
            format!("/health/..{path}"),
            format!("/api/tags/..{path}"),
            format!("{path}?x=/v1"),
            format!("{path};/v1"),
        ];
        for way in ways {
            for method in ["GET", "POST", "DELETE"] {
                for headers in [String::new(), format!("authorization: Bearer {key}\r\n")] {
                    let (status, text) = raw(&world, method, &way, &headers).await;
                    let is_page = text.to_lowercase().contains("<!doctype html");
                    assert!(status >= 400 || is_page, "{method} {way}: {text}");
                    asked += 1;
                }
            }
        }
    }
    assert_eq!(asked, 5 * 22 * 3 * 2);
    // With the token they are what they look like, and no more.
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    for (path, status) in [
        ("//api//v1/status/", 200),
        ("/api/v1/models/", 200),
        ("/v1//api/v1/status", 404),
    ] {
        let (found, text) = raw(&world, "GET", path, &token).await;
        assert_eq!(found, status, "{path}: {text}");
    }
    assert_eq!(
        json(
            world
                .own(Method::GET, &format!("/models/{CID}/"))
                .send()
                .await
                .unwrap()
        )
        .await["error"]["code"],
        "method_not_allowed"
    );
}
