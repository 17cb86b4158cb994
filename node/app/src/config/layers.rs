//! The four layers, and the origin of every setting.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use config::{Environment, FileFormat, Map, Source as _, Value, ValueKind};

use super::change::{MASK, without_password};
use crate::config::Settings;

/// Settings given by flags: dotted key → text.
pub type Flags = BTreeMap<String, String>;

/// The checked settings and where each came from.
#[derive(Clone, Debug)]
pub struct Layered {
    pub settings: Settings,
    /// Dotted key → (value as JSON, origin), in order of keys.
    pub origins: BTreeMap<String, (serde_json::Value, String)>,
    /// The file, whether or not it is there.
    pub file: PathBuf,
    /// What flags gave.
    pub flags: Flags,
}

/// Where a value comes from that nobody gave.
pub const BUILT_IN: &str = "built-in";
/// Where it comes from a flag.
const FLAG: &str = "flag";

impl Layered {
    /// All values as they are, passwords included: never to be shown.
    pub(super) fn values(&self) -> Result<BTreeMap<String, serde_json::Value>, ConfigError> {
        Ok(flat_json(&json_of(&self.settings)?))
    }

    /// The settings whose values are others in `other`, also where only a hidden part differs.
    #[must_use]
    pub fn differing(&self, other: &Layered) -> BTreeSet<String> {
        let (own, others) = (
            self.values().unwrap_or_default(),
            other.values().unwrap_or_default(),
        );
        let keys = own.keys().chain(others.keys());
        keys.filter(|key| own.get(*key) != others.get(*key))
            .cloned()
            .collect()
    }

    /// Where a setting comes from that the file cannot change: environment or flag. `None` where the file can.
    #[must_use]
    pub fn locked(&self, key: &str) -> Option<&str> {
        let (_, origin) = self.origins.get(key)?;
        (origin == FLAG || origin.starts_with(ENVIRONMENT)).then_some(origin.as_str())
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{origin} sets \"{key}\", which is no setting{hint}; `hearth config show` lists them all")]
    Unknown {
        key: String,
        origin: String,
        hint: String,
    },
    #[error("{path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is no TOML: {why}")]
    Toml { path: PathBuf, why: String },
    #[error("a setting has a value of the wrong form: {0}")]
    Value(String),
    #[error("{0}")]
    Check(String),
}

/// Keys under which people name things themselves.
const OPEN_TABLES: [&str; 4] = ["backends", "miner.services", "miner.aliases", "models.aliases"];
const PREFIX: &str = "HEARTH";
/// How the origin of a value begins that a variable gave.
const ENVIRONMENT: &str = "environment ";

/// Reads all layers.
///
/// `file` is read if it is there; when `file_must_exist`, a missing one is an error.
///
/// # Errors
/// A file that is no TOML, an unknown key, a value of the wrong form or out of range.
pub fn load(file: &Path, file_must_exist: bool, flags: &Flags) -> Result<Layered, ConfigError> {
    load_from(file, file_must_exist, flags, None)
}

fn load_from(
    file: &Path,
    file_must_exist: bool,
    flags: &Flags,
    environment: Option<Map<String, String>>,
) -> Result<Layered, ConfigError> {
    let text = read_file(file, file_must_exist)?;
    load_text(file, text.as_deref(), flags, environment)
}

