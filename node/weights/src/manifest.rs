//! The model manifest: what a model is called, and which files it consists of.
//!
//! DAG-CBOR, so that equal models have equal bytes and one CID, which is the model's identity everywhere: on the
//! command line, in downloads, in the supplier's configuration. Files are links to UnixFS roots. A manifest is
//! read only in its canonical form: other bytes for the same content would be a second identity.

use std::collections::BTreeSet;

use bytes::Bytes;
use cid::{Cid, Version};
use serde::{Deserialize, Serialize};

use crate::block::{Block, BlockError, DAG_CBOR, DAG_PB, RAW, check_hash};

/// Names the format inside the block.
const TYPE: &str = "hearth-model";
/// The version of the format.
const VERSION: u64 = 1;
/// The longest manifest: a thousand files with long paths take about 200 KiB.
pub const MAX_MANIFEST_BYTES: usize = 512 * 1024;
/// The most files of a model.
const MAX_FILES: usize = 1024;
/// The largest file: 1 PiB, far above any model and below what sums could overflow.
const MAX_FILE_BYTES: u64 = 1 << 50;
/// Longest path inside a model, and longest name in it, in bytes.
const MAX_PATH_BYTES: usize = 512;
const MAX_NAME_BYTES: usize = 200;
const MAX_SLUG_BYTES: usize = 64;
pub(crate) const MAX_TEXT_BYTES: usize = 200;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Continues conversations and texts.
    Chat,
    /// Turns texts into vectors.
    Embedding,
}

impl ModelKind {
    /// The word in manifests and catalogues.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ModelKind::Chat => "chat",
            ModelKind::Embedding => "embedding",
        }
    }
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Where it stands in the model's folder, with `/` between names.
    pub path: String,
    /// Its length.
    #[serde(rename = "size")]
    pub size_bytes: u64,
    /// Its UnixFS root.
    #[serde(rename = "link")]
    pub cid: Cid,
}

/// A checked manifest with its CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    cid: Cid,
    bytes: Bytes,
    wire: Wire,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "type")]
    type_name: String,
    version: u64,
    slug: String,
    title: String,
    kind: ModelKind,
    licence: String,
    files: Vec<ManifestFile>,
}

/// What goes into a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name for programs: small letters, digits, `.` and `-`.
    pub slug: String,
    /// Its name for people.
    pub title: String,
    /// What it is for.
    pub kind: ModelKind,
    /// SPDX name of its licence, or empty where it is not known.
    pub licence: String,
    /// Its files, in any order.
    pub files: Vec<ManifestFile>,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("{0} is no manifest: its codec is not dag-cbor (0x71), so it cannot name a model")]
    Codec(Cid),
    #[error("the manifest has {0} bytes; at most {MAX_MANIFEST_BYTES} are read")]
    TooLarge(usize),
    #[error("the block is no Hearth model manifest: {0}")]
    Form(String),
    #[error("the manifest is written in another than the canonical way, so its CID is not the model's")]
    NotCanonical,
    #[error("manifests of version {0} are unknown: a newer Hearth wrote it; update")]
    Version(u64),
    #[error(
        "\"{0}\" is no slug: small letters, digits, '.' and '-', at most {MAX_SLUG_BYTES}, first a letter or digit"
    )]
    Slug(String),
    #[error("{0} is longer than {MAX_TEXT_BYTES} bytes or has control characters")]
    Text(&'static str),
    #[error("a model has 1 to {MAX_FILES} files, this one {0}")]
    FileCount(usize),
    #[error("\"{0}\" is no path inside a model's folder")]
    Path(String),
    #[error("the paths \"{0}\" and \"{1}\" cannot stand in one folder")]
    PathTwice(String, String),
    #[error("\"{path}\" has {size_bytes} bytes, which no file has")]
    FileSize { path: String, size_bytes: u64 },
    #[error("the link of \"{path}\" cannot be followed: codec 0x{codec:x} is no file")]
    LinkCodec { path: String, codec: u64 },
    #[error("the link of \"{path}\" cannot be followed")]
    Link {
        path: String,
        #[source]
        source: BlockError,
    },
}

impl Manifest {
    /// Writes a manifest.
    ///
    /// # Errors
    /// Names, paths and links that no manifest may have.
    pub fn new(description: Description) -> Result<Manifest, ManifestError> {
        let Description {
            slug,
            title,
            kind,
            licence,
            mut files,
        } = description;
        files.sort_by(|one, two| one.path.as_bytes().cmp(two.path.as_bytes()));
        let wire = Wire {
            type_name: TYPE.to_owned(),
            version: VERSION,
            slug,
            title,
            kind,
            licence,
            files,
        };
        check(&wire)?;
        let bytes = encode(&wire)?;
        let block = Block::new(Version::V1, DAG_CBOR, bytes.into());
        Ok(Manifest {
            cid: *block.cid(),
            bytes: block.into_bytes(),
            wire,
        })
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// Blocks that are no manifest in canonical form.
    pub fn from_block(block: &Block) -> Result<Manifest, ManifestError> {
        if block.cid().codec() != DAG_CBOR {
            return Err(ManifestError::Codec(*block.cid()));
        }
        let bytes = block.bytes();
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let wire: Wire =
            serde_ipld_dagcbor::from_slice(bytes).map_err(|error| ManifestError::Form(error.to_string()))?;
        check(&wire)?;
        if encode(&wire)? != bytes.as_ref() {
            return Err(ManifestError::NotCanonical);
        }
        Ok(Manifest {
            cid: *block.cid(),
            bytes: bytes.clone(),
            wire,
        })
    }

    /// The model's identity.
    #[must_use]
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The block's bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its name for programs.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.wire.slug
    }

