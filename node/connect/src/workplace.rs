//! Writes programs' files, and takes back what was written.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::{
    diff::{Line, diff},
    edit::{self, EditError, Edited, Format},
    error::Error,
    file::{self, Found, beside},
    places::Places,
    program::Program,
    record::{Connection, Record},
    settings::settings,
    target::Target,
};

/// The ending of the copy that is kept of a file while it is connected.
const BACKUP: &str = "hearth-backup";

/// Where programs' files lie, and where it is noted what was written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workplace {
    pub places: Places,
    /// The file of the record, in the data directory.
    pub record: PathBuf,
}

/// What would be written. Without `Debug`: the file may hold keys.
pub struct Preview {
    pub path: PathBuf,
    pub lines: Vec<Line>,
    /// Stands for the file as it was read: what is written later must be what was shown.
    pub seen: String,
}

/// What was written.
pub struct Written {
    pub connection: Connection,
    /// The key that an earlier connection wrote there; nobody needs it any more.
    pub old_key_id: Option<String>,
}

/// What was taken back.
pub struct Undone {
    pub path: PathBuf,
    pub key_id: String,
    /// Settings that somebody has changed since, and that stay as they are.
    pub kept: Vec<String>,
    /// The file is gone: there was none before.
    pub is_removed: bool,
}

/// A program's file, and what it was before Hearth wrote there.
struct Before {
    path: PathBuf,
    format: Format,
    found: Found,
    /// Its text without what an earlier connection wrote.
    clean: Option<String>,
    old: Option<Connection>,
}

impl Workplace {
    /// What was written for a program.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn connection(&self, program: Program) -> Result<Option<Connection>, Error> {
        Ok(Record::read(&self.record)?.get(program).cloned())
    }

    /// What would be written for a program.
    ///
    /// # Errors
    /// A program without a file, and a file that is not what it seems or cannot be edited.
    pub fn preview(&self, program: Program, target: &Target) -> Result<Preview, Error> {
        let before = self.before(program)?;
        let edited = before.edited(program, target)?;
        let now = before.found.text.as_deref().unwrap_or_default();
        Ok(Preview {
            lines: diff(now, &edited.text),
            seen: digest(now),
            path: before.path,
        })
    }

    /// Writes what connects a program, if its file is still the one that was `seen`.
    ///
    /// # Errors
    /// As [`Workplace::preview`], a file that changed, and one that cannot be written.
    pub fn write(
        &self,
        program: Program,
        target: &Target,
        key_id: &str,
        seen: &str,
        now_ms: i64,
    ) -> Result<Written, Error> {
        let mut before = self.before(program)?;
        let now = before.found.text.as_deref().unwrap_or_default();
        if digest(now) != seen {
            return Err(Error::Changed(before.path));
        }
        let edited = before.edited(program, target)?;
        // Its file lay elsewhere when it was connected.
        let moved = match self.connection(program)? {
            Some(old) if old.path != before.path => Some(self.undo(program)?.key_id),
            Some(_) | None => None,
        };
        let old = before.old.take();
        let mode = old.as_ref().map_or(before.found.mode, |old| old.mode);
        let connection = Connection {
            format: before.format,
            model: target.model.clone(),
            root: target.root.clone(),
            key_id: key_id.to_owned(),
            written_at_ms: now_ms,
            before: before.clean.as_deref().map(digest),
            after: digest(&edited.text),
            mode,
            changes: edited.changes,
            made: edited.made,
            path: before.path,
        };
        if let Some(clean) = &before.clean {
            file::write(&beside(&before.found.real, BACKUP), clean, mode)?;
        }
        // Noted first: what is in the file and not in the record could not be taken back.
        let mut record = Record::read(&self.record)?;
        record.put(program, Some(connection.clone()));
        record.write(&self.record)?;
        let mode = if program.keeps_key_in_file() {
            file::private_mode(before.found.mode)
        } else {
            before.found.mode
        };
        if let Err(error) = file::write(&before.found.real, &edited.text, mode) {
            record.put(program, old);
            record.write(&self.record)?;
            return Err(error);
        }
        Ok(Written {
            connection,
            old_key_id: old.map(|old| old.key_id).or(moved),
        })
    }

    /// Takes back what was written for a program. What somebody else changed since stays.
    ///
    /// # Errors
    /// A program that is not connected, and a file that cannot be edited or written any more.
    pub fn undo(&self, program: Program) -> Result<Undone, Error> {
        let mut record = Record::read(&self.record)?;
        let Some(old) = record.get(program).cloned() else {
            return Err(Error::NotConnected(program.title()));
        };
        let found = file::read(&old.path)?;
        let backup = beside(&found.real, BACKUP);
        let (text, kept) = without(&found, &old).map_err(|source| Error::Edit {
            path: old.path.clone(),
            source,
        })?;
        match &text {
            Some(text) => file::write(&found.real, text, old.mode.or(found.mode))?,
            None => file::remove(&found.real)?,
        }
        record.put(program, None);
        record.write(&self.record)?;
        // Where somebody took the file away meanwhile, the copy is all that is left of it.
        if found.text.is_some() {
            file::remove(&backup)?;
        }
        Ok(Undone {
            path: old.path,
            key_id: old.key_id,
            kept,
            is_removed: text.is_none(),
        })
    }

    fn before(&self, program: Program) -> Result<Before, Error> {
        let (path, format) = self
            .places
            .file(program)
            .ok_or(Error::OnlyShown(program.title()))?;
        let mut old = self.connection(program)?;
        if old.as_ref().is_some_and(|old| old.path != path) {
            // Its file lay elsewhere then.
            old = None;
        }
        let found = file::read(&path)?;
        let clean = match &old {
            Some(old) => {
                without(&found, old)
                    .map_err(|source| Error::Edit {
                        path: path.clone(),
                        source,
                    })?
                    .0
            }
            None => found.text.clone(),
        };
        Ok(Before {
            path,
            format,
            found,
            clean,
            old,
        })
    }
}

impl Before {
    fn edited(&self, program: Program, target: &Target) -> Result<Edited, Error> {
        let clean = self.clean.as_deref().unwrap_or_default();
        edit::set(self.format, clean, &settings(program, target)).map_err(|source| Error::Edit {
            path: self.path.clone(),
            source,
        })
    }
}

/// A file's text without what a connection wrote, and the settings that keep what somebody wrote since. `None`: there is
/// no file then.
fn without(found: &Found, old: &Connection) -> Result<(Option<String>, Vec<String>), EditError> {
    let Some(text) = &found.text else {
        return Ok((None, Vec::new()));
    };
    // Nobody touched it: it becomes what it was, to the last byte.
    if digest(text) == old.after {
        let Some(before) = &old.before else {
            return Ok((None, Vec::new()));
        };
        let backup = file::read(&beside(&found.real, BACKUP))
            .ok()
            .and_then(|backup| backup.text);
        if let Some(backup) = backup.filter(|backup| digest(backup) == *before) {
            return Ok((Some(backup), Vec::new()));
        }
    }
    let taken = edit::take(old.format, text, &old.changes, &old.made)?;
    let is_nothing = matches!(taken.text.trim(), "" | "{}");
    let text = (old.before.is_some() || !is_nothing).then_some(taken.text);
    Ok((text, taken.kept))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests;
