//! A look into a model's files before it is taken in. What can run is known by the engine, which this crate does not
//! know: the program passes the look in.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

type Look = dyn Fn(&Path) -> Result<Vec<PathBuf>, String> + Send + Sync;

/// Looks at a file or folder: gives the files that the model needs, or says for people why it cannot be used.
#[derive(Clone)]
pub struct Inspector(Arc<Look>);

impl Inspector {
    /// Takes the look.
    pub fn new(look: impl Fn(&Path) -> Result<Vec<PathBuf>, String> + Send + Sync + 'static) -> Inspector {
        Inspector(Arc::new(look))
    }

    /// Takes everything as it is.
    #[must_use]
    pub fn none() -> Inspector {
        Inspector::new(|path| Ok(vec![path.to_owned()]))
    }

    pub(crate) fn look(&self, path: &Path) -> Result<Vec<PathBuf>, String> {
        (self.0)(path)
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inspector")
    }
}
