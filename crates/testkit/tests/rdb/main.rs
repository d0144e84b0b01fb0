//! RDB files and DUMP's payloads beside a real server: what it writes is read, and what we write it takes.
//!
//! `EBBTIDE_ORACLE` names the server: any Redis from 7.0 on, or Valkey. It must stand beside its check of RDB files
//! (`redis-check-rdb` beside `redis-server`).
//!
//! ```text
//! EBBTIDE_ORACLE=redis-server cargo test -p testkit --test rdb -- --include-ignored
//! ```

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod fill;
mod told;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use engine::Str;
use persist::rdb::{
    self, About, Access, Item, Options, Reader, ReaderOptions, Value, Version, Writer,
    samples::{values, volatile_hash},
};
use testkit::{Request, Spawned, Target, now_ms, ordered};

const FLAGS: &[&str] = &["--save", "", "--enable-debug-command", "yes"];

fn oracle() -> String {
    let named = std::env::var("EBBTIDE_ORACLE").ok().filter(|name| !name.is_empty());
    named.expect("EBBTIDE_ORACLE names a server")
}

fn started() -> (Spawned, Box<dyn Target>) {
    let server = Spawned::start(Path::new(&oracle()), FLAGS).unwrap();
    let connection = server.connect().unwrap();
    (server, Box::new(connection))
}

fn done(connection: &mut dyn Target, line: &str) {
    let reply = connection.say(line);
    assert_eq!(reply.as_error(), None, "> {line}");
}

/// The versions that the server reads: 11 since Redis 7.2.
fn versions(connection: &mut dyn Target) -> &'static [Version] {
    let info = connection.say("INFO server");
    let info = String::from_utf8_lossy(info.as_bytes().unwrap()).into_owned();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap();
    let numbers: Vec<u32> = version.split('.').filter_map(|n| n.parse().ok()).collect();
    if numbers >= vec![7, 2] { &[Version::V10, Version::V11] } else { &[Version::V10] }
}

