//! A request's arguments: spans into the buffer they were read into, so that nothing is copied.

use std::ops::Index;

/// One argument's place in its buffer: bytes `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte; never below `start`.
    pub end: usize,
}

/// The arguments of one request, the command's name first. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Arguments that lie in `bytes` at `spans`.
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { bytes, spans }
    }

    /// How many arguments there are, the command's name included.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "a request has at least its name")]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Argument `i`, or nothing when there are fewer.
    #[inline]
    pub fn get(self, i: usize) -> Option<&'a [u8]> {
        self.spans.get(i).map(|s| &self.bytes[s.start..s.end])
    }

    /// Argument `i`, which the command's arity promises.
    ///
    /// # Panics
    /// Panics when there are fewer arguments: the table's arity was checked before the command ran.
    #[inline]
    pub fn at(self, i: usize) -> &'a [u8] {
        let s = self.spans[i];
        &self.bytes[s.start..s.end]
    }

    /// Bytes from the first argument's first to the last's last, with what the protocol has in between.
    #[inline]
    pub fn extent_bytes(self) -> usize {
        match (self.spans.first(), self.spans.last()) {
            (Some(first), Some(last)) => last.end - first.start,
            _ => 0,
        }
    }

    /// The arguments from number `i` on (none when there are fewer), still in their order.
    pub fn from(self, i: usize) -> Args<'a> {
        Args { bytes: self.bytes, spans: self.spans.get(i..).unwrap_or(&[]) }
    }

    /// All arguments in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone {
        self.spans.iter().map(move |s| &self.bytes[s.start..s.end])
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, i: usize) -> &[u8] {
        self.at(i)
    }
}

/// Arguments that own their bytes: for requests that do not come from a socket.
#[derive(Clone, Debug, Default)]
pub struct ArgsBuf {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl ArgsBuf {
    /// No arguments yet.
    pub fn new() -> ArgsBuf {
        ArgsBuf::default()
    }

    /// Adds one argument at the end.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(arg);
        self.spans.push(Span { start, end: self.bytes.len() });
    }

    /// Removes all arguments and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// The arguments.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for ArgsBuf {
    fn from_iter<I: IntoIterator<Item = A>>(args: I) -> ArgsBuf {
        let mut buf = ArgsBuf::new();
        args.into_iter().for_each(|a| buf.push(a.as_ref()));
        buf
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_found_by_number() {
        let buf: ArgsBuf = ["SET", "", "value"].into_iter().collect();
        let args = buf.args();
        assert_eq!(
            (args.len(), args.at(0), &args[1], args.get(2)),
            (3, &b"SET"[..], &b""[..], Some(&b"value"[..]))
        );
        assert_eq!(args.get(3), None);
        assert!(args.iter().rev().eq([&b"value"[..], b"", b"SET"]));
        assert!(args.from(1).iter().eq([&b""[..], b"value"]));
        assert_eq!((args.from(3).len(), args.from(4).len()), (0, 0));
        assert_eq!(
            (args.extent_bytes(), args.from(2).extent_bytes(), args.from(3).extent_bytes()),
            (8, 5, 0)
        );
    }

    #[test]
    fn a_cleared_buffer_starts_over() {
        let mut buf: ArgsBuf = ["GET", "key"].into_iter().collect();
        buf.clear();
        buf.push(b"PING");
        assert!(buf.args().iter().eq([b"PING"]));
    }
}
