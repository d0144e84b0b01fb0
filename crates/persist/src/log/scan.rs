//! Reads a file of the log piece by piece: batches of ours with their checksums, requests of Redis by its rules.
//!
//! A file that begins with our mark is batch after batch, and what follows the last one was written by Redis. Where a
//! batch should be and none is, there are two explanations. It was not synced when the machine went down: then it
//! was never promised, and neither was what follows. Or it was synced and is damaged since: then a later batch may
//! say so, for each says up to where the file was synced when it was written. Such a file is refused. So is one where
//! Redis cut a batch short, as it does with a torn tail, and went on behind it: what it wrote was promised too.

use std::io;

use memchr::memchr;
use memchr::memmem::Finder;

use super::batch::{
    FRONT_BYTES_MAX, HEADER_BYTES, HEADER_START, Header, Line, TIMESTAMP_BYTES_MAX, TIMESTAMP_START,
    timestamp,
};
use super::request::{self, Read, Word, read};
use crate::storage::StoredFile;

/// How many bytes are read at once.
const READ_BYTES: usize = 1 << 20;
/// The longest annotation that Redis reads as one line.
const ANNOTATION_BYTES_MAX: usize = 1023;

/// A piece of a file.
#[derive(Debug)]
pub(super) enum Piece<'b> {
    /// A batch whose checksum fits, without what stands before its requests. They may be none.
    Batch {
        /// Where the batch begins in the file.
        start: u64,
        /// Where its requests begin.
        offset: u64,
        /// The second it was written in, when that is noted.
        timestamp_s: Option<i64>,
        /// The requests.
        bytes: &'b mut [u8],
    },
    /// Requests that no batch covers; transactions are whole.
    Requests {
        /// Where they begin in the file.
        offset: u64,
        /// The requests.
        bytes: &'b mut [u8],
    },
    /// A timestamp before requests that no batch covers.
    Timestamp {
        /// Where it stands.
        offset: u64,
        /// The second.
        timestamp_s: i64,
    },
    /// There is no more that is good.
    End(End),
}

/// Where a file ends, or stops being good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Up to where it is good.
    pub(super) offset: u64,
    /// Up to where it is batch after batch, when it is a file of ours.
    pub(super) own_len: Option<u64>,
    /// Up to where they say that it was synced.
    pub(super) synced: u64,
    /// What is wrong there.
    pub(super) fault: Option<Fault>,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Whether a crash explains it: what follows was never promised, and may be cut off.
    pub(super) torn: bool,
    /// What it is.
    pub(super) what: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unknown,
    /// Batches of ours.
    Own,
    /// Redis's.
    Foreign,
}

/// Reads one file from its beginning, or from behind its snapshot, to its end.
#[derive(Debug)]
pub(super) struct Scanner<'f> {
    file: &'f dyn StoredFile,
    file_len: u64,
    kind: Kind,
    /// Up to where batches of ours go, and up to where they say that they were synced.
    own_len: Option<u64>,
    synced: u64,
    /// Bytes of the file, of which `start..end` are still to be read.
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the file of what is at `start`.
    offset: u64,
    /// Whether requests came that no batch covers.
    has_requests: bool,
    /// Batches are read as Redis reads them: their fronts are skipped.
    as_redis: bool,
    /// How many bytes of the file were taken out between `start` and `end`.
    taken_out: u64,
}

