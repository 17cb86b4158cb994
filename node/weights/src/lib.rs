//! Content-addressed weights: import, fetch, verify, share, catalogue, quota.
//!
//! A model is a [`Manifest`]: a small DAG-CBOR block that names files by their UnixFS roots; its CID is the model's
//! identity. The files are the store: an added model stays in the owner's folder, a pulled one lies in the weights
//! folder, and both are served to others straight out of these files. There is never a second copy.
//!
//! ```text
//!  hearth model add ──▶ add ──▶ hashing ──┐                     ┌──▶ open ──▶ VerifiedModel ──▶ engine
//!                                         ├──▶ records (SQLite) ┤
//!  hearth model pull ─▶ download ─────────┘                     └──▶ filestore ──▶ gateway  /ipfs/{cid}
//!                          ▲ provider (HTTP gateway)
//! ```
//! Invariants: a [`Block`] exists only hashed; a [`VerifiedModel`] exists only compared with its manifest; what the
//! database says is on disk was synced before; all that is read from others is bounded before room is made for it.

#![allow(
    clippy::result_large_err,
    reason = "errors name the CID that they are about, 96 bytes, and are rare"
)]

mod add;
pub mod block;
pub mod car;
pub mod catalogue;
mod cid_text;
mod config;
mod disk;
mod download;
mod filestore;
pub mod fuzz;
pub mod gateway;
mod hashing;
mod inspect;
pub mod manifest;
mod open;
pub mod provider;
mod records;
mod refusal;
pub mod speed;
pub mod unixfs;
mod varint;
mod verified;
mod weights;

pub use add::{AddError, AddOptions};
pub use block::Block;
pub use cid::Cid;
pub use cid_text::{NoCid, parse_cid};
pub use config::{Config, ConfigError};
pub use download::{Backoff, Download, PullError, State as DownloadState};
pub use inspect::Inspector;
pub use manifest::{Manifest, ManifestFile, ModelKind};
pub use open::{FileVerdict, OpenError, Verification};
pub use records::{Origin, RecordsError};
pub use refusal::{Fact, Refusal};
pub use verified::{Changed, VerifiedFile, VerifiedModel};
pub use weights::{Args, Error, FileState, LocalFile, Model, RemoveError, Weights};

#[cfg(test)]
mod tests;
