//! Tests of the conversations in a real database.

use super::*;

const ALL: Window = Window { limit: 50, offset: 0 };

async fn store(folder: &std::path::Path) -> Conversations {
    let config = hearth_store::Config {
        path: folder.join("hearth.db"),
        chain_id: "test".into(),
        max_pages: None,
    };
    let store = hearth_store::Store::open(config).await.unwrap();
    Conversations::new(&store, Clock::test(1_000))
}

#[tokio::test]
async fn branches_have_paths_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let id = store.create(NewConversation::default()).await.unwrap().id;
    let question = store
        .add(&id, None, MessageRole::User, "first question", None)
        .await
        .unwrap();
    let answer = store
        .add(&id, Some(&question.id), MessageRole::Assistant, "", Some("m"))
        .await
        .unwrap();
    assert_eq!(answer.state, MessageState::Streaming);
    let ending = AnswerEnd {
        content: "an answer".into(),
        state: MessageState::Done,
        error: None,
        receipt: None,
    };
    store.end(&id, &answer.id, &ending).await.unwrap();
    let follow = store
        .add(&id, Some(&answer.id), MessageRole::User, "and then", None)
        .await
        .unwrap();
    let edited = store
        .add(&id, None, MessageRole::User, "another question", None)
        .await
        .unwrap();
    let texts = |path: Vec<PromptMessage>| path.into_iter().map(|turn| turn.content).collect::<Vec<_>>();
    assert_eq!(
        texts(store.path_to(&id, &follow.id).await.unwrap()),
        ["first question", "an answer", "and then"]
    );
    assert_eq!(
        texts(store.path_to(&id, &edited.id).await.unwrap()),
        ["another question"]
    );
    let conversation = store.get(&id).await.unwrap();
    assert_eq!(conversation.title, "first question");
    assert_eq!(conversation.head_id, Some(edited.id));
    assert_eq!(conversation.model.as_deref(), Some("m"));
}

#[tokio::test]
async fn search_finds_words_of_titles_and_messages() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    for (title, content) in [
        ("Cooking", "how long does an EGG boil"),
        ("Coding", "a parser in rust 100%"),
    ] {
        let new = NewConversation {
            title: Some(title.into()),
            ..NewConversation::default()
        };
        let id = store.create(new).await.unwrap().id;
        store
            .add(&id, None, MessageRole::User, content, None)
            .await
            .unwrap();
    }
    for (query, titles) in [
        ("egg", vec!["Cooking"]),
        ("cod RUST", vec!["Coding"]),
        ("egg rust", vec![]),
        ("100%", vec!["Coding"]),
        ("%", vec!["Coding"]),
    ] {
        let found = store.list(query, ALL).await.unwrap();
        assert_eq!(
            found.iter().map(|found| found.title.as_str()).collect::<Vec<_>>(),
            titles,
            "{query}"
        );
    }
    assert_eq!(
        store.list("egg", ALL).await.unwrap()[0].snippet.as_deref(),
        Some("how long does an EGG boil")
    );
    assert_eq!(store.list("", ALL).await.unwrap().len(), 2);
}

#[tokio::test]
async fn changes_and_deletion_reach_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let id = store
        .create(NewConversation {
            system_prompt: Some("be kind".into()),
            ..Default::default()
        })
        .await
        .unwrap()
        .id;
    let question = store.add(&id, None, MessageRole::User, "hi", None).await.unwrap();
    store
        .add(&id, Some(&question.id), MessageRole::Assistant, "", None)
        .await
        .unwrap();
    let patch = ConversationPatch {
        title: Some("T".into()),
        pinned: Some(true),
        system_prompt: Some(String::new()),
        head_id: Some(question.id.clone()),
        model: None,
        ..ConversationPatch::default()
    };
    let changed = store.change(&id, patch).await.unwrap();
    assert_eq!(
        (changed.title.as_str(), changed.pinned, changed.system_prompt),
        ("T", true, None)
    );
    assert_eq!(changed.head_id, Some(question.id.clone()));
    let foreign = ConversationPatch {
        head_id: Some("x".into()),
        ..ConversationPatch::default()
    };
    assert_eq!(store.change(&id, foreign).await.unwrap_err().code, "not_found");
    store.end_interrupted().await.unwrap();
    assert_eq!(
        store.get(&id).await.unwrap().messages[1].state,
        MessageState::Stopped
    );
    store.delete(&id).await.unwrap();
    assert_eq!(
        store.message(&id, &question.id).await.unwrap_err().code,
        "not_found"
    );
    assert_eq!(store.delete(&id).await.unwrap_err().code, "not_found");
}

#[tokio::test]
async fn progress_is_appended_and_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let id = store.create(NewConversation::default()).await.unwrap().id;
    let answer = store
        .add(&id, None, MessageRole::Assistant, "", Some("m"))
        .await
        .unwrap();
    for (seq, new) in ["one, ", "two, ", "three"].into_iter().enumerate() {
        store
            .progress(&answer.id, u32::try_from(seq).unwrap(), new)
            .await
            .unwrap();
    }
    // What is there is seen while it is written, and what was written is not written again.
    let seen = |message: Message| (message.content, message.state);
    let all = "one, two, three".to_owned();
    let now = store.message(&id, &answer.id).await.unwrap();
    assert_eq!(seen(now), (all.clone(), MessageState::Streaming));
    let written: Vec<i64> = sqlx::query_scalar("SELECT length(content) FROM message_part ORDER BY seq")
        .fetch_all(&store.pool)
        .await
        .unwrap();
    assert_eq!(written, [5, 5, 5]);
    store.end_interrupted().await.unwrap();
    let after = store.message(&id, &answer.id).await.unwrap();
    assert_eq!(seen(after), (all, MessageState::Stopped));

    let other = store
        .add(&id, None, MessageRole::Assistant, "", Some("m"))
        .await
        .unwrap();
    store.progress(&other.id, 0, "begun").await.unwrap();
    let ending = AnswerEnd {
        content: "begun and ended".to_owned(),
        state: MessageState::Done,
        error: None,
        receipt: None,
    };
    let ended = store.end(&id, &other.id, &ending).await.unwrap();
    assert_eq!(ended.content, "begun and ended");
    // Of a message that is gone nothing is kept.
    store.delete(&id).await.unwrap();
    store.progress(&other.id, 1, "late").await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM message_part")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_title_is_the_first_line_cut_at_a_word() {
    assert_eq!(title_of("\n  Hello there \nmore"), "Hello there");
    let long = title_of(&"word ".repeat(30));
    assert!(
        long.chars().count() <= TITLE_CHARS + 1 && long.ends_with("word…"),
        "{long}"
    );
}

/// What cannot be read of a message hides nothing else, and is told.
#[tokio::test]
async fn a_damaged_receipt_is_told_and_its_message_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let id = store.create(NewConversation::default()).await.unwrap().id;
    let question = store
        .add(&id, None, MessageRole::User, "why", None)
        .await
        .unwrap();
    sqlx::query("UPDATE message SET receipt = '{\"kind\":7}', state = 'dreaming' WHERE id = ?")
        .bind(&question.id)
        .execute(&store.pool)
        .await
        .unwrap();
    let shown = store.get(&id).await.unwrap();
    assert_eq!(shown.messages[0].content, "why");
    let problems = store.problems.all();
    assert_eq!(problems.len(), 2, "{problems:?}");
    for part in ["the receipt of a message", "dreaming"] {
        let is_told = |problem: &String| problem.contains(part) && problem.contains(&question.id);
        assert!(problems.iter().any(is_told), "{problems:?}");
    }
}
