//! A change of `config.toml`: checked as the program checks what it reads, then put in place whole, the former kept.

use std::{
    io,
    path::{Path, PathBuf},
};

use config::Map;
use hearth_base::private::write_private;
use serde_json::Value;

use super::{
    edit::{Change, EditError, edited},
    layers::{ConfigError, Layered, load_text, read_file, shown_text},
};

/// Stands for a password where settings are shown.
pub(super) const MASK: &str = "********";

/// Why settings cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error("{key} is set by {origin}, which counts more than the file: change it there")]
    Locked { key: String, origin: String },
    #[error(
        "the new value of {0} has {MASK} in it, which stands for a password that is not shown: write it whole"
    )]
    Masked(String),
    #[error("{0} was changed by somebody else in this moment: look at it, then try again")]
    Moved(PathBuf),
    #[error("{path} cannot be written: may this user write there, and is there room?")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// What the settings alone do not tell.
    #[error("{0}")]
    Beside(String),
}

/// A change that the configuration's own check takes. Nothing is written yet.
#[derive(Debug)]
pub struct Prepared {
    /// The settings as the next start would read them.
    pub next: Layered,
    before: Option<String>,
    text: String,
}

/// Checks changes of the file of `layered`.
///
/// # Errors
/// A key that is none or that environment or flag set; a value that the check of the configuration refuses; a file that
/// cannot be read.
pub fn prepare(layered: &Layered, changes: &[Change]) -> Result<Prepared, ChangeError> {
    prepare_from(layered, changes, None)
}

fn prepare_from(
    layered: &Layered,
    changes: &[Change],
    environment: Option<Map<String, String>>,
) -> Result<Prepared, ChangeError> {
    for Change { key, .. } in changes {
        if let Some(origin) = layered.locked(key) {
            return Err(ChangeError::Locked {
                key: key.clone(),
                origin: origin.to_owned(),
            });
        }
    }
    let before = read_file(&layered.file, false)?;
    // What stands in the file is what was shown; where it cannot be read, what counts is.
    let present = load_text(
        &layered.file,
        before.as_deref(),
        &layered.flags,
        environment.clone(),
    );
    let present = present.as_ref().unwrap_or(layered);
    let changes = changes
        .iter()
        .map(|change| whole(present, change))
        .collect::<Result<Vec<Change>, ChangeError>>()?;
    let text = edited(before.as_deref().unwrap_or_default(), &changes)?;
    let next = load_text(&layered.file, Some(&text), &layered.flags, environment)?;
    Ok(Prepared { next, before, text })
}

/// A change with what is hidden put back: an address that was only shown is the one that is there.
fn whole(present: &Layered, Change { key, value }: &Change) -> Result<Change, ChangeError> {
    let Some(text) = value.as_ref().filter(|text| is_hidden(text)) else {
        return Ok(Change {
            key: key.clone(),
            value: value.clone(),
        });
    };
    let values = present.values()?;
    let values: Vec<&str> = match values.get(key) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => vec![],
    };
    let unhidden = |part: &str| {
        let mut same = values.iter().filter(|value| shown_text(key, value) == part);
        match (is_hidden(part), same.next()) {
            (false, _) => Ok(part.to_owned()),
            (true, Some(value)) => Ok((*value).to_owned()),
            (true, None) => Err(ChangeError::Masked(key.clone())),
        }
    };
    let parts = text.split(['\n', ',']).map(str::trim).map(unhidden);
    let parts = parts.collect::<Result<Vec<String>, ChangeError>>()?;
    Ok(Change {
        key: key.clone(),
        value: Some(parts.join("\n")),
    })
}