impl<'f> Scanner<'f> {
    /// Reads `file` from `offset` on.
    pub(super) fn new(file: &'f dyn StoredFile, offset: u64) -> io::Result<Scanner<'f>> {
        let kind = if offset == 0 { Kind::Unknown } else { Kind::Foreign };
        let file_len = file.len()?;
        Ok(Scanner {
            file,
            file_len,
            kind,
            own_len: None,
            synced: 0,
            buf: vec![],
            start: 0,
            end: 0,
            offset,
            has_requests: false,
            as_redis: false,
            taken_out: 0,
        })
    }

    /// The next piece; after an end, nothing else is asked for.
    pub(super) fn next(&mut self) -> io::Result<Piece<'_>> {
        if self.kind == Kind::Unknown {
            self.fill(HEADER_START.len())?;
            let own = self.unread().starts_with(HEADER_START);
            (self.kind, self.own_len) = if own { (Kind::Own, Some(0)) } else { (Kind::Foreign, None) };
        }
        if self.kind == Kind::Own {
            self.fill(FRONT_BYTES_MAX)?;
            if self.unread().is_empty() {
                return Ok(self.end_here(None));
            }
            if !self.is_followed_by_redis() {
                return self.batch();
            }
            self.kind = Kind::Foreign;
        }
        self.foreign()
    }

