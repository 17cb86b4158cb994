//! Pages of other sites: who lets them in, and what their browsers are told.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::{
    parts::Fake,
    support::{SignedIn, TOKEN, World, config, json, with, world},
};

const PAGE: &str = "http://localhost:5173";
const ASKED: &str = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count";

fn preflight(world: &World, path: &str, origin: &str) -> RequestBuilder {
    world
        .bare(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", ASKED)
}

fn ask(world: &World, origin: &str) -> RequestBuilder {
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2});
    world
        .bare(Method::POST, "/v1/chat/completions")
        .header("origin", origin)
        .json(&body)
}

fn allowed(response: &Response) -> Option<&str> {
    response
        .headers()
        .get("access-control-allow-origin")
        .and_then(|value| value.to_str().ok())
}

async fn allow(world: &World, origins: Value) -> Response {
    let patch = world
        .own(Method::PATCH, "/settings")
        .json(&json!({"allowed_origins": origins}));
    patch.send().await.unwrap()
}

#[tokio::test]
async fn nobody_is_let_in_until_the_settings_do_and_the_refusal_names_them_t20_t21_n19() {
    let world = world().await;
    for origin in [PAGE, "app://obsidian.md", "null", "https://evil.example"] {
        for call in [
            preflight(&world, "/v1/chat/completions", origin),
            ask(&world, origin),
        ] {
            let refused = call.send().await.unwrap();
            assert_eq!(
                (refused.status().as_u16(), allowed(&refused)),
                (403, None),
                "{origin}"
            );
            assert_eq!(refused.headers()["vary"], "origin");
            let error = json(refused).await["error"].clone();
            assert_eq!(error["code"], "foreign_origin");
            let message = error["message"].as_str().unwrap();
            // What has no origin of its own cannot be listed.
            let remedy = if origin == "null" {
                "API key"
            } else {
                "api.allowed_origins"
            };
            assert!(message.contains(origin) && message.contains(remedy), "{message}");
        }
    }
}

#[tokio::test]
async fn an_origin_of_the_settings_is_let_in_and_its_browser_is_told_t20_t21() {
    let world = world().await;
    let changed = json(allow(&world, json!(["http://LOCALHOST:5173/", "app://obsidian.md"])).await).await;
    assert_eq!(changed["allowed_origins"], json!(["app://obsidian.md", PAGE]));
    for origin in [PAGE, "app://obsidian.md"] {
        let told = preflight(&world, "/v1//chat/completions/", origin)
            .header("access-control-request-private-network", "true")
            .send()
            .await
            .unwrap();
        assert_eq!((told.status().as_u16(), allowed(&told)), (204, Some(origin)));
        let headers = told.headers();
        assert_eq!(headers["access-control-allow-headers"], ASKED);
        assert!(
            headers["access-control-allow-methods"]
                .to_str()
                .unwrap()
                .contains("POST")
        );
        assert_eq!(headers["access-control-max-age"], "7200");
        assert_eq!(headers["access-control-allow-private-network"], "true");
        assert!(!headers.contains_key("access-control-allow-credentials"));
        let answered = ask(&world, origin).send().await.unwrap();
        assert_eq!(
            (answered.status().as_u16(), allowed(&answered)),
            (200, Some(origin)),
            "{origin}"
        );
        let exposed = answered.headers()["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(
            exposed.contains("retry-after") && exposed.contains("x-ratelimit-remaining-requests"),
            "{exposed}"
        );
    }
    // An error is read, too.
    let unknown = world
        .bare(Method::GET, "/v1/models/nobody")
        .header("origin", PAGE)
        .send()
        .await
        .unwrap();
    assert_eq!((unknown.status().as_u16(), allowed(&unknown)), (404, Some(PAGE)));
    for other in [
        "http://localhost:5174",
        "https://localhost:5173",
        "app://obsidian.md.evil",
        "null",
    ] {
        assert_eq!(
            preflight(&world, "/v1/models", other)
                .send()
                .await
                .unwrap()
                .status(),
            403,
            "{other}"
        );
    }
    for wrong in [
        json!(["*"]),
        json!(["null"]),
        json!(["localhost:5173"]),
        json!(vec![PAGE; 101]),
    ] {
        assert_eq!(allow(&world, wrong.clone()).await.status(), 400, "{wrong}");
    }
    assert_eq!(
        world.get("/settings").await["allowed_origins"],
        json!(["app://obsidian.md", PAGE])
    );
}