impl Prepared {
    /// Puts the new file in place; the former one stays beside it as `config.toml.former`.
    ///
    /// # Errors
    /// A folder that cannot be written, a file that somebody else changed since.
    pub fn write(self) -> Result<Layered, ChangeError> {
        let named = &self.next.file;
        // A link stays one: what it leads to is replaced.
        let path = named.canonicalize().unwrap_or_else(|_| named.clone());
        let refused = |source| ChangeError::Write {
            path: path.clone(),
            source,
        };
        if read_file(&path, false)? != self.before {
            return Err(ChangeError::Moved(path));
        }
        if self.before.as_deref() == Some(self.text.as_str()) {
            return Ok(self.next);
        }
        let about = std::fs::metadata(&path).ok();
        if let Some(before) = &self.before {
            write_private(&beside(&path, "former"), before.as_bytes()).map_err(refused)?;
        }
        let fresh = beside(&path, "fresh");
        write_private(&fresh, self.text.as_bytes()).map_err(refused)?;
        // Whoever could read it before can go on: before it takes the other's place.
        let placed = about
            .map_or(Ok(()), |about| same_readers(&fresh, &about))
            .and_then(|()| std::fs::rename(&fresh, &path));
        placed.map_err(|source| {
            let _ = std::fs::remove_file(&fresh);
            refused(source)
        })?;
        Ok(self.next)
    }
}

/// Gives a file the owner and the mode of another.
#[cfg(unix)]
fn same_readers(path: &Path, of: &std::fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let own = std::fs::metadata(path)?;
    if (own.uid(), own.gid()) != (of.uid(), of.gid()) {
        chown(path, Some(of.uid()), Some(of.gid()))?;
    }
    std::fs::set_permissions(path, of.permissions())
}

#[cfg(not(unix))]
fn same_readers(path: &Path, of: &std::fs::Metadata) -> io::Result<()> {
    std::fs::set_permissions(path, of.permissions())
}

/// `config.toml.former`.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

/// A value without the passwords of the addresses in it.
#[must_use]
pub fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_password(text)),
        Value::Array(values) => Value::Array(values.iter().map(shown).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), shown(value)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether something of a shown text stands for a password.
#[must_use]
pub fn is_hidden(text: &str) -> bool {
    text.contains(MASK)
}

