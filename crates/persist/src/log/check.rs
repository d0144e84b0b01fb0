//! The log as a person looks at it: what is in its files, where they stop being good, and how to mend them.
//!
//! Mending is cutting: the last file of a log, where it stops being good, or at a moment in time. Nothing else can be
//! mended without making up data.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Place;
use super::manifest::Manifest;
use super::recover::{Input, RecoveryError, Refused, is_snapshot, parse_manifest, read_small, refused};
use super::request::{self, Word};
use super::scan::{Fault, Piece, Scanner};
use crate::storage::{Open, Storage, StoredFile, parent};

/// What to do with a log besides looking at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckMode {
    /// Nothing.
    Verify,
    /// Cut the last file off where it stops being good.
    Fix,
    /// Cut the last file off before what was written after this second, going by its timestamps.
    TruncateTo(i64),
}

/// What a file is in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The base that the manifest names.
    Base,
    /// An incremental file that the manifest names.
    Incr,
    /// A file looked at by itself: an old-style log, or one file of a log.
    Single,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub role: Role,
    /// Its length, before anything was cut off.
    pub bytes: u64,
    /// How many of them are good.
    pub good_bytes: u64,
    /// Length of the snapshot it begins with.
    pub snapshot_bytes: u64,
    /// Requests behind the snapshot.
    pub requests: u64,
    /// Batches whose checksums fit.
    pub batches: u64,
    /// Up to where it consists of such batches.
    pub checked_bytes: u64,
    /// The first and the last second noted.
    pub seconds: Option<(i64, i64)>,
    /// What is wrong behind the good bytes.
    pub problem: Option<Problem>,
    /// How much was cut off.
    pub cut_bytes: u64,
}

/// Why a file is not good to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub offset: u64,
    /// What.
    pub what: String,
    /// Whether a crash explains it: what is there was never promised.
    pub torn: bool,
}

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its files, as far as they were looked at: no further than the first that is not good.
    pub files: Vec<FileReport>,
}

impl Report {
    /// Whether the log is whole now.
    pub fn is_good(&self) -> bool {
        self.files.iter().all(|file| file.problem.is_none() || file.cut_bytes > 0)
    }

    /// How many bytes [`CheckMode::Fix`] would cut off, and of which file; nothing when there is nothing to mend.
    pub fn to_cut(&self) -> Option<(&Path, u64)> {
        let file = self.files.iter().find(|file| file.problem.is_some() && file.cut_bytes == 0)?;
        Some((&file.path, file.bytes - file.good_bytes))
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileReport { bytes, good_bytes, snapshot_bytes, requests, batches, .. } = self;
        write!(f, "{}: {bytes} bytes, {good_bytes} of them good", self.path.display())?;
        if *snapshot_bytes > 0 {
            write!(f, "; a snapshot of {snapshot_bytes} bytes")?;
        }
        write!(f, "; {requests} requests")?;
        if *batches > 0 {
            write!(f, ", {batches} batches whose checksums fit in the first {} bytes", self.checked_bytes)?;
        }
        if let Some((first, last)) = self.seconds {
            write!(f, "; written from second {first} to {last}")?;
        }
        if let Some(Problem { offset, what, torn }) = &self.problem {
            let why = if *torn { "as a crash leaves it" } else { "damaged" };
            write!(f, "\n  at byte {offset}: {what} ({why})")?;
        }
        if self.cut_bytes > 0 {
            write!(f, "\n  cut off the last {} bytes", self.cut_bytes)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "{file}")?;
        }
        f.write_str(if self.is_good() { "The log is good." } else { "The log is not good." })
    }
}

/// Looks at the log whose manifest is `path`, or at the one file `path`: an old-style log, a base, an increment.
/// `snapshot` looks at a snapshot in RDB format and says how long it is.
///
/// # Errors
/// Something cannot be read, is missing, or cannot be mended.
pub fn check(
    storage: &Arc<dyn Storage>,
    path: &Path,
    mode: CheckMode,
    snapshot: &mut dyn FnMut(&Path, &mut dyn Read) -> Result<u64, Refused>,
) -> Result<Report, RecoveryError> {
    let failed = |e| RecoveryError::io(path, e);
    let file = storage.open(path, Open::Read).map_err(failed)?;
    let parts = match is_manifest(path, &*file).map_err(failed)? {
        false => vec![(Role::Single, path.to_owned())],
        true => {
            let bytes = read_small(&*file).map_err(failed)?;
            named(&parse_manifest(path, &bytes)?, parent(path))
        }
    };
    let mut checking = Checking { storage: &**storage, mode, snapshot };
    let mut report = Report { files: vec![] };
    for (i, (role, path)) in parts.iter().enumerate() {
        let file = checking.file(*role, path, i + 1 == parts.len())?;
        let stop = file.problem.is_some();
        report.files.push(file);
        if stop {
            break;
        }
    }
    Ok(report)
}

/// The files that a manifest in `dir` names.
fn named(manifest: &Manifest, dir: &Path) -> Vec<(Role, PathBuf)> {
    let base = manifest.base.iter().map(|part| (Role::Base, dir.join(&part.name)));
    base.chain(manifest.incrs.iter().map(|part| (Role::Incr, dir.join(&part.name)))).collect()
}

