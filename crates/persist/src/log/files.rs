//! Where the log is, and its files as the manifest has them.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{Manifest, Part};
use crate::storage::{FileId, NewFile, Open, Storage, StoredFile, parent};

/// Where a log is and what its files are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    dir: PathBuf,
    name: OsString,
    old_style: PathBuf,
}

impl Place {
    /// The log below the server's directory `dir`: `directory` is that of `appenddirname`, `name` what `appendfilename`
    /// says.
    pub fn new(dir: &Path, directory: impl AsRef<OsStr>, name: impl Into<OsString>) -> Place {
        let name = name.into();
        Place { dir: dir.join(directory.as_ref()), old_style: dir.join(&name), name }
    }

    /// The log that `manifest` is the manifest of; nothing when it is not named as one.
    pub fn of_manifest(manifest: &Path) -> Option<Place> {
        let name = manifest.file_name()?.as_bytes().strip_suffix(b".manifest")?;
        let name = OsStr::from_bytes(name).to_owned();
        let dir = parent(manifest).to_owned();
        Some(Place { old_style: parent(&dir).join(&name), dir, name })
    }

    /// The directory with the log's files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file that says which these are.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join(self.named(".manifest"))
    }

    /// Where versions of Redis before 7 keep the whole log.
    pub fn old_style(&self) -> &Path {
        &self.old_style
    }

    /// Where a file of the manifest is.
    pub fn part(&self, part: &Part) -> PathBuf {
        self.dir.join(&part.name)
    }

    /// The name of the old-style file, and of it when it became a base.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The incremental file that belongs to a base not yet done.
    pub(super) fn temp_incr(&self) -> PathBuf {
        let mut name = OsString::from("temp-");
        name.push(self.named(".incr"));
        self.dir.join(name)
    }

    fn named(&self, suffix: &str) -> OsString {
        let mut name = self.name.clone();
        name.push(suffix);
        name
    }

    /// Whether a file of this name was left behind by a process that ended while it wrote a file of the log.
    pub(super) fn is_left_behind(&self, name: &OsStr) -> bool {
        let Some(rest) = name.as_bytes().strip_prefix(b"temp-") else { return false };
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let rest = if digits > 0 { rest[digits..].strip_prefix(b"-") } else { Some(rest) };
        rest.and_then(|rest| rest.strip_prefix(self.name.as_bytes()))
            .is_some_and(|rest| rest.starts_with(b"."))
    }

    /// Whether a file of this name is named as one of the log's.
    pub(super) fn is_named_as_part(&self, name: &OsStr) -> bool {
        let rest =
            name.as_bytes().strip_prefix(self.name.as_bytes()).and_then(|rest| rest.strip_prefix(b"."));
        let Some(rest) = rest else { return false };
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && [&b".incr.aof"[..], b".base.rdb", b".base.aof"].contains(&&rest[digits..])
    }
}

/// What a base file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseFormat {
    /// A snapshot (`aof-use-rdb-preamble yes`).
    Rdb,
    /// Requests.
    Aof,
}

/// The log's files on their storage.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) place: Place,
    /// Which files there are. It is what the manifest file says, or will say after a crash once the directory is
    /// synced.
    pub(super) manifest: Manifest,
    /// Names were changed that a crash may undo.
    names_unsynced: bool,
    /// The manifest file's id, when we wrote it.
    manifest_id: Option<FileId>,
}

impl Files {
    pub(super) fn new(storage: Arc<dyn Storage>, place: Place, manifest: Manifest) -> io::Result<Files> {
        let manifest_id = storage.id(&place.manifest())?;
        Ok(Files { storage, place, manifest, names_unsynced: false, manifest_id })
    }

