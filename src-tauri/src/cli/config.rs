//! `hearth config show`, `set` and `unset`.

use hearth_node::{
    Store,
    config::{self, Change},
    control::{ConfigChange, ConfigPage, ConfigPatch, ConfigSetting},
    reconfigure,
};
use serde_json::Value;

use super::{
    Client, Done, Fault, Out, Place,
    args::{Args, ConfigCommand},
    out::dim,
};

/// All settings, each with its value and where that comes from.
type Origins = std::collections::BTreeMap<String, (Value, String)>;

pub(super) async fn run(command: &ConfigCommand, args: &Args, out: &Out) -> Done {
    match command {
        ConfigCommand::Show { origin } => show(*origin, args, out).await,
        ConfigCommand::Set { pairs } => {
            if pairs.len() % 2 != 0 {
                let last = pairs.last().map_or("", String::as_str);
                return Err(Fault::wrong_use(format!("\"{last}\" has no value"))
                    .remedy("write each setting with its value: hearth config set KEY VALUE")
                    .into());
            }
            let changes = pairs.chunks(2).filter_map(|pair| match pair {
                [key, value] => Some((key.clone(), Some(value.clone()))),
                _ => None,
            });
            change(changes, args, out).await
        }
        ConfigCommand::Unset { keys } => change(keys.iter().map(|key| (key.clone(), None)), args, out).await,
    }
}

async fn show(origin: bool, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let mut origins = place.layered.origins;
    // Where nobody names a network, that of the data counts.
    let network = Value::from(place.layered.settings.network);
    if let Some(shown) = origins.get_mut("network")
        && shown.1 == "built-in"
        && shown.0 != network
    {
        *shown = (network, "data".to_owned());
    }
    if out.json {
        let shown = origins.iter();
        let shown: std::collections::BTreeMap<_, _> = shown
            .map(|(key, (value, from))| (key, (config::shown(value), from)))
            .collect();
        out.value(&shown);
        return Ok(());
    }
    for (key, (value, from)) in told(&origins) {
        let line = line(key, &config::shown(value));
        if origin {
            out.line(&format!("{line}  {}", dim(&format!("# {from}"))));
        } else {
            out.line(&line);
        }
    }
    Ok(())
}

/// Changes the file: by the node that runs on it, which takes up at once what it can; else by itself.
async fn change(changes: impl Iterator<Item = (String, Option<String>)>, args: &Args, out: &Out) -> Done {
    let changes: Vec<ConfigChange> = changes.map(|(key, value)| ConfigChange { key, value }).collect();
    let place = Place::find(args).await?;
    // Whoever names a file means that one.
    if args.config.is_none() {
        match Client::connect(&place).await {
            Ok(client) => {
                let before: ConfigPage = client.get("/config").await?;
                let origins = before.settings.iter();
                let set = origins.map(|setting| (setting.key.as_str(), setting.origin.as_str()));
                let absent = absent(&changes, set);
                let patch = ConfigPatch {
                    changes: changes.clone(),
                };
                let page: ConfigPage = client.patch("/config", &patch).await?;
                return said(&changes, &page, &absent, out);
            }
            Err(exit) if exit.is("not_running") => {}
            Err(exit) => return Err(exit),
        }
    }
    let wanted: Vec<Change> = changes
        .iter()
        .map(|ConfigChange { key, value }| Change {
            key: key.clone(),
            value: value.clone(),
        })
        .collect();
    let origins = place.layered.origins.iter();
    let set = origins.map(|(key, (_, origin))| (key.as_str(), origin.as_str()));
    let absent = absent(&changes, set);
    let chain = Store::chain_of(&place.layout.database()).await;
    let next = reconfigure(&place.layered, &wanted, chain.as_ref())
        .map_err(|error| Fault::failed("config_refused", hearth_base::failure::chain(&error)))?;
    if out.json {
        out.value(&serde_json::json!({ "file": next.file, "needs_restart": false }));
        return Ok(());
    }
    for change in &changes {
        if let Some((value, _)) = next.origins.get(&change.key) {
            out.line(&line(&change.key, &config::shown(value)));
        }
    }
    written(&changes, &absent, &next.file.display().to_string(), out);
    Ok(())
}

