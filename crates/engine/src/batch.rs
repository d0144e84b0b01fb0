//! What a snapshot cut hands out: records of entries as they were, copied into one run of bytes.
//!
//! A record, one behind the other, all numbers in the machine's order:
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | what it is, see [`Tag`] |
//! | 1 | of a collection: kind and stage |
//! | 4 | database |
//! | 8 | deadline, `i64::MAX` for none |
//! | 4 | access metadata |
//! | 4 | length of the key |
//! | 8 | integer; or length of the value; or which of the entries taken over |
//! | | key, then the value where it is copied |
//!
//! A value that would be long to copy and that its writer has no more use for is not copied: its entry is taken over. Of
//! a large collection the snapshot gets a clone, which shares all that does not change.

use crate::collection::{Big, Body};
use crate::entry::{Entry, EntryBox, Tags};
use crate::packed::Packed;
use crate::value::{Kind, Str, View};

/// A value from which on a live entry is handed out in pieces, and a dead one is taken over instead of copied.
pub(crate) const LONG_BYTES_MIN: usize = 32 << 10;

const HEADER_BYTES: usize = 30;

/// One step's worth of a snapshot: [`Batch::records`] reads it.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Entries taken over, and how much of each was handed out before.
    taken: Vec<(EntryBox, usize)>,
    /// Clones of large collections.
    clones: Vec<Big>,
}

/// A part of a snapshot.
#[derive(Clone, Copy, Debug)]
pub enum Record<'r> {
    /// A key with its value.
    Entry {
        /// The key and what belongs to it beside the value.
        head: Head<'r>,
        /// The value.
        value: View<'r>,
    },
    /// A key whose value follows in [`Record::Piece`]s, with nothing else in between.
    Long {
        /// The key and what belongs to it beside the value.
        head: Head<'r>,
        /// Bytes of all pieces together.
        len: u64,
    },
    /// The next piece of the long value that came last.
    Piece(&'r [u8]),
}

/// What a record says beside the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'r> {
    /// The database it was in at the cut.
    pub db: u32,
    /// The key.
    pub key: &'r [u8],
    /// When it expires, in milliseconds since the Unix epoch; nothing: never.
    pub deadline_ms: Option<i64>,
    /// Access metadata: [`crate::Access::of`] reads it.
    pub access: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    /// An integer.
    Int,
    /// A copied value.
    Bytes,
    /// A long value begins; its length is given.
    Long,
    /// A copied piece.
    Piece,
    /// A collection's packed elements, copied.
    Packed,
    /// A clone of a large collection.
    Clone,
    /// A whole entry taken over.
    Taken,
    /// The rest of the entry taken over.
    TakenPiece,
}

impl Tag {
    fn of(byte: u8) -> Tag {
        const TAGS: [Tag; 8] = [
            Tag::Int,
            Tag::Bytes,
            Tag::Long,
            Tag::Piece,
            Tag::Packed,
            Tag::Clone,
            Tag::Taken,
            Tag::TakenPiece,
        ];
        TAGS[usize::from(byte)]
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of its records, without those of entries taken over.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it; its memory is used again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.taken.clear();
        self.clones.clear();
    }

