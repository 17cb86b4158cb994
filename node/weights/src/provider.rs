//! Where blocks come from. A source is trusted with nothing: all it gives is hashed.
//!
//! The one kind now is a trustless gateway over HTTP. Others (bitswap) come in behind the same trait.

mod answer;
mod http;

pub use http::{HttpGateway, HttpLimits};

use async_trait::async_trait;
use cid::Cid;
use futures::stream::BoxStream;

use crate::{
    block::{Block, BlockError},
    car::CarError,
};

/// A source of blocks.
#[async_trait]
pub trait Source: Send + Sync {
    /// Its name for people: an address.
    fn name(&self) -> &str;

    /// One block.
    async fn block(&self, cid: &Cid) -> Result<Block, SourceError>;

    /// The blocks that hold the bytes `from` to `to` (inclusive) of a file, with the nodes above them, in any
    /// order. Blocks may be missing without an error: the caller counts. After [`SourceError::Bad`] the stream
    /// goes on.
    fn span<'a>(&'a self, root: Cid, from: u64, to: u64) -> BoxStream<'a, Result<Block, SourceError>>;
}

/// Why a source did not give a block.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{source_name} does not have it")]
    NotThere { source_name: String },
    #[error("{source_name} refuses to give it (status {status}): choose another source")]
    Refused { source_name: String, status: u16 },
    #[error("{source_name} is busy (status {status}){}", wait_words(*retry_after_s))]
    Busy {
        source_name: String,
        status: u16,
        retry_after_s: Option<u64>,
    },
    #[error("{source_name} answers with status {status}: is it a trustless gateway?")]
    Status { source_name: String, status: u16 },
    #[error("{source_name} sends \"{content_type}\" instead of blocks: is it a trustless gateway?")]
    ContentType {
        source_name: String,
        content_type: String,
    },
    #[error("{source_name} cannot be reached: is it on, and is its address right?")]
    Unreachable {
        source_name: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{source_name} sent nothing for {seconds} s")]
    Stalled { source_name: String, seconds: u64 },
    #[error("{source_name} sent a bad block")]
    Bad {
        source_name: String,
        #[source]
        source: BlockError,
    },
    #[error("{source_name} sent a broken CAR")]
    Car {
        source_name: String,
        #[source]
        source: CarError,
    },
    #[error("{source_name} sends blocks without end that nobody asked for")]
    Flood { source_name: String },
    #[error("\"{0}\" is no address of a gateway: write http://HOST:PORT or https://HOST")]
    Address(String),
}

/// How long a source asks to be left alone.
fn wait_words(retry_after_s: Option<u64>) -> String {
    match retry_after_s {
        None | Some(0) => String::new(),
        Some(seconds @ ..120) => format!(" and asks to be left alone for {seconds} s"),
        Some(seconds) => format!(" and asks to be left alone for {} minutes", seconds.div_ceil(60)),
    }
}

/// What a failure says about the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceState {
    /// It works, but lacks this block.
    Lacks,
    /// It may work later.
    Ails,
    /// It lies or is of another kind: ask it no more.
    Unfit,
}

impl SourceError {
    pub(crate) fn source_state(&self) -> SourceState {
        match self {
            SourceError::NotThere { .. } => SourceState::Lacks,
            // It said when: until then it is not asked again.
            SourceError::Busy {
                retry_after_s: Some(_),
                ..
            } => SourceState::Unfit,
            SourceError::Busy { .. }
            | SourceError::Unreachable { .. }
            | SourceError::Stalled { .. }
            | SourceError::Status { status: 500.., .. }
            | SourceError::Car {
                source: CarError::Torn(_),
                ..
            } => SourceState::Ails,
            SourceError::Refused { .. }
            | SourceError::Status { .. }
            | SourceError::ContentType { .. }
            | SourceError::Bad { .. }
            | SourceError::Car { .. }
            | SourceError::Flood { .. }
            | SourceError::Address(_) => SourceState::Unfit,
        }
    }
}
