//! From settings to whoever answers: the engine, other servers, and the routers over them.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use hearth_answers::{
    EngineBackend, Limits, Models, Named, NullBackend, Router, SharedBackend, UrlBackend, UrlSettings,
    check_address,
};
use hearth_base::Secret;

use crate::{
    config::{BackendSettings, Settings},
    error::NodeError,
    secret_line::secret_line,
};

/// Who makes the answers that are sold. What the network answers is not sold again.
pub(crate) fn miner_backend(settings: &Settings, answers: &Answers) -> Result<SharedBackend, NodeError> {
    Ok(match settings.miner.backend.as_deref() {
        None => answers.router(None, BTreeMap::new()),
        Some("null") => Arc::new(NullBackend::default()),
        Some(text) => Arc::new(url_backend(settings, text)?),
    })
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
}

impl Answers {
    pub(crate) fn new(settings: &Settings, models: &Models) -> Result<Answers, NodeError> {
        let engine = Arc::new(EngineBackend::new(models.clone(), slots(settings)));
        let mut named = BTreeMap::new();
        for (name, backend) in &settings.backends {
            named.insert(name.clone(), named_backend(name, backend)?);
        }
        Ok(Answers { engine, named })
    }

    /// All of it behind one.
    pub(crate) fn router(
        &self,
        network: Option<SharedBackend>,
        aliases: BTreeMap<String, String>,
    ) -> Arc<Router> {
        let (engine, named) = (Arc::clone(&self.engine), self.named.clone());
        Arc::new(Router::new(engine, network, named, aliases))
    }
}

/// A backend of `[backends.NAME]`.
pub(crate) fn named_backend(name: &str, settings: &BackendSettings) -> Result<Named, NodeError> {
    let setting = format!("backends.{name}.url");
    let backend: SharedBackend = match settings.url.as_deref() {
        None => Arc::new(NullBackend::default()),
        Some(text) => {
            let key = backend_key(settings)?;
            let url = UrlSettings {
                base: check_address(text).map_err(|_| NodeError::Address(text.to_owned()))?,
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
            Arc::new(UrlBackend::new(url).map_err(|error| NodeError::Address(format!("{text}: {error}")))?)
        }
    };
    Ok(Named {
        backend,
        models: settings.models.clone(),
        weight: settings.weight,
    })
}

/// The key of a backend: the first line of a file, or a variable of the environment.
fn backend_key(settings: &BackendSettings) -> Result<Option<Secret>, NodeError> {
    let refused = |path: &Path, why: &str| NodeError::BackendKey {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    match (&settings.key_file, &settings.key_env) {
        (Some(path), _) => read_key(path).map(Some),
        (None, Some(name)) => {
            let key = settings.key_of_the_environment();
            let key = key.ok_or_else(|| refused(Path::new(name), "no such variable is set"))?;
            checked_key(key.into())
                .map(Some)
                .map_err(|why| refused(Path::new(name), &why))
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
        .map(read_key)
        .transpose()?;
    let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let backend = UrlBackend::new(UrlSettings {
        base: check_address(text).map_err(|_| NodeError::Address(text.to_owned()))?,
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
    backend.map_err(|error| NodeError::Address(format!("{text}: {error}")))
}

/// The key in the first line of a file.
fn read_key(path: &Path) -> Result<Secret, NodeError> {
    let refused = |why: String| NodeError::BackendKey {
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
        return Err("its first line is no key".to_owned());
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(read_key(&path), Err(NodeError::BackendKey { .. })));
        std::fs::write(&path, "sk-abc123 \nmore\n").unwrap();
        assert_eq!(
            bearer(read_key(&path).unwrap())["Authorization"],
            "Bearer sk-abc123"
        );
        for bad in ["", "\nsk-abc", "two words", "k\u{e9}y"] {
            std::fs::write(&path, bad).unwrap();
            let error = read_key(&path).err().unwrap().to_string();
            assert!(error.contains("backend_key_file"), "{error}");
            assert!(!error.contains("abc"), "the key is in no message: {error}");
        }
    }
}
