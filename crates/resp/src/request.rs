//! Requests read from a connection's bytes, however these are split.
//!
//! A request is an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or an inline command: a
//! line of words. As in Redis, the byte after a header's `\r` and the two after an argument are
//! skipped without a look. Unlike in Redis, a NUL in a line is a byte like any other: there, the line
//! never ends.

use std::mem;

use memchr::memchr;

use crate::args::Span;
use crate::inline::{UnbalancedQuotes, split_line};

/// What one client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub bulk_bytes_max: usize,
    /// Most arguments in a request.
    pub args_max: usize,
    /// Longest line: an inline command, or the header of a request or argument.
    pub line_bytes_max: usize,
    /// The client has still to authenticate: [`Limits::UNAUTHENTICATED_ARGS_MAX`] and
    /// [`Limits::UNAUTHENTICATED_BULK_BYTES_MAX`] hold besides.
    pub unauthenticated: bool,
}

impl Limits {
    /// Most arguments in a request of a client that has still to authenticate.
    pub const UNAUTHENTICATED_ARGS_MAX: usize = 10;
    /// Longest argument of a client that has still to authenticate.
    pub const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16384;

    /// The number of arguments a header declares, checked; none or fewer make an empty request.
    #[inline]
    fn check_args(&self, declared: Option<i64>) -> Result<usize, ProtocolError> {
        let n = declared.ok_or(ProtocolError::InvalidMultibulkLength)?.max(0) as usize;
        if n > self.args_max {
            Err(ProtocolError::InvalidMultibulkLength)
        } else if self.unauthenticated && n > Limits::UNAUTHENTICATED_ARGS_MAX {
            Err(ProtocolError::UnauthenticatedMultibulkLength)
        } else {
            Ok(n)
        }
    }

    /// The length of an argument as its header declares it, checked.
    #[inline]
    fn check_bulk(&self, declared: Option<i64>) -> Result<usize, ProtocolError> {
        let len = declared.filter(|&n| n >= 0).ok_or(ProtocolError::InvalidBulkLength)? as usize;
        if len > self.bulk_bytes_max {
            Err(ProtocolError::InvalidBulkLength)
        } else if self.unauthenticated && len > Limits::UNAUTHENTICATED_BULK_BYTES_MAX {
            Err(ProtocolError::UnauthenticatedBulkLength)
        } else {
            Ok(len)
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bulk_bytes_max: 512 << 20,
            args_max: i32::MAX as usize,
            line_bytes_max: 64 << 10,
            unauthenticated: false,
        }
    }
}

/// Bytes that are not a request. `Display` gives Redis's text after `-ERR Protocol error: `.
/// What follows them cannot be read: the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The number of arguments is no number or out of bounds.
    #[error("invalid multibulk length")]
    InvalidMultibulkLength,
    /// More arguments than a client may send that has still to authenticate.
    #[error("unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    /// The line with the number of arguments does not end.
    #[error("too big mbulk count string")]
    MultibulkLineTooLong,
    /// An argument does not begin with `$` but with this byte.
    #[error("expected '$', got '{}'", char::from(*.0))]
    ExpectedDollar(u8),
    /// An argument's length is no number or out of bounds.
    #[error("invalid bulk length")]
    InvalidBulkLength,
    /// An argument longer than a client may send that has still to authenticate.
    #[error("unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// The line with an argument's length does not end.
    #[error("too big bulk count string")]
    BulkLineTooLong,
    /// An inline command does not end.
    #[error("too big inline request")]
    InlineTooLong,
    /// An inline command's quotes are not closed, or not followed by a blank.
    #[error(transparent)]
    UnbalancedQuotes(#[from] UnbalancedQuotes),
}

/// Reads one request after another; holds how far it came in one that is not complete.
#[derive(Debug, Default)]
pub struct Parser {
    at: Progress,
    /// Up to where the line that is being read was searched for its end in vain; at most the length
    /// of the last `buf`, 0 where a request begins.
    searched: usize,
    /// How many more bytes the argument that is being read needs.
    bytes_missing: usize,
    /// The arguments of an incomplete request so far.
    spans: Vec<Span>,
}

/// A place in a request between two of its parts. All zero where it begins.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Offset of the next byte to read.
    pos: usize,
    /// How many arguments are still to be read; not 0 once the request's header was read.
    args_left: usize,
    /// The length of the argument at `pos`, when its header was read.
    bulk_len: Option<usize>,
}

