//! Where the programs of the person who runs this keep their settings.

use std::{
    env,
    path::{Path, PathBuf},
};

use hearth_connect::Places;

/// The folders of this user; `None` where there is no home folder.
#[must_use]
pub fn places() -> Option<Places> {
    let home = directories::BaseDirs::new()?.home_dir().to_owned();
    // A path that is not absolute means another place in every folder.
    let folder = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let commands = env::var_os("PATH").map(|path| env::split_paths(&path).collect());
    Some(Places {
        config: folder("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
        claude: folder("CLAUDE_CONFIG_DIR"),
        codex: folder("CODEX_HOME"),
        commands: commands.unwrap_or_default(),
        home,
    })
}

/// Whether a node on these data runs as a person: a service has no home of its own, or its data are its home.
#[must_use]
pub fn is_a_person(places: &Places, data: &Path) -> bool {
    let home = places.home.as_path();
    let is_service = home.starts_with(data) || home.starts_with(SERVICE_DATA) || home.parent().is_none();
    home.is_dir() && !is_service
}

/// The credential with the passphrase of the working key that systemd gave this service, where it did.
#[must_use]
pub fn working_key_credential() -> Option<PathBuf> {
    let folder = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)?;
    Some(folder.join("hearth.pass")).filter(|path| path.is_file())
}

/// Where services have what takes the place of a home.
const SERVICE_DATA: &str = "/var/lib";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_no_person() {
        let folder = tempfile::tempdir().unwrap();
        let with_home = |home: &Path| Places {
            home: home.to_owned(),
            config: home.join(".config"),
            claude: None,
            codex: None,
            commands: Vec::new(),
        };
        let data = folder.path().join(".local/share/hearth");
        assert!(is_a_person(&with_home(folder.path()), &data));
        assert!(!is_a_person(&with_home(&folder.path().join("none")), &data));
        for home in ["/", "/var/lib/hearth", "/nonexistent"] {
            assert!(!is_a_person(&with_home(Path::new(home)), &data), "{home}");
        }
        assert!(!is_a_person(&with_home(folder.path()), folder.path()));
    }
}
