//! Conversations and their streamed answers.

use std::{cell::Cell, time::Duration};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use hearth_answers::sse;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    parts::{Fake, Misbehaviour},
    support::{World, config, events, json, until, with, world},
};

async fn begin(world: &World) -> String {
    world.post("/conversations", json!({})).await["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn ask(world: &World, id: &str, body: Value) -> Vec<Value> {
    events(
        world
            .own(Method::POST, &format!("/conversations/{id}/answers"))
            .json(&body)
            .send()
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn an_answer_streams_and_is_kept_with_its_receipt() {
    let world = world().await;
    let id = begin(&world).await;
    let params = json!({"max_tokens": 5, "seed": 1});
    let events = ask(
        &world,
        &id,
        json!({"content": "What is ember?", "model": "chat", "params": params}),
    )
    .await;
    assert_eq!(events[0]["type"], "started");
    assert_eq!(events[0]["question"]["content"], "What is ember?");
    let last = events.last().unwrap();
    assert_eq!(last["type"], "finished", "{last}");
    let text: String = events
        .iter()
        .filter(|event| event["type"] == "delta")
        .map(|event| event["text"].as_str().unwrap())
        .collect();
    assert_eq!(last["answer"]["content"], text.as_str());
    let receipt = &last["answer"]["receipt"];
    assert_eq!(
        (&receipt["kind"], &receipt["cost"]),
        (&json!("local"), &Value::Null)
    );
    assert_eq!(receipt["weights_cid"], crate::parts::CID);
    assert!(receipt["usage"]["completion_tokens"].as_u64().unwrap() > 0);
    let kept = world.get(&format!("/conversations/{id}")).await;
    assert_eq!(
        (&kept["title"], &kept["model"]),
        (&json!("What is ember?"), &json!("chat"))
    );
    assert_eq!(kept["messages"][1], last["answer"]);
    assert_eq!(kept["head_id"], last["answer"]["id"]);
    let found = world.get("/conversations?q=EMBER").await;
    assert_eq!(found["conversations"][0]["snippet"], "What is ember?");
    assert_eq!(
        world.get("/conversations?q=nowhere").await["conversations"],
        json!([])
    );
}

#[tokio::test]
async fn an_edit_and_another_answer_are_branches() {
    let world = world().await;
    let id = begin(&world).await;
    let params = json!({"max_tokens": 2});
    let first = ask(
        &world,
        &id,
        json!({"content": "one", "model": "chat", "params": params}),
    )
    .await;
    let again = ask(
        &world,
        &id,
        json!({"parent_id": first[0]["question"]["id"], "params": params}),
    )
    .await;
    assert_eq!(again[0]["question"], Value::Null);
    assert_eq!(again[0]["answer"]["parent_id"], first[0]["question"]["id"]);
    let edited = ask(
        &world,
        &id,
        json!({"content": "two", "at_root": true, "params": params}),
    )
    .await;
    assert_eq!(edited[0]["question"]["parent_id"], Value::Null);
    let follow = ask(&world, &id, json!({"content": "three", "params": params})).await;
    assert_eq!(follow[0]["question"]["parent_id"], edited[0]["answer"]["id"]);
    assert_eq!(
        world.get(&format!("/conversations/{id}")).await["messages"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
    let wrong = world
        .own(Method::POST, &format!("/conversations/{id}/answers"))
        .json(&json!({"parent_id": "x"}))
        .send()
        .await;
    assert_eq!(wrong.unwrap().status(), 404);
}

#[tokio::test]
async fn a_network_answer_has_cost_and_supplier() {
    let world = world().await;
    let id = begin(&world).await;
    let events = ask(&world, &id, json!({"content": "hi", "model": "pocket/svc"})).await;
    let answer = &events.last().unwrap()["answer"];
    assert_eq!(
        (&answer["content"], &answer["state"]),
        (&json!("hi there"), &json!("done"))
    );
    assert_eq!(answer["receipt"]["cost"], "4");
    assert_eq!(answer["receipt"]["network"]["supplier"], "pokt1supplier");
    assert_eq!(
        answer["receipt"]["usage"],
        json!({"prompt_tokens": 2, "completion_tokens": 3})
    );
}

#[tokio::test]
async fn stopping_keeps_what_is_there() {
    let world = world().await;
    let id = begin(&world).await;
    let body = json!({"content": "long", "model": "chat", "params": {"max_tokens": 100_000}});
    let response = world
        .own(Method::POST, &format!("/conversations/{id}/answers"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let mut stream = response.bytes_stream();
    let first = stream.next().await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&first).into_owned();
    let started: Value =
        serde_json::from_str(text.lines().next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
    let answer_id = started["answer"]["id"].as_str().unwrap();
    let stop = world
        .own(
            Method::DELETE,
            &format!("/conversations/{id}/answers/{answer_id}"),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(stop.status(), 204);
    while stream.next().await.is_some() {}
    let kept = world.get(&format!("/conversations/{id}")).await;
    let state = kept["messages"][1]["state"].as_str().unwrap();
    // The tiny model may reach the end of its window first.
    assert!(["stopped", "cut", "done"].contains(&state), "{state}");
    let mut snapshot = world.models.snapshot();
    snapshot
        .wait_for(|snapshot| snapshot.running_local == 0)
        .await
        .unwrap();
}

/// The events of a stream, as they come.
struct Events(BoxStream<'static, Value>);

impl Events {
    fn of(response: reqwest::Response) -> Events {
        assert_eq!(response.status(), 200);
        let mut reader = sse::Reader::new();
        let pieces = response
            .bytes_stream()
            .map(move |piece| reader.push(&piece.unwrap()).unwrap());
        let events = pieces.flat_map(stream::iter);
        Events(
            events
                .map(|event| serde_json::from_str(&event.data).unwrap())
                .boxed(),
        )
    }

    async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(Duration::from_secs(60), self.0.next());
        next.await
            .expect("the stream goes on")
            .expect("the stream has more")
    }
}

#[tokio::test]
async fn an_answer_goes_on_without_readers_and_whoever_comes_later_gets_all_of_it() {
    let fake = Fake::default();
    *fake.misbehaviour.lock().unwrap() = Some(Misbehaviour::Waits);
    let world = with(config(false), fake).await;
    let id = begin(&world).await;
    let path = format!("/conversations/{id}/answers");
    let asked = world
        .own(Method::POST, &path)
        .json(&json!({"content": "hi", "model": "pocket/svc"}));
    let mut first = Events::of(asked.send().await.unwrap());
    let answer_id = first.next().await["answer"]["id"].as_str().unwrap().to_owned();
    assert_eq!(first.next().await["text"], "<think>hm");
    drop(first);
    // Reloaded in mid-answer.
    let conversation = world.get(&format!("/conversations/{id}")).await;
    assert_eq!(conversation["answering"], answer_id.as_str());
    assert_eq!(conversation["messages"][1]["state"], "streaming");
    let listed = world.get("/conversations").await["conversations"][0].clone();
    assert_eq!(listed["answering"], answer_id.as_str());
    let follow = || world.own(Method::GET, &format!("{path}/{answer_id}")).send();
    let mut second = Events::of(follow().await.unwrap());
    let third = follow().await.unwrap();
    let started = second.next().await;
    assert_eq!(
        (&started["type"], &started["question"]),
        (&json!("started"), &Value::Null)
    );
    assert_eq!(started["answer"]["content"], "<think>hm");
    world.fake.go_on.notify_one();
    let mut text = started["answer"]["content"].as_str().unwrap().to_owned();
    let last = loop {
        let event = second.next().await;
        match event["text"].as_str() {
            Some(more) => text.push_str(more),
            None => break event,
        }
    };
    assert_eq!(
        (&last["type"], &last["answer"]["state"]),
        (&json!("finished"), &json!("done"))
    );
    assert_eq!(text, "<think>hm</think>\n\nhi there");
    assert_eq!(last["answer"]["content"], text.as_str());
    assert!(last["answer"]["thought_ms"].is_u64(), "{last}");
    assert_eq!(events(third).await.last(), Some(&last));
    // It has ended: that is said at once.
    assert_eq!(events(follow().await.unwrap()).await, std::slice::from_ref(&last));
    let conversation = world.get(&format!("/conversations/{id}")).await;
    assert_eq!(
        (&conversation["answering"], &conversation["messages"][1]),
        (&Value::Null, &last["answer"])
    );
    for (conversation, answer) in [(id.as_str(), "x"), ("x", answer_id.as_str())] {
        let none = world.own(
            Method::GET,
            &format!("/conversations/{conversation}/answers/{answer}"),
        );
        assert_eq!(none.send().await.unwrap().status(), 404);
    }
}

#[tokio::test]
async fn an_answer_ends_with_its_conversation() {
    let fake = Fake::default();
    *fake.misbehaviour.lock().unwrap() = Some(Misbehaviour::Waits);
    let world = with(config(false), fake).await;
    let id = begin(&world).await;
    let asked = world
        .own(Method::POST, &format!("/conversations/{id}/answers"))
        .json(&json!({"content": "hi", "model": "pocket/svc"}));
    let mut events = Events::of(asked.send().await.unwrap());
    events.next().await;
    let deleted = world.own(Method::DELETE, &format!("/conversations/{id}")).send();
    assert_eq!(deleted.await.unwrap().status(), 204);
    let last = loop {
        let event = events.next().await;
        if event["type"] != "delta" {
            break event;
        }
    };
    assert_eq!(
        (&last["type"], &last["answer"]["state"]),
        (&json!("finished"), &json!("stopped"))
    );
}

#[tokio::test]
async fn a_refusal_is_kept_as_a_failed_answer() {
    let world = world().await;
    let id = begin(&world).await;
    let events = ask(&world, &id, json!({"content": "hi", "model": "nobody"})).await;
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["error"]["code"]),
        (&json!("failed"), &json!("model_not_found"))
    );
    assert_eq!(last["answer"]["state"], "failed");
    let none = world
        .own(
            Method::POST,
            &format!("/conversations/{}/answers", begin(&world).await),
        )
        .json(&json!({"content": "x"}));
    assert_eq!(
        json(none.send().await.unwrap()).await["error"]["code"],
        "no_model_chosen"
    );
}

#[tokio::test]
async fn others_hear_that_an_answer_begins_and_that_it_has_ended() {
    let world = world().await;
    let id = begin(&world).await;
    let listening = || world.own(Method::GET, "/events").send();
    let (first, second) = (listening().await.unwrap(), listening().await.unwrap());
    let asked = ask(&world, &id, json!({"content": "x", "model": "chat"})).await;
    let begun = until(first, |event| event["answering"].is_string()).await;
    assert_eq!(
        (&begun["id"], &begun["answering"]),
        (&json!(id), &asked[0]["answer"]["id"])
    );
    // What is said of it with its end: the mark in the lists goes.
    let has_begun = Cell::new(false);
    until(second, |event| {
        has_begun.set(has_begun.get() || event["answering"].is_string());
        has_begun.get() && event["type"] == "conversation" && event["answering"].is_null()
    })
    .await;
}

#[tokio::test]
async fn others_hear_of_changes() {
    let world = world().await;
    let listening = world.own(Method::GET, "/events").send().await.unwrap();
    let id = begin(&world).await;
    let heard = until(listening, |event| event["type"] == "conversation").await;
    assert_eq!(heard["id"], id.as_str());
    let listening = world.own(Method::GET, "/events").send().await.unwrap();
    assert_eq!(
        world
            .own(Method::DELETE, &format!("/conversations/{id}"))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    assert_eq!(
        until(listening, |event| event["type"] == "conversation_deleted").await["id"],
        id.as_str()
    );
}

#[tokio::test]
async fn an_answer_that_is_stopped_before_it_begins_shows_what_may_be_claimed_for_it() {
    let fake = Fake::default();
    *fake.misbehaviour.lock().unwrap() = Some(Misbehaviour::Hangs);
    let world = with(config(false), fake).await;
    let id = begin(&world).await;
    let path = format!("/conversations/{id}/answers");
    let asking = world
        .own(Method::POST, &path)
        .json(&json!({"content": "hi", "model": "pocket/svc"}))
        .send();
    let mut response = asking.await.unwrap();
    let mut begun = Vec::new();
    while !begun.windows(2).any(|two| two == b"\n\n") {
        begun.extend(response.chunk().await.unwrap().unwrap());
    }
    let answer = world.get(&format!("/conversations/{id}")).await["messages"][1].clone();
    while world.fake.relayed.lock().unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let stop = world.own(
        Method::DELETE,
        &format!("{path}/{}", answer["id"].as_str().unwrap()),
    );
    assert!(stop.send().await.unwrap().status().is_success());
    let mut stopped = answer;
    while stopped["state"] == "streaming" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        stopped = world.get(&format!("/conversations/{id}")).await["messages"][1].clone();
    }
    assert_eq!(stopped["state"], "stopped");
    assert_eq!(stopped["receipt"]["cost"], "4");
    assert_eq!(stopped["receipt"]["network"]["charge"], "unknown");
}

#[tokio::test]
async fn a_text_without_end_is_cut_and_what_came_is_kept() {
    let fake = Fake::default();
    *fake.misbehaviour.lock().unwrap() = Some(Misbehaviour::Endless);
    let world = with(config(false), fake).await;
    let id = begin(&world).await;
    let events = ask(&world, &id, json!({"content": "hi", "model": "pocket/svc"})).await;
    let answer = &events.last().unwrap()["answer"];
    assert_eq!(answer["state"], "cut");
    let length = answer["content"].as_str().unwrap().len();
    assert!((4 << 20..=(4 << 20) + 1).contains(&length), "{length}");
}
