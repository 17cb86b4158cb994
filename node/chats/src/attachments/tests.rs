//! Files with questions, in a real database.

use super::*;
use crate::{
    NewMessage, Role,
    tests::{all, chats},
};

impl Chats {
    async fn ask(&self, id: &str, content: &str, attachments: &[String]) -> Result<crate::Message, Error> {
        let new = NewMessage {
            parent_id: None,
            role: Role::User,
            content,
            model: None,
            attachments,
        };
        self.add(id, new).await
    }

    async fn count_files(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM attachment")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_file_goes_with_its_question() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let id = chats.begin("").await;
    let notes = chats
        .add_attachment("/home/me/no\ntes.md", "Über ```boats```".into())
        .await
        .unwrap();
    assert_eq!(
        (notes.name.as_str(), notes.bytes, notes.characters, notes.is_cut),
        ("notes.md", 17, 16, false)
    );
    let code = chats
        .add_attachment("main.rs", b"fn main() {}\n".to_vec())
        .await
        .unwrap();
    let ids = [notes.id.clone(), code.id.clone()];
    let asked = chats.ask(&id, "", &ids).await.unwrap();
    assert_eq!(asked.attachments, [notes.clone(), code]);
    let kept = chats.get(&id).await.unwrap();
    assert_eq!(kept.messages, std::slice::from_ref(&asked));
    assert_eq!(kept.title, "notes.md");
    let told = chats.path_to(&id, &asked.id).await.unwrap().remove(0).content;
    assert_eq!(
        told,
        "File: notes.md\n````\nÜber ```boats```\n````\n\nFile: main.rs\n```\nfn main() {}\n```\n\n"
    );
    // It is searched, is not forgotten, and cannot be taken away.
    let hit = chats.list(&all("über")).await.unwrap().remove(0);
    assert_eq!(
        (hit.hit_id, hit.snippet.as_deref()),
        (Some(asked.id.clone()), Some("Über ```boats```"))
    );
    chats.clock.advance(Duration::from_secs(100 * 3600));
    chats.forget_unsent().await.unwrap();
    let refused = chats.delete_attachment(&notes.id).await.unwrap_err();
    assert!(refused.to_string().contains("was sent"), "{refused}");
    // An edited question takes it along, as a file of its own.
    let edited = chats.ask(&id, "edited", &ids[..1]).await.unwrap();
    assert_ne!(edited.attachments[0].id, notes.id);
    assert_eq!(
        chats.attachment_text(&edited.attachments[0].id).await.unwrap(),
        "Über ```boats```"
    );
    assert_eq!(chats.count_files().await, 3);
    chats.delete(&id).await.unwrap();
    assert_eq!(chats.count_files().await, 0);
}

#[tokio::test]
async fn a_question_with_a_file_that_is_gone_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let id = chats.begin("").await;
    let file = chats.add_attachment("a", b"a".to_vec()).await.unwrap();
    let error = chats
        .ask(&id, "why", &[file.id.clone(), "gone".into()])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("add it again"), "{error}");
    assert!(chats.get(&id).await.unwrap().messages.is_empty());
    let many = vec![file.id.clone(); MAX_FILES + 1];
    assert!(chats.ask(&id, "why", &many).await.is_err());
    assert!(chats.files(&many).await.is_err());
    // It still waits.
    chats.delete_attachment(&file.id).await.unwrap();
    assert!(matches!(
        chats.delete_attachment(&file.id).await,
        Err(Error::NotFound("file"))
    ));
    assert!(matches!(
        chats.files(&[file.id]).await,
        Err(Error::NotFound("file"))
    ));
}

#[tokio::test]
async fn files_that_nobody_sends_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let chats = chats(folder.path()).await;
    let old = chats.add_attachment("old", b"old".to_vec()).await.unwrap();
    chats.clock.advance(KEEP_UNSENT);
    chats.forget_unsent().await.unwrap();
    assert_eq!(chats.attachment_text(&old.id).await.unwrap(), "old");
    chats.clock.advance(Duration::from_millis(1));
    let new = chats.add_attachment("new", b"new".to_vec()).await.unwrap();
    chats.forget_unsent().await.unwrap();
    assert!(chats.attachment_text(&old.id).await.is_err());
    // Too many make way, the oldest first.
    for number in 0..MAX_UNSENT {
        chats.clock.advance(Duration::from_millis(1));
        chats
            .add_attachment("more", number.to_string().into())
            .await
            .unwrap();
    }
    assert_eq!(chats.count_files().await, MAX_UNSENT);
    assert!(chats.attachment_text(&new.id).await.is_err());
}

#[test]
fn a_name_has_no_folders_and_one_line() {
    for (given, name) in [
        ("C:\\a\\b.txt", "b.txt"),
        ("../../etc/passwd", "passwd"),
        ("a/", "file"),
        ("", "file"),
        (" \r\n", "file"),
    ] {
        assert_eq!(file_name(given), name);
    }
    assert_eq!(file_name(&"ä".repeat(300)).chars().count(), MAX_NAME_CHARS);
}
