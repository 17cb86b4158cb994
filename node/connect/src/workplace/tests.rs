//! Files of a home folder: written, taken back, refused.

use std::{fs, path::Path};

use super::*;
use crate::KEY_PLACEHOLDER;

struct Home {
    folder: tempfile::TempDir,
    work: Workplace,
}

fn home() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let work = Workplace {
        places: Places {
            config: home.join(".config"),
            claude: None,
            codex: None,
            commands: Vec::new(),
            home,
        },
        record: folder.path().join("data/connections.json"),
    };
    Home { folder, work }
}

fn target(key: &str) -> Target {
    Target {
        root: "http://127.0.0.1:4327".to_owned(),
        model: "m".to_owned(),
        title: "M".to_owned(),
        context: None,
        key: key.to_owned(),
    }
}

impl Home {
    fn path(&self, name: &str) -> PathBuf {
        self.work.places.home.join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn connect(&self, program: Program, key: &str) -> Result<Written, Error> {
        let seen = self.work.preview(program, &target(KEY_PLACEHOLDER))?.seen;
        self.work
            .write(program, &target(key), &format!("id of {key}"), &seen, 7)
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_is_written_and_becomes_what_it_was() {
    let home = home();
    let before = "{\"env\":{\"A\":\"1\"}}";
    let path = home.put(".claude/settings.json", before);
    let backup = home.path(".claude/settings.json.hearth-backup");
    let written = home.connect(Program::ClaudeCode, "sk-1").unwrap();
    assert_eq!(written.old_key_id, None);
    assert!(text(&path).contains("sk-1"));
    assert_eq!(text(&backup), before);
    let record = text(&home.work.record);
    assert!(
        !record.contains("\"sk-1\"") && record.starts_with("{\"version\":1"),
        "{record}"
    );

    // Connected once more: what was there at first is still known.
    let written = home.connect(Program::ClaudeCode, "sk-2").unwrap();
    assert_eq!(written.old_key_id.as_deref(), Some("id of sk-1"));
    assert!(!text(&path).contains("sk-1"));
    assert_eq!(text(&backup), before);

    let undone = home.work.undo(Program::ClaudeCode).unwrap();
    assert_eq!((undone.key_id.as_str(), undone.is_removed), ("id of sk-2", false));
    assert_eq!(text(&path), before, "to the last byte, though it was on one line");
    assert!(!backup.exists());
    assert!(home.work.connection(Program::ClaudeCode).unwrap().is_none());
    let error = home.work.undo(Program::ClaudeCode).err().unwrap();
    assert_eq!(error.code(), "not_connected");
}

#[test]
fn a_file_that_was_not_there_goes_again_unless_somebody_used_it() {
    let home = home();
    home.connect(Program::Codex, "k").unwrap();
    let path = home.path(".codex/config.toml");
    assert!(text(&path).contains("[model_providers.hearth]"));
    assert!(home.work.undo(Program::Codex).unwrap().is_removed);
    assert!(!path.exists());

    home.connect(Program::Codex, "k").unwrap();
    fs::write(&path, format!("mine = true\n{}", text(&path))).unwrap();
    let undone = home.work.undo(Program::Codex).unwrap();
    assert!(!undone.is_removed && undone.kept.is_empty());
    assert_eq!(text(&path).trim(), "mine = true");

    // Gone meanwhile: there is nothing to take back.
    home.connect(Program::Codex, "k").unwrap();
    fs::remove_file(&path).unwrap();
    assert!(home.work.undo(Program::Codex).unwrap().is_removed);
}

#[test]
fn the_copy_of_a_file_that_is_gone_stays() {
    let home = home();
    let path = home.put(".claude/settings.json", "{\"mine\": 1}\n");
    home.connect(Program::ClaudeCode, "k").unwrap();
    fs::remove_file(&path).unwrap();
    assert!(home.work.undo(Program::ClaudeCode).unwrap().is_removed);
    let backup = home.path(".claude/settings.json.hearth-backup");
    assert_eq!(text(&backup), "{\"mine\": 1}\n", "it is all that is left of it");
}

#[test]
fn only_what_was_shown_is_written() {
    let home = home();
    let path = home.put(".aider.conf.yml", "model: a\n");
    let seen = home.work.preview(Program::Aider, &target("k")).unwrap().seen;
    fs::write(&path, "model: b\n").unwrap();
    let error = home
        .work
        .write(Program::Aider, &target("k"), "id", &seen, 7)
        .err()
        .unwrap();
    assert_eq!(error.code(), "settings_changed");
    assert_eq!(text(&path), "model: b\n");
    assert!(!home.work.record.exists());
}

#[test]
fn what_is_not_what_it_seems_is_refused() {
    let home = home();
    fs::create_dir_all(home.path(".codex/config.toml")).unwrap();
    let code = |program| home.work.preview(program, &target("k")).err().unwrap().code();
    assert_eq!(code(Program::Codex), "no_settings_file");
    home.put(".aider.conf.yml", &"a".repeat((1 << 20) + 1));
    assert_eq!(code(Program::Aider), "settings_too_large");
    fs::write(home.path(".aider.conf.yml"), b"model: \xff\n").unwrap();
    assert_eq!(code(Program::Aider), "no_settings_file");
    home.put(".claude/settings.json", "{ broken");
    assert_eq!(code(Program::ClaudeCode), "settings_not_editable");
    assert_eq!(code(Program::Curl), "only_shown");
    fs::create_dir_all(home.work.record.parent().unwrap()).unwrap();
    fs::write(&home.work.record, "{\"version\":9}").unwrap();
    assert_eq!(code(Program::Zed), "connections_unreadable");
}

#[cfg(unix)]
#[test]
fn rights_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let home = home();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let real = home.put("dotfiles/claude.json", "{}\n");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir_all(home.path(".claude")).unwrap();
    let link = home.path(".claude/settings.json");
    symlink(&real, &link).unwrap();
    home.connect(Program::ClaudeCode, "k").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&real), 0o600, "a key is in it");
    home.work.undo(Program::ClaudeCode).unwrap();
    assert_eq!((mode(&real), text(&real).as_str()), (0o644, "{}\n"));

    // A link to nothing says nothing about where its file is to be.
    fs::remove_file(&real).unwrap();
    assert_eq!(
        home.connect(Program::ClaudeCode, "k").err().unwrap().code(),
        "no_settings_file"
    );

    let path = home.put(".aider.conf.yml", "a: 1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(
        home.connect(Program::Aider, "k").err().unwrap().code(),
        "settings_read_only"
    );
    assert_eq!(text(&path), "a: 1\n");
    assert!(
        home.work.connection(Program::Aider).unwrap().is_none(),
        "nothing is noted"
    );
}

#[test]
fn a_file_that_moved_is_taken_back_where_it_was() {
    let mut home = home();
    home.connect(Program::Codex, "k1").unwrap();
    let old = home.path(".codex/config.toml");
    home.work.places.codex = Some(home.folder.path().join("elsewhere"));
    let written = home.connect(Program::Codex, "k2").unwrap();
    assert_eq!(written.old_key_id.as_deref(), Some("id of k1"));
    assert!(!old.exists());
    assert!(text(&home.folder.path().join("elsewhere/config.toml")).contains("k2"));
}
