//! The proof that a model's files are what its CID says.
//!
//! A [`VerifiedModel`] can be made only by comparing every byte with the manifest, or by finding each file just as
//! it was when that was last done. So whoever takes one may read the open files at once.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cid::Cid;

use crate::{
    disk::{self, Fingerprint},
    manifest::Manifest,
};

/// A model whose files were compared with its manifest.
#[derive(Clone, Debug)]
pub struct VerifiedModel {
    manifest: Manifest,
    files: Vec<VerifiedFile>,
}

/// A file of such a model.
#[derive(Clone, Debug)]
pub struct VerifiedFile {
    name: String,
    cid: Cid,
    path: PathBuf,
    /// Opened before the comparison, so that a file which is swapped afterwards is another one.
    file: Arc<File>,
    fingerprint: Fingerprint,
}

/// A file is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} was changed after it was verified ({what} differs): stop using the model, then run `hearth model verify` \
     or add it again",
    path.display()
)]
pub struct Changed {
    /// The file.
    pub path: PathBuf,
    /// What shows it.
    pub what: &'static str,
}

impl VerifiedModel {
    pub(crate) fn new(manifest: Manifest, files: Vec<VerifiedFile>) -> VerifiedModel {
        VerifiedModel { manifest, files }
    }

    /// The model's identity.
    #[must_use]
    pub fn cid(&self) -> &Cid {
        self.manifest.cid()
    }

    /// What the model is called, and more.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All files, in the order of the manifest.
    #[must_use]
    pub fn files(&self) -> &[VerifiedFile] {
        &self.files
    }

    /// The file with this path in the model.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&VerifiedFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Whether all files still look as they did. Costs one system call a file.
    ///
    /// # Errors
    /// The first file that does not.
    pub fn check_unchanged(&self) -> Result<(), Changed> {
        self.files.iter().try_for_each(VerifiedFile::check_unchanged)
    }
}

impl VerifiedFile {
    pub(crate) fn new(
        name: String,
        cid: Cid,
        path: PathBuf,
        file: Arc<File>,
        fingerprint: Fingerprint,
    ) -> Self {
        VerifiedFile {
            name,
            cid,
            path,
            file,
            fingerprint,
        }
    }

    /// Its path in the model.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its UnixFS root.
    #[must_use]
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// Its path on disk.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file. Reading this one instead of opening the path leaves no moment to swap it; it is shared, so
    /// read at places.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Its length.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.fingerprint.size
    }

    /// Whether its first bytes are these.
    ///
    /// # Errors
    /// The system's.
    pub fn begins_with(&self, magic: &[u8]) -> io::Result<bool> {
        let mut found = vec![0; magic.len()];
        match disk::read_at(&self.file, &mut found, 0) {
            Ok(()) => Ok(found == magic),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the file still looks as it did, at its path and behind the open file.
    ///
    /// # Errors
    /// What differs.
    pub fn check_unchanged(&self) -> Result<(), Changed> {
        let changed = |what| Changed {
            path: self.path.clone(),
            what,
        };
        for found in [Fingerprint::of(&self.file), Fingerprint::at(&self.path)] {
            let found = found.map_err(|_| changed("it cannot be read any more, so all of it"))?;
            if let Some(what) = self.fingerprint.difference(&found) {
                return Err(changed(what));
            }
        }
        Ok(())
    }
}
