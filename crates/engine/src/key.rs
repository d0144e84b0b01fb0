//! A key together with its hash, which is computed once a request.

/// A key's bytes and their hash under the store's secret; made by [`crate::Store::key`].
#[derive(Clone, Copy, Debug)]
pub struct Key<'k> {
    pub(crate) bytes: &'k [u8],
    pub(crate) hash: u64,
}

impl<'k> Key<'k> {
    /// The key's bytes.
    pub fn bytes(self) -> &'k [u8] {
        self.bytes
    }

    /// The hash. Its top bits name the stripe, the bits below order the keys within it.
    pub fn hash(self) -> u64 {
        self.hash
    }
}
