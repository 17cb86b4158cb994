//! Tests of the conversations in a real database.

use std::path::Path;

use hearth_base::Clock;

use crate::{
    AnswerEnd, Chats, Conversation, Error, Filter, Message, NewConversation, NewMessage, NewPreset, Patch,
    PdfReader, PresetPatch, PromptMessage, Role, State,
};

pub(crate) fn all(search: &str) -> Filter {
    Filter {
        search: search.to_owned(),
        archived: None,
        folder: None,
        limit: 50,
        offset: 0,
    }
}

pub(crate) async fn chats(folder: &Path) -> Chats {
    let config = hearth_store::Config {
        path: folder.join("hearth.db"),
        chain_id: "test".into(),
        max_pages: None,
    };
    let store = hearth_store::Store::open(config).await.unwrap();
    let pdf = PdfReader::new("/nowhere".into(), Vec::new());
    Chats::new(&store, Clock::test(1_000), pdf)
}

impl Chats {
    pub(crate) async fn begin(&self, title: &str) -> String {
        let new = NewConversation {
            title: Some(title.to_owned()),
            ..NewConversation::default()
        };
        self.create(new).await.unwrap().id
    }

    pub(crate) async fn question(&self, id: &str, parent_id: Option<&str>, content: &str) -> Message {
        let new = NewMessage {
            parent_id,
            role: Role::User,
            content,
            model: None,
            attachments: &[],
        };
        self.add(id, new).await.unwrap()
    }

    pub(crate) async fn answer(&self, id: &str, parent_id: Option<&str>) -> Message {
        let new = NewMessage {
            parent_id,
            role: Role::Assistant,
            content: "",
            model: Some("m"),
            attachments: &[],
        };
        self.add(id, new).await.unwrap()
    }

    async fn titles(&self, filter: Filter) -> Vec<String> {
        let found = self.list(&filter).await.unwrap();
        found.into_iter().map(|summary| summary.title).collect()
    }
}

pub(crate) fn done(content: &str) -> AnswerEnd {
    AnswerEnd {
        content: content.into(),
        state: State::Done,
        error: None,
        receipt: None,
        thought_ms: None,
    }
}

#[tokio::test]
async fn branches_have_paths_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let id = chats.begin("").await;
    let question = chats.question(&id, None, "first question").await;
    let answer = chats.answer(&id, Some(&question.id)).await;
    assert_eq!(answer.state, State::Streaming);
    let ending = AnswerEnd {
        thought_ms: Some(1_500),
        ..done("an answer")
    };
    let ended = chats.end(&id, &answer.id, &ending).await.unwrap();
    assert_eq!(ended.thought_ms, Some(1_500));
    let follow = chats.question(&id, Some(&answer.id), "and then").await;
    let edited = chats.question(&id, None, "another question").await;
    let texts = |path: Vec<PromptMessage>| path.into_iter().map(|turn| turn.content).collect::<Vec<_>>();
    assert_eq!(
        texts(chats.path_to(&id, &follow.id).await.unwrap()),
        ["first question", "an answer", "and then"]
    );
    assert_eq!(
        texts(chats.path_to(&id, &edited.id).await.unwrap()),
        ["another question"]
    );
    let conversation = chats.get(&id).await.unwrap();
    assert_eq!(conversation.title, "first question");
    assert_eq!(conversation.head_id, Some(edited.id));
    assert_eq!(conversation.model.as_deref(), Some("m"));
}

#[tokio::test]
async fn answers_in_a_row_are_told_as_one_and_empty_ones_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let id = chats.begin("").await;
    let mut parent = chats.question(&id, None, "why").await.id;
    for text in ["", "because", "", "of this"] {
        let answer = chats.answer(&id, Some(&parent)).await;
        chats.end(&id, &answer.id, &done(text)).await.unwrap();
        parent = answer.id;
    }
    let turns = chats.path_to(&id, &parent).await.unwrap();
    let turns: Vec<(Role, &str)> = turns
        .iter()
        .map(|turn| (turn.role, turn.content.as_str()))
        .collect();
    assert_eq!(
        turns,
        [(Role::User, "why"), (Role::Assistant, "because\n\nof this")]
    );
}

