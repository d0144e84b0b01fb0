//! Out of files: a snapshot in RDB format, JSON, requests of the protocol, or an append log's directory. Which one it
//! is shows in the first bytes, not in the name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Access;
use persist::log::{Place, RecoveryError, RecoveryOptions, Refused, Replay, recover};
use persist::rdb::{About, Reader, ReaderOptions};
use persist::storage::{Disk, FileId, Open, Storage, StoredFile};
use persist::{json, rdb};
use resp::{Args, Limits, Parser};
use server::{OfflineError, read_log};

use super::progress::{Counted, Progress, Unit};
use super::{Failure, Item, Key, Sink};

/// Bytes of requests read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Gives all that is in `path`, `-` being standard input, to `sink`.
///
/// # Errors
/// It cannot be read, is damaged or nothing that is known, or the sink fails. What came before has been given.
pub(crate) fn copy(path: &Path, sink: &mut dyn Sink) -> Result<(), Failure> {
    if path == Path::new("-") {
        let progress = Progress::new(Unit::Bytes, None);
        let input = Counted { input: io::stdin().lock(), progress: &progress };
        return stream(Path::new("standard input"), input, sink);
    }
    let found = find(path)?;
    if Place::of_manifest(&found).is_some() {
        return log(&found, sink);
    }
    let file = File::open(&found).map_err(|error| unreadable(&found, error))?;
    let bytes = file.metadata().ok().map(|found| found.len());
    let progress = Progress::new(Unit::Bytes, bytes);
    stream(&found, Counted { input: file, progress: &progress }, sink)
}

/// The file that is meant by `path`: itself, or what a server would load from this directory.
fn find(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let snapshots = ["dump.rdb", "dump.json"].iter().map(|name| path.join(name)).find(|file| file.is_file());
    manifest_in(path).or(snapshots).ok_or_else(|| {
        let reason = "there is no append log, no dump.rdb and no dump.json in it".to_owned();
        Failure::Input { file: path.to_owned(), reason }
    })
}

/// The manifest of the append log in `dir`, or in the directory for it that a server makes there.
pub(crate) fn manifest_in(dir: &Path) -> Option<PathBuf> {
    let manifest = |dir: &Path| {
        let names = std::fs::read_dir(dir).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        names.filter(|name| Place::of_manifest(name).is_some()).min()
    };
    manifest(dir).or_else(|| manifest(&dir.join("appendonlydir")))
}

fn unreadable(file: &Path, reason: impl ToString) -> Failure {
    Failure::Input { file: file.to_owned(), reason: reason.to_string() }
}

/// Gives what one file holds.
fn stream(name: &Path, input: impl Read, sink: &mut dyn Sink) -> Result<(), Failure> {
    let mut input = BufReader::with_capacity(CHUNK_BYTES, input);
    let first = input.fill_buf().map_err(|error| unreadable(name, error))?.first().copied();
    match first {
        Some(b'R' | b'V') => {
            let (rest, input) = snapshot(name, input, sink)?.into_rest();
            // An append log of one file may begin with a snapshot.
            requests(name, rest.as_slice().chain(input), sink)
        }
        Some(b'{' | b' ' | b'\t' | b'\r' | b'\n') => document(name, input, sink),
        Some(b'*' | b'#') => requests(name, input, sink),
        Some(_) => Err(unreadable(name, "it is neither RDB nor JSON nor requests of the protocol")),
        None => Err(unreadable(name, "it is empty")),
    }
}

/// Gives the keys and functions of a snapshot, and the reader at its end.
fn snapshot<R: Read>(name: &Path, input: R, sink: &mut dyn Sink) -> Result<Reader<R>, Failure> {
    let damaged = |error: rdb::Error| unreadable(name, error);
    let mut reader = Reader::new(input, ReaderOptions { checksum: true }).map_err(damaged)?;
    let mut db = 0;
    while let Some(item) = reader.next().map_err(damaged)? {
        match item {
            rdb::Item::Select(number) => {
                db = u32::try_from(number).map_err(|_| unreadable(name, format!("database {number}")))?;
            }
            rdb::Item::Key(record) => {
                let access = match (record.idle_s, record.frequency) {
                    (Some(idle_s), _) => Access::IdleS(idle_s),
                    (None, Some(frequency)) => Access::Frequency(frequency),
                    (None, None) => Access::Unsaid,
                };
                let about = About { deadline_ms: record.deadline_ms, access };
                let value = record.value.decode().map_err(damaged)?;
                sink.take(Item::Key(Key { db, name: &record.key, about, value }))?;
            }
            rdb::Item::Function(code) => sink.take(Item::Function(&code))?,
            rdb::Item::ModuleAux(module) => {
                eprintln!("{}: data of the module type {module} are left out", name.display());
            }
            rdb::Item::Aux { .. } | rdb::Item::Resize { .. } | rdb::Item::Slots => {}
        }
    }
    Ok(reader)
}

/// Gives the keys and functions of a document.
fn document(name: &Path, input: impl Read, sink: &mut dyn Sink) -> Result<(), Failure> {
    let take = |item: json::Item| match item {
        json::Item::Key { db, key, deadline_ms, value } => {
            let about = About { deadline_ms, ..About::default() };
            sink.take(Item::Key(Key { db, name: &key, about, value }))
        }
        json::Item::Function(code) => sink.take(Item::Function(&code)),
    };
    json::read(input, take).map_err(|error| match error {
        json::ReadError::Refused { reason, .. } => reason,
        json::ReadError::Form(error) => unreadable(name, error),
    })
}

