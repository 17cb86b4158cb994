//! Conversations that come in as a file: Hearth's own export, ChatGPT's, Open WebUI's.
//!
//! The file may be larger than what a computer has memory for: one conversation at a time is read from it, and written
//! in one transaction. One that is broken is left out and named; the others come in.

mod chatgpt;
mod open_webui;
mod own;
pub(crate) mod split;
mod tree;

use std::{fs::File, io::BufReader};

use sqlx::{Sqlite, Transaction};
use tokio::sync::mpsc;

use crate::{
    Attachment, Chats, Error, Role, State,
    attachments::{self, file_name},
    folders::{MAX_NAME_CHARS, folder_name},
    messages::title_of,
};

/// The most conversations that are named as left out.
const MAX_SKIPPED: usize = 100;
/// The most characters of a title that came in.
const MAX_TITLE_CHARS: usize = 200;
/// Conversations that are read ahead of the one that is written.
const AHEAD: usize = 1;

/// What came in of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub conversations: u32,
    pub messages: u32,
    /// What is left out: the first hundred.
    pub skipped: Vec<Skipped>,
}

/// A conversation that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub title: String,
    pub reason: String,
}

/// A conversation that is to come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chat {
    /// The id that it has and keeps; a new one for those of other programs.
    id: Option<String>,
    origin: Option<String>,
    title: String,
    model: Option<String>,
    pinned: bool,
    archived: bool,
    folder: Option<String>,
    system_prompt: Option<String>,
    params: Option<String>,
    created_ms: i64,
    updated_ms: i64,
    /// The place of the last message of the shown branch.
    head: Option<usize>,
    /// Parents before their children.
    messages: Vec<Entry>,
}

/// A message that is to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: Option<String>,
    /// The place of its parent.
    parent: Option<usize>,
    role: Role,
    content: String,
    state: State,
    model: Option<String>,
    error: Option<String>,
    receipt: Option<String>,
    thought_ms: Option<u64>,
    created_ms: i64,
    attachments: Vec<(Attachment, String)>,
}

impl Entry {
    /// A message of another program.
    fn of(role: Role, content: String, created_ms: i64) -> Entry {
        Entry {
            id: None,
            parent: None,
            role,
            content,
            state: State::Done,
            model: None,
            error: None,
            receipt: None,
            thought_ms: None,
            created_ms,
            attachments: Vec::new(),
        }
    }
}

/// What is read of a file, one after the other.
pub(crate) enum Item {
    Chat(Box<Chat>),
    Skipped(Skipped),
}

impl Item {
    fn skipped(title: &str, reason: impl Into<String>) -> Item {
        Item::Skipped(Skipped {
            title: title.to_owned(),
            reason: reason.into(),
        })
    }
}

impl Chats {
    /// Takes in the conversations of a file.
    ///
    /// # Errors
    /// A file that is none of the known ones, or a database that does not take them; what came in before stays.
    pub async fn import(&self, file: File) -> Result<Imported, Error> {
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            split::read(BufReader::new(file), |item| sender.blocking_send(item).is_ok())
        });
        let mut imported = Imported::default();
        while let Some(item) = receiver.recv().await {
            let skipped = match item {
                Item::Skipped(skipped) => Some(skipped),
                Item::Chat(chat) => {
                    let (title, n_messages) = (chat.title.clone(), chat.messages.len());
                    match self.take_in(*chat).await? {
                        Ok(()) => {
                            imported.conversations += 1;
                            imported.messages += u32::try_from(n_messages).unwrap_or(u32::MAX);
                            None
                        }
                        Err(reason) => Some(Skipped { title, reason }),
                    }
                }
            };
            if imported.skipped.len() < MAX_SKIPPED {
                imported.skipped.extend(skipped);
            }
        }
        reading.await.map_err(std::io::Error::other)??;
        Ok(imported)
    }

    /// Writes one conversation, or says why it is left out.
    async fn take_in(&self, mut chat: Chat) -> Result<Result<(), String>, Error> {
        if let Some(folder) = chat.folder.take() {
            let short: String = folder
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_NAME_CHARS)
                .collect();
            chat.folder = folder_name(short)?;
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let is_here: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM conversation WHERE id = ?1 OR origin = ?2)")
                .bind(&chat.id)
                .bind(&chat.origin)
                .fetch_one(&mut *transaction)
                .await?;
        if is_here {
            return Ok(Err("it is here already".to_owned()));
        }
        for id in chat.messages.iter().filter_map(|entry| entry.id.as_ref()) {
            let is_taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM message WHERE id = ?)")
                .bind(id)
                .fetch_one(&mut *transaction)
                .await?;
            if is_taken {
                return Ok(Err(format!("its message {id} is in another conversation")));
            }
        }
        write(&mut transaction, chat).await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }
}

