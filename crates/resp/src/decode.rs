//! Replies read from a server's bytes, however these are split: the client's side of RESP2 and RESP3.
//!
//! A server's declared lengths are never trusted: nothing is reserved for an element before its bytes have
//! come, nesting is bounded, and so is a line.

use memchr::memchr;

/// Deepest nesting of aggregates that is read; COMMAND DOCS, the deepest reply in the field, needs about ten.
pub const DEPTH_MAX: usize = 128;
/// Longest line: a status, an error, a number, the header of a string or aggregate. Generous, for MONITOR shows
/// each command, values and all, in a status.
pub const LINE_BYTES_MAX: usize = 64 << 20;
/// Longest string (Redis allows `proto-max-bulk-len` to be set this high, and its default is 512 MB).
pub const BULK_BYTES_MAX: usize = 4 << 30;

/// One reply. Numbers that a client shows but seldom computes with keep the server's own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `_`, and RESP2's null string and null array.
    Null,
    /// `+`: a status such as `OK`.
    Simple(Vec<u8>),
    /// `-` and `!`: an error, its code first (`ERR ...`).
    Error(Vec<u8>),
    /// `:`: an integer.
    Int(i64),
    /// `$`: a string of any bytes.
    Bulk(Vec<u8>),
    /// `,`: a double as the server wrote it; `str::parse::<f64>` accepts it.
    Double(String),
    /// `(`: an integer of any size, as the server wrote it.
    BigNumber(String),
    /// `#`: a truth value.
    Bool(bool),
    /// `=`: a text and its three-letter format (`txt`, `mkd`).
    Verbatim {
        /// What kind of text it is.
        format: [u8; 3],
        /// The text without its format.
        text: Vec<u8>,
    },
    /// `*`: an array.
    Array(Vec<Value>),
    /// `%`: a map's pairs in the order they came.
    Map(Vec<(Value, Value)>),
    /// `~`: a set's members in the order they came.
    Set(Vec<Value>),
    /// `>`: a message that answers no request.
    Push(Vec<Value>),
    /// `|`: a reply with attributes in front of it (never empty).
    Attributed {
        /// What the server tells about the reply.
        attributes: Vec<(Value, Value)>,
        /// The reply.
        value: Box<Value>,
    },
}

impl Value {
    /// The bytes of a string, a status or a verbatim text.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The number of an integer reply.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The elements of an array, set or push message.
    pub fn as_slice(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The text of an error reply.
    pub fn as_error(&self) -> Option<&[u8]> {
        match self {
            Value::Error(text) => Some(text),
            _ => None,
        }
    }
}

/// Bytes that are no reply. What follows them cannot be read: the connection is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A reply starts with a byte that means no type.
    #[error("unknown reply type '{}'", .0.escape_ascii())]
    UnknownType(u8),
    /// A length is no number, negative or over the limit.
    #[error("invalid length in a reply")]
    InvalidLength,
    /// A number, truth value or null does not read as one.
    #[error("invalid number in a reply")]
    InvalidNumber,
    /// A string does not end where its length says, or a verbatim string has no format.
    #[error("malformed string in a reply")]
    InvalidString,
    /// A line exceeds [`LINE_BYTES_MAX`].
    #[error("too long a line in a reply")]
    LineTooLong,
    /// Aggregates are nested deeper than [`DEPTH_MAX`].
    #[error("too deeply nested reply")]
    TooDeep,
}

/// Reads one reply after another from the bytes it is fed, and holds those that are not yet a whole reply.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes fed; those before `at` are read.
    buf: Vec<u8>,
    /// Start of the next element; at most `buf.len()`.
    at: usize,
    /// Bytes from `at` on that are known to hold no line end.
    scanned: usize,
    /// The aggregates that enclose the next element, outermost first; at most `DEPTH_MAX`.
    open: Vec<Frame>,
}

/// An aggregate that still misses elements.
#[derive(Debug)]
struct Frame {
    kind: u8,
    /// Elements still to come; never zero.
    missing: u64,
    items: Vec<Value>,
}

/// What stands at the decoder's place.
enum Element {
    Whole(Value),
    Header(Frame),
}

