//! Conversations in the database. Messages form a tree; `head_id` is the last message of the branch that is shown.

use std::collections::BTreeMap;

use hearth_base::Clock;
use hearth_store::{
    Problems, Store,
    stored::{self, Stored},
};
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use super::search::{like, snippet, words};
use crate::{
    control::types::{
        Conversation, ConversationPatch, ConversationSummary, ErrorDetail, Message, MessageRole,
        MessageState, NewConversation, Receipt, Timestamp,
    },
    error::ApiError,
    parts::Window,
};

/// The most messages of one path from the root, so that a broken tree cannot hold a call for ever.
const MAX_PATH: usize = 10_000;
/// Characters of the first message that become the title.
const TITLE_CHARS: usize = 60;
/// What a conversation is called before its first message.
const UNTITLED: &str = "";

/// The conversations of this node.
#[derive(Clone)]
pub(crate) struct Conversations {
    pool: SqlitePool,
    problems: Problems,
    clock: Clock,
}

/// One message as a model is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PromptMessage {
    pub(crate) role: MessageRole,
    pub(crate) content: String,
}

/// How an answer ended.
#[derive(Clone, Debug)]
pub(crate) struct AnswerEnd {
    pub(crate) content: String,
    pub(crate) state: MessageState,
    pub(crate) error: Option<ErrorDetail>,
    pub(crate) receipt: Option<Receipt>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    title: String,
    model: Option<String>,
    pinned: bool,
    system_prompt: Option<String>,
    head_id: Option<String>,
    created_ms: i64,
    updated_ms: i64,
}

#[derive(sqlx::FromRow)]
struct MessageRow {
    id: String,
    parent_id: Option<String>,
    role: String,
    content: String,
    state: String,
    model: Option<String>,
    error: Option<String>,
    receipt: Option<String>,
    created_ms: i64,
}

const COLUMNS: &str =
    "SELECT id, title, model, pinned, system_prompt, head_id, created_ms, updated_ms FROM conversation";
/// The text of a message with the parts of an answer that is being written.
const CONTENT: &str = "content || coalesce((SELECT group_concat(part.content, '' ORDER BY part.seq) \
                       FROM message_part AS part WHERE part.message_id = message.id), '')";

fn message_columns() -> String {
    format!(
        "SELECT id, parent_id, role, {CONTENT} AS content, state, model, error, receipt, created_ms FROM message"
    )
}

impl Conversations {
    pub(crate) fn new(store: &Store, clock: Clock) -> Conversations {
        Conversations {
            pool: store.pool().clone(),
            problems: store.problems().clone(),
            clock,
        }
    }

    /// Marks answers that a crash cut off. Called once, before the first call.
    pub(crate) async fn end_interrupted(&self) -> Result<(), ApiError> {
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

    pub(crate) async fn list(
        &self,
        query: &str,
        window: Window,
    ) -> Result<Vec<ConversationSummary>, ApiError> {
        let words = words(query);
        let mut sql = QueryBuilder::<Sqlite>::new(COLUMNS);
        sql.push(" WHERE 1");
        for word in &words {
            sql.push(" AND (title LIKE ")
                .push_bind(like(word))
                .push(" ESCAPE '\\' OR EXISTS (SELECT 1 FROM message ");
            sql.push("WHERE conversation_id = conversation.id AND content LIKE ")
                .push_bind(like(word))
                .push(" ESCAPE '\\'))");
        }
        sql.push(" ORDER BY pinned DESC, updated_ms DESC, id DESC LIMIT ")
            .push_bind(window.limit);
        sql.push(" OFFSET ").push_bind(window.offset);
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&self.pool).await?;
        let mut summaries = Vec::with_capacity(rows.len());
        for row in rows {
            summaries.push(self.summary_of(row, &words).await?);
        }
        Ok(summaries)
    }

    pub(crate) async fn summary(&self, id: &str) -> Result<ConversationSummary, ApiError> {
        let row = self.row(id).await?;
        self.summary_of(row, &[]).await
    }

