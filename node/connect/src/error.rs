//! Why a program is not connected.

use std::{io, path::PathBuf};

use hearth_store::stored::Unreadable;

use crate::edit::EditError;

/// Why a program's file is not written, or not taken back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} has no file of settings that is written")]
    OnlyShown(&'static str),
    #[error("{0} is not connected")]
    NotConnected(&'static str),
    #[error("{path} is {what}")]
    NoFile { path: PathBuf, what: &'static str },
    #[error("{path} has {bytes} bytes, and settings have at most {most}")]
    TooLarge { path: PathBuf, bytes: u64, most: u64 },
    #[error("{0} may only be read")]
    ReadOnly(PathBuf),
    #[error("{0} belongs to another user")]
    OtherOwner(PathBuf),
    #[error("{0} was changed since it was shown")]
    Changed(PathBuf),
    #[error("{path} is left as it is: {source}")]
    Edit {
        path: PathBuf,
        #[source]
        source: EditError,
    },
    #[error("{path} cannot be {done}")]
    Io {
        path: PathBuf,
        done: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Record(#[from] Unreadable),
}

impl Error {
    /// A stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Error::OnlyShown(_) => "only_shown",
            Error::NotConnected(_) => "not_connected",
            Error::NoFile { .. } => "no_settings_file",
            Error::TooLarge { .. } => "settings_too_large",
            Error::ReadOnly(_) => "settings_read_only",
            Error::OtherOwner(_) => "settings_of_another",
            Error::Changed(_) => "settings_changed",
            Error::Edit { .. } => "settings_not_editable",
            Error::Io { .. } => "settings_unwritable",
            Error::Record(_) => "connections_unreadable",
        }
    }

    /// What it means and what to do.
    #[must_use]
    pub const fn words(&self) -> (&'static str, &'static str) {
        match self {
            Error::OnlyShown(_) => (
                "Nothing was written.",
                "Copy what is shown for it into the program.",
            ),
            Error::NotConnected(_) => (
                "Hearth has written nothing there, so nothing is taken back.",
                "`hearth connect` lists what is connected.",
            ),
            Error::NoFile { .. } | Error::TooLarge { .. } => (
                "Nothing was written.",
                "Move it away, or copy the lines that are shown into the file that the program reads.",
            ),
            Error::ReadOnly(_) => (
                "Nothing was written.",
                "Make it writable, or copy the lines that are shown into it; files that another program makes are changed there.",
            ),
            Error::OtherOwner(_) => ("Nothing was written.", "Run it as the user whose file it is."),
            Error::Changed(_) => ("Nothing was written.", "Look at it once more."),
            Error::Edit { .. } => (
                "Nothing was written.",
                "Mend that line, or copy the lines that are shown into the file yourself.",
            ),
            Error::Io { .. } => ("", "Is there room, and may this user write there?"),
            Error::Record(_) => ("Nothing was written.", ""),
        }
    }
}
