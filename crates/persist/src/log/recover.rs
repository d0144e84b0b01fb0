//! The log as it is read at the start: the base, then the increments, in the manifest's order.
//!
//! A tail that a crash explains is cut off, when that is allowed; whatever else is wrong is refused, and nothing is
//! changed on the disk before everything was read.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Files, Place};
use super::manifest::{Manifest, Part};
use super::scan::{End, Fault, Piece, Scanner};
use crate::storage::{Open, Storage, StoredFile, parent};

/// How a log is recovered.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryOptions {
    /// A torn tail is cut off (`aof-load-truncated`), not refused.
    pub load_truncated: bool,
}

/// Who gets what the log holds.
pub trait Replay {
    /// A file begins, whose requests are for database 0 until they select another.
    fn file(&mut self, _path: &Path) {}

    /// A snapshot in RDB format: at the beginning of the base or of an old-style file. `input` is not buffered, and
    /// may go on behind the snapshot. Returned is how many bytes of it are the snapshot's.
    ///
    /// # Errors
    /// It cannot be loaded; `at` of the error is the offset in it.
    fn snapshot(&mut self, path: &Path, input: &mut dyn Read) -> Result<u64, Refused>;

    /// One or more requests, each an array of bulk strings, without anything between them. Transactions come whole,
    /// with their MULTI and EXEC: as nobody looks meanwhile, their requests can be run one by one and those two
    /// skipped. The bytes may be changed, as a parser does that unescapes in place.
    ///
    /// # Errors
    /// They cannot be run; `at` of the error is the offset in `requests`.
    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused>;

    /// So many bytes of the log were read, of so many. Called after each piece.
    fn progress(&mut self, _done_bytes: u64, _all_bytes: u64) {}
}

/// Something in a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its offset in what was handed over.
    pub at: u64,
    /// What it is.
    pub what: String,
}

/// What a recovery did that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The log of a version of Redis before 7 was moved into the log's directory.
    Upgraded(PathBuf),
    /// A torn tail was cut off.
    Cut {
        /// Of this file.
        file: PathBuf,
        /// From this offset on.
        offset: u64,
        /// So much.
        bytes: u64,
        /// What was wrong with it.
        what: &'static str,
    },
    /// A file was removed that a process had left unfinished.
    Removed(PathBuf),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Upgraded(file) => write!(f, "Moved the old-style append log to {}", file.display()),
            Note::Cut { file, offset, bytes, what } => {
                let file = file.display();
                write!(f, "Truncated {file} to {offset} bytes, which cut its last {bytes} off: {what}")
            }
            Note::Removed(file) => write!(f, "Removed {}, which was never finished", file.display()),
        }
    }
}

/// A log that was recovered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whether there was one.
    pub found: bool,
    /// Its files.
    pub manifest: Manifest,
    /// Bytes in the base file.
    pub base_bytes: u64,
    /// Bytes in all files.
    pub bytes: u64,
    /// What was done on the way.
    pub notes: Vec<Note>,
    /// The last incremental file, when it is one of ours that can be gone on with.
    pub(super) tail: Option<OwnTail>,
}

/// The end of a file of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnTail {
    /// Its length.
    pub(super) len: u64,
    /// Up to where it says itself that it was synced.
    pub(super) synced: u64,
}

/// Why a log was not recovered.
#[derive(Debug)]
pub struct RecoveryError {
    /// The file it is about.
    pub file: PathBuf,
    /// The offset in it.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What `ebbtide check aof --fix` must be given to mend it, when that can.
    pub mend: Option<PathBuf>,
}

impl RecoveryError {
    pub(super) fn new(file: &Path, offset: Option<u64>, what: impl Into<String>) -> RecoveryError {
        RecoveryError { file: file.to_owned(), offset, what: what.into(), mend: None }
    }

    pub(super) fn io(file: &Path, error: io::Error) -> RecoveryError {
        RecoveryError::new(file, None, error.to_string())
    }
}

impl std::error::Error for RecoveryError {}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        f.write_str(&self.what)?;
        match &self.mend {
            Some(file) => {
                write!(f, "; after a backup, mend it with: ebbtide check aof --fix {}", file.display())
            }
            None => Ok(()),
        }
    }
}

/// Reads the log at `place` and hands what it holds to `replay`.
///
/// # Errors
/// It is damaged, cannot be read, or `replay` cannot use it. The files are as they were.
pub fn recover(
    storage: &Arc<dyn Storage>,
    place: &Place,
    options: RecoveryOptions,
    replay: &mut dyn Replay,
) -> Result<Recovered, RecoveryError> {
    let mut notes = vec![];
    if let Some(file) = upgrade(storage, place)? {
        notes.push(Note::Upgraded(file));
    }
    let Some(manifest) = load_manifest(&**storage, place)? else {
        return Ok(Recovered::default());
    };
    let mut reading = Reading { storage: &**storage, place, options, replay, done_bytes: 0, all_bytes: 0 };
    let mut recovered = reading.parts(&manifest)?;
    notes.append(&mut recovered.notes);
    notes.extend(remove_left_behind(&**storage, place).into_iter().map(Note::Removed));
    Ok(Recovered { found: !manifest.is_empty(), manifest, notes, ..recovered })
}

