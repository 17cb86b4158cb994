//! Files whose text goes with a question. What is not sent within a day is forgotten.

use std::{collections::BTreeMap, time::Duration};

use sqlx::{Sqlite, Transaction};

use crate::{
    Attachment, Chats, Error,
    prompt::File,
    text::{self, Found},
};

/// The most files of one question: each may have 2 MiB of text.
const MAX_FILES: usize = 20;
/// How long a file waits to be sent.
const KEEP_UNSENT: Duration = Duration::from_secs(24 * 3600);
/// What all files that wait to be sent may have of text, and their number. The oldest make way.
const MAX_UNSENT_BYTES: i64 = 128 << 20;
const MAX_UNSENT: i64 = 200;
/// The most characters of a file's name.
const MAX_NAME_CHARS: usize = 200;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    message_id: Option<String>,
    name: String,
    media_type: String,
    n_bytes: i64,
    n_characters: i64,
    is_cut: bool,
}

const COLUMNS: &str = "attachment.id, message_id, name, media_type, n_bytes, n_characters, is_cut";

impl From<Row> for Attachment {
    fn from(row: Row) -> Attachment {
        Attachment {
            id: row.id,
            name: row.name,
            media_type: row.media_type,
            bytes: u64::try_from(row.n_bytes).unwrap_or_default(),
            characters: u64::try_from(row.n_characters).unwrap_or_default(),
            is_cut: row.is_cut,
        }
    }
}

impl Chats {
    /// Reads the text of a file and keeps it, to be sent with a question.
    ///
    /// # Errors
    /// What has no text that can be read; the error says why.
    pub async fn add_attachment(&self, name: &str, bytes: Vec<u8>) -> Result<Attachment, Error> {
        let n_bytes = bytes.len() as u64;
        let read = tokio::task::spawn_blocking(move || text::of(bytes));
        let found = read.await.map_err(std::io::Error::other)??;
        let found = match found {
            Found::Text(found) => found,
            Found::Pdf(bytes) => self.pdf.read(bytes).await?,
        };
        let attachment = Attachment {
            id: uuid::Uuid::now_v7().to_string(),
            name: file_name(name),
            media_type: found.media_type.to_owned(),
            bytes: n_bytes,
            characters: found.text.chars().count() as u64,
            is_cut: found.is_cut,
        };
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        insert(
            &mut transaction,
            &attachment,
            None,
            0,
            &found.text,
            self.clock.now_ms(),
        )
        .await?;
        make_room(&mut transaction).await?;
        transaction.commit().await?;
        Ok(attachment)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// No such file.
    pub async fn attachment_text(&self, id: &str) -> Result<String, Error> {
        let text = sqlx::query_scalar("SELECT content FROM attachment WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        text.ok_or(Error::NotFound("file"))
    }

    /// Forgets a file that was not sent.
    ///
    /// # Errors
    /// No such file, or one that was sent.
    pub async fn delete_attachment(&self, id: &str) -> Result<(), Error> {
        let gone = sqlx::query("DELETE FROM attachment WHERE id = ? AND message_id IS NULL")
            .bind(id)
            .execute(&self.pool)
            .await?;
        if gone.rows_affected() > 0 {
            return Ok(());
        }
        self.attachment_text(id).await?;
        Err(Error::refused(
            "chat_file_sent",
            "this file was sent with a question: it goes when the conversation is deleted",
        ))
    }

    /// Forgets files that nobody sent within a day.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn forget_unsent(&self) -> Result<(), Error> {
        let keep_ms = i64::try_from(KEEP_UNSENT.as_millis()).unwrap_or(i64::MAX);
        sqlx::query("DELETE FROM attachment WHERE message_id IS NULL AND created_ms < ?")
            .bind(self.clock.now_ms() - keep_ms)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Files by id, as a model is told them.
    ///
    /// # Errors
    /// One that is not there, or too many of them.
    pub async fn files(&self, ids: &[String]) -> Result<Vec<File>, Error> {
        check_number(ids)?;
        let mut files = Vec::with_capacity(ids.len());
        for id in ids {
            let row: Option<(String, String, bool)> =
                sqlx::query_as("SELECT name, content, is_cut FROM attachment WHERE id = ?")
                    .bind(id)
                    .fetch_optional(&self.pool)
                    .await?;
            files.push(file(row.ok_or(Error::NotFound("file"))?));
        }
        Ok(files)
    }

    /// The files of a message, as a model is told them.
    pub(crate) async fn files_of(&self, message_id: &str) -> Result<Vec<File>, Error> {
        let rows: Vec<(String, String, bool)> = sqlx::query_as(
            "SELECT name, content, is_cut FROM attachment WHERE message_id = ? ORDER BY place",
        )
        .bind(message_id)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(file).collect())
    }

    /// The files of a message.
    pub(crate) async fn attachments_of(&self, message_id: &str) -> Result<Vec<Attachment>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM attachment WHERE message_id = ? ORDER BY place");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(message_id)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(Attachment::from).collect())
    }

