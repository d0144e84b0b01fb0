//! All keys of a running server, of any kind that knows SCAN and DUMP: page after page of SCAN, and for each key its
//! deadline and payload, many in a pipeline.
//!
//! The server goes on meanwhile: a key is as it was when its turn came, and one that came or went since the start may
//! be there or not. A page may name a key again, as SCAN is free to; it is taken once.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use cli::Connection;
use persist::rdb::{About, restore};
use resp::Value;

use super::progress::{Progress, Unit};
use super::{Failure, Item, Key, Sink};

/// Keys that a page of SCAN is to have, about.
const PAGE_KEYS: &str = "500";
/// Keys whose values are asked for together.
const PIPELINE_KEYS: usize = 50;

/// Which keys are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Those of this database alone.
    pub(crate) db: Option<u32>,
    /// Those that fit this glob alone.
    pub(crate) pattern: Option<Vec<u8>>,
}

impl Selection {
    fn is_all(&self) -> bool {
        self.db.is_none() && self.pattern.is_none()
    }
}

/// Gives all that is selected of the server's data to `sink`.
///
/// # Errors
/// The connection or the sink fails, the server refuses something, or has a value that nobody can read.
pub(crate) fn copy(
    connection: &mut Connection,
    selection: &Selection,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    let databases: Vec<_> = databases(connection)?
        .into_iter()
        .filter(|(db, _)| selection.db.is_none_or(|wanted| *db == wanted))
        .collect();
    if selection.is_all() {
        functions(connection, sink)?;
    }
    let progress = Progress::new(Unit::Keys, Some(databases.iter().map(|(_, keys)| keys).sum()));
    // Since Redis 7.0; before, a deadline is the server's time and what is left.
    let absolute = connection.request(&["PEXPIRETIME", ""])?.as_int().is_some();
    for (db, _) in databases {
        ask(connection, &[b"SELECT", db.to_string().as_bytes()])?;
        let mut reading = Reading { connection, db, absolute, sink, progress: &progress };
        reading.database(selection.pattern.as_deref())?;
    }
    Ok(())
}

/// One database being read.
struct Reading<'r> {
    connection: &'r mut Connection,
    db: u32,
    /// Whether the server tells deadlines as such.
    absolute: bool,
    sink: &'r mut dyn Sink,
    progress: &'r Progress,
}

