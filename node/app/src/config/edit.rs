//! Changes of the text of `config.toml`: what is not changed stays as it is, comments and order included.

use toml_edit::{Array, DocumentMut, Item, Key, KeyMut, RawString, Table, TableLike, Value};

use super::schema::{Kind, Setting};

/// A setting that is to have another value; `None` takes it out of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted, as `hearth config show` lists them.
    pub key: String,
    /// As people type it.
    pub value: Option<String>,
}

/// Why a text cannot be changed so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("\"{0}\" is no setting; `hearth config show` lists them all")]
    Unknown(String),
    #[error("{key} takes {wanted}, not \"{value}\"")]
    Form {
        key: String,
        value: String,
        wanted: String,
    },
    #[error("{0} holds settings of its own: name one of them, as {0}.{1}")]
    Whole(String, &'static str),
    #[error("the file is no TOML: {0}")]
    Toml(String),
    #[error("{0} is not a table in the file: take it out there first")]
    NoTable(String),
}

/// The text with the changes in it.
///
/// # Errors
/// A key that is none, a value of the wrong form, a text that is no TOML.
pub(super) fn edited(text: &str, changes: &[Change]) -> Result<String, EditError> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| EditError::Toml(error.message().to_owned()))?;
    for change in changes {
        let setting = Setting::of(&change.key).ok_or_else(|| EditError::Unknown(change.key.clone()))?;
        match &change.value {
            Some(value) => set(&mut document, &setting, typed(&change.key, setting.kind, value)?)?,
            None => unset(&mut document, &setting),
        }
    }
    Ok(document.to_string())
}

/// What a person typed, as the file holds it.
fn typed(key: &str, kind: Kind, text: &str) -> Result<Value, EditError> {
    let text = text.trim();
    let form = |wanted: &str| EditError::Form {
        key: key.to_owned(),
        value: text.to_owned(),
        wanted: wanted.to_owned(),
    };
    match kind {
        Kind::Text | Kind::Path | Kind::Url | Kind::Address => Ok(text.into()),
        Kind::Number => {
            let digits = text.replace('_', "");
            let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit());
            let number: Option<i64> = digits.parse().ok().filter(|_| is_number);
            Ok(number
                .ok_or_else(|| form("a whole number from 0 to 9223372036854775807"))?
                .into())
        }
        Kind::YesNo => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true.into()),
            "false" | "no" | "off" => Ok(false.into()),
            _ => Err(form("true or false")),
        },
        Kind::Choice(choices) if choices.contains(&text) => Ok(text.into()),
        Kind::Choice(choices) => Err(form(&choices.join(" or "))),
        Kind::List => list(text).ok_or_else(|| form("texts, apart by commas, or a list as [\"a\", \"b\"]")),
        Kind::Names => Err(EditError::Whole(key.to_owned(), "NAME")),
        Kind::Tables if key == "backends" => Err(EditError::Whole(key.to_owned(), "NAME.url")),
        Kind::Tables => Err(EditError::Whole(key.to_owned(), "url")),
    }
}

/// `a, b`, one in each line, or TOML's own form.
fn list(text: &str) -> Option<Value> {
    if text.starts_with('[') {
        let value: Value = text.parse().ok()?;
        let is_texts = value.as_array()?.iter().all(Value::is_str);
        return is_texts.then_some(value);
    }
    let texts = text.split([',', '\n']).map(str::trim);
    Some(texts.filter(|text| !text.is_empty()).collect::<Array>().into())
}

fn set(document: &mut DocumentMut, setting: &Setting, mut value: Value) -> Result<(), EditError> {
    let Some((name, tables)) = setting.path.split_last() else {
        return Ok(());
    };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let mut at = String::new();
    for part in tables {
        at = if at.is_empty() {
            part.clone()
        } else {
            format!("{at}.{part}")
        };
        let item = table.entry(part).or_insert_with(|| {
            let mut new = Table::new();
            // A table that only holds tables has no line of its own.
            new.set_implicit(true);
            Item::Table(new)
        });
        table = item
            .as_table_like_mut()
            .ok_or_else(|| EditError::NoTable(at.clone()))?;
    }
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            let inside = lines_of(&Item::Value(old.clone()));
            *old = value;
            // What was written inside a list stands above it from now on.
            if let (false, Some(key)) = (inside.is_empty(), table.key_mut(name)) {
                put_above_key(key, &inside, Side::After);
            }
        }
        None => drop(table.insert(name, Item::Value(value))),
    }
    Ok(())
}