/// Whether a file is a manifest: by its name, or because lines in it begin as a manifest's do.
fn is_manifest(path: &Path, file: &dyn StoredFile) -> io::Result<bool> {
    if Place::of_manifest(path).is_some() {
        return Ok(true);
    }
    let mut bytes = [0; 4096];
    let read = file.read_full_at(&mut bytes, 0)?;
    let mut lines = bytes[..read].split(|&b| b == b'\n').filter(|line| line.first() != Some(&b'#'));
    Ok(lines.next().is_some_and(|line| line.starts_with(b"file ")))
}

struct Checking<'c> {
    storage: &'c dyn Storage,
    mode: CheckMode,
    snapshot: &'c mut dyn FnMut(&Path, &mut dyn Read) -> Result<u64, Refused>,
}

impl Checking<'_> {
    /// Looks at one file, and cuts it as the mode says.
    fn file(&mut self, role: Role, path: &Path, is_last: bool) -> Result<FileReport, RecoveryError> {
        let failed = |e| RecoveryError::io(path, e);
        let file = self.storage.open(path, Open::Read).map_err(failed)?;
        let mut report = FileReport {
            path: path.to_owned(),
            role,
            bytes: file.len().map_err(failed)?,
            good_bytes: 0,
            snapshot_bytes: 0,
            requests: 0,
            batches: 0,
            checked_bytes: 0,
            seconds: None,
            problem: None,
            cut_bytes: 0,
        };
        if role != Role::Incr && is_snapshot(&*file).map_err(failed)? {
            let mut input = Input { file: &*file, at: 0 };
            report.snapshot_bytes = (self.snapshot)(path, &mut input).map_err(|r| refused(path, 0, r))?;
        }
        let cut_at = self.read(&*file, &mut report).map_err(failed)?;
        let cut_at = cut_at.or(match (&report.problem, self.mode) {
            (Some(_), CheckMode::Fix) => Some(report.good_bytes),
            _ => None,
        });
        if let Some(len) = cut_at {
            self.cut(path, len, is_last)?;
            report.cut_bytes = report.bytes - len;
            report.good_bytes = len;
        }
        Ok(report)
    }

    /// Reads a file up to where it is good, or up to where it is to be cut off by time: returned is where that is.
    fn read(&self, file: &dyn StoredFile, report: &mut FileReport) -> io::Result<Option<u64>> {
        let mut scanner = Scanner::new(file, report.snapshot_bytes)?;
        loop {
            let (start, timestamp_s, requests) = match scanner.next()? {
                Piece::Batch { start, offset, timestamp_s, bytes } => {
                    report.batches += 1;
                    (start, timestamp_s, Some((offset, &*bytes)))
                }
                Piece::Requests { offset, bytes } => (offset, None, Some((offset, &*bytes))),
                Piece::Timestamp { offset, timestamp_s } => (offset, Some(timestamp_s), None),
                Piece::End(end) => {
                    report.good_bytes = end.offset;
                    report.checked_bytes = end.own_len.unwrap_or(0);
                    report.problem = end.fault.map(|Fault { torn, what }| Problem {
                        offset: end.offset,
                        what: what.to_owned(),
                        torn,
                    });
                    return Ok(None);
                }
            };
            if matches!((self.mode, timestamp_s), (CheckMode::TruncateTo(to_s), Some(s)) if s > to_s) {
                report.good_bytes = start;
                report.checked_bytes = report.checked_bytes.min(start);
                return Ok(Some(start));
            }
            if let Some(s) = timestamp_s {
                report.seconds = Some((report.seconds.map_or(s, |(first, _)| first), s));
            }
            if let Some((offset, bytes)) = requests
                && let Err(problem) = count(offset, bytes, &mut report.requests)
            {
                report.good_bytes = start;
                report.problem = Some(problem);
                return Ok(None);
            }
        }
    }

    fn cut(&self, path: &Path, len: u64, is_last: bool) -> Result<(), RecoveryError> {
        if !is_last {
            let what = "it is not the last file of the log, so it cannot be cut off here: to give up what was \
                written later, delete the files after it and their lines in the manifest, then try again";
            return Err(RecoveryError::new(path, Some(len), what));
        }
        if len == 0 {
            return Err(RecoveryError::new(path, Some(0), "nothing would be left of it"));
        }
        let cut = || {
            let mut file = self.storage.open(path, Open::Append)?;
            file.truncate(len)?;
            file.sync()
        };
        cut().map_err(|e| RecoveryError::io(path, e))
    }
}

/// Counts the requests in `bytes`, all of which are whole, or says what is wrong with them: a batch can fit its
/// checksum and yet hold what no server runs.
fn count(offset: u64, bytes: &[u8], requests: &mut u64) -> Result<(), Problem> {
    let (mut at, mut in_multi) = (0, false);
    let problem =
        |at: usize, what: &str| Problem { offset: offset + at as u64, what: what.to_owned(), torn: false };
    while at < bytes.len() {
        match request::read(&bytes[at..]).map_err(|what| problem(at, what))? {
            request::Read::Whole(len, word) => {
                if (word == Word::Multi && in_multi) || (word == Word::Exec && !in_multi) {
                    return Err(problem(at, "MULTI and EXEC do not match"));
                }
                in_multi = (in_multi || word == Word::Multi) && word != Word::Exec;
                *requests += 1;
                at += len;
            }
            request::Read::Short => return Err(problem(at, "a batch ends within a request")),
        }
    }
    if in_multi { Err(problem(at, "a transaction has no EXEC")) } else { Ok(()) }
}
