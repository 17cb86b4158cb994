//! The OpenAI surface over real, tiny models with random weights.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod forms;
mod loading;
mod support;