/// The layers with `text` as what stands in the file. Without an `environment` it is that of the process.
pub(super) fn load_text(
    file: &Path,
    text: Option<&str>,
    flags: &Flags,
    environment: Option<Map<String, String>>,
) -> Result<Layered, ConfigError> {
    let known = flat_json(&json_of(&Settings::default())?);
    let mut origins: BTreeMap<String, (serde_json::Value, String)> = known
        .iter()
        .map(|(key, value)| (key.clone(), (value.clone(), BUILT_IN.to_owned())))
        .collect();
    let mut builder = config::Config::builder();
    let mut set: Vec<(String, String)> = Vec::new();

    if let Some(text) = text {
        let source = config::File::from_str(text, FileFormat::Toml);
        let values = source.collect().map_err(|error| ConfigError::Toml {
            path: file.to_owned(),
            why: error.to_string(),
        })?;
        set.extend(
            flat(&values)
                .into_iter()
                .map(|key| (key, file.display().to_string())),
        );
        builder = builder.add_source(source);
    }

    let source = Environment::with_prefix(PREFIX)
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("api.allowed_hosts")
        .with_list_parse_key("api.allowed_origins")
        .with_list_parse_key("api.trusted_proxies")
        .with_list_parse_key("chain.rpc")
        .with_list_parse_key("weights.gateways")
        .source(environment);
    let values = source
        .collect()
        .map_err(|error| ConfigError::Value(error.to_string()))?;
    set.extend(flat(&values).into_iter().map(|key| {
        let variable = format!("{PREFIX}_{}", key.to_uppercase().replace('.', "__"));
        (key, format!("{ENVIRONMENT}{variable}"))
    }));
    builder = builder.add_source(source);

    for (key, value) in flags {
        set.push((key.clone(), FLAG.to_owned()));
        builder = builder
            .set_override(key, value.as_str())
            .map_err(|error| ConfigError::Value(error.to_string()))?;
    }

    for (key, origin) in &set {
        check_known(key, origin, &known)?;
    }
    let settings: Settings = builder
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(|error| wrong_form(&error, &set))?;
    settings.check().map_err(ConfigError::Check)?;
    let now = flat_json(&json_of(&settings)?);
    origins.extend(
        now.iter()
            .map(|(key, value)| (key.clone(), (shown(key, value), BUILT_IN.to_owned()))),
    );
    for (key, origin) in set {
        let value = now
            .get(&key)
            .map_or(serde_json::Value::Null, |value| shown(&key, value));
        origins.insert(key, (value, origin));
    }
    Ok(Layered {
        settings,
        origins,
        file: file.to_owned(),
        flags: flags.clone(),
    })
}

/// Whose addresses may hold access keys.
const ENDPOINTS: &str = "chain.rpc";
/// The longest part of an address's path that is no access key.
const PLAIN_PART: usize = 16;

/// A value as it may be shown.
fn shown(key: &str, value: &serde_json::Value) -> serde_json::Value {
    match value.as_array() {
        Some(values) if key == ENDPOINTS => values
            .iter()
            .map(|value| match value.as_str() {
                Some(text) => shown_text(key, text).into(),
                None => value.clone(),
            })
            .collect(),
        Some(_) | None => value.clone(),
    }
}

/// A text of a setting as it may be shown: without passwords, and without the access keys that the addresses of endpoints
/// may hold.
pub(super) fn shown_text(key: &str, text: &str) -> String {
    let plain = without_password(text);
    if key != ENDPOINTS {
        return plain;
    }
    let (address, has_query) = match plain.split_once('?') {
        Some((address, _)) => (address, true),
        None => (plain.as_str(), false),
    };
    let Some((scheme, rest)) = address.split_once("://") else {
        return plain;
    };
    let mut parts = rest.split('/');
    let host = parts.next().unwrap_or_default();
    let path = parts.map(|part| if part.len() > PLAIN_PART { MASK } else { part });
    let parts: Vec<&str> = std::iter::once(host).chain(path).collect();
    let query = if has_query {
        format!("?{MASK}")
    } else {
        String::new()
    };
    format!("{scheme}://{}{query}", parts.join("/"))
}

