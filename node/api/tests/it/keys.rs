//! What keys may do, what they may spend, and what was asked.

use std::{sync::atomic::Ordering, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    parts::{Fake, Misbehaviour},
    support::{World, config, json, with, world},
};

async fn ask(world: &World, path: &str, key: &str, body: &Value) -> Response {
    let call = world.bare(Method::POST, path).bearer_auth(key).json(body);
    call.send().await.unwrap()
}

async fn chat(world: &World, key: &str, model: &str) -> Response {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3});
    ask(world, "/v1/chat/completions", key, &body).await
}

/// Status and code of a refusal in OpenAI's shape.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = json(response).await;
    assert!(
        body["error"]["type"].is_string() && body["error"]["message"].is_string(),
        "{body}"
    );
    (
        status,
        body["error"]["code"].as_str().unwrap_or_default().to_owned(),
    )
}

/// What a key has spent, once its answers are settled.
async fn spent(world: &World, wanted: &str) -> Value {
    for _ in 0..200 {
        let key = world.get("/keys").await["keys"][0].clone();
        if key["spent"] == wanted {
            return key;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{}", world.get("/keys").await)
}

#[tokio::test]
async fn a_key_that_lists_an_alias_may_use_it_and_no_key_gets_more_by_one() {
    let fake = Fake {
        aliases: [("gpt-4o", "chat"), ("chatty", "embed")]
            .map(|(alias, model)| (alias.to_owned(), model.to_owned()))
            .into(),
        ..Fake::default()
    };
    let world = with(config(false), fake).await;
    let (_, alias) = world
        .key(json!({"scopes": ["local"], "models": ["gpt-4o"]}))
        .await;
    assert_eq!(chat(&world, &alias, "gpt-4o").await.status(), 200);
    assert_eq!(refusal(chat(&world, &alias, "chat").await).await.1, "key_model");
    let listed = world.bare(Method::GET, "/v1/models").bearer_auth(&alias);
    let listed = json(listed.send().await.unwrap()).await;
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    assert_eq!(ids, ["gpt-4o"]);
    // A pattern is for the names of models: an alias that it fits opens nothing.
    let (_, pattern) = world.key(json!({"scopes": ["local"], "models": ["chat*"]})).await;
    assert_eq!(chat(&world, &pattern, "gpt-4o").await.status(), 200);
    assert_eq!(
        refusal(chat(&world, &pattern, "chatty").await).await.1,
        "key_model"
    );
}

#[tokio::test]
async fn a_key_does_what_it_is_for_and_nothing_else() {
    let world = with(config(false), Fake::default()).await;
    let (_, local) = world.key(json!({"scopes": ["local"], "models": ["ch*"]})).await;
    assert_eq!(chat(&world, &local, "chat").await.status(), 200);
    for (model, code) in [("pocket/svc", "key_scope"), ("embed", "key_model")] {
        assert_eq!(
            refusal(chat(&world, &local, model).await).await,
            (403, code.to_owned()),
            "{model}"
        );
    }
    let embed = json!({"model": "embed", "input": "x"});
    let refused = ask(&world, "/v1/embeddings", &local, &embed).await;
    assert_eq!(refusal(refused).await.1, "key_scope");
    // A name that comes twice counts as the last, for the check as for the answer.
    let twice = r#"{"model":"chat","model":"pocket/svc","messages":[{"role":"user","content":"x"}]}"#;
    let call = world
        .bare(Method::POST, "/v1/chat/completions")
        .bearer_auth(&local)
        .body(twice);
    assert_eq!(refusal(call.send().await.unwrap()).await.1, "key_scope");
    assert!(world.fake.relayed.lock().unwrap().is_empty());

    let (_, embedding) = world.key(json!({"scopes": ["embeddings"]})).await;
    assert_eq!(
        ask(&world, "/v1/embeddings", &embedding, &embed).await.status(),
        200
    );
    assert_eq!(
        refusal(chat(&world, &embedding, "chat").await).await,
        (403, "key_scope".to_owned())
    );
    let (_, network) = world.key(json!({"scopes": ["network"]})).await;
    assert_eq!(chat(&world, &network, "pocket/svc").await.status(), 200);
    // A list of models has those that the key may ask.
    for (key, models) in [
        (&local, vec!["chat"]),
        (&embedding, vec!["embed"]),
        (&network, vec!["pocket/svc"]),
    ] {
        let list = json(
            world
                .bare(Method::GET, "/v1/models")
                .bearer_auth(key)
                .send()
                .await
                .unwrap(),
        )
        .await;
        let found: Vec<&str> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["id"].as_str())
            .collect();
        assert_eq!(found, models);
    }
    // Ollama's routes too, also where a model shall be loaded alone.
    for (key, model, status) in [
        (&local, "chat", 200),
        (&local, "embed", 403),
        (&network, "chat", 403),
    ] {
        let loaded = ask(&world, "/api/generate", key, &json!({"model": model})).await;
        assert_eq!(loaded.status(), status, "{model}");
    }
    let tags = world.bare(Method::GET, "/api/tags").bearer_auth(&network);
    let tags = json(tags.send().await.unwrap()).await;
    assert!(!tags.to_string().contains("\"chat\""), "{tags}");
    // None opens the control API, whatever it is for.
    let all = world.key(json!({})).await.1;
    let call = world.bare(Method::GET, "/api/v1/keys").bearer_auth(&all);
    assert_eq!(call.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn what_is_wrong_in_the_form_of_a_key_has_a_code_and_its_figures() {
    let world = with(config(false), Fake::default()).await;
    let limits = |limits: Value| json!({"name": "k", "limits": limits});
    // What a person can write has a code of its own, what only a program sends has not.
    let many = limits(json!({"models": vec!["m"; 101]}));
    let past = limits(json!({"expires_at": "2001-01-01T00:00:00Z"}));
    let spaced = limits(json!({"models": ["a b"]}));
    let no_origin = limits(json!({"origins": ["localhost"]}));
    let no_rate = limits(json!({"requests_per_minute": 0}));
    for (key, code, figure) in [
        (limits(json!({"scopes": ["admin"]})), "bad_request", None),
        (limits(json!({"colour": "red"})), "bad_request", None),
        (limits(json!({"scopes": []})), "key_no_scope", None),
        (no_rate, "key_no_rate", None),
        (past, "key_expired", None),
        (spaced, "key_model_name", Some(("model", "a b"))),
        (many, "key_entries", Some(("most", "100"))),
        (no_origin, "origin_wrong", Some(("origin", "localhost"))),
        (json!({"name": " "}), "key_name", Some(("most", "100"))),
    ] {
        let error = world.post("/keys", key.clone()).await["error"].clone();
        assert_eq!(error["code"], code, "{key}");
        if let Some((name, value)) = figure {
            assert_eq!(error["values"][name], value, "{key}");
        }
    }
}

#[tokio::test]
async fn a_key_is_shown_as_anthropics_clients_do_and_a_made_up_one_does_not_matter_here() {
    let world = with(config(false), Fake::default()).await;
    let (id, key) = world.key(json!({"expires_at": "2023-11-14T23:00:00Z"})).await;
    let list = |name: &'static str, value: String| {
        let call = world.bare(Method::GET, "/v1/models").header(name, value);
        async { call.send().await.unwrap() }
    };
    assert_eq!(list("x-api-key", key.clone()).await.status(), 200);
    // Clients that must send a key send anything.
    assert_eq!(
        list("authorization", "Bearer sk-no-key-required".to_owned())
            .await
            .status(),
        200
    );
    // What is meant as a key and mistyped is no word: it would ask without its budget.
    for mistyped in [
        key.replace("sk-hearth-", "sk-heart-"),
        key.replace("sk-hearth-", ""),
    ] {
        let refused = list("authorization", format!("Bearer {mistyped}")).await;
        assert_eq!(
            refusal(refused).await,
            (401, "invalid_api_key".to_owned()),
            "{mistyped}"
        );
    }
    // From elsewhere it matters.
    let elsewhere = world
        .bare(Method::GET, "/v1/models")
        .header("x-forwarded-for", "192.0.2.7");
    let refused = elsewhere.bearer_auth("sk-no-key-required").send().await.unwrap();
    assert_eq!(refusal(refused).await, (401, "invalid_api_key".to_owned()));
    let unknown = list("authorization", "Bearer sk-hearth-0000".to_owned()).await;
    assert_eq!(refusal(unknown).await, (401, "invalid_api_key".to_owned()));
    world.clock.advance(Duration::from_hours(1));
    let expired = list("x-api-key", key.clone()).await;
    assert_eq!(expired.headers()["www-authenticate"], "Bearer");
    assert_eq!(refusal(expired).await, (401, "invalid_api_key".to_owned()));
    let change = |body: Value| {
        world
            .own(Method::PATCH, &format!("/keys/{id}"))
            .json(&body)
            .send()
    };
    let changed = json(change(json!({"name": "laptop", "limits": {}})).await.unwrap()).await;
    assert_eq!(
        (&changed["name"], &changed["limits"]["expires_at"]),
        (&json!("laptop"), &Value::Null)
    );
    assert_eq!(list("x-api-key", key).await.status(), 200);
}

#[tokio::test]
async fn a_key_counts_wherever_clients_send_it_and_is_refused_where_none_is_read() {
    let world = with(config(false), Fake::default()).await;
    let (id, key) = world.key(json!({})).await;
    let list = |path: &str, header: Option<(&'static str, String)>| {
        let call = world.bare(Method::GET, path);
        let call = match header {
            Some((name, value)) => call.header(name, value),
            None => call,
        };
        async { call.send().await.unwrap() }
    };
    let read = [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("Token {key}")),
        ("authorization", key.clone()),
        ("x-api-key", key.clone()),
        ("api-key", key.clone()),
        ("x-goog-api-key", key.clone()),
    ];
    let basic = |text: String| ("authorization", format!("Basic {}", BASE64.encode(text)));
    let unread = [
        basic(format!("{key}:")),
        basic(format!("me:{key}")),
        ("authorization", format!("ApiKey {key}")),
    ];
    for header in &read {
        let answer = list("/v1/models", Some(header.clone())).await;
        assert_eq!(answer.status(), 200, "{header:?}");
    }
    for header in &unread {
        let refused = refusal(list("/v1/models", Some(header.clone())).await).await;
        assert_eq!(refused, (401, "invalid_api_key".to_owned()), "{header:?}");
    }
    for query in ["key", "api-key", "api_key"] {
        let path = format!("/v1/models?{query}={}", key.replace('-', "%2D"));
        let refused = refusal(list(&path, None).await).await;
        assert_eq!(refused, (401, "invalid_api_key".to_owned()), "{query}");
    }
    // Names and passwords of proxies, and other parameters, are nobody's business.
    assert_eq!(
        list("/v1/models?key=1", Some(basic("me:word".to_owned())))
            .await
            .status(),
        200
    );
    // One that is read says that the key was revoked.
    world
        .own(Method::DELETE, &format!("/keys/{id}"))
        .send()
        .await
        .unwrap();
    for header in read {
        let refused = refusal(list("/v1/models", Some(header.clone())).await).await;
        assert_eq!(refused, (401, "invalid_api_key".to_owned()), "{header:?}");
    }
}

#[tokio::test]
async fn a_key_that_asks_too_often_waits_and_is_told_how_long() {
    let world = world().await;
    let (_, key) = world
        .key(json!({"requests_per_minute": 2, "tokens_per_minute": 1000}))
        .await;
    for left in ["1", "0"] {
        let answer = chat(&world, &key, "chat").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-ratelimit-limit-requests"], "2");
        assert_eq!(answer.headers()["x-ratelimit-remaining-requests"], left);
        assert_eq!(answer.headers()["x-ratelimit-limit-tokens"], "1000");
        answer.bytes().await.unwrap();
    }
    let refused = chat(&world, &key, "chat").await;
    assert_eq!(refused.headers()["retry-after"], "30");
    assert_eq!(refused.headers()["x-ratelimit-reset-requests"], "1m0s");
    assert_eq!(refusal(refused).await, (429, "rate_limit_exceeded".to_owned()));
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(chat(&world, &key, "chat").await.status(), 200);
    // Other keys and programs without one are not held up.
    assert_eq!(
        chat(&world, &world.key(json!({})).await.1, "chat").await.status(),
        200
    );
}

#[tokio::test]
async fn a_budget_is_never_overspent_and_what_nobody_was_paid_for_comes_back() {
    let world = with(config(false), Fake::default()).await;
    let (id, key) = world
        .key(json!({"daily_budget": "10", "total_budget": "14"}))
        .await;
    let answers = futures::future::join_all((0..12).map(|_| chat(&world, &key, "pocket/svc"))).await;
    let (good, refused): (Vec<Response>, Vec<Response>) =
        answers.into_iter().partition(|answer| answer.status() == 200);
    // One costs 4.
    assert_eq!((good.len(), world.fake.relayed.lock().unwrap().len()), (2, 2));
    for answer in good {
        answer.bytes().await.unwrap();
    }
    for answer in refused {
        assert_eq!(answer.status(), 402);
        let error = json(answer).await["error"].clone();
        assert_eq!(error["code"], "insufficient_quota");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("today") && message.contains("Raise the key's budget"),
            "{message}"
        );
    }
    assert_eq!(spent(&world, "8").await["spent_today"], "8");
    // Local models cost nothing.
    assert_eq!(chat(&world, &key, "chat").await.status(), 200);
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(chat(&world, &key, "pocket/svc").await.status(), 200);
    assert_eq!(spent(&world, "12").await["spent_today"], "4");
    let over = json(chat(&world, &key, "pocket/svc").await).await;
    assert!(
        over["error"]["message"].as_str().unwrap().contains("in all"),
        "{over}"
    );
    // A dearer budget counts at once.
    let raised = world
        .own(Method::PATCH, &format!("/keys/{id}"))
        .json(&json!({"limits": {"total_budget": "16"}}));
    assert_eq!(raised.send().await.unwrap().status(), 200);
    assert_eq!(chat(&world, &key, "pocket/svc").await.status(), 200);
    spent(&world, "16").await;
}

