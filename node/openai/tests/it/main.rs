//! The OpenAI surface over real, tiny models with random weights.

mod answers;
mod loading;
mod support;
