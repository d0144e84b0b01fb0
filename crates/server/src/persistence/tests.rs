//! What one server leaves on its disk, the next one finds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use commands::{Host, Reload, Session, Shutdown, execute, find};
use engine::{Options, Store, Turn};
use persist::storage::{Disk, Storage};
use resp::{ArgsBuf, Reply};
use testkit::faulty::{EIO, ENOSPC, FaultyDisk};
use testkit::poll;

use super::{Passage, Persistence, Threads, load, prepare};
use crate::clock;
use crate::config::{self, ConfigStore};
use crate::shared::Shared;

/// A folder of a test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ebbtide-persistence-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server without sockets.
struct Server {
    shared: Arc<Shared>,
    threads: Threads,
    turn: Turn,
}

impl Server {
    fn start(folder: &Path, directives: &[&str]) -> Server {
        Server::start_on(Arc::new(Disk), folder, directives)
    }

    /// The same with its files on `storage`.
    fn start_on(storage: Arc<dyn Storage>, folder: &Path, directives: &[&str]) -> Server {
        let dir = ["--dir", folder.to_str().unwrap()];
        let args = dir.iter().chain(directives).map(OsString::from);
        let config = Arc::new(ConfigStore::new(config::load(args).unwrap()));
        let store = Store::new(&Options { databases: 16, secret: 7, groups: 2 });
        let shared = Arc::new(Shared::on(storage, store, config, 1).unwrap());
        prepare(&shared).unwrap();
        let log = load(&shared).unwrap();
        let threads = Persistence::begin(&shared, log).unwrap();
        Server { shared, threads, turn: Turn::new(clock::now_ms(), 1) }
    }

    /// Runs `line` as a worker does; the reply.
    fn run(&mut self, line: &str) -> String {
        let args: ArgsBuf = line.split(' ').collect();
        let (mut session, mut reply) = (Session::new(1, true), Reply::new());
        // Effects get their numbers while nobody else can change anything.
        let order = self.shared.store.order();
        self.turn.log = order.is_wanted();
        self.turn.now_ms = clock::now_ms();
        let _ =
            execute(&self.shared.store, &mut self.turn, &mut session, &*self.shared, args.args(), &mut reply);
        self.turn.seal(order);
        self.shared.add_dirty(std::mem::take(&mut self.turn.dirty));
        if !self.turn.effects.is_empty() {
            self.shared.persistence.log.pipe.send(0, &mut self.turn.effects);
        }
        String::from_utf8_lossy(reply.bytes()).trim_end().to_owned()
    }

    fn end(self) {
        self.shared.shut_down(Shutdown::default()).unwrap();
        self.threads.end(&self.shared).unwrap();
    }

    /// Whether a write would be refused for the log's sake.
    fn refuses_writes(&self) -> bool {
        let set = find(b"set").unwrap();
        matches!(self.shared.persistence.gate.passage(set), Passage::Refused(_))
    }

    fn set(&mut self, name: &str, value: &str) {
        self.shared.config.set(&[(name.as_bytes(), value.as_bytes())], true).unwrap();
    }
}

#[test]
fn a_disk_that_fails_refuses_writes_until_it_is_well() {
    let folder = Folder::new("disk");
    let disk = FaultyDisk::new();
    let directories: Vec<&Path> = folder.0.ancestors().collect();
    for pair in directories.windows(2).rev() {
        disk.storage().create_dir(pair[0]).unwrap();
        disk.storage().sync_dir(pair[1]).unwrap();
    }
    let directives = ["--appendonly", "yes", "--save", "", "--appendfsync", "always"];
    let mut server = Server::start_on(disk.storage(), &folder.0, &directives);
    server.run("SET a 1");
    for error in [ENOSPC, EIO] {
        disk.set_failing(Some(error));
        server.run(&format!("SET during{error} 1"));
        assert!(poll(|| server.refuses_writes()));
        let before = server.shared.persistence.log.synced();
        assert!(before < server.shared.store.order().taken(), "what failed does not count as done");
        disk.set_failing(None);
        assert!(poll(|| !server.refuses_writes()));
    }
    server.run("SET b 1");
    let log = &server.shared.persistence.log;
    assert!(poll(|| log.synced() == server.shared.store.order().taken()));
    let crashed = disk.after_crash(7);
    server.end();

    let mut server = Server::start_on(crashed.storage(), &folder.0, &directives);
    assert_eq!(server.run("EXISTS a during28 during5 b"), ":4");
    server.end();
}