    /// Its name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.wire.title
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        self.wire.kind
    }

    /// SPDX name of its licence; empty where it is not known.
    #[must_use]
    pub fn licence(&self) -> &str {
        &self.wire.licence
    }

    /// Its files, sorted by path.
    #[must_use]
    pub fn files(&self) -> &[ManifestFile] {
        &self.wire.files
    }

    /// The sum of its files.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.wire.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// A slug made of any text: what does not fit becomes `-`.
#[must_use]
pub fn slug_of(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        let letter = if letter.is_ascii_alphanumeric() || letter == '.' {
            letter
        } else {
            '-'
        };
        let is_double = matches!(letter, '-' | '.') && slug.ends_with(['-', '.']);
        if slug.len() < MAX_SLUG_BYTES && !is_double {
            slug.push(letter);
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() {
        "model".to_owned()
    } else {
        slug.to_owned()
    }
}

fn encode(wire: &Wire) -> Result<Vec<u8>, ManifestError> {
    let bytes = serde_ipld_dagcbor::to_vec(wire).map_err(|error| ManifestError::Form(error.to_string()))?;
    if bytes.len() > MAX_MANIFEST_BYTES {
        Err(ManifestError::TooLarge(bytes.len()))
    } else {
        Ok(bytes)
    }
}

fn check(wire: &Wire) -> Result<(), ManifestError> {
    if wire.type_name != TYPE {
        return Err(ManifestError::Form(format!(
            "its type is \"{}\"",
            wire.type_name.escape_debug()
        )));
    }
    if wire.version != VERSION {
        return Err(ManifestError::Version(wire.version));
    }
    if !is_slug(&wire.slug) {
        return Err(ManifestError::Slug(wire.slug.clone()));
    }
    for (name, text) in [("the title", &wire.title), ("the licence", &wire.licence)] {
        if text.len() > MAX_TEXT_BYTES || text.contains(char::is_control) {
            return Err(ManifestError::Text(name));
        }
    }
    if wire.files.is_empty() || wire.files.len() > MAX_FILES {
        return Err(ManifestError::FileCount(wire.files.len()));
    }
    if !wire
        .files
        .is_sorted_by(|one, two| one.path.as_bytes() <= two.path.as_bytes())
    {
        return Err(ManifestError::NotCanonical);
    }
    wire.files.iter().try_for_each(check_file)?;
    check_paths(&wire.files)
}

fn is_slug(text: &str) -> bool {
    let letters = text
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
    letters && text.len() <= MAX_SLUG_BYTES && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

fn check_file(file: &ManifestFile) -> Result<(), ManifestError> {
    let path = file.path.clone();
    if !is_path(&file.path) {
        return Err(ManifestError::Path(path));
    }
    if file.size_bytes > MAX_FILE_BYTES {
        return Err(ManifestError::FileSize {
            path,
            size_bytes: file.size_bytes,
        });
    }
    if ![RAW, DAG_PB].contains(&file.cid.codec()) {
        return Err(ManifestError::LinkCodec {
            path,
            codec: file.cid.codec(),
        });
    }
    check_hash(&file.cid).map_err(|source| ManifestError::Link { path, source })
}

/// Whether the path stays inside a folder on every system.
fn is_path(path: &str) -> bool {
    path.len() <= MAX_PATH_BYTES
        && path.split('/').all(|name| {
            !name.is_empty()
                && name.len() <= MAX_NAME_BYTES
                && !name.starts_with([' ', '.'])
                && !name.ends_with([' ', '.'])
                && !name.ends_with(".partial")
                && !name.contains(|letter: char| letter.is_control() || "\\:*?\"<>|".contains(letter))
        })
}

/// A name that a path may have on every system, made of a file's own.
pub(crate) fn file_name_of(name: &str) -> String {
    let allowed = |letter: char| {
        if letter.is_control() || "\\:*?\"<>|".contains(letter) {
            '_'
        } else {
            letter
        }
    };
    let mut name: String = name.chars().map(allowed).collect();
    if name.starts_with([' ', '.']) {
        name.insert(0, '_');
    }
    if name.len() > MAX_NAME_BYTES {
        // The end of a name says what kind of file it is.
        let from = name.ceil_char_boundary(name.len() + 1 - MAX_NAME_BYTES);
        name = format!("_{}", &name[from..]);
    }
    if name.ends_with([' ', '.']) || name.ends_with(".partial") {
        name.truncate(name.floor_char_boundary(MAX_NAME_BYTES - 1));
        name.push('_');
    }
    name
}

/// Refuses paths that are one on systems which do not tell capitals, and files that would be folders too.
fn check_paths(files: &[ManifestFile]) -> Result<(), ManifestError> {
    let twice = |one: &str, two: &str| Err(ManifestError::PathTwice(one.to_owned(), two.to_owned()));
    let mut paths = BTreeSet::new();
    for file in files {
        if !paths.insert(file.path.to_lowercase()) {
            return twice(&file.path, &file.path);
        }
    }
    for path in &paths {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        if let Some(folder) = folders.into_iter().find(|folder| paths.contains(*folder)) {
            return twice(folder, path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::{sha256, sha256_cid};

    fn file(path: &str) -> ManifestFile {
        let cid = sha256_cid(Version::V1, RAW, sha256(path.as_bytes()));
        ManifestFile {
            path: path.to_owned(),
            size_bytes: 7,
            cid,
        }
    }

    fn description(paths: &[&str]) -> Description {
        Description {
            slug: "a-model".to_owned(),
            title: "A model".to_owned(),
            kind: ModelKind::Chat,
            licence: "Apache-2.0".to_owned(),
            files: paths.iter().map(|path| file(path)).collect(),
        }
    }

    #[test]
    fn the_order_of_files_does_not_change_the_identity() {
        let one = Manifest::new(description(&["b.gguf", "a/c.json"])).unwrap();
        let two = Manifest::new(description(&["a/c.json", "b.gguf"])).unwrap();
        assert_eq!(one, two);
        let block = Block::verify(*one.cid(), one.bytes().clone()).unwrap();
        assert_eq!(Manifest::from_block(&block), Ok(one));
    }

    #[test]
    fn the_encoding_is_frozen() {
        let manifest = Manifest::new(description(&["a.gguf"])).unwrap();
        // Keys are sorted by length, then by bytes; the link is tag 42 over a byte string that begins with 0.
        let text = hex::encode(manifest.bytes());
        assert!(text.starts_with("a7646b696e646463686174"), "{text}");
        assert!(text.contains("d82a582500015512"), "{text}");
        assert_eq!(
            manifest.cid().to_string(),
            "bafyreiglhggxectuvcya6g5jgmngypxxulbubl3nnx4lce33bribnsik4q"
        );
    }

    #[test]
    fn paths_that_leave_the_folder_or_collide_are_refused() {
        let bad = [
            "",
            "/a",
            "a/",
            "../a",
            "a/../b",
            ".hidden",
            "a//b",
            "c:a",
            "a\\b",
            "a\n",
            "x.partial",
            "a ",
            "a.",
        ];
        for path in bad {
            let error = Manifest::new(description(&[path])).unwrap_err();
            assert_eq!(error, ManifestError::Path(path.to_owned()));
        }
        for paths in [["a", "A"], ["a", "a/b"], ["x/y", "X"]] {
            let error = Manifest::new(description(&paths)).unwrap_err();
            assert!(matches!(error, ManifestError::PathTwice(..)), "{error}");
        }
    }

    #[test]
    fn other_bytes_for_the_same_content_are_refused() {
        let manifest = Manifest::new(description(&["a.gguf"])).unwrap();
        // The version as an integer of two bytes.
        let short = [b"gversion".as_slice(), &[1]].concat();
        let long = [b"gversion".as_slice(), &[0x18, 1]].concat();
        let at = manifest
            .bytes()
            .windows(short.len())
            .position(|part| part == short)
            .unwrap();
        let bytes = [
            &manifest.bytes()[..at],
            &long,
            &manifest.bytes()[at + short.len()..],
        ]
        .concat();
        let block = Block::new(Version::V1, DAG_CBOR, bytes.into());
        let error = Manifest::from_block(&block).unwrap_err();
        assert!(
            matches!(error, ManifestError::NotCanonical | ManifestError::Form(_)),
            "{error}"
        );
    }

    #[test]
    fn slugs_are_made_of_file_names() {
        assert_eq!(
            slug_of("SmolLM2-135M-Instruct.Q4_1"),
            "smollm2-135m-instruct.q4-1"
        );
        assert_eq!(slug_of("  __ä__ "), "model");
        assert!(is_slug(&slug_of(&"é!".repeat(99))));
    }

    proptest! {
        #[test]
        fn rubbish_is_refused_and_never_a_panic(bytes: Vec<u8>) {
            let block = Block::new(Version::V1, DAG_CBOR, bytes.into());
            prop_assert!(Manifest::from_block(&block).is_err());
        }

        #[test]
        fn a_flipped_bit_is_another_model_or_none(at: usize, bit in 0_u8..8) {
            let manifest = Manifest::new(description(&["a.gguf", "b.json"])).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let mut bytes = manifest.bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let block = Block::new(Version::V1, DAG_CBOR, bytes.into());
            if let Ok(other) = Manifest::from_block(&block) {
                prop_assert_ne!(other.cid(), manifest.cid());
            }
        }

        #[test]
        fn any_text_gives_a_slug(text: String) {
            prop_assert!(is_slug(&slug_of(&text)));
        }
    }
}
