//! A browser sends the cookie of a sign-in to every port of its host. Whoever gets it there cannot call with it.

use hearth_api::Api;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;

use crate::{
    parts::Fake,
    support::{SignedIn, World, args, config, json, with, world},
};

const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

async fn code(call: RequestBuilder) -> (u16, String) {
    let response: Response = call.send().await.unwrap();
    let status = response.status().as_u16();
    let body = json(response).await;
    (
        status,
        body["error"]["code"].as_str().unwrap_or_default().to_owned(),
    )
}

/// Calls that show the cookie of a sign-in, but not the key that belongs to it.
fn robbed(
    world: &World,
    method: &Method,
    path: &str,
    mine: &SignedIn,
    other: &SignedIn,
) -> Vec<RequestBuilder> {
    let call = || world.bare(method.clone(), path).header("cookie", &mine.cookie);
    let keys = ["", WRONG, &other.page_key, &mine.cookie];
    let with_keys = keys.map(|key| call().header("x-hearth-page", key));
    [call()].into_iter().chain(with_keys).collect()
}

#[tokio::test]
async fn a_cookie_counts_with_the_key_of_its_page_alone() {
    let world = world().await;
    let (mine, other) = (world.sign_in().await, world.sign_in().await);
    assert_ne!(mine.page_key, other.page_key);
    for path in ["/api/v1/status", "/api/v1/events", "/api/v1/wallet", "/metrics"] {
        for call in robbed(&world, &Method::GET, path, &mine, &other) {
            assert_eq!(code(call).await, (401, "page_key_needed".into()), "{path}");
        }
        let right = world.page(Method::GET, path, &mine).send().await.unwrap();
        assert_eq!(right.status(), 200, "{path}");
    }
    for (method, path) in [
        (Method::PUT, "/api/v1/auth/login"),
        (Method::POST, "/api/v1/keys"),
    ] {
        for call in robbed(&world, &method, path, &mine, &other) {
            let body = json!({"password": "correct horse battery", "name": "mine"});
            assert_eq!(code(call.json(&body)).await.0, 401, "{path}");
        }
    }
    // The page key without its cookie is nothing either.
    let alone = world
        .bare(Method::GET, "/api/v1/status")
        .header("x-hearth-page", &mine.page_key);
    assert_eq!(code(alone).await, (401, "token_needed".into()));
}

#[tokio::test]
async fn nobody_is_signed_out_by_the_cookie_alone() {
    let world = world().await;
    let (mine, other) = (world.sign_in().await, world.sign_in().await);
    let path = "/api/v1/auth/session";
    for call in robbed(&world, &Method::DELETE, path, &mine, &other) {
        assert_eq!(code(call).await, (401, "page_key_needed".into()));
    }
    let status = async || {
        let call = world.page(Method::GET, "/api/v1/status", &mine);
        call.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status().await, 200);
    let out = world.page(Method::DELETE, path, &mine).send().await.unwrap();
    assert_eq!(out.status(), 204);
    assert_eq!(status().await, 401);
    // Without a cookie there is nothing to end.
    let none = world.bare(Method::DELETE, path).send().await.unwrap();
    assert_eq!(none.status(), 204);
}

#[tokio::test]
async fn money_and_calls_from_elsewhere_want_the_key_too() {
    let world = with(config(false), Fake::default()).await;
    let (mine, other) = (world.sign_in().await, world.sign_in().await);
    let body = json!({"model": "pocket/svc", "messages": [{"role": "user", "content": "x"}]});
    for path in ["/v1/chat/completions", "/api/chat"] {
        for call in robbed(&world, &Method::POST, path, &mine, &other) {
            let refused = call.json(&body).send().await.unwrap();
            assert_eq!(refused.status(), 401, "{path}");
        }
        let right = world.page(Method::POST, path, &mine).json(&body);
        assert_eq!(right.send().await.unwrap().status(), 200, "{path}");
    }
    for path in ["/v1/models", "/ipfs/bafy", "/ready"] {
        let from_elsewhere = |call: RequestBuilder| call.header("x-forwarded-for", "192.0.2.7");
        for call in robbed(&world, &Method::GET, path, &mine, &other) {
            let refused = from_elsewhere(call).send().await.unwrap();
            assert_eq!(refused.status(), 401, "{path}");
        }
        let right = from_elsewhere(world.page(Method::GET, path, &mine));
        assert_eq!(right.send().await.unwrap().status(), 200, "{path}");
    }
    // What needs nothing needs no key because a cookie came along: the browser sends it with the page itself.
    for path in ["/", "/health", "/v1/models"] {
        let call = world.bare(Method::GET, path).header("cookie", &mine.cookie);
        assert_eq!(call.send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_cookie_that_another_port_set_is_in_nobodys_way() {
    let world = world().await;
    let mine = world.sign_in().await;
    let name = mine.cookie.split_once('=').unwrap().0;
    for cookies in [
        format!("{name}=planted; {}", mine.cookie),
        format!("{}; {name}=planted", mine.cookie),
    ] {
        let call = world
            .bare(Method::GET, "/api/v1/status")
            .header("cookie", cookies)
            .header("x-hearth-page", &mine.page_key);
        assert_eq!(call.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_new_token_ends_all_sign_ins() {
    let folder = tempfile::tempdir().unwrap();
    hearth_base::tls::init();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut sign_in: Option<(String, String)> = None;
    let old = "0123456789abcdef0123456789abcdef";
    for (token, status) in [(old, 200), (old, 200), ("fedcba9876543210fedcba9876543210", 401)] {
        let (mut args, ..) = args(config(true), Fake::default(), folder.path()).await;
        args.token = token.into();
        let api = Api::start(args).await.unwrap();
        let base = format!("http://{}/api/v1", api.addr());
        let (cookie, page_key) = match &sign_in {
            Some(kept) => kept.clone(),
            None => {
                let call = http.post(format!("{base}/auth/session"));
                let answer = call.json(&json!({"token": token})).send().await.unwrap();
                let SignedIn { cookie, page_key } = SignedIn::of(answer).await;
                let (_, value) = cookie.split_once('=').unwrap();
                sign_in.insert((value.to_owned(), page_key)).clone()
            }
        };
        // Each start has another port, which is part of the cookie's name.
        let call = http
            .get(format!("{base}/status"))
            .header("cookie", format!("hearth_session_{}={cookie}", api.addr().port()))
            .header("x-hearth-page", page_key);
        assert_eq!(call.send().await.unwrap().status(), status);
        api.stop();
        api.join().await;
    }
}
