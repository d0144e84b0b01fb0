//! Values to JSON, a line a key, as they come: nothing is held but what is being written.

use std::io::{self, Write};

use engine::{Element, Field, Record, element_of};

use super::text;
use super::{Error, FORM};
use crate::rdb::{StreamGroup, StreamId, Value};
use crate::shape::{Shape, StreamShape};

/// Writes a document. One that is not finished is not whole, and is refused where it is read.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    /// Whether something stands in the document already, so that a comma has to stand before what comes.
    begun: bool,
    /// The string whose pieces are being written.
    long: Long,
}

/// A string that comes in pieces.
#[derive(Debug, Default)]
struct Long {
    /// Bytes still to come.
    left: u64,
    /// Whether a piece was written.
    begun: bool,
    /// The last bytes of the pieces so far, which may be the first of a character; at most three.
    carried: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a document on `out`, which should have a buffer.
    ///
    /// # Errors
    /// As writing to `out`.
    pub fn new(mut out: W) -> io::Result<Writer<W>> {
        write!(out, "{{\"ebbtide\": {FORM}, \"data\": [")?;
        Ok(Writer { out, begun: false, long: Long::default() })
    }

    /// Writes a key with its value.
    ///
    /// # Errors
    /// As writing to `out`, and [`Error::Module`]: nothing of it was written then.
    pub fn key(
        &mut self,
        db: u32,
        key: &[u8],
        deadline_ms: Option<i64>,
        value: &Value<'_>,
    ) -> Result<(), Error> {
        if let Value::Module(module) = value {
            return Err(Error::Module { key: key.into(), name: module.name.to_string() });
        }
        self.head(db, key, deadline_ms)?;
        self.value(value.into())?;
        Ok(self.out.write_all(b"}")?)
    }

    /// Writes the next record of a snapshot.
    ///
    /// # Errors
    /// As writing to `out`.
    pub fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        match *record {
            Record::Entry { head, value } => {
                self.head(head.db, head.key, head.deadline_ms)?;
                self.value(value.into())?;
                self.out.write_all(b"}")
            }
            Record::Long { head, len } => {
                self.head(head.db, head.key, head.deadline_ms)?;
                self.out.write_all(b"\"string\": [")?;
                self.long = Long { left: len, ..Long::default() };
                self.piece(b"")
            }
            Record::Piece(piece) => self.piece(piece),
        }
    }

    /// Writes the next piece of the long string, and its end when it was the last.
    fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        let long = &mut self.long;
        long.left = long.left.saturating_sub(piece.len() as u64);
        long.carried.extend_from_slice(piece);
        let len = if long.left == 0 { long.carried.len() } else { text::whole(&long.carried) };
        if len > 0 {
            if long.begun {
                self.out.write_all(b", ")?;
            }
            long.begun = true;
            text::write(&mut self.out, &long.carried[..len])?;
            long.carried.drain(..len);
        }
        if long.left == 0 { self.out.write_all(b"]}") } else { Ok(()) }
    }

    /// Writes a library of functions: its whole code.
    ///
    /// # Errors
    /// As writing to `out`.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.line()?;
        self.out.write_all(b"{\"function\": ")?;
        text::write(&mut self.out, code)?;
        self.out.write_all(b"}")
    }

    /// Ends the document.
    ///
    /// # Errors
    /// As writing to `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self) -> io::Result<()> {
        let before: &[u8] = if self.begun { b",\n" } else { b"\n" };
        self.begun = true;
        self.out.write_all(before)
    }

    fn head(&mut self, db: u32, key: &[u8], deadline_ms: Option<i64>) -> io::Result<()> {
        self.line()?;
        self.out.write_all(b"{\"key\": ")?;
        text::write(&mut self.out, key)?;
        self.out.write_all(b", ")?;
        if db != 0 {
            write!(self.out, "\"db\": {db}, ")?;
        }
        if let Some(deadline_ms) = deadline_ms {
            write!(self.out, "\"expires_ms\": {deadline_ms}, ")?;
        }
        Ok(())
    }

    fn value(&mut self, shape: Shape<'_>) -> io::Result<()> {
        let out = &mut self.out;
        match shape {
            Shape::String(value) => {
                out.write_all(b"\"string\": ")?;
                text::write(out, value.bytes(&mut itoa::Buffer::new()))
            }
            Shape::List(items) => {
                out.write_all(b"\"list\": ")?;
                array(out, items.iter(), element)
            }
            Shape::Set(members) => {
                out.write_all(b"\"set\": ")?;
                array(out, members.iter(), element)
            }
            Shape::ZSet(members) => {
                out.write_all(b"\"zset\": ")?;
                object(out, members.iter(), |out, (member, score)| {
                    name(out, member)?;
                    number(out, score)
                })
            }
            Shape::Hash(fields) => {
                out.write_all(b"\"hash\": ")?;
                object(out, fields.iter(), field)
            }
            Shape::Stream(content) => {
                out.write_all(b"\"stream\": ")?;
                stream(out, content)
            }
            Shape::Module(_) => Ok(()),
        }
    }
}