impl Reading<'_> {
    fn database(&mut self, pattern: Option<&[u8]>) -> Result<(), Failure> {
        let mut cursor = b"0".to_vec();
        let mut seen = Seen::default();
        loop {
            let mut request = vec![b"SCAN".as_slice(), &cursor, b"COUNT", PAGE_KEYS.as_bytes()];
            if let Some(pattern) = pattern {
                request.extend([b"MATCH".as_slice(), pattern]);
            }
            let page = ask(self.connection, &request)?;
            let (next, keys) = scanned(page).ok_or_else(|| malformed("SCAN"))?;
            let keys: Vec<_> = keys.into_iter().filter(|key| seen.is_new(key)).collect();
            keys.chunks(PIPELINE_KEYS).try_for_each(|keys| self.values(keys))?;
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Asks for the values of `keys` and hands them on, one after the other.
    fn values(&mut self, keys: &[Vec<u8>]) -> Result<(), Failure> {
        for key in keys {
            if self.absolute {
                self.connection.queue(&[b"PEXPIRETIME", key.as_slice()]);
            } else {
                self.connection.queue(&["TIME"]);
                self.connection.queue(&[b"PTTL", key.as_slice()]);
            }
            self.connection.queue(&[b"DUMP", key.as_slice()]);
        }
        self.connection.send()?;
        for key in keys {
            let deadline_ms = self.deadline()?;
            let payload = match checked("DUMP", self.connection.receive()?)? {
                Value::Bulk(payload) => payload,
                // The key is gone.
                Value::Null => continue,
                _ => return Err(malformed("DUMP")),
            };
            let value = restore(&payload).map_err(|error| Failure::Refused {
                command: format!("DUMP \"{}\" in database {}", key.escape_ascii(), self.db),
                error: error.to_string(),
            })?;
            let about = About { deadline_ms, ..About::default() };
            self.sink.take(Item::Key(Key { db: self.db, name: key, about, value }))?;
            self.progress.add(1);
        }
        Ok(())
    }

    /// The deadline that the next reply, or the next two, tell of.
    fn deadline(&mut self) -> Result<Option<i64>, Failure> {
        let now_ms = if self.absolute {
            0
        } else {
            time_ms(&checked("TIME", self.connection.receive()?)?).ok_or_else(|| malformed("TIME"))?
        };
        let ms = checked("PTTL", self.connection.receive()?)?.as_int().ok_or_else(|| malformed("PTTL"))?;
        Ok((ms >= 0).then(|| now_ms.saturating_add(ms)))
    }
}

/// The keys that came already, by two hashes of 64 bits each, which no two keys of this world share.
#[derive(Debug, Default)]
struct Seen {
    hashes: HashSet<(u64, u64)>,
    states: [RandomState; 2],
}

impl Seen {
    fn is_new(&mut self, key: &[u8]) -> bool {
        let [first, second] = &self.states;
        self.hashes.insert((first.hash_one(key), second.hash_one(key)))
    }
}

/// The databases that have keys, and how many.
fn databases(connection: &mut Connection) -> Result<Vec<(u32, u64)>, Failure> {
    let info = ask(connection, &[b"INFO", b"keyspace"])?;
    let text = String::from_utf8_lossy(info.as_bytes().ok_or_else(|| malformed("INFO"))?).into_owned();
    let line = |line: &str| {
        let (db, figures) = line.strip_prefix("db")?.split_once(':')?;
        let keys = figures.split(',').find_map(|figure| figure.strip_prefix("keys="))?;
        Some((db.parse().ok()?, keys.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// Hands on the libraries of functions, if the server knows such.
fn functions(connection: &mut Connection, sink: &mut dyn Sink) -> Result<(), Failure> {
    let reply = connection.request(&["FUNCTION", "LIST", "WITHCODE"])?;
    for library in reply.as_slice().unwrap_or_default() {
        let parts = library.as_slice().ok_or_else(|| malformed("FUNCTION LIST"))?;
        let mut pairs = parts.chunks_exact(2);
        let code = pairs.find(|pair| pair[0].as_bytes() == Some(b"library_code"));
        let code = code.and_then(|pair| pair[1].as_bytes()).ok_or_else(|| malformed("FUNCTION LIST"))?;
        sink.take(Item::Function(code))?;
    }
    Ok(())
}

/// A page of SCAN: the next cursor and the keys.
fn scanned(page: Value) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Value::Array(parts) = page else { return None };
    let [Value::Bulk(cursor), Value::Array(keys)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    let key = |key| if let Value::Bulk(key) = key { Some(key) } else { None };
    Some((cursor, keys.into_iter().map(key).collect::<Option<_>>()?))
}

/// TIME's reply in milliseconds.
fn time_ms(reply: &Value) -> Option<i64> {
    let [seconds, micros] = reply.as_slice()? else { return None };
    let number = |part: &Value| str::from_utf8(part.as_bytes()?).ok()?.parse::<i64>().ok();
    number(seconds)?.checked_mul(1000)?.checked_add(number(micros)? / 1000)
}

/// The reply to a request, which must be no error.
pub(super) fn ask(connection: &mut Connection, request: &[&[u8]]) -> Result<Value, Failure> {
    let reply = connection.request(request)?;
    checked(&String::from_utf8_lossy(request[0]), reply)
}

fn checked(command: &str, reply: Value) -> Result<Value, Failure> {
    match reply.as_error() {
        Some(error) => Err(Failure::Refused {
            command: command.to_owned(),
            error: String::from_utf8_lossy(error).into_owned(),
        }),
        None => Ok(reply),
    }
}

fn malformed(command: &str) -> Failure {
    Failure::Refused {
        command: command.to_owned(),
        error: "the reply is not of the form expected".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn pages_and_times_are_read() {
        let page = Value::Array(vec![bulk("17"), Value::Array(vec![bulk("a"), bulk("")])]);
        assert_eq!(scanned(page), Some((b"17".to_vec(), vec![b"a".to_vec(), vec![]])));
        assert_eq!(scanned(Value::Array(vec![bulk("17")])), None);
        assert_eq!(scanned(Value::Null), None);
        let time = Value::Array(vec![bulk("1700000000"), bulk("123456")]);
        assert_eq!(time_ms(&time), Some(1_700_000_000_123));
        assert_eq!(time_ms(&Value::Array(vec![bulk("x"), bulk("1")])), None);
    }

    #[test]
    fn a_key_is_taken_once() {
        let mut seen = Seen::default();
        assert!(seen.is_new(b"a") && seen.is_new(b"b") && seen.is_new(b""));
        assert!(!seen.is_new(b"a") && !seen.is_new(b""));
    }
}