pub(super) fn read_file(path: &Path, must_exist: bool) -> Result<Option<String>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => Ok(None),
        Err(source) => Err(ConfigError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn check_known(
    key: &str,
    origin: &str,
    known: &BTreeMap<String, serde_json::Value>,
) -> Result<(), ConfigError> {
    let in_open_table = |table: &str| key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
    if known.contains_key(key) || OPEN_TABLES.into_iter().any(in_open_table) {
        return Ok(());
    }
    let nearest = known
        .keys()
        .map(|candidate| (strsim::jaro_winkler(candidate, key), candidate))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let hint = match nearest {
        Some((likeness, candidate)) if likeness > 0.8 => format!(" (did you mean \"{candidate}\"?)"),
        Some(_) | None => String::new(),
    };
    Err(ConfigError::Unknown {
        key: key.to_owned(),
        origin: origin.to_owned(),
        hint,
    })
}

/// A value that does not fit, with the layer it is from.
fn wrong_form(error: &config::ConfigError, set: &[(String, String)]) -> ConfigError {
    let key = if let config::ConfigError::Type { key, .. } | config::ConfigError::At { key, .. } = error {
        key.as_deref()
    } else {
        None
    };
    // A list is named with the place in it.
    let key = key.map(|key| key.split('[').next().unwrap_or(key));
    // The last layer that sets it is the one that counts.
    let origin = set.iter().rev().find(|(own, _)| Some(own.as_str()) == key);
    ConfigError::Value(match origin {
        Some((_, origin)) => format!("{error}, from {origin}"),
        None => error.to_string(),
    })
}

fn json_of(settings: &Settings) -> Result<serde_json::Value, ConfigError> {
    serde_json::to_value(settings).map_err(|error| ConfigError::Value(error.to_string()))
}

/// Dotted keys of all leaves. A list, an empty table and null are leaves.
pub(super) fn flat_json(value: &serde_json::Value) -> BTreeMap<String, serde_json::Value> {
    let mut leaves = BTreeMap::new();
    let mut open = vec![(String::new(), value)];
    while let Some((key, value)) = open.pop() {
        match value.as_object() {
            Some(table) if key.is_empty() || !table.is_empty() => {
                open.extend(table.iter().map(|(name, value)| (join(&key, name), value)));
            }
            Some(_) | None => {
                leaves.insert(key, value.clone());
            }
        }
    }
    leaves
}

fn flat(values: &Map<String, Value>) -> Vec<String> {
    let mut leaves = Vec::new();
    let mut open: Vec<(String, &Value)> = sorted(values, "");
    while let Some((key, value)) = open.pop() {
        if let ValueKind::Table(table) = &value.kind {
            open.extend(sorted(table, &key));
        } else {
            leaves.push(key);
        }
    }
    leaves
}

fn sorted<'a>(table: &'a Map<String, Value>, key: &str) -> Vec<(String, &'a Value)> {
    #[allow(clippy::iter_over_hash_type, reason = "sorted in the next line")]
    let mut entries: Vec<_> = table
        .iter()
        .map(|(name, value)| (join(key, name), value))
        .collect();
    entries.sort_by(|one, other| other.0.cmp(&one.0));
    entries
}

