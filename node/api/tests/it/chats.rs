//! Around conversations: folders, presets, files, import and export, how full the context is.

use std::io::IsTerminal as _;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    parts::Fake,
    support::{TOKEN, World, config, events, json, with, world},
};

/// The program that reads PDFs in these tests: this test alone, in a process of its own.
#[test]
fn as_pdf_reader() {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        hearth_chats::pdf::serve(stdin.lock(), std::io::stdout().lock()).unwrap();
    }
}

impl World {
    async fn begin(&self, new: Value) -> Value {
        self.post("/conversations", new).await
    }

    async fn change(&self, path: &str, patch: Value) -> Value {
        json(self.own(Method::PATCH, path).json(&patch).send().await.unwrap()).await
    }

    async fn upload(&self, path: &str, bytes: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        let sent = self.own(Method::POST, path).body(bytes).send().await.unwrap();
        (sent.status(), json(sent).await)
    }

    async fn titles(&self, query: &str) -> Vec<String> {
        let list = self.get(&format!("/conversations{query}")).await;
        let titles = list["conversations"].as_array().unwrap().iter();
        titles
            .map(|one| one["title"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn text(&self, path: &str) -> (String, String) {
        let answer = self.own(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let name = answer.headers().get("content-disposition");
        let name = name.map_or("", |name| name.to_str().unwrap()).to_owned();
        (answer.text().await.unwrap(), name)
    }
}

#[tokio::test]
async fn folders_and_the_archive_part_the_list() {
    let world = world().await;
    world.begin(json!({"title": "a", "folder": "work"})).await;
    let b = world.begin(json!({"title": "b", "folder": "work"})).await;
    let path = format!("/conversations/{}", b["id"].as_str().unwrap());
    assert_eq!(
        world.change(&path, json!({"archived": true})).await["archived"],
        true
    );
    world.begin(json!({"title": "c"})).await;
    assert_eq!(world.titles("").await, ["c", "a"]);
    assert_eq!(world.titles("?archived=true").await, ["b"]);
    assert_eq!(world.titles("?folder=work").await, ["a"]);
    assert_eq!(world.titles("?folder=work&q=b").await, ["b"]);
    let folders = world.get("/conversations").await["folders"].clone();
    assert_eq!(folders, json!([{"name": "work", "conversations": 1}]));
    let renamed = world
        .own(Method::POST, "/folders/rename")
        .json(&json!({"from": "work", "to": "home"}));
    assert_eq!(renamed.send().await.unwrap().status(), 204);
    assert_eq!(world.get(&path).await["folder"], "home");
    let none = world
        .post("/folders/rename", json!({"from": "work", "to": "x"}))
        .await;
    assert_eq!(none["error"]["code"], "not_found");
    assert_eq!(
        world.change(&path, json!({"folder": ""})).await["folder"],
        Value::Null
    );
    for query in ["?archived=maybe", "?odd=1"] {
        assert_eq!(
            world.get(&format!("/conversations{query}")).await["error"]["code"],
            "bad_request"
        );
    }
}

#[tokio::test]
async fn settings_of_a_conversation_count_where_a_question_has_none() {
    let world = world().await;
    let made = world.begin(json!({"params": {"max_tokens": 2}})).await;
    let path = format!("/conversations/{}", made["id"].as_str().unwrap());
    assert_eq!(made["params"]["max_tokens"], 2);
    let tokens = async |params: Value| {
        let body = json!({"content": "hi", "model": "chat", "params": params});
        let asked = world
            .own(Method::POST, &format!("{path}/answers"))
            .json(&body)
            .send();
        let events = events(asked.await.unwrap()).await;
        let last = events.last().unwrap();
        last["answer"]["receipt"]["usage"]["completion_tokens"]
            .as_u64()
            .unwrap()
    };
    assert!(tokens(Value::Null).await <= 2);
    assert!(tokens(json!({"temperature": 0.0})).await <= 2);
    assert!(tokens(json!({"max_tokens": 1})).await <= 1);
    for (params, name) in [
        (json!({"temperature": 9}), "temperature is 9"),
        (json!({"top_p": -0.5}), "top_p is -0.5"),
    ] {
        for body in [
            json!({"params": params}),
            json!({"content": "hi", "model": "chat", "params": params}),
        ] {
            let refused = if body.get("content").is_some() {
                world.post(&format!("{path}/answers"), body).await
            } else {
                world.change(&path, body).await
            };
            assert!(
                refused["error"]["message"].as_str().unwrap().starts_with(name),
                "{refused}"
            );
        }
    }
    let cleared = world.change(&path, json!({"params": {}})).await;
    assert_eq!(cleared["params"]["max_tokens"], Value::Null);
}

#[tokio::test]
async fn presets_are_made_changed_and_deleted() {
    let world = world().await;
    let new = json!({"name": "Short", "system_prompt": "Be brief.", "params": {"seed": 1}});
    let made = world.post("/presets", new).await;
    assert_eq!(
        (&made["name"], &made["params"]["seed"]),
        (&json!("Short"), &json!(1))
    );
    let path = format!("/presets/{}", made["id"].as_str().unwrap());
    let changed = world
        .change(&path, json!({"system_prompt": "", "model": "chat"}))
        .await;
    assert_eq!(
        (&changed["system_prompt"], &changed["model"]),
        (&Value::Null, &json!("chat"))
    );
    assert_eq!(world.get("/presets").await["presets"], json!([changed]));
    let deleted = || world.own(Method::DELETE, &path).send();
    assert_eq!(deleted().await.unwrap().status(), 204);
    assert_eq!(deleted().await.unwrap().status(), 404);
    assert_eq!(
        world.post("/presets", json!({"name": " "})).await["error"]["code"],
        "name_missing"
    );
}

#[tokio::test]
async fn files_go_with_a_question_to_the_model() {
    let world = with(config(false), Fake::default()).await;
    let (status, notes) = world.upload("/attachments?name=notes.md", "Boats float.").await;
    assert_eq!(status, 200, "{notes}");
    assert_eq!(
        (
            &notes["name"],
            &notes["media_type"],
            &notes["characters"],
            &notes["is_cut"]
        ),
        (
            &json!("notes.md"),
            &json!("text/plain"),
            &json!(12),
            &json!(false)
        )
    );
    let (status, pdf) = world
        .upload(
            "/attachments?name=a.pdf",
            hearth_chats::testing::pdf(&["Stones sink."]),
        )
        .await;
    assert_eq!(status, 200, "{pdf}");
    let text = format!("/attachments/{}/text", pdf["id"].as_str().unwrap());
    assert_eq!(world.text(&text).await.0, "Stones sink.");
    let made = world.begin(json!({"model": "pocket/svc"})).await;
    let path = format!("/conversations/{}", made["id"].as_str().unwrap());
    let body = json!({"content": "Why?", "attachments": [notes["id"], pdf["id"]]});
    let asked = world
        .own(Method::POST, &format!("{path}/answers"))
        .json(&body)
        .send();
    let events = events(asked.await.unwrap()).await;
    assert_eq!(events[0]["question"]["attachments"], json!([notes, pdf]));
    let told = world.fake.relayed.lock().unwrap()[0].json();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        told["messages"][0]["content"],
        "File: notes.md\n```\nBoats float.\n```\n\nFile: a.pdf\n```\nStones sink.\n```\n\nWhy?"
    );
    let found = world.get("/conversations?q=sink").await["conversations"][0].clone();
    assert_eq!(
        (&found["hit_id"], &found["snippet"]),
        (&events[0]["question"]["id"], &json!("Stones sink."))
    );
    // One that was sent stays, one that was not goes.
    let delete = |id: &Value| {
        world
            .own(Method::DELETE, &format!("/attachments/{}", id.as_str().unwrap()))
            .send()
    };
    assert_eq!(delete(&notes["id"]).await.unwrap().status(), 400);
    let (_, other) = world.upload("/attachments", "x").await;
    assert_eq!(other["name"], "file");
    assert_eq!(delete(&other["id"]).await.unwrap().status(), 204);
    let gone = json!({"content": "Why?", "attachments": [other["id"]]});
    let gone = world.post(&format!("{path}/answers"), gone).await;
    assert_eq!(gone["error"]["code"], "chat_file_not_kept");
    let again = json!({"parent_id": events[0]["question"]["id"], "attachments": [notes["id"]]});
    assert_eq!(
        world.post(&format!("{path}/answers"), again).await["error"]["code"],
        "bad_request"
    );
}

#[tokio::test]
async fn files_that_are_no_text_are_refused_in_words() {
    let world = world().await;
    for (bytes, code, said) in [
        (Vec::new(), "chat_file_empty", "empty"),
        (b"\x89PNG\r\n".to_vec(), "chat_file_picture", "picture"),
        (hearth_chats::testing::pdf(&[""]), "chat_pdf_scan", "OCR"),
        (b"%PDF-1.4 /Encrypt".to_vec(), "chat_pdf_locked", "password"),
    ] {
        let (status, error) = world.upload("/attachments?name=x", bytes).await;
        assert_eq!((status.as_u16(), &error["error"]["code"]), (400, &json!(code)));
        assert!(
            error["error"]["message"].as_str().unwrap().contains(said),
            "{error}"
        );
    }
    // Larger than other bodies may be, and then too large.
    assert_eq!(
        world.upload("/attachments?name=x", vec![b'x'; 1 << 20]).await.0,
        200
    );
    for (path, length) in [
        ("attachments?name=x", (20 << 20) + 1),
        ("conversations/import", (256 << 20) + 1),
        ("presets", 1 << 20),
    ] {
        let head =
            format!("POST /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
        let refused = world
            .raw(&format!("{head}Content-Length: {length}\r\n\r\n"))
            .await;
        assert!(
            refused.starts_with("HTTP/1.1 413") && refused.contains("too_large"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn what_goes_out_comes_in_elsewhere() {
    let (from, to) = (world().await, world().await);
    let made = from
        .begin(json!({"title": "Größe?", "params": {"seed": 1}, "folder": "work"}))
        .await;
    let path = format!("/conversations/{}", made["id"].as_str().unwrap());
    let (_, file) = from.upload("/attachments?name=a.txt", "text").await;
    let body =
        json!({"content": "hi", "model": "chat", "params": {"max_tokens": 2}, "attachments": [file["id"]]});
    events(
        from.own(Method::POST, &format!("{path}/answers"))
            .json(&body)
            .send()
            .await
            .unwrap(),
    )
    .await;
    from.begin(json!({"title": "empty"})).await;
    let (whole, name) = from.text("/conversations/export").await;
    assert_eq!(name, "attachment; filename=\"hearth-chats.json\"");
    let (status, imported) = to.upload("/conversations/import", whole.clone()).await;
    assert_eq!(status, 200, "{imported}");
    assert_eq!(
        imported,
        json!({"conversations": 2, "messages": 2, "skipped": []})
    );
    assert_eq!(to.text("/conversations/export").await.0, whole);
    let (mut left, mut right) = (from.get(&path).await, to.get(&path).await);
    for side in [&mut left, &mut right] {
        // A file is another one there.
        side["messages"][0]["attachments"][0]["id"] = Value::Null;
    }
    assert_eq!(left, right);
    let (_, again) = to.upload("/conversations/import", whole).await;
    assert_eq!(
        again["skipped"][0],
        json!({"title": "Größe?", "reason": "it is here already"})
    );

    let (one, name) = from.text(&format!("{path}/export")).await;
    assert_eq!(name, "attachment; filename=\"hearth-groesse.json\"");
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(
        (&one["format"], one["conversations"].as_array().unwrap().len()),
        (&json!("hearth.chats"), 1)
    );
    let (text, name) = from.text(&format!("{path}/export?format=md")).await;
    assert_eq!(name, "attachment; filename=\"hearth-groesse.md\"");
    assert!(text.starts_with("# Größe?\n\n## You\n\nFile: a.txt"), "{text}");
    assert_eq!(
        from.get(&format!("{path}/export?format=doc")).await["error"]["code"],
        "bad_request"
    );
    let (status, error) = to.upload("/conversations/import", "PK\u{3}\u{4}").await;
    assert_eq!(status, 400);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("conversations.json"),
        "{error}"
    );
}

/// A file of conversations is larger than the memory for all bodies, and goes to the disk.
#[tokio::test]
async fn a_large_import_takes_no_memory_for_bodies() {
    let mut small = config(true);
    small.limits.memory_bytes = 600_000;
    let world = with(small, Fake::default()).await;
    let chat = |number: usize| {
        let message = json!({"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["x".repeat(100_000)]}});
        json!({"title": format!("t{number}"), "id": format!("i{number}"), "create_time": 1, "mapping": {"a": {"message": message}}})
    };
    let file = Value::Array((0..100).map(chat).collect()).to_string();
    assert!(file.len() > 10_000_000);
    let (status, imported) = world.upload("/conversations/import", file).await;
    assert_eq!(
        (status.as_u16(), &imported["conversations"]),
        (200, &json!(100)),
        "{imported}"
    );
    assert_eq!(
        std::fs::read_dir(world.folder.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                !name.to_string_lossy().starts_with("hearth.db")
            })
            .count(),
        0,
        "nothing is left of the file"
    );
}

#[tokio::test]
async fn the_context_is_counted_by_a_loaded_model_and_estimated_for_others() {
    let world = world().await;
    let draft = |model: &str| json!({"model": model, "draft": "What is ember?"});
    let estimated = world.post("/conversations/new/context", draft("chat")).await;
    assert_eq!(estimated["is_exact"], false);
    assert!(estimated["tokens"].as_u64().unwrap() > 0);
    // Nothing was loaded for it.
    assert!(world.models.snapshot().borrow().loaded.is_empty());
    let info = world.models.load("chat").await.unwrap();
    let counted = world.post("/conversations/new/context", draft("chat")).await;
    assert_eq!(
        (&counted["is_exact"], &counted["limit"]),
        (&json!(true), &json!(info.context_tokens))
    );
    // As many as the answer says that it read.
    let made = world.begin(json!({})).await;
    let path = format!("/conversations/{}", made["id"].as_str().unwrap());
    let body = json!({"content": "What is ember?", "model": "chat", "params": {"max_tokens": 2}});
    let asked = world
        .own(Method::POST, &format!("{path}/answers"))
        .json(&body)
        .send();
    let events = events(asked.await.unwrap()).await;
    let usage = &events.last().unwrap()["answer"]["receipt"]["usage"];
    assert_eq!(usage["prompt_tokens"], counted["tokens"]);
    let next = world.post(&format!("{path}/context"), json!({})).await;
    assert!(
        next["tokens"].as_u64().unwrap() > counted["tokens"].as_u64().unwrap(),
        "{next}"
    );
    let (_, file) = world.upload("/attachments?name=a", "word ".repeat(100)).await;
    let more = world
        .post(&format!("{path}/context"), json!({"attachments": [file["id"]]}))
        .await;
    assert!(
        more["tokens"].as_u64().unwrap() > next["tokens"].as_u64().unwrap() + 50,
        "{more}"
    );
    let elsewhere = world.post(&format!("{path}/context"), draft("nowhere/m")).await;
    assert_eq!(
        (&elsewhere["is_exact"], &elsewhere["limit"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(
        world.post("/conversations/x/context", json!({})).await["error"]["code"],
        "not_found"
    );
}

#[tokio::test]
async fn settings_that_cannot_be_read_hide_no_conversation() {
    let world = world().await;
    let made = world.begin(json!({"params": {"seed": 1}})).await;
    let id = made["id"].as_str().unwrap();
    let path = world.folder.path().join("hearth.db");
    let store = hearth_store::Store::open(hearth_store::Config {
        path,
        chain_id: "test".into(),
        max_pages: None,
    });
    let store = store.await.unwrap();
    sqlx::query("UPDATE conversation SET params = '{\"version\":9}' WHERE id = ?")
        .bind(id)
        .execute(store.pool())
        .await
        .unwrap();
    let shown = world.get(&format!("/conversations/{id}")).await;
    assert_eq!(shown["params"]["seed"], Value::Null);
    // It is told where the state of the node is shown.
    let problems = world.get("/status").await["problems"].to_string();
    assert!(
        problems.contains("the settings of answers") && problems.contains(id),
        "{problems}"
    );
}
