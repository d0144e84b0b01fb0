//! A disk in memory that fails on purpose.
//!
//! It keeps apart what a process sees and what a crash leaves. A write, a cut and a changed name are seen at once and
//! safe once the file, or the directory, was synced; before that, a crash takes any of them, or a part of the bytes,
//! in any order. Every operation that changes something has a number, and a fault can be put at each.

mod content;
mod names;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use engine::Rng;
use persist::storage::{FileId, Open, Storage, StoredFile};

use content::Content;
use names::{Names, Node};

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops: this operation may have had its effect, wholly, in part, or not, and there is no other.
    Halt,
    /// It fails with this error number and has no effect.
    Error(i32),
    /// A write takes half of its bytes. Anything else fails as with [`EIO`].
    Short,
    /// A sync fails, and what it was for is no longer waiting to be written: a later sync says nothing about it.
    /// Anything else fails as with [`EIO`].
    LoseDirty,
}

/// Error number: the device fails.
pub const EIO: i32 = 5;
/// Error number: no space left.
pub const ENOSPC: i32 = 28;
/// Error number: the file system is read-only.
pub const EROFS: i32 = 30;

const ENOENT: i32 = 2;
const EEXIST: i32 = 17;
const EISDIR: i32 = 21;

/// The disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Clone, Debug)]
struct State {
    names: Names,
    contents: HashMap<Node, Content>,
    /// Operations so far.
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    halted: bool,
    /// What every change fails with.
    failing: Option<i32>,
    /// How many bytes can still be written.
    space_bytes: Option<u64>,
    rng: Rng,
}