#[test]
fn the_log_brings_everything_back() {
    let folder = Folder::new("log");
    let directives = ["--appendonly", "yes", "--save", "", "--appendfsync", "always"];
    let mut server = Server::start(&folder.0, &directives);
    for i in 0..300 {
        server.run(&format!("SET key:{i} value:{i}"));
        server.run(&format!("INCRBY counter {i}"));
    }
    server.run("EXPIRE key:7 1000");
    server.run("DEL key:8 key:9");
    assert_eq!(server.run("RENAME key:10 other"), "+OK");
    server.end();

    let mut server = Server::start(&folder.0, &directives);
    assert_eq!(server.run("DBSIZE"), ":299");
    assert_eq!(server.run("GET counter"), "$5\r\n44850");
    assert_eq!(server.run("GET other"), "$8\r\nvalue:10");
    assert!([":999", ":1000"].contains(&server.run("TTL key:7").as_str()));
    assert_eq!(server.run("BGREWRITEAOF"), "+Background append only file rewriting started");
    server.shared.persistence.jobs.wait();
    assert_eq!(server.shared.persistence.rewrites.failures.get(), 0);
    server.run("SET after rewrite");
    server.end();

    let mut server = Server::start(&folder.0, &directives);
    assert_eq!((server.run("DBSIZE"), server.run("GET after")), (":300".into(), "$7\r\nrewrite".into()));
    server.end();
}

#[test]
fn a_snapshot_brings_everything_back_and_a_log_begins_with_it() {
    let folder = Folder::new("snapshot");
    let mut server = Server::start(&folder.0, &["--appendonly", "no"]);
    server.run("MSET a 1 b two");
    server.run("SET short lived PX 1");
    assert_eq!(server.shared.dirty(), 3);
    server.end();

    let mut server = Server::start(&folder.0, &["--appendonly", "yes"]);
    assert_eq!((server.run("DBSIZE"), server.run("GET b")), (":2".into(), "$3\r\ntwo".into()));
    server.run("SET c 3");
    server.end();
    std::fs::remove_file(folder.0.join("dump.rdb")).unwrap();

    let mut server = Server::start(&folder.0, &["--appendonly", "yes"]);
    assert_eq!(server.run("DBSIZE"), ":3");
    server.end();
}

#[test]
fn the_log_is_switched_on_and_off() {
    let folder = Folder::new("switch");
    let mut server = Server::start(&folder.0, &["--appendonly", "no", "--save", ""]);
    server.run("SET before 1");
    server.set("appendonly", "yes");
    server.shared.persistence.jobs.wait();
    assert!(server.shared.persistence.log.is_on() && !server.shared.persistence.log.is_starting());
    server.run("SET during 2");
    server.set("appendonly", "no");
    server.run("SET after 3");
    server.end();

    let mut server = Server::start(&folder.0, &["--appendonly", "yes", "--save", ""]);
    assert_eq!((server.run("DBSIZE"), server.run("GET during")), (":2".into(), "$1\r\n2".into()));
    server.end();
}

#[test]
fn a_rewrite_without_a_log_makes_a_base_alone() {
    let folder = Folder::new("alone");
    let mut server = Server::start(&folder.0, &["--appendonly", "no", "--save", ""]);
    let manifest = folder.0.join("appendonlydir/appendonly.aof.manifest");
    for number in 1..3 {
        server.run(&format!("SET key:{number} 1"));
        assert_eq!(server.run("BGREWRITEAOF"), "+Background append only file rewriting started");
        server.shared.persistence.jobs.wait();
        let manifest = std::fs::read_to_string(&manifest).unwrap();
        let base = format!("file appendonly.aof.{number}.base.rdb seq {number} type b\n#EB:");
        assert!(manifest.starts_with(&base), "{manifest}");
    }
    server.run("SET later 1");
    server.end();
    assert_eq!(
        std::fs::read_dir(folder.0.join("appendonlydir")).unwrap().count(),
        2,
        "what was before is gone"
    );
    let mut server = Server::start(&folder.0, &["--appendonly", "yes", "--save", ""]);
    assert_eq!(server.run("DBSIZE"), ":2");
    server.end();
}