impl Decoder {
    /// A decoder that was fed nothing.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Adds bytes behind those it has.
    pub fn feed(&mut self, bytes: &[u8]) {
        // Moves what is left only when as much was read, so that each byte is moved a bounded number of times.
        if self.at >= self.buf.len() - self.at {
            self.buf.drain(..self.at);
            self.at = 0;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// Whether no part of a reply is held.
    pub fn is_idle(&self) -> bool {
        self.at == self.buf.len() && self.open.is_empty()
    }

    /// The next whole reply; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The bytes are no reply; every later call fails likewise or returns nonsense.
    #[allow(clippy::should_implement_trait, reason = "the end of the bytes is not the end of the replies")]
    pub fn next(&mut self) -> Result<Option<Value>, DecodeError> {
        loop {
            let mut value = match self.element()? {
                None => return Ok(None),
                Some(Element::Whole(value)) => value,
                Some(Element::Header(frame)) => {
                    if self.open.len() == DEPTH_MAX {
                        return Err(DecodeError::TooDeep);
                    }
                    self.open.push(frame);
                    continue;
                }
            };
            loop {
                let Some(frame) = self.open.last_mut() else { return Ok(Some(value)) };
                frame.items.push(value);
                frame.missing -= 1;
                if frame.missing > 0 {
                    break;
                }
                let Some(frame) = self.open.pop() else { return Ok(None) };
                value = close(frame.kind, frame.items);
            }
        }
    }

    /// Reads one header or scalar. Nothing is consumed when it is not complete.
    fn element(&mut self) -> Result<Option<Element>, DecodeError> {
        let Some(line) = self.line()? else { return Ok(None) };
        let (start, end) = line;
        let (kind, text) = match self.buf[start..end].split_first() {
            Some((&kind, text)) => (kind, text),
            None => return Err(DecodeError::UnknownType(b'\r')),
        };
        let next = end + 2;
        let element = match kind {
            b'$' | b'=' | b'!' => {
                let Some(len) = length(text, BULK_BYTES_MAX as u64)? else {
                    return self.whole(next, null(kind)?);
                };
                let Some(bytes) = self.buf.get(next..next + len as usize + 2) else { return Ok(None) };
                let Some(bytes) = bytes.strip_suffix(b"\r\n") else { return Err(DecodeError::InvalidString) };
                let value = string(kind, bytes)?;
                return self.whole(next + len as usize + 2, value);
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => match length(text, u32::MAX.into())? {
                None => Element::Whole(null(kind)?),
                Some(0) if kind != b'|' => Element::Whole(close(kind, Vec::new())),
                Some(n) => Element::Header(Frame { kind, missing: elements(kind, n), items: Vec::new() }),
            },
            kind => Element::Whole(scalar(kind, text)?),
        };
        self.consume(next);
        Ok(Some(element))
    }

    fn whole(&mut self, next: usize, value: Value) -> Result<Option<Element>, DecodeError> {
        self.consume(next);
        Ok(Some(Element::Whole(value)))
    }

    fn consume(&mut self, next: usize) {
        self.at = next;
        self.scanned = 0;
    }

    /// The place of the line at `at`, without its end, once that has come.
    fn line(&mut self) -> Result<Option<(usize, usize)>, DecodeError> {
        loop {
            let from = self.at + self.scanned;
            let Some(found) = memchr(b'\n', &self.buf[from..]) else {
                self.scanned = self.buf.len() - self.at;
                if self.scanned > LINE_BYTES_MAX {
                    return Err(DecodeError::LineTooLong);
                }
                return Ok(None);
            };
            let newline = from + found;
            if newline - self.at > LINE_BYTES_MAX {
                return Err(DecodeError::LineTooLong);
            }
            if newline > self.at && self.buf[newline - 1] == b'\r' {
                // The header of a string that has not come in full is found again at once.
                self.scanned = newline - self.at;
                return Ok(Some((self.at, newline - 1)));
            }
            self.scanned = newline + 1 - self.at;
        }
    }
}

/// How many elements follow the header of an aggregate of `n`.
fn elements(kind: u8, n: u64) -> u64 {
    match kind {
        b'%' => 2 * n,
        // The attributes' pairs, and the reply they belong to.
        b'|' => 2 * n + 1,
        _ => n,
    }
}

fn close(kind: u8, items: Vec<Value>) -> Value {
    match kind {
        b'~' => Value::Set(items),
        b'>' => Value::Push(items),
        b'%' => Value::Map(pairs(items)),
        b'|' => attributed(items),
        _ => Value::Array(items),
    }
}

fn attributed(mut items: Vec<Value>) -> Value {
    let value = items.pop().unwrap_or(Value::Null);
    if items.is_empty() {
        return value;
    }
    Value::Attributed { attributes: pairs(items), value: Box::new(value) }
}

fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    pairs
}

fn scalar(kind: u8, text: &[u8]) -> Result<Value, DecodeError> {
    match kind {
        b'+' => Ok(Value::Simple(text.to_vec())),
        b'-' => Ok(Value::Error(text.to_vec())),
        b':' => integer(text).map(Value::Int),
        b',' => {
            let text = str::from_utf8(text).map_err(|_| DecodeError::InvalidNumber)?;
            text.parse::<f64>().map_err(|_| DecodeError::InvalidNumber)?;
            Ok(Value::Double(text.to_owned()))
        }
        b'(' => {
            let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(DecodeError::InvalidNumber);
            }
            Ok(Value::BigNumber(text.iter().map(|&b| char::from(b)).collect()))
        }
        b'#' => match text {
            b"t" => Ok(Value::Bool(true)),
            b"f" => Ok(Value::Bool(false)),
            _ => Err(DecodeError::InvalidNumber),
        },
        b'_' if text.is_empty() => Ok(Value::Null),
        b'_' => Err(DecodeError::InvalidNumber),
        kind => Err(DecodeError::UnknownType(kind)),
    }
}

fn string(kind: u8, bytes: &[u8]) -> Result<Value, DecodeError> {
    match kind {
        b'!' => Ok(Value::Error(bytes.to_vec())),
        b'=' => match bytes {
            [a, b, c, b':', text @ ..] => Ok(Value::Verbatim { format: [*a, *b, *c], text: text.to_vec() }),
            _ => Err(DecodeError::InvalidString),
        },
        _ => Ok(Value::Bulk(bytes.to_vec())),
    }
}

/// What a length of -1 stands for.
fn null(kind: u8) -> Result<Value, DecodeError> {
    match kind {
        b'$' | b'*' => Ok(Value::Null),
        _ => Err(DecodeError::InvalidLength),
    }
}

/// A declared length; `None` for -1.
fn length(text: &[u8], max: u64) -> Result<Option<u64>, DecodeError> {
    match integer(text) {
        Ok(-1) => Ok(None),
        Ok(n) if n >= 0 && n as u64 <= max => Ok(Some(n as u64)),
        _ => Err(DecodeError::InvalidLength),
    }
}

fn integer(text: &[u8]) -> Result<i64, DecodeError> {
    let text = str::from_utf8(text).map_err(|_| DecodeError::InvalidNumber)?;
    text.parse().map_err(|_| DecodeError::InvalidNumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    /// Each reply's bytes, and what they mean.
    fn samples() -> Vec<(&'static [u8], Value)> {
        vec![
            (b"+OK\r\n", Value::Simple(b"OK".to_vec())),
            (b"+\r\n", Value::Simple(Vec::new())),
            (b"+a\nb\r\n", Value::Simple(b"a\nb".to_vec())),
            (b"-ERR no\r\n", Value::Error(b"ERR no".to_vec())),
            (b"!6\r\nERR\r\n!\r\n", Value::Error(b"ERR\r\n!".to_vec())),
            (b":-9223372036854775808\r\n", Value::Int(i64::MIN)),
            (b":+7\r\n", Value::Int(7)),
            (b"$0\r\n\r\n", bulk("")),
            (b"$4\r\n\r\n\r\n\r\n", bulk("\r\n\r\n")),
            (b"$-1\r\n", Value::Null),
            (b"*-1\r\n", Value::Null),
            (b"_\r\n", Value::Null),
            (b",3.25\r\n", Value::Double("3.25".into())),
            (b",-inf\r\n", Value::Double("-inf".into())),
            (b"(-123456789012345678901\r\n", Value::BigNumber("-123456789012345678901".into())),
            (b"#t\r\n", Value::Bool(true)),
            (b"#f\r\n", Value::Bool(false)),
            (b"=7\r\ntxt:abc\r\n", Value::Verbatim { format: *b"txt", text: b"abc".to_vec() }),
            (b"*0\r\n", Value::Array(vec![])),
            (
                b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n",
                Value::Array(vec![Value::Array(vec![Value::Int(1)]), bulk("a")]),
            ),
            (
                b"%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n_\r\n",
                Value::Map(vec![
                    (Value::Simple(b"a".to_vec()), Value::Int(1)),
                    (Value::Simple(b"b".to_vec()), Value::Set(vec![Value::Null])),
                ]),
            ),
            (b"%0\r\n", Value::Map(vec![])),
            (
                b">2\r\n+invalidate\r\n_\r\n",
                Value::Push(vec![Value::Simple(b"invalidate".to_vec()), Value::Null]),
            ),
            (
                b"|1\r\n+ttl\r\n:3\r\n*1\r\n:5\r\n",
                Value::Attributed {
                    attributes: vec![(Value::Simple(b"ttl".to_vec()), Value::Int(3))],
                    value: Box::new(Value::Array(vec![Value::Int(5)])),
                },
            ),
            (b"|0\r\n:5\r\n", Value::Int(5)),
        ]
    }

    #[test]
    fn every_type_reads_in_one_piece_and_byte_by_byte() {
        for (bytes, expected) in samples() {
            let mut decoder = Decoder::new();
            decoder.feed(bytes);
            assert_eq!(decoder.next(), Ok(Some(expected.clone())), "{}", bytes.escape_ascii());
            assert!(decoder.is_idle());
            for (i, byte) in bytes.iter().enumerate() {
                decoder.feed(&[*byte]);
                let value = decoder.next().unwrap();
                let wanted = (i + 1 == bytes.len()).then(|| expected.clone());
                assert_eq!(value, wanted, "{} after {i}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn a_stream_of_replies_reads_the_same_however_it_is_cut() {
        let stream: Vec<u8> = samples().iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
        for piece in 1..40 {
            let (mut decoder, mut values) = (Decoder::new(), Vec::new());
            for bytes in stream.chunks(piece) {
                decoder.feed(bytes);
                while let Some(value) = decoder.next().unwrap() {
                    values.push(value);
                }
            }
            assert_eq!(values, samples().into_iter().map(|(_, value)| value).collect::<Vec<_>>());
            assert!(decoder.is_idle());
        }
    }

    #[test]
    fn malformed_replies_are_errors() {
        let cases: [(&[u8], DecodeError); 14] = [
            (b"OK\r\n", DecodeError::UnknownType(b'O')),
            (b"\r\n", DecodeError::UnknownType(b'\r')),
            (b":12a\r\n", DecodeError::InvalidNumber),
            (b":9223372036854775808\r\n", DecodeError::InvalidNumber),
            (b"$-2\r\n", DecodeError::InvalidLength),
            (b"$x\r\n", DecodeError::InvalidLength),
            (b"$99999999999\r\n", DecodeError::InvalidLength),
            (b"~-1\r\n", DecodeError::InvalidLength),
            (b"*4294967296\r\n", DecodeError::InvalidLength),
            (b"$1\r\nabc", DecodeError::InvalidString),
            (b"=3\r\nabc\r\n", DecodeError::InvalidString),
            (b",one\r\n", DecodeError::InvalidNumber),
            (b"#x\r\n", DecodeError::InvalidNumber),
            (b"(1.5\r\n", DecodeError::InvalidNumber),
        ];
        for (bytes, expected) in cases {
            let mut decoder = Decoder::new();
            decoder.feed(bytes);
            assert_eq!(decoder.next(), Err(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn nesting_and_lines_are_bounded() {
        let mut decoder = Decoder::new();
        decoder.feed(&b"*1\r\n".repeat(DEPTH_MAX));
        decoder.feed(b":1\r\n");
        assert!(matches!(decoder.next(), Ok(Some(Value::Array(_)))));
        decoder.feed(&b"*1\r\n".repeat(DEPTH_MAX + 1));
        assert_eq!(decoder.next(), Err(DecodeError::TooDeep));

        let mut decoder = Decoder::new();
        decoder.feed(b"+");
        decoder.feed(&vec![b'x'; LINE_BYTES_MAX - 1]);
        assert_eq!(decoder.next(), Ok(None));
        decoder.feed(b"xx");
        assert_eq!(decoder.next(), Err(DecodeError::LineTooLong));
    }

    #[test]
    fn a_declared_length_reserves_nothing() {
        let mut decoder = Decoder::new();
        decoder.feed(b"*4294967295\r\n%4294967295\r\n:1\r\n$4294967296\r\nabc");
        assert_eq!(decoder.next(), Ok(None));
        assert_eq!(decoder.open.len(), 2);
        assert!(decoder.open.iter().all(|frame| frame.items.capacity() < 16));
        assert!(decoder.buf.capacity() < 256);
    }

    #[test]
    fn read_bytes_are_let_go() {
        let mut decoder = Decoder::new();
        for _ in 0..10_000 {
            decoder.feed(b":12345\r\n:1");
            assert_eq!(decoder.next(), Ok(Some(Value::Int(12345))));
            decoder.feed(b"0\r\n");
            assert_eq!(decoder.next(), Ok(Some(Value::Int(10))));
        }
        assert!(decoder.buf.capacity() < 256);
    }

    #[test]
    fn random_bytes_never_panic() {
        let alphabet = b"$*%~>|+-:,#_(=!0129\r\n\r\n\r\nt";
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut decoder = Decoder::new();
            for _ in 0..8 {
                let mut piece = Vec::new();
                for _ in 0..6 {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    piece.push(alphabet[(state >> 33) as usize % alphabet.len()]);
                }
                decoder.feed(&piece);
                while let Ok(Some(_)) = decoder.next() {}
            }
            assert!(decoder.open.len() <= DEPTH_MAX && decoder.at <= decoder.buf.len());
        }
    }
}
