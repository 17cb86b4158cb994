//! What was written for which program, kept in the data directory so that it can be taken back.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use hearth_base::private::write_private;
use hearth_store::stored::{self, Stored};
use serde::{Deserialize, Serialize};

use crate::{
    edit::{Change, Format},
    error::Error,
    program::Program,
};

/// What was written for one program. Without `Debug`: what stood in its file may be a key of another service.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The file, as the program names it.
    pub path: PathBuf,
    pub format: Format,
    pub model: String,
    /// The node's address in it.
    pub root: String,
    /// The API key's id: the key itself lies in the file alone.
    pub key_id: String,
    pub written_at_ms: i64,
    /// SHA-256 of the file before, in hex; `None` where there was none.
    pub before: Option<String>,
    /// And after.
    pub after: String,
    /// The rights that it had.
    pub mode: Option<u32>,
    pub changes: Vec<Change>,
    pub made: Vec<Vec<String>>,
}

/// All that was written, by the program's id.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    connections: BTreeMap<String, Connection>,
}

impl Stored for Record {
    const WHAT: &'static str = "the list of connected programs";
    const VERSION: u64 = 1;
}

impl Record {
    pub(crate) fn read(path: &Path) -> Result<Record, Error> {
        match fs::read(path) {
            Ok(bytes) => Ok(stored::read(bytes, path.display())?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
            Err(source) => Err(Error::Io {
                path: path.to_owned(),
                done: "read",
                source,
            }),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let text = stored::write(self).map_err(io::Error::other);
        text.and_then(|text| write_private(path, text.as_bytes()))
            .map_err(|source| Error::Io {
                path: path.to_owned(),
                done: "written",
                source,
            })
    }

    pub(crate) fn get(&self, program: Program) -> Option<&Connection> {
        self.connections.get(program.id())
    }

    pub(crate) fn put(&mut self, program: Program, connection: Option<Connection>) {
        match connection {
            Some(connection) => self.connections.insert(program.id().to_owned(), connection),
            None => self.connections.remove(program.id()),
        };
    }
}
