//! From settings to whoever answers: the engine, other servers, and the routers over them.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use hearth_answers::{
    EngineBackend, Limits, Models, Named, NullBackend, Router, SharedBackend, UrlBackend, UrlSettings,
    check_address, watch_backend,
};
use hearth_base::{Secret, Tasks};

use crate::{
    config::{BackendSettings, Settings, without_password},
    error::NodeError,
    secret_line::secret_line,
};

/// Who makes the answers that are sold. What the network answers is not sold again.
pub(crate) fn miner_backend(settings: &Settings, answers: &Answers) -> Result<SharedBackend, NodeError> {
    Ok(match settings.miner.backend.as_deref() {
        None => answers.router(None),
        Some("null") => Arc::new(NullBackend::default()),
        Some(text) => Arc::new(url_backend(settings, text)?),
    })
}

/// Whether all that is configured can be built: addresses and keys.
pub(crate) fn check(settings: &Settings) -> Result<(), NodeError> {
    for (name, backend) in &settings.backends {
        named_backend(name, backend)?;
    }
    match settings.miner.backend.as_deref() {
        None | Some("null") => Ok(()),
        Some(text) => url_backend(settings, text).map(drop),
    }
}

fn slots(settings: &Settings) -> usize {
    // Four answers at once share each pass over the weights, which two cores are busy with.
    const DEFAULT_SLOTS: usize = 4;
    if settings.miner.slots == 0 {
        DEFAULT_SLOTS
    } else {
        settings.miner.slots
    }
}

/// What answers on this node, beside the network: the engine and the configured backends.
pub(crate) struct Answers {
    engine: SharedBackend,
    named: BTreeMap<String, Named>,
    /// Other names of models, each with what it stands for in the end.
    aliases: BTreeMap<String, String>,
}

impl Answers {
    pub(crate) fn new(settings: &Settings, models: &Models) -> Result<Answers, NodeError> {
        let engine = Arc::new(EngineBackend::new(models.clone(), slots(settings)));
        let mut named = BTreeMap::new();
        for (name, backend) in &settings.backends {
            named.insert(name.clone(), named_backend(name, backend)?);
        }
        let aliases = settings.aliases().map_err(NodeError::ModelAlias)?;
        Ok(Answers {
            engine,
            named,
            aliases,
        })
    }

    /// All of it behind one. Without the network its names are nobody's: what it answers is not sold again.
    pub(crate) fn router(&self, network: Option<SharedBackend>) -> Arc<Router> {
        let (engine, named) = (Arc::clone(&self.engine), self.named.clone());
        Arc::new(Router::new(engine, network, named, self.aliases.clone()))
    }

    /// Watches every configured backend until the tasks are stopped.
    pub(crate) fn watch(&self, tasks: &Tasks) {
        for (name, named) in &self.named {
            let watching = watch_backend(Arc::clone(&named.backend));
            tasks.spawn_until_stopped(&format!("watch {name}"), watching);
        }
    }
}

/// A backend of `[backends.NAME]`.
pub(crate) fn named_backend(name: &str, settings: &BackendSettings) -> Result<Named, NodeError> {
    let setting = format!("backends.{name}.url");
    let backend: SharedBackend = match settings.url.as_deref() {
        None => Arc::new(NullBackend::default()),
        Some(text) => {
            let key = backend_key(name, settings)?;
            let url = UrlSettings {
                base: check_address(text).map_err(|_| NodeError::Address(without_password(text)))?,
                extra: key.map(bearer).into_iter().flatten().collect(),
                slots: settings.slots.max(1),
                health: settings.health.clone(),
                limits: Limits {
                    first_byte_within: Duration::from_secs(settings.first_byte_within_s),
                    answer_within: Duration::from_secs(settings.answer_within_s),
                    ..Limits::default()
                },
                setting,
            };
            Arc::new(
                UrlBackend::new(url)
                    .map_err(|error| NodeError::Address(format!("{}: {error}", without_password(text))))?,
            )
        }
    };
    let named = Named::new(backend, settings.models.clone(), settings.weight);
    Ok(named.hedged(settings.hedge_after_ms.map(Duration::from_millis)))
}

/// The key of a backend: the first line of a file, or a variable of the environment.
fn backend_key(name: &str, settings: &BackendSettings) -> Result<Option<Secret>, NodeError> {
    match (&settings.key_file, &settings.key_env) {
        (Some(path), _) => read_key(&format!("backends.{name}.key_file"), path).map(Some),
        (None, Some(variable)) => {
            let key = settings.key_of_the_environment().map(Secret::from);
            let key = key.ok_or_else(|| "it is not set, or no text".to_owned());
            key.and_then(checked_key)
                .map(Some)
                .map_err(|why| NodeError::BackendKeyVariable {
                    setting: format!("backends.{name}.key_env"),
                    variable: variable.clone(),
                    why,
                })
        }
        (None, None) => Ok(None),
    }
}