/// Reads the manifest, if there is one.
pub(super) fn load_manifest(storage: &dyn Storage, place: &Place) -> Result<Option<Manifest>, RecoveryError> {
    let path = place.manifest();
    let bytes = match storage.open(&path, Open::Read) {
        Ok(file) => read_small(&*file).map_err(|e| RecoveryError::io(&path, e))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return refuse_orphans(storage, place).map(|()| None);
        }
        Err(e) => return Err(RecoveryError::io(&path, e)),
    };
    parse_manifest(&path, &bytes).map(Some)
}

/// Reads the manifest that is at `path`.
pub(super) fn parse_manifest(path: &Path, bytes: &[u8]) -> Result<Manifest, RecoveryError> {
    Manifest::parse(bytes).map_err(|e| RecoveryError::new(path, Some(e.offset as u64), e.to_string()))
}

/// The most that is read of a manifest: a few thousand files.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// All of a file that is expected to be small.
pub(super) fn read_small(file: &dyn StoredFile) -> io::Result<Vec<u8>> {
    let len = file.len()?;
    if len > MANIFEST_BYTES_MAX {
        return Err(io::Error::other("it is too long for a manifest"));
    }
    let mut bytes = vec![0; len as usize];
    let read = file.read_full_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Files of a log without a manifest: to begin anew beside them would lose what they hold.
fn refuse_orphans(storage: &dyn Storage, place: &Place) -> Result<(), RecoveryError> {
    let names = names_in(storage, place.dir())?;
    match names.iter().find(|name| place.is_named_as_part(name)) {
        Some(name) => {
            let what = format!("it is missing, but {} is there", place.dir().join(name).display());
            let advice = "restore it, or move the files away to begin with no data";
            Err(RecoveryError::new(&place.manifest(), None, format!("{what}: {advice}")))
        }
        None => Ok(()),
    }
}

fn names_in(storage: &dyn Storage, dir: &Path) -> Result<Vec<std::ffi::OsString>, RecoveryError> {
    match storage.list(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        names => names.map_err(|e| RecoveryError::io(dir, e)),
    }
}

/// Makes the single file of older versions the base of a log of several files, as Redis 7 does: the manifest first,
/// then the file is moved, so that a crash between the two is made good by doing it again.
fn upgrade(storage: &Arc<dyn Storage>, place: &Place) -> Result<Option<PathBuf>, RecoveryError> {
    let old = place.old_style();
    let failed = |e| RecoveryError::io(old, e);
    if storage.id(old).map_err(failed)?.is_none() {
        return Ok(None);
    }
    let manifest = load_manifest(&**storage, place)?.unwrap_or_default();
    let part = Part { name: place.name().to_owned(), seq: 1 };
    let moved = place.part(&part);
    let begun = manifest.incrs.is_empty()
        && manifest.base.as_ref().is_some_and(|base| base.name == part.name)
        && storage.id(&moved).map_err(failed)?.is_none();
    if !begun && !manifest.is_empty() {
        return Ok(None);
    }
    let manifest = Manifest { base: Some(part), ..Manifest::default() };
    let move_it = || {
        storage.create_dir(place.dir())?;
        storage.sync_dir(parent(place.dir()))?;
        let mut files = Files::new(storage.clone(), place.clone(), Manifest::default())?;
        files.put(manifest)?;
        files.sync_names()?;
        storage.rename(old, &moved)?;
        storage.sync_dir(place.dir())?;
        storage.sync_dir(parent(old))
    };
    move_it().map_err(failed)?;
    Ok(Some(moved))
}

/// Removes files that a process left unfinished. One that cannot be removed does no harm.
fn remove_left_behind(storage: &dyn Storage, place: &Place) -> Vec<PathBuf> {
    let outside = parent(place.dir());
    let of_redis = |name: &OsStr| name.to_str().is_some_and(is_rewrite_of_redis);
    let in_dir = |dir: &Path, is: &dyn Fn(&OsStr) -> bool| -> Vec<PathBuf> {
        let names = storage.list(dir).unwrap_or_default();
        names.iter().filter(|name| is(name)).map(|name| dir.join(name)).collect()
    };
    let mut paths = in_dir(place.dir(), &|name| place.is_left_behind(name));
    paths.extend(in_dir(outside, &of_redis));
    paths.retain(|path| storage.remove(path).is_ok());
    paths
}

/// Whether Redis writes the base of a rewrite under this name, in its own directory.
fn is_rewrite_of_redis(name: &str) -> bool {
    let pid = name.strip_prefix("temp-rewriteaof-").and_then(|rest| rest.strip_suffix(".aof"));
    let pid = pid.map(|pid| pid.strip_prefix("bg-").unwrap_or(pid));
    pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()))
}

