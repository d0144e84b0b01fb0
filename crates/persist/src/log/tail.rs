//! The end of the log: the incremental file that is being written.
//!
//! Requests gather behind a room for their batch's front. Written, a batch is frozen: whatever fails, the same
//! bytes are written again at the same place. They are kept in memory until a sync has succeeded that covers them;
//! after one that failed, the file is cut to where it was safe before and they are written once more, for a later
//! sync that succeeds would say nothing about them.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use super::batch::{FRONT_BYTES_MAX, PAYLOAD_BYTES_MAX, front};
use crate::storage::{FileId, Storage, StoredFile};

/// How many bytes are kept for a sync before one is made that nobody asked for.
const KEPT_BYTES_MAX: usize = 32 << 20;
/// How much memory a buffer keeps when a sync found nothing to do. Before, it is used again as it is: to give memory
/// back and get it anew each second would cost more than the writes.
const IDLE_BYTES_MAX: usize = 64 << 10;
/// How many bytes may wait for a disk that takes none. Beyond, only a rewrite helps.
const PENDING_BYTES_MAX: usize = 1 << 30;

/// An incremental file and what is on its way into it.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    file: Box<dyn StoredFile>,
    id: FileId,
    /// Whether batches are kept until they are synced.
    keeps: bool,
    /// Length of the file that is safe.
    synced: u64,
    /// Length of the file as far as it is known; never below `kept_from`.
    written: u64,
    /// The file must be cut to this length before anything else is written.
    cut_to: Option<u64>,
    /// Batches that may have to be written again, from byte `kept_skip` on.
    kept: Vec<u8>,
    kept_skip: usize,
    /// Where in the file they begin: `synced`, when batches are kept.
    kept_from: u64,
    /// `FRONT_BYTES_MAX` bytes of room, then requests that are in no batch yet.
    pending: Vec<u8>,
    /// The last second that was annotated.
    last_s: Option<i64>,
    /// Requests were lost on the way: the file is good for nothing but what is in it.
    lost: bool,
}

impl Tail {
    /// Goes on in `file`, whose `len` bytes are all batches and safe.
    pub(super) fn new(path: PathBuf, file: Box<dyn StoredFile>, len: u64, keeps: bool) -> io::Result<Tail> {
        Ok(Tail {
            id: file.id()?,
            path,
            file,
            keeps,
            synced: len,
            written: len,
            cut_to: None,
            kept: vec![],
            kept_skip: 0,
            kept_from: len,
            pending: vec![0; FRONT_BYTES_MAX],
            last_s: None,
            lost: false,
        })
    }

    /// Begins `file`, which is empty, with its mark, and makes that safe.
    pub(super) fn begin(path: PathBuf, mut file: Box<dyn StoredFile>, keeps: bool) -> io::Result<Tail> {
        let mut len = 0;
        file.write_all(&front(None, b"", 0, 0), &mut len)?;
        file.sync()?;
        Tail::new(path, file, len, keeps)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file has another name now.
    pub(super) fn renamed(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// How long the file is, or will be once the disk has taken what it was given.
    pub(super) fn len(&self) -> u64 {
        self.end() + (self.pending.len() - FRONT_BYTES_MAX) as u64
    }

    /// Where the next batch begins.
    fn end(&self) -> u64 {
        self.kept_from + (self.kept.len() - self.kept_skip) as u64
    }

    /// Bytes of memory its buffers take.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.kept.capacity() + self.pending.capacity()
    }

    /// Whether requests were lost, so that nothing written here is of use to anybody.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(super) fn set_keeps(&mut self, keeps: bool) {
        self.keeps = keeps;
        self.release();
    }

    /// Adds requests.
    pub(super) fn append(&mut self, requests: &[u8]) {
        let waiting = self.pending.len() + (self.end() - self.written) as usize;
        if waiting > PENDING_BYTES_MAX {
            self.lose();
        }
        if !self.lost {
            self.pending.extend_from_slice(requests);
        }
    }

