//! What files are kept on: a trait, so that a test can put a disk beneath that fails, and the real disk.
//!
//! The promises are those of a POSIX file system, no more: what was written is safe from a crash once the file was
//! synced, and a name that was made, changed or removed once its directory was. A sync that failed promises nothing,
//! now or later: the data it was for has to be written again.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To be read; it must be there.
    Read,
    /// To be read, and written at its end; made when it is not there.
    Append,
    /// The same, and emptied when it is there.
    Create,
}

/// What tells a file from others, whatever its name: another file that took its name has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The device it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// A place for files. Errors are those of the system calls.
pub trait Storage: Send + Sync + Debug {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// As opening a file gives them.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StoredFile>>;

    /// Gives the file at `from` the name `to`, in place of the file that has it.
    ///
    /// # Errors
    /// As renaming gives them.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes the file at `path`. Its bytes stay until nobody has it open.
    ///
    /// # Errors
    /// As removing a file gives them.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory, if there is none.
    ///
    /// # Errors
    /// As making a directory gives them; none when it is there.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory safe from a crash.
    ///
    /// # Errors
    /// They may be lost: as opening or syncing gives them.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, in no order.
    ///
    /// # Errors
    /// As reading a directory gives them.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// The id of what is at `path`, if anything is.
    ///
    /// # Errors
    /// It cannot be told.
    fn id(&self, path: &Path) -> io::Result<Option<FileId>>;
}

/// An open file.
pub trait StoredFile: Send + Debug {
    /// Writes at the end: how many bytes it took, which may be fewer.
    ///
    /// # Errors
    /// As writing gives them; nothing was written then.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes at `offset`, over what is there: how many bytes it took, which may be fewer.
    ///
    /// # Errors
    /// As writing gives them; nothing was written then.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written, and the length, safe from a crash.
    ///
    /// # Errors
    /// What was written since the last sync may be lost, even if a later sync succeeds.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts it to `len` bytes.
    ///
    /// # Errors
    /// As truncating gives them.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Reads at `offset`: how many bytes it gave; none at the end.
    ///
    /// # Errors
    /// As reading gives them.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// How long it is.
    ///
    /// # Errors
    /// It cannot be told.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// It cannot be told.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Its id, to compare with that of its path: a file that was removed or replaced is written in vain.
    ///
    /// # Errors
    /// It cannot be told.
    fn id(&self) -> io::Result<FileId>;
}

