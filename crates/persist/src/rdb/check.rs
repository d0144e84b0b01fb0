//! Checking a file: every byte is read, every value decoded, and told what is there; and mending one that is broken.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};

use super::error::{Error, Fault};
use super::format::{CHECKSUM_VERSION_MIN, opcode};
use super::reader::{Item, Reader, ReaderOptions, Record};
use crate::crc64::Crc64;

/// Bytes that the name of a format with its version takes.
const HEADER_BYTES: u64 = 9;

/// How many keys there are of some kind, and what they take in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub keys: u64,
    /// Those of them that have a deadline.
    pub volatile: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, record: &Record<'_>) {
        self.keys += 1;
        self.volatile += u64::from(record.deadline_ms.is_some());
        self.bytes += record.value.bytes.len() as u64;
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// The version; 0 when the file does not say one that is known.
    pub version: u16,
    /// Bytes that are whole: all up to what is broken, or to the end.
    pub good_bytes: u64,
    /// Bytes that follow the end, such as those of an append log.
    pub bytes_behind: u64,
    /// All keys.
    pub total: Tally,
    /// Keys whose deadline has come.
    pub expired: u64,
    /// Keys by database.
    pub databases: BTreeMap<u64, Tally>,
    /// Keys by how their values are written.
    pub encodings: BTreeMap<&'static str, Tally>,
    /// Libraries of functions.
    pub functions: u64,
    /// What is wrong, if anything is.
    pub failure: Option<Error>,
}

impl Report {
    /// Whether the file is whole.
    pub fn is_good(&self) -> bool {
        self.failure.is_none()
    }

    /// Whether [`mend`] can make a whole file of what is good.
    pub fn can_be_mended(&self) -> bool {
        self.version > 0
    }
}

impl fmt::Display for Report {
    /// Some lines that say what is there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { version, good_bytes, total, expired, .. } = self;
        writeln!(f, "version {version}, {good_bytes} bytes are whole")?;
        writeln!(f, "{} keys, {} with a deadline, {expired} of them past it", total.keys, total.volatile)?;
        for (db, tally) in &self.databases {
            writeln!(f, "  database {db}: {} keys, {} with a deadline", tally.keys, tally.volatile)?;
        }
        for (encoding, tally) in &self.encodings {
            writeln!(f, "  {encoding}: {} keys, {} bytes", tally.keys, tally.bytes)?;
        }
        if self.functions > 0 {
            writeln!(f, "{} libraries of functions", self.functions)?;
        }
        if self.bytes_behind > 0 {
            writeln!(f, "{} bytes follow the end", self.bytes_behind)?;
        }
        match &self.failure {
            None => write!(f, "the file is whole"),
            Some(error) => write!(f, "broken {error}"),
        }
    }
}

/// Reads all of `input`, at `now_ms` in milliseconds since the Unix epoch. What stands in the file beside keys is
/// told as it comes: its place and a line of text.
pub fn check(input: impl Read, now_ms: i64, tell: &mut dyn FnMut(u64, &str)) -> Report {
    let mut report = Report::default();
    if let Err(error) = read(input, now_ms, tell, &mut report) {
        report.failure = Some(error);
    }
    report
}

fn read(
    input: impl Read,
    now_ms: i64,
    tell: &mut dyn FnMut(u64, &str),
    report: &mut Report,
) -> Result<(), Error> {
    let mut reader = Reader::new(input, ReaderOptions { checksum: true })?;
    report.version = reader.version();
    tell(0, &format!("version {} of {:?}'s format", reader.version(), reader.dialect()));
    let mut db = 0;
    loop {
        report.good_bytes = reader.offset();
        let at = report.good_bytes;
        match reader.next()? {
            None => break,
            Some(Item::Key(record)) => key(&record, db, now_ms, report)?,
            Some(Item::Select(number)) => {
                db = number;
                tell(at, &format!("database {number}"));
            }
            Some(Item::Resize { keys, volatile }) => {
                tell(at, &format!("about {keys} keys, {volatile} with a deadline"));
            }
            Some(Item::Aux { name, value }) => {
                tell(at, &format!("{} is \"{}\"", name.escape_ascii(), value.escape_ascii()));
            }
            Some(Item::Function(code)) => {
                report.functions += 1;
                tell(at, &format!("a library of functions, {} bytes", code.len()));
            }
            Some(Item::ModuleAux(name)) => tell(at, &format!("data of the module type {name}, passed over")),
            Some(Item::Slots) => tell(at, "what only a cluster's node uses, passed over"),
        }
    }
    report.good_bytes = reader.offset();
    let (read, mut rest) = reader.into_rest();
    let offset = report.good_bytes;
    let behind = io::copy(&mut rest, &mut io::sink());
    let behind = behind.map_err(|error| Error { offset, fault: Fault::Read(error) })?;
    report.bytes_behind = read.len() as u64 + behind;
    Ok(())
}

fn key(record: &Record<'_>, db: u64, now_ms: i64, report: &mut Report) -> Result<(), Error> {
    let encoding = record.value.encoding.name();
    let told = |error: Error| error.of_value(&record.key, encoding);
    if record.value.decode().map_err(told)?.has_duplicates() {
        let fault = Fault::Corrupt("an element comes twice");
        return Err(told(Error { offset: record.value.offset, fault }));
    }
    report.total.add(record);
    report.databases.entry(db).or_default().add(record);
    report.encodings.entry(encoding).or_default().add(record);
    report.expired += u64::from(record.deadline_ms.is_some_and(|at| at <= now_ms));
    Ok(())
}

/// Writes what `report` says is good of `input`, the same file from its beginning, to `out` as a whole file.
///
/// # Errors
/// As reading and writing give them; the file does not even begin well.
pub fn mend(input: impl Read, report: &Report, mut out: impl Write) -> io::Result<()> {
    if !report.can_be_mended() {
        return Err(io::Error::other("nothing of the file can be kept"));
    }
    let mut summed = Summed { out: &mut out, crc: Crc64::new() };
    // Up to the broken item; or to the end's opcode, the checksum being written anew.
    let whole = report.is_good() && report.version >= CHECKSUM_VERSION_MIN;
    let end_bytes = if whole { 9 } else { u64::from(report.is_good()) };
    let keep = report.good_bytes.saturating_sub(end_bytes).max(HEADER_BYTES);
    if io::copy(&mut input.take(keep), &mut summed)? != keep {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    summed.write_all(&[opcode::END])?;
    let checksum = summed.crc.value();
    if report.version >= CHECKSUM_VERSION_MIN {
        out.write_all(&checksum.to_le_bytes())?;
    }
    out.flush()
}

/// Writes on, and sums.
struct Summed<W> {
    out: W,
    crc: Crc64,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
