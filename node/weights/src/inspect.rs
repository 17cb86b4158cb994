//! Inspects a model's files before it is taken in. What can run is known by the engine, which this crate does not
//! know: the program passes the function in.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::refusal::Refusal;

type InspectFn = dyn Fn(&Path) -> Result<Vec<PathBuf>, Refusal> + Send + Sync;

/// Inspects a file or folder: gives the files that the model needs, or says why it cannot be used.
#[derive(Clone)]
pub struct Inspector(Arc<InspectFn>);

impl Inspector {
    /// Takes the function that inspects.
    pub fn new(
        inspect: impl Fn(&Path) -> Result<Vec<PathBuf>, Refusal> + Send + Sync + 'static,
    ) -> Inspector {
        Inspector(Arc::new(inspect))
    }

    /// Takes everything as it is.
    #[must_use]
    pub fn none() -> Inspector {
        Inspector::new(|path| Ok(vec![path.to_owned()]))
    }

    pub(crate) fn inspect(&self, path: &Path) -> Result<Vec<PathBuf>, Refusal> {
        (self.0)(path)
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inspector")
    }
}
