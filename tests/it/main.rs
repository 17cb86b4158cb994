//! Whole-program tests, one module per subject. Each starts `hearth` as a process of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backend;
mod closed;
mod command_line;
mod crash;
mod disk;
mod earning;
mod night;
mod people;
mod refusals;
mod roles;
mod two_nodes;
