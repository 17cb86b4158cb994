//! What computes: threads, and the instructions they use.

use std::io;

use super::pool::Pool;
use crate::simd::{SimdLevel, simd_level};

/// The compute threads of an engine, and the instructions of this processor.
#[derive(Debug)]
pub(crate) struct Compute {
    pub(crate) pool: Pool,
    pub(crate) level: SimdLevel,
}

impl Compute {
    /// Starts the threads.
    ///
    /// # Errors
    /// A system that gives no thread.
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        Ok(Self {
            pool: Pool::new(threads)?,
            level: simd_level(),
        })
    }
}
