//! What all data is written as: an RDB file, JSON, or requests that make it.

use std::io::{self, BufWriter, Write};

use commands::REDIS_VERSION;
use engine::{AccessPolicy, Record, Size};
use persist::json;
use persist::log::BaseFormat;
use persist::rdb::{self, Writer};
use persist::requests;

use super::snapshot::Purpose;
use crate::clock;
use crate::config::Settings;
use crate::config::settings::SnapshotFormat;
use crate::memory;

/// Bytes of requests handed to the system at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// Takes the records of a cut.
pub(super) struct Sink<W: Write> {
    form: Form<W>,
    /// How keys were used is written down only where a policy of eviction asks for it.
    uses: Option<(AccessPolicy, i64)>,
}

enum Form<W: Write> {
    Rdb(Box<Writer<W>>),
    Json(json::Writer<BufWriter<W>>),
    Requests(Requests<BufWriter<W>>),
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W, purpose: Purpose, settings: &Settings) -> io::Result<Sink<W>> {
        let now_ms = clock::now_ms();
        let form = if purpose == Purpose::LogBase(BaseFormat::Aof) {
            Form::Requests(Requests::new(BufWriter::with_capacity(BUFFER_BYTES, out)))
        } else if purpose == Purpose::Snapshot(SnapshotFormat::Json) {
            Form::Json(json::Writer::new(BufWriter::with_capacity(BUFFER_BYTES, out))?)
        } else {
            let options = rdb::Options {
                compression: settings.rdbcompression,
                checksum: settings.rdbchecksum,
                version: settings.rdb_version,
            };
            let mut writer = Writer::new(out, options);
            let base = matches!(purpose, Purpose::LogBase(_));
            writer.preamble(REDIS_VERSION, now_ms / 1000, memory::used_bytes(), base)?;
            Form::Rdb(Box::new(writer))
        };
        let uses = settings.maxmemory_policy.looks_at_use().then(|| (settings.access_policy(), now_ms));
        Ok(Sink { form, uses })
    }

    /// What is to come.
    pub(super) fn sizes(&mut self, sizes: &[Size]) -> io::Result<()> {
        if let Form::Rdb(writer) = &mut self.form {
            for size in sizes {
                writer.select(size.db)?;
                writer.resize(size.keys, size.volatile)?;
            }
        }
        Ok(())
    }

    /// One record.
    pub(super) fn put(&mut self, record: Record<'_>) -> io::Result<()> {
        match &mut self.form {
            Form::Rdb(writer) => writer.record(record, self.uses),
            Form::Json(writer) => writer.record(&record),
            Form::Requests(requests) => requests.put(record),
        }
    }

    /// Ends what was written and hands it to the system.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Rdb(writer) => writer.finish().map(drop),
            Form::Json(writer) => writer.finish().map(drop),
            Form::Requests(mut requests) => requests.out.flush(),
        }
    }
}

/// Writes requests that make keys.
struct Requests<W> {
    out: W,
    /// The database of the last record.
    db: u32,
    /// The string whose pieces follow: bytes still to come, its key, and its deadline, to be set once it is whole.
    long: Option<(u64, Box<[u8]>, Option<i64>)>,
}

impl<W: Write> Requests<W> {
    fn new(out: W) -> Requests<W> {
        Requests { out, db: 0, long: None }
    }

    fn put(&mut self, record: Record<'_>) -> io::Result<()> {
        match record {
            Record::Entry { head, value } => {
                self.select(head.db)?;
                let mut give = |args: &[&[u8]]| request(&mut self.out, args);
                requests::of_key(head.key, head.deadline_ms, value.into(), &mut give)
            }
            Record::Long { head, len } => {
                self.select(head.db)?;
                self.long = Some((len, head.key.into(), head.deadline_ms));
                write!(self.out, "*3\r\n$3\r\nSET\r\n")?;
                argument(&mut self.out, head.key)?;
                write!(self.out, "${len}\r\n")
            }
            Record::Piece(bytes) => {
                self.out.write_all(bytes)?;
                let Some((left, key, deadline_ms)) = self.long.take() else { return Ok(()) };
                let left = left.saturating_sub(bytes.len() as u64);
                if left > 0 {
                    self.long = Some((left, key, deadline_ms));
                    return Ok(());
                }
                self.out.write_all(b"\r\n")?;
                self.deadline(&key, deadline_ms)
            }
        }
    }

    fn select(&mut self, db: u32) -> io::Result<()> {
        if self.db == db {
            return Ok(());
        }
        self.db = db;
        request(&mut self.out, &[b"SELECT", itoa::Buffer::new().format(db).as_bytes()])
    }

    fn deadline(&mut self, key: &[u8], deadline_ms: Option<i64>) -> io::Result<()> {
        let Some(at_ms) = deadline_ms else { return Ok(()) };
        request(&mut self.out, &[b"PEXPIREAT", key, itoa::Buffer::new().format(at_ms).as_bytes()])
    }
}

fn request(out: &mut impl Write, args: &[&[u8]]) -> io::Result<()> {
    write!(out, "*{}\r\n", args.len())?;
    args.iter().try_for_each(|arg| argument(out, arg))
}

fn argument(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write!(out, "${}\r\n", bytes.len())?;
    out.write_all(bytes)?;
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use engine::{Head, Str, View};

    use super::*;

    #[test]
    fn requests_make_keys_with_their_deadlines() {
        let mut requests = Requests::new(Vec::new());
        let mut put = |record: Record<'_>| requests.put(record).unwrap();
        let head = |key, deadline_ms| Head { db: 0, key, deadline_ms, access: 0 };
        put(Record::Entry { head: head(b"a", None), value: View::String(Str::Int(-5)) });
        put(Record::Long { head: head(b"b", Some(7)), len: 5 });
        put(Record::Piece(b"xy"));
        put(Record::Piece(b"z\r\n"));
        assert_eq!(
            String::from_utf8(requests.out).unwrap(),
            "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n-5\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$5\r\nxyz\r\n\r\n\
             *3\r\n$9\r\nPEXPIREAT\r\n$1\r\nb\r\n$1\r\n7\r\n"
        );
    }
}
