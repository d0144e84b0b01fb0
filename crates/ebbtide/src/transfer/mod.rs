//! Data on their way from one place to another: `ebbtide export` and `ebbtide import`.
//!
//! A source ([`from_server`], [`from_files`]) gives one item after another to a sink ([`to_server`], [`to_file`]), so
//! that only what is under way takes memory. Each item is a value by itself ([`persist::rdb::Value`]), whatever the form
//! it had and will have.

pub(crate) mod from_files;
pub(crate) mod from_server;
pub(crate) mod progress;
pub(crate) mod to_file;
pub(crate) mod to_server;

use std::io;
use std::path::PathBuf;

use cli::{ConnectError, Lost};
use persist::json;
use persist::rdb::{About, Value};

/// Something on its way.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    /// A key.
    Key(Key<'a>),
    /// The code of a library of functions.
    Function(&'a [u8]),
    /// A request of an append log: what it does is known to servers only.
    Request(&'a [&'a [u8]]),
}

/// A key on its way.
#[derive(Debug)]
pub(crate) struct Key<'a> {
    /// Its database.
    pub(crate) db: u32,
    /// The key.
    pub(crate) name: &'a [u8],
    /// Its deadline, and how it was used, where that is known.
    pub(crate) about: About,
    /// Its value.
    pub(crate) value: Value<'a>,
}

/// Where data go.
pub(crate) trait Sink {
    /// Takes the next item; it may be on its way for a while yet.
    ///
    /// # Errors
    /// Nothing more can be taken.
    fn take(&mut self, item: Item<'_>) -> Result<(), Failure>;

    /// The sink itself where it takes no requests: what they make is to be found out first.
    fn without_requests(&mut self) -> Option<&mut to_file::ToFile> {
        None
    }

    /// Waits until all has arrived; how much that was.
    ///
    /// # Errors
    /// It has not arrived, or not all.
    fn finish(self: Box<Self>) -> Result<Tally, Failure>;
}

/// How much has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Keys.
    pub(crate) keys: u64,
    /// Libraries of functions.
    pub(crate) functions: u64,
    /// Requests of an append log.
    pub(crate) requests: u64,
    /// What the server did not take.
    pub(crate) refused: u64,
}

impl Tally {
    /// Counts `item`.
    fn count(&mut self, item: &Item<'_>) {
        match item {
            Item::Key(_) => self.keys += 1,
            Item::Function(_) => self.functions += 1,
            Item::Request(_) => self.requests += 1,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.keys)?;
        for (count, what) in [
            (self.functions, "libraries of functions"),
            (self.requests, "requests"),
            (self.refused, "refused"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Why data did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What is asked for cannot be done.
    #[error("{0}")]
    Usage(String),
    /// There is no connection to the server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended on the way.
    #[error("{0}")]
    Lost(#[from] Lost),
    /// The server answers with an error where it must not.
    #[error("{command}: {error}")]
    Refused {
        /// What it was asked.
        command: String,
        /// What it said.
        error: String,
    },
    /// The input cannot be read, or is not what it should be.
    #[error("{}: {reason}", .file.display())]
    Input {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The output cannot be written.
    #[error("cannot write {}: {error}", .file.display())]
    Output {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The output has no form for a value.
    #[error("{0}")]
    NoForm(json::Error),
}

impl Failure {
    /// Whether nobody reads the output any more, which needs no telling.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Failure::Output { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