/// Takes a setting out. What was written above it and in it belongs to the reader, and stays.
fn unset(document: &mut DocumentMut, setting: &Setting) {
    let Some((name, tables)) = setting.path.split_last() else {
        return;
    };
    let Some(table) = table_at(document, tables) else {
        return;
    };
    let above = table.key(name).and_then(comment_of).unwrap_or_default();
    let next = following(table, name);
    let Some(removed) = table.remove(name) else { return };
    let comment = above + &lines_of(&removed);
    if comment.is_empty() {
        return;
    }
    let position = removed.as_table().and_then(Table::position);
    if let Some(after) = position.and_then(|position| next_position(document, position)) {
        return put_above(document, after, &comment);
    }
    let key = next.and_then(|next| table_at(document, tables)?.key_mut(&next));
    if let Some(key) = key {
        return put_above_key(key, &comment, Side::Before);
    }
    let end = document.trailing().as_str().unwrap_or_default();
    let both = format!("{end}{comment}");
    document.set_trailing(both);
}

fn table_at<'a>(document: &'a mut DocumentMut, tables: &[String]) -> Option<&'a mut dyn TableLike> {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in tables {
        table = table.get_mut(part).and_then(Item::as_table_like_mut)?;
    }
    Some(table)
}

/// Before or after what stands above a key already.
enum Side {
    Before,
    After,
}

fn put_above_key(mut key: KeyMut<'_>, text: &str, side: Side) {
    let decor = key.leaf_decor_mut();
    let own = decor.prefix().and_then(RawString::as_str).unwrap_or_default();
    let both = match side {
        Side::Before => format!("{text}{own}"),
        Side::After => format!("{own}{text}"),
    };
    decor.set_prefix(both);
}

