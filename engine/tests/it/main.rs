//! The engine as its callers see it: golden data on real models, and behaviour on tiny ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod behaviour;
mod constraints;
mod embeddings;
mod families;
mod golden;
mod hostile;
mod inspecting;
mod repeatable;
mod scoring;
mod support;
mod templates;
mod thinking;
