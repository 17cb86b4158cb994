//! Whole-program tests, one module per subject. Each starts `hearth` as a process of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alone;
mod apart;
mod backend;
mod backups;
mod closed;
mod command_line;
mod crash;
mod disk;
mod earning;
mod money;
mod morse;
mod night;
mod people;
mod refusals;
mod roles;
mod settings;
mod suppliers;
mod two_nodes;
