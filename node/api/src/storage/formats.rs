//! Conversations, settings and login that earlier programs kept.

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier as _, phc::PasswordHash},
};
use hearth_base::Clock;
use hearth_store::testing::first_form;

use super::{Conversations, SettingsStore};
use crate::{
    control::types::{MessageState, ModelKind, Theme},
    parts::Window,
};

#[tokio::test]
async fn conversations_and_settings_of_the_first_form_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = first_form(folder.path()).await;

    let conversations = Conversations::new(&store, Clock::test(1));
    conversations.end_interrupted().await.unwrap();
    let all = Window { limit: 50, offset: 0 };
    let listed = conversations.list("", all).await.unwrap();
    let titles: Vec<&str> = listed.iter().map(|summary| summary.title.as_str()).collect();
    assert_eq!(titles, ["Say hello.", "Boats"]);
    let boats = conversations.get(&listed[1].id).await.unwrap();
    let states: Vec<MessageState> = boats.messages.iter().map(|message| message.state).collect();
    let (done, failed) = (MessageState::Done, MessageState::Failed);
    assert_eq!(states, [done, done, done, failed]);
    let receipt = boats.messages[1].receipt.as_ref().unwrap();
    assert_eq!(receipt.kind, ModelKind::Network);
    assert_eq!(receipt.cost.unwrap().0.upokt(), 42_000);
    assert_eq!(boats.messages[3].error.as_ref().unwrap().code, "model_not_found");
    let hello = conversations.get(&listed[0].id).await.unwrap();
    assert_eq!(hello.messages[1].content, "Hello.");
    let receipt = hello.messages[1].receipt.as_ref().unwrap();
    assert_eq!(receipt.usage.as_ref().unwrap().completion_tokens, 3);

    let settings = SettingsStore::new(&store).get().await.unwrap();
    assert_eq!(
        (settings.theme, settings.language.as_deref()),
        (Theme::Dark, Some("de"))
    );
    assert_eq!(settings.system_prompt.as_deref(), Some("Be brief."));
    let hash: String = sqlx::query_scalar("SELECT value FROM api_setting WHERE key = 'login'")
        .fetch_one(store.pool())
        .await
        .unwrap();
    let hash = PasswordHash::new(&hash).unwrap();
    Argon2::default()
        .verify_password(b"correct horse battery", &hash)
        .unwrap();
    assert_eq!(store.problems().all(), Vec::<String>::new());
}