    /// The files of all messages of a conversation.
    pub(crate) async fn attachments_in(
        &self,
        conversation_id: &str,
    ) -> Result<BTreeMap<String, Vec<Attachment>>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM attachment JOIN message ON message.id = message_id \
             WHERE conversation_id = ? ORDER BY place"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(conversation_id)
            .fetch_all(&self.pool)
            .await?;
        let mut of: BTreeMap<String, Vec<Attachment>> = BTreeMap::new();
        for mut row in rows {
            if let Some(message_id) = row.message_id.take() {
                of.entry(message_id).or_default().push(row.into());
            }
        }
        Ok(of)
    }

    /// Gives files to a message. One that another message has is copied, since a question is edited with its files.
    /// Says the name of the first.
    pub(crate) async fn send_attachments(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        message_id: &str,
        ids: &[String],
    ) -> Result<Option<String>, Error> {
        check_number(ids)?;
        for (id, place) in ids.iter().zip(0_i64..) {
            let taken = sqlx::query(
                "UPDATE attachment SET message_id = ?, place = ? WHERE id = ? AND message_id IS NULL",
            )
            .bind(message_id)
            .bind(place)
            .bind(id)
            .execute(&mut **transaction)
            .await?;
            if taken.rows_affected() > 0 {
                continue;
            }
            let copied = sqlx::query(
                "INSERT INTO attachment (id, message_id, place, name, media_type, n_bytes, n_characters, n_text_bytes, \
                 is_cut, content, created_ms) SELECT ?, ?, ?, name, media_type, n_bytes, n_characters, n_text_bytes, \
                 is_cut, content, ? FROM attachment WHERE id = ?",
            )
            .bind(uuid::Uuid::now_v7().to_string())
            .bind(message_id)
            .bind(place)
            .bind(self.clock.now_ms())
            .bind(id)
            .execute(&mut **transaction)
            .await?;
            if copied.rows_affected() == 0 {
                return Err(Error::refused(
                    "chat_file_not_kept",
                    "a file of this question is not kept any more: add it again",
                ));
            }
        }
        let name =
            sqlx::query_scalar("SELECT name FROM attachment WHERE message_id = ? ORDER BY place LIMIT 1")
                .bind(message_id)
                .fetch_optional(&mut **transaction)
                .await?;
        Ok(name)
    }
}

/// Writes a file.
pub(crate) async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    attachment: &Attachment,
    message_id: Option<&str>,
    place: i64,
    text: &str,
    now_ms: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO attachment (id, message_id, place, name, media_type, n_bytes, n_characters, n_text_bytes, is_cut, \
         content, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&attachment.id)
    .bind(message_id)
    .bind(place)
    .bind(&attachment.name)
    .bind(&attachment.media_type)
    .bind(i64::try_from(attachment.bytes).unwrap_or(i64::MAX))
    .bind(i64::try_from(attachment.characters).unwrap_or(i64::MAX))
    .bind(i64::try_from(text.len()).unwrap_or(i64::MAX))
    .bind(attachment.is_cut)
    .bind(text)
    .bind(now_ms)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets the oldest files that wait to be sent, where there are too many.
async fn make_room(transaction: &mut Transaction<'_, Sqlite>) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM attachment WHERE id IN (SELECT id FROM (SELECT id, sum(n_text_bytes) OVER newest AS total, \
         row_number() OVER newest AS number FROM attachment WHERE message_id IS NULL \
         WINDOW newest AS (ORDER BY created_ms DESC, id DESC)) WHERE total > ? OR number > ?)",
    )
    .bind(MAX_UNSENT_BYTES)
    .bind(MAX_UNSENT)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn check_number(ids: &[String]) -> Result<(), Error> {
    if ids.len() > MAX_FILES {
        return Err(Error::refused(
            "chat_files_many",
            format!(
                "{} files go with this question: {MAX_FILES} are the most",
                ids.len()
            ),
        ));
    }
    Ok(())
}

fn file((name, text, is_cut): (String, String, bool)) -> File {
    File { name, text, is_cut }
}

/// The name without folders, on one line.
pub(crate) fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME_CHARS)
        .collect();
    match name.trim() {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