    /// Makes the directory and the manifest when they are not there, so that no file of the log is ever without one:
    /// whoever finds that knows that the manifest was lost.
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        if self.storage.id(&self.place.dir)?.is_none() {
            self.storage.create_dir(&self.place.dir)?;
        }
        if self.storage.id(&self.place.manifest())?.is_none() {
            self.storage.sync_dir(parent(&self.place.dir))?;
            self.put(self.manifest.clone())?;
            self.sync_names()?;
        }
        Ok(())
    }

    /// Opens a new, empty file in the log's directory.
    pub(super) fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        self.storage.open(path, Open::Create)
    }

    /// A name for the next incremental file.
    pub(super) fn next_incr(&self) -> io::Result<Part> {
        self.next(self.manifest.incrs.last().map_or(0, |last| last.seq), "incr.aof")
    }

    /// A name for the next base file.
    pub(super) fn next_base(&self, format: BaseFormat) -> io::Result<Part> {
        let suffix = match format {
            BaseFormat::Rdb => "base.rdb",
            BaseFormat::Aof => "base.aof",
        };
        self.next(self.manifest.base.as_ref().map_or(0, |base| base.seq), suffix)
    }

    /// The next number whose file is not there: one that the manifest does not name is not ours to overwrite.
    fn next(&self, mut seq: u64, suffix: &str) -> io::Result<Part> {
        loop {
            seq += 1;
            let part = Part { name: self.place.named(&format!(".{seq}.{suffix}")), seq };
            if self.storage.id(&self.place.part(&part))?.is_none() {
                return Ok(part);
            }
        }
    }

    /// Names may have been changed that are not safe.
    pub(super) fn names_changed(&mut self) {
        self.names_unsynced = true;
    }

    /// Puts a new manifest in the old one's place. What it names must be there, and the names synced.
    ///
    /// # Errors
    /// The old one is still there. When it is only not sure to survive a crash, there is no error: until
    /// [`Files::sync_names`] succeeds, nothing that depends on it is safe.
    pub(super) fn put(&mut self, manifest: Manifest) -> io::Result<()> {
        let text = manifest.format();
        // A line must not be too long to be read again.
        Manifest::parse(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidFilename, e))?;
        let mut file = NewFile::beside(&self.storage, &self.place.manifest())?;
        file.write_all(&text)?;
        let id = file.id()?;
        file.place()?;
        self.manifest = manifest;
        self.names_unsynced = true;
        self.manifest_id = Some(id);
        Ok(())
    }

    /// Makes names safe that were changed; then files of the past can be removed. They are returned open, for the
    /// last one who closes a file frees its blocks, which can take long.
    pub(super) fn sync_names(&mut self) -> io::Result<Vec<Box<dyn StoredFile>>> {
        if !self.names_unsynced {
            return Ok(vec![]);
        }
        self.storage.sync_dir(&self.place.dir)?;
        self.names_unsynced = false;
        if self.manifest.history.is_empty() { Ok(vec![]) } else { Ok(self.remove_history()) }
    }

    /// Removes the files of the past. What fails here harms nobody, and is tried again when the log is opened.
    fn remove_history(&mut self) -> Vec<Box<dyn StoredFile>> {
        let mut removed = vec![];
        for part in &self.manifest.history {
            let path = self.place.part(part);
            removed.extend(self.storage.open(&path, Open::Read));
            if matches!(self.storage.remove(&path), Err(e) if e.kind() != io::ErrorKind::NotFound) {
                return removed;
            }
        }
        let manifest = Manifest { history: vec![], ..self.manifest.clone() };
        if self.put(manifest).is_ok() && self.storage.sync_dir(&self.place.dir).is_ok() {
            self.names_unsynced = false;
        }
        removed
    }

    /// Whether the manifest is still the one that was written.
    pub(super) fn is_in_place(&self) -> io::Result<bool> {
        Ok(self.storage.id(&self.place.manifest())? == self.manifest_id && self.manifest_id.is_some())
    }

    /// How long a file is.
    pub(super) fn len_of(&self, part: &Part) -> io::Result<u64> {
        self.storage.open(&self.place.part(part), Open::Read)?.len()
    }
}
