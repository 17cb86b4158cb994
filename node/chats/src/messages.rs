//! Messages: written one by one, an answer piece by piece, read as a path from the root.

use std::collections::BTreeMap;

use crate::{
    Attachment, Chats, Error, Message, PromptMessage, Role, State,
    prompt::{self, File},
};

/// The most messages of one path from the root, so that a broken tree cannot hold a call for ever.
const MAX_PATH: usize = 10_000;
/// Characters of the first message that become the title.
const TITLE_CHARS: usize = 60;

/// The text of a message with the parts of an answer that is being written.
const CONTENT: &str = "content || coalesce((SELECT group_concat(part.content, '' ORDER BY part.seq) \
                       FROM message_part AS part WHERE part.message_id = message.id), '')";

/// A message that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    pub parent_id: Option<&'a str>,
    pub role: Role,
    pub content: &'a str,
    /// The model that answers.
    pub model: Option<&'a str>,
    /// Files that go with it, by id. One that was sent before is copied.
    pub attachments: &'a [String],
}

/// How an answer ended.
#[derive(Clone, Debug)]
pub struct AnswerEnd {
    pub content: String,
    pub state: State,
    /// Why it failed, as the API writes it.
    pub error: Option<String>,
    /// What it cost, as the API writes it.
    pub receipt: Option<String>,
    pub thought_ms: Option<u64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    parent_id: Option<String>,
    role: String,
    content: String,
    state: String,
    model: Option<String>,
    error: Option<String>,
    receipt: Option<String>,
    thought_ms: Option<i64>,
    created_ms: i64,
}

fn columns() -> String {
    format!(
        "SELECT id, parent_id, role, {CONTENT} AS content, state, model, error, receipt, thought_ms, created_ms \
         FROM message"
    )
}

impl Chats {
    /// Marks answers that a crash cut off. Called once, before the first call.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn end_interrupted(&self) -> Result<(), Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let sql =
            format!("UPDATE message SET state = 'stopped', content = {CONTENT} WHERE state = 'streaming'");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM message_part")
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One message of a conversation.
    ///
    /// # Errors
    /// No such message.
    pub async fn message(&self, conversation_id: &str, id: &str) -> Result<Message, Error> {
        let sql = format!("{} WHERE conversation_id = ? AND id = ?", columns());
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(conversation_id)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        let row = row.ok_or(Error::NotFound("message"))?;
        let attachments = self.attachments_of(id).await?;
        Ok(self.shown(row, attachments))
    }

    /// All messages of a conversation, in the order in which they were written.
    pub(crate) async fn messages_of(&self, conversation_id: &str) -> Result<Vec<Message>, Error> {
        let sql = format!("{} WHERE conversation_id = ? ORDER BY seq", columns());
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(conversation_id)
            .fetch_all(&self.pool)
            .await?;
        let mut attachments = self.attachments_in(conversation_id).await?;
        let shown = |row: Row| {
            let attachments = attachments.remove(&row.id).unwrap_or_default();
            self.shown(row, attachments)
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Writes a message with its files and makes it the head. The first one gives the conversation its title.
    ///
    /// # Errors
    /// A file that is not there, or too many of them.
    pub async fn add(&self, conversation_id: &str, new: NewMessage<'_>) -> Result<Message, Error> {
        let id = uuid::Uuid::now_v7().to_string();
        let now_ms = self.clock.now_ms();
        let state = match new.role {
            Role::User => State::Done,
            Role::Assistant => State::Streaming,
        };
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO message (id, conversation_id, parent_id, role, content, state, model, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(conversation_id)
            .bind(new.parent_id)
            .bind(new.role.word())
            .bind(new.content)
            .bind(state.word())
            .bind(new.model)
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE conversation SET head_id = ?, updated_ms = ?, model = coalesce(?, model) WHERE id = ?",
        )
        .bind(&id)
        .bind(now_ms)
        .bind(new.model)
        .bind(conversation_id)
        .execute(&mut *transaction)
        .await?;
        let first_file = self
            .send_attachments(&mut transaction, &id, new.attachments)
            .await?;
        if new.role == Role::User {
            let title = title_of(new.content);
            sqlx::query("UPDATE conversation SET title = ? WHERE id = ? AND title = ''")
                .bind(if title.is_empty() {
                    first_file.unwrap_or_default()
                } else {
                    title
                })
                .bind(conversation_id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        self.message(conversation_id, &id).await
    }

    /// Writes down what is new of an answer, so that a crash keeps most of it.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn progress(&self, id: &str, seq: u32, new: &str) -> Result<(), Error> {
        // Of a message that was deleted meanwhile nothing is kept.
        sqlx::query(
            "INSERT INTO message_part (message_id, seq, content) SELECT id, ?, ? FROM message WHERE id = ?",
        )
        .bind(seq)
        .bind(new)
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes down how an answer ended.
    ///
    /// # Errors
    /// The conversation was deleted meanwhile.
    pub async fn end(&self, conversation_id: &str, id: &str, ending: &AnswerEnd) -> Result<Message, Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE message SET content = ?, state = ?, error = ?, receipt = ?, thought_ms = ? WHERE id = ?",
        )
        .bind(&ending.content)
        .bind(ending.state.word())
        .bind(&ending.error)
        .bind(&ending.receipt)
        .bind(ending.thought_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)))
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM message_part WHERE message_id = ?")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        sqlx::query("UPDATE conversation SET updated_ms = ? WHERE id = ?")
            .bind(self.clock.now_ms())
            .bind(conversation_id)
            .execute(&self.pool)
            .await?;
        self.message(conversation_id, id).await
    }

