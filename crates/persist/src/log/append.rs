//! The log as it is written. One thread owns it.
//!
//! What keeps it whole, whatever crashes between two steps: a file is synced, with its name, before a manifest names
//! it; the file that was written before is synced before another one is named after it; and files of the past are
//! removed once the manifest that does without them is safe.

use std::io;
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::HEADER_BYTES;
use super::files::{BaseFormat, Files, Place};
use super::manifest::{Manifest, Part};
use super::recover::{OwnTail, Recovered};
use super::tail::Tail;
use crate::storage::{NewFile, Open, Storage, StoredFile};

/// How many bytes are written again at once.
const REWRITE_BYTES: usize = 1 << 20;

/// How a log is written.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Batches are annotated with the second they were written in (`aof-timestamp-enabled`).
    pub timestamps: bool,
    /// Batches stay in memory until they are synced, so that a sync that failed can be made good. To be set unless
    /// nobody syncs regularly (`appendfsync no`).
    pub keeps: bool,
}

/// Whether the log holds what was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does, or will with the next write and sync that succeed.
    On,
    /// It was switched on; what it holds counts once the first rewrite is done.
    Starting,
    /// A file vanished, or requests were lost: only a rewrite makes the log whole. Until then every write and sync
    /// is an error.
    Broken,
}

/// A rewrite that began with [`AppendLog::rotate`]: where its base file goes.
#[derive(Debug)]
pub struct Rewrite {
    base: Part,
    path: PathBuf,
    /// The number of the first incremental file that is still needed with the new base; none: that of the new one.
    from_seq: Option<u64>,
}

impl Rewrite {
    /// The base file, to be written with [`NewFile::beside`] and given to [`AppendLog::install_base`].
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// How much the log holds, in bytes: what `auto-aof-rewrite-percentage` and `-min-size` go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// All its files, and what waits to be written (`aof_current_size`).
    pub current_bytes: u64,
    /// The same after the last rewrite, or the base file when the log was opened (`aof_base_size`).
    pub base_bytes: u64,
}

/// The log. [`AppendLog::append`] gathers, [`AppendLog::write`] hands to the system, [`AppendLog::sync`] makes safe.
#[derive(Debug)]
pub struct AppendLog {
    files: Files,
    options: LogOptions,
    /// What is written; nothing before the first rewrite of a log that was switched on.
    tail: Option<Tail>,
    /// Whether the manifest names the tail.
    listed: bool,
    broken: bool,
    /// The database of the last effect in this file.
    db: Option<u32>,
    /// Bytes in the files before the tail.
    closed_bytes: u64,
    base_bytes: u64,
    removed: Vec<Box<dyn StoredFile>>,
}

