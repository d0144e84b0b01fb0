//! Our append logs in a real Redis, its logs here, and what its tool says about them.
//!
//! `EBBTIDE_ORACLE` names the redis-server (or valkey-server); its `-check-aof` is beside it.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use commands::testing::Client;
use persist::log::{
    AppendLog, BaseFormat, CheckMode, LogOptions, Note, Place, Recovered, RecoveryOptions, Refused, Replay,
    check, recover,
};
use persist::rdb::{self, LoadOptions, Reader, ReaderOptions};
use persist::storage::{Disk, NewFile, Storage};
use resp::{Limits, Parser, Value};
use testkit::{Connection, Request, Spawned, State, Target, ask, difference, now_ms, poll, state};

fn oracle() -> String {
    std::env::var("EBBTIDE_ORACLE").expect("EBBTIDE_ORACLE names a redis-server")
}

/// A folder of the test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ebbtide-files-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn place(&self) -> Place {
        Place::new(&self.0, "appendonlydir", "appendonly.aof")
    }

    fn server(&self, flags: &[&str]) -> Spawned {
        let dir = self.0.to_str().unwrap();
        // It is killed in the end: what it has not written by then is lost, unless it writes at once.
        let own = ["--dir", dir, "--appendonly", "yes", "--appendfsync", "always", "--save", ""];
        let server = Spawned::start(Path::new(&oracle()), &[&own, flags].concat()).unwrap();
        let mut connection = server.connect().unwrap();
        assert!(poll(|| info(&mut connection).contains("\r\nloading:0\r\n")), "it loads");
        server
    }

    /// Runs the oracle's tool on a file; whether it approves, and what it says.
    fn tool(&self, words: &[&str], file: &Path) -> (bool, String) {
        let program = oracle().replace("-server", "-check-aof");
        let mut command = Command::new(program);
        let output = command.args(words).arg(file).stdin(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn disk() -> Arc<dyn Storage> {
    Arc::new(Disk)
}

/// The state of `target` but for the forms that values are kept in, which differ between servers.
fn contents(target: &mut dyn Target) -> State {
    let mut state = state(target, 16);
    state.values_mut().for_each(|kept| kept.encoding = Value::Null);
    state
}

/// A store that a log is replayed into.
struct Store(Client);

impl Store {
    fn new() -> Store {
        let mut client = Client::new();
        client.turn.now_ms = now_ms();
        Store(client)
    }

    fn state(&mut self) -> State {
        contents(self)
    }
}

impl Target for Store {
    fn call(&mut self, request: &Request) -> Value {
        ask(&mut self.0, request)
    }
}

impl Replay for Store {
    fn file(&mut self, _: &Path) {
        self.say("SELECT 0");
    }

    fn snapshot(&mut self, _: &Path, input: &mut dyn Read) -> Result<u64, Refused> {
        let now_ms = self.0.turn.now_ms;
        let policy = self.0.turn.access;
        let options = LoadOptions {
            threads: 1,
            now_ms,
            keep_expired: false,
            replace: false,
            policy,
            limits: engine::Limits::DEFAULT,
            between: || {},
        };
        let refused = |e: rdb::Error| Refused { at: 0, what: e.to_string() };
        let mut reader = Reader::new(input, ReaderOptions { checksum: true }).map_err(refused)?;
        rdb::load(&self.0.store, &mut reader, &options, &mut |_| {}).map_err(refused)?;
        Ok(reader.offset())
    }

    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused> {
        let (mut at, mut spans) = (0, vec![]);
        while at < requests.len() {
            spans.clear();
            let read = Parser::default().next(&mut requests[at..], &Limits::default(), &mut spans);
            let refused = |what: String| Refused { at: at as u64, what };
            let len = read.map_err(|e| refused(e.to_string()))?.ok_or(refused("short".into()))?;
            let request = Request::new(spans.iter().map(|span| &requests[at..][span.start..span.end]));
            if !["multi", "exec"].contains(&request.name().as_str())
                && let Some(error) = self.call(&request).as_error()
            {
                return Err(refused(String::from_utf8_lossy(error).into_owned()));
            }
            at += len;
        }
        Ok(())
    }
}

fn recovered(place: &Place) -> (Recovered, State) {
    let mut store = Store::new();
    let options = RecoveryOptions { load_truncated: true };
    let recovered = recover(&disk(), place, options, &mut store).unwrap();
    (recovered, store.state())
}

fn assert_same(ours: &State, theirs: &State) {
    assert_eq!(difference(ours, theirs), None);
    assert!(ours.len() > 3, "there is something to compare");
}

/// Requests that leave keys of different kinds in several databases.
fn fill(target: &mut dyn Target, from: usize) {
    for i in from..from + 40 {
        for line in [
            format!("SELECT {}", i % 3),
            format!("SET key:{i} value:{i}"),
            format!("SET gone:{i} x PX 1"),
            format!("SET later:{i} {} EX 1000", "x".repeat(i * 5)),
            format!("INCRBY counter {i}"),
            "MULTI".to_owned(),
            format!("APPEND text \r\n*{i}"),
            format!("RENAME key:{i} renamed:{}", i / 2),
            "EXEC".to_owned(),
        ] {
            target.say(&line);
        }
    }
    for db in 0..3 {
        target.say(&format!("SELECT {db}"));
        let gone = poll(|| target.say("KEYS gone:*").as_slice().is_some_and(<[Value]>::is_empty));
        assert!(gone, "what is due expires");
    }
    target.say("SELECT 0");
}

/// A log of ours with a base, two increments, transactions and timestamps, and the store it makes.
fn write_log(place: &Place) -> (AppendLog, State) {
    let (recovered, _) = recovered_none(place);
    let options = LogOptions { timestamps: true, keeps: true };
    let mut log = AppendLog::resume(&disk(), place, options, &recovered).unwrap();
    let mut store = Store::new();
    let mut second = 1_700_000_000;
    let mut apply = |log: &mut AppendLog, db: u32, lines: &[&str]| {
        store.say(&format!("SELECT {db}"));
        for line in lines {
            log.append(db, &Request::of(line).encoded());
            if !["MULTI", "EXEC"].contains(line) {
                store.say(line);
            }
        }
        second += 7;
        log.write(second).unwrap();
    };
    apply(&mut log, 1, &["SET before 1", "SET counter 41"]);
    let rewrite = log.rotate(BaseFormat::Aof).unwrap();
    let mut base = NewFile::beside(&disk(), rewrite.path()).unwrap();
    for line in ["SELECT 1", "SET before 1", "SET counter 41"] {
        std::io::Write::write_all(&mut base, &Request::of(line).encoded()).unwrap();
    }
    apply(&mut log, 1, &["INCR counter"]);
    log.install_base(rewrite, base).unwrap();
    drop(log.rotate(BaseFormat::Rdb).unwrap());
    apply(&mut log, 0, &["MULTI", "SET a 1", "SET b 2", "EXEC", "SET later v PXAT 99999999999999"]);
    apply(&mut log, 7, &["SET big #EB:0000000001:0123456789abcdef:000000000000000"]);
    log.sync().unwrap();
    (log, store.state())
}

fn recovered_none(place: &Place) -> (Recovered, State) {
    let (recovered, state) = recovered(place);
    assert!(!recovered.found && state.is_empty());
    (recovered, state)
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn its_tool_and_server_take_our_log_and_we_take_it_back() {
    let folder = Folder::new();
    let place = folder.place();
    let (log, ours) = write_log(&place);
    log.close(1_700_001_000).unwrap();
    let (good, said) = folder.tool(&[], &place.manifest());
    assert!(good && said.contains("All AOF files and manifest are valid"), "{said}");

    let server = folder.server(&[]);
    let mut connection = server.connect().unwrap();
    assert_same(&ours, &contents(&mut connection));
    fill(&mut connection, 0);
    let theirs = contents(&mut connection);
    drop((server, connection));

    let (back, state) = recovered(&place);
    assert!(back.notes.is_empty(), "{:?}", back.notes);
    assert_same(&state, &theirs);
    let (good, said) = folder.tool(&[], &place.manifest());
    assert!(good, "{said}");
    let report = check(&disk(), &place.manifest(), CheckMode::Verify, &mut |_, _| Ok(0)).unwrap();
    assert!(report.is_good(), "{report}");
    // We go on behind it, and it goes on behind us.
    let options = LogOptions { timestamps: false, keeps: true };
    let mut log = AppendLog::resume(&disk(), &place, options, &back).unwrap();
    log.append(3, &Request::of("SET once more").encoded());
    log.close(1).unwrap();
    let server = folder.server(&[]);
    let mut connection = server.connect().unwrap();
    assert_eq!(connection.say("SELECT 3"), Value::Simple(b"OK".to_vec()));
    assert_eq!(connection.say("GET once").as_bytes(), Some(&b"more"[..]));
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn what_it_wrote_behind_a_torn_batch_of_ours_is_never_cut_off() {
    let folder = Folder::new();
    let place = folder.place();
    let (log, _) = write_log(&place);
    drop(log);
    let tail = place.part(recovered(&place).0.manifest.incrs.last().unwrap());
    let bytes = fs::read(&tail).unwrap();
    fs::write(&tail, &bytes[..bytes.len() - 5]).unwrap();

    let server = folder.server(&["--aof-load-truncated", "yes"]);
    let mut connection = server.connect().unwrap();
    fill(&mut connection, 0);
    let theirs = contents(&mut connection);
    drop((server, connection));
    let bytes = fs::read(&tail).unwrap();
    let options = RecoveryOptions { load_truncated: true };
    let error = recover(&disk(), &place, options, &mut Store::new()).unwrap_err();
    assert!(error.file == tail && error.to_string().contains("BGREWRITEAOF"), "{error}");
    assert_eq!(fs::read(&tail).unwrap(), bytes);

    let server = folder.server(&[]);
    rewrite(&mut server.connect().unwrap());
    drop(server);
    assert_same(&recovered(&place).1, &theirs);
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn its_tool_cuts_our_log_at_a_moment_where_we_do() {
    let folders = [Folder::new(), Folder::new()];
    for folder in &folders {
        drop(write_log(&folder.place()));
    }
    // Two batches are in the last file; the second is written seven seconds later.
    let moment = 1_700_000_000 + 3 * 7;
    let (good, said) =
        folders[0].tool(&["--truncate-to-timestamp", &moment.to_string()], &folders[0].place().manifest());
    assert!(good && said.contains("Successfully truncated"), "{said}");
    let manifest = folders[1].place().manifest();
    let report = check(&disk(), &manifest, CheckMode::TruncateTo(moment), &mut |_, _| Ok(0)).unwrap();
    let cut: Vec<_> = report.files.iter().filter(|file| file.cut_bytes > 0).collect();
    assert_eq!(cut.len(), 1, "{report}");
    let name = cut[0].path.file_name().unwrap();
    let [theirs, ours] = [0, 1].map(|i| fs::read(folders[i].place().dir().join(name)).unwrap());
    assert_eq!(theirs, ours);
    assert_same(&recovered(&folders[1].place()).1, &recovered(&folders[0].place()).1);
}

fn info(connection: &mut Connection) -> String {
    let info = connection.say("INFO persistence");
    String::from_utf8_lossy(info.as_bytes().unwrap_or_default()).into_owned()
}

/// Waits until no rewrite runs and the last one succeeded.
fn rewrite(connection: &mut Connection) {
    connection.say("BGREWRITEAOF");
    let done = poll(|| {
        let info = info(connection);
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    });
    assert!(done, "the rewrite ends");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn we_take_its_logs() {
    for preamble in ["yes", "no"] {
        for timestamps in ["yes", "no"] {
            let folder = Folder::new();
            let flags = ["--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled", timestamps];
            let server = folder.server(&flags);
            let mut connection = server.connect().unwrap();
            fill(&mut connection, 0);
            rewrite(&mut connection);
            fill(&mut connection, 20);
            let theirs = contents(&mut connection);
            drop(server);
            let place = folder.place();
            let (approved, _) = folder.tool(&[], &place.manifest());
            let (back, ours) = recovered(&place);
            assert!(back.base_bytes > 0 && back.notes.is_empty(), "{back:?}");
            assert_same(&ours, &theirs);
            let log =
                AppendLog::resume(&disk(), &place, LogOptions { timestamps: false, keeps: true }, &back);
            log.unwrap().close(1).unwrap();
            // The tool of Valkey 9.1 refuses its server's own bases.
            let (good, said) = folder.tool(&[], &place.manifest());
            assert!(good || !approved, "{said}");
            assert_same(&recovered(&place).1, &theirs);
        }
    }
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn we_take_an_old_style_log_and_it_takes_the_upgrade() {
    for preamble in ["yes", "no"] {
        let folder = Folder::new();
        let server = folder.server(&["--aof-use-rdb-preamble", preamble]);
        let mut connection = server.connect().unwrap();
        fill(&mut connection, 0);
        rewrite(&mut connection);
        fill(&mut connection, 20);
        let theirs = contents(&mut connection);
        drop(server);
        // Its base and its increment, one behind the other, are what versions before 7 wrote.
        let place = folder.place();
        let (back, _) = recovered(&place);
        let parts = back.manifest.parts().map(|part| fs::read(place.part(part)).unwrap());
        let old: Vec<u8> = parts.flatten().chain(*b"*2\r\n$3\r\nGET").collect();
        fs::remove_dir_all(place.dir()).unwrap();
        fs::write(place.old_style(), &old).unwrap();
        let (back, ours) = recovered(&place);
        assert!(
            matches!(back.notes[..], [Note::Upgraded(_), Note::Cut { bytes: 11, .. }]),
            "{:?}",
            back.notes
        );
        assert_same(&ours, &theirs);
        let server = folder.server(&[]);
        assert_same(&ours, &contents(&mut server.connect().unwrap()));
    }
}
