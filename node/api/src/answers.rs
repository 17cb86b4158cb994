//! Answers of models, wherever they run, and those that belong to a conversation.

mod answer;
mod chunk;
mod upstream;

pub(crate) use answer::ask;
pub(crate) use upstream::send;