#[tokio::test]
async fn an_answer_that_nobody_began_costs_a_key_nothing_and_one_that_was_left_is_counted() {
    let world = with(config(false), Fake::default()).await;
    let (id, key) = world.key(json!({"total_budget": "8"})).await;
    world.fake.fails.store(true, Ordering::SeqCst);
    assert_eq!(chat(&world, &key, "pocket/svc").await.status(), 503);
    spent(&world, "0").await;
    world.fake.fails.store(false, Ordering::SeqCst);
    // The caller goes away while the supplier has not begun: it may be paid all the same.
    *world.fake.misbehaviour.lock().unwrap() = Some(Misbehaviour::Hangs);
    let body = json!({"model": "pocket/svc", "messages": []});
    let call = world
        .bare(Method::POST, "/v1/chat/completions")
        .bearer_auth(&key)
        .json(&body);
    assert!(
        call.timeout(Duration::from_millis(300))
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    let mut counts = Value::Null;
    for _ in 0..200 {
        counts = world.get(&format!("/usage?asker={id}")).await["sums"][0]["counts"].clone();
        if counts["requests"] == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    spent(&world, "4").await;
    assert_eq!(
        (&counts["requests"], &counts["errors"], &counts["cost"]),
        (&json!(2), &json!(2), &json!("4"))
    );
}

#[tokio::test]
async fn tokens_that_others_count_are_believed_within_reason() {
    let world = with(config(false), Fake::default()).await;
    *world.fake.misbehaviour.lock().unwrap() = Some(Misbehaviour::Overcounts);
    let (id, key) = world.key(json!({})).await;
    assert_eq!(chat(&world, &key, "pocket/svc").await.status(), 200);
    spent(&world, "4").await;
    let counts = world.get(&format!("/usage?asker={id}")).await["sums"][0]["counts"].clone();
    for of in ["prompt_tokens", "completion_tokens"] {
        let tokens = counts[of].as_u64().unwrap();
        assert!(tokens < 100_000, "{of}: {counts}");
    }
}

#[tokio::test]
async fn usage_is_kept_by_who_asked_and_model() {
    let world = world().await;
    let (id, key) = world.key(json!({})).await;
    for stream in [false, true] {
        let body =
            json!({"model": "pocket/svc", "messages": [{"role": "user", "content": "x"}], "stream": stream});
        ask(&world, "/v1/chat/completions", &key, &body)
            .await
            .bytes()
            .await
            .unwrap();
    }
    spent(&world, "8").await;
    let local = json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3, "seed": 1});
    let call = world.bare(Method::POST, "/v1/chat/completions").json(&local);
    let answer = json(call.send().await.unwrap()).await;
    let call = world
        .bare(Method::POST, "/v1/chat/completions")
        .json(&json!({"model": "nobody", "messages": []}));
    assert!(call.send().await.unwrap().status().is_client_error());
    let usage = world.get("/usage?days=2").await;
    let find = |asker: &str, model: &str| {
        let sums = usage["sums"].as_array().unwrap();
        let found = sums
            .iter()
            .find(|sum| sum["asker"] == asker && sum["model"] == model);
        found
            .unwrap_or_else(|| panic!("{asker} {model}: {usage}"))
            .clone()
    };
    let of_key = find("key", "pocket/svc");
    assert_eq!(
        (&of_key["key_id"], &of_key["key_name"]),
        (&json!(id), &json!("editor"))
    );
    assert_eq!(
        (&of_key["counts"]["requests"], &of_key["counts"]["cost"]),
        (&json!(2), &json!("8"))
    );
    assert_eq!(
        of_key["counts"]["completion_tokens"], 3,
        "of the answer that said so"
    );
    let counts = find("local", "chat")["counts"].clone();
    assert_eq!(counts["prompt_tokens"], answer["usage"]["prompt_tokens"]);
    assert_eq!(counts["completion_tokens"], answer["usage"]["completion_tokens"]);
    assert_eq!(find("local", "nobody")["counts"]["errors"], 1);
    let days = usage["days"].as_array().unwrap();
    assert_eq!((days.len(), &days[1]["counts"]["requests"]), (2, &json!(4)));

    // What the page asks is the owner's.
    let conversation = world.post("/conversations", json!({})).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/conversations/{conversation}/answers");
    let asked = world
        .own(Method::POST, &path)
        .json(&json!({"model": "chat", "content": "hi"}));
    asked.send().await.unwrap().bytes().await.unwrap();
    let owner = world.get("/usage?asker=owner").await;
    assert_eq!(
        (&owner["total"], &owner["sums"][0]["counts"]["errors"]),
        (&json!(1), &json!(0)),
        "{owner}"
    );

    let table = world.own(Method::GET, "/usage.csv").send().await.unwrap();
    assert!(
        table.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .contains("hearth-usage.csv")
    );
    let table = table.text().await.unwrap();
    let row = format!("2023-11-14,key,{id},editor,pocket/svc,2,0,");
    assert!(
        table.starts_with("date,asker,") && table.contains(&row),
        "{table}"
    );
    for wrong in ["/usage?days=0", "/usage?days=401", "/usage?colour=red"] {
        assert_eq!(world.get(wrong).await["error"]["code"], "bad_request", "{wrong}");
    }
}

