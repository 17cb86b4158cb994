//! The address book, labels, what a payment is warned of; the configuration and the first run.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{World, json, world};

const EXCHANGE: &str = "pokt1p4hyq70rvup7h5muqpez7ky3629su2q3lsdkpd";
const OTHER: &str = "pokt1m4dva8sp3k7kyvmvhcpej94d0jqh6r5mna8806";
/// It begins and ends as [`EXCHANGE`]. That its checksum is wrong is none of this test's business.
const ALIKE: &str = "pokt1p4hxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxsdkpd";

impl World {
    async fn refused(&self, method: Method, path: &str, body: Value) -> String {
        let answer = self.own(method, path).json(&body).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
        json(answer).await["error"]["code"].as_str().unwrap().to_owned()
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        json(self.own(Method::PUT, path).json(&body).send().await.unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_book_has_each_name_and_each_address_once() {
    let world = world().await;
    let kept = world
        .put(
            "/contacts",
            json!({ "address": EXCHANGE, "name": " Exchange ", "note": "" }),
        )
        .await;
    assert_eq!(kept["contacts"][0]["name"], "Exchange");
    assert_eq!(kept["contacts"][0]["note"], Value::Null);
    for (body, code) in [
        (json!({ "address": OTHER, "name": "exchange" }), "contact_taken"),
        // Cyrillic letters.
        (json!({ "address": OTHER, "name": "Ехсһаngе" }), "contact_taken"),
        (json!({ "address": "pokt1nothing", "name": "A" }), "address_wrong"),
        (json!({ "address": OTHER, "name": "" }), "contact_name"),
        (json!({ "address": OTHER, "name": "pokt1abc" }), "contact_name"),
        (json!({ "address": OTHER, "name": "two\nlines" }), "contact_name"),
        (
            json!({ "address": OTHER, "name": "Bank\u{3164}" }),
            "contact_name",
        ),
        (json!({ "address": OTHER, "name": "Main" }), "contact_taken"),
        (
            json!({ "address": OTHER, "name": "B", "note": "x".repeat(301) }),
            "contact_note",
        ),
    ] {
        assert_eq!(
            world.refused(Method::PUT, "/contacts", body.clone()).await,
            code,
            "{body}"
        );
    }
    // An import is all of it or nothing.
    let half = json!({ "contacts": [{ "address": OTHER, "name": "B" }, { "address": "x", "name": "C" }] });
    assert_eq!(
        world.refused(Method::POST, "/contacts/import", half).await,
        "address_wrong"
    );
    assert_eq!(
        world.get("/contacts").await["contacts"].as_array().unwrap().len(),
        1
    );
    // What was exported is imported.
    let exported = world.get("/contacts").await;
    let deleted = world
        .own(Method::DELETE, &format!("/contacts/{EXCHANGE}"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(world.get("/contacts").await["contacts"], json!([]));
    let back = world.post("/contacts/import", exported).await;
    assert_eq!(back["contacts"][0]["address"], EXCHANGE);
    let gone = world
        .own(Method::DELETE, &format!("/contacts/{OTHER}"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_says_whom_it_goes_to_and_whom_it_looks_like() {
    let world = world().await;
    let review = async |to: &str| {
        let draft = json!({ "from": "main", "to": to, "amount": "1", "memo": null });
        world.post("/wallet/send/review", draft).await
    };
    // The one that was paid before is known; what only looks so is told.
    let alike = review(ALIKE).await;
    assert_eq!(alike["looks_like"]["address"], EXCHANGE, "{alike}");
    assert_eq!(alike["looks_like"]["name"], Value::Null);
    assert_eq!(review(EXCHANGE).await["looks_like"], Value::Null);
    world
        .put("/contacts", json!({ "address": EXCHANGE, "name": "Exchange" }))
        .await;
    assert_eq!(review(ALIKE).await["looks_like"]["name"], "Exchange");
    let named = review(EXCHANGE).await;
    assert_eq!(
        (&named["to_name"], &named["looks_like"]),
        (&json!("Exchange"), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn movements_are_labelled_and_asked_for_by_kind_text_and_time() {
    let world = world().await;
    let label = async |movement: &str, label: &str| {
        let body = json!({ "movement": movement, "label": label });
        world
            .own(Method::PUT, "/wallet/label")
            .json(&body)
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(label("reward-1f3c", "Rent").await, 204);
    assert_eq!(label("ab", "").await, 204);
    // What the history does not have is a slip.
    assert_eq!(label("ab", "Rent").await, 404);
    assert_eq!(label("", "Rent").await, 400);
    assert_eq!(label("reward-1f3c", "two\nlines").await, 400);
    let ask = async |query: &str| {
        let path = format!("/wallet/history?{query}");
        world
            .own(Method::GET, &path)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(
        ask("kinds=sent,reward,returned&q=rent&since=2026-01-01T00:00:00Z").await,
        200
    );
    for wrong in ["kinds=lost", "since=yesterday", "until=2026-01-01", "colour=red"] {
        assert_eq!(ask(wrong).await, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_goes_on_where_it_was_left() {
    let world = world().await;
    let run = world.get("/first-run").await;
    assert_eq!(run["steps"].as_array().unwrap().len(), 5);
    assert_eq!(run["wanted"], false, "a devnet sets itself up");
    let patch = async |body: Value| {
        json(
            world
                .own(Method::PATCH, "/first-run")
                .json(&body)
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    let begun = patch(json!({ "step": { "id": "computer", "state": "done" } })).await;
    assert_eq!(
        (&begun["wanted"], &begun["steps"][0]["state"]),
        (&json!(true), &json!("done"))
    );
    let chosen = patch(json!({ "role": "earn" })).await;
    assert_eq!(
        (&chosen["role"], &chosen["steps"][0]["state"]),
        (&json!("earn"), &json!("done"))
    );
    assert_eq!(patch(json!({ "ended": true })).await["wanted"], false);
    let anew = patch(json!({ "ended": false })).await;
    assert_eq!(
        (&anew["role"], &anew["steps"][0]["state"]),
        (&Value::Null, &json!("open"))
    );
    let wrong = world.refused(
        Method::PATCH,
        "/first-run",
        json!({ "step": { "id": "hat", "state": "done" } }),
    );
    assert_eq!(wrong.await, "bad_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_cannot_be_opened_to_others_before_they_need_a_password() {
    let world = world().await;
    let listen = |address: &str| json!({ "changes": [{ "key": "api.listen", "value": address }] });
    let path = "/config";
    assert_eq!(
        world.refused(Method::PATCH, path, listen("0.0.0.0:4327")).await,
        "login_first"
    );
    assert_eq!(
        world
            .refused(
                Method::PATCH,
                path,
                json!({ "changes": [{ "key": "wrong", "value": "1" }] })
            )
            .await,
        "config_unknown"
    );
    assert_eq!(
        world.refused(Method::POST, "/restart", Value::Null).await,
        "no_restart"
    );
    let ok = world
        .own(Method::PATCH, path)
        .json(&listen("127.0.0.1:0"))
        .send()
        .await
        .unwrap();
    assert_eq!(ok.status(), 200);
    let password = json!({ "password": "a long password" });
    let set = world.own(Method::PUT, "/auth/login").json(&password);
    assert!(set.send().await.unwrap().status().is_success());
    let opened = world
        .own(Method::PATCH, path)
        .json(&listen("0.0.0.0:4327"))
        .send()
        .await
        .unwrap();
    assert_eq!(opened.status(), 200);
}
