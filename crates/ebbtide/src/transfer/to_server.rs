//! Into a running server: RESTORE in pipelines, or, where the server knows no version of payloads that we
//! do, the commands that make each key.

use std::collections::VecDeque;

use cli::Connection;
use engine::Access;
use persist::rdb::{About, Value, Version, dump};
use persist::requests;

use super::from_server::ask;
use super::{Failure, Item, Key, Sink, Tally};

/// Requests under way at most.
const PIPELINE_REQUESTS: usize = 256;
/// Bytes of requests after which their replies are waited for.
const PIPELINE_BYTES: usize = 1 << 20;
/// Refusals told one by one; the rest are counted.
const REFUSALS_TOLD: u64 = 10;

/// How keys are made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The first key will show.
    Unknown,
    /// With RESTORE of payloads of this version.
    Restore(Version),
    /// With the commands of their types.
    Commands,
}

/// A server that takes data.
pub(crate) struct ToServer {
    connection: Connection,
    /// Keys that are there are replaced; otherwise they are refused.
    replace: bool,
    way: Way,
    /// The database chosen.
    db: u32,
    tally: Tally,
    /// What the requests under way are about, in their order.
    waiting: VecDeque<String>,
    bytes: usize,
}

impl ToServer {
    /// Data go through `connection`; what is there is replaced if `replace` says so.
    pub(crate) fn new(connection: Connection, replace: bool) -> ToServer {
        let (tally, waiting) = (Tally::default(), VecDeque::new());
        ToServer { connection, replace, way: Way::Unknown, db: 0, tally, waiting, bytes: 0 }
    }

    fn key(&mut self, key: &Key<'_>) -> Result<(), Failure> {
        if self.db != key.db {
            self.settle()?;
            ask(&mut self.connection, &[b"SELECT", key.db.to_string().as_bytes()])?;
            self.db = key.db;
        }
        match self.way {
            Way::Restore(version) => self.restore(key, version),
            Way::Commands => self.commands(key),
            Way::Unknown => self.first(key),
        }
    }

    /// Finds with the first key which way the server knows.
    fn first(&mut self, key: &Key<'_>) -> Result<(), Failure> {
        self.settle()?;
        for version in [Version::V11, Version::V10] {
            let reply = self.connection.request(&restore_request(key, version, self.replace))?;
            let error = reply.as_error().map(|error| String::from_utf8_lossy(error).into_owned());
            let unknown =
                |error: &str| error.contains("payload version") || error.contains("Bad data format");
            if !error.as_deref().is_some_and(unknown) {
                self.way = Way::Restore(version);
                return self.note(&about(key), error.as_deref());
            }
        }
        self.way = Way::Commands;
        self.commands(key)
    }

    fn restore(&mut self, key: &Key<'_>, version: Version) -> Result<(), Failure> {
        let request = restore_request(key, version, self.replace);
        let request: Vec<_> = request.iter().map(Vec::as_slice).collect();
        self.queue(&request, about(key))
    }

    fn commands(&mut self, key: &Key<'_>) -> Result<(), Failure> {
        if let Value::Module(module) = &key.value {
            let error = format!("a value of the module type {}, which only RESTORE can make", module.name);
            return self.note(&about(key), Some(&error));
        }
        if self.replace {
            self.queue(&[b"DEL", key.name], about(key))?;
        } else {
            self.settle()?;
            if ask(&mut self.connection, &[b"EXISTS", key.name])?.as_int() != Some(0) {
                return self.note(&about(key), Some("BUSYKEY Target key name already exists."));
            }
        }
        let told = about(key);
        let mut give = |request: &[&[u8]]| self.queue(request, told.clone());
        requests::of_key(key.name, key.about.deadline_ms, (&key.value).into(), &mut give)
    }

    fn function(&mut self, code: &[u8]) -> Result<(), Failure> {
        let words: &[&[u8]] = if self.replace {
            &[b"FUNCTION", b"LOAD", b"REPLACE", code]
        } else {
            &[b"FUNCTION", b"LOAD", code]
        };
        self.queue(words, "a library of functions".to_owned())
    }

    fn request(&mut self, request: &[&[u8]]) -> Result<(), Failure> {
        let name = String::from_utf8_lossy(request.first().copied().unwrap_or_default()).into_owned();
        if name.eq_ignore_ascii_case("select") {
            // Which one it is, only the server needs to know; the next key chooses anew.
            self.db = u32::MAX;
        }
        self.queue(request, name)
    }

    /// Sends a request, with others; `what` it is about is told when it is refused.
    fn queue(&mut self, request: &[&[u8]], what: String) -> Result<(), Failure> {
        self.connection.queue(request);
        self.waiting.push_back(what);
        self.bytes += request.iter().map(|arg| arg.len()).sum::<usize>();
        if self.waiting.len() >= PIPELINE_REQUESTS || self.bytes >= PIPELINE_BYTES {
            self.settle()
        } else {
            Ok(())
        }
    }

    /// Waits for the replies to all requests.
    fn settle(&mut self) -> Result<(), Failure> {
        self.connection.send()?;
        self.bytes = 0;
        while let Some(what) = self.waiting.pop_front() {
            let reply = self.connection.receive()?;
            let error = reply.as_error().map(|error| String::from_utf8_lossy(error).into_owned());
            self.note(&what, error.as_deref())?;
        }
        Ok(())
    }

    /// Tells and counts a refusal, if there was one. Some mean that all that follows would be refused too.
    fn note(&mut self, what: &str, error: Option<&str>) -> Result<(), Failure> {
        const FINAL: [&str; 8] =
            ["LOADING", "MISCONF", "OOM", "READONLY", "NOAUTH", "NOPERM", "MASTERDOWN", "CLUSTERDOWN"];
        let Some(error) = error else { return Ok(()) };
        if FINAL.iter().any(|code| error.split(' ').next() == Some(code)) {
            return Err(Failure::Refused { command: what.to_owned(), error: error.to_owned() });
        }
        self.tally.refused += 1;
        if self.tally.refused <= REFUSALS_TOLD {
            eprintln!("{what}: {error}");
        }
        Ok(())
    }
}

impl Sink for ToServer {
    fn take(&mut self, item: Item<'_>) -> Result<(), Failure> {
        self.tally.count(&item);
        match item {
            Item::Key(key) => self.key(&key),
            Item::Function(code) => self.function(code),
            Item::Request(request) => self.request(request),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Tally, Failure> {
        self.settle()?;
        Ok(self.tally)
    }
}

fn about(key: &Key<'_>) -> String {
    format!("the key \"{}\" in database {}", key.name.escape_ascii(), key.db)
}

fn restore_request(key: &Key<'_>, version: Version, replace: bool) -> Vec<Vec<u8>> {
    let About { deadline_ms, access } = key.about;
    // 0 means no deadline; one that has come long ago is as good as any other in the past.
    let deadline_ms = deadline_ms.map_or(0, |deadline_ms| deadline_ms.max(1));
    let mut request = vec![b"RESTORE".to_vec(), key.name.to_vec()];
    request.extend([deadline_ms.to_string().into_bytes(), dump(&key.value, version), b"ABSTTL".to_vec()]);
    match access {
        Access::Unsaid => {}
        Access::IdleS(idle_s) => request.extend([b"IDLETIME".to_vec(), idle_s.to_string().into_bytes()]),
        Access::Frequency(frequency) => {
            request.extend([b"FREQ".to_vec(), frequency.to_string().into_bytes()]);
        }
    }
    if replace {
        request.push(b"REPLACE".to_vec());
    }
    request
}