#[tokio::test]
async fn every_route_that_answers_says_what_the_key_may_still_ask() {
    let world = world().await;
    let (_, key) = world.key(json!({"requests_per_minute": 9})).await;
    let chat = json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2, "stream": false});
    let input = json!({"model": "chat", "input": "hello", "max_output_tokens": 2});
    let prompt = json!({
        "model": "chat", "prompt": "hello", "stream": false, "max_tokens": 2, "options": {"num_predict": 2},
    });
    let paths = [
        ("/v1/chat/completions", &chat),
        ("/v1/completions", &prompt),
        ("/tokenize", &prompt),
        ("/v1/responses", &input),
        ("/v1/responses/input_tokens", &input),
        ("/v1/messages", &chat),
        ("/v1/messages/count_tokens", &chat),
        ("/api/chat", &chat),
        ("/api/generate", &prompt),
    ];
    for ((path, body), left) in paths.into_iter().zip((0..9).rev()) {
        let answer = ask(&world, path, &key, body).await;
        let headers = answer.headers().clone();
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text().await.unwrap());
        assert_eq!(headers["x-ratelimit-limit-requests"], "9", "{path}");
        assert_eq!(
            headers["x-ratelimit-remaining-requests"],
            left.to_string(),
            "{path}"
        );
    }
    for (path, body) in paths {
        let refused = ask(&world, path, &key, body).await;
        assert_eq!(refused.status(), 429, "{path}");
        assert_eq!(refused.headers()["x-ratelimit-remaining-requests"], "0", "{path}");
    }
}

