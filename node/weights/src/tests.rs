//! Tests over more than one file of this crate: golden data, downloads, files that change.

mod downloads;
mod generators;
mod local;
mod replay;
mod serving;
mod unixfs;
