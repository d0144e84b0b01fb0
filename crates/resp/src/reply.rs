//! Replies written straight into an output buffer, in the protocol version the client asked for.

use crate::double::DoubleBuffer;

/// A type's byte, the longest integer and a line end.
const HEADER_BYTES_MAX: usize = 1 + 20 + 2;

/// Writes replies to the end of a buffer it owns. RESP3 types fall back to what Redis sends in RESP2.
#[derive(Debug, Default)]
pub struct Reply {
    out: Vec<u8>,
    resp3: bool,
}

/// The place of an aggregate whose length is not known yet; see [`Reply::array_deferred`].
#[derive(Debug)]
#[must_use = "an aggregate that is never closed leaves the reply without its header"]
pub struct Deferred {
    at: usize,
}

impl Reply {
    /// An empty buffer that writes RESP2.
    pub fn new() -> Reply {
        Reply::default()
    }

    /// Chooses RESP3 (`true`) or RESP2 for what is written from now on.
    #[inline]
    pub fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// Whether RESP3 is written.
    pub fn resp3(&self) -> bool {
        self.resp3
    }

    /// The bytes written so far.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// The buffer itself, for whoever sends or empties it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes are written.
    #[inline]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes back everything written after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status such as `QUEUED`; it must not hold a line break.
    pub fn simple(&mut self, status: &str) {
        self.out.push(b'+');
        self.out.extend_from_slice(status.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// An error: `text` starts with its code (`ERR ...`). Line breaks become spaces, as Redis does it.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// An error whose text repeats bytes of the request, which need not be UTF-8; see [`Reply::error`].
    pub fn error_bytes(&mut self, text: &[u8]) {
        let end = text.iter().rposition(|&b| b != b'\r' && b != b'\n').map_or(0, |last| last + 1);
        self.out.push(b'-');
        self.out.extend(text[..end].iter().map(|&b| if b == b'\r' || b == b'\n' { b' ' } else { b }));
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, n: i64) {
        self.header(b':', n);
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + HEADER_BYTES_MAX + 2);
        self.header(b'$', bytes.len() as i64);
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer as a string.
    pub fn bulk_int(&mut self, n: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(n).as_bytes());
    }

    /// No value: `_` in RESP3, the null string in RESP2.
    #[inline]
    pub fn null(&mut self) {
        if self.resp3 {
            self.out.extend_from_slice(b"_\r\n");
        } else {
            self.out.extend_from_slice(b"$-1\r\n");
        }
    }

    /// No value where an array was to come: `_` in RESP3, the null array in RESP2.
    pub fn null_array(&mut self) {
        if self.resp3 {
            self.out.extend_from_slice(b"_\r\n");
        } else {
            self.out.extend_from_slice(b"*-1\r\n");
        }
    }

    /// The header of an array of `n` replies, which follow.
    #[inline]
    pub fn array(&mut self, n: usize) {
        self.header(b'*', n as i64);
    }

    /// The header of a map of `n` pairs: in RESP2 an array of `2 * n`.
    pub fn map(&mut self, n: usize) {
        if self.resp3 { self.header(b'%', n as i64) } else { self.header(b'*', 2 * n as i64) }
    }

    /// The header of a set of `n` members: in RESP2 an array.
    pub fn set(&mut self, n: usize) {
        self.header(if self.resp3 { b'~' } else { b'*' }, n as i64);
    }

    /// The header of a push message of `n` parts: in RESP2 an array.
    pub fn push(&mut self, n: usize) {
        self.header(if self.resp3 { b'>' } else { b'*' }, n as i64);
    }

    /// The header of an attribute of `n` pairs, which stands before the reply it is about. RESP2 has none.
    pub fn attribute(&mut self, n: usize) {
        self.header(b'|', n as i64);
    }

    /// An integer of any size, given by its digits: in RESP2 a string.
    pub fn big_number(&mut self, digits: &str) {
        if !self.resp3 {
            return self.bulk(digits.as_bytes());
        }
        self.out.push(b'(');
        self.out.extend_from_slice(digits.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// A truth value: in RESP2 the integer 1 or 0.
    pub fn bool(&mut self, b: bool) {
        match (self.resp3, b) {
            (true, true) => self.out.extend_from_slice(b"#t\r\n"),
            (true, false) => self.out.extend_from_slice(b"#f\r\n"),
            (false, b) => self.int(i64::from(b)),
        }
    }

    /// A double as [`DoubleBuffer`] writes it: in RESP2 a string.
    pub fn double(&mut self, d: f64) {
        self.double_as(DoubleBuffer::new().format(d));
    }

    /// A double whose digits are `text`: in RESP2 a string.
    pub fn double_as(&mut self, text: &[u8]) {
        if self.resp3 {
            self.out.push(b',');
            self.out.extend_from_slice(text);
            self.out.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// Text with its three-letter format (`txt`, `mkd`): in RESP2 a plain string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3, "a verbatim string's format has three letters");
        if !self.resp3 {
            return self.bulk(text);
        }
        self.header(b'=', text.len() as i64 + 4);
        self.out.extend_from_slice(format.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Starts an array whose length is given later to [`Reply::close_array`].
    pub fn array_deferred(&mut self) -> Deferred {
        Deferred { at: self.out.len() }
    }

    /// Puts the header of an array of `n` elements before what was written since `deferred`.
    pub fn close_array(&mut self, deferred: Deferred, n: usize) {
        self.close(deferred, b'*', n);
    }

    /// Puts the header of a map of `n` pairs before what was written since `deferred`.
    pub fn close_map(&mut self, deferred: Deferred, n: usize) {
        if self.resp3 { self.close(deferred, b'%', n) } else { self.close(deferred, b'*', 2 * n) }
    }

    /// Puts the header of a set of `n` members before what was written since `deferred`.
    pub fn close_set(&mut self, deferred: Deferred, n: usize) {
        self.close(deferred, if self.resp3 { b'~' } else { b'*' }, n);
    }

    fn close(&mut self, deferred: Deferred, kind: u8, n: usize) {
        let end = self.out.len();
        self.header(kind, n as i64);
        let header_bytes = self.out.len() - end;
        self.out[deferred.at..].rotate_right(header_bytes);
    }

    /// A type's byte, a number and a line end. Lengths and small integers are the common case and
    /// written with stores of fixed size.
    #[inline]
    fn header(&mut self, kind: u8, n: i64) {
        let digit = |place: i64| b'0' + (n / place % 10) as u8;
        match n {
            0..=9 => self.out.extend_from_slice(&[kind, digit(1), b'\r', b'\n']),
            10..=99 => self.out.extend_from_slice(&[kind, digit(10), digit(1), b'\r', b'\n']),
            100..=999 => {
                self.out.extend_from_slice(&[kind, digit(100), digit(10), digit(1), b'\r', b'\n']);
            }
            _ => self.long_header(kind, n),
        }
    }

    #[inline(never)]
    fn long_header(&mut self, kind: u8, n: i64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(n).as_bytes();
        self.out.reserve(HEADER_BYTES_MAX);
        self.out.push(kind);
        self.out.extend_from_slice(digits);
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
