//! The surface over real sockets: tiny models, small parts in place of chain, miner and gateway.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod accounts;
mod backups;
mod chat;
mod chats;
mod connect;
mod contacts;
mod control;
mod host;
mod keyring;
mod keys;
mod limits;
mod money;
mod morse;
mod openai;
mod operators;
mod origins;
mod page_key;
mod parts;
mod paths;
mod questions;
mod roles;
mod shapes;
mod signing;
mod support;