#[tokio::test]
async fn what_was_set_aside_is_the_most_that_an_answer_may_cost() {
    let world = with(config(false), Fake::default()).await;
    let (_, bounded) = world.key(json!({"total_budget": "10"})).await;
    let (_, unbounded) = world.key(json!({})).await;
    for key in [bounded, unbounded] {
        assert_eq!(chat(&world, &key, "pocket/svc").await.status(), 200);
    }
    let relayed = world.fake.relayed.lock().unwrap();
    let most: Vec<_> = relayed.iter().map(|request| request.most).collect();
    assert_eq!(most, [Some(hearth_base::Amount::from_upokt(4)), None]);
}

#[tokio::test]
async fn receipts_say_who_asked_also_as_a_table() {
    let world = world().await;
    let (_, key) = world.key(json!({})).await;
    chat(&world, &key, "pocket/svc").await.bytes().await.unwrap();
    let listed = world.get("/receipts").await["answers"][0].clone();
    assert_eq!(
        (&listed["asker"], &listed["key_id"], &listed["key_name"]),
        (&json!("key"), &json!("k1"), &json!("editor"))
    );
    let table = world.own(Method::GET, "/receipts.csv").send().await.unwrap();
    let name = table.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(name.contains("hearth-receipts.csv"), "{name}");
    let table = table.text().await.unwrap();
    let id = listed["receipt"]["id"].as_str().unwrap();
    let row = format!("{id},1970-01-01T00:00:00Z,key,k1,editor,svc,");
    assert!(
        table.starts_with("receipt,time,asker,") && table.contains(&row),
        "{table}"
    );
}

#[tokio::test]
async fn figures_are_for_keys_of_this_computer() {
    let world = world().await;
    for (scope, status) in [
        ("local", 200),
        ("network", 403),
        ("embeddings", 403),
        ("signatures", 403),
    ] {
        let (_, key) = world.key(json!({"scopes": [scope]})).await;
        let call = world.bare(Method::GET, "/metrics").bearer_auth(&key);
        assert_eq!(call.send().await.unwrap().status(), status, "{scope}");
    }
}
