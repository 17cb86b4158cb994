//! Why something is refused: one code for each fact with its figures by name, so that every surface can say it in the
//! person's language, beside the words of the terminal.

use std::{collections::BTreeMap, io};

/// A fact by its stable code, and its figures by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub code: &'static str,
    pub values: BTreeMap<&'static str, String>,
}

impl Fact {
    pub(crate) fn new(code: &'static str) -> Fact {
        Fact {
            code,
            values: BTreeMap::new(),
        }
    }

    /// As it is kept: code and figures.
    pub(crate) fn into_stored(self) -> (String, BTreeMap<String, String>) {
        let values = self.values.into_iter();
        (
            self.code.to_owned(),
            values.map(|(name, value)| (name.to_owned(), value)).collect(),
        )
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Fact {
        self.values.insert(name, value.to_string());
        self
    }

    /// What the system says of a path.
    pub(crate) fn of_io(error: &io::Error) -> Fact {
        let known = [
            (io::ErrorKind::NotFound, "file_unseen"),
            (io::ErrorKind::PermissionDenied, "file_denied"),
            (io::ErrorKind::StorageFull, "disk_full"),
            (io::ErrorKind::QuotaExceeded, "disk_full"),
        ];
        let found = known.into_iter().find(|(kind, _)| *kind == error.kind());
        Fact::new(found.map_or("file_unreadable", |(_, code)| code))
    }
}

/// Why a model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub fact: Fact,
    /// What happened and what to do.
    pub text: String,
}
