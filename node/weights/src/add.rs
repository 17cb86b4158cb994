//! Adding the owner's own files: hashed where they lie, recorded as ranges, never copied.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    block::digest_of,
    catalogue,
    disk::Fingerprint,
    hashing,
    inspect::Inspector,
    manifest::{
        Description, MAX_TEXT_BYTES, Manifest, ManifestError, ManifestFile, ModelKind, file_name_of, slug_of,
    },
    records::{FinishedFile, LeafRecord, RecordsError},
    refusal::{Fact, Refusal},
    unixfs::Profile,
};

/// Folders in folders that are looked into.
const MAX_DEPTH: usize = 8;
/// Endings of the files that a model in a folder consists of.
const ENDINGS: [&str; 7] = ["gguf", "safetensors", "json", "txt", "model", "jinja", "tiktoken"];

/// What the owner says about a model; what is left out follows from the files and the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddOptions {
    /// Its name for programs.
    pub slug: Option<String>,
    /// Its name for people.
    pub title: Option<String>,
    /// What it is for.
    pub kind: Option<ModelKind>,
    /// SPDX name of its licence.
    pub licence: Option<String>,
}

/// Why a model cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error("{} cannot be read: is it there, and may this user read it?", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is neither a file nor a folder", path.display())]
    Neither { path: PathBuf },
    #[error("{} holds no model: no .gguf or .safetensors file in it", path.display())]
    NoModel { path: PathBuf },
    #[error("{} is nested deeper than {MAX_DEPTH} folders", path.display())]
    Deep { path: PathBuf },
    #[error("{} is no text, which paths in a manifest must be: rename it", path.display())]
    NoText { path: PathBuf },
    #[error(transparent)]
    Refused(Refusal),
    #[error("{} changed while it was hashed: wait until its download or copy is done, then add it again", path.display())]
    Changing { path: PathBuf },
    #[error("no manifest can be written for these files")]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl AddError {
    /// The fact, for surfaces that say it in another language.
    #[must_use]
    pub fn fact(&self) -> Fact {
        match self {
            AddError::Read { path, source } => Fact::of_io(source).with("path", path.display()),
            AddError::Neither { path } => Fact::new("file_no_file").with("path", path.display()),
            AddError::NoModel { path } => Fact::new("model_unrecognised").with("path", path.display()),
            AddError::Deep { path } => Fact::new("folder_deep")
                .with("path", path.display())
                .with("depth", MAX_DEPTH),
            AddError::NoText { path } => Fact::new("file_name_no_text").with("path", path.display()),
            AddError::Refused(refusal) => refusal.fact.clone(),
            AddError::Changing { path } => Fact::new("file_changing").with("path", path.display()),
            AddError::Manifest(_) => Fact::new("model_manifest"),
            AddError::Records(error) => error.fact(),
        }
    }
}

/// A file that was hashed.
struct Hashed {
    entry: ManifestFile,
    finished: FinishedFile,
}

/// Hashes a file or folder into a manifest and the records of its files, in the order of the manifest.
pub(crate) async fn import(
    path: &Path,
    options: AddOptions,
    threads: usize,
    inspector: &Inspector,
) -> Result<(Manifest, Vec<FinishedFile>), AddError> {
    let path = path.to_owned();
    let (shown, inspector) = (path.clone(), inspector.clone());
    tokio::task::spawn_blocking(move || import_blocking(&path, options, threads, &inspector))
        .await
        .unwrap_or_else(|error| {
            let source = io::Error::other(error);
            Err(AddError::Read { path: shown, source })
        })
}

fn import_blocking(
    path: &Path,
    options: AddOptions,
    threads: usize,
    inspector: &Inspector,
) -> Result<(Manifest, Vec<FinishedFile>), AddError> {
    let unreadable = |source| AddError::Read {
        path: path.to_owned(),
        source,
    };
    let root = path.canonicalize().map_err(unreadable)?;
    let metadata = fs::metadata(&root).map_err(unreadable)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(AddError::Neither { path: root });
    }
    // Parts of a split model lie beside the name that was given, not beside what it may be a link to.
    let needed = inspector.inspect(path).map_err(AddError::Refused)?;
    let is_folder = metadata.is_dir();
    let paths = if is_folder { model_files(&root)? } else { needed };
    let mut hashed = Vec::with_capacity(paths.len());
    for file in &paths {
        let name = if is_folder {
            file.strip_prefix(&root).ok()
        } else {
            file.file_name().map(Path::new)
        };
        let name = name
            .and_then(manifest_path)
            .ok_or_else(|| AddError::NoText { path: file.clone() })?;
        hashed.push(hash(&file.canonicalize().map_err(unreadable)?, name, threads)?);
    }
    let named = path.file_name().map_or(root.as_path(), |_| path);
    describe(named, is_folder, hashed, options)
}