    fn unread(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Reads on until `wanted` bytes are there, or the file ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let there = self.end - self.start;
        let read_to = self.offset + self.taken_out + there as u64;
        let left = self.file_len.saturating_sub(read_to);
        if there >= wanted || left == 0 {
            return Ok(());
        }
        self.buf.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, there);
        let more = (wanted - there).max(READ_BYTES).min(usize::try_from(left).unwrap_or(usize::MAX));
        if self.buf.len() < there + more {
            self.buf.resize(there + more, 0);
        }
        let range = &mut self.buf[there..there + more];
        let read = self.file.read_full_at(range, read_to)?;
        self.end += read;
        if read < more {
            // It is shorter than it was.
            self.file_len = read_to + read as u64;
        }
        Ok(())
    }

    fn skip(&mut self, len: usize) {
        self.start += len;
        self.offset += len as u64;
    }

    fn end_here<'b>(&self, fault: Option<Fault>) -> Piece<'b> {
        Piece::End(End { offset: self.offset, own_len: self.own_len, synced: self.synced, fault })
    }

    /// Whether a request of Redis begins where a batch of ours would.
    fn is_followed_by_redis(&self) -> bool {
        let bytes = self.unread();
        match timestamp(bytes) {
            Line::Is(_, len) => bytes.get(len) == Some(&b'*'),
            _ => bytes.first() == Some(&b'*'),
        }
    }

    /// Reads a batch of ours.
    fn batch(&mut self) -> io::Result<Piece<'_>> {
        let (timestamp_s, line) = match timestamp(self.unread()) {
            Line::Is(seconds, len) => (Some(seconds), len),
            _ => (None, 0),
        };
        let front = line + HEADER_BYTES;
        let Some(header) = Header::parse(&self.unread()[line..]) else {
            return self.bad("there is no batch where one should be");
        };
        let Some(len) = self.fits(header, self.offset + front as u64) else {
            return self.bad("the file ends within a batch");
        };
        self.fill(front + len)?;
        if self.end - self.start < front + len {
            return self.bad("the file ends within a batch");
        }
        let mut sum = Header::begin_sum(header.len, header.synced, self.offset);
        sum.update(&self.unread()[..line]);
        sum.update(&self.unread()[front..front + len]);
        if sum.value() != header.sum || header.synced > self.offset {
            return self.bad("the checksum of a batch does not fit");
        }
        let (start, at) = (self.offset, self.start + front);
        self.skip(front + len);
        (self.own_len, self.synced) = (Some(self.offset), header.synced);
        let bytes = &mut self.buf[at..at + len];
        Ok(Piece::Batch { start, offset: start + front as u64, timestamp_s, bytes })
    }

    /// The length of a batch whose requests begin at `offset`, when the file is long enough for it.
    fn fits(&self, header: Header, offset: u64) -> Option<usize> {
        let end = offset.checked_add(header.len)?;
        (end <= self.file_len).then(|| usize::try_from(header.len).ok())?
    }

    /// There is no good batch here: the end, and whether a crash explains it.
    fn bad<'b>(&self, what: &'static str) -> io::Result<Piece<'b>> {
        if self.is_followed_by_another()? {
            let what = "a batch is cut short, and another server went on behind it: start that one and have it \
                rewrite its log (BGREWRITEAOF)";
            return Ok(self.end_here(Some(Fault { torn: false, what })));
        }
        let torn = !self.was_synced()?;
        Ok(self.end_here(Some(Fault { torn, what })))
    }

    /// Reads requests of Redis, or an annotation.
    fn foreign(&mut self) -> io::Result<Piece<'_>> {
        // From `start` on: up to where requests were read, and up to where they are whole outside of a transaction.
        let (mut at, mut whole, mut in_multi) = (0, 0, false);
        loop {
            let rest = &self.buf[self.start + at..self.end];
            let fault = match rest.first() {
                Some(b'#') if whole > 0 => return Ok(self.requests(whole)),
                Some(b'#') => match annotation(rest, self.as_redis) {
                    Ok(Some((_, len))) if in_multi => {
                        self.take_out(at, len);
                        continue;
                    }
                    Ok(Some((timestamp_s, len))) => {
                        let offset = self.offset;
                        self.skip(len);
                        let Some(timestamp_s) = timestamp_s else { continue };
                        return Ok(Piece::Timestamp { offset, timestamp_s });
                    }
                    Ok(None) => None,
                    Err(what) => Some(what),
                },
                _ => match read(rest) {
                    Ok(Read::Whole(_, Word::Multi)) if in_multi => Some("MULTI within a transaction"),
                    Ok(Read::Whole(_, Word::Exec)) if !in_multi => Some("EXEC without MULTI"),
                    Ok(Read::Whole(len, word)) => {
                        at += len;
                        in_multi = (in_multi || word == Word::Multi) && word != Word::Exec;
                        whole = if in_multi { whole } else { at };
                        continue;
                    }
                    Ok(Read::Short) => None,
                    Err(what) => Some(what),
                },
            };
            if whole > 0 {
                return Ok(self.requests(whole));
            }
            if let Some(what) = fault {
                return self.foreign_fault(Fault { torn: false, what });
            }
            let there = self.end - self.start;
            self.fill((2 * there).max(1))?;
            if self.end - self.start == there {
                let short =
                    if in_multi { "a transaction has no EXEC" } else { "the file ends within a request" };
                let fault = (there > 0).then_some(Fault { torn: true, what: short });
                return fault.map_or(Ok(self.end_here(None)), |fault| self.foreign_fault(fault));
            }
        }
    }

    /// Hands over the first `len` unread bytes.
    fn requests(&mut self, len: usize) -> Piece<'_> {
        let (start, offset) = (self.start, self.offset);
        self.skip(len);
        self.offset += std::mem::take(&mut self.taken_out);
        self.has_requests = true;
        Piece::Requests { offset, bytes: &mut self.buf[start..start + len] }
    }

    /// Takes an annotation out from within the transaction that begins at `start`.
    fn take_out(&mut self, at: usize, len: usize) {
        self.buf.copy_within(self.start + at + len..self.end, self.start + at);
        self.end -= len;
        self.taken_out += len as u64;
    }

    /// The end for a fault in what Redis wrote. Directly behind a batch of ours it may be a batch that is damaged.
    fn foreign_fault<'b>(&mut self, fault: Fault) -> io::Result<Piece<'b>> {
        match self.own_len.filter(|_| !self.has_requests) {
            Some(own_len) => {
                self.offset = own_len;
                self.bad(fault.what)
            }
            None => Ok(self.end_here(Some(fault))),
        }
    }

    /// Whether Redis went on behind a batch that is no longer whole: wherever it begins, it selects a database first,
    /// and it does so in capitals.
    fn is_followed_by_another(&self) -> io::Result<bool> {
        let mut rest = Scanner::new(self.file, self.offset)?;
        (rest.kind, rest.as_redis) = (Kind::Foreign, true);
        loop {
            match rest.next()? {
                Piece::Requests { bytes, .. } if request::select_in(bytes) => return Ok(true),
                Piece::End(_) => return Ok(false),
                _ => {}
            }
        }
    }

    /// Whether a good batch further on says that what is here was synced.
    fn was_synced(&self) -> io::Result<bool> {
        let finder = Finder::new(HEADER_START);
        let (mut buf, mut at) = (vec![0; self.read_bytes()], self.offset + 1);
        // Headers that somebody made up must not cost more than reading the file a few times.
        let mut budget = self.file_len.saturating_mul(8);
        while at < self.file_len {
            let back = (at - self.offset).min(TIMESTAMP_BYTES_MAX as u64) as usize;
            let read = self.file.read_full_at(&mut buf, at - back as u64)?;
            let bytes = &buf[..read];
            for found in finder.find_iter(&bytes[back..]).map(|i| back + i) {
                let Some(header) = Header::parse(&bytes[found..]) else { continue };
                let offset = at + (found - back) as u64;
                if header.synced <= self.offset || header.synced > offset {
                    continue;
                }
                let line = timestamp_before(&bytes[..found]);
                if budget < header.len || self.is_good(header, offset, line, &mut budget)? {
                    return Ok(true);
                }
            }
            if read < buf.len() {
                break;
            }
            // A header that is cut here is read again.
            at += (read - (HEADER_BYTES - 1) - back) as u64;
        }
        Ok(false)
    }

    /// How many bytes are read at once in searching: enough for a front and what is before it, however short the file.
    fn read_bytes(&self) -> usize {
        READ_BYTES.min(self.file_len as usize + 2 * FRONT_BYTES_MAX)
    }

    /// Whether the batch fits its checksum whose header is at `offset`, with a timestamp's line before it or without.
    fn is_good(&self, header: Header, offset: u64, line: &[u8], budget: &mut u64) -> io::Result<bool> {
        let mut at = offset + HEADER_BYTES as u64;
        let Some(len) = self.fits(header, at) else { return Ok(false) };
        *budget -= header.len;
        let mut bare = Header::begin_sum(header.len, header.synced, offset);
        let mut annotated = Header::begin_sum(header.len, header.synced, offset - line.len() as u64);
        annotated.update(line);
        let (mut buf, mut left) = (vec![0; READ_BYTES.min(len)], len);
        while left > 0 {
            let wanted = left.min(buf.len());
            let read = self.file.read_full_at(&mut buf[..wanted], at)?;
            if read == 0 {
                return Ok(false);
            }
            bare.update(&buf[..read]);
            annotated.update(&buf[..read]);
            (at, left) = (at + read as u64, left - read);
        }
        Ok(bare.value() == header.sum || (!line.is_empty() && annotated.value() == header.sum))
    }
}