/// What `version` says of `value`.
fn said(mut value: Value<'static>, version: Version) -> Value<'static> {
    if let (Value::Stream(stream), Version::V10) = (&mut value, version) {
        let consumers = stream.groups.iter_mut().flat_map(|group| &mut group.consumers);
        consumers.for_each(|consumer| consumer.active_ms = Some(consumer.seen_ms));
    }
    ordered(value)
}

/// Whether fields of hashes may expire, and are written as Redis 7.4 does it.
fn fields_expire_as_in_redis(connection: &mut dyn Target) -> bool {
    let info = connection.say("INFO server");
    let valkey = String::from_utf8_lossy(info.as_bytes().unwrap()).contains("valkey_version");
    !valkey && connection.say("HPTTL nothing FIELDS 1 a").as_error().is_none()
}

/// What a file says of a key.
struct Kept {
    value: Value<'static>,
    deadline_ms: Option<i64>,
    access: (Option<u64>, Option<u8>),
    encoding: &'static str,
}

/// All keys of the file at `path`, by database and name.
fn read(path: &Path) -> BTreeMap<(u64, Vec<u8>), Kept> {
    let mut reader = Reader::new(File::open(path).unwrap(), ReaderOptions { checksum: true }).unwrap();
    let (mut keys, mut db) = (BTreeMap::new(), 0);
    loop {
        match reader.next().unwrap() {
            None => return keys,
            Some(Item::Select(number)) => db = number,
            Some(Item::Key(record)) => {
                let kept = Kept {
                    value: told::owned(record.value.decode().unwrap()),
                    deadline_ms: record.deadline_ms,
                    access: (record.idle_s, record.frequency),
                    encoding: record.value.encoding.name(),
                };
                assert!(keys.insert((db, record.key.into_owned()), kept).is_none());
            }
            Some(_) => {}
        }
    }
}

#[test]
#[ignore = "needs a server, named by EBBTIDE_ORACLE"]
fn what_a_server_saves_is_read() {
    let (server, mut connection) = started();
    let keys = fill::fill(&mut *connection);
    let mut encodings = std::collections::BTreeSet::new();
    for (compression, policy) in [("yes", "noeviction"), ("no", "allkeys-lru"), ("yes", "allkeys-lfu")] {
        done(&mut *connection, &format!("CONFIG SET rdbcompression {compression}"));
        done(&mut *connection, &format!("CONFIG SET maxmemory-policy {policy}"));
        done(&mut *connection, "SAVE");
        let kept = read(&server.folder().join("dump.rdb"));
        assert_eq!(kept.len(), keys + 1, "all keys of database 0, and one of database 3");
        for ((db, key), kept) in &kept {
            done(&mut *connection, &format!("SELECT {db}"));
            let shown = key.escape_ascii();
            assert_eq!(ordered(kept.value.clone()), told::told(&mut *connection, key), "{shown}");
            let deadline = connection.call(&Request::new([b"PEXPIRETIME".as_slice(), key]));
            assert_eq!(kept.deadline_ms.unwrap_or(-1), deadline.as_int().unwrap(), "{shown}");
            let said = (kept.access.0.is_some(), kept.access.1.is_some());
            assert_eq!(said, (policy == "allkeys-lru", policy == "allkeys-lfu"), "{shown}");
            encodings.insert(kept.encoding);
        }
    }
    println!("encodings read: {encodings:?}");
    assert!(encodings.len() >= 9, "{encodings:?}");
}

#[test]
#[ignore = "needs a server, named by EBBTIDE_ORACLE"]
fn what_a_server_dumps_is_restored() {
    let (_server, mut connection) = started();
    fill::fill(&mut *connection);
    let keys = connection.say("KEYS *");
    for key in keys.as_slice().unwrap().iter().map(|key| key.as_bytes().unwrap()) {
        let payload = connection.call(&Request::new([b"DUMP".as_slice(), key]));
        let value = rdb::restore(payload.as_bytes().unwrap()).unwrap();
        let shown = key.escape_ascii();
        assert_eq!(ordered(told::owned(value)), told::told(&mut *connection, key), "{shown}");
    }
}

#[test]
#[ignore = "needs a server, named by EBBTIDE_ORACLE"]
fn a_server_takes_what_we_dump() {
    let (_server, mut connection) = started();
    let volatile = fields_expire_as_in_redis(&mut *connection).then(|| ("volatile hash", volatile_hash()));
    let values: Vec<_> = values().into_iter().chain(volatile).collect();
    for &version in versions(&mut *connection) {
        for (name, value) in values.clone() {
            let payload = rdb::dump(&value, version);
            let restore = [b"RESTORE".as_slice(), name.as_bytes(), b"0", &payload, b"REPLACE"];
            assert_eq!(connection.call(&Request::new(restore)).as_error(), None, "{name}");
            let told = told::told(&mut *connection, name.as_bytes());
            assert_eq!(told, said(value, version), "{name}");
        }
    }
}

/// Writes a file of all samples.
fn write(path: &Path, compression: bool, version: Version) {
    let options = Options { compression, checksum: true, version };
    let mut writer = Writer::new(File::create(path).unwrap(), options);
    writer.preamble("7.2.4", now_ms() / 1000, 1 << 20, false).unwrap();
    writer.function(b"#!lua name=lib\nredis.register_function('f', function() return 1 end)").unwrap();
    writer.select(0).unwrap();
    writer.resize(30, 2).unwrap();
    for (name, value) in values() {
        writer.value(name.as_bytes(), About::default(), &value).unwrap();
    }
    let about = |access| About { deadline_ms: Some(now_ms() + 1_000_000), access };
    writer.string(b"used", about(Access::IdleS(100)), Str::Int(123_456_789_012)).unwrap();
    writer.string(b"liked", about(Access::Frequency(100)), Str::Bytes(b"text")).unwrap();
    writer.begin_long(b"long", About::default(), 3 << 20).unwrap();
    (0..3).for_each(|_| writer.piece(&[b'l'; 1 << 20]).unwrap());
    writer.finish().unwrap();
}

#[test]
#[ignore = "needs a server, named by EBBTIDE_ORACLE"]
fn a_server_loads_what_we_write() {
    let (server, mut connection) = started();
    done(&mut *connection, "CONFIG SET maxmemory-policy allkeys-lru");
    let path = server.folder().join("dump.rdb");
    let versions = versions(&mut *connection).iter();
    for (&version, compression) in versions.flat_map(|version| [(version, true), (version, false)]) {
        write(&path, compression, version);
        check_tool_approves(&path);
        done(&mut *connection, "DEBUG RELOAD NOSAVE");
        for (name, value) in values() {
            let told = told::told(&mut *connection, name.as_bytes());
            assert_eq!(told, said(value, version), "{name}");
        }
        assert_eq!(connection.say("DBSIZE").as_int(), Some(values().len() as i64 + 3));
        assert_eq!(connection.say("STRLEN long").as_int(), Some(3 << 20));
        let idle_s = connection.say("OBJECT IDLETIME used").as_int().unwrap();
        assert!((90..=110).contains(&idle_s), "{idle_s}");
        assert_eq!(connection.say("GET used").as_bytes(), Some(b"123456789012".as_slice()));
        let left_ms = connection.say("PTTL liked").as_int().unwrap();
        assert!((900_000..=1_000_000).contains(&left_ms), "{left_ms}");
        assert_eq!(connection.say("FCALL f 0").as_int(), Some(1));
    }
    fs::remove_file(path).unwrap();
}

/// Runs the server's check of RDB files.
fn check_tool_approves(path: &Path) {
    let tool = oracle().replace("-server", "-check-rdb");
    let output = Command::new(&tool).arg(path).output().unwrap_or_else(|e| panic!("{tool}: {e}"));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("RDB looks OK"), "{told}");
}
