//! Why a model is refused, as a stable word for each fact with its figures by name, for surfaces that say it in
//! another language than the messages.

use std::io;
use std::path::Path;

use crate::checkpoint::{FileError, GgufError};
use crate::load::LoadError;

/// Names of figures and what they are.
type Values = Vec<(&'static str, String)>;

impl LoadError {
    /// The fact, and the figures of the message by name.
    #[must_use]
    pub fn fact(&self) -> (&'static str, Vec<(&'static str, String)>) {
        match self {
            Self::Unrecognised { path } => ("model_unrecognised", vec![("path", text(path))]),
            Self::PartMissing { file, count, missing } => (
                "model_part_missing",
                vec![
                    ("file", name(file)),
                    ("count", count.to_string()),
                    ("missing", missing.clone()),
                ],
            ),
            Self::File(error) => of_file(error),
            Self::Gguf { file, source } => of_gguf(file, source),
            Self::Damaged { file, .. } => ("model_file_damaged", vec![("file", name(file))]),
            Self::Truncated { file, .. } => ("model_truncated", vec![("file", name(file))]),
            Self::UnsupportedArchitecture {
                architecture,
                supported,
            } => (
                "model_architecture",
                vec![
                    ("architecture", architecture.clone()),
                    ("supported", (*supported).to_owned()),
                ],
            ),
            Self::UnsupportedTokenizer { name, .. } => ("model_tokenizer", vec![("tokenizer", name.clone())]),
            Self::UnsupportedFeature { feature } => ("model_feature", vec![("feature", feature.clone())]),
            Self::UnsupportedTensorType {
                tensor,
                dtype,
                supported,
            } => of_type(tensor, dtype, supported),
            Self::TooLarge {
                name,
                need_bytes,
                available_bytes,
                fits_bytes,
            } => (
                "model_too_large",
                vec![
                    ("name", name.clone()),
                    ("need_bytes", need_bytes.to_string()),
                    ("available_bytes", available_bytes.to_string()),
                    ("fits_bytes", fits_bytes.to_string()),
                ],
            ),
            Self::Stopped => ("stopping", Vec::new()),
        }
    }
}

fn of_file(error: &FileError) -> (&'static str, Values) {
    match error {
        FileError::Read { file, kind, .. } => {
            let code = if *kind == io::ErrorKind::NotFound {
                "file_unseen"
            } else if *kind == io::ErrorKind::PermissionDenied {
                "file_denied"
            } else {
                "file_unreadable"
            };
            (code, vec![("path", text(file))])
        }
        FileError::Changed { file, .. } => ("file_changing", vec![("path", text(file))]),
    }
}

fn of_gguf(file: &Path, error: &GgufError) -> (&'static str, Values) {
    let file = ("file", name(file));
    match error {
        GgufError::NotGguf { .. } => ("model_not_gguf", vec![file]),
        GgufError::Version { version } => ("model_version", vec![file, ("version", version.to_string())]),
        GgufError::ByteOrder => ("model_byte_order", vec![file]),
        GgufError::Split {
            found,
            found_count,
            wanted,
            count,
        } => (
            "model_part_other",
            vec![
                file,
                ("found", found.to_string()),
                ("found_count", found_count.to_string()),
                ("wanted", wanted.to_string()),
                ("count", count.to_string()),
            ],
        ),
        GgufError::Truncated { .. } | GgufError::TensorOutside { .. } => ("model_truncated", vec![file]),
        GgufError::TooMany { .. }
        | GgufError::NotUtf8 { .. }
        | GgufError::UnknownValueType { .. }
        | GgufError::Duplicate { .. }
        | GgufError::Overlap { .. }
        | GgufError::NotFinite { .. }
        | GgufError::TensorShape { .. } => ("model_file_damaged", vec![file]),
        GgufError::MissingKey { key } => ("model_header_missing", vec![file, ("key", key.clone())]),
        GgufError::BadValue { key, .. } => ("model_header_bad", vec![file, ("key", key.clone())]),
        GgufError::MissingTensor { tensor } => {
            ("model_tensor_missing", vec![file, ("tensor", tensor.clone())])
        }
        GgufError::BadShape { tensor, .. } => ("model_tensor_shape", vec![file, ("tensor", tensor.clone())]),
        GgufError::UnsupportedType {
            tensor,
            dtype,
            supported,
        } => of_type(tensor, dtype, supported),
    }
}

fn of_type(tensor: &str, dtype: &str, supported: &str) -> (&'static str, Values) {
    let values = [("tensor", tensor), ("type", dtype), ("supported", supported)];
    (
        "model_tensor_type",
        values.map(|(name, value)| (name, value.to_owned())).into(),
    )
}

/// The file's own name: whoever reads it knows the folder.
fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| text(path), |name| name.to_string_lossy().into_owned())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