    /// The records, in the order they were put in.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (record, behind) = self.read(rest)?;
            rest = behind;
            Some(record)
        })
    }

    /// Copies `entry`, which was in database `db`.
    pub(crate) fn copy(&mut self, db: u32, entry: Entry<'_>) {
        if entry.kind() == Kind::String {
            return match entry.str() {
                Str::Int(n) => self.put(Tag::Int, db, Some(entry), n as u64, &[]),
                Str::Bytes(bytes) => self.put(Tag::Bytes, db, Some(entry), bytes.len() as u64, bytes),
            };
        }
        match entry.body() {
            Body::Packed(run) => {
                let bytes = run.as_slice();
                self.put(Tag::Packed, db, Some(entry), bytes.len() as u64, bytes);
            }
            Body::Big(big) => {
                self.put(Tag::Clone, db, Some(entry), self.clones.len() as u64, &[]);
                self.clones.push(big.clone());
            }
        }
    }

    /// Takes `entry` over whole.
    pub(crate) fn take(&mut self, db: u32, entry: EntryBox) {
        let place = self.taken.len() as u64;
        self.put(Tag::Taken, db, None, place, &[]);
        self.taken.push((entry, 0));
    }

    /// Takes `entry` over, the first `offset` bytes of whose value were handed out before.
    pub(crate) fn take_rest(&mut self, entry: EntryBox, offset: usize) {
        let place = self.taken.len() as u64;
        self.put(Tag::TakenPiece, 0, None, place, &[]);
        self.taken.push((entry, offset));
    }

    /// Begins the long value of `entry`.
    pub(crate) fn begin_long(&mut self, db: u32, entry: Entry<'_>, len: usize) {
        self.put(Tag::Long, db, Some(entry), len as u64, &[]);
    }

    /// Copies a piece of the long value begun last.
    pub(crate) fn piece(&mut self, bytes: &[u8]) {
        self.put(Tag::Piece, 0, None, bytes.len() as u64, bytes);
    }

    fn put(&mut self, tag: Tag, db: u32, entry: Option<Entry<'_>>, word: u64, value: &[u8]) {
        let key = entry.map(Entry::key).unwrap_or_default();
        let deadline_ms = entry.and_then(Entry::deadline_ms).unwrap_or(i64::MAX);
        let mut header = [0; HEADER_BYTES];
        header[0] = tag as u8;
        header[1] = entry.map_or(0, |entry| entry.tags().byte());
        header[2..6].copy_from_slice(&db.to_ne_bytes());
        header[6..14].copy_from_slice(&deadline_ms.to_ne_bytes());
        header[14..18].copy_from_slice(&entry.map_or(0, Entry::access).to_ne_bytes());
        header[18..22].copy_from_slice(&(key.len() as u32).to_ne_bytes());
        header[22..30].copy_from_slice(&word.to_ne_bytes());
        self.bytes.reserve(HEADER_BYTES + key.len() + value.len());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// The record that `bytes` begin with, and what is behind it.
    fn read<'r>(&'r self, bytes: &'r [u8]) -> Option<(Record<'r>, &'r [u8])> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let tags = Tags::from_byte(header[1]);
        let db = u32::from_ne_bytes(field(header, 2));
        let deadline_ms = Some(i64::from_ne_bytes(field(header, 6))).filter(|&at| at != i64::MAX);
        let access = u32::from_ne_bytes(field(header, 14));
        let key_len = u32::from_ne_bytes(field(header, 18)) as usize;
        let word = u64::from_ne_bytes(field(header, 22));
        let (key, rest) = rest.split_at_checked(key_len)?;
        let head = Head { db, key, deadline_ms, access };
        let tag = Tag::of(header[0]);
        let value_len = if matches!(tag, Tag::Bytes | Tag::Packed | Tag::Piece) { word as usize } else { 0 };
        let (value, rest) = rest.split_at_checked(value_len)?;
        let record = match tag {
            Tag::Int => Record::Entry { head, value: View::String(Str::Int(word as i64)) },
            Tag::Bytes => Record::Entry { head, value: View::String(Str::Bytes(value)) },
            Tag::Packed => Record::Entry { head, value: View::of(Body::Packed(Packed::new(value)), tags) },
            Tag::Clone => {
                let big = self.clones.get(word as usize)?;
                Record::Entry { head, value: View::of(Body::Big(big), tags) }
            }
            Tag::Long => Record::Long { head, len: word },
            Tag::Piece => Record::Piece(value),
            Tag::Taken => {
                let entry = self.taken.get(word as usize)?.0.view();
                let (key, deadline_ms, access) = (entry.key(), entry.deadline_ms(), entry.access());
                Record::Entry { head: Head { db, key, deadline_ms, access }, value: entry.value() }
            }
            Tag::TakenPiece => {
                let (entry, offset) = self.taken.get(word as usize)?;
                match entry.view().string() {
                    Ok(Str::Bytes(bytes)) => Record::Piece(bytes.get(*offset..)?),
                    _ => return None,
                }
            }
        };
        Some((record, rest))
    }
}

fn field<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}