/// Another server that makes the answers that are sold, at the address `text`.
pub(crate) fn url_backend(settings: &Settings, text: &str) -> Result<UrlBackend, NodeError> {
    let key = settings
        .miner
        .backend_key_file
        .as_deref()
        .map(|path| read_key("miner.backend_key_file", path))
        .transpose()?;
    let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let backend = UrlBackend::new(UrlSettings {
        base: check_address(text).map_err(|_| NodeError::Address(without_password(text)))?,
        extra: key.map(bearer).into_iter().flatten().collect(),
        slots: slots(settings),
        health: settings.miner.backend_health.clone(),
        limits: Limits {
            first_byte_within: Duration::from_secs(settings.miner.first_byte_within_s),
            answer_within: Duration::from_secs(settings.miner.answer_within_s),
            bytes: bytes(settings.miner.max_answer_bytes),
            parts: bytes(settings.miner.max_answer_parts),
        },
        setting: "miner.backend".to_owned(),
    });
    backend.map_err(|error| NodeError::Address(format!("{}: {error}", without_password(text))))
}

/// The key in the first line of a file.
fn read_key(setting: &str, path: &Path) -> Result<Secret, NodeError> {
    let refused = |why: String| NodeError::BackendKey {
        setting: setting.to_owned(),
        path: path.to_owned(),
        why,
    };
    let line = secret_line(path).map_err(|error| refused(hearth_base::failure::chain(&error)))?;
    let key = line.trim().to_owned();
    checked_key(key.into()).map_err(refused)
}

fn checked_key(key: Secret) -> Result<Secret, String> {
    let text = key.reveal();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it holds no key, which has no spaces in it".to_owned());
    }
    Ok(key)
}

/// The header for a server that wants a key.
fn bearer(key: Secret) -> BTreeMap<String, String> {
    [("Authorization".to_owned(), format!("Bearer {}", key.reveal()))].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backends_key_comes_from_its_file() {
        const SETTING: &str = "backends.box.key_file";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(
            read_key(SETTING, &path),
            Err(NodeError::BackendKey { .. })
        ));
        std::fs::write(&path, "sk-abc123 \nmore\n").unwrap();
        assert_eq!(
            bearer(read_key(SETTING, &path).unwrap())["Authorization"],
            "Bearer sk-abc123"
        );
        for bad in ["", "\nsk-abc", "two words", "k\u{e9}y"] {
            std::fs::write(&path, bad).unwrap();
            let error = read_key(SETTING, &path).err().unwrap().to_string();
            assert!(error.contains(SETTING), "{error}");
            assert!(!error.contains("abc"), "the key is in no message: {error}");
        }
    }

    #[test]
    fn a_variable_without_a_key_is_named_with_the_remedy() {
        let settings = BackendSettings {
            key_env: Some("HEARTH_TEST_OF_NO_KEY".to_owned()),
            ..BackendSettings::default()
        };
        let error = backend_key("box", &settings).err().unwrap().to_string();
        for word in [
            "backends.box.key_env",
            "HEARTH_TEST_OF_NO_KEY",
            "export",
            "key_file",
        ] {
            assert!(error.contains(word), "{error}");
        }
        assert!(!error.contains("miner."), "{error}");
    }

    /// Whatever a server's failure names as the setting to look at is one that there is.
    #[test]
    fn the_settings_that_a_failure_names_are_there() {
        let config = "backends.box.url = \"http://h:1\"\nbackends.box.key_file = \"k\"\nbackends.box.health = \"/h\"\n\
             miner.backend = \"http://h:1\"\nminer.backend_key_file = \"k\"\nminer.backend_health = \"/h\"\n";
        let settings: Settings = toml::from_str(config).unwrap();
        assert_eq!(settings.backends["box"].health.as_deref(), Some("/h"));
        assert_eq!(settings.miner.backend_health.as_deref(), Some("/h"));
        for (setting, beside) in [
            (
                "backends.box.url",
                ["backends.box.key_file", "backends.box.health"],
            ),
            (
                "miner.backend",
                ["miner.backend_key_file", "miner.backend_health"],
            ),
        ] {
            let named = ["key_file", "health"].map(|other| hearth_answers::setting_beside(setting, other));
            assert_eq!(named, beside);
            assert!(beside.iter().all(|name| config.contains(name)));
        }
    }
}