/// The line of a timestamp that `bytes` end with; empty when they do not.
fn timestamp_before(bytes: &[u8]) -> &[u8] {
    let from = bytes.len().saturating_sub(TIMESTAMP_BYTES_MAX);
    let starts = (from..bytes.len()).filter(|&i| bytes[i..].starts_with(TIMESTAMP_START));
    let mut lines = starts.map(|i| &bytes[i..]);
    lines.find(|line| matches!(timestamp(line), Line::Is(_, len) if len == line.len())).unwrap_or_default()
}

/// A timestamp, if it is one, and its length in bytes.
type Annotation = (Option<i64>, usize);

/// Reads a line that begins with `#`: nothing while it does not end. To Redis, a batch's header is one like others.
fn annotation(bytes: &[u8], as_redis: bool) -> Result<Option<Annotation>, &'static str> {
    if bytes.starts_with(HEADER_START) && !as_redis {
        return Err("a batch stands behind something else");
    }
    match memchr(b'\n', &bytes[..bytes.len().min(ANNOTATION_BYTES_MAX)]) {
        Some(end) => match timestamp(bytes) {
            Line::Is(seconds, len) => Ok(Some((Some(seconds), len))),
            _ => Ok(Some((None, end + 1))),
        },
        None if bytes.len() >= ANNOTATION_BYTES_MAX => Err("an annotation is too long"),
        None => Ok(None),
    }
}