impl AppendLog {
    /// Goes on with a log that was recovered, or begins one where there was none and there is no data.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn resume(
        storage: &Arc<dyn Storage>,
        place: &Place,
        options: LogOptions,
        recovered: &Recovered,
    ) -> io::Result<AppendLog> {
        let mut log = AppendLog::new(storage, place, options, recovered.manifest.clone())?;
        log.files.prepare()?;
        // A process that was killed may have left names that are not safe yet.
        log.files.names_changed();
        log.removed = log.files.sync_names()?;
        log.base_bytes = recovered.base_bytes;
        let last = log.files.manifest.incrs.last().cloned();
        match (last, recovered.tail) {
            (Some(last), Some(tail)) => log.reopen(&last, tail)?,
            _ => log.next_tail()?,
        }
        log.closed_bytes = log.count_closed()?;
        log.sync_names()?;
        Ok(log)
    }

    /// Begins a log while the server runs. It holds nothing before the first [`AppendLog::rotate`], and nothing
    /// counts before [`AppendLog::install_base`]: until then files of an earlier log stay as they are.
    ///
    /// # Errors
    /// Those of the storage; the manifest that is there cannot be read.
    pub fn begin(storage: &Arc<dyn Storage>, place: &Place, options: LogOptions) -> io::Result<AppendLog> {
        let manifest = match super::recover::load_manifest(&**storage, place) {
            Ok(manifest) => manifest.unwrap_or_default(),
            Err(error) => return Err(io::Error::other(error)),
        };
        let mut log = AppendLog::new(storage, place, options, manifest)?;
        log.files.prepare()?;
        Ok(log)
    }

    fn new(
        storage: &Arc<dyn Storage>,
        place: &Place,
        options: LogOptions,
        manifest: Manifest,
    ) -> io::Result<AppendLog> {
        Ok(AppendLog {
            files: Files::new(storage.clone(), place.clone(), manifest)?,
            options,
            tail: None,
            listed: false,
            broken: false,
            db: None,
            closed_bytes: 0,
            base_bytes: 0,
            removed: vec![],
        })
    }

    /// Opens the last incremental file, as it was recovered.
    fn reopen(&mut self, last: &Part, OwnTail { len, synced }: OwnTail) -> io::Result<()> {
        let path = self.files.place.part(last);
        let mut file = self.files.storage.open(&path, Open::Append)?;
        if file.len()? != len {
            return Err(io::Error::other(format!("{} was changed meanwhile", path.display())));
        }
        rewrite_in_place(&mut *file, synced..len)?;
        file.sync()?;
        let mut tail = Tail::new(path, file, len, self.options.keeps)?;
        if len - synced > HEADER_BYTES as u64 {
            // From now on the file itself says that what was recovered is safe.
            tail.write_mark()?;
        }
        self.tail = Some(tail);
        self.listed = true;
        Ok(())
    }

    /// Bytes in the files before the tail.
    fn count_closed(&self) -> io::Result<u64> {
        let manifest = &self.files.manifest;
        let open = usize::from(self.listed);
        let closed = manifest.incrs.len() - open.min(manifest.incrs.len());
        let parts = manifest.base.iter().chain(&manifest.incrs[..closed]);
        parts.map(|part| self.files.len_of(part)).sum()
    }

    /// Changes how the log is written.
    pub fn set_options(&mut self, options: LogOptions) {
        self.options = options;
        if let Some(tail) = &mut self.tail {
            tail.set_keeps(options.keeps);
        }
    }

    /// Whether it holds what was appended.
    pub fn state(&self) -> State {
        if self.broken || self.tail.as_ref().is_some_and(Tail::is_lost) {
            State::Broken
        } else if self.listed {
            State::On
        } else {
            State::Starting
        }
    }

    /// How much it holds.
    pub fn sizes(&self) -> Sizes {
        let tail = self.tail.as_ref().map_or(0, Tail::len);
        Sizes { current_bytes: self.closed_bytes + tail, base_bytes: self.base_bytes }
    }

    /// Bytes of memory that its buffers take.
    pub fn buffer_bytes(&self) -> usize {
        self.tail.as_ref().map_or(0, Tail::buffer_bytes)
    }

    /// Adds effects in the database `db`: one or more requests, none of them a SELECT. Those of a transaction, with their MULTI and EXEC,
    /// come before the next [`AppendLog::write`]: a batch is replayed whole or not at all.
    pub fn append(&mut self, db: u32, effects: &[u8]) {
        let Some(tail) = &mut self.tail else { return };
        if self.db != Some(db) {
            self.db = Some(db);
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(db);
            // In small letters, which Redis never uses: so it shows who has written a request.
            tail.append(format!("*2\r\n$6\r\nselect\r\n${}\r\n{digits}\r\n", digits.len()).as_bytes());
        }
        tail.append(effects);
    }

    /// Writes what was added as one batch, with one call; `now_s` is the time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// The disk did not take it (the next call tries again), or the log is broken.
    pub fn write(&mut self, now_s: i64) -> io::Result<()> {
        if let Some(tail) = &mut self.tail {
            tail.write(self.options.timestamps.then_some(now_s))?;
        }
        self.check_broken()
    }

    /// Makes safe what was added before the last [`AppendLog::write`]. When it returns without an error, it is.
    ///
    /// # Errors
    /// It is not safe. The next call tries again what can be tried; a vanished file breaks the log.
    pub fn sync(&mut self) -> io::Result<()> {
        self.check_broken()?;
        let Some(tail) = &mut self.tail else { return Ok(()) };
        tail.sync()?;
        let in_place =
            tail.is_in_place(&*self.files.storage)? && (!self.listed || self.files.is_in_place()?);
        if !in_place {
            tail.lose();
            self.broken = true;
            return self.check_broken();
        }
        self.sync_names()
    }

    fn sync_names(&mut self) -> io::Result<()> {
        let removed = self.files.sync_names()?;
        self.removed.extend(removed);
        Ok(())
    }

    fn check_broken(&self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("a file of the append log vanished: a rewrite is needed"));
        }
        Ok(())
    }

    /// Files of the past that were removed since the last call. Dropping them frees their blocks: to be done where
    /// nobody waits.
    pub fn take_removed(&mut self) -> Vec<Box<dyn StoredFile>> {
        mem::take(&mut self.removed)
    }

    /// Begins a rewrite: what is appended from now on goes to a new file. To be called at the cut that the new base
    /// is made of, with everything appended that happened before it.
    ///
    /// # Errors
    /// What was appended before cannot be made safe, or the new file cannot; the log goes on as it was.
    pub fn rotate(&mut self, format: BaseFormat) -> io::Result<Rewrite> {
        let from_seq = match self.state() {
            State::On => {
                if let Some(tail) = &mut self.tail {
                    tail.write(None)?;
                }
                self.sync()?;
                self.next_tail()?;
                self.files.manifest.incrs.last().map(|last| last.seq)
            }
            State::Starting | State::Broken => {
                self.temp_tail()?;
                None
            }
        };
        let base = self.files.next_base(format)?;
        Ok(Rewrite { path: self.files.place.part(&base), base, from_seq })
    }

    /// Begins the next incremental file, which the manifest names.
    fn next_tail(&mut self) -> io::Result<()> {
        let part = self.files.next_incr()?;
        let path = self.files.place.part(&part);
        let mut manifest = self.files.manifest.clone();
        manifest.incrs.push(part);
        let begun = self.begin_tail(path.clone()).and_then(|tail| {
            self.files.storage.sync_dir(self.files.place.dir())?;
            self.files.put(manifest)?;
            Ok(tail)
        });
        let tail = begun.inspect_err(|_| {
            // Nothing names it.
            let _ = self.files.storage.remove(&path);
        })?;
        let before = self.tail.replace(tail);
        self.closed_bytes += before.map_or(0, |tail| tail.len());
        self.listed = true;
        Ok(())
    }

    /// Begins a file that the manifest will name with the next base.
    fn temp_tail(&mut self) -> io::Result<()> {
        self.files.prepare()?;
        if let Some(tail) = self.tail.take_if(|_| !self.listed) {
            // It belonged to a rewrite that failed.
            let _ = self.files.storage.remove(tail.path());
        }
        let tail = self.begin_tail(self.files.place.temp_incr())?;
        self.broken = self.listed || self.broken;
        self.tail = Some(tail);
        self.listed = false;
        Ok(())
    }

    fn begin_tail(&mut self, path: PathBuf) -> io::Result<Tail> {
        let file = self.files.create(&path)?;
        self.db = None;
        Tail::begin(path, file, self.options.keeps)
    }

    /// Ends a rewrite: `file`, written at [`Rewrite::path`], becomes the base, and what it replaces is removed. The
    /// caller has synced it, so that this does not take long.
    ///
    /// # Errors
    /// The log goes on without the new base.
    pub fn install_base(&mut self, rewrite: Rewrite, mut file: NewFile) -> io::Result<()> {
        if !self.fits(&rewrite) {
            return Err(io::Error::other("the log broke after the rewrite began: another one is needed"));
        }
        let base_bytes = file.len();
        file.place()?;
        let mut manifest = self.files.manifest.clone();
        manifest.history.extend(manifest.base.replace(rewrite.base));
        let (past, needed) = mem::take(&mut manifest.incrs)
            .into_iter()
            .partition(|incr| rewrite.from_seq.is_none_or(|first| incr.seq < first));
        manifest.incrs = needed;
        manifest.history.extend::<Vec<Part>>(past);
        let named = match rewrite.from_seq {
            Some(_) => Ok(()),
            None => self.name_tail().map(|part| manifest.incrs.push(part)),
        };
        named.and_then(|()| self.put(manifest)).inspect_err(|_| {
            // Nothing names it.
            let _ = self.files.storage.remove(&rewrite.path);
        })?;
        (self.listed, self.broken) = (true, false);
        let incrs = self.files.manifest.incrs.iter();
        let closed = incrs.clone().take(incrs.len() - 1).map(|part| self.files.len_of(part).unwrap_or(0));
        self.closed_bytes = base_bytes + closed.sum::<u64>();
        self.base_bytes = self.sizes().current_bytes;
        // An error here is one of the next sync too, and comes to light there.
        let _ = self.sync_names();
        Ok(())
    }

    /// Whether everything since the cut of `rewrite` is in the tail and the files before it.
    fn fits(&self, rewrite: &Rewrite) -> bool {
        let whole = self.tail.as_ref().is_some_and(|tail| !tail.is_lost());
        whole && self.listed == rewrite.from_seq.is_some()
    }

    /// Begins a rewrite of a log that [`AppendLog::begin`] gave and that nothing is to be appended to: it becomes a
    /// base and nothing else.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn rewrite_alone(&self, format: BaseFormat) -> io::Result<Rewrite> {
        let base = self.files.next_base(format)?;
        Ok(Rewrite { path: self.files.place.part(&base), base, from_seq: None })
    }

    /// Ends what [`AppendLog::rewrite_alone`] began: `file` takes the place of the log that was there.
    ///
    /// # Errors
    /// The log is as it was; or, when only removing its files failed, they are removed at the next start.
    pub fn install_alone(mut self, rewrite: Rewrite, mut file: NewFile) -> io::Result<()> {
        file.place()?;
        let mut manifest = self.files.manifest.clone();
        manifest.history.extend(manifest.base.replace(rewrite.base));
        manifest.history.append(&mut manifest.incrs);
        self.put(manifest).inspect_err(|_| {
            // Nothing names it.
            let _ = self.files.storage.remove(&rewrite.path);
        })?;
        self.sync_names()
    }

    /// Puts a manifest in its place whose files are there.
    fn put(&mut self, manifest: Manifest) -> io::Result<()> {
        self.files.storage.sync_dir(self.files.place.dir())?;
        self.files.put(manifest)
    }

    /// Gives the temporary tail the name of an incremental file.
    fn name_tail(&mut self) -> io::Result<Part> {
        let part = self.files.next_incr()?;
        let tail = self.tail.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let path = self.files.place.part(&part);
        self.files.storage.rename(tail.path(), &path)?;
        tail.renamed(path);
        Ok(part)
    }

    /// Ends the log: writes and syncs the rest, and notes that all of it was synced.
    ///
    /// # Errors
    /// What was appended last is not safe.
    pub fn close(mut self, now_s: i64) -> io::Result<()> {
        if !self.listed {
            let tail = self.tail.take();
            return tail.map_or(Ok(()), |tail| self.files.storage.remove(tail.path()));
        }
        self.write(now_s)?;
        self.sync()?;
        self.tail.as_mut().map_or(Ok(()), Tail::write_mark)
    }
}

/// Writes a part of a file over itself. After a sync that failed, the process before may have ended; what was read
/// then need not be on the disk, and a sync that succeeds now does not change that, unless it is written again. It is
/// not cut off first: it may be on the disk, and promised.
fn rewrite_in_place(file: &mut dyn StoredFile, range: Range<u64>) -> io::Result<()> {
    let len = REWRITE_BYTES.min((range.end - range.start) as usize);
    let (mut at, mut bytes) = (range.start, vec![0; len]);
    while at < range.end {
        let wanted = len.min((range.end - at) as usize);
        let read = file.read_full_at(&mut bytes[..wanted], at)?;
        let written = file.write_at(&bytes[..read], at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        at += written as u64;
    }
    Ok(())
}
