//! `hearth config show`.

use serde_json::Value;

use super::{
    Done, Out, Place,
    args::{Args, ConfigCommand},
    out::dim,
};

pub(super) async fn run(command: &ConfigCommand, args: &Args, out: &Out) -> Done {
    let ConfigCommand::Show { origin } = command;
    let place = Place::find(args).await?;
    if out.json {
        out.value(&place.layered.origins);
        return Ok(());
    }
    for (key, (value, from)) in &place.layered.origins {
        let line = line(key, value);
        if *origin {
            out.line(&format!("{line}  {}", dim(&format!("# {from}"))));
        } else {
            out.line(&line);
        }
    }
    Ok(())
}

/// Tables whose names are other people's, and may have dots.
const ALIASES: [&str; 2] = ["miner.aliases.", "models.aliases."];

/// A setting as a line that may stand in `config.toml`; one that has no value, or is a table with nothing in it, is a
/// comment there.
fn line(key: &str, value: &Value) -> String {
    let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty);
    if value.is_null() || is_empty {
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
        let shown: Vec<String> = first
            .origins
            .iter()
            .map(|(key, (value, _))| line(key, value))
            .collect();
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
