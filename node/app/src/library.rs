//! Gives the engine the verified files of the weight store.

use std::{io, sync::Arc};

use hearth_answers::{Library, LibraryError, ModelEntry, Task};
use hearth_engine::{ModelFiles, ModelSource, SuggestedSampling, WeightFile};
use hearth_weights::{Fact, Inspector, ModelKind, Refusal, VerifiedFile, VerifiedModel, Weights, catalogue};

/// The weight store as the engine's library.
pub(crate) struct WeightLibrary {
    pub(crate) weights: Weights,
    /// A smaller context window than the models' own; `None` leaves it to them.
    pub(crate) context_tokens: Option<usize>,
}

#[async_trait::async_trait]
impl Library for WeightLibrary {
    async fn list(&self) -> Vec<ModelEntry> {
        let models = match self.weights.list().await {
            Ok(models) => models,
            Err(error) => {
                tracing::error!(error = %hearth_base::failure::chain(&error), "the models cannot be listed");
                return Vec::new();
            }
        };
        let listed = models.iter().map(|model| ModelEntry {
            name: model.manifest.slug().to_owned(),
            added_at: model.added_at_ms / 1000,
            task: match model.manifest.kind() {
                ModelKind::Chat => Task::Chat,
                ModelKind::Embedding => Task::Embedding,
            },
        });
        listed.collect()
    }

    async fn address(&self, name: &str) -> Option<String> {
        let model = self.weights.by_slug(name).await.ok()??;
        Some(model.cid().to_string())
    }

    async fn open(&self, name: &str) -> Result<ModelSource, LibraryError> {
        let unusable = |error: &dyn std::error::Error| LibraryError::Unusable {
            name: name.to_owned(),
            why: hearth_base::failure::chain(error),
        };
        let model = self
            .weights
            .by_slug(name)
            .await
            .map_err(|error| unusable(&error))?
            .ok_or_else(|| LibraryError::Unknown(name.to_owned()))?;
        let verified = self
            .weights
            .open(model.cid())
            .await
            .map_err(|error| unusable(&error))?;
        let files = model_files(&verified)
            .map_err(|error| unusable(&error))?
            .ok_or_else(|| LibraryError::Unusable {
                name: name.to_owned(),
                why: "its files are neither one GGUF file nor a BERT model (model.safetensors, tokenizer.json, \
                      config.json)"
                    .to_owned(),
            })?;
        // The engine holds the files to how they looked just now; this says that they looked as when verified.
        verified.check_unchanged().map_err(|error| unusable(&error))?;
        let (suggested, system) = suggested(&verified);
        Ok(ModelSource {
            name: name.to_owned(),
            files,
            context_tokens: self.context_tokens,
            suggested,
            system,
        })
    }
}

/// The open files as the engine wants them: it reads what was verified, whatever lies at their paths by now. A file is
/// what its first bytes say, whatever it is called.
fn model_files(model: &VerifiedModel) -> io::Result<Option<ModelFiles>> {
    let file = |name: &str| model.file(name).map(weight_file).transpose();
    if let (Some(weights), Some(tokenizer), Some(config)) = (
        file("model.safetensors")?,
        file("tokenizer.json")?,
        file("config.json")?,
    ) {
        return Ok(Some(ModelFiles::Bert {
            weights,
            tokenizer,
            config,
            pooling: file("1_Pooling/config.json")?,
            limits: file("sentence_bert_config.json")?,
        }));
    }
    let mut parts = Vec::new();
    for file in model.files() {
        if file.begins_with(b"GGUF")? {
            parts.push(weight_file(file)?);
        }
    }
    let generation = file("generation_config.json")?;
    Ok((!parts.is_empty()).then_some(ModelFiles::Gguf { parts, generation }))
}

/// What the catalogue knows about sampling from a model.
fn suggested(model: &VerifiedModel) -> (SuggestedSampling, Option<String>) {
    let Some(known) = catalogue::by_cid(model.cid()).map(|entry| entry.sampling.clone()) else {
        return (SuggestedSampling::default(), None);
    };
    let suggested = SuggestedSampling {
        temperature: known.temperature,
        top_p: known.top_p,
        top_k: known.top_k,
        min_p: known.min_p,
        repetition_penalty: known.repetition_penalty,
        max_tokens: known.max_tokens,
    };
    (suggested, known.system)
}

