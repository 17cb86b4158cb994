//! Memory that vector loads like: aligned to the lines of the cache.
#![allow(unsafe_code, reason = "memory of an alignment that no collection gives")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of a line.
const LINE: usize = 64;
/// Large memory begins where a huge page does, so that the system can use some.
const HUGE: usize = 2 << 20;

/// Zeroed bytes, aligned to a line.
#[derive(Debug)]
pub(crate) struct Aligned {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its bytes as a box does.
unsafe impl Send for Aligned {}
// SAFETY: shared, it is only read.
unsafe impl Sync for Aligned {}

impl Aligned {
    pub(crate) fn zeroed(bytes: usize) -> Self {
        let align = if bytes >= HUGE { HUGE } else { LINE };
        let Ok(layout) = Layout::from_size_align(bytes.max(LINE), align) else {
            handle_alloc_error(Layout::new::<[u8; LINE]>())
        };
        // SAFETY: the layout has a size above zero.
        let Some(start) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            handle_alloc_error(layout)
        };
        Self { start, layout }
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes were allocated, and zeroed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
