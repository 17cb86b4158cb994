//! The engine as its callers see it: golden data on real models, and behaviour on tiny ones.

mod behaviour;
mod embeddings;
mod golden;
mod hostile;
mod support;
