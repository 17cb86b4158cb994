//! Conversations: what was asked and answered, as trees of messages; the files that went with the questions; search,
//! folders, presets; what goes in and out as files.
//!
//! This crate keeps and finds, and asks no model: an answer is written by whoever has it ([`Chats::add`],
//! [`Chats::progress`], [`Chats::end`]). Errors, receipts and settings of answers are kept as the text that the API
//! gives, in its own versioned form.
//!
//! ```text
//! bytes of a file ─► text (what it is) ─► pdf::PdfReader ─► a child process, bounded ─► attachment ─► prompt
//! file of chats ─► import::split (one at a time) ─► own, ChatGPT, Open WebUI ─► import::tree ─► messages
//! ```

mod attachments;
mod chats;
mod error;
mod export;
mod folders;
pub mod fuzz;
mod import;
mod messages;
pub mod pdf;
mod presets;
mod prompt;
mod search;
pub mod testing;
mod text;
mod types;

pub use chats::Chats;
pub use error::Error;
pub use export::{HEAD, TAIL};
pub use import::{Imported, Skipped};
pub use messages::{AnswerEnd, NewMessage};
pub use pdf::PdfReader;
pub use prompt::{PromptMessage, with_files};
pub use text::MAX_FILE_BYTES;
pub use types::{
    Attachment, Conversation, Filter, Folder, Message, NewConversation, NewPreset, Patch, Preset,
    PresetPatch, Role, State, Summary,
};

#[cfg(test)]
mod tests;