    pub(crate) async fn create(&self, new: NewConversation) -> Result<Conversation, ApiError> {
        let id = uuid::Uuid::now_v7().to_string();
        let now_ms = self.clock.now_ms();
        sqlx::query("INSERT INTO conversation (id, title, model, system_prompt, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(new.title.unwrap_or_else(|| UNTITLED.to_owned()))
            .bind(new.model)
            .bind(new.system_prompt.filter(|prompt| !prompt.is_empty()))
            .bind(now_ms)
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
        self.get(&id).await
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Conversation, ApiError> {
        let row = self.row(id).await?;
        let sql = format!("{} WHERE conversation_id = ? ORDER BY seq", message_columns());
        let messages: Vec<MessageRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .fetch_all(&self.pool)
            .await?;
        Ok(Conversation {
            id: row.id,
            title: row.title,
            model: row.model,
            pinned: row.pinned,
            system_prompt: row.system_prompt,
            created_at: Timestamp::from_ms(row.created_ms),
            updated_at: Timestamp::from_ms(row.updated_ms),
            folder: None,
            archived: false,
            params: crate::control::types::AnswerParams::default(),
            answering: None,
            head_id: row.head_id,
            messages: messages.into_iter().map(|row| self.shown(row)).collect(),
        })
    }

    pub(crate) async fn change(&self, id: &str, patch: ConversationPatch) -> Result<Conversation, ApiError> {
        if let Some(head_id) = &patch.head_id {
            self.message(id, head_id).await?;
        }
        let row = self.row(id).await?;
        // Empty texts clear, absent ones stay.
        let cleared = |new: Option<String>, old: Option<String>| {
            new.map_or(old, |text| Some(text).filter(|text| !text.is_empty()))
        };
        sqlx::query("UPDATE conversation SET title = ?, model = ?, pinned = ?, system_prompt = ?, head_id = ? WHERE id = ?")
            .bind(patch.title.unwrap_or(row.title))
            .bind(cleared(patch.model, row.model))
            .bind(patch.pinned.unwrap_or(row.pinned))
            .bind(cleared(patch.system_prompt, row.system_prompt))
            .bind(patch.head_id.or(row.head_id))
            .bind(id)
            .execute(&self.pool)
            .await?;
        self.get(id).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), ApiError> {
        let gone = sqlx::query("DELETE FROM conversation WHERE id = ?")
            .bind(id)
            .execute(&self.pool)
            .await?;
        if gone.rows_affected() == 0 {
            Err(ApiError::not_found("conversation"))
        } else {
            Ok(())
        }
    }

    pub(crate) async fn message(&self, conversation_id: &str, id: &str) -> Result<Message, ApiError> {
        let sql = format!("{} WHERE conversation_id = ? AND id = ?", message_columns());
        let row: Option<MessageRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(conversation_id)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| self.shown(row))
            .ok_or_else(|| ApiError::not_found("message"))
    }

    /// Writes a message and makes it the head. The first one gives the conversation its title.
    pub(crate) async fn add(
        &self,
        conversation_id: &str,
        parent_id: Option<&str>,
        role: MessageRole,
        content: &str,
        model: Option<&str>,
    ) -> Result<Message, ApiError> {
        let id = uuid::Uuid::now_v7().to_string();
        let now_ms = self.clock.now_ms();
        let state = match role {
            MessageRole::User => MessageState::Done,
            MessageRole::Assistant => MessageState::Streaming,
        };
        let mut transaction = self.pool.begin().await?;
        sqlx::query("INSERT INTO message (id, conversation_id, parent_id, role, content, state, model, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(conversation_id)
            .bind(parent_id)
            .bind(role_word(role))
            .bind(content)
            .bind(state_word(state))
            .bind(model)
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE conversation SET head_id = ?, updated_ms = ?, model = coalesce(?, model) WHERE id = ?",
        )
        .bind(&id)
        .bind(now_ms)
        .bind(model)
        .bind(conversation_id)
        .execute(&mut *transaction)
        .await?;
        if role == MessageRole::User {
            sqlx::query("UPDATE conversation SET title = ? WHERE id = ? AND title = ''")
                .bind(title_of(content))
                .bind(conversation_id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        self.message(conversation_id, &id).await
    }

    /// Writes down what is new of an answer, so that a crash keeps most of it.
    pub(crate) async fn progress(&self, id: &str, seq: u32, new: &str) -> Result<(), ApiError> {
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
    pub(crate) async fn end(
        &self,
        conversation_id: &str,
        id: &str,
        ending: &AnswerEnd,
    ) -> Result<Message, ApiError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE message SET content = ?, state = ?, error = ?, receipt = ? WHERE id = ?")
            .bind(&ending.content)
            .bind(state_word(ending.state))
            .bind(to_json(ending.error.as_ref())?)
            .bind(to_json(ending.receipt.as_ref())?)
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

    /// The messages from the root to `id`, without answers that have no text.
    pub(crate) async fn path_to(
        &self,
        conversation_id: &str,
        id: &str,
    ) -> Result<Vec<PromptMessage>, ApiError> {
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
                return Err(ApiError::conflict(
                    "too_long",
                    "this conversation is too long: begin a new one",
                ));
            }
            if message.role == MessageRole::User || !message.content.is_empty() {
                path.push(PromptMessage {
                    role: message.role,
                    content: message.content.clone(),
                });
            }
            next = message.parent_id.as_deref().and_then(|id| by_id.get(id).copied());
        }
        path.reverse();
        Ok(path)
    }

    async fn row(&self, id: &str) -> Result<Row, ApiError> {
        let row = sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.ok_or_else(|| ApiError::not_found("conversation"))
    }

    async fn summary_of(&self, row: Row, words: &[String]) -> Result<ConversationSummary, ApiError> {
        let messages: i64 = sqlx::query_scalar("SELECT count(*) FROM message WHERE conversation_id = ?")
            .bind(&row.id)
            .fetch_one(&self.pool)
            .await?;
        let snippet = match words.first() {
            None => None,
            Some(word) => {
                let sql = "SELECT content FROM message WHERE conversation_id = ? AND content LIKE ? ESCAPE '\\' ORDER BY seq LIMIT 1";
                let hit: Option<String> = sqlx::query_scalar(sql)
                    .bind(&row.id)
                    .bind(like(word))
                    .fetch_optional(&self.pool)
                    .await?;
                hit.and_then(|text| snippet(&text, words))
            }
        };
        Ok(ConversationSummary {
            id: row.id,
            title: row.title,
            model: row.model,
            pinned: row.pinned,
            created_at: Timestamp::from_ms(row.created_ms),
            updated_at: Timestamp::from_ms(row.updated_ms),
            messages: u32::try_from(messages).unwrap_or(u32::MAX),
            snippet,
            folder: None,
            archived: false,
            hit_id: None,
            answering: None,
        })
    }
}

impl Stored for ErrorDetail {
    const WHAT: &'static str = "the error of a message";
    const VERSION: u64 = 1;
}

impl Stored for Receipt {
    const WHAT: &'static str = "the receipt of a message";
    const VERSION: u64 = 1;
}

impl Conversations {
    /// A message as it is shown. What cannot be read of it hides neither the message nor the conversation; it is told.
    fn shown(&self, row: MessageRow) -> Message {
        let place = format!("row {} of message in hearth.db", row.id);
        let unknown = |what: &str, word: &str| {
            self.problems
                .report(format!("{what} \"{word}\" in {place} is unknown to this Hearth"));
        };
        let role = [MessageRole::User, MessageRole::Assistant]
            .into_iter()
            .find(|role| role_word(*role) == row.role);
        let state = STATES.into_iter().find(|state| state_word(*state) == row.state);
        Message {
            role: role.unwrap_or_else(|| {
                unknown("the role", &row.role);
                MessageRole::Assistant
            }),
            state: state.unwrap_or_else(|| {
                unknown("the state", &row.state);
                MessageState::Stopped
            }),
            error: self.read(row.error, &place),
            receipt: self.read(row.receipt, &place),
            id: row.id,
            parent_id: row.parent_id,
            content: row.content,
            created_at: Timestamp::from_ms(row.created_ms),
            model: row.model,
            thought_ms: None,
            attachments: Vec::new(),
        }
    }

    fn read<T: Stored>(&self, text: Option<String>, place: &str) -> Option<T> {
        let told = |error| self.problems.report(error);
        stored::read(text?, place).map_err(told).ok()
    }
}

fn to_json<T: Stored>(value: Option<&T>) -> Result<Option<String>, ApiError> {
    value
        .map(stored::write)
        .transpose()
        .map_err(|error| ApiError::internal(&error))
}

fn title_of(content: &str) -> String {
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

const fn role_word(role: MessageRole) -> &'static str {
    match role {
        MessageRole::User => "user",
        MessageRole::Assistant => "assistant",
    }
}

const STATES: [MessageState; 5] = [
    MessageState::Streaming,
    MessageState::Done,
    MessageState::Stopped,
    MessageState::Cut,
    MessageState::Failed,
];

const fn state_word(state: MessageState) -> &'static str {
    match state {
        MessageState::Streaming => "streaming",
        MessageState::Done => "done",
        MessageState::Stopped => "stopped",
        MessageState::Cut => "cut",
        MessageState::Failed => "failed",
    }
}

#[cfg(test)]
mod tests;