#[tokio::test]
async fn search_finds_words_of_titles_and_messages() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let mut questions = Vec::new();
    for (title, content) in [
        ("Cooking", "how long does an EGG boil"),
        ("Coding", "a parser in rust 100%"),
        ("Kochen", "Wie lange kocht ein Äpfelchen?"),
    ] {
        let id = chats.begin(title).await;
        chats.question(&id, None, "Hello.").await;
        questions.push(chats.question(&id, None, content).await.id);
    }
    for (query, titles) in [
        ("egg", vec!["Cooking"]),
        ("cod RUST", vec!["Coding"]),
        ("egg rust", vec![]),
        ("100%", vec!["Coding"]),
        ("%", vec!["Coding"]),
        ("äpfel", vec!["Kochen"]),
        ("Äpfel", vec!["Kochen"]),
    ] {
        assert_eq!(chats.titles(all(query)).await, titles, "{query}");
    }
    let hit = chats.list(&all("egg")).await.unwrap().remove(0);
    assert_eq!(hit.snippet.as_deref(), Some("how long does an EGG boil"));
    assert_eq!(hit.hit_id.as_ref(), Some(&questions[0]));
    // The first word that any message has.
    let hit = chats.list(&all("coding rust")).await.unwrap().remove(0);
    assert_eq!(hit.hit_id.as_ref(), Some(&questions[1]));
    let hit = chats.list(&all("coding")).await.unwrap().remove(0);
    assert_eq!((hit.hit_id, hit.snippet), (None, None));
    let listed = chats.list(&all("")).await.unwrap();
    assert_eq!((listed.len(), listed[0].messages), (3, 2));
}

#[tokio::test]
async fn folders_and_the_archive_part_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    for (title, folder, archived) in [
        ("a", " work ", false),
        ("b", "work", true),
        ("c", "Home", false),
        ("d", "", false),
    ] {
        let id = chats.begin(title).await;
        let patch = Patch {
            folder: Some(folder.into()),
            archived: Some(archived),
            ..Patch::default()
        };
        chats.change(&id, patch).await.unwrap();
        chats.question(&id, None, "a word").await;
    }
    let of = |archived, folder: Option<&str>, search| Filter {
        archived,
        folder: folder.map(str::to_owned),
        ..all(search)
    };
    assert_eq!(chats.titles(of(None, None, "")).await, ["d", "c", "a"]);
    assert_eq!(chats.titles(of(Some(true), None, "")).await, ["b"]);
    assert_eq!(chats.titles(of(None, Some("work"), "")).await, ["a"]);
    assert_eq!(chats.titles(of(None, None, "word")).await, ["d", "c", "b", "a"]);
    assert_eq!(chats.titles(of(Some(false), Some("work"), "word")).await, ["a"]);
    let folders = || async {
        let folders = chats.folders().await.unwrap();
        folders
            .into_iter()
            .map(|folder| (folder.name, folder.conversations))
            .collect::<Vec<_>>()
    };
    assert_eq!(folders().await, [("Home".to_owned(), 1), ("work".to_owned(), 1)]);
    assert_eq!(chats.rename_folder("work", "Home").await.unwrap().len(), 2);
    assert_eq!(folders().await, [("Home".to_owned(), 2)]);
    chats.rename_folder("Home", "").await.unwrap();
    assert_eq!(folders().await, []);
    assert!(matches!(
        chats.rename_folder("Home", "x").await,
        Err(Error::NotFound("folder"))
    ));
    for bad in ["two\nlines".to_owned(), "x".repeat(101)] {
        let new = NewConversation {
            folder: Some(bad),
            ..NewConversation::default()
        };
        let error = chats.create(new).await.unwrap_err();
        assert!(error.to_string().contains("100 characters"), "{error}");
    }
}

#[tokio::test]
async fn presets_are_kept_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let new = |name: &str| NewPreset {
        name: name.into(),
        system_prompt: Some("Be brief.".into()),
        model: Some(String::new()),
        params: Some("{}".into()),
    };
    let made = chats.add_preset(new(" Short ")).await.unwrap();
    assert_eq!((made.name.as_str(), made.model.as_deref()), ("Short", None));
    let other = chats.add_preset(new("again")).await.unwrap();
    assert_eq!(chats.presets().await.unwrap(), [other.clone(), made.clone()]);
    let patch = PresetPatch {
        name: Some("Shorter".into()),
        system_prompt: Some(String::new()),
        ..PresetPatch::default()
    };
    let changed = chats.change_preset(&made.id, patch).await.unwrap();
    assert_eq!(
        (
            changed.name.as_str(),
            changed.system_prompt,
            changed.params.as_deref()
        ),
        ("Shorter", None, Some("{}"))
    );
    chats.delete_preset(&other.id).await.unwrap();
    assert!(matches!(
        chats.delete_preset(&other.id).await,
        Err(Error::NotFound("preset"))
    ));
    assert!(chats.change_preset("x", PresetPatch::default()).await.is_err());
    assert!(chats.add_preset(new("  ")).await.is_err());
    assert_eq!(chats.presets().await.unwrap().len(), 1);
}

