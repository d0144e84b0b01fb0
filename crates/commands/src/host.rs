//! What commands ask of the process around the store. The server answers with sockets and files behind it,
//! a test with neither.

/// The process that a command runs in.
pub trait Host: Sync {
    /// Bytes an argument or a string value may have at most (`proto-max-bulk-len`).
    fn bulk_bytes_max(&self) -> usize;
}
