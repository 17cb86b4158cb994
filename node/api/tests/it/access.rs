//! Who may call what.

use futures::StreamExt;
use hearth_api::{Api, Error};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    parts::Fake,
    support::{SignedIn, TOKEN, args, config, json, with, world},
};

#[tokio::test]
async fn the_control_api_wants_the_token_and_health_wants_nothing() {
    let world = world().await;
    for (path, status) in [
        ("/api/v1/status", 401),
        ("/api/v1/openapi.json", 401),
        ("/api/v1/nothing", 401),
        ("/api", 401),
        ("/metrics", 401),
        ("/health", 200),
        ("/ready", 200),
        ("/v1/models", 200),
        ("/ipfs/bafy", 200),
        ("/", 200),
        ("/wallet", 200),
    ] {
        assert_eq!(
            world.bare(Method::GET, path).send().await.unwrap().status(),
            status,
            "{path}"
        );
    }
    for wrong in ["", "x", "0123456789abcdef0123456789abcdee"] {
        let call = world.bare(Method::GET, "/api/v1/status").bearer_auth(wrong);
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(json(response).await["error"]["code"], "token_needed");
    }
    assert_eq!(
        world.own(Method::GET, "/status").send().await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn from_elsewhere_everything_but_health_wants_a_login_or_key() {
    let world = world().await;
    let (_, key) = (
        0,
        world.post("/keys", json!({"name": "laptop"})).await["secret"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    for (path, nothing, with_key) in [
        ("/health", 200, 200),
        ("/ready", 401, 200),
        ("/v1/models", 401, 200),
        ("/ipfs/bafy", 401, 200),
        ("/api/v1/status", 401, 403),
    ] {
        // A proxy on this computer speaks for others.
        let call = || {
            world
                .bare(Method::GET, path)
                .header("x-forwarded-for", "192.0.2.7")
        };
        assert_eq!(call().send().await.unwrap().status(), nothing, "{path}");
        assert_eq!(
            call().bearer_auth(&key).send().await.unwrap().status(),
            with_key,
            "{path} with a key"
        );
        assert_eq!(
            call().bearer_auth(TOKEN).send().await.unwrap().status(),
            200,
            "{path} with the token"
        );
    }
}

#[tokio::test]
async fn foreign_names_and_pages_are_refused_everywhere() {
    let world = world().await;
    let addr = world.api.addr();
    for path in ["/health", "/v1/models", "/api/v1/status", "/", "/ipfs/x"] {
        for host in [
            "evil.example",
            &format!("evil.example:{}", addr.port()),
            "192.168.0.9",
        ] {
            let call = world
                .bare(Method::GET, path)
                .bearer_auth(TOKEN)
                .header("host", host);
            assert_eq!(
                call.send().await.unwrap().status(),
                StatusCode::MISDIRECTED_REQUEST,
                "{path} {host}"
            );
        }
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:1",
            "https://127.0.0.1",
        ] {
            let call = world
                .bare(Method::GET, path)
                .bearer_auth(TOKEN)
                .header("origin", origin);
            let refused = call.send().await.unwrap();
            assert_eq!(refused.status(), 403, "{path} {origin}");
            // I23: also of public content, so that no website learns which models are here.
            let allowed = refused.headers().get("access-control-allow-origin");
            assert!(allowed.is_none(), "{path} {origin}");
        }
        let call = world
            .bare(Method::GET, path)
            .bearer_auth(TOKEN)
            .header("origin", format!("http://{addr}"));
        assert_eq!(call.send().await.unwrap().status(), 200, "{path}");
    }
    let named = world
        .bare(Method::GET, "/health")
        .header("host", format!("localhost:{}", addr.port()));
    assert_eq!(named.send().await.unwrap().status(), 200);
    let image = world
        .bare(Method::GET, "/v1/models")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(image.send().await.unwrap().status(), 403);
    let link = world
        .bare(Method::GET, "/")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "navigate");
    assert_eq!(link.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_token_is_swapped_for_a_strict_cookie() {
    let world = world().await;
    let sign_in = |body| {
        world
            .bare(Method::POST, "/api/v1/auth/session")
            .json(&body)
            .send()
    };
    assert_eq!(sign_in(json!({"token": "wrong"})).await.unwrap().status(), 401);
    assert_eq!(sign_in(json!({})).await.unwrap().status(), 400);
    let response = sign_in(json!({"token": TOKEN})).await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let mine = SignedIn::of(response).await;
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert!(
        cookie.starts_with(&format!("hearth_session_{}=", world.api.addr().port())),
        "{cookie}"
    );
    let status = || world.page(Method::GET, "/api/v1/status", &mine).send();
    assert_eq!(status().await.unwrap().status(), 200);
    let out = world.page(Method::DELETE, "/api/v1/auth/session", &mine);
    assert_eq!(out.send().await.unwrap().status(), 204);
    assert_eq!(status().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_password_signs_in_and_guessing_is_braked() {
    let world = world().await;
    assert_eq!(world.get("/auth/login").await["set"], false);
    let set = |password: &str| {
        world
            .own(Method::PUT, "/auth/login")
            .json(&json!({"password": password}))
            .send()
    };
    assert_eq!(set("short").await.unwrap().status(), 400);
    assert_eq!(set("correct horse battery").await.unwrap().status(), 200);
    assert_eq!(world.get("/auth/login").await["set"], true);
    let sign_in = |password: &str| {
        world
            .bare(Method::POST, "/api/v1/auth/session")
            .json(&json!({"password": password}))
            .send()
    };
    assert_eq!(sign_in("correct horse battery").await.unwrap().status(), 200);
    for _ in 0..4 {
        assert_eq!(sign_in("wrong horse").await.unwrap().status(), 403);
    }
    let response = sign_in("wrong horse").await.unwrap();
    assert_eq!(
        (
            response.status(),
            response.headers()["retry-after"].to_str().unwrap()
        ),
        (StatusCode::TOO_MANY_REQUESTS, "60")
    );
    assert_eq!(sign_in("correct horse battery").await.unwrap().status(), 429);
    world.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(sign_in("correct horse battery").await.unwrap().status(), 200);
}

#[tokio::test]
async fn guesses_side_by_side_count_one_by_one() {
    let world = world().await;
    let set = world
        .own(Method::PUT, "/auth/login")
        .json(&json!({"password": "correct horse battery"}));
    assert_eq!(set.send().await.unwrap().status(), 200);
    let guesses = (0..40).map(|_| {
        world
            .bare(Method::POST, "/api/v1/auth/session")
            .json(&json!({"password": "wrong horse"}))
            .send()
    });
    let mut judged = 0;
    for response in futures::future::join_all(guesses).await {
        let response = response.unwrap();
        match response.status() {
            StatusCode::FORBIDDEN => judged += 1,
            status => {
                assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                assert!(response.headers().contains_key("retry-after"));
            }
        }
    }
    // The fifth wrong one is told to wait.
    assert!(judged <= 4, "{judged} guesses were judged");
}

#[tokio::test]
async fn a_new_password_ends_the_sign_ins_of_others_and_renews_the_callers() {
    let world = world().await;
    let (mine, others) = (world.sign_in().await, world.sign_in().await);
    let listen = async |by: &SignedIn| {
        let call = world.page(Method::GET, "/api/v1/events", by);
        call.send().await.unwrap().bytes_stream()
    };
    let (mut my_events, mut others_events) = (listen(&mine).await, listen(&others).await);
    let answer = world
        .page(Method::PUT, "/api/v1/auth/login", &mine)
        .json(&json!({"password": "correct horse battery"}));
    let fresh = SignedIn::of(answer.send().await.unwrap()).await;
    let mixed = SignedIn {
        cookie: fresh.cookie.clone(),
        ..mine.clone()
    };
    for (by, status) in [(&fresh, 200), (&mine, 401), (&others, 401), (&mixed, 401)] {
        let call = world.page(Method::GET, "/api/v1/status", by);
        assert_eq!(call.send().await.unwrap().status(), status);
    }
    let ends = async { while others_events.next().await.is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), ends)
        .await
        .expect("the stream of a sign-in that ended ends");
    let goes_on = async { while my_events.next().await.is_some() {} };
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(300), goes_on)
            .await
            .is_err(),
        "the caller's stream goes on"
    );
    // By the token there is no sign-in to renew.
    let by_token = world
        .own(Method::PUT, "/auth/login")
        .json(&json!({"password": "another horse battery"}));
    let answer = by_token.send().await.unwrap();
    assert!(answer.status() == 200 && !answer.headers().contains_key("set-cookie"));
    assert_eq!(json(answer).await, json!({"page_key": null}));
    let ends = async { while my_events.next().await.is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), ends)
        .await
        .expect("a renewed sign-in can end too");
}

#[tokio::test]
async fn a_name_of_the_settings_passes_once_a_login_is_set() {
    let named = hearth_api::Config {
        allowed_hosts: vec!["hearth.lan".into()],
        ..config(true)
    };
    let world = with(named, Fake::default()).await;
    let port = world.api.addr().port();
    let call = async |host: &str, from: Option<&str>| {
        let mut call = world.bare(Method::GET, "/v1/models").header("host", host);
        if let Some(from) = from {
            call = call.header("x-forwarded-for", from);
        }
        call.send().await.unwrap()
    };
    let refused = call("hearth.lan", None).await;
    assert_eq!(refused.status(), 421);
    let set = world
        .own(Method::PUT, "/auth/login")
        .json(&json!({"password": "correct horse battery"}));
    assert_eq!(set.send().await.unwrap().status(), 200);
    for (host, status) in [
        // Not a program of this computer that calls itself, so it needs a key.
        (format!("hearth.lan:{port}"), 401),
        ("Hearth.LAN".to_owned(), 401),
        (format!("other.lan:{port}"), 421),
        ("sub.hearth.lan".to_owned(), 421),
        (format!("localhost:{port}"), 200),
    ] {
        assert_eq!(call(&host, None).await.status(), status, "{host}");
    }
    // Who is elsewhere is not told to call loopback.
    for (from, is_told) in [(None, true), (Some("192.0.2.7"), false)] {
        let said = call("other.lan", from).await.text().await.unwrap();
        assert_eq!(said.contains("127.0.0.1"), is_told, "{said}");
    }
}

#[tokio::test]
async fn who_guesses_a_password_locks_out_neither_the_owner_nor_others() {
    let trusting = hearth_api::Config {
        trusted_proxies: vec!["127.0.0.0/30".parse().unwrap()],
        ..config(true)
    };
    for (config, told_apart) in [(config(true), false), (trusting, true)] {
        let world = with(config, Fake::default()).await;
        let set = world
            .own(Method::PUT, "/auth/login")
            .json(&json!({"password": "correct horse battery"}));
        assert_eq!(set.send().await.unwrap().status(), 200);
        let sign_in = async |password: &str, from: Option<&str>| {
            let mut call = world.bare(Method::POST, "/api/v1/auth/session");
            if let Some(from) = from {
                call = call.header("x-forwarded-for", from);
            }
            let call = call.json(&json!({"password": password}));
            call.send().await.unwrap().status().as_u16()
        };
        for _ in 0..5 {
            sign_in("wrong horse", Some("192.0.2.7")).await;
        }
        assert_eq!(sign_in("correct horse battery", Some("192.0.2.7")).await, 429);
        assert_eq!(sign_in("correct horse battery", None).await, 200, "the owner");
        // Without a proxy that is trusted all who come through it are one.
        let other = sign_in("correct horse battery", Some("192.0.2.8")).await;
        assert_eq!(other, if told_apart { 200 } else { 429 });
    }
}

#[tokio::test]
async fn the_node_proves_that_it_knows_the_token_without_showing_it() {
    let world = world().await;
    let health = world.bare(Method::GET, "/health?challenge=0123abcd");
    let answer = json(health.send().await.unwrap()).await;
    let port = world.api.addr().port();
    assert_eq!(answer["proof"], hearth_api::proof(TOKEN, "0123abcd", port));
    assert!(!answer.to_string().contains(TOKEN));
    let answer = json(world.bare(Method::GET, "/health").send().await.unwrap()).await;
    assert_eq!(answer, json!({"status": "ok", "reasons": []}));
}

#[tokio::test]
async fn keys_are_shown_once_and_can_be_revoked() {
    let world = with(config(false), Fake::default()).await;
    let made = world.post("/keys", json!({"name": "laptop"})).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    let list = world.get("/keys").await;
    assert!(
        !list.to_string().contains(&secret)
            && secret.starts_with(list["keys"][0]["prefix"].as_str().unwrap())
    );
    let file = std::fs::read(world.folder.path().join("hearth.db")).unwrap();
    assert!(
        !file
            .windows(secret.len())
            .any(|window| window == secret.as_bytes()),
        "the secret is on the disk"
    );
    let ask = || {
        let body = json!({"model": "pocket/svc", "messages": [{"role": "user", "content": "hi"}]});
        world.bare(Method::POST, "/v1/chat/completions").json(&body)
    };
    let refused = ask().send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(json(refused).await["error"]["code"], "key_needed");
    assert_eq!(ask().bearer_auth(&secret).send().await.unwrap().status(), 200);
    assert!(world.get("/keys").await["keys"][0]["last_used_at"].is_string());
    let id = list["keys"][0]["id"].as_str().unwrap();
    assert_eq!(
        world
            .own(Method::DELETE, &format!("/keys/{id}"))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let refused = ask().bearer_auth(&secret).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(json(refused).await["error"]["code"], "invalid_api_key");
    // It is listed as revoked until it is revoked once more, and forgotten then.
    assert!(world.get("/keys").await["keys"][0]["revoked_at"].is_string());
    let forget = world.own(Method::DELETE, &format!("/keys/{id}"));
    assert_eq!(forget.send().await.unwrap().status(), 204);
    assert_eq!(world.get("/keys").await["keys"], json!([]));
    world
        .api
        .ensure_key("This computer", "sk-hearth-fixed")
        .await
        .unwrap();
    world
        .api
        .ensure_key("This computer", "sk-hearth-fixed")
        .await
        .unwrap();
    assert_eq!(world.get("/keys").await["keys"].as_array().unwrap().len(), 1);
    assert_eq!(
        ask()
            .bearer_auth("sk-hearth-fixed")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn beyond_loopback_needs_a_login_and_a_taken_port_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let open = hearth_api::Config {
        listen: ([0, 0, 0, 0], 0).into(),
        ..config(true)
    };
    let (args_open, ..) = args(open, Fake::default(), folder.path()).await;
    assert!(matches!(
        Api::start(args_open).await.unwrap_err(),
        Error::NoLogin { .. }
    ));
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let taken = hearth_api::Config {
        listen: world.api.addr(),
        ..config(true)
    };
    let (args_taken, ..) = args(taken, Fake::default(), folder.path()).await;
    let error = Api::start(args_taken).await.unwrap_err();
    assert!(
        matches!(error, Error::Bind { .. }) && error.to_string().contains("--listen"),
        "{error}"
    );
}