#[tokio::test]
async fn changes_and_deletion_reach_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let new = NewConversation {
        system_prompt: Some("be kind".into()),
        params: Some("{\"seed\":1}".into()),
        ..NewConversation::default()
    };
    let id = chats.create(new).await.unwrap().id;
    let question = chats.question(&id, None, "hi").await;
    chats.answer(&id, Some(&question.id)).await;
    let patch = Patch {
        title: Some("T".into()),
        pinned: Some(true),
        system_prompt: Some(String::new()),
        head_id: Some(question.id.clone()),
        ..Patch::default()
    };
    let changed = chats.change(&id, patch).await.unwrap();
    assert_eq!(
        (changed.title.as_str(), changed.pinned, changed.system_prompt),
        ("T", true, None)
    );
    assert_eq!(changed.params.as_deref(), Some("{\"seed\":1}"));
    assert_eq!(changed.head_id, Some(question.id.clone()));
    let foreign = Patch {
        head_id: Some("x".into()),
        ..Patch::default()
    };
    assert!(matches!(
        chats.change(&id, foreign).await,
        Err(Error::NotFound("message"))
    ));
    chats.end_interrupted().await.unwrap();
    assert_eq!(chats.get(&id).await.unwrap().messages[1].state, State::Stopped);
    chats.delete(&id).await.unwrap();
    assert!(matches!(
        chats.message(&id, &question.id).await,
        Err(Error::NotFound("message"))
    ));
    assert!(matches!(
        chats.delete(&id).await,
        Err(Error::NotFound("conversation"))
    ));
}

#[tokio::test]
async fn progress_is_appended_and_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let id = chats.begin("").await;
    let answer = chats.answer(&id, None).await;
    for (seq, new) in ["one, ", "two, ", "three"].into_iter().enumerate() {
        chats
            .progress(&answer.id, u32::try_from(seq).unwrap(), new)
            .await
            .unwrap();
    }
    // What is there is seen while it is written, and what was written is not written again.
    let seen = |message: Message| (message.content, message.state);
    let all = "one, two, three".to_owned();
    let now = chats.message(&id, &answer.id).await.unwrap();
    assert_eq!(seen(now), (all.clone(), State::Streaming));
    let written: Vec<i64> = sqlx::query_scalar("SELECT length(content) FROM message_part ORDER BY seq")
        .fetch_all(&chats.pool)
        .await
        .unwrap();
    assert_eq!(written, [5, 5, 5]);
    chats.end_interrupted().await.unwrap();
    let after = chats.message(&id, &answer.id).await.unwrap();
    assert_eq!(seen(after), (all, State::Stopped));

    let other = chats.answer(&id, None).await;
    chats.progress(&other.id, 0, "begun").await.unwrap();
    let ended = chats.end(&id, &other.id, &done("begun and ended")).await.unwrap();
    assert_eq!(ended.content, "begun and ended");
    // Of a message that is gone nothing is kept.
    chats.delete(&id).await.unwrap();
    chats.progress(&other.id, 1, "late").await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM message_part")
        .fetch_one(&chats.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// What cannot be read of a message hides nothing else, and is told.
#[tokio::test]
async fn an_unknown_state_is_told_and_its_message_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let id = chats.begin("").await;
    let question = chats.question(&id, None, "why").await;
    sqlx::query("UPDATE message SET state = 'dreaming' WHERE id = ?")
        .bind(&question.id)
        .execute(&chats.pool)
        .await
        .unwrap();
    let shown: Conversation = chats.get(&id).await.unwrap();
    assert_eq!(shown.messages[0].content, "why");
    let problems = chats.problems.all();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("dreaming") && problems[0].contains(&question.id));
}

#[tokio::test]
async fn conversations_of_the_first_form_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = hearth_store::testing::first_form(folder.path()).await;
    let chats = Chats::new(
        &store,
        Clock::test(1),
        PdfReader::new("/nowhere".into(), Vec::new()),
    );
    chats.end_interrupted().await.unwrap();
    let listed = chats.list(&all("")).await.unwrap();
    let shown: Vec<(&str, bool, bool)> = listed
        .iter()
        .map(|summary| (summary.title.as_str(), summary.archived, summary.folder.is_some()))
        .collect();
    assert_eq!(shown, [("Say hello.", false, false), ("Boats", false, false)]);
    let boats = chats.get(&listed[1].id).await.unwrap();
    let states: Vec<State> = boats.messages.iter().map(|message| message.state).collect();
    assert_eq!(states, [State::Done, State::Done, State::Done, State::Failed]);
    assert!(
        boats
            .messages
            .iter()
            .all(|message| message.attachments.is_empty())
    );
    assert!(boats.messages[1].receipt.is_some() && boats.messages[3].error.is_some());
    assert_eq!(boats.params, None);
}
