//! Tests over more than one file of this crate: golden data, downloads, files that change.

mod downloads;
mod formats;
mod gateways;
pub(crate) mod generators;
mod liars;
mod local;
mod refusals;
mod replay;
mod serving;
mod unixfs;