/// An address without the password in it, or without the name where that is all there is: it may be a key. Taken from
/// the text as it stands, since a parsed address writes some characters in another way.
pub(crate) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, host)) = authority.rsplit_once('@') else {
        return text.to_owned();
    };
    let after = &rest[authority.len()..];
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:{MASK}@{host}{after}"),
        None => format!("{scheme}://{MASK}@{host}{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    struct World {
        folder: tempfile::TempDir,
        layered: Layered,
    }

    fn world(text: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        if !text.is_empty() {
            std::fs::write(&file, text).unwrap();
        }
        let flags = [("network".to_owned(), "devnet".to_owned())].into();
        let layered = load(&file, false, &flags).unwrap();
        World { folder, layered }
    }

    impl World {
        fn set(&self, changes: &[(&str, Option<&str>)]) -> Result<Layered, ChangeError> {
            let changes: Vec<Change> = changes
                .iter()
                .map(|(key, value)| Change {
                    key: (*key).to_owned(),
                    value: value.map(str::to_owned),
                })
                .collect();
            prepare_from(&self.layered, &changes, Some(Map::default()))?.write()
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(name)).unwrap()
        }
    }

    #[test]
    fn a_change_is_written_and_the_former_file_kept() {
        let world = world("# mine\n[miner]\nslots = 2\n");
        let next = world.set(&[("miner.slots", Some("3"))]).unwrap();
        assert_eq!(next.settings.miner.slots, 3);
        assert_eq!(world.read("config.toml"), "# mine\n[miner]\nslots = 3\n");
        assert_eq!(world.read("config.toml.former"), "# mine\n[miner]\nslots = 2\n");
        let next = world.set(&[("miner.slots", None)]).unwrap();
        assert_eq!(next.origins["miner.slots"].1, "built-in");
    }

    #[test]
    fn a_file_that_is_not_there_is_made() {
        let world = world("");
        world
            .set(&[
                ("chain.trust.height", Some("5")),
                ("chain.trust.hash", Some(&"ab".repeat(32))),
            ])
            .unwrap();
        assert!(world.read("config.toml").contains("height = 5"));
        assert!(!world.folder.path().join("config.toml.former").exists());
    }

    #[test]
    fn what_the_check_refuses_is_not_written_and_said_in_its_words() {
        let world = world("# mine\n");
        for (changes, said) in [
            (&[("chain.trust.height", Some("5"))][..], "chain.trust needs both"),
            (&[("api.listen", Some("nowhere"))], "no address to listen on"),
            (&[("miner.public_url", Some("ftp://a"))], "https://ftp"),
            (&[("backends.big.weight", Some("2"))], "backends.big has no url"),
            (&[("network", Some("beta"))], "set by flag"),
            (
                &[("miner.backend", Some("http://u:********@h"))],
                "write it whole",
            ),
            (
                &[
                    ("chain.trust.height", Some("5")),
                    ("chain.trust.hash", Some("abc")),
                ],
                "64 hex digits",
            ),
        ] {
            let error = world.set(changes).unwrap_err().to_string();
            assert!(error.contains(said), "{changes:?}: {error}");
        }
        assert_eq!(world.read("config.toml"), "# mine\n");
    }

    #[test]
    fn what_the_environment_sets_is_changed_there() {
        let mut world = world("");
        world.layered.origins.insert(
            "miner.slots".into(),
            (3.into(), "environment HEARTH_MINER__SLOTS".into()),
        );
        let error = world.set(&[("miner.slots", Some("4"))]).unwrap_err().to_string();
        assert!(error.contains("HEARTH_MINER__SLOTS"), "{error}");
    }

    #[test]
    fn a_file_that_somebody_else_changes_meanwhile_is_left_alone() {
        let world = world("# mine\n");
        let change = Change {
            key: "miner.slots".to_owned(),
            value: Some("3".to_owned()),
        };
        let prepared = prepare_from(&world.layered, &[change], Some(Map::default())).unwrap();
        std::fs::write(&world.layered.file, "# theirs\n").unwrap();
        assert!(matches!(prepared.write(), Err(ChangeError::Moved(_))));
        assert_eq!(world.read("config.toml"), "# theirs\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_whoever_could_read_it_still_can() {
        use std::os::unix::fs::PermissionsExt as _;
        let world = world("");
        let real = world.folder.path().join("real.toml");
        std::fs::write(&real, "# mine\n").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&real, &world.layered.file).unwrap();
        world.set(&[("miner.slots", Some("3"))]).unwrap();
        assert!(world.layered.file.is_symlink());
        let about = std::fs::metadata(&real).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o644);
        assert!(world.read("real.toml").contains("slots = 3"));
    }

    #[test]
    fn what_was_only_shown_stays_as_it_is() {
        let keyed = "https://me:pw@rpc.example/v1/0123456789abcdef0123?key=s";
        let file = format!("[chain]\nrpc = [\"{keyed}\"]\n[miner]\nbackend = \"http://u:a=b@h:1\"\n");
        let world = world(&file);
        let on_page = shown_text("chain.rpc", keyed);
        assert!(
            !on_page.contains("pw") && !on_page.contains("0123456789abcdef") && is_hidden(&on_page),
            "{on_page}"
        );
        let both = format!("{on_page}\nhttp://second");
        let next = world.set(&[("chain.rpc", Some(&both))]).unwrap();
        let urls: Vec<&str> = next.settings.chain.rpc.iter().map(url::Url::as_str).collect();
        assert_eq!(urls, [keyed, "http://second/"]);
        // A single address, too; one that is not there cannot be meant.
        world
            .set(&[("miner.backend", Some("http://u:********@h:1"))])
            .unwrap();
        assert!(world.read("config.toml").contains("http://u:a=b@h:1"));
        let other = world.set(&[("chain.rpc", Some("https://me:********@other"))]);
        assert!(matches!(other, Err(ChangeError::Masked(_))));
    }

    #[test]
    fn passwords_are_not_shown() {
        let value = serde_json::json!(["https://user:pa55@host/v1", "http://host", "text"]);
        assert_eq!(
            shown(&value),
            serde_json::json!(["https://user:********@host/v1", "http://host", "text"])
        );
        // What a parsed address would write in another way, and a key in the place of a name.
        for (hidden, plain) in [
            ("http://u:a=b;c@h:1", "http://u:********@h:1"),
            ("http://u:p@ss@h/a@b", "http://u:********@h/a@b"),
            ("https://key@h?x=1", "https://********@h?x=1"),
            ("http://h/a@b", "http://h/a@b"),
        ] {
            assert_eq!(without_password(hidden), plain);
        }
    }
}
