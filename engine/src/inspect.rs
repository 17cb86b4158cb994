//! Looks at a model before it is taken in: which files belong to it, and whether their headers say that it can run.
//!
//! Nothing but headers and small files beside the weights is read, so that a file of any size takes moments. A file is
//! what its first bytes say, whatever it is called.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::checkpoint::{FileError, Gguf, OpenFile, WeightFile};
use crate::load::{LoadError, ModelFiles, ModelSource, header_of};
use crate::model::{check_bert, figures};
use crate::sampling::SuggestedSampling;

/// As much of a safetensors file may be header, as its own reader has it.
const MAX_SAFETENSORS_HEADER_BYTES: u64 = 100_000_000;
/// Files of a folder, and folders in folders, that are looked into.
const MAX_ENTRIES: usize = 4096;
const MAX_DEPTH: usize = 8;

/// Checks what lies at `path`, a file or a folder, and gives the files that it needs: all parts of a split model.
///
/// # Errors
/// What is no model, is damaged, incomplete, or of a kind that cannot run here; the message says which and why.
pub fn inspect(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    match files_at(path)? {
        ModelFiles::Gguf { parts, generation } => {
            let paths: Vec<PathBuf> = parts.into_iter().map(|part| part.path).collect();
            let headers = paths.iter().map(|part| header(part)).collect::<Result<_, _>>()?;
            let gguf = Gguf::joined(headers).map_err(|error| LoadError::of_gguf(path, error))?;
            figures(&gguf, path)?;
            Ok(paths
                .into_iter()
                .chain(generation.map(|file| file.path))
                .collect())
        }
        ModelFiles::Bert {
            weights,
            tokenizer,
            config,
            pooling,
            limits,
        } => {
            check_bert(&config, &tokenizer)?;
            check_safetensors(&weights.path)?;
            let side = [pooling, limits].into_iter().flatten();
            let all = [weights, tokenizer, config].into_iter().chain(side);
            Ok(all.map(|file| file.path).collect())
        }
    }
}

impl ModelSource {
    /// Finds out what lies at `path`: a GGUF file, a folder that holds one, or a folder with a BERT model.
    ///
    /// # Errors
    /// [`LoadError::Unrecognised`] if it is neither, and a part of a split model that is missing.
    pub fn at(name: impl Into<String>, path: &Path) -> Result<Self, LoadError> {
        Ok(Self {
            name: name.into(),
            files: files_at(path)?,
            context_tokens: None,
            suggested: SuggestedSampling::default(),
            system: None,
        })
    }
}

/// Finds out what lies at `path`.
fn files_at(path: &Path) -> Result<ModelFiles, LoadError> {
    if path.is_dir() {
        return files_in(path);
    }
    let parts = parts_of(path)?.into_iter().map(WeightFile::new).collect();
    Ok(ModelFiles::Gguf {
        parts,
        generation: None,
    })
}

fn files_in(folder: &Path) -> Result<ModelFiles, LoadError> {
    let existing = |name: &str| {
        let path = Some(folder.join(name)).filter(|path| path.is_file());
        path.map(WeightFile::new)
    };
    if let (Some(weights), Some(tokenizer), Some(config)) = (
        existing("model.safetensors"),
        existing("tokenizer.json"),
        existing("config.json"),
    ) {
        return Ok(ModelFiles::Bert {
            weights,
            tokenizer,
            config,
            pooling: existing("1_Pooling/config.json"),
            limits: existing("sentence_bert_config.json"),
        });
    }
    let found = gguf_files(folder)?;
    let Some(first) = found.first() else {
        return Err(unrecognised(folder));
    };
    // Several files are one model only if they are its parts.
    let parts = if found.len() == 1 || split_name(first).is_some() {
        parts_of(first)?
    } else {
        return Err(unrecognised(folder));
    };
    if parts.len() != found.len() {
        return Err(unrecognised(folder));
    }
    Ok(ModelFiles::Gguf {
        parts: parts.into_iter().map(WeightFile::new).collect(),
        generation: existing("generation_config.json"),
    })
}

/// All GGUF files in a folder and those inside it, sorted; hidden ones are left out.
fn gguf_files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    let mut entries = 0;
    while let Some((folder, depth)) = folders.pop() {
        let unreadable = |source| read_error(&folder, &source);
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            entries += 1;
            if entries > MAX_ENTRIES || entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            if path.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if path.is_file() && begins_as_gguf(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn unrecognised(path: &Path) -> LoadError {
    LoadError::Unrecognised {
        path: path.to_owned(),
    }
}

fn read_error(file: &Path, source: &io::Error) -> LoadError {
    FileError::Read {
        file: file.to_owned(),
        kind: source.kind(),
        reason: source.to_string(),
    }
    .into()
}

/// Whether the file begins as GGUF files do. One that cannot be read does not.
fn begins_as_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"GGUF"
}

/// Reads as much of a file as its header takes.
fn header(path: &Path) -> Result<Gguf, LoadError> {
    header_of(&OpenFile::open(&WeightFile::new(path))?)
}

/// Gives the files of the model that begins, or goes on, in this one.
fn parts_of(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let gguf = header(path)?;
    let (count, _) = gguf.split().map_err(|error| LoadError::of_gguf(path, error))?;
    if count == 1 {
        return Ok(vec![path.to_owned()]);
    }
    let missing = |missing: String| LoadError::PartMissing {
        file: path.to_owned(),
        count,
        missing,
    };
    let (stem, digits) = split_name(path)
        .filter(|(_, named)| *named == count)
        .map(|(stem, _)| (stem, 5))
        .ok_or_else(|| missing(format!("a file named NAME-00001-of-{count:05}.gguf")))?;
    let part = |number: usize| {
        let name = format!("{stem}-{number:0digits$}-of-{count:0digits$}.gguf");
        let part = path.with_file_name(&name);
        if part.is_file() {
            Ok(part)
        } else {
            Err(missing(name))
        }
    };
    (1..=count).map(part).collect()
}

/// Takes `NAME-00001-of-00003.gguf` apart: name and count.
fn split_name(path: &Path) -> Option<(String, usize)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let (rest, count) = name.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(number) || !is_number(count) {
        return None;
    }
    Some((stem.to_owned(), count.parse().ok()?))
}

/// Compares the header of a safetensors file with its length.
fn check_safetensors(path: &Path) -> Result<(), LoadError> {
    let damaged = |reason: String| LoadError::Damaged {
        file: path.to_owned(),
        reason,
    };
    let unreadable = |source| read_error(path, &source);
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut length = [0; 8];
    let cut_short = |wanted_bytes: u64| LoadError::Truncated {
        file: path.to_owned(),
        found_bytes: size,
        wanted_bytes,
    };
    file.read_exact(&mut length)
        .map_err(|_| cut_short(length.len() as u64))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_SAFETENSORS_HEADER_BYTES {
        return Err(damaged("it does not begin as safetensors files do".to_owned()));
    }
    if 8 + length > size {
        return Err(cut_short(8 + length));
    }
    let mut json = Vec::new();
    file.take(length).read_to_end(&mut json).map_err(unreadable)?;
    let header: safetensors::tensor::Metadata =
        serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
    let end = 8 + length + header.data_len() as u64;
    match size.cmp(&end) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(cut_short(end)),
        Ordering::Greater => Err(damaged(format!("it has {size} bytes, and its header says {end}"))),
    }
}
