//! What the API keeps of its own: conversations, answers that are being written, settings of the page, payments under
//! review.

mod conversations;
#[cfg(test)]
mod formats;
mod reviews;
mod running;
mod search;
mod settings;

pub(crate) use conversations::{AnswerEnd, Conversations, PromptMessage};
pub(crate) use reviews::{OpenReview, Reviews};
pub(crate) use running::{Running, RunningGuard};
pub(crate) use settings::SettingsStore;
