//! Files of conversations, in the forms of each program and with what goes wrong in them.

use std::io::{Seek as _, Write as _};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Conversation, NewMessage, Patch,
    tests::{all, chats, done},
};

fn file(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

impl Chats {
    async fn take(&self, value: &Value) -> Imported {
        self.import(file(&value.to_string())).await.unwrap()
    }

    async fn refusal(&self, text: &str) -> String {
        self.import(file(text)).await.unwrap_err().to_string()
    }

    /// Everything, as it goes out.
    async fn exported(&self) -> String {
        let mut chats = Vec::new();
        for id in self.ids().await.unwrap() {
            chats.push(self.as_json(&id).await.unwrap());
        }
        format!("{}{}{}", crate::HEAD, chats.join(",\n"), crate::TAIL)
    }

    async fn only(&self) -> Conversation {
        let listed = self.list(&all("")).await.unwrap();
        assert_eq!(listed.len(), 1);
        self.get(&listed[0].id).await.unwrap()
    }
}

fn reasons(imported: &Imported) -> Vec<(&str, &str)> {
    imported
        .skipped
        .iter()
        .map(|skipped| (skipped.title.as_str(), skipped.reason.as_str()))
        .collect()
}

/// Two conversations of ChatGPT, as far as its fields matter, with what is odd about them.
fn chatgpt() -> Value {
    let text = |role: &str, time: f64, parts: Value| {
        json!({"id": "m", "author": {"role": role, "name": null, "metadata": {}}, "create_time": time, "status": "finished_successfully",
            "content": {"content_type": "text", "parts": parts}, "metadata": {"model_slug": "big-1"}, "recipient": "all", "weight": 1.0})
    };
    json!([
        {
            "title": "Knots", "create_time": 1_700_000_000.25, "update_time": 1_700_000_100.5, "conversation_id": "c-1",
            "current_node": "tool", "is_archived": true, "plugin_ids": null,
            "mapping": {
                "root": {"id": "root", "message": null, "parent": null, "children": ["hidden"]},
                "hidden": {"id": "hidden", "parent": "root", "children": ["own"], "message":
                    {"author": {"role": "system"}, "create_time": null, "content": {"content_type": "text", "parts": [""]},
                     "metadata": {"is_visually_hidden_from_conversation": true}, "recipient": "all"}},
                "own": {"id": "own", "parent": "hidden", "children": ["q"], "message":
                    {"author": {"role": "user"}, "create_time": null, "recipient": "all",
                     "content": {"content_type": "user_editable_context", "user_profile": "x", "user_instructions": "y"},
                     "metadata": {"is_user_system_message": true, "is_visually_hidden_from_conversation": true,
                        "user_context_message_data": {"about_user_message": "I sail.", "about_model_message": "Be brief."}}}},
                "q": {"id": "q", "parent": "own", "children": ["a", "b"], "message": text("user", 1_700_000_001.0, json!(["Which knot?"]))},
                "a": {"id": "a", "parent": "q", "children": [], "message": text("assistant", 1_700_000_002.0, json!(["A bowline."]))},
                "b": {"id": "b", "parent": "q", "children": ["call"], "message": text("assistant", 1_700_000_003.0, json!(["A clove", "", "hitch."]))},
                "call": {"id": "call", "parent": "b", "children": ["tool"], "message":
                    {"author": {"role": "assistant"}, "create_time": 1_700_000_004.0, "recipient": "python",
                     "content": {"content_type": "code", "language": "python", "text": "tie()"}, "metadata": {}}},
                "tool": {"id": "tool", "parent": "call", "children": ["more"], "message":
                    {"author": {"role": "tool", "name": "python"}, "create_time": 1_700_000_005.0, "recipient": "all",
                     "content": {"content_type": "execution_output", "text": "tied"}, "metadata": {}}},
                "more": {"id": "more", "parent": "tool", "children": [], "message":
                    {"author": {"role": "user"}, "create_time": 1_700_000_006.0, "recipient": "all", "metadata": {},
                     "content": {"content_type": "multimodal_text", "parts":
                        [{"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}, "And this?"]}}},
            },
        },
        {"title": "Circle", "create_time": 1.0, "conversation_id": "c-2", "mapping": {
            "a": {"id": "a", "parent": "b", "message": text("user", 1.0, json!(["x"]))},
            "b": {"id": "b", "parent": "a", "message": text("user", 2.0, json!(["y"]))}}},
        {"title": "Empty", "conversation_id": "c-3", "mapping": {"root": {"id": "root", "message": null, "parent": null}}},
        {"title": "Broken", "conversation_id": "c-4", "mapping": {"a": {"parent": null, "message": {"author": 7}}}},
        {"title": null, "conversation_id": "c-5", "mapping": {"a": {"message": text("user", 3.0, json!(["  Untitled question  "]))}}},
        {"name": "no conversation"},
        17,
    ])
}

#[tokio::test]
async fn chatgpts_trees_come_in_with_their_branches() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let imported = chats.take(&chatgpt()).await;
    assert_eq!((imported.conversations, imported.messages), (2, 5));
    let told = reasons(&imported);
    assert_eq!(told[0], ("Circle", "its messages go in a circle"));
    assert_eq!(told[1], ("Empty", "it has no messages with text"));
    assert_eq!(told[2].0, "Broken");
    assert!(told[2].1.contains("its message a cannot be read"), "{told:?}");
    assert_eq!(
        told[3],
        ("#6", "it is no conversation of Hearth, ChatGPT or Open WebUI")
    );
    assert_eq!(told[4].0, "#7");

    let listed = chats.list(&all("knot")).await.unwrap();
    assert_eq!((listed.len(), listed[0].archived), (1, true));
    let knots = chats.get(&listed[0].id).await.unwrap();
    assert_eq!((knots.title.as_str(), knots.model.as_deref()), ("Knots", None));
    assert_eq!(
        (knots.created_ms, knots.updated_ms),
        (1_700_000_000_250, 1_700_000_100_500)
    );
    assert_eq!(knots.system_prompt.as_deref(), Some("I sail.\n\nBe brief."));
    let texts: Vec<(&str, Role, Option<&str>)> = knots
        .messages
        .iter()
        .map(|message| (message.content.as_str(), message.role, message.model.as_deref()))
        .collect();
    assert_eq!(
        texts,
        [
            ("Which knot?", Role::User, None),
            ("A bowline.", Role::Assistant, Some("big-1")),
            ("A clove\n\nhitch.", Role::Assistant, Some("big-1")),
            ("[picture]\n\nAnd this?", Role::User, None),
        ]
    );
    let [question, one, other, more] = &knots.messages[..] else {
        panic!("four messages")
    };
    for child in [one, other] {
        assert_eq!(child.parent_id.as_ref(), Some(&question.id));
    }
    // What stood between was said by a tool, and so was the shown end.
    assert_eq!(more.parent_id.as_ref(), Some(&other.id));
    assert_eq!(knots.head_id.as_ref(), Some(&other.id));

    // Once more: nothing doubles.
    let again = chats.take(&chatgpt()).await;
    assert_eq!((again.conversations, again.messages), (0, 0));
    assert!(
        reasons(&again).contains(&("Knots", "it is here already")),
        "{again:?}"
    );
    assert!(
        reasons(&again).contains(&("Untitled question", "it is here already")),
        "{again:?}"
    );
}

#[tokio::test]
async fn open_webuis_chats_come_in_with_their_branches() {
    let message = |id: &str, parent: Value, role: &str, content: Value| {
        json!({"id": id, "parentId": parent, "childrenIds": [], "role": role, "content": content,
            "timestamp": 1_700_000_000, "model": "small:7b", "done": true})
    };
    let whole = json!([{
        "id": "w-1", "user_id": "u", "title": "Soup", "created_at": 1_700_000_000, "updated_at": 1_700_000_009,
        "archived": false, "pinned": true, "folder_id": "f", "meta": {"tags": ["food"]},
        "chat": {"id": "", "title": "Soup", "models": ["small:7b"], "params": {"system": "You cook."}, "history": {
            "currentId": "b", "messages": {
                "q": message("q", Value::Null, "user", json!("Salt?")),
                "a": message("a", json!("q"), "assistant", json!("Some.")),
                "b": message("b", json!("q"), "assistant", json!([{"type": "text", "text": "A pinch."}])),
                "c": message("c", json!("b"), "assistant", json!("")),
            }}},
    }]);
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let imported = chats.take(&whole).await;
    assert_eq!(
        (imported.conversations, imported.messages, imported.skipped.len()),
        (1, 3, 0)
    );
    let soup = chats.only().await;
    assert_eq!(
        (soup.title.as_str(), soup.pinned, soup.archived),
        ("Soup", true, false)
    );
    assert_eq!(soup.system_prompt.as_deref(), Some("You cook."));
    assert_eq!(
        (soup.created_ms, soup.updated_ms),
        (1_700_000_000_000, 1_700_000_009_000)
    );
    let shown = soup
        .messages
        .iter()
        .find(|message| Some(&message.id) == soup.head_id.as_ref())
        .unwrap();
    assert_eq!(
        (shown.content.as_str(), shown.model.as_deref()),
        ("A pinch.", Some("small:7b"))
    );
    assert_eq!(
        soup.messages
            .iter()
            .filter(|message| message.parent_id.is_none())
            .count(),
        1
    );
    assert_eq!(chats.take(&whole).await.conversations, 0);
    chats.delete(&soup.id).await.unwrap();

    // One chat alone, and the inner part of an old one, which is a list.
    let single = whole[0].clone();
    assert_eq!(chats.take(&single).await.conversations, 1);
    let old = json!({"title": "Old", "history": {"messages": {}}, "chat": {"title": "Old", "timestamp": 1_600_000_000_000_i64,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}});
    assert_eq!(chats.take(&old).await.messages, 2);
    let listed = chats.list(&all("old")).await.unwrap();
    let old = chats.get(&listed[0].id).await.unwrap();
    assert_eq!(
        (old.created_ms, old.system_prompt.as_deref()),
        (1_600_000_000_000, Some("Be kind."))
    );
    assert_eq!(old.messages[1].parent_id.as_ref(), Some(&old.messages[0].id));
}

/// A conversation with all that one can have.
async fn full(chats: &Chats) {
    let id = chats.begin("All \"that\" there is\n").await;
    let patch = Patch {
        model: Some("m".into()),
        pinned: Some(true),
        archived: Some(true),
        folder: Some("work".into()),
        system_prompt: Some("Be brief.".into()),
        params: Some("{\"version\":1,\"temperature\":0.7,\"seed\":18446744073709551615}".into()),
        ..Patch::default()
    };
    chats.change(&id, patch).await.unwrap();
    let notes = chats
        .add_attachment("notes.md", "Über ```boats```".into())
        .await
        .unwrap();
    let new = NewMessage {
        parent_id: None,
        role: Role::User,
        content: "Why\u{2028} \"so\"?\n\u{1F600}",
        model: None,
        attachments: &[notes.id],
    };
    let question = chats.add(&id, new).await.unwrap();
    for state in [State::Done, State::Cut, State::Failed] {
        let answer = chats.answer(&id, Some(&question.id)).await;
        let ending = crate::AnswerEnd {
            state,
            thought_ms: Some(12),
            receipt: Some("{\"version\":1,\"kind\":\"local\",\"total_ms\":1}".into()),
            error: (state == State::Failed).then(|| "{\"version\":1,\"code\":\"x\"}".into()),
            ..done("<think>hm</think>\n\nSo.")
        };
        chats.end(&id, &answer.id, &ending).await.unwrap();
    }
    chats.question(&id, None, "another root").await;
    chats.begin("none yet").await;
}

#[tokio::test]
async fn an_export_comes_in_as_it_went_out() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (chats(one.path()).await, chats(other.path()).await);
    full(&from).await;
    let exported = from.exported().await;
    let imported = to.import(file(&exported)).await.unwrap();
    assert_eq!(
        (imported.conversations, imported.messages),
        (2, 5),
        "{imported:?}"
    );
    assert_eq!(to.exported().await, exported);
    // A second time it is here already, and in the first place, too.
    for chats in [&from, &to] {
        let again = chats.import(file(&exported)).await.unwrap();
        assert_eq!((again.conversations, again.skipped.len()), (0, 2));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_conversation_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let message = |id: &str, parent: Value| json!({"id": id, "parent_id": parent, "role": "user", "content": "x", "state": "done", "created_ms": 1});
    let chat = |id: &str, messages: Value| json!({"id": id, "title": id, "created_ms": 1, "updated_ms": 1, "messages": messages});
    let with = |title: &str, field: &str, value: Value| {
        let mut chat = chat(title, json!([message("n", Value::Null)]));
        chat[field] = value;
        chat
    };
    let mut odd = message("m-4", Value::Null);
    odd["state"] = json!("streaming");
    let file = json!({"conversations": [
        chat("fine", json!([message("m-1", Value::Null)])),
        chat("taken", json!([message("m-1", Value::Null)])),
        chat("orphan", json!([message("m-2", json!("m-1"))])),
        chat("twice", json!([message("m-3", Value::Null), message("m-3", Value::Null)])),
        chat("odd", json!([odd])),
        chat("bad id!", json!([])),
        with("headless", "head_id", json!("nowhere")),
        with("wrong", "messages", json!(7)),
    ], "version": 1, "format": "hearth.chats"});
    let imported = chats.take(&file).await;
    assert_eq!(imported.conversations, 1);
    let told = reasons(&imported);
    for (title, said) in [
        ("taken", "in another conversation"),
        ("orphan", "does not stand before it"),
        ("twice", "two messages"),
        ("odd", "streaming"),
        ("bad id!", "is no id"),
        ("headless", "is missing"),
        ("#8", "cannot be read"),
    ] {
        assert!(
            told.iter()
                .any(|(name, reason)| *name == title && reason.contains(said)),
            "{title}: {told:?}"
        );
    }
}

#[tokio::test]
async fn other_files_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    assert!(
        chats
            .refusal("PK\x03\x04conversations.json")
            .await
            .contains("conversations.json")
    );
    for text in ["", "  ", "hello", "\"a\"", "{", "{\"a\":1}", "{\"mapping\":"] {
        let error = chats.refusal(text).await;
        assert!(error.contains("no JSON with conversations"), "{text}: {error}");
    }
    let newer = r#"{"format":"hearth.chats","version":2,"conversations":[]}"#;
    assert!(chats.refusal(newer).await.contains("newer Hearth"));
    let none = r#"{"format":"hearth.chats","version":1}"#;
    assert!(chats.refusal(none).await.contains("no list"));
    assert_eq!(
        chats.import(file("\u{feff}[]")).await.unwrap(),
        Imported::default()
    );
}

#[tokio::test]
async fn a_file_that_breaks_off_gives_what_is_whole() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (chats(one.path()).await, chats(other.path()).await);
    full(&from).await;
    let exported = from.exported().await;
    let cut = &exported[..exported.rfind("none yet").unwrap()];
    let imported = to.import(file(cut)).await.unwrap();
    assert_eq!(imported.conversations, 1);
    assert_eq!(
        reasons(&imported),
        [("#2", "the file breaks off in the middle of it")]
    );
}

#[tokio::test]
async fn markdown_has_the_shown_branch() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let id = chats.begin("Knots\nand more").await;
    let file = chats.add_attachment("a.txt", b"text".to_vec()).await.unwrap();
    let new = NewMessage {
        parent_id: None,
        role: Role::User,
        content: "Which?",
        model: None,
        attachments: &[file.id],
    };
    let question = chats.add(&id, new).await.unwrap();
    for text in ["no", "<think>hm</think>\n\nA bowline."] {
        let answer = chats.answer(&id, Some(&question.id)).await;
        chats.end(&id, &answer.id, &done(text)).await.unwrap();
    }
    let patch = Patch {
        system_prompt: Some("Be\nbrief.".into()),
        ..Patch::default()
    };
    chats.change(&id, patch).await.unwrap();
    let (title, text) = chats.as_markdown(&id).await.unwrap();
    assert_eq!(title, "Knots\nand more");
    assert_eq!(
        text,
        "# Knots and more\n\n> Be\n> brief.\n\n## You\n\nFile: a.txt\n```\ntext\n```\n\nWhich?\n\n## m\n\n\
         <details><summary>Reasoning</summary>\n\nhm\n\n</details>\n\nA bowline.\n"
    );
}

#[test]
fn times_are_seconds_or_milliseconds() {
    assert_eq!(milliseconds(Some(1_700_000_000.5)), Some(1_700_000_000_500));
    assert_eq!(milliseconds(Some(1_700_000_000_500.0)), Some(1_700_000_000_500));
    for odd in [None, Some(f64::NAN), Some(-1.0), Some(f64::INFINITY)] {
        assert_eq!(milliseconds(odd), None);
    }
}

/// Any JSON in the place of any field: it comes in or is left out, and never panics.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![
            Just("mapping"),
            Just("chat"),
            Just("history"),
            Just("messages"),
            Just("message"),
            Just("parent"),
            Just("parentId"),
            Just("author"),
            Just("role"),
            Just("content"),
            Just("parts"),
            Just("content_type"),
            Just("id"),
            Just("title"),
            Just("format"),
            Just("conversations"),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_comes_to_an_end(value in any_json()) {
        let mut n_items = 0;
        let _ = split::read(std::io::Cursor::new(value.to_string()), |_| {
            n_items += 1;
            true
        });
        prop_assert!(n_items <= value.to_string().len());
    }
}
