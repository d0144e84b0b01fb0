//! Requests read from a connection's bytes, however these are split.

use crate::args::Span;

/// What one client may send; an unauthenticated client's are smaller.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub bulk_bytes_max: usize,
    /// Most arguments in a request.
    pub args_max: usize,
    /// Longest line: an inline command, or the header of a request or argument.
    pub line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bulk_bytes_max: 512 << 20, args_max: i32::MAX as usize, line_bytes_max: 64 << 10 }
    }
}

/// Bytes that are not a request. `Display` gives Redis's text after `-ERR Protocol error: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The number of arguments is no number or out of bounds.
    #[error("invalid multibulk length")]
    InvalidMultibulkLength,
}

/// Reads one request after another; holds how far it came in one that is not complete.
#[derive(Debug, Default)]
pub struct Parser {
    _private: (),
}

impl Parser {
    /// Reads on in `buf`, whose first byte is the first byte of a request (the same bytes as at the
    /// last call, with more behind them, when that call returned `None`).
    ///
    /// A complete request's arguments are appended to `spans`, as places in `buf`, and its length in
    /// bytes is returned. An empty request (`*0`, an empty line) appends none. `None`: more bytes are
    /// needed, and none that was read already will be read again.
    pub fn next(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        let _ = (buf, limits, spans);
        Ok(None)
    }

    /// How many more bytes the argument that is being read still needs, when that is known: a hint
    /// for how much room the next read should have. Bounded by `Limits::bulk_bytes_max`.
    pub fn bytes_missing(&self) -> usize {
        0
    }
}