async fn write(transaction: &mut Transaction<'_, Sqlite>, chat: Chat) -> Result<(), Error> {
    let new_id = || uuid::Uuid::now_v7().to_string();
    let id = chat.id.unwrap_or_else(new_id);
    let ids: Vec<String> = chat
        .messages
        .iter()
        .map(|entry| entry.id.clone().unwrap_or_else(new_id))
        .collect();
    let id_at = |place: Option<usize>| place.and_then(|place| ids.get(place));
    sqlx::query(
        "INSERT INTO conversation (id, title, model, pinned, archived, folder, system_prompt, params, origin, head_id, \
         created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(chat.title)
    .bind(chat.model)
    .bind(chat.pinned)
    .bind(chat.archived)
    .bind(chat.folder)
    .bind(chat.system_prompt)
    .bind(chat.params)
    .bind(chat.origin)
    .bind(id_at(chat.head))
    .bind(chat.created_ms)
    .bind(chat.updated_ms)
    .execute(&mut **transaction)
    .await?;
    for (entry, message_id) in chat.messages.iter().zip(&ids) {
        sqlx::query(
            "INSERT INTO message (id, conversation_id, parent_id, role, content, state, model, error, receipt, \
             thought_ms, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(message_id)
        .bind(&id)
        .bind(id_at(entry.parent))
        .bind(entry.role.word())
        .bind(&entry.content)
        .bind(entry.state.word())
        .bind(&entry.model)
        .bind(&entry.error)
        .bind(&entry.receipt)
        .bind(entry.thought_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)))
        .bind(entry.created_ms)
        .execute(&mut **transaction)
        .await?;
        for ((attachment, text), place) in entry.attachments.iter().zip(0_i64..) {
            attachments::insert(
                transaction,
                attachment,
                Some(message_id),
                place,
                text,
                entry.created_ms,
            )
            .await?;
        }
    }
    Ok(())
}

/// A title that can be shown: the given one, or else the first question's.
fn title(given: Option<&str>, messages: &[Entry]) -> String {
    let given: String = given
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_TITLE_CHARS)
        .collect();
    if !given.trim().is_empty() {
        return given.trim().to_owned();
    }
    let first = messages.iter().find(|entry| entry.role == Role::User);
    first.map(|entry| title_of(&entry.content)).unwrap_or_default()
}

/// Seconds or milliseconds since the epoch, whole or not, as milliseconds.
fn milliseconds(time: Option<f64>) -> Option<i64> {
    // Seconds reach this in the year 5138.
    const MOST_SECONDS: f64 = 1e11;
    let time = time.filter(|time| time.is_finite() && *time > 0.0)?;
    let ms = if time < MOST_SECONDS { time * 1000.0 } else { time };
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a conversion of floats ends at the limits"
    )]
    Some(ms.round() as i64)
}

/// The text of a file that went with a message, as an attachment.
fn attachment(name: &str, media_type: &str, bytes: u64, is_cut: bool, text: String) -> (Attachment, String) {
    let attachment = Attachment {
        id: uuid::Uuid::now_v7().to_string(),
        name: file_name(name),
        media_type: media_type.to_owned(),
        bytes,
        characters: text.chars().count() as u64,
        is_cut,
    };
    (attachment, text)
}

#[cfg(test)]
mod tests;
