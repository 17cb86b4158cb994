//! Folders: plain names that are there as long as a conversation lies in one.

use crate::{Chats, Error, Folder};

/// The most characters of the name of a folder or a preset.
pub(crate) const MAX_NAME_CHARS: usize = 100;

impl Chats {
    /// All folders, by name.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn folders(&self) -> Result<Vec<Folder>, Error> {
        let sql = "SELECT folder, count(CASE WHEN archived = 0 THEN 1 END) FROM conversation \
                   WHERE folder IS NOT NULL GROUP BY folder ORDER BY lower(folder), folder";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&self.pool).await?;
        let folder = |(name, conversations)| Folder {
            name,
            conversations: u32::try_from(conversations).unwrap_or(u32::MAX),
        };
        Ok(rows.into_iter().map(folder).collect())
    }

    /// Gives a folder another name, and says whose conversations it lies around. An empty name takes them out; that of
    /// another folder puts both together.
    ///
    /// # Errors
    /// No such folder, or a name that none can have.
    pub async fn rename_folder(&self, from: &str, to: &str) -> Result<Vec<String>, Error> {
        let to = folder_name(to.to_owned())?;
        let ids: Vec<String> =
            sqlx::query_scalar("UPDATE conversation SET folder = ? WHERE folder = ? RETURNING id")
                .bind(to)
                .bind(from)
                .fetch_all(&self.pool)
                .await?;
        if ids.is_empty() {
            return Err(Error::NotFound("folder"));
        }
        Ok(ids)
    }
}

/// The name of a folder; `None` for none.
pub(crate) fn folder_name(name: String) -> Result<Option<String>, Error> {
    if name.trim().is_empty() {
        return Ok(None);
    }
    name_of("a folder", &name).map(Some)
}

/// A name on one line, of a length that lists can show.
pub(crate) fn name_of(what: &str, name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::refused(format!("{what} needs a name")));
    }
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Error::refused(format!(
            "the name of {what} has at most {MAX_NAME_CHARS} characters, on one line"
        )));
    }
    Ok(name.to_owned())
}