/// The settings that are to be taken out of a file that has none of them. `set` are all settings, with where each comes
/// from.
fn absent<'a>(
    changes: &[ConfigChange],
    set: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Vec<String> {
    let is_there = |wanted: &str| {
        set.clone().any(|(key, origin)| {
            let rest = key.strip_prefix(wanted);
            origin != config::BUILT_IN && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let taken_out = changes.iter().filter(|change| change.value.is_none());
    let keys = taken_out.map(|change| change.key.clone());
    keys.filter(|key| !is_there(key)).collect()
}

/// Where the changes are now, and which were none.
fn written(changes: &[ConfigChange], absent: &[String], file: &str, out: &Out) {
    for key in absent {
        out.hint(&format!("{key} is not set in {file}, so nothing was taken out"));
    }
    if absent.len() < changes.len() {
        out.hint(&format!("written to {file}"));
    }
}

/// What a node took up, and what waits.
fn said(changes: &[ConfigChange], page: &ConfigPage, absent: &[String], out: &Out) -> Done {
    if out.json {
        out.value(page);
        return Ok(());
    }
    let changed = |setting: &&ConfigSetting| changes.iter().any(|change| change.key == setting.key);
    for setting in page.settings.iter().filter(changed) {
        let value = setting.value.replace('\n', ", ");
        out.line(&format!("{} = {value}", setting.key));
    }
    written(changes, absent, &page.file, out);
    if page.needs_restart {
        out.hint("some of it counts when Hearth starts the next time");
    }
    Ok(())
}

/// Tables whose names are other people's, and may have dots.
const ALIASES: [&str; 2] = ["miner.aliases.", "models.aliases."];

/// The settings that are shown: a table whose names stand below it is told by them, and is not said to be empty.
fn told(origins: &Origins) -> impl Iterator<Item = (&String, &(Value, String))> {
    origins.iter().filter(|(key, (value, _))| {
        let table = format!("{key}.");
        let has_names = || {
            let after = origins.range(table.clone()..).next();
            after.is_some_and(|(name, _)| name.starts_with(&table))
        };
        !(is_empty_table(value) && has_names())
    })
}

fn is_empty_table(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// A setting as a line that may stand in `config.toml`; one that has no value, or is a table with nothing in it, is a
/// comment there.
fn line(key: &str, value: &Value) -> String {
    if value.is_null() || is_empty_table(value) {
        return format!("# {key} = (none)");
    }
    let named = ALIASES
        .iter()
        .find_map(|table| Some((table, key.strip_prefix(table)?)));
    let value = toml_text(value);
    match named {
        Some((table, name)) => format!("{table}{} = {value}", Value::from(name)),
        None => format!("{key} = {value}"),
    }
}

/// Strings, numbers and lists are written alike in JSON and TOML; tables are not.
fn toml_text(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<String> = fields
                .map(|(key, value)| format!("{} = {}", Value::from(key.as_str()), toml_text(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(toml_text).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use hearth_node::config;

    use super::*;

    #[test]
    fn what_is_not_set_is_not_taken_out() {
        let change = |key: &str, value: Option<&str>| ConfigChange {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        };
        let set = [
            ("miner.slots", "/etc/config.toml"),
            ("miner.queue", config::BUILT_IN),
            ("backends.big.url", "/etc/config.toml"),
        ];
        let changes = [
            change("miner.slots", None),
            change("miner.queue", None),
            change("backends.big", None),
            change("backends.bi", None),
            change("miner.start", Some("true")),
        ];
        assert_eq!(absent(&changes, set.into_iter()), ["miner.queue", "backends.bi"]);
        assert_eq!(
            line("miner.services", &serde_json::json!({})),
            "# miner.services = (none)"
        );
        assert_eq!(
            line("miner.public_url", &Value::Null),
            "# miner.public_url = (none)"
        );
    }

    #[test]
    fn what_is_shown_is_a_configuration_that_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let given = r#"
            network = "devnet"
            [api]
            allowed_origins = ["http://localhost:5173"]
            [models.aliases]
            "gpt-4.1" = "smollm2"
            [backends.big]
            url = "http://127.0.0.1:9"
            models = ["a", "b"]
        "#;
        std::fs::write(&path, given).unwrap();
        let none = std::collections::BTreeMap::new();
        let first = config::load(&path, true, &none).unwrap();
        let shown: Vec<String> = told(&first.origins)
            .map(|(key, (value, _))| line(key, value))
            .collect();
        // A table that has names is not said to have none.
        assert!(!shown.iter().any(|line| line.starts_with("# models.aliases")));
        assert!(shown.contains(&"# miner.services = (none)".to_owned()));
        std::fs::write(&path, shown.join("\n")).unwrap();
        let second =
            config::load(&path, true, &none).unwrap_or_else(|error| panic!("{error}: {}", shown.join("\n")));
        let values = |layered: &config::Layered| {
            let origins = layered.origins.iter();
            origins
                .map(|(key, (value, _))| (key.clone(), value.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(values(&first), values(&second));
    }
}
