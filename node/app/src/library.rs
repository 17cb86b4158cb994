//! Gives the engine the verified files of the weight store.

use hearth_engine::{ModelFiles, ModelSource, WeightFile};
use hearth_openai::{Library, LibraryError, Listed};
use hearth_weights::{VerifiedFile, VerifiedModel, Weights};

/// The weight store as the engine's library.
pub(crate) struct WeightLibrary {
    pub(crate) weights: Weights,
    /// A smaller context window than the models' own; `None` leaves it to them.
    pub(crate) context_tokens: Option<usize>,
}

#[async_trait::async_trait]
impl Library for WeightLibrary {
    async fn list(&self) -> Vec<Listed> {
        let models = match self.weights.list().await {
            Ok(models) => models,
            Err(error) => {
                tracing::error!(error = %hearth_base::failure::chain(&error), "the models cannot be listed");
                return Vec::new();
            }
        };
        let listed = models.iter().map(|model| Listed {
            name: model.manifest.slug().to_owned(),
            added_at: model.added_at_ms / 1000,
        });
        listed.collect()
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
        let files = model_files(&verified).ok_or_else(|| LibraryError::Unusable {
            name: name.to_owned(),
            why: "its files are neither one GGUF file nor a BERT model (model.safetensors, tokenizer.json, config.json)"
                .to_owned(),
        })?;
        Ok(ModelSource {
            name: name.to_owned(),
            files,
            context_tokens: self.context_tokens,
        })
    }
}

/// The files as the engine wants them. What was verified is told with them, so that a later change is noticed.
fn model_files(model: &VerifiedModel) -> Option<ModelFiles> {
    if let Some(file) = model.file_ending("gguf") {
        return Some(ModelFiles::Gguf(weight_file(file)));
    }
    let path = |name: &str| model.file(name).map(|file| file.path().to_owned());
    Some(ModelFiles::Bert {
        weights: weight_file(model.file("model.safetensors")?),
        tokenizer: path("tokenizer.json")?,
        config: path("config.json")?,
        pooling: path("1_Pooling/config.json"),
        limits: path("sentence_bert_config.json"),
    })
}

fn weight_file(file: &VerifiedFile) -> WeightFile {
    let metadata = file.file().metadata().ok();
    WeightFile {
        path: file.path().to_owned(),
        size_bytes: metadata.as_ref().map(std::fs::Metadata::len),
        modified: metadata.and_then(|metadata| metadata.modified().ok()),
    }
}