/// The comments in a list, or above a table and in it.
fn lines_of(item: &Item) -> String {
    let mut lines = Vec::new();
    collect_comments(item, &mut lines);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn collect_comments(item: &Item, lines: &mut Vec<String>) {
    match item {
        Item::None => {}
        Item::Value(Value::Array(array)) => {
            for value in array {
                add_comments(value.decor().prefix(), lines);
                collect_comments(&Item::Value(value.clone()), lines);
                add_comments(value.decor().suffix(), lines);
            }
            add_comments(Some(array.trailing()), lines);
        }
        Item::Value(
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::InlineTable(_),
        ) => {}
        Item::Table(table) => collect_table(table, lines),
        Item::ArrayOfTables(tables) => tables.iter().for_each(|table| collect_table(table, lines)),
    }
}

fn collect_table(table: &Table, lines: &mut Vec<String>) {
    add_comments(table.decor().prefix(), lines);
    for (name, item) in table {
        add_comments(table.key(name).and_then(|key| key.leaf_decor().prefix()), lines);
        collect_comments(item, lines);
    }
}

fn add_comments(text: Option<&RawString>, lines: &mut Vec<String>) {
    let text = text.and_then(RawString::as_str).unwrap_or_default();
    let comments = text.lines().map(str::trim).filter(|line| line.starts_with('#'));
    lines.extend(comments.map(str::to_owned));
}

/// Where the table begins that comes next in the file after a place.
fn next_position(table: &Table, after: isize) -> Option<isize> {
    let inner = table.iter().filter_map(|(_, item)| item.as_table());
    let positions = inner.flat_map(|inner| {
        let own = inner.position().filter(|at| *at > after && !inner.is_implicit());
        [own, next_position(inner, after)]
    });
    positions.flatten().min()
}

/// Writes lines above the table that begins at a place.
fn put_above(table: &mut Table, position: isize, text: &str) {
    for (_, item) in table.iter_mut() {
        let Some(inner) = item.as_table_mut() else {
            continue;
        };
        if inner.position() == Some(position) {
            let decor = inner.decor_mut();
            let own = decor
                .prefix()
                .and_then(|prefix| prefix.as_str())
                .unwrap_or_default();
            let both = format!("\n{text}{own}");
            decor.set_prefix(both);
        } else {
            put_above(inner, position, text);
        }
    }
}

/// The comment above a key.
fn comment_of(key: &Key) -> Option<String> {
    let prefix = key.leaf_decor().prefix()?.as_str()?;
    prefix.contains('#').then(|| prefix.to_owned())
}

/// The value that follows in the same table.
fn following(table: &dyn TableLike, name: &str) -> Option<String> {
    let mut values = table.iter().filter(|(_, item)| item.is_value());
    values.find(|(key, _)| *key == name)?;
    values.next().map(|(key, _)| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, value: Option<&str>) -> Change {
        Change {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    fn with(text: &str, key: &str, value: Option<&str>) -> Result<String, EditError> {
        edited(text, &[change(key, value)])
    }

    const FILE: &str = "# My node.\nnetwork = \"beta\" # for now\n\n[miner]\n# Two at once.\nslots = 2   # not more\n# Own name.\npublic_url = \"http://a\"\n\n# Named by hand.\n[models.aliases]\n\"gpt-4.1\" = \"big/llama\"\n";

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let after = with(FILE, "miner.slots", Some("4")).unwrap();
        assert_eq!(after, FILE.replace("slots = 2 ", "slots = 4 "));
        let after = with(FILE, "models.aliases.gpt-4.1", Some("x")).unwrap();
        assert_eq!(after, FILE.replace("big/llama", "x"));
    }

    #[test]
    fn new_values_get_their_tables() {
        let changes = [
            change("chain.trust.height", Some("100")),
            change("chain.rpc", Some("http://a, http://b")),
            change("backends.big.url", Some("http://10.0.0.5:8000")),
            change("stop_within_s", Some("30")),
        ];
        let after = edited(FILE, &changes).unwrap();
        assert!(
            after.starts_with("# My node.\nnetwork = \"beta\" # for now\nstop_within_s = 30\n"),
            "{after}"
        );
        let value: toml::Table = toml::from_str(&after).unwrap();
        assert_eq!(value["chain"]["trust"]["height"].as_integer(), Some(100));
        assert_eq!(value["chain"]["rpc"][1].as_str(), Some("http://b"));
        assert_eq!(
            value["backends"]["big"]["url"].as_str(),
            Some("http://10.0.0.5:8000")
        );
        assert!(after.contains("# Two at once.") && after.contains("# Named by hand."));
        assert_eq!(edited("", &[]).unwrap(), "");
    }

    #[test]
    fn what_is_taken_out_leaves_its_comment() {
        let after = with(FILE, "miner.slots", None).unwrap();
        assert!(
            after.contains("# Two at once.\n# Own name.\npublic_url"),
            "{after}"
        );
        assert!(!after.contains("slots"));
        let after = with(FILE, "miner.public_url", None).unwrap();
        assert!(
            after.contains("# Own name.") && !after.contains("public_url"),
            "{after}"
        );
        toml::from_str::<toml::Table>(&after).unwrap();
        assert_eq!(with(FILE, "miner.queue", None).unwrap(), FILE);
        let big = "[backends.big]\nurl = \"http://a\"\n";
        assert!(!with(big, "backends.big", None).unwrap().contains("big"));
    }

    #[test]
    fn what_is_written_in_a_table_or_a_list_stays_when_that_goes() {
        let file = "[miner]\nslots = 2\n\n# The big one.\n[backends.big]\n# Behind the wall.\nurl = \"http://a\"\nmodels = [\n  # The first.\n  \"a\",\n  \"b\", # The second.\n  # No third.\n]\n\n# Words.\n[log]\nfilter = \"info\"\n";
        let after = with(file, "backends.big", None).unwrap();
        let kept = "# The big one.\n# Behind the wall.\n# The first.\n# The second.\n# No third.\n\n# Words.\n[log]\n";
        assert!(after.contains(kept) && !after.contains("backends"), "{after}");
        toml::from_str::<toml::Table>(&after).unwrap();
        // Of the last table, at the end.
        let last = "[miner]\nslots = 2\n# The big one.\n[backends.big]\nurl = \"http://a\"\n";
        assert!(
            with(last, "backends.big", None)
                .unwrap()
                .ends_with("# The big one.\n")
        );
        for value in [None, Some("c")] {
            let after = with(file, "backends.big.models", value).unwrap();
            for line in ["# The first.", "# The second.", "# No third."] {
                assert!(after.contains(line), "{line}: {after}");
            }
            toml::from_str::<toml::Table>(&after).unwrap();
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        for (key, value, said) in [
            ("miner.slots", "many", "miner.slots takes a whole number"),
            ("miner.slots", "-1", "whole number"),
            ("miner.slots", "99999999999999999999", "whole number"),
            ("miner.start", "maybe", "true or false"),
            ("log.format", "xml", "text or json"),
            ("chain.rpc", "[1, 2]", "texts"),
            ("miner.services", "a", "miner.services.NAME"),
            ("backends.big", "a", "backends.big.url"),
            ("miner.slotz", "1", "no setting"),
        ] {
            let error = with("", key, Some(value)).unwrap_err().to_string();
            assert!(error.contains(said), "{key}: {error}");
        }
        assert!(with("a = = b", "miner.slots", Some("1")).is_err());
        assert_eq!(
            with("miner = 3", "miner.slots", Some("1")),
            Err(EditError::NoTable("miner".to_owned()))
        );
    }

    #[test]
    fn any_form_of_a_list_is_read() {
        for text in ["a,b", " a , b ", "a\nb\n", "[\"a\", \"b\"]"] {
            let after = with("", "api.allowed_hosts", Some(text)).unwrap();
            let value: toml::Table = toml::from_str(&after).unwrap();
            assert_eq!(
                value["api"]["allowed_hosts"].as_array().unwrap().len(),
                2,
                "{after}"
            );
        }
    }
}
