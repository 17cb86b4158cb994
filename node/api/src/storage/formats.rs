//! Receipts, errors, settings and login that earlier programs kept.

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier as _, phc::PasswordHash},
};
use hearth_base::Clock;
use hearth_chats::{Chats, Filter, PdfReader};
use hearth_store::{stored, testing::first_form};

use super::SettingsStore;
use crate::control::types::{ErrorDetail, ModelKind, Receipt, Theme};

#[tokio::test]
async fn conversations_and_settings_of_the_first_form_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = first_form(folder.path()).await;

    let pdf = PdfReader::new("hearth".into(), Vec::new());
    let conversations = Chats::new(&store, Clock::test(1), pdf);
    conversations.end_interrupted().await.unwrap();
    let all = Filter {
        search: String::new(),
        archived: None,
        folder: None,
        limit: 50,
        offset: 0,
    };
    let listed = conversations.list(&all).await.unwrap();
    let boats = conversations.get(&listed[1].id).await.unwrap();
    let read =
        |receipt: &Option<String>| stored::read::<Receipt>(receipt.as_ref().unwrap(), "a receipt").unwrap();
    let receipt = read(&boats.messages[1].receipt);
    assert_eq!(receipt.kind, ModelKind::Network);
    assert_eq!(receipt.cost.unwrap().0.upokt(), 42_000);
    let error: ErrorDetail = stored::read(boats.messages[3].error.as_ref().unwrap(), "an error").unwrap();
    assert_eq!(error.code, "model_not_found");
    let hello = conversations.get(&listed[0].id).await.unwrap();
    assert_eq!(hello.messages[1].content, "Hello.");
    let receipt = read(&hello.messages[1].receipt);
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
