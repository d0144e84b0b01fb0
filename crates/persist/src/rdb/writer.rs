//! Writing a file.

use std::io::{self, Write};

use engine::{Access, AccessPolicy, Head, Record, Str, View};

use super::encode::{Encoder, encoding_of};
use super::format::{Encoding, Version, opcode};
use crate::crc64::Crc64;
use crate::shape::Shape;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether strings of more than 20 bytes are compressed where that saves some (`rdbcompression`).
    pub compression: bool,
    /// Whether the file ends with its checksum; otherwise with 0 (`rdbchecksum`).
    pub checksum: bool,
    /// The version of the format.
    pub version: Version,
}

/// What stands before a key about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// When it expires, in milliseconds since the Unix epoch; nothing: never.
    pub deadline_ms: Option<i64>,
    /// How it was used.
    pub access: Access,
}

/// Writes a file to `out`. It is whole once [`Writer::finish`] returned.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    encoder: Encoder,
    crc: Option<Crc64>,
    version: Version,
    written: u64,
    /// The database of what comes next.
    db: Option<u32>,
    /// Bytes still to come of the string that [`Writer::begin_long`] began.
    long_left: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub fn new(out: W, options: Options) -> Writer<W> {
        let mut encoder = Encoder::new(options.compression);
        encoder.raw(format!("REDIS{:04}", options.version.number()).as_bytes());
        let crc = options.checksum.then(Crc64::new);
        Writer { out, encoder, crc, version: options.version, written: 0, db: None, long_left: 0 }
    }

    /// Bytes written so far, those included that are still gathered.
    pub fn written_bytes(&self) -> u64 {
        self.written + self.encoder.bytes.len() as u64
    }

    /// A name and a value about the file.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        self.encoder.byte(opcode::AUX);
        self.encoder.string(name);
        self.encoder.string(value);
        self.gathered()
    }

    /// The fields that Redis 7.2 begins a file with: `version` of the server, the time, bytes of memory in use, and
    /// whether the file is the base of an append log.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn preamble(&mut self, version: &str, now_s: i64, used_bytes: u64, base: bool) -> io::Result<()> {
        let mut digits = itoa::Buffer::new();
        self.aux(b"redis-ver", version.as_bytes())?;
        self.aux(b"redis-bits", digits.format(usize::BITS).as_bytes())?;
        self.aux(b"ctime", digits.format(now_s).as_bytes())?;
        self.aux(b"used-mem", digits.format(used_bytes).as_bytes())?;
        self.aux(b"aof-base", if base { b"1" } else { b"0" })
    }

    /// A library of functions.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.encoder.byte(opcode::FUNCTION);
        self.encoder.string(code);
        self.gathered()
    }

    /// The database of the keys that follow.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn select(&mut self, db: u32) -> io::Result<()> {
        self.db = Some(db);
        self.encoder.byte(opcode::SELECT);
        self.encoder.length(db.into());
        self.gathered()
    }

    /// About how many keys the database has, and how many of them have a deadline.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn resize(&mut self, keys: u64, volatile: u64) -> io::Result<()> {
        self.encoder.byte(opcode::RESIZE);
        self.encoder.length(keys);
        self.encoder.length(volatile);
        self.gathered()
    }

    /// What a snapshot's cut handed out, in its database. With `policy`, and the time in milliseconds since the Unix
    /// epoch, it says how keys were used.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn record(&mut self, record: Record<'_>, policy: Option<(AccessPolicy, i64)>) -> io::Result<()> {
        match record {
            Record::Entry { head, value } => {
                let about = self.head(head, policy)?;
                match value {
                    View::String(value) => self.string(head.key, about, value),
                    value => self.value(head.key, about, value),
                }
            }
            Record::Long { head, len } => {
                let about = self.head(head, policy)?;
                self.begin_long(head.key, about, len)
            }
            Record::Piece(bytes) => self.piece(bytes),
        }
    }

    /// Selects the database of `head`, and gives what else it says.
    fn head(&mut self, head: Head<'_>, policy: Option<(AccessPolicy, i64)>) -> io::Result<About> {
        if self.db != Some(head.db) {
            self.select(head.db)?;
        }
        let access = policy.map(|(policy, now_ms)| Access::of(head.access, policy, now_ms));
        Ok(About { deadline_ms: head.deadline_ms, access: access.unwrap_or_default() })
    }

    /// A key with a string.
    ///
    /// # Errors
    /// As writing gives them.
    #[inline]
    pub fn string(&mut self, key: &[u8], about: About, value: Str<'_>) -> io::Result<()> {
        self.key(key, about, Encoding::String);
        match value {
            Str::Int(n) => self.encoder.int(n),
            Str::Bytes(bytes) => self.encoder.string(bytes),
        }
        self.gathered()
    }

    /// A key with a value of any type. Of a large one only a part is held at a time.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn value<'a>(&mut self, key: &[u8], about: About, value: impl Into<Shape<'a>>) -> io::Result<()> {
        let shape = value.into();
        let encoding = encoding_of(shape, self.version);
        self.key(key, about, encoding);
        let Writer { out, encoder, crc, written, .. } = self;
        encoder.value(shape, encoding, &mut |bytes| {
            if bytes.len() < BUFFER_BYTES {
                return Ok(());
            }
            write(out, crc, written, bytes)?;
            bytes.clear();
            // What one big element took is given back.
            bytes.shrink_to(2 * BUFFER_BYTES);
            Ok(())
        })
    }

    /// A key with a string of `len` bytes, which [`Writer::piece`] gives, uncompressed.
    ///
    /// # Errors
    /// As writing gives them.
    pub fn begin_long(&mut self, key: &[u8], about: About, len: u64) -> io::Result<()> {
        self.key(key, about, Encoding::String);
        self.encoder.length(len);
        self.long_left = len;
        self.gathered()
    }

    /// The next bytes of the string begun last.
    ///
    /// # Errors
    /// As writing gives them; there are more than were announced.
    pub fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.long_left.checked_sub(bytes.len() as u64);
        self.long_left = left.ok_or_else(|| io::Error::other("a string is longer than it was begun"))?;
        self.flush()?;
        self.write(bytes)
    }

    /// Ends the file, flushes `out` and gives it back with the checksum that the file ends with.
    ///
    /// # Errors
    /// As writing gives them; the string begun last is not whole.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        if self.long_left > 0 {
            return Err(io::Error::other("a string is shorter than it was begun"));
        }
        self.encoder.byte(opcode::END);
        self.flush()?;
        let checksum = self.crc.take().map_or(0, |crc| crc.value());
        self.write(&checksum.to_le_bytes())?;
        self.out.flush()?;
        Ok((self.out, checksum))
    }

    #[inline]
    fn key(&mut self, key: &[u8], about: About, encoding: Encoding) {
        debug_assert_eq!(self.long_left, 0, "a string's pieces come before the next key");
        if let Some(deadline_ms) = about.deadline_ms {
            self.encoder.byte(opcode::DEADLINE_MS);
            self.encoder.raw(&deadline_ms.to_le_bytes());
        }
        match about.access {
            Access::Unsaid => {}
            Access::IdleS(idle_s) => {
                self.encoder.byte(opcode::IDLE);
                self.encoder.length(idle_s);
            }
            Access::Frequency(frequency) => {
                self.encoder.raw(&[opcode::FREQUENCY, frequency]);
            }
        }
        self.encoder.byte(encoding.byte());
        self.encoder.string(key);
    }

    #[inline]
    fn gathered(&mut self) -> io::Result<()> {
        if self.encoder.bytes.len() < BUFFER_BYTES { Ok(()) } else { self.flush() }
    }

    /// Writes what was gathered.
    fn flush(&mut self) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.encoder.bytes);
        let result = self.write(&bytes);
        bytes.clear();
        // What one big value took is given back.
        bytes.shrink_to(2 * BUFFER_BYTES);
        self.encoder.bytes = bytes;
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        write(&mut self.out, &mut self.crc, &mut self.written, bytes)
    }
}

fn write(out: &mut impl Write, crc: &mut Option<Crc64>, written: &mut u64, bytes: &[u8]) -> io::Result<()> {
    if let Some(crc) = crc {
        crc.update(bytes);
    }
    *written += bytes.len() as u64;
    out.write_all(bytes)
}