impl FaultyDisk {
    /// An empty disk.
    pub fn new() -> FaultyDisk {
        FaultyDisk(Arc::new(Mutex::new(State {
            names: Names::default(),
            contents: HashMap::new(),
            operations: 0,
            faults: BTreeMap::new(),
            halted: false,
            failing: None,
            space_bytes: None,
            rng: Rng::new(1),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no operation panics")
    }

    /// The disk as a storage.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    /// Puts a fault at operation number `operation`, counted from 0.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// From now on every change fails with this error number; with none, no more.
    pub fn set_failing(&self, error: Option<i32>) {
        self.state().failing = error;
    }

    /// Only so many bytes can still be written; with none, there is no end.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.state().space_bytes = bytes;
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether the machine has stopped.
    pub fn is_halted(&self) -> bool {
        self.state().halted
    }

    /// The disk after a crash now: what was safe, and what `seed` makes of the rest.
    pub fn after_crash(&self, seed: u64) -> FaultyDisk {
        let mut state = self.state().clone();
        let mut rng = Rng::new(seed);
        state.names.crash(&mut rng);
        let mut nodes: Vec<_> = state.contents.iter_mut().collect();
        nodes.sort_by_key(|(node, _)| **node);
        nodes.into_iter().for_each(|(_, content)| content.crash(&mut rng));
        (state.faults, state.halted, state.operations) = (BTreeMap::new(), false, 0);
        (state.failing, state.space_bytes) = (None, None);
        FaultyDisk(Arc::new(Mutex::new(state)))
    }

    /// Removes what is at `path`, and all below, as somebody else does it: the process is not told.
    pub fn vanish(&self, path: &Path) {
        self.state().names.vanish(path);
    }

    /// The bytes of the file at `path`.
    ///
    /// # Panics
    /// There is none.
    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        let node = state.names.find(path).expect("there is a file");
        state.contents[&node].now().to_vec()
    }

    /// Flips a bit of the file at `path`, in what is seen and what is safe.
    ///
    /// # Panics
    /// There is no such file or bit.
    pub fn flip(&self, path: &Path, bit: usize) {
        let mut state = self.state();
        let node = state.names.find(path).expect("there is a file");
        state.contents.get_mut(&node).expect("a file has bytes").flip(bit);
    }
}

impl Default for FaultyDisk {
    fn default() -> FaultyDisk {
        FaultyDisk::new()
    }
}

fn error<T>(number: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(number))
}

/// What becomes of an operation.
enum Course {
    /// It is done.
    Done,
    /// It is done, and the machine stops.
    Last,
    /// It is done in part.
    Short,
    /// It fails, and what was not safe never will be.
    Lose,
}

impl State {
    /// Counts an operation and says what becomes of it.
    fn begin(&mut self) -> io::Result<Course> {
        self.check()?;
        let fault = self.faults.get(&self.operations).copied();
        self.operations += 1;
        match (fault, self.failing) {
            (Some(Fault::Halt), _) => {
                self.halted = true;
                Ok(Course::Last)
            }
            (Some(Fault::Error(number)), _) | (None, Some(number)) => error(number),
            (Some(Fault::Short), _) => Ok(Course::Short),
            (Some(Fault::LoseDirty), _) => Ok(Course::Lose),
            (None, None) => Ok(Course::Done),
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.halted { error(EIO) } else { Ok(()) }
    }

    /// Runs an operation that is done or not.
    fn change<T>(&mut self, run: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        match self.begin()? {
            Course::Done => run(self),
            Course::Last => run(self).and_then(|_| error(EIO)),
            Course::Short | Course::Lose => error(EIO),
        }
    }

    fn content(&mut self, node: Node) -> &mut Content {
        self.contents.get_mut(&node).expect("an open file has bytes")
    }

    /// Writes at an offset, or at the end.
    fn write(&mut self, node: Node, bytes: &[u8], offset: Option<u64>) -> io::Result<usize> {
        let course = self.begin()?;
        let room = self.space_bytes.map_or(bytes.len(), |space| bytes.len().min(space as usize));
        let taken = match course {
            Course::Done | Course::Last => room,
            Course::Short => room.min(bytes.len() / 2),
            Course::Lose => return error(EIO),
        };
        if taken == 0 && !bytes.is_empty() {
            return error(ENOSPC);
        }
        self.space_bytes = self.space_bytes.map(|space| space - taken as u64);
        self.content(node).write(&bytes[..taken], offset.map(|at| at as usize));
        if self.halted { error(EIO) } else { Ok(taken) }
    }

    fn truncate(&mut self, node: Node, len: u64) -> io::Result<()> {
        self.change(|state| {
            state.content(node).truncate(len);
            Ok(())
        })
    }

    fn sync(&mut self, node: Node) -> io::Result<()> {
        match self.begin()? {
            Course::Done => {
                self.content(node).sync();
                Ok(())
            }
            Course::Last | Course::Short => error(EIO),
            Course::Lose => {
                let mut rng = self.rng.clone();
                self.content(node).lose_dirty(&mut rng);
                self.rng = rng;
                error(EIO)
            }
        }
    }
}

impl Storage for FaultyDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StoredFile>> {
        let mut state = self.state();
        state.check()?;
        let node = match state.names.find(path) {
            Some(node) if state.names.is_dir(node) => return error(EISDIR),
            Some(node) => {
                if how == Open::Create {
                    state.truncate(node, 0)?;
                }
                node
            }
            None if how == Open::Read => return error(ENOENT),
            None => state.change(|state| {
                let node = state.names.add(path, false)?;
                state.contents.insert(node, Content::default());
                Ok(node)
            })?,
        };
        Ok(Box::new(FaultyFile { disk: self.clone(), node }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().change(|state| state.names.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().change(|state| state.names.remove(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        match state.names.find(path) {
            Some(node) if state.names.is_dir(node) => Ok(()),
            Some(_) => error(EEXIST),
            None => state.change(|state| state.names.add(path, true).map(drop)),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.begin()? {
            Course::Done => state.names.sync(path),
            Course::Last | Course::Short => error(EIO),
            Course::Lose => {
                let mut rng = state.rng.clone();
                let lost = state.names.lose_dirty(path, &mut rng);
                state.rng = rng;
                lost.and_then(|()| error(EIO))
            }
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.state();
        state.check()?;
        state.names.list(path)
    }

    fn id(&self, path: &Path) -> io::Result<Option<FileId>> {
        let state = self.state();
        state.check()?;
        Ok(state.names.find(path).map(id_of))
    }
}

fn id_of(node: Node) -> FileId {
    FileId { device: 1, inode: node }
}

/// An open file of a [`FaultyDisk`].
#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    node: Node,
}

impl StoredFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.state().write(self.node, bytes, None)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.state().write(self.node, bytes, Some(offset))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.state().sync(self.node)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.state().truncate(self.node, len)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.check()?;
        let content = state.content(self.node).now();
        let rest = content.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(bytes.len());
        bytes[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.check()?;
        Ok(state.content(self.node).now().len() as u64)
    }

    fn id(&self) -> io::Result<FileId> {
        Ok(id_of(self.node))
    }
}