fn join(key: &str, name: &str) -> String {
    if key.is_empty() {
        name.to_owned()
    } else {
        format!("{key}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_and_networks() {
        let settings = layered_of(
            "[api]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/24\"]\n",
            &[],
            &[],
        );
        let proxies = settings.unwrap().settings.api.trusted_proxies;
        let shown: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1/32", "10.0.0.0/24"]);
        let environment = [("HEARTH_API__TRUSTED_PROXIES", "::1,192.168.0.0/16")];
        let settings = layered_of("", &environment, &[]).unwrap().settings;
        assert_eq!(settings.api.trusted_proxies.len(), 2);
        let error = layered_of("[api]\ntrusted_proxies = [\"proxy.lan\"]\n", &[], &[]).unwrap_err();
        assert!(error.to_string().contains("proxy.lan"), "{error}");
    }

    fn layered_of(
        text: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Layered, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let environment = environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let flags = flags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        load_from(&path, true, &flags, Some(environment))
    }

    #[test]
    fn later_layers_win_and_origins_tell() {
        let layered = layered_of(
            "network = \"beta\"\n[miner]\nslots = 3\npublic_url = \"http://one.example\"",
            &[
                ("HEARTH_MINER__PUBLIC_URL", "http://two.example"),
                ("HEARTH_DEVNET__BLOCK_MS", "200"),
                ("HEARTH_MINER__BACKEND_KEY_FILE", "/etc/hearth/backend.key"),
                ("PATH", "/"),
            ],
            &[("network", "devnet"), ("api.listen", "127.0.0.1:0")],
        )
        .unwrap();
        let settings = &layered.settings;
        assert_eq!(settings.network, "devnet");
        assert_eq!(settings.miner.slots, 3);
        assert_eq!(
            settings.miner.public_url.as_ref().unwrap().as_str(),
            "http://two.example/"
        );
        assert_eq!(settings.devnet.block_ms, 200);
        assert_eq!(
            settings.miner.backend_key_file.as_deref(),
            Some(Path::new("/etc/hearth/backend.key"))
        );
        assert_eq!(settings.api.listen.port(), 0);
        assert_eq!(
            layered.origins["miner.public_url"].1,
            "environment HEARTH_MINER__PUBLIC_URL"
        );
        assert_eq!(layered.origins["network"].1, "flag");
        assert!(layered.origins["miner.slots"].1.ends_with("config.toml"));
        assert_eq!(layered.origins["log.filter"].1, "built-in");
    }

    #[test]
    fn a_value_of_the_wrong_form_says_where_it_is_from() {
        let refused = |text: &str, environment: &[(&str, &str)]| {
            layered_of(text, environment, &[]).unwrap_err().to_string()
        };
        let file = refused("[miner]\nslots = \"many\"", &[]);
        assert!(
            file.contains("`miner.slots`") && file.ends_with("config.toml"),
            "{file}"
        );
        let list = refused("[chain]\nrpc = [\"http://a\", 7]", &[]);
        assert!(
            list.contains("chain.rpc") && list.ends_with("config.toml"),
            "{list}"
        );
        let variable = refused("[miner]\nslots = 2", &[("HEARTH_MINER__SLOTS", "many")]);
        assert!(
            variable.ends_with("environment HEARTH_MINER__SLOTS"),
            "{variable}"
        );
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let error = layered_of("[miner]\npublic_ulr = \"http://a\"", &[], &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("miner.public_url"), "{error}");
        let error = layered_of("", &[("HEARTH_DEVNET__SETPU", "false")], &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("HEARTH_DEVNET__SETPU") && error.contains("devnet.setup"),
            "{error}"
        );
    }

    #[test]
    fn a_backend_that_cannot_work_is_refused_with_the_right_form_d12_y55() {
        let refused = |text: &str| layered_of(text, &[], &[]).unwrap_err().to_string();
        let error = refused("[miner]\nbackend = \"localhost:11434\"");
        assert!(
            error.contains("miner.backend") && error.contains("http://localhost:11434"),
            "{error}"
        );
        let error = refused("[miner]\nbackend = \"http://h:1/v1/chat/completions\"");
        assert!(
            error.contains("write the address before it, http://h:1/v1"),
            "{error}"
        );
        for bad in [
            "u:ge^heim@h:1",
            "http://u:ge^heim@h:1/v1/models",
            "http://u:ge^heim@h:1?x",
        ] {
            let error = refused(&format!("[miner]\nbackend = \"{bad}\""));
            assert!(
                error.contains("u:********@h:1") && !error.contains("heim"),
                "{error}"
            );
        }
        assert!(refused("[engine]\nthreads = 9999").contains("1024 or less"));
        let error = refused("[miner.services]\nsvc = \"\"");
        assert!(error.contains("miner.services.svc names no model"), "{error}");
        let error = refused("[miner]\nbackend_health = \"health\"");
        assert!(error.contains("\"/health\""), "{error}");
        for good in ["null", "http://localhost:11434", "https://user:pass@host/v1/"] {
            let layered = layered_of(&format!("[miner]\nbackend = \"{good}\""), &[], &[]).unwrap();
            assert_eq!(layered.settings.miner.backend.as_deref(), Some(good));
        }
    }

    #[test]
    fn other_names_of_models_stand_for_something() {
        let aliases = |text: &str| layered_of(&format!("[models.aliases]\n{text}"), &[], &[]);
        for (text, said) in [
            ("a = \"a\"", "stands for itself"),
            ("a = \"b\"\nb = \"a\"", "circle"),
            ("a = \"big/llama\"", "\"big/llama\", which is nothing"),
            ("a = \"\"", "is nothing"),
        ] {
            let error = aliases(text).unwrap_err().to_string();
            assert!(
                error.contains("models.aliases") && error.contains(said),
                "{error}"
            );
        }
        let good = aliases("a = \"b\"\nb = \"big/llama\"\n[backends.big]\nurl = \"http://h:1\"").unwrap();
        assert_eq!(good.settings.aliases().unwrap()["a"], "big/llama");
    }

    #[test]
    fn seller_and_buyer_keep_the_same_limits_r36() {
        // Where the two differ, one of them works for an answer that the other has given up.
        let settings = layered_of("", &[], &[]).unwrap().settings;
        let (sold, bought) = (&settings.miner, &settings.gateway);
        assert_eq!(
            (sold.first_byte_within_s, sold.answer_within_s),
            (bought.first_byte_within_s, bought.answer_within_s)
        );
        assert!(bought.answer_within_s > 75, "{}", bought.answer_within_s);
    }

    #[test]
    fn people_name_services_themselves() {
        let layered = layered_of(
            "[miner.services]\nmy-service = \"smollm2-135m-instruct\"",
            &[],
            &[],
        )
        .unwrap();
        assert_eq!(
            layered.settings.miner.services["my-service"],
            "smollm2-135m-instruct"
        );
        let layered = layered_of("", &[("HEARTH_MINER__ALIASES__POCKET_NETWORK", "svc")], &[]).unwrap();
        assert_eq!(layered.settings.miner.aliases["pocket_network"], "svc");
    }

    #[test]
    fn names_of_this_node_come_as_a_list() {
        let from_file = layered_of("[api]\nallowed_hosts = [\"hearth.lan\"]", &[], &[]).unwrap();
        assert_eq!(from_file.settings.api.allowed_hosts, ["hearth.lan"]);
        let names = [("HEARTH_API__ALLOWED_HOSTS", "hearth.lan,my-node")];
        let from_environment = layered_of("", &names, &[]).unwrap();
        assert_eq!(
            from_environment.settings.api.allowed_hosts,
            ["hearth.lan", "my-node"]
        );
    }

    #[test]
    fn access_keys_of_endpoints_are_not_shown() {
        let text = "[chain]\nrpc = [\"https://me:secret@rpc.example/v1/0123456789abcdef0123?key=secret\", \"http://10.0.0.5:26657\"]";
        let layered = layered_of(text, &[], &[]).unwrap();
        assert!(layered.settings.chain.rpc[0].as_str().contains("secret"));
        let shown = &layered.origins["chain.rpc"].0;
        assert_eq!(
            *shown,
            serde_json::json!([
                "https://me:********@rpc.example/v1/********?********",
                "http://10.0.0.5:26657/"
            ])
        );
    }

    #[test]
    fn origins_come_as_a_list() {
        let origins = [(
            "HEARTH_API__ALLOWED_ORIGINS",
            "http://localhost:5173,app://obsidian.md",
        )];
        let from_environment = layered_of("", &origins, &[]).unwrap();
        assert_eq!(
            from_environment.settings.api.allowed_origins,
            ["http://localhost:5173", "app://obsidian.md"]
        );
        let error = layered_of("[api]\nallowed_origins = [\"null\"]", &[], &[]).unwrap_err();
        assert!(error.to_string().contains("API key"), "{error}");
    }

    #[test]
    fn wrong_values_are_refused() {
        for text in [
            "[miner]\nslots = \"many\"",
            "[devnet]\nlisten = \"0.0.0.0:4329\"",
            "[devnet]\ngrace_blocks = 20",
            "[chain.trust]\nheight = 4",
            "[api]\nallowed_hosts = [\"http://hearth.lan\"]",
            "[api]\nallowed_hosts = [\"hearth.lan:4327\"]",
            "[api]\nallowed_hosts = [\"*.lan\"]",
            "[api]\nallowed_hosts = [\"192.168.1.5\"]",
            "[api]\nallowed_hosts = [\"\"]",
            "[api]\nallowed_origins = [\"localhost:5173\"]",
            "[api]\nallowed_origins = [\"*\"]",
            "[api]\nallowed_origins = [\"null\"]",
            "stop_within_s = 0",
            "not toml",
        ] {
            assert!(layered_of(text, &[], &[]).is_err(), "{text}");
        }
    }
}