impl Parser {
    /// Reads on in `buf`, whose first byte is the first byte of a request (the same bytes as at the
    /// last call, with more behind them, when that call returned `None`).
    ///
    /// A complete request's arguments are appended to `spans`, as places in `buf`, and its length in
    /// bytes is returned. An empty request (`*0`, an empty line) appends none. `None`: more bytes are
    /// needed, and none that was read already will be read again.
    ///
    /// Nothing is copied; an inline command's quoted words are unescaped right in `buf`, within the
    /// bytes of the request.
    ///
    /// # Errors
    /// The bytes are no request. `spans` may have got arguments of it then.
    #[inline]
    pub fn next(
        &mut self,
        buf: &mut [u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        match buf.first() {
            Some(b'*') if self.at.pos == 0 => self.begin(buf, limits, spans),
            Some(b'*') => self.resume(buf, limits, spans),
            Some(_) => self.inline(buf, limits, spans),
            None => Ok(None),
        }
    }

    /// How many more bytes the argument that is being read still needs, when that is known (else 0):
    /// a hint for how much room the next read should have. At most two above `Limits::bulk_bytes_max`.
    pub fn bytes_missing(&self) -> usize {
        self.bytes_missing
    }

    /// Reads an array from its first byte. Only an incomplete one touches the parser's state.
    fn begin(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some((declared, pos)) = self.header(buf, 0, limits, ProtocolError::MultibulkLineTooLong)? else {
            return Ok(None);
        };
        let args_left = limits.check_args(declared)?;
        let mut at = Progress { pos, args_left, bulk_len: None };
        let first = spans.len();
        if self.arguments(&mut at, buf, limits, spans)? {
            return Ok(Some(at.pos));
        }
        self.at = at;
        self.spans.extend(spans.drain(first..));
        Ok(None)
    }

    /// Reads on in an array whose header was read.
    #[inline(never)]
    fn resume(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        let mut at = self.at;
        let mut read = mem::take(&mut self.spans);
        self.bytes_missing = 0;
        if self.arguments(&mut at, buf, limits, &mut read)? {
            self.at = Progress::default();
            spans.append(&mut read);
            return Ok(Some(at.pos));
        }
        self.at = at;
        self.spans = read;
        Ok(None)
    }

    /// Reads the arguments from `at` on; whether all are there. The room for spans grows with the
    /// arguments that come, not with what the header declares.
    #[inline(always)]
    fn arguments(
        &mut self,
        at: &mut Progress,
        buf: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<bool, ProtocolError> {
        debug_assert!(buf.len() >= at.pos, "the bytes of the last call are there again");
        while at.args_left > 0 {
            let len = match at.bulk_len {
                Some(len) => len,
                None => {
                    let header = self.header(buf, at.pos, limits, ProtocolError::BulkLineTooLong)?;
                    let Some((declared, after)) = header else {
                        return Ok(false);
                    };
                    if buf[at.pos] != b'$' {
                        return Err(ProtocolError::ExpectedDollar(buf[at.pos]));
                    }
                    at.pos = after;
                    limits.check_bulk(declared)?
                }
            };
            let there = buf.len() - at.pos;
            if there < len + 2 {
                at.bulk_len = Some(len);
                self.bytes_missing = len + 2 - there;
                return Ok(false);
            }
            spans.push(Span { start: at.pos, end: at.pos + len });
            at.pos += len + 2;
            at.bulk_len = None;
            at.args_left -= 1;
        }
        self.searched = 0;
        Ok(true)
    }

    /// Reads the header at `pos`: its number (nothing, when it is none) and the offset after its
    /// line. `None`: the line is not complete.
    #[inline(always)]
    fn header(
        &mut self,
        buf: &[u8],
        pos: usize,
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
        match short_header(&buf[pos..]) {
            Some((n, len)) => Ok(Some((Some(n), pos + len))),
            None => self.long_header(buf, pos, limits, too_long),
        }
    }

    /// [`Parser::header`] for lines that are incomplete, long or wrong.
    #[cold]
    fn long_header(
        &mut self,
        buf: &[u8],
        pos: usize,
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
        let Some(end) = self.line_end(b'\r', buf, pos, limits, too_long)? else {
            return Ok(None);
        };
        if end + 1 == buf.len() {
            self.searched = end;
            return Ok(None);
        }
        let number = buf.get(pos + 1..end).and_then(canonical_i64);
        Ok(Some((number, end + 2)))
    }

    /// Reads an inline command.
    #[cold]
    fn inline(
        &mut self,
        buf: &mut [u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = self.line_end(b'\n', buf, 0, limits, ProtocolError::InlineTooLong)? else {
            return Ok(None);
        };
        let line = &mut buf[..end];
        let text = line.strip_suffix(b"\r").map_or(end, <[u8]>::len);
        split_line(&mut line[..text], spans)?;
        Ok(Some(end + 1))
    }

    /// Finds the `terminator` of the line at `pos`, starting where the last search ended.
    fn line_end(
        &mut self,
        terminator: u8,
        buf: &[u8],
        pos: usize,
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let from = self.searched.max(pos);
        let end = memchr(terminator, &buf[from..]).map(|i| from + i);
        if end.unwrap_or(buf.len()) - pos > limits.line_bytes_max {
            return Err(too_long);
        }
        self.searched = if end.is_some() { 0 } else { buf.len() };
        Ok(end)
    }
}

/// Reads a header of the usual kind, complete and with up to nine digits: its number and length.
/// The caller looks at its first byte.
#[inline(always)]
fn short_header(line: &[u8]) -> Option<(i64, usize)> {
    let mut n = 0;
    for (i, &byte) in line.iter().enumerate().skip(1).take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let plain = byte == b'\r' && i > 1 && (line[1] != b'0' || i == 2) && i + 1 < line.len();
            return plain.then_some((n, i + 2));
        }
        n = n * 10 + i64::from(digit);
    }
    None
}

/// A decimal number in its one canonical form: no `+`, no zeros in front, nothing around it.
fn canonical_i64(text: &[u8]) -> Option<i64> {
    let n: i64 = str::from_utf8(text).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(n).as_bytes() == text).then_some(n)
}

#[cfg(test)]
mod tests;
