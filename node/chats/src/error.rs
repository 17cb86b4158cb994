//! Why a call on conversations fails.

use hearth_base::{Failure, Kind};

/// Why a call on conversations fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The input is wrong; the text says what, and what to do.
    #[error("{0}")]
    Refused(String),
    #[error("this conversation is too long: begin a new one")]
    TooLong,
    /// Others have to be finished first.
    #[error("too many files are read at once: try again in a moment")]
    Busy,
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),
    #[error("a file or program of this computer cannot be used")]
    System(#[from] std::io::Error),
}

impl Error {
    pub(crate) fn refused(why: impl Into<String>) -> Error {
        Error::Refused(why.into())
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Busy | Error::Database(_) | Error::System(_) => Kind::Retry,
            Error::NotFound(_) | Error::Refused(_) | Error::TooLong => Kind::Skip,
        }
    }
}