/// The look that the weight store takes at a model before it takes it in.
pub(crate) fn inspector() -> Inspector {
    Inspector::new(|path| {
        hearth_engine::inspect(path).map_err(|error| {
            let (code, values) = error.fact();
            let values = values.into_iter().collect();
            Refusal {
                fact: Fact { code, values },
                text: hearth_base::failure::chain(&error),
            }
        })
    })
}

fn weight_file(file: &VerifiedFile) -> io::Result<WeightFile> {
    WeightFile::held(file.path(), Arc::clone(file.file()))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{fs, path::Path, time::Duration};

    use hearth_base::{Clock, Tasks};
    use hearth_engine::{Engine, FileError, LoadError, testing};
    use hearth_weights::AddOptions;

    use super::*;

    /// A weight store in a folder, with the look at every file that is added.
    pub(crate) async fn weights_in(folder: &Path) -> Weights {
        let store = hearth_store::Config {
            path: folder.join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        };
        Weights::start(hearth_weights::Args {
            config: hearth_weights::Config::new(folder.join("weights")),
            store: hearth_store::Store::open(store).await.unwrap(),
            clock: Clock::system(),
            tasks: Tasks::root(),
            inspector: inspector(),
        })
        .await
        .unwrap()
    }

    async fn library(folder: &Path, model: &Path) -> (WeightLibrary, String) {
        let weights = weights_in(folder).await;
        let model = weights.add(model, AddOptions::default()).await.unwrap();
        let library = WeightLibrary {
            weights,
            context_tokens: None,
        };
        (library, model.manifest.slug().to_owned())
    }

    /// Writes other bytes of the same length and sets the time of writing back, as `cp -p` does.
    fn overwrite(path: &Path) {
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        let mut bytes = fs::read(path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        // Times on disk are as coarse as a tick of the kernel's clock.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(path, bytes).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(modified).unwrap();
    }

    fn engine() -> Engine {
        Engine::start(hearth_engine::Config {
            threads: 1,
            ..hearth_engine::Config::default()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn the_engine_reads_what_was_verified_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = testing::tiny_llama(folder.path()).unwrap();
        let (library, name) = library(folder.path(), &path).await;
        let engine = engine();
        let source = library.open(&name).await.unwrap();
        let model = engine.load(&source).unwrap();
        assert!(model.is_usable());
        // The same bytes in another file at the path: the engine keeps to the open one, which was replaced.
        let source = library.open(&name).await.unwrap();
        fs::copy(&path, folder.path().join("copy")).unwrap();
        fs::rename(folder.path().join("copy"), &path).unwrap();
        assert!(!model.is_usable());
        assert!(matches!(
            engine.load(&source),
            Err(LoadError::File(FileError::Changed { .. }))
        ));
        let source = library.open(&name).await.unwrap();
        assert!(engine.load(&source).unwrap().is_usable());
        overwrite(&path);
        assert!(matches!(
            engine.load(&source),
            Err(LoadError::File(FileError::Changed { .. }))
        ));
        assert!(matches!(
            library.open(&name).await,
            Err(LibraryError::Unusable { .. })
        ));
    }

    #[tokio::test]
    async fn a_model_is_added_and_loaded_whatever_its_files_are_called() {
        // F02, F18, F22, F23
        let whole = || testing::llama_gguf(testing::WriteType::Q4_1);
        let engine = engine();
        for (names, files) in [
            (&["sha256-bbbb"] as &[&str], vec![whole().bytes()]),
            (&["MODEL.GGUF"], vec![whole().bytes()]),
            (&["a%20b#c'd\ne.gguf"], vec![whole().bytes()]),
            (
                &["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"],
                whole().split(2),
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(names.len(), files.len());
            for (name, bytes) in names.iter().zip(files) {
                fs::write(folder.path().join(name), bytes).unwrap();
            }
            let (library, slug) = library(folder.path(), &folder.path().join(names[0])).await;
            let source = library.open(&slug).await.unwrap();
            assert!(engine.load(&source).unwrap().is_usable(), "{names:?}");
        }
    }

    /// A file that cannot run: its name and bytes, what is said of it, the code of the fact, one of its figures.
    type Bad = (&'static str, Vec<u8>, &'static str, &'static str, &'static str);

    fn bad_files() -> Vec<Bad> {
        // F12, F14, F16, F18, F44
        let gguf = || testing::llama_gguf(testing::WriteType::Q4_1);
        let whole = gguf().bytes();
        let version = |bytes: [u8; 4]| [&whole[..4], &bytes, &whole[8..]].concat();
        let (old, big) = (version(1_u32.to_le_bytes()), version(3_u32.to_be_bytes()));
        let part = gguf().split(2).remove(0);
        let writer = testing::GgufWriter::default;
        let rwkv = writer().text("general.architecture", "rwkv7").bytes();
        let strange = gguf().raw_tensor("extra", &[32], 34, vec![0; 17]).bytes();
        let bare = writer().text("general.architecture", "llama").bytes();
        let text = "tokenizer.ggml.pre";
        let at = whole.windows(text.len()).position(|part| part == text.as_bytes());
        // The key, its type, the length of the text, and the text.
        let value = at.unwrap() + text.len() + 4 + 8;
        let foreign = [&whole[..value], b"foreig", &whole[value + 6..]].concat();
        let cut = |bytes: usize| whole[..bytes].to_vec();
        let (first, second) = ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf");
        let rubbish = b"no model".to_vec();
        vec![
            (
                "a.gguf",
                cut(whole.len() - 1000),
                "cut short",
                "model_truncated",
                "a.gguf",
            ),
            ("b.gguf", cut(900), "ends early", "model_truncated", "b.gguf"),
            ("c.gguf", old, "version is 1", "model_version", "1"),
            ("d.gguf", big, "big-endian", "model_byte_order", "d.gguf"),
            (first, part.clone(), second, "model_part_missing", second),
            (second, part, "part 2", "model_part_other", "2"),
            ("e.gguf", rwkv, "rwkv7", "model_architecture", "rwkv7"),
            ("f.gguf", foreign, "foreig", "model_tokenizer", "foreig"),
            ("g.gguf", strange, "TQ1_0", "model_tensor_type", "TQ1_0"),
            ("h.gguf", bare, "is missing", "model_header_missing", "h.gguf"),
            ("i.gguf", rubbish, "not a GGUF file", "model_not_gguf", "i.gguf"),
        ]
    }

    #[tokio::test]
    async fn what_cannot_run_is_not_added_and_the_reason_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let good = testing::tiny_llama(folder.path()).unwrap();
        let (library, _) = library(folder.path(), &good).await;
        for (name, bytes, why, code, figure) in bad_files() {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            let refused = library.weights.add(&path, AddOptions::default()).await;
            let refused = refused.unwrap_err();
            let fact = refused.fact();
            assert!(refused.to_string().contains(why), "{name}: {refused}");
            assert_eq!(fact.code, code, "{name}: {refused}");
            let has_figure = fact.values.values().any(|value| value.starts_with(figure));
            assert!(has_figure, "{name}: {fact:?}");
        }
        let code = async |path: &Path| {
            let refused = library.weights.add(path, AddOptions::default()).await;
            refused.unwrap_err().fact().code
        };
        assert_eq!(code(&folder.path().join("none.gguf")).await, "file_unseen");
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(code(empty.path()).await, "model_unrecognised");
        assert_eq!(library.list().await.len(), 1, "only the good one is listed");
    }

    #[tokio::test]
    async fn files_beside_the_weights_are_held_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = testing::tiny_bert(folder.path()).unwrap();
        fs::write(
            path.join("sentence_bert_config.json"),
            r#"{"max_seq_length": 32}"#,
        )
        .unwrap();
        let (library, name) = library(folder.path(), &path).await;
        let engine = engine();
        let source = library.open(&name).await.unwrap();
        let model = engine.load(&source).unwrap();
        assert_eq!(model.info().context_tokens, 32);
        overwrite(&path.join("tokenizer.json"));
        assert!(!model.is_usable());
        assert!(matches!(
            engine.load(&source),
            Err(LoadError::File(FileError::Changed { .. }))
        ));
    }
}
