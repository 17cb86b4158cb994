//! The catalogue: models that are known by name, with what a person wants to know before a download.
//!
//! Entries lie in `assets/models/*.toml` and are compiled in. An entry vouches for nothing by itself: files are
//! compared with its hashes, and its manifest CID must follow from its files.

use std::sync::LazyLock;

use cid::Cid;
use serde::Deserialize;

use crate::manifest::{Description, Manifest, ManifestError, ManifestFile, ModelKind};

const SOURCES: [(&str, &str); 2] = [
    (
        "smollm2-135m-instruct",
        include_str!("../../../assets/models/smollm2-135m-instruct.toml"),
    ),
    (
        "all-minilm-l6-v2",
        include_str!("../../../assets/models/all-minilm-l6-v2.toml"),
    ),
];

/// A known model.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The manifest that the entry's fields make.
    pub manifest: Manifest,
    /// One line about it.
    pub about: String,
    /// Where its licence says so.
    pub home: String,
    /// SHA-256 of each file, in the order of the manifest, for those who check with other tools.
    pub sha256: Vec<String>,
    /// The package that carries it.
    pub package: Package,
    /// How to sample from it, where its own files do not say that.
    pub sampling: Sampling,
}

/// How to sample from a model; what is left out is as for most models.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// 0 chooses the most probable token.
    pub temperature: Option<f32>,
    /// Keeps the most probable tokens whose probabilities sum to this.
    pub top_p: Option<f32>,
    /// Keeps this many of the most probable tokens.
    pub top_k: Option<u32>,
    /// Drops tokens less probable than this share of the best one.
    pub min_p: Option<f32>,
    /// Divides the logits of tokens seen lately.
    pub repetition_penalty: Option<f32>,
    /// The longest answer, in tokens, where nobody asks for another.
    pub max_tokens: Option<u32>,
    /// Said to the model before a conversation that has no such message of its own.
    pub system: Option<String>,
}

/// Where the files can be had.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Registry: `pypi`.
    pub registry: String,
    /// Name there.
    pub name: String,
    /// The one version whose hash is known.
    pub version: String,
    /// The file in the package; an archive is unpacked further.
    pub member: String,
}

/// Why an entry is wrong. The shipped ones are tested.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("catalogue entry {slug} is no TOML of the known form: {text}")]
    Form { slug: String, text: String },
    #[error("catalogue entry {slug} makes no manifest")]
    Manifest {
        slug: String,
        #[source]
        source: ManifestError,
    },
    #[error("catalogue entry {slug} names manifest {said}, but its files make {made}")]
    Cid { slug: String, said: Cid, made: Cid },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    slug: String,
    title: String,
    kind: ModelKind,
    licence: String,
    about: String,
    home: String,
    /// Text, since a CID in TOML has no form of its own.
    manifest: String,
    package: Package,
    #[serde(default)]
    sampling: Sampling,
    files: Vec<RawFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: String,
    size_bytes: u64,
    sha256: String,
    cid: String,
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let read = |(slug, text): &(&str, &str)| match parse(slug, text) {
        Ok(entry) => Some(entry),
        Err(error) => {
            tracing::error!(%error, "a catalogue entry is left out");
            None
        }
    };
    SOURCES.iter().filter_map(read).collect()
});

/// All known models.
#[must_use]
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// The entry with this slug.
#[must_use]
pub fn by_slug(slug: &str) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.manifest.slug() == slug)
}

/// The entry of this model.
#[must_use]
pub fn by_cid(cid: &Cid) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.manifest.cid() == cid)
}

/// The entry all of whose files are among `files`: path by path for folders, by content alone for single files.
pub(crate) fn recognise(files: &[ManifestFile]) -> Option<&'static Entry> {
    entries().iter().find(|entry| {
        let wanted = entry.manifest.files();
        match (wanted, files) {
            ([one], [only]) => one.cid == only.cid,
            _ => wanted.iter().all(|file| files.contains(file)),
        }
    })
}

fn parse(slug: &str, text: &str) -> Result<Entry, CatalogueError> {
    let slug = slug.to_owned();
    let form = |text: String| CatalogueError::Form {
        slug: slug.clone(),
        text,
    };
    let raw: Raw = toml::from_str(text).map_err(|error| form(error.to_string()))?;
    let cid = |text: &str| Cid::try_from(text).map_err(|error| form(format!("{text}: {error}")));
    let mut files = Vec::with_capacity(raw.files.len());
    let mut sha256 = Vec::with_capacity(raw.files.len());
    for file in &raw.files {
        files.push(ManifestFile {
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            cid: cid(&file.cid)?,
        });
        sha256.push(file.sha256.clone());
    }
    let description = Description {
        slug: raw.slug,
        title: raw.title,
        kind: raw.kind,
        licence: raw.licence,
        files,
    };
    let manifest = Manifest::new(description).map_err(|source| CatalogueError::Manifest {
        slug: slug.clone(),
        source,
    })?;
    let said = cid(&raw.manifest)?;
    if said != *manifest.cid() {
        return Err(CatalogueError::Cid {
            slug,
            said,
            made: *manifest.cid(),
        });
    }
    if !raw
        .files
        .is_sorted_by(|one, two| one.path.as_bytes() < two.path.as_bytes())
    {
        return Err(form("files must stand sorted by path".to_owned()));
    }
    Ok(Entry {
        manifest,
        about: raw.about,
        home: raw.home,
        sha256,
        package: raw.package,
        sampling: raw.sampling,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_entries_hold() {
        for (slug, text) in SOURCES {
            let entry = parse(slug, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(entry.manifest.slug(), slug);
            assert!(
                entry
                    .sha256
                    .iter()
                    .all(|hash| hex::decode(hash).is_ok_and(|bytes| bytes.len() == 32))
            );
        }
        assert_eq!(entries().len(), SOURCES.len());
    }

    #[test]
    fn an_embedding_model_comes_with_all_that_decides_its_vectors() {
        let entry = by_slug("all-minilm-l6-v2").unwrap();
        let paths: Vec<&str> = entry
            .manifest
            .files()
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        // The last but one limits a text to 256 tokens; without it the model would read 512.
        let wanted = [
            "1_Pooling/config.json",
            "config.json",
            "model.safetensors",
            "sentence_bert_config.json",
            "tokenizer.json",
        ];
        assert_eq!(paths, wanted);
    }

    #[test]
    fn a_wrong_manifest_cid_is_noticed() {
        let (slug, text) = SOURCES[0];
        let wrong = text.replace("135M", "136M");
        assert!(matches!(parse(slug, &wrong), Err(CatalogueError::Cid { .. })));
    }
}
