//! What jemalloc tells of its slabs.
//!
//! `experimental.utilization.query` tells, of any allocation, how full its slab is, how full the slabs of its size are
//! together, and from which slab the next allocation would come: the fullest use is made of the oldest slabs. So what
//! lies in another slab that is emptier than most is worth moving, and its copy does not come into such a one again.
#![allow(unsafe_code, reason = "the allocator's own questions are put by pointers and sizes")]

use std::ffi::{CStr, c_void};
use std::ptr::{from_mut, null_mut};

use tikv_jemalloc_sys::{mallctlbymib, mallctlnametomib};

use crate::memory;

const QUERY: &CStr = c"experimental.utilization.query";

/// A slab is sparse when its free share is at least 7 eighths of the mean one: a few that are about as empty as
/// others are not worth the wait until they are the emptiest.
const SHARE: (usize, usize) = (7, 8);

/// What [`QUERY`] answers.
#[repr(C)]
#[derive(Debug)]
struct Utilization {
    /// The slab that is allocated from.
    current: *mut c_void,
    /// Places of the slab: free ones, and all.
    free: usize,
    places: usize,
    /// Bytes of the slab.
    slab_bytes: usize,
    /// Places of all slabs of this size.
    free_of_all: usize,
    places_of_all: usize,
}

/// Whoever asks; holds the name of the question in the form that is answered fastest.
#[derive(Debug)]
pub(super) struct Slabs {
    query: [usize; 3],
}

impl Slabs {
    /// Nothing when the allocator does not answer.
    pub(super) fn new() -> Option<Slabs> {
        let mut query = [0; 3];
        let mut len = query.len();
        // SAFETY: a name that ends with zero, and room for as many numbers as `len` says.
        let error = unsafe { mallctlnametomib(QUERY.as_ptr(), query.as_mut_ptr(), &mut len) };
        (error == 0 && len == query.len()).then_some(Slabs { query })
    }

    /// Whether the allocation that `at` points into is one of few left in its slab; `false` for large ones, which have no
    /// slab, and for what another allocator gave.
    #[inline]
    pub(super) fn is_sparse(&self, at: *const u8) -> bool {
        let mut at = at.cast::<c_void>();
        let mut of = Utilization {
            current: null_mut(),
            free: 0,
            places: 0,
            slab_bytes: 0,
            free_of_all: 0,
            places_of_all: 0,
        };
        let mut len = size_of::<Utilization>();
        // SAFETY: the question takes a pointer, which is not followed, and fills a struct of this layout.
        let error = unsafe {
            let (answer, question) = (from_mut(&mut of).cast(), from_mut(&mut at).cast());
            mallctlbymib(self.query.as_ptr(), self.query.len(), answer, &mut len, question, size_of_val(&at))
        };
        let current = of.current.addr();
        error == 0
            && of.places > 1
            // With less than a slab's places free in all, no slab could go.
            && of.free_of_all >= of.places
            && of.free * of.places_of_all * SHARE.1 >= of.free_of_all * of.places * SHARE.0
            && !(current..current + of.slab_bytes).contains(&at.addr())
    }
}

/// While it lives, this thread allocates from slabs and frees to them directly: its cache of free places would give
/// back the very ones that were just moved from.
#[derive(Debug)]
pub(super) struct Uncached(());

impl Uncached {
    pub(super) fn begin() -> Uncached {
        memory::set_cache(false);
        Uncached(())
    }
}

impl Drop for Uncached {
    fn drop(&mut self) {
        memory::set_cache(true);
    }
}
