//! Conversations in the database. Messages form a tree; `head_id` is the last message of the branch that is shown.

use hearth_base::Clock;
use hearth_store::{Problems, Store};
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use crate::{
    Conversation, Error, Filter, NewConversation, Patch, PdfReader, Summary,
    folders::folder_name,
    search::{self, Word},
    types::changed,
};

/// What a conversation is called before its first message.
pub(crate) const UNTITLED: &str = "";

/// The conversations of this node. Clones are the same.
#[derive(Clone)]
pub struct Chats {
    pub(crate) pool: SqlitePool,
    pub(crate) problems: Problems,
    pub(crate) clock: Clock,
    pub(crate) pdf: PdfReader,
}

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: String,
    title: String,
    model: Option<String>,
    pinned: bool,
    folder: Option<String>,
    archived: bool,
    system_prompt: Option<String>,
    params: Option<String>,
    origin: Option<String>,
    head_id: Option<String>,
    created_ms: i64,
    updated_ms: i64,
    messages: i64,
}

const COLUMNS: &str = "SELECT id, title, model, pinned, folder, archived, system_prompt, params, origin, head_id, \
                       created_ms, updated_ms, \
                       (SELECT count(*) FROM message WHERE conversation_id = conversation.id) AS messages \
                       FROM conversation";

impl Chats {
    /// The conversations in this database; files in PDF are read by `pdf`.
    #[must_use]
    pub fn new(store: &Store, clock: Clock, pdf: PdfReader) -> Chats {
        Chats {
            pool: store.pool().clone(),
            problems: store.problems().clone(),
            clock,
            pdf,
        }
    }

    /// Conversations: pinned first, then the newest.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Summary>, Error> {
        let words = search::words(&filter.search);
        let archived = match (filter.archived, words.is_empty()) {
            (None, true) => Some(false),
            (archived, _) => archived,
        };
        let mut sql = QueryBuilder::<Sqlite>::new(COLUMNS);
        sql.push(" WHERE 1");
        if let Some(archived) = archived {
            sql.push(" AND archived = ").push_bind(archived);
        }
        if let Some(folder) = &filter.folder {
            sql.push(" AND folder = ").push_bind(folder);
        }
        for word in &words {
            search::push_has_word(&mut sql, word);
        }
        sql.push(" ORDER BY pinned DESC, updated_ms DESC, id DESC LIMIT ")
            .push_bind(filter.limit);
        sql.push(" OFFSET ").push_bind(filter.offset);
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&self.pool).await?;
        let mut summaries = Vec::with_capacity(rows.len());
        for row in rows {
            summaries.push(self.summary_of(row, &words).await?);
        }
        Ok(summaries)
    }

    /// One conversation as in the list.
    ///
    /// # Errors
    /// No such conversation.
    pub async fn summary(&self, id: &str) -> Result<Summary, Error> {
        let row = self.row(id).await?;
        self.summary_of(row, &[]).await
    }

    /// Begins a conversation.
    ///
    /// # Errors
    /// A folder whose name none can have.
    pub async fn create(&self, new: NewConversation) -> Result<Conversation, Error> {
        let id = uuid::Uuid::now_v7().to_string();
        let now_ms = self.clock.now_ms();
        sqlx::query(
            "INSERT INTO conversation (id, title, model, system_prompt, folder, params, created_ms, updated_ms) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(new.title.unwrap_or_else(|| UNTITLED.to_owned()))
        .bind(new.model)
        .bind(changed(new.system_prompt, None))
        .bind(folder_name(new.folder.unwrap_or_default())?)
        .bind(changed(new.params, None))
        .bind(now_ms)
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        self.get(&id).await
    }

    /// A conversation with all its messages.
    ///
    /// # Errors
    /// No such conversation.
    pub async fn get(&self, id: &str) -> Result<Conversation, Error> {
        let row = self.row(id).await?;
        let messages = self.messages_of(id).await?;
        Ok(Conversation {
            id: row.id,
            title: row.title,
            model: row.model,
            pinned: row.pinned,
            folder: row.folder,
            archived: row.archived,
            system_prompt: row.system_prompt,
            params: row.params,
            origin: row.origin,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            head_id: row.head_id,
            messages,
        })
    }

    /// Changes what the patch names.
    ///
    /// # Errors
    /// No such conversation, a head that is not in it, or a folder whose name none can have.
    pub async fn change(&self, id: &str, patch: Patch) -> Result<Conversation, Error> {
        if let Some(head_id) = &patch.head_id {
            self.message(id, head_id).await?;
        }
        let row = self.row(id).await?;
        let folder = match patch.folder {
            Some(folder) => folder_name(folder)?,
            None => row.folder,
        };
        sqlx::query(
            "UPDATE conversation SET title = ?, model = ?, pinned = ?, system_prompt = ?, head_id = ?, folder = ?, \
             archived = ?, params = ? WHERE id = ?",
        )
        .bind(patch.title.unwrap_or(row.title))
        .bind(changed(patch.model, row.model))
        .bind(patch.pinned.unwrap_or(row.pinned))
        .bind(changed(patch.system_prompt, row.system_prompt))
        .bind(patch.head_id.or(row.head_id))
        .bind(folder)
        .bind(patch.archived.unwrap_or(row.archived))
        .bind(changed(patch.params, row.params))
        .bind(id)
        .execute(&self.pool)
        .await?;
        self.get(id).await
    }

    /// Deletes a conversation with all that belongs to it.
    ///
    /// # Errors
    /// No such conversation.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let gone = sqlx::query("DELETE FROM conversation WHERE id = ?")
            .bind(id)
            .execute(&self.pool)
            .await?;
        match gone.rows_affected() {
            0 => Err(Error::NotFound("conversation")),
            _ => Ok(()),
        }
    }

    async fn row(&self, id: &str) -> Result<Row, Error> {
        let row = sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.ok_or(Error::NotFound("conversation"))
    }

    async fn summary_of(&self, row: Row, words: &[Word]) -> Result<Summary, Error> {
        let hit = search::first_hit(&self.pool, &row.id, words).await?;
        let (hit_id, snippet) = hit.unzip();
        Ok(Summary {
            id: row.id,
            title: row.title,
            model: row.model,
            pinned: row.pinned,
            folder: row.folder,
            archived: row.archived,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            messages: u32::try_from(row.messages).unwrap_or(u32::MAX),
            snippet: snippet.flatten(),
            hit_id,
        })
    }
}
