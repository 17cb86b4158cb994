//! The configuration as the Settings page shows it: what counts, and what will with the next start.

use std::collections::BTreeSet;

use hearth_api::{
    ApiError,
    control::types::{ConfigKind, ConfigPage, ConfigSetting},
};
use serde_json::Value;

use crate::{
    config::{self, BUILT_IN, ChangeError, ConfigError, EditError, Kind, Layered, Setting, shown},
    reconfigure::AT_ONCE,
};

/// The page. `now` is what counts; the file is read again, since whoever may write it may have done so.
pub(crate) fn page(now: &Layered, can_restart: bool) -> ConfigPage {
    let (next, problem) = match config::load(&now.file, false, &now.flags) {
        Ok(next) => (next, None),
        Err(error) => (now.clone(), Some(hearth_base::failure::chain(&error))),
    };
    let keys: BTreeSet<&String> = now.origins.keys().chain(next.origins.keys()).collect();
    let differing = next.differing(now);
    let settings: Vec<ConfigSetting> = keys
        .into_iter()
        .filter_map(|key| setting(key, now, &next, differing.contains(key)))
        .collect();
    ConfigPage {
        file: now.file.display().to_string(),
        needs_restart: settings.iter().any(|setting| setting.in_force.is_some()),
        settings,
        can_restart,
        problem,
    }
}

fn setting(key: &str, now: &Layered, next: &Layered, differs: bool) -> Option<ConfigSetting> {
    let (kind, choices) = kind(Setting::of(key)?.kind);
    let text = |layered: &Layered| layered.origins.get(key).map(|(value, _)| text(value));
    let (value, in_force) = (text(next).unwrap_or_default(), text(now).unwrap_or_default());
    let origin = next
        .origins
        .get(key)
        .map_or(BUILT_IN, |(_, origin)| origin.as_str());
    Some(ConfigSetting {
        key: key.to_owned(),
        kind,
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        in_force: differs.then_some(in_force),
        value,
        origin: origin.to_owned(),
        locked: now.locked(key).is_some(),
        at_once: AT_ONCE.contains(&key),
    })
}

fn kind(kind: Kind) -> (ConfigKind, &'static [&'static str]) {
    let kind = match kind {
        Kind::Choice(choices) => return (ConfigKind::Choice, choices),
        Kind::Text => ConfigKind::Text,
        Kind::Path => ConfigKind::Path,
        Kind::Url => ConfigKind::Url,
        Kind::Address => ConfigKind::Address,
        Kind::Number => ConfigKind::Number,
        Kind::YesNo => ConfigKind::YesNo,
        Kind::List => ConfigKind::List,
        Kind::Names => ConfigKind::Names,
        Kind::Tables => ConfigKind::Tables,
    };
    (kind, &[])
}

/// A value as people type it: nothing for none, each text of a list in a line of its own.
fn text(value: &Value) -> String {
    match shown(value) {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) if fields.is_empty() => String::new(),
        value @ (Value::Bool(_) | Value::Number(_) | Value::Object(_)) => value.to_string(),
    }
}

/// A refused change in the words of the API: the configuration's own check says what is wrong.
pub(crate) fn refused(error: &ChangeError) -> ApiError {
    let words = hearth_base::failure::chain(error);
    match error {
        ChangeError::Locked { key, origin } => ApiError::conflict("config_locked", words)
            .value("key", key)
            .value("origin", origin),
        ChangeError::Moved(_) => ApiError::conflict("config_moved", words),
        ChangeError::Write { path, .. } => {
            ApiError::conflict("config_unwritable", words).value("path", path.display())
        }
        ChangeError::Config(ConfigError::Unknown { .. }) | ChangeError::Edit(EditError::Unknown(_)) => {
            ApiError::refused("config_unknown", words)
        }
        ChangeError::Config(
            ConfigError::Read { .. }
            | ConfigError::Toml { .. }
            | ConfigError::Value(_)
            | ConfigError::Check(_),
        )
        | ChangeError::Edit(
            EditError::Form { .. } | EditError::Whole(..) | EditError::Toml(_) | EditError::NoTable(_),
        )
        | ChangeError::Masked(_)
        | ChangeError::Beside(_) => ApiError::refused("config_refused", words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_the_next_start_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[miner]\nslots = 2\nbackend = \"http://u:secret@h:1\"\n").unwrap();
        let flags = [("network".to_owned(), "devnet".to_owned())].into();
        let now = config::load(&file, false, &flags).unwrap();
        let of = |page: &ConfigPage, key: &str| {
            let mut settings = page.settings.iter();
            settings.find(|one| one.key == key).cloned().unwrap()
        };
        let first = page(&now, true);
        assert!(!first.needs_restart && first.problem.is_none());
        assert!(of(&first, "network").locked);
        assert_eq!(of(&first, "miner.backend").value, "http://u:********@h:1");
        assert_eq!(of(&first, "log.format").choices, ["text", "json"]);
        std::fs::write(
            &file,
            "[miner]\nslots = 3\n[chain]\nrpc = [\"http://a\", \"http://b\"]\n[models.aliases]\n\"gpt-4.1\" = \"x\"\n",
        )
        .unwrap();
        let second = page(&now, true);
        assert!(second.needs_restart);
        let slots = of(&second, "miner.slots");
        assert_eq!(
            (slots.value.as_str(), slots.in_force.as_deref()),
            ("3", Some("2"))
        );
        assert!(slots.origin.ends_with("config.toml"));
        assert_eq!(of(&second, "chain.rpc").value, "http://a/\nhttp://b/");
        assert_eq!(of(&second, "models.aliases.gpt-4.1").value, "x");
        // Another password waits, too, though nothing of it is shown.
        std::fs::write(&file, "[miner]\nslots = 2\nbackend = \"http://u:other@h:1\"\n").unwrap();
        let third = page(&now, true);
        let backend = of(&third, "miner.backend");
        assert_eq!(backend.in_force.as_deref(), Some("http://u:********@h:1"));
        assert!(third.needs_restart);
        std::fs::write(&file, "[miner]\nslots = \"many\"\n").unwrap();
        let broken = page(&now, true);
        assert!(broken.problem.unwrap().contains("miner.slots"));
        assert_eq!(broken.settings, first.settings);
    }
}
