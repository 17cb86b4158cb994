//! Kinds of failure: who must act, so that loops need not match the variants of foreign errors.

use std::error::Error;

/// What a caller does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may pass: try again later.
    Retry,
    /// This item is lost, the rest goes on.
    Skip,
    /// The node cannot go on in this state: stop it cleanly.
    Stop,
}

/// An error that says what to do about it.
pub trait Failure: Error {
    /// What a caller does about this failure.
    fn kind(&self) -> Kind;
}

/// The texts of an error and of all its causes, joined by `: `, for a log line or a terminal.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat the cause in their own text.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
