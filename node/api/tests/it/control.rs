//! The control API: the document, payments, settings, events, stop.

use std::{sync::atomic::Ordering, time::Duration};

use futures::{StreamExt, stream};
use hearth_api::control::{
    openapi,
    types::{Event, Reason, SetupState, SetupStep},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    parts::{BUSY_CID, CID, Fake, earning},
    support::{config, json, until, with, world},
};

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap();
    let current = openapi::document_text().unwrap();
    assert!(
        committed == current,
        "write it anew: cargo run -p hearth-api --example openapi > ui/openapi.json"
    );
}

#[tokio::test]
async fn every_operation_of_the_document_is_served() {
    let world = world().await;
    let document = world.get("/openapi.json").await;
    let mut served = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let real = path
                .replace("{id}", "x")
                .replace("{cid}", CID)
                .replace("{answer_id}", "y");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let response = world
                .own(method.clone(), &real)
                .json(&json!({}))
                .send()
                .await
                .unwrap();
            assert_ne!(response.status(), 405, "{method} {path}");
            let is_stream = response
                .headers()
                .get("content-type")
                .is_some_and(|kind| kind == "text/event-stream");
            if response.status() == 404 && !is_stream {
                let error = json(response).await;
                assert!(
                    !error["error"]["message"]
                        .as_str()
                        .unwrap()
                        .contains("control API"),
                    "{method} {path}"
                );
            }
            served += 1;
        }
    }
    assert_eq!(served, hearth_api::control::operation::Operation::ALL.len());
    assert_eq!(world.get("/nothing").await["error"]["code"], "not_found");
    assert_eq!(
        world.own(Method::PUT, "/status").send().await.unwrap().status(),
        405
    );
}

