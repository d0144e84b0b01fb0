//! The log as a whole, on the real disk. What a crash leaves and what a failing disk does is tested in testkit.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::storage::{Disk, NewFile, Storage};

/// A log in a folder of the test's own, removed with it.
struct Bench {
    folder: PathBuf,
    disk: Arc<dyn Storage>,
    place: Place,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What was replayed, as text: `(snapshot)` or requests.
#[derive(Default)]
struct Heard(Vec<String>);

impl Replay for Heard {
    fn snapshot(&mut self, _: &Path, input: &mut dyn Read) -> Result<u64, Refused> {
        let mut text = [0; 12];
        input.read_exact(&mut text).map_err(|e| Refused { at: 0, what: e.to_string() })?;
        self.0.push(String::from_utf8_lossy(&text).into());
        Ok(text.len() as u64)
    }

    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused> {
        let text = String::from_utf8_lossy(requests).replace("\r\n", " ");
        match text.find("BAD") {
            Some(at) => Err(Refused { at: at as u64, what: "unknown command".into() }),
            None => {
                self.0.push(text.trim_end().into());
                Ok(())
            }
        }
    }
}

const OPTIONS: LogOptions = LogOptions { timestamps: false, keeps: true };
const LENIENT: RecoveryOptions = RecoveryOptions { load_truncated: true };
const STRICT: RecoveryOptions = RecoveryOptions { load_truncated: false };
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const SELECT_0: &str = "*2 $6 SELECT $1 0";

impl Bench {
    fn new() -> Bench {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ebbtide-log-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let place = Place::new(&folder, "appendonlydir", "appendonly.aof");
        Bench { folder, disk: Arc::new(Disk), place }
    }

    fn recover(&self, options: RecoveryOptions) -> Result<(Recovered, Vec<String>), RecoveryError> {
        let mut heard = Heard::default();
        let recovered = recover(&self.disk, &self.place, options, &mut heard)?;
        Ok((recovered, heard.0))
    }

    fn resume(&self) -> AppendLog {
        let (recovered, _) = self.recover(STRICT).unwrap();
        AppendLog::resume(&self.disk, &self.place, OPTIONS, &recovered).unwrap()
    }

    fn heard(&self) -> Vec<String> {
        self.recover(STRICT).unwrap().1
    }

    fn names(&self) -> Vec<String> {
        let names = self.disk.list(self.place.dir()).unwrap();
        let mut names: Vec<_> = names.into_iter().map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.dir().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.place.dir()).unwrap();
        fs::write(self.file(name), bytes).unwrap();
    }

    fn base(&self, rewrite: &Rewrite) -> NewFile {
        let mut file = NewFile::beside(&self.disk, rewrite.path()).unwrap();
        file.write_all(b"REDIS0011new").unwrap();
        file
    }
}

fn save(log: &mut AppendLog) {
    log.write(1).unwrap();
    log.sync().unwrap();
}

#[test]
fn what_was_appended_comes_back_batch_by_batch() {
    let bench = Bench::new();
    let mut log = bench.resume();
    log.append(0, PING);
    log.append(0, PING);
    save(&mut log);
    log.append(9, PING);
    save(&mut log);
    log.append(9, PING);
    drop(log);
    let ping = "*1 $4 PING";
    let (recovered, heard) = bench.recover(STRICT).unwrap();
    assert_eq!(heard, [format!("{SELECT_0} {ping} {ping}"), format!("*2 $6 SELECT $1 9 {ping}")]);
    assert!(recovered.found && recovered.notes.is_empty());
    let mut log = bench.resume();
    log.append(9, PING);
    log.close(2).unwrap();
    assert_eq!(bench.heard().len(), 3);
    assert_eq!(bench.names(), ["appendonly.aof.1.incr.aof", "appendonly.aof.manifest"]);
}

#[test]
fn a_rewrite_replaces_what_came_before_it() {
    let bench = Bench::new();
    let mut log = bench.resume();
    log.append(0, PING);
    let rewrite = log.rotate(BaseFormat::Rdb).unwrap();
    log.append(0, PING);
    save(&mut log);
    assert_eq!(bench.heard().len(), 2);
    let rewrite = log.rotate(BaseFormat::Rdb).unwrap();
    let base = bench.base(&rewrite);
    let before = log.sizes();
    log.install_base(rewrite, base).unwrap();
    assert!(log.sizes().current_bytes < before.current_bytes);
    assert_eq!(log.sizes().base_bytes, log.sizes().current_bytes);
    save(&mut log);
    assert_eq!(log.take_removed().len(), 2);
    assert_eq!(bench.heard(), ["REDIS0011new"]);
    assert_eq!(
        bench.names(),
        ["appendonly.aof.1.base.rdb", "appendonly.aof.3.incr.aof", "appendonly.aof.manifest"]
    );
}