/// Chooses names and files: the catalogue's for a model it knows, else what the files suggest.
fn describe(
    root: &Path,
    is_folder: bool,
    mut hashed: Vec<Hashed>,
    options: AddOptions,
) -> Result<(Manifest, Vec<FinishedFile>), AddError> {
    let entries: Vec<ManifestFile> = hashed.iter().map(|file| file.entry.clone()).collect();
    let known = catalogue::recognise(&entries).map(|entry| &entry.manifest);
    if let Some(known) = known {
        if let ([wanted], [only]) = (known.files(), hashed.as_mut_slice()) {
            only.entry.path.clone_from(&wanted.path);
        } else {
            // Files beside the model's own (a README's JSON) would make another identity.
            hashed.retain(|file| known.files().contains(&file.entry));
        }
    }
    let stem = if is_folder {
        root.file_name()
    } else {
        root.file_stem()
    };
    let stem = title_of(&stem.unwrap_or_default().to_string_lossy());
    let text = |said: Option<String>, known: Option<&str>, guess: &str| {
        said.or_else(|| known.map(str::to_owned))
            .unwrap_or_else(|| guess.to_owned())
    };
    hashed.sort_by(|one, two| one.entry.path.as_bytes().cmp(two.entry.path.as_bytes()));
    let manifest = Manifest::new(Description {
        slug: text(options.slug, known.map(Manifest::slug), &slug_of(&stem)),
        title: text(options.title, known.map(Manifest::title), &stem),
        kind: options
            .kind
            .or(known.map(Manifest::kind))
            .unwrap_or_else(|| guess_kind(root, is_folder)),
        licence: text(options.licence, known.map(Manifest::licence), ""),
        files: hashed.iter().map(|file| file.entry.clone()).collect(),
    })?;
    Ok((manifest, hashed.into_iter().map(|file| file.finished).collect()))
}

fn hash(path: &Path, name: String, threads: usize) -> Result<Hashed, AddError> {
    let unreadable = |source| AddError::Read {
        path: path.to_owned(),
        source,
    };
    let disk_path = path
        .to_str()
        .ok_or_else(|| AddError::NoText {
            path: path.to_owned(),
        })?
        .to_owned();
    let file = File::open(path).map_err(unreadable)?;
    let fingerprint = Fingerprint::of(&file).map_err(unreadable)?;
    let imported =
        hashing::import_file(&Profile::V1_2025, &file, fingerprint.size, threads).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                AddError::Changing {
                    path: path.to_owned(),
                }
            } else {
                unreadable(source)
            }
        })?;
    let after = Fingerprint::at(path).map_err(unreadable)?;
    if fingerprint.difference(&after).is_some() {
        return Err(AddError::Changing {
            path: path.to_owned(),
        });
    }
    let mut at = 0;
    let mut leaves = Vec::with_capacity(imported.leaves.len());
    for leaf in &imported.leaves {
        if let Some(digest) = digest_of(&leaf.cid) {
            leaves.push(LeafRecord {
                digest,
                at,
                length: leaf.file_bytes,
                wrap: None,
            });
        }
        at += leaf.file_bytes;
    }
    let entry = ManifestFile {
        path: name,
        size_bytes: fingerprint.size,
        cid: imported.root.cid,
    };
    Ok(Hashed {
        entry,
        finished: FinishedFile {
            disk_path,
            fingerprint,
            nodes: imported.nodes,
            leaves,
        },
    })
}

/// The files of a model in a folder, hidden ones left out.
fn model_files(root: &Path) -> Result<Vec<PathBuf>, AddError> {
    let mut files = Vec::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let unreadable = |source| AddError::Read {
            path: folder.clone(),
            source,
        };
        if depth > MAX_DEPTH {
            return Err(AddError::Deep { path: folder });
        }
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // Follows links: the cache of the usual hub client consists of them.
            let metadata = fs::metadata(&path).map_err(unreadable)?;
            if metadata.is_dir() {
                folders.push((path, depth + 1));
            } else if metadata.is_file() && (has_ending(&path, &ENDINGS) || is_gguf(&path)) {
                files.push(path);
            }
        }
    }
    if !files
        .iter()
        .any(|path| has_ending(path, &["gguf", "safetensors"]) || is_gguf(path))
    {
        return Err(AddError::NoModel {
            path: root.to_owned(),
        });
    }
    files.sort();
    Ok(files)
}

/// A file is what its first bytes say, whatever it is called.
fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"GGUF"
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension()
        .is_some_and(|found| endings.iter().any(|ending| found.eq_ignore_ascii_case(ending)))
}

/// The path of a file in its model. What no system can have in a path, or not all, becomes `_`.
fn manifest_path(path: &Path) -> Option<String> {
    let names: Option<Vec<String>> = path
        .components()
        .map(|name| name.as_os_str().to_str().map(file_name_of))
        .collect();
    names.map(|names| names.join("/"))
}

/// A title made of a file's name: without control characters, the number of a part, and what is too long.
fn title_of(stem: &str) -> String {
    let plain: String = stem
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let mut title = words.join(" ");
    if let Some((name, number)) = title.rsplit_once("-00001-of-")
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        title = name.to_owned();
    }
    title.truncate(title.floor_char_boundary(MAX_TEXT_BYTES));
    if title.is_empty() {
        "model".to_owned()
    } else {
        title
    }
}

/// A plain file of some kilobytes: a folder from elsewhere may have a pipe or a device by that name.
fn small_file(path: &Path) -> Option<Vec<u8>> {
    const MOST: u64 = 1 << 20;
    let found = fs::metadata(path).ok()?;
    (found.is_file() && found.len() <= MOST).then(|| fs::read(path).ok())?
}

/// Sentence embedders say how they pool; their configuration is a BERT's.
fn guess_kind(root: &Path, is_folder: bool) -> ModelKind {
    #[derive(serde::Deserialize)]
    struct ModelConfig {
        model_type: Option<String>,
    }
    if !is_folder {
        return ModelKind::Chat;
    }
    let pools = root.join("1_Pooling").is_dir() || root.join("sentence_bert_config.json").is_file();
    let config = small_file(&root.join("config.json")).unwrap_or_default();
    let is_bert = serde_json::from_slice::<ModelConfig>(&config)
        .is_ok_and(|config| config.model_type.is_some_and(|name| name.contains("bert")));
    if pools || is_bert {
        ModelKind::Embedding
    } else {
        ModelKind::Chat
    }
}