#[tokio::test]
async fn status_doctor_and_metrics_tell_of_all_parts() {
    let world = world().await;
    let status = world.get("/status").await;
    assert_eq!(
        (&status["head"]["height"], &status["earning"]["state"]),
        (&json!(8), &json!("off"))
    );
    assert_eq!(
        status["network"],
        json!({"name": "test", "chain_id": "test", "is_devnet": true})
    );
    let doctor = world.get("/doctor").await;
    let levels: Vec<&str> = doctor["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["level"].as_str().unwrap())
        .collect();
    assert_eq!(levels, ["ok", "warn", "fail"]);
    let metrics = world
        .bare(Method::GET, "/metrics")
        .bearer_auth(crate::support::TOKEN)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "hearth_chain_height 8",
        "hearth_earning_state{state=\"off\"} 1",
        "hearth_settled_upokt 12",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    assert_eq!(world.get("/network").await["error"]["code"], "chain_unreachable");
    world.setup.send_modify(|setup| setup.done = false);
    let ready = world.bare(Method::GET, "/ready").send().await.unwrap();
    assert_eq!(ready.status(), 200, "nobody asked for the set-up");
    world.setup.send_modify(|setup| setup.running = true);
    let ready = world.bare(Method::GET, "/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(json(ready).await["reasons"], json!(["the set-up is not done"]));
}

#[tokio::test]
async fn without_the_chain_it_is_ready_for_models_of_this_computer_alone() {
    let world = world().await;
    let ready = async || {
        let ready = world.bare(Method::GET, "/ready").send().await.unwrap();
        (ready.status().as_u16(), json(ready).await)
    };
    let away = |code: &str| {
        *world.fake.chain_problem.lock().unwrap() = Some(Reason {
            code: code.to_owned(),
            fact: Some("127.0.0.1:26657: connection refused".to_owned()),
            meaning: String::new(),
            remedy: None,
        });
    };
    away("chain_syncing");
    assert_eq!(ready().await.1["status"], "ok", "nothing was heard yet");
    away("chain_unverified");
    assert_eq!(
        ready().await.1["status"],
        "local",
        "nothing that is not proven is bought"
    );
    away("chain_unreachable");
    let (status, body) = ready().await;
    assert_eq!((status, &body["status"]), (200, &json!("local")));
    let reasons = body["reasons"].to_string();
    assert!(
        reasons.contains("connection refused") && reasons.contains("models of the network"),
        "{reasons}"
    );
    // Nothing answers, and a set-up that waits for the chain is not done.
    world.fake.no_models.store(true, Ordering::SeqCst);
    assert_eq!(ready().await.0, 503);
    world.fake.no_models.store(false, Ordering::SeqCst);
    world.setup.send_modify(|setup| {
        setup.done = false;
        setup.running = true;
    });
    assert_eq!(ready().await.0, 503);
}

#[tokio::test]
async fn what_is_said_to_be_ready_answers_at_once() {
    let world = world().await;
    world.fake.network_waits.store(true, Ordering::SeqCst);
    world.setup.send_modify(|setup| {
        setup.done = true;
        setup.steps = vec![SetupStep {
            id: "earning".into(),
            title: "Earn".into(),
            state: SetupState::Done,
            fact: None,
            error: None,
        }];
    });
    let ready = world.bare(Method::GET, "/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.headers().contains_key("retry-after"));
    let reasons = json(ready).await["reasons"].to_string();
    assert!(reasons.contains("pocket/svc: Nobody serves it"), "{reasons}");
    world.fake.network_waits.store(false, Ordering::SeqCst);
    assert_eq!(
        world.bare(Method::GET, "/ready").send().await.unwrap().status(),
        200
    );
    // What becomes of a supplier later says nothing about this program.
    world.fake.network_waits.store(true, Ordering::SeqCst);
    assert_eq!(
        world.bare(Method::GET, "/ready").send().await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn a_payment_is_reviewed_and_sent_once() {
    let world = world().await;
    let draft = json!({"from": "main", "to": "pokt1other", "amount": "1", "memo": null});
    let review = world.post("/wallet/send/review", draft.clone()).await;
    assert_eq!(world.fake.paid.load(Ordering::SeqCst), 0);
    let order = json!({"review_id": review["review_id"]});
    assert_eq!(
        world.post("/wallet/send", order.clone()).await,
        json!({"tx": "AB", "height": 9})
    );
    assert_eq!(
        world.post("/wallet/send", order).await["error"]["code"],
        "no_review"
    );
    assert_eq!(world.fake.paid.load(Ordering::SeqCst), 1);
    let review = world.post("/wallet/send/review", draft.clone()).await;
    world.clock.advance(Duration::from_secs(301));
    assert_eq!(
        world
            .post("/wallet/send", json!({"review_id": review["review_id"]}))
            .await["error"]["code"],
        "no_review"
    );
    // A locked key opens for one payment only, and a wrong password spends no review.
    world.post("/wallet/lock", json!({})).await;
    let id = world.post("/wallet/send/review", draft).await["review_id"].clone();
    assert_eq!(
        world.post("/wallet/send", json!({"review_id": id})).await["error"]["code"],
        "key_locked"
    );
    assert_eq!(
        world
            .post("/wallet/send", json!({"review_id": id, "password": "wrong"}))
            .await["error"]["code"],
        "wrong_password"
    );
    assert_eq!(
        world
            .post("/wallet/send", json!({"review_id": id, "password": "right"}))
            .await["tx"],
        "AB"
    );
    assert_eq!(world.fake.paid.load(Ordering::SeqCst), 2);
    assert!(*world.fake.locked.lock().unwrap());
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_the_payment_whole_and_the_key_locked() {
    let fake = Fake {
        block_time: Duration::from_millis(600),
        ..Fake::default()
    };
    let world = with(config(true), fake).await;
    let draft = json!({"from": "main", "to": "pokt1other", "amount": "1", "memo": null});
    world.post("/wallet/lock", json!({})).await;
    let id = world.post("/wallet/send/review", draft).await["review_id"].clone();
    let hangs_up = world
        .own(Method::POST, "/wallet/send")
        .json(&json!({"review_id": id, "password": "right"}))
        .timeout(Duration::from_millis(200))
        .send()
        .await;
    assert!(hangs_up.unwrap_err().is_timeout());
    assert_eq!(world.fake.paid.load(Ordering::SeqCst), 0, "it is in the middle");
    let ended = async {
        while world.fake.paid.load(Ordering::SeqCst) == 0 || !*world.fake.locked.lock().unwrap() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .expect("the payment is made and the key is locked again");
}

#[tokio::test]
async fn payments_side_by_side_do_not_lock_each_other_out() {
    let fake = Fake {
        block_time: Duration::from_millis(200),
        ..Fake::default()
    };
    let world = with(config(true), fake).await;
    let draft = json!({"from": "main", "to": "pokt1other", "amount": "1", "memo": null});
    world.post("/wallet/lock", json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let review = world.post("/wallet/send/review", draft.clone()).await;
        ids.push(review["review_id"].clone());
    }
    let world = &world;
    let sends = ids.iter().enumerate().map(|(number, id)| async move {
        // Not all at one moment: one ends in the middle of another.
        tokio::time::sleep(Duration::from_millis(80 * number as u64)).await;
        world_send(world, id).await
    });
    for sent in futures::future::join_all(sends).await {
        assert_eq!(sent["tx"], "AB", "{sent}");
    }
    assert!(*world.fake.locked.lock().unwrap());
}

#[tokio::test]
async fn a_stop_ends_a_payment_that_waits_and_locks_the_key() {
    let fake = Fake {
        block_time: Duration::from_secs(150),
        ..Fake::default()
    };
    let world = with(config(true), fake).await;
    let draft = json!({"from": "main", "to": "pokt1other", "amount": "1", "memo": null});
    world.post("/wallet/lock", json!({})).await;
    let id = world.post("/wallet/send/review", draft).await["review_id"].clone();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.api.stop();
        world.api.join().await;
    };
    let order = json!({"review_id": id, "password": "right"});
    let send = world.own(Method::POST, "/wallet/send").json(&order).send();
    let both = futures::future::join(send, stop);
    let (answer, ()) = tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .expect("the stop does not wait for the block");
    assert!(answer.is_err() || answer.is_ok_and(|answer| !answer.status().is_success()));
    assert!(*world.fake.locked.lock().unwrap());
}

async fn world_send(world: &crate::support::World, id: &Value) -> Value {
    world
        .post("/wallet/send", json!({"review_id": id, "password": "right"}))
        .await
}

#[tokio::test]
async fn the_faucet_is_for_devnet_alone() {
    let order = json!({"to": "main", "amount": "1000000"});
    assert_eq!(
        world().await.post("/wallet/faucet", order.clone()).await["tx"],
        "CD"
    );
    let world = with(config(false), Fake::default()).await;
    assert_eq!(
        world.post("/wallet/faucet", order).await["error"]["code"],
        "not_devnet"
    );
}

#[tokio::test]
async fn settings_are_kept_and_strange_ones_refused() {
    let world = world().await;
    assert_eq!(world.get("/settings").await["theme"], "system");
    let patch = |body: Value| world.own(Method::PATCH, "/settings").json(&body).send();
    let changed = json(patch(json!({"theme": "dark", "language": "de"})).await.unwrap()).await;
    assert_eq!(
        (&changed["theme"], &changed["language"]),
        (&json!("dark"), &json!("de"))
    );
    let changed = json(patch(json!({"language": ""})).await.unwrap()).await;
    assert_eq!(
        (&changed["theme"], &changed["language"]),
        (&json!("dark"), &Value::Null)
    );
    let changed = json(patch(json!({"daily_cap": "5000000"})).await.unwrap()).await;
    assert_eq!(
        changed["network_budget"],
        json!({"daily_cap": "5000000", "spent_today": "8"})
    );
    assert_eq!(patch(json!({"daily_cap": "-1"})).await.unwrap().status(), 400);
    assert_eq!(patch(json!({"colour": "red"})).await.unwrap().status(), 400);
    assert_eq!(patch(json!({"theme": "pink"})).await.unwrap().status(), 400);
}

#[tokio::test]
async fn models_are_loaded_listed_and_guarded() {
    let world = world().await;
    let loaded = world.post(&format!("/models/{CID}/load"), json!({})).await;
    assert_eq!(
        (&loaded["state"], &loaded["architecture"]),
        (&json!("loaded"), &json!("llama"))
    );
    let list = world.get("/models").await;
    let states: Vec<(&str, &str)> = list["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| (model["id"].as_str().unwrap(), model["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        states,
        [("chat", "loaded"), ("embed", "ready"), ("pocket/svc", "ready")]
    );
    assert_eq!(
        world.post(&format!("/models/{CID}/unload"), json!({})).await["state"],
        "ready"
    );
    // What serves is refused by the shelf, with its remedy, and stays in memory.
    world.post(&format!("/models/{BUSY_CID}/load"), json!({})).await;
    let busy = world
        .own(Method::DELETE, &format!("/models/{BUSY_CID}"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        json(busy).await["error"],
        json!({
            "code": "model_in_use",
            "message": "embed serves svc",
            "meaning": "Something needs it: an answer that is being made, or a service that is sold.",
            "remedy": "Take svc out.",
        })
    );
    assert!(world.models.snapshot().borrow().loaded.contains_key("embed"));
    assert_eq!(
        world
            .own(Method::DELETE, &format!("/models/{CID}"))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
}

#[tokio::test]
async fn events_begin_with_the_status_and_bring_what_parts_say() {
    let told = stream::once(async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Event::Earning(earning())
    });
    let fake = Fake::default();
    *fake.events.lock().unwrap() = Some(told.chain(stream::pending()).boxed());
    let world = with(config(true), fake).await;
    let listening = world.own(Method::GET, "/events").send().await.unwrap();
    let first = until(listening, |_| true).await;
    assert_eq!(first["type"], "status");
    let listening = world.own(Method::GET, "/events").send().await.unwrap();
    world.setup.send_modify(|setup| setup.running = true);
    assert_eq!(
        until(listening, |event| event["type"] == "setup").await["running"],
        true
    );
}

#[tokio::test]
async fn pages_have_their_headers_and_unknown_paths_are_the_page() {
    let world = world().await;
    for path in ["/", "/chat/some-id", "/placeholder.html"] {
        let page = world.bare(Method::GET, path).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        let headers = page.headers();
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("frame-ancestors 'none'")
        );
        assert_eq!(
            (&headers["cache-control"], &headers["x-content-type-options"]),
            (&"no-cache".parse().unwrap(), &"nosniff".parse().unwrap())
        );
        assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"));
        let tag = headers["etag"].clone();
        let again = world
            .bare(Method::GET, path)
            .header("if-none-match", tag)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), 304);
    }
    assert_eq!(
        world
            .bare(Method::GET, "/assets/gone.js")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    assert_eq!(world.bare(Method::POST, "/").send().await.unwrap().status(), 405);
    let status = world.own(Method::GET, "/status").send().await.unwrap();
    assert_eq!(status.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_stop_ends_event_streams_and_cuts_answers_after_the_drain() {
    let world = world().await;
    let mut listening = world
        .own(Method::GET, "/events")
        .send()
        .await
        .unwrap()
        .bytes_stream();
    let body = json!({"model": "chat", "stream": true, "messages": [{"role": "user", "content": "x"}], "max_tokens": 100_000});
    let answer = world
        .bare(Method::POST, "/v1/chat/completions")
        .json(&body)
        .send()
        .await
        .unwrap();
    world.api.stop();
    let all = async {
        while listening.next().await.is_some() {}
        let _ = answer.bytes().await;
        world.api.join().await;
    };
    tokio::time::timeout(Duration::from_secs(15), all)
        .await
        .expect("everything ends");
    assert!(world.bare(Method::GET, "/health").send().await.is_err());
}
