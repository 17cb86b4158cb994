//! Small files beside the weights.

use std::sync::Arc;

use crate::checkpoint::{HeldFile, OpenFile, WeightFile};
use crate::load::LoadError;

/// A larger file is not what it claims to be.
const MAX_BYTES: u64 = 64 << 20;

/// Brings a file beside the weights in.
pub(crate) fn hold(wanted: &WeightFile) -> Result<Arc<HeldFile>, LoadError> {
    let file = OpenFile::open(wanted)?;
    let size = file.size_bytes();
    if size > MAX_BYTES {
        return Err(LoadError::Damaged {
            file: wanted.path.clone(),
            reason: format!("{size} bytes are more than such a file has"),
        });
    }
    Ok(Arc::new(file.read()?))
}