/// A recovery under way.
struct Reading<'r> {
    storage: &'r dyn Storage,
    place: &'r Place,
    options: RecoveryOptions,
    replay: &'r mut dyn Replay,
    /// Bytes of the files that were read, and of all of them.
    done_bytes: u64,
    all_bytes: u64,
}

impl Reading<'_> {
    /// Reads all files, and cuts the last where it is torn.
    fn parts(&mut self, manifest: &Manifest) -> Result<Recovered, RecoveryError> {
        let mut files = vec![];
        for part in manifest.parts() {
            let path = self.place.part(part);
            let name = part.name.display();
            let text = |e| format!("the manifest names it, but opening {name} gave: {e}");
            let missing = |e| RecoveryError::new(&path, None, text(e));
            let file = self.storage.open(&path, Open::Read).map_err(missing)?;
            self.all_bytes += file.len().map_err(|e| RecoveryError::io(&path, e))?;
            files.push((path, file));
        }
        let mut recovered = Recovered { bytes: self.all_bytes, ..Recovered::default() };
        let last = files.len().saturating_sub(1);
        for (i, (path, file)) in files.iter().enumerate() {
            let len = file.len().map_err(|e| RecoveryError::io(path, e))?;
            let is_base = i == 0 && manifest.base.is_some();
            let end = self.file(path, &**file, is_base)?;
            recovered.base_bytes += if is_base { len } else { 0 };
            let own = end.own_len.filter(|&own| own == end.offset && !is_base);
            recovered.tail = own.map(|len| OwnTail { len, synced: end.synced });
            if let Some(fault) = end.fault {
                self.may_cut(path, end.offset, fault, i == last)?;
                let (offset, bytes) = (end.offset, len - end.offset);
                self.cut(path, offset).map_err(|e| RecoveryError::io(path, e))?;
                recovered.bytes -= bytes;
                recovered.notes.push(Note::Cut { file: path.clone(), offset, bytes, what: fault.what });
            }
            self.done_bytes += len;
        }
        Ok(recovered)
    }

    /// Reads one file, up to where it is good.
    fn file(&mut self, path: &Path, file: &dyn StoredFile, is_base: bool) -> Result<End, RecoveryError> {
        let failed = |e| RecoveryError::io(path, e);
        self.replay.file(path);
        let snapshot_bytes = match is_base && is_snapshot(file).map_err(failed)? {
            true => {
                self.replay.snapshot(path, &mut Input { file, at: 0 }).map_err(|r| refused(path, 0, r))?
            }
            false => 0,
        };
        let mut scanner = Scanner::new(file, snapshot_bytes).map_err(failed)?;
        loop {
            let read_to = match scanner.next().map_err(failed)? {
                Piece::Batch { bytes: [], offset, .. } | Piece::Timestamp { offset, .. } => offset,
                Piece::Batch { offset, bytes, .. } | Piece::Requests { offset, bytes } => {
                    self.replay.requests(bytes).map_err(|r| refused(path, offset, r))?;
                    offset + bytes.len() as u64
                }
                Piece::End(end) => return Ok(end),
            };
            self.replay.progress(self.done_bytes + read_to, self.all_bytes);
        }
    }

    /// Whether a file may be cut off where it stops being good.
    fn may_cut(&self, path: &Path, offset: u64, fault: Fault, is_last: bool) -> Result<(), RecoveryError> {
        // Redis's words for the two kinds of damage, which people and tools look for.
        let kind = if fault.torn { "Unexpected end of file" } else { "Bad file format" };
        let what = format!("{kind} reading the append only file: {}", fault.what);
        let (what, mend) = match (is_last, fault.torn) {
            (false, _) => {
                (format!("{what}, and it is not the last file of the log: restore it from a backup"), None)
            }
            (true, false) => (what, Some(self.place.manifest())),
            (true, true) if self.options.load_truncated => return Ok(()),
            (true, true) => (format!("{what} (aof-load-truncated is off)"), Some(self.place.manifest())),
        };
        Err(RecoveryError { mend, ..RecoveryError::new(path, Some(offset), what) })
    }

    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut file = self.storage.open(path, Open::Append)?;
        file.truncate(len)?;
        file.sync()
    }
}

pub(super) fn refused(path: &Path, offset: u64, Refused { at, what }: Refused) -> RecoveryError {
    RecoveryError::new(path, Some(offset + at), what)
}

/// Whether a file begins with a snapshot in RDB format.
pub(super) fn is_snapshot(file: &dyn StoredFile) -> io::Result<bool> {
    let mut magic = [0; 6];
    let read = file.read_full_at(&mut magic, 0)?;
    Ok(magic[..read].starts_with(b"REDIS") || magic == *b"VALKEY")
}

/// A file's bytes one after the other.
pub(super) struct Input<'f> {
    pub(super) file: &'f dyn StoredFile,
    pub(super) at: u64,
}

impl Read for Input<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