impl dyn StoredFile + '_ {
    /// Writes all of `bytes` at the end, with as many calls as it takes.
    ///
    /// # Errors
    /// As [`StoredFile::write`]; a part may have been written, and `written` was raised by its length.
    pub fn write_all(&mut self, mut bytes: &[u8], written: &mut u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    *written += n as u64;
                    bytes = &bytes[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads at `offset` until `bytes` is full or the file ends: how many bytes that gave.
    ///
    /// # Errors
    /// As [`StoredFile::read_at`].
    pub fn read_full_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StoredFile>> {
        let file = match how {
            Open::Read => File::open(path)?,
            Open::Append => {
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?
            }
            Open::Create => {
                OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?
            }
        };
        let end = file.metadata()?.len();
        Ok(Box::new(DiskFile { file, end }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            outcome => outcome,
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn id(&self, path: &Path) -> io::Result<Option<FileId>> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(FileId { device: found.dev(), inode: found.ino() })),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

#[derive(Debug)]
struct DiskFile {
    file: File,
    /// Where the next write goes.
    end: u64,
}

impl StoredFile for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.end)?;
        self.end += written as u64;
        Ok(written)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let written = self.file.write_at(bytes, offset)?;
        self.end = self.end.max(offset + written as u64);
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.end = len;
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.file, bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn id(&self) -> io::Result<FileId> {
        let found = self.file.metadata()?;
        Ok(FileId { device: found.dev(), inode: found.ino() })
    }
}

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// A file that is written beside the place it is meant for, under the name `temp-<process id>-<name>`, and takes that
/// place whole or not at all. Dropped before, it is removed.
#[derive(Debug)]
pub struct NewFile {
    storage: Arc<dyn Storage>,
    target: PathBuf,
    temp: PathBuf,
    /// Nothing once the file is in its place, or a sync failed: what was written before is not to be trusted.
    file: Option<Box<dyn StoredFile>>,
    placed: bool,
    len: u64,
}

impl NewFile {
    /// Begins the file that is to be `target`.
    ///
    /// # Errors
    /// As opening it gives them.
    pub fn beside(storage: &Arc<dyn Storage>, target: &Path) -> io::Result<NewFile> {
        let mut name = OsString::from(format!("temp-{}-", std::process::id()));
        name.push(target.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        let temp = parent(target).join(name);
        let file = storage.open(&temp, Open::Create)?;
        Ok(NewFile {
            storage: storage.clone(),
            target: target.to_owned(),
            temp,
            file: Some(file),
            placed: false,
            len: 0,
        })
    }

    /// How many bytes were written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none were.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Syncs what was written so far: done now and then, the last sync does not take long.
    ///
    /// # Errors
    /// As syncing gives them. The file cannot be used any more then.
    pub fn sync(&mut self) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        file.sync().inspect_err(|_| self.file = None)
    }

    /// Makes the file safe and puts it in its place.
    ///
    /// # Errors
    /// It is not in its place; or, when only the directory's sync failed, it is but may not be after a crash.
    pub fn commit(mut self) -> io::Result<()> {
        self.place()?;
        self.storage.sync_dir(parent(&self.target))
    }

    /// The file's id, which it keeps in its place.
    ///
    /// # Errors
    /// It cannot be told.
    pub(crate) fn id(&self) -> io::Result<FileId> {
        self.file.as_ref().ok_or(io::ErrorKind::BrokenPipe)?.id()
    }

    /// [`NewFile::commit`] but for the last step: the directory is still to be synced.
    ///
    /// # Errors
    /// It is not in its place.
    pub(crate) fn place(&mut self) -> io::Result<()> {
        self.sync()?;
        self.storage.rename(&self.temp, &self.target)?;
        (self.file, self.placed) = (None, true);
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let n = file.write(bytes)?;
        self.len += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        self.file = None;
        if !self.placed {
            // What stays behind is found and removed at the next start.
            let _ = self.storage.remove(&self.temp);
        }
    }
}

/// Replaces the file at `path` by what `write` writes: beside it, synced, renamed, the directory synced. Whoever
/// reads, and whatever crashes, finds the old file or the new one, whole.
///
/// # Errors
/// Those of `write` and of the storage. When only the directory's sync failed the new file is there, but after a
/// crash it may be the old one.
pub fn replace<T>(
    storage: &Arc<dyn Storage>,
    path: &Path,
    write: impl FnOnce(&mut NewFile) -> io::Result<T>,
) -> io::Result<T> {
    let mut file = NewFile::beside(storage, path)?;
    let done = write(&mut file)?;
    file.commit()?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, Write};
    use std::sync::Arc;

    use super::{Disk, NewFile, Open, Storage, replace};

    /// A folder of the test's own, removed with it.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("ebbtide-storage-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_are_written_at_their_end_read_anywhere_and_cut() {
        let folder = Folder::new("file");
        let path = folder.0.join("f");
        let mut written = 0;
        let mut file = Disk.open(&path, Open::Create).unwrap();
        file.write_all(b"one two", &mut written).unwrap();
        file.truncate(4).unwrap();
        file.write_all(b"three", &mut written).unwrap();
        file.sync().unwrap();
        assert_eq!((written, file.len().unwrap()), (12, 9));
        let mut bytes = [0; 20];
        let n = file.read_full_at(&mut bytes, 2).unwrap();
        assert_eq!(&bytes[..n], b"e three");
        let mut again = Disk.open(&path, Open::Append).unwrap();
        again.write_all(b"!", &mut written).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one three!");
        let mut again = Disk.open(&path, Open::Append).unwrap();
        assert_eq!((again.write_at(b"ONE", 0).unwrap(), again.write(b"?").unwrap()), (3, 1));
        assert_eq!(fs::read(&path).unwrap(), b"ONE three!?");
        assert_eq!(Disk.open(&path, Open::Create).unwrap().len().unwrap(), 0);
        let missing = Disk.open(&folder.0.join("g"), Open::Read);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_told_by_its_id() {
        let folder = Folder::new("id");
        let path = folder.0.join("f");
        let file = Disk.open(&path, Open::Create).unwrap();
        assert_eq!(Disk.id(&path).unwrap(), Some(file.id().unwrap()));
        Disk.open(&folder.0.join("g"), Open::Create).unwrap();
        Disk.rename(&folder.0.join("g"), &path).unwrap();
        assert_ne!(Disk.id(&path).unwrap(), Some(file.id().unwrap()));
        Disk.remove(&path).unwrap();
        assert_eq!(Disk.id(&path).unwrap(), None);
        assert_eq!(Disk.id(&path.join("below a file that is gone")).unwrap(), None);
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = Folder::new("replace");
        let disk: Arc<dyn Storage> = Arc::new(Disk);
        let path = folder.0.join("f");
        fs::write(&path, "old").unwrap();
        let failed: io::Result<()> = replace(&disk, &path, |file| {
            file.write_all(b"half of it")?;
            Err(io::Error::other("enough"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let len = replace(&disk, &path, |file| {
            file.write_all(b"new")?;
            Ok(file.len())
        });
        assert_eq!((len.unwrap(), fs::read(&path).unwrap()), (3, b"new".to_vec()));
        drop(NewFile::beside(&disk, &path).unwrap());
        assert_eq!(Disk.list(&folder.0).unwrap(), ["f"]);
    }

    #[test]
    fn a_directory_is_made_once() {
        let folder = Folder::new("dir");
        let dir = folder.0.join("d");
        Disk.create_dir(&dir).unwrap();
        Disk.create_dir(&dir).unwrap();
        Disk.sync_dir(&folder.0).unwrap();
        fs::write(folder.0.join("f"), "").unwrap();
        assert!(Disk.create_dir(&folder.0.join("f")).is_err());
    }
}