#[test]
fn data_is_reloaded() {
    let folder = Folder::new("reload");
    let mut server = Server::start(&folder.0, &["--appendonly", "yes", "--save", ""]);
    server.run("SET a 1");
    let reload = |server: &Server, save, flush, merge| {
        server.shared.reload(Reload { save, flush, merge }).map_err(|error| error.to_string())
    };
    reload(&server, true, true, false).unwrap();
    server.run("SET b 2");
    assert!(reload(&server, false, false, false).is_err(), "a is there twice");
    reload(&server, false, false, true).unwrap();
    assert_eq!(server.run("DBSIZE"), ":2");
    reload(&server, false, true, false).unwrap();
    assert_eq!(server.run("DBSIZE"), ":1");
    server.shared.load_log().unwrap();
    assert_eq!((server.run("DBSIZE"), server.run("GET b")), (":2".into(), "$1\r\n2".into()));
    assert!(server.shared.persistence.gate.is_open());
    server.end();
}

#[test]
fn a_snapshot_that_fails_stops_writes_until_one_succeeds() {
    let folder = Folder::new("failing");
    let mut server = Server::start(&folder.0, &["--appendonly", "no", "--save", "3600 1"]);
    server.run("SET a 1");
    // A directory in the file's place cannot be replaced.
    std::fs::create_dir_all(folder.0.join("dump.rdb/x")).unwrap();
    server.run("BGSAVE");
    server.shared.persistence.jobs.wait();
    assert!(!server.shared.persistence.gate.is_open() && server.shared.dirty() == 1);
    server.set("stop-writes-on-bgsave-error", "no");
    assert!(server.shared.persistence.gate.is_open());
    server.set("stop-writes-on-bgsave-error", "yes");
    assert_eq!(server.run("SAVE"), "-ERR");
    let refused = server.shared.shut_down(Shutdown::default()).unwrap_err();
    assert_eq!(refused.to_string(), "ERR Errors trying to SHUTDOWN. Check logs.");
    std::fs::remove_dir_all(folder.0.join("dump.rdb")).unwrap();
    assert_eq!(server.run("SAVE"), "+OK");
    assert!(server.shared.persistence.gate.is_open() && server.shared.dirty() == 0);
    server.end();
}

#[test]
fn a_second_server_does_not_get_the_directory() {
    let folder = Folder::new("claim");
    let server = Server::start(&folder.0, &[]);
    let args = ["--dir", folder.0.to_str().unwrap()].map(OsString::from);
    let config = Arc::new(ConfigStore::new(config::load(args).unwrap()));
    let store = Store::new(&Options { databases: 1, secret: 7, groups: 1 });
    let other = Shared::new(store, config, 1).unwrap();
    assert!(prepare(&other).unwrap_err().to_string().starts_with("Another server uses the data directory"));
    server.end();
}

#[test]
fn no_job_begins_while_they_are_held() {
    let folder = Folder::new("held");
    let mut server = Server::start(&folder.0, &["--appendonly", "no", "--save", "3600 1"]);
    server.shared.persistence.jobs.hold(true);
    assert_eq!(server.run("BGSAVE"), "-ERR");
    assert_eq!(server.run("SAVE"), "+OK", "whoever holds them saves");
    server.shared.persistence.jobs.hold(false);
    assert_eq!(server.run("BGSAVE"), "+Background saving started");
    server.shared.persistence.jobs.wait();
    assert!(server.shared.persistence.saves.last_ok());
    server.end();
}