    /// Gives up what is on its way: after this only a rewrite makes the log whole.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        (self.kept, self.kept_skip) = (vec![], 0);
        (self.kept_from, self.written) = (self.synced, self.synced);
        self.pending = vec![0; FRONT_BYTES_MAX];
    }

    /// Writes what was added, as one batch, with the second when it is given and a new one.
    ///
    /// # Errors
    /// The disk did not take it; the next call or sync tries again.
    pub(super) fn write(&mut self, now_s: Option<i64>) -> io::Result<()> {
        self.check_lost()?;
        if self.pending.len() > FRONT_BYTES_MAX {
            self.seal(now_s);
        }
        self.write_kept()?;
        if self.keeps && self.kept.len() > KEPT_BYTES_MAX {
            return self.sync();
        }
        Ok(())
    }

    /// Writes an empty batch, which says up to where the file is safe.
    pub(super) fn write_mark(&mut self) -> io::Result<()> {
        self.seal(None);
        self.write_kept()
    }

    /// Makes a batch of what is pending.
    fn seal(&mut self, now_s: Option<i64>) {
        let new_s = now_s.filter(|&s| self.last_s.is_none_or(|last| s > last));
        self.last_s = new_s.or(self.last_s);
        let requests = &self.pending[FRONT_BYTES_MAX..];
        debug_assert!(requests.len() as u64 <= PAYLOAD_BYTES_MAX, "bounded by what may be pending");
        let front = front(new_s, requests, self.synced, self.end());
        let start = FRONT_BYTES_MAX - front.len();
        self.pending[start..FRONT_BYTES_MAX].copy_from_slice(&front);
        if self.kept.len() == self.kept_skip {
            mem::swap(&mut self.kept, &mut self.pending);
            self.kept_skip = start;
            self.pending.resize(FRONT_BYTES_MAX, 0);
        } else {
            self.kept.extend_from_slice(&self.pending[start..]);
        }
        self.pending.truncate(FRONT_BYTES_MAX);
    }

    /// Writes what is kept and not in the file.
    fn write_kept(&mut self) -> io::Result<()> {
        self.cut()?;
        let unwritten = (self.written - self.kept_from) as usize + self.kept_skip;
        let (start, mut written) = (self.written, self.written);
        if let Err(error) = self.file.write_all(&self.kept[unwritten..], &mut written) {
            // Half a batch is of no use to anybody who reads the file meanwhile.
            self.cut_to = Some(start);
            let _ = self.cut();
            return Err(error);
        }
        self.written = written;
        self.release();
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        if let Some(len) = self.cut_to {
            self.file.truncate(len)?;
            self.cut_to = None;
        }
        Ok(())
    }

    /// Forgets what need not be written again.
    fn release(&mut self) {
        let needed_from = if self.keeps { self.synced } else { self.written };
        if needed_from == self.end() {
            self.kept.clear();
            (self.kept_skip, self.kept_from) = (0, needed_from);
        }
    }

    /// Makes safe what was written: all that was added before the last [`Tail::write`].
    ///
    /// # Errors
    /// It is not safe. Where batches are kept, the next call writes them again first.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.check_lost()?;
        self.write_kept()?;
        if self.synced == self.written {
            self.kept.shrink_to(IDLE_BYTES_MAX);
            self.pending.shrink_to(IDLE_BYTES_MAX);
            return Ok(());
        }
        if let Err(error) = self.file.sync() {
            self.lost = self.kept_from > self.synced;
            (self.cut_to, self.written) = (Some(self.kept_from), self.kept_from);
            return Err(error);
        }
        self.synced = self.written;
        self.release();
        Ok(())
    }

    fn check_lost(&self) -> io::Result<()> {
        if self.lost {
            Err(io::Error::other("what was written was lost: a rewrite is needed"))
        } else {
            Ok(())
        }
    }

    /// Whether its path still leads to the file.
    pub(super) fn is_in_place(&self, storage: &dyn Storage) -> io::Result<bool> {
        Ok(storage.id(&self.path)? == Some(self.id))
    }
}
