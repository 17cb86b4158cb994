//! The surface over real sockets: tiny models, small parts in place of chain, miner and gateway.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod chat;
mod chats;
mod connect;
mod control;
mod keys;
mod limits;
mod money;
mod openai;
mod origins;
mod parts;
mod paths;
mod roles;
mod shapes;
mod support;