/// Gives the requests that `input` consists of. Lines that begin with `#` between them say something about them.
fn requests(name: &Path, mut input: impl Read, sink: &mut dyn Sink) -> Result<(), Failure> {
    let (mut buffer, mut parser, mut spans) = (Vec::new(), Parser::default(), Vec::new());
    let mut before = 0;
    loop {
        let mut at = 0;
        while let Some(len) = request(&mut buffer[at..], &mut parser, &mut spans, sink)
            .map_err(|fault| fault.at(name, before + at as u64))?
        {
            at += len;
        }
        buffer.drain(..at);
        before += at as u64;
        let start = buffer.len();
        let read = input.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut buffer);
        if read.map_err(|error| unreadable(name, error))? == 0 {
            return match start {
                0 => Ok(()),
                _ => Err(unreadable(name, format!("at byte {before}: the file ends within a request"))),
            };
        }
    }
}

/// Why a request is not given.
enum Fault {
    Form(String),
    Sink(Failure),
}

impl Fault {
    fn at(self, name: &Path, offset: u64) -> Failure {
        match self {
            Fault::Form(what) => unreadable(name, format!("at byte {offset}: {what}")),
            Fault::Sink(failure) => failure,
        }
    }
}

/// Gives the request or passes over the line that `bytes` begins with; its length. Nothing: it is not whole yet.
fn request(
    bytes: &mut [u8],
    parser: &mut Parser,
    spans: &mut Vec<resp::Span>,
    sink: &mut dyn Sink,
) -> Result<Option<usize>, Fault> {
    if bytes.first() == Some(&b'#') {
        return Ok(bytes.iter().position(|&byte| byte == b'\n').map(|end| end + 1));
    }
    spans.clear();
    let limits = Limits { bulk_bytes_max: usize::MAX, ..Limits::default() };
    let Some(len) = parser.next(bytes, &limits, spans).map_err(|error| Fault::Form(error.to_string()))?
    else {
        return Ok(None);
    };
    let args: Vec<_> = Args::new(bytes, spans).iter().collect();
    if !args.is_empty() {
        sink.take(Item::Request(&args)).map_err(Fault::Sink)?;
    }
    Ok(Some(len))
}

/// Gives what an append log holds: its base and the requests behind it. Nothing of it is changed.
fn log(manifest: &Path, sink: &mut dyn Sink) -> Result<(), Failure> {
    let place = Place::of_manifest(manifest).ok_or_else(|| unreadable(manifest, "it is no manifest"))?;
    let storage: Arc<dyn Storage> = Arc::new(LookedAt(Disk));
    if let Some(sink) = sink.without_requests() {
        let read = read_log(&storage, manifest, &mut |record| sink.record(record));
        return read.map_err(|error| match error {
            OfflineError::Log(error) => damaged(error),
            OfflineError::Taken(error) => Failure::Output { file: sink.name(), error },
            OfflineError::System(reason) => Failure::Input { file: manifest.to_owned(), reason },
        });
    }
    let progress = Progress::new(Unit::Bytes, None);
    let mut giving = Giving { sink, failure: None, progress: &progress };
    let recovered = recover(&storage, &place, RecoveryOptions { load_truncated: false }, &mut giving);
    match (recovered, giving.failure) {
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(damaged(error)),
        (Ok(_), None) => Ok(()),
    }
}

/// What is wrong with a log.
fn damaged(RecoveryError { file, offset, what, .. }: RecoveryError) -> Failure {
    let place = offset.map_or(String::new(), |offset| format!("at byte {offset}: "));
    let reason = format!("{place}{what}; `ebbtide check aof` tells more and mends it");
    Failure::Input { file, reason }
}

/// Gives what a log holds to a sink.
struct Giving<'g> {
    sink: &'g mut dyn Sink,
    /// Why it was given up.
    failure: Option<Failure>,
    progress: &'g Progress,
}

impl Giving<'_> {
    fn give_up(&mut self, failure: Failure) -> Refused {
        let what = failure.to_string();
        self.failure = Some(failure);
        Refused { at: 0, what }
    }
}

impl Replay for Giving<'_> {
    fn snapshot(&mut self, path: &Path, input: &mut dyn Read) -> Result<u64, Refused> {
        let input = Counted { input, progress: self.progress };
        let outcome = snapshot(path, input, self.sink).map(|reader| reader.offset());
        outcome.map_err(|failure| self.give_up(failure))
    }

    fn requests(&mut self, mut requests: &mut [u8]) -> Result<(), Refused> {
        let (mut parser, mut spans) = (Parser::default(), Vec::new());
        self.progress.add(requests.len() as u64);
        loop {
            match request(requests, &mut parser, &mut spans, self.sink) {
                Ok(Some(len)) => requests = &mut requests[len..],
                Ok(None) => return Ok(()),
                Err(Fault::Form(what)) => return Err(Refused { at: 0, what }),
                Err(Fault::Sink(failure)) => return Err(self.give_up(failure)),
            }
        }
    }
}

/// The disk, of which nothing is changed.
#[derive(Debug)]
struct LookedAt(Disk);

impl Storage for LookedAt {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StoredFile>> {
        if how == Open::Read { self.0.open(path, how) } else { Err(io::ErrorKind::ReadOnlyFilesystem.into()) }
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.0.list(path)
    }

    fn id(&self, path: &Path) -> io::Result<Option<FileId>> {
        self.0.id(path)
    }
}