fn element(out: &mut impl Write, element: Element<'_>) -> io::Result<()> {
    text::write(out, element.bytes(&mut itoa::Buffer::new()))
}

/// Writes `items` between `open` and `close`.
fn sequence<W: Write, T>(
    out: &mut W,
    items: impl IntoIterator<Item = T>,
    [open, close]: &[u8; 2],
    each: impl Fn(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(&[*open])?;
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.write_all(b", ")?;
        }
        each(out, item)?;
    }
    out.write_all(&[*close])
}

fn array<W: Write, T>(
    out: &mut W,
    items: impl IntoIterator<Item = T>,
    each: impl Fn(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    sequence(out, items, b"[]", each)
}

fn object<W: Write, T>(
    out: &mut W,
    items: impl IntoIterator<Item = T>,
    each: impl Fn(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    sequence(out, items, b"{}", each)
}

/// The name of an object's member, and its colon.
fn name(out: &mut impl Write, name: Element<'_>) -> io::Result<()> {
    element(out, name)?;
    out.write_all(b": ")
}

/// A score. JSON has no infinities: they are strings, and so would be what is no number.
fn number(out: &mut impl Write, score: f64) -> io::Result<()> {
    if score.is_finite() { Ok(serde_json::to_writer(out, &score)?) } else { write!(out, "\"{score}\"") }
}

fn field(out: &mut impl Write, field: Field<'_>) -> io::Result<()> {
    name(out, field.name)?;
    let Some(deadline_ms) = field.deadline_ms else { return element(out, field.value) };
    write!(out, "{{\"expires_ms\": {deadline_ms}, \"value\": ")?;
    element(out, field.value)?;
    out.write_all(b"}")
}

fn id(out: &mut impl Write, id: StreamId) -> io::Result<()> {
    write!(out, "\"{}-{}\"", id.ms, id.seq)
}

fn entry<'e>(
    out: &mut impl Write,
    entry_id: StreamId,
    fields: impl Iterator<Item = (Element<'e>, Element<'e>)>,
) -> io::Result<()> {
    out.write_all(b"[")?;
    id(out, entry_id)?;
    for part in fields.flat_map(|(name, value)| [name, value]) {
        out.write_all(b", ")?;
        element(out, part)?;
    }
    out.write_all(b"]")
}

fn stream(out: &mut impl Write, stream: StreamShape<'_>) -> io::Result<()> {
    out.write_all(b"{\"entries\": ")?;
    match stream {
        StreamShape::Read(stream) => array(out, stream.entries.iter(), |out, read| {
            entry(out, read.id, read.fields.iter().map(|(name, value)| (element_of(name), element_of(value))))
        })?,
        StreamShape::Kept(stream) => {
            array(out, stream.iter(), |out, kept| entry(out, kept.id, kept.fields()))?
        }
    }
    let past = stream.past();
    out.write_all(b", \"last_id\": ")?;
    id(out, past.last_id)?;
    out.write_all(b", \"max_deleted_id\": ")?;
    id(out, past.max_deleted_id)?;
    write!(out, ", \"entries_added\": {}", past.entries_added)?;
    if stream.groups_len() > 0 {
        out.write_all(b", \"groups\": ")?;
        object(out, stream.groups(), |out, item| group(out, &item))?;
    }
    out.write_all(b"}")
}

fn group(out: &mut impl Write, group: &StreamGroup<'_>) -> io::Result<()> {
    name(out, element_of(&group.name))?;
    out.write_all(b"{\"last_id\": ")?;
    id(out, group.last_id)?;
    if let Some(entries_read) = group.entries_read {
        write!(out, ", \"entries_read\": {entries_read}")?;
    }
    out.write_all(b", \"consumers\": ")?;
    object(out, &group.consumers, |out, consumer| {
        name(out, element_of(&consumer.name))?;
        write!(out, "{{\"seen_ms\": {}", consumer.seen_ms)?;
        if let Some(active_ms) = consumer.active_ms {
            write!(out, ", \"active_ms\": {active_ms}")?;
        }
        out.write_all(b"}")
    })?;
    // Beside the consumers, not in them: so one pass writes all, however many consumers there are.
    out.write_all(b", \"pending\": ")?;
    array(out, &group.pending, |out, pending| {
        out.write_all(b"[")?;
        id(out, pending.id)?;
        out.write_all(b", ")?;
        let unknown = || io::Error::other("a pending entry is not of its group's consumers");
        text::write(out, &group.consumers.get(pending.consumer).ok_or_else(unknown)?.name)?;
        write!(out, ", {}, {}]", pending.delivered_ms, pending.deliveries)
    })?;
    out.write_all(b"}")
}