    /// The messages from the root to `id` as a model is told them: with the text of their files, and without answers
    /// that have no text. Several answers in a row, as imported conversations have them, are one.
    ///
    /// # Errors
    /// No such conversation, or one that is too long.
    pub async fn path_to(&self, conversation_id: &str, id: &str) -> Result<Vec<PromptMessage>, Error> {
        let conversation = self.get(conversation_id).await?;
        let by_id: BTreeMap<&str, &Message> = conversation
            .messages
            .iter()
            .map(|message| (message.id.as_str(), message))
            .collect();
        let mut path = Vec::new();
        let mut next = by_id.get(id).copied();
        while let Some(message) = next {
            if path.len() == MAX_PATH {
                return Err(Error::TooLong);
            }
            path.push(message);
            next = message.parent_id.as_deref().and_then(|id| by_id.get(id).copied());
        }
        let mut turns: Vec<PromptMessage> = Vec::new();
        for message in path.into_iter().rev() {
            let files: Vec<File> = if message.attachments.is_empty() {
                Vec::new()
            } else {
                self.files_of(&message.id).await?
            };
            match turns.last_mut() {
                _ if message.role == Role::Assistant && message.content.is_empty() => {}
                Some(last) if message.role == Role::Assistant && last.role == Role::Assistant => {
                    last.content.push_str("\n\n");
                    last.content.push_str(&message.content);
                }
                _ => turns.push(PromptMessage {
                    role: message.role,
                    content: prompt::with_files(&message.content, &files),
                }),
            }
        }
        Ok(turns)
    }

    /// A message as it is shown. What cannot be read of it hides neither the message nor the conversation; it is told.
    fn shown(&self, row: Row, attachments: Vec<Attachment>) -> Message {
        let unknown = |what: &str, word: &str| {
            self.problems.report(format!(
                "{what} \"{word}\" in message {} is unknown to this Hearth",
                row.id
            ));
        };
        Message {
            role: Role::of(&row.role).unwrap_or_else(|| {
                unknown("the role", &row.role);
                Role::Assistant
            }),
            state: State::of(&row.state).unwrap_or_else(|| {
                unknown("the state", &row.state);
                State::Stopped
            }),
            thought_ms: row.thought_ms.and_then(|ms| u64::try_from(ms).ok()),
            error: row.error,
            receipt: row.receipt,
            id: row.id,
            parent_id: row.parent_id,
            content: row.content,
            created_ms: row.created_ms,
            model: row.model,
            attachments,
        }
    }
}

/// The first line of a text, cut at a word.
pub(crate) fn title_of(content: &str) -> String {
    let line = content
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    if line.chars().count() <= TITLE_CHARS {
        return line.to_owned();
    }
    let cut: String = line.chars().take(TITLE_CHARS).collect();
    // Ends with a whole word, if that leaves more than half.
    let whole = cut
        .rsplit_once(' ')
        .map(|(whole, _)| whole)
        .filter(|whole| whole.chars().count() > TITLE_CHARS / 2);
    format!("{}…", whole.unwrap_or(&cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_cut_at_a_word() {
        assert_eq!(title_of("\n  Hello there \nmore"), "Hello there");
        let long = title_of(&"word ".repeat(30));
        assert!(
            long.chars().count() <= TITLE_CHARS + 1 && long.ends_with("word…"),
            "{long}"
        );
    }
}
