//! Into a file, or to standard output: as JSON, as RDB, or as the requests that make the data.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Record;
use persist::rdb::Version;
use persist::storage::{Disk, NewFile, Storage};
use persist::{json, rdb, requests};

use super::{Failure, Item, Key, Sink, Tally};

/// The forms that data can have in a file.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "lower")]
pub(crate) enum Format {
    /// For people: one document, a line a key
    Json,
    /// Redis's snapshots: compact
    Rdb,
    /// Requests of the protocol: for `ebbtide cli --pipe`
    Resp,
}

/// Where the bytes go.
#[derive(Debug)]
enum Output {
    /// Into a file that takes its place when it is whole.
    File(BufWriter<NewFile>),
    Stdout(BufWriter<io::StdoutLock<'static>>),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::File(file) => file.write(bytes),
            Output::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::File(file) => file.flush(),
            Output::Stdout(stdout) => stdout.flush(),
        }
    }
}

/// What writes a form.
enum Form {
    Json(json::Writer<Output>),
    Rdb { writer: Box<rdb::Writer<Output>>, db: Option<u32> },
    Resp { out: Output, db: u32 },
}

/// A file that takes data.
pub(crate) struct ToFile {
    form: Form,
    /// Its name, to tell what failed.
    name: PathBuf,
    tally: Tally,
}

impl ToFile {
    /// Data go as `format` (RDB: of this version) into the file `path`, or to standard output. A file is there once all is in it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn new(path: Option<&Path>, format: Format, version: Version) -> Result<ToFile, Failure> {
        let name = path.map_or_else(|| PathBuf::from("standard output"), Path::to_owned);
        let begin = || {
            let out = match path {
                None => Output::Stdout(BufWriter::new(io::stdout().lock())),
                Some(path) => {
                    let disk: Arc<dyn Storage> = Arc::new(Disk);
                    Output::File(BufWriter::new(NewFile::beside(&disk, path)?))
                }
            };
            Ok(match format {
                Format::Json => Form::Json(json::Writer::new(out)?),
                Format::Rdb => {
                    let options = rdb::Options { compression: true, checksum: true, version };
                    let mut writer = Box::new(rdb::Writer::new(out, options));
                    writer.aux(b"redis-ver", commands::REDIS_VERSION.as_bytes())?;
                    writer.aux(b"redis-bits", b"64")?;
                    Form::Rdb { writer, db: None }
                }
                Format::Resp => Form::Resp { out, db: 0 },
            })
        };
        match begin() {
            Ok(form) => Ok(ToFile { form, name, tally: Tally::default() }),
            Err(error) => Err(Failure::Output { file: name, error }),
        }
    }

    fn key(&mut self, key: &Key<'_>) -> Result<(), json::Error> {
        let Key { db, name, about, value } = key;
        match &mut self.form {
            Form::Json(writer) => writer.key(*db, name, about.deadline_ms, value),
            Form::Rdb { writer, db: chosen } => {
                if *chosen != Some(*db) {
                    writer.select(*db)?;
                    *chosen = Some(*db);
                }
                Ok(writer.value(name, *about, value)?)
            }
            Form::Resp { out, db: chosen } => {
                if let rdb::Value::Module(module) = value {
                    return Err(json::Error::Module { key: (*name).into(), name: module.name.to_string() });
                }
                if *chosen != *db {
                    write_request(out, &[b"SELECT", db.to_string().as_bytes()])?;
                    *chosen = *db;
                }
                let mut give = |request: &[&[u8]]| write_request(out, request);
                Ok(requests::of_key(name, about.deadline_ms, value.into(), &mut give)?)
            }
        }
    }

    /// Takes the next record of a snapshot, where requests are not taken.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn record(&mut self, record: Record<'_>) -> io::Result<()> {
        self.tally.keys += u64::from(!matches!(record, Record::Piece(_)));
        match &mut self.form {
            Form::Json(writer) => writer.record(&record),
            Form::Rdb { writer, .. } => writer.record(record, None),
            Form::Resp { .. } => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Its name, for errors.
    pub(crate) fn name(&self) -> PathBuf {
        self.name.clone()
    }

    fn function(&mut self, code: &[u8]) -> io::Result<()> {
        match &mut self.form {
            Form::Json(writer) => writer.function(code),
            Form::Rdb { writer, .. } => writer.function(code),
            Form::Resp { out, .. } => write_request(out, &[b"FUNCTION", b"LOAD", code]),
        }
    }
}

fn write_request(out: &mut Output, request: &[&[u8]]) -> io::Result<()> {
    write!(out, "*{}\r\n", request.len())?;
    for argument in request {
        write!(out, "${}\r\n", argument.len())?;
        out.write_all(argument)?;
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

impl Sink for ToFile {
    fn take(&mut self, item: Item<'_>) -> Result<(), Failure> {
        self.tally.count(&item);
        let written = match item {
            Item::Key(key) => self.key(&key),
            Item::Function(code) => self.function(code).map_err(json::Error::Write),
            Item::Request(request) => match &mut self.form {
                Form::Resp { out, .. } => write_request(out, request).map_err(json::Error::Write),
                Form::Json(_) | Form::Rdb { .. } => {
                    let text = "these are requests, which only a server can run: import them into one, or ask for resp";
                    return Err(Failure::Usage(text.to_owned()));
                }
            },
        };
        written.map_err(|error| match error {
            json::Error::Write(error) => Failure::Output { file: self.name.clone(), error },
            error => Failure::NoForm(error),
        })
    }

    fn without_requests(&mut self) -> Option<&mut ToFile> {
        (!matches!(self.form, Form::Resp { .. })).then_some(self)
    }

    fn finish(self: Box<Self>) -> Result<Tally, Failure> {
        let ToFile { form, name, tally } = *self;
        let end = || {
            let mut out = match form {
                Form::Json(writer) => writer.finish()?,
                Form::Rdb { writer, .. } => writer.finish()?.0,
                Form::Resp { out, .. } => out,
            };
            out.flush()?;
            match out {
                Output::File(file) => file.into_inner().map_err(|error| error.into_error())?.commit(),
                Output::Stdout(_) => Ok(()),
            }
        };
        end().map(|()| tally).map_err(|error| Failure::Output { file: name, error })
    }
}
