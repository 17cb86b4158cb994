//! Conversations as files: JSON that keeps everything and comes in again, Markdown to read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Chats, Conversation, Error, Message, Role, State, prompt};

/// The form of the JSON, and the version that this program writes.
pub(crate) const FORMAT: &str = "hearth.chats";
pub(crate) const VERSION: u64 = 1;
/// What stands before and after the conversations in the JSON, which are separated by commas.
pub const HEAD: &str = "{\"format\":\"hearth.chats\",\"version\":1,\"conversations\":[\n";
pub const TAIL: &str = "\n]}\n";

/// A conversation in the JSON. What may be missing has a default, so that a later form can be read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChatFile {
    pub(crate) id: String,
    pub(crate) title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) pinned: bool,
    #[serde(default)]
    pub(crate) archived: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_prompt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) params: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) head_id: Option<String>,
    pub(crate) messages: Vec<MessageFile>,
}

/// A message in the JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MessageFile {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent_id: Option<String>,
    pub(crate) role: String,
    pub(crate) content: String,
    pub(crate) state: String,
    pub(crate) created_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thought_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<AttachmentFile>,
}

/// A file that went with a message, as its text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AttachmentFile {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) bytes: u64,
    #[serde(default)]
    pub(crate) is_cut: bool,
    pub(crate) text: String,
}

impl Chats {
    /// The ids of all conversations, the oldest first.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn ids(&self) -> Result<Vec<String>, Error> {
        let ids = sqlx::query_scalar("SELECT id FROM conversation ORDER BY created_ms, id")
            .fetch_all(&self.pool)
            .await?;
        Ok(ids)
    }

    /// A conversation as JSON, to stand between [`HEAD`] and [`TAIL`].
    ///
    /// # Errors
    /// No such conversation.
    pub async fn as_json(&self, id: &str) -> Result<String, Error> {
        let conversation = self.get(id).await?;
        let mut messages = Vec::with_capacity(conversation.messages.len());
        for message in conversation.messages {
            messages.push(self.message_file(message).await?);
        }
        let file = ChatFile {
            id: conversation.id,
            title: conversation.title,
            model: conversation.model,
            pinned: conversation.pinned,
            archived: conversation.archived,
            folder: conversation.folder,
            system_prompt: conversation.system_prompt,
            params: as_value(conversation.params),
            origin: conversation.origin,
            created_ms: conversation.created_ms,
            updated_ms: conversation.updated_ms,
            head_id: conversation.head_id,
            messages,
        };
        serde_json::to_string(&file).map_err(|error| Error::System(error.into()))
    }

    async fn message_file(&self, message: Message) -> Result<MessageFile, Error> {
        let mut attachments = Vec::with_capacity(message.attachments.len());
        for attachment in message.attachments {
            attachments.push(AttachmentFile {
                text: self.attachment_text(&attachment.id).await?,
                name: attachment.name,
                media_type: attachment.media_type,
                bytes: attachment.bytes,
                is_cut: attachment.is_cut,
            });
        }
        // An answer that is being written goes out as it is now, and nobody will write on.
        let state = match message.state {
            State::Streaming => State::Stopped,
            state @ (State::Done | State::Stopped | State::Cut | State::Failed) => state,
        };
        Ok(MessageFile {
            id: message.id,
            parent_id: message.parent_id,
            role: message.role.word().to_owned(),
            content: message.content,
            state: state.word().to_owned(),
            created_ms: message.created_ms,
            model: message.model,
            error: as_value(message.error),
            receipt: as_value(message.receipt),
            thought_ms: message.thought_ms,
            attachments,
        })
    }

    /// The branch of a conversation that is shown, as Markdown, with its title.
    ///
    /// # Errors
    /// No such conversation.
    pub async fn as_markdown(&self, id: &str) -> Result<(String, String), Error> {
        let conversation = self.get(id).await?;
        let mut text = format!("# {}\n", one_line(&conversation.title));
        if let Some(system) = &conversation.system_prompt {
            text.push_str(&format!("\n> {}\n", system.trim().replace('\n', "\n> ")));
        }
        for message in shown_branch(&conversation) {
            let who = match (message.role, &message.model) {
                (Role::User, _) => "You",
                (Role::Assistant, None) => "Assistant",
                (Role::Assistant, Some(model)) => model,
            };
            text.push_str(&format!("\n## {}\n\n", one_line(who)));
            let files = self.files_of(&message.id).await?;
            text.push_str(prompt::with_files(&folded(&message.content), &files).trim());
            text.push('\n');
        }
        Ok((conversation.title, text))
    }
}

/// The messages from the root to the head.
fn shown_branch(conversation: &Conversation) -> Vec<&Message> {
    let by_id: BTreeMap<&str, &Message> = conversation
        .messages
        .iter()
        .map(|message| (message.id.as_str(), message))
        .collect();
    let head = conversation.head_id.as_deref();
    let parent = |message: &&Message| message.parent_id.as_deref().and_then(|id| by_id.get(id).copied());
    let branch = std::iter::successors(head.and_then(|id| by_id.get(id).copied()), parent);
    // A circle, which only a damaged database has, ends.
    let mut branch: Vec<&Message> = branch.take(conversation.messages.len()).collect();
    branch.reverse();
    branch
}

/// An answer whose reasoning is folded.
fn folded(content: &str) -> String {
    match content.trim_start().strip_prefix("<think>") {
        Some(rest) => {
            let (thought, answer) = rest.split_once("</think>").unwrap_or((rest, ""));
            format!(
                "<details><summary>Reasoning</summary>\n\n{}\n\n</details>\n\n{}",
                thought.trim(),
                answer.trim()
            )
        }
        None => content.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// Text of the API as part of the JSON; what is damaged is left out.
fn as_value(text: Option<String>) -> Option<Value> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_form_and_version() {
        let whole: Value = serde_json::from_str(&format!("{HEAD}{TAIL}")).unwrap();
        assert_eq!(
            (&whole["format"], &whole["version"]),
            (&FORMAT.into(), &VERSION.into())
        );
        assert_eq!(whole["conversations"], Value::Array(Vec::new()));
    }

    #[test]
    fn reasoning_is_folded_in_markdown() {
        assert_eq!(
            folded("<think>hm\n</think>\n\nYes."),
            "<details><summary>Reasoning</summary>\n\nhm\n\n</details>\n\nYes."
        );
        assert_eq!(folded("No <think>."), "No <think>.");
    }
}