#[tokio::test]
async fn an_origin_of_the_configuration_is_let_in_too_and_money_still_needs_a_key() {
    let named = hearth_api::Config {
        allowed_origins: vec![hearth_api::OriginPattern::parse("http://localhost:*").unwrap()],
        ..config(false)
    };
    let world = with(named, Fake::default()).await;
    assert_eq!(
        world.get("/settings").await["configured_origins"],
        json!(["http://localhost:*"])
    );
    assert_eq!(ask(&world, PAGE).send().await.unwrap().status(), 200);
    let body = json!({"model": "pocket/svc", "messages": []});
    let call = || {
        world
            .bare(Method::POST, "/v1/chat/completions")
            .header("origin", PAGE)
            .json(&body)
    };
    let refused = call().send().await.unwrap();
    assert_eq!((refused.status().as_u16(), allowed(&refused)), (401, Some(PAGE)));
    // The cookie of the page is sent by browsers for every port of this computer, and is worth nothing there.
    let SignedIn { cookie, page_key } = world.sign_in().await;
    let with_both = call()
        .header("cookie", &cookie)
        .header("x-hearth-page", &page_key);
    let refused = with_both.send().await.unwrap();
    assert_eq!(json(refused).await["error"]["code"], "key_needed");
    let own = format!("http://{}", world.api.addr());
    let page = world
        .bare(Method::POST, "/v1/chat/completions")
        .header("origin", own)
        .header("cookie", &cookie)
        .header("x-hearth-page", &page_key);
    assert_eq!(
        page.json(&body).send().await.unwrap().status(),
        200,
        "the own page's sign-in counts"
    );
    // Nothing but the OpenAI API is opened.
    for path in [
        "/api/v1/status",
        "/api/v1/settings",
        "/ipfs/bafy",
        "/metrics",
        "/",
        "/health",
    ] {
        for call in [
            preflight(&world, path, PAGE),
            world
                .bare(Method::GET, path)
                .header("origin", PAGE)
                .header("cookie", &cookie)
                .header("x-hearth-page", &page_key),
            world
                .bare(Method::GET, path)
                .header("origin", PAGE)
                .bearer_auth(TOKEN),
        ] {
            let refused = call.send().await.unwrap();
            assert_eq!(
                (refused.status().as_u16(), allowed(&refused)),
                (403, None),
                "{path}"
            );
        }
    }
    // A name that others can point here is none of ours, whatever the origin.
    let rebound = ask(&world, PAGE)
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!((rebound.status().as_u16(), allowed(&rebound)), (421, None));
    let rebound = preflight(&world, "/v1/models", PAGE).header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 421);
}

#[tokio::test]
async fn a_valid_key_passes_whatever_its_origin_and_the_browser_is_told_by_the_lists_t24() {
    let world = with(config(false), Fake::default()).await;
    let (_, any) = world.key(json!({})).await;
    for origin in [PAGE, "null", "https://elsewhere.example", "app://obsidian.md"] {
        let answered = ask(&world, origin).bearer_auth(&any).send().await.unwrap();
        assert_eq!(
            (answered.status().as_u16(), allowed(&answered)),
            (200, None),
            "{origin}"
        );
        let refused = ask(&world, origin)
            .bearer_auth("sk-hearth-made-up")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (refused.status().as_u16(), allowed(&refused)),
            (401, None),
            "{origin}"
        );
    }
    let image = world
        .bare(Method::GET, "/v1/models")
        .header("sec-fetch-site", "cross-site")
        .bearer_auth(&any);
    assert_eq!(image.send().await.unwrap().status(), 200);

    let (id, listed) = world
        .key(json!({"origins": ["https://app.example", "null"]}))
        .await;
    for (origin, status, told) in [
        ("https://app.example", 200, Some("https://app.example")),
        ("null", 200, Some("null")),
        (PAGE, 403, None),
    ] {
        let answered = ask(&world, origin).bearer_auth(&listed).send().await.unwrap();
        assert_eq!(
            (answered.status().as_u16(), allowed(&answered)),
            (status, told),
            "{origin}"
        );
    }
    // A browser asks before it shows the key; a page that shows none is refused all the same.
    let told = preflight(&world, "/v1/chat/completions", "https://app.example")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (told.status().as_u16(), allowed(&told)),
        (204, Some("https://app.example"))
    );
    let bare = ask(&world, "https://app.example").send().await.unwrap();
    assert_eq!(bare.status(), 403);
    let program = world
        .bare(Method::GET, "/v1/models")
        .bearer_auth(&listed)
        .send()
        .await
        .unwrap();
    assert_eq!(program.status(), 200, "a program has no origin");
    let revoke = world.own(Method::DELETE, &format!("/keys/{id}"));
    assert_eq!(revoke.send().await.unwrap().status(), 204);
    let told = preflight(&world, "/v1/chat/completions", "https://app.example")
        .send()
        .await
        .unwrap();
    assert_eq!(told.status(), 403);
}
