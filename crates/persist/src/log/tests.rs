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
const SELECT_0: &str = "*2 $6 select $1 0";

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
    assert_eq!(heard, [format!("{SELECT_0} {ping} {ping}"), format!("*2 $6 select $1 9 {ping}")]);
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
    drop(log.rotate(BaseFormat::Rdb).unwrap());
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

fn snapshot_of_12(_: &Path, input: &mut dyn Read) -> Result<u64, Refused> {
    Heard::default().snapshot(Path::new(""), input)
}

impl Bench {
    fn check(&self, name: &str, mode: CheckMode) -> Result<Report, RecoveryError> {
        check(&self.disk, &self.file(name), mode, &mut snapshot_of_12)
    }

    /// A log with a base and these incremental files.
    fn with(incrs: &[&[u8]]) -> Bench {
        let bench = Bench::new();
        let mut manifest = String::from("file b.rdb seq 1 type b\n");
        bench.put("b.rdb", "REDIS0011old");
        for (seq, bytes) in (1..).zip(incrs) {
            manifest += &format!("file i{seq} seq {seq} type i\n");
            bench.put(&format!("i{seq}"), bytes);
        }
        bench.put("appendonly.aof.manifest", manifest);
        bench
    }
}

const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
const SET_TEXT: &str = "*3 $3 SET $1 k $1 v";
const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

#[test]
fn a_log_of_redis_is_read_and_gone_on_with_in_a_file_of_ours() {
    let incr =
        [b"#TS:5\r\n", SET, b"#any other annotation\r\n", MULTI, SET, b"#TS:6\r\n", EXEC, SET].concat();
    let bench = Bench::with(&[&incr, SET]);
    let transaction = format!("*1 $5 MULTI {SET_TEXT} *1 $4 EXEC {SET_TEXT}");
    assert_eq!(bench.heard(), ["REDIS0011old", SET_TEXT, &transaction, SET_TEXT]);
    let mut log = bench.resume();
    log.append(0, PING);
    save(&mut log);
    drop(log);
    assert_eq!(fs::read(bench.file("i2")).unwrap(), SET, "nothing is appended behind what Redis wrote");
    assert_eq!(bench.heard().len(), 5);
    let names = ["appendonly.aof.3.incr.aof", "appendonly.aof.manifest", "b.rdb", "i1", "i2"];
    assert_eq!(bench.names(), names);
    let report = bench.check("appendonly.aof.manifest", CheckMode::Verify).unwrap();
    assert!(report.is_good(), "{report}");
    let counts: Vec<_> = report.files.iter().map(|f| (f.requests, f.batches, f.seconds)).collect();
    assert_eq!(counts, [(0, 0, None), (5, 0, Some((5, 5))), (1, 0, None), (2, 2, None)]);
}

#[test]
fn what_redis_appends_to_a_file_of_ours_is_read_and_left_alone() {
    let bench = Bench::new();
    let mut log = bench.resume();
    log.append(0, PING);
    save(&mut log);
    drop(log);
    let ours = bench.file("appendonly.aof.1.incr.aof");
    let mixed = [&fs::read(&ours).unwrap()[..], b"#TS:7\r\n", SET, SET].concat();
    fs::write(&ours, &mixed).unwrap();
    assert_eq!(bench.heard()[1..], [format!("{SET_TEXT} {SET_TEXT}")]);
    let log = bench.resume();
    drop(log);
    assert_eq!(fs::read(&ours).unwrap(), mixed);
    assert!(bench.names().contains(&"appendonly.aof.2.incr.aof".to_owned()));
}

#[test]
fn damage_behind_a_batch_is_located_where_the_batch_ends() {
    for damage in [&b"#TS:7\r\n*1\r#"[..], b"#TS:7\r\n", b"*1\r#", b"*1\r", b"#TS:7\r\n*1\r\n$4"] {
        let bench = Bench::new();
        bench.resume().close(1).unwrap();
        let path = bench.file("appendonly.aof.1.incr.aof");
        let good = fs::read(&path).unwrap();
        fs::write(&path, [&good, damage].concat()).unwrap();
        assert_eq!(bench.recover(STRICT).unwrap_err().offset, Some(good.len() as u64));
        bench.check("appendonly.aof.manifest", CheckMode::Fix).unwrap();
        assert_eq!(fs::read(&path).unwrap(), good);
        bench.recover(STRICT).unwrap();
    }
}

#[test]
fn a_tail_that_redis_left_short_is_cut_when_that_is_allowed() {
    let tails = [
        (&SET[..SET.len() - 1], "the file ends within a request"),
        (b"*", "the file ends within a request"),
        (b"#TS:", "the file ends within a request"),
        (&[MULTI, SET].concat(), "a transaction has no EXEC"),
        (&[MULTI, SET, b"#TS:9\r\n", SET, b"*1\r"].concat(), "a transaction has no EXEC"),
    ];
    for (tail, what) in tails {
        let bench = Bench::with(&[SET, &[SET, tail].concat()]);
        let error = bench.recover(STRICT).unwrap_err();
        assert_eq!((error.file.clone(), error.offset), (bench.file("i2"), Some(SET.len() as u64)));
        let mend = format!("ebbtide check aof --fix {}", bench.place.manifest().display());
        assert!(error.to_string().contains(&mend) && error.what.contains(what), "{error}");
        let report = bench.check("appendonly.aof.manifest", CheckMode::Verify).unwrap();
        assert_eq!(report.to_cut(), Some((&*bench.file("i2"), tail.len() as u64)), "{report}");
        let (recovered, heard) = bench.recover(LENIENT).unwrap();
        assert_eq!(heard, ["REDIS0011old", SET_TEXT, SET_TEXT]);
        let (file, offset, bytes) = (bench.file("i2"), SET.len() as u64, tail.len() as u64);
        assert_eq!(recovered.notes, [Note::Cut { file, offset, bytes, what }]);
        assert_eq!(fs::read(bench.file("i2")).unwrap(), SET);
        bench.recover(STRICT).unwrap();
    }
}

#[test]
fn what_no_crash_explains_is_refused_and_mended_only_when_asked() {
    let bad =
        [&b"x"[..], b"*1\r\n$4\r\nPINGxx", EXEC, &[MULTI, MULTI].concat(), b"\0\0\0", b"#EB:", b"*0\r\n"];
    for bytes in bad {
        let bench = Bench::with(&[&[SET, bytes, SET].concat()]);
        let error = bench.recover(LENIENT).unwrap_err();
        assert_eq!((error.offset, error.mend.is_some()), (Some(SET.len() as u64), true), "{error}");
        let report = bench.check("appendonly.aof.manifest", CheckMode::Fix).unwrap();
        assert_eq!(report.files[1].cut_bytes, (bytes.len() + SET.len()) as u64, "{report}");
        assert_eq!(bench.heard(), ["REDIS0011old", SET_TEXT]);
    }
}

#[test]
fn a_file_that_is_not_the_last_must_be_whole() {
    for damage in [&b"x"[..], b"*1\r\n$4\r\nPI"] {
        let bench = Bench::with(&[&[SET, damage].concat(), SET]);
        let error = bench.recover(LENIENT).unwrap_err();
        assert_eq!((error.file.clone(), error.offset), (bench.file("i1"), Some(SET.len() as u64)));
        assert!(error.mend.is_none() && error.what.contains("not the last file"), "{error}");
        let error = bench.check("appendonly.aof.manifest", CheckMode::Fix).unwrap_err();
        assert!(error.what.contains("not the last file"), "{error}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let bench = Bench::with(&[SET]);
    fs::remove_file(bench.file("i1")).unwrap();
    assert_eq!(bench.recover(LENIENT).unwrap_err().file, bench.file("i1"));
    let bench = Bench::new();
    bench.put("appendonly.aof.7.incr.aof", SET);
    let error = bench.recover(LENIENT).unwrap_err();
    assert_eq!(error.file, bench.place.manifest());
    assert!(error.what.contains("appendonly.aof.7.incr.aof"), "{error}");
}

#[test]
fn what_cannot_be_run_is_located() {
    let bench = Bench::with(&[&[SET, b"*1\r\n$3\r\nBAD\r\n"].concat()]);
    let error = bench.recover(LENIENT).unwrap_err();
    assert_eq!((error.file.clone(), error.mend.clone()), (bench.file("i1"), None));
    assert_eq!(error.what, "unknown command");
}

#[test]
fn an_old_style_log_becomes_the_base() {
    for preamble in [&b""[..], b"REDIS0009old"] {
        let bench = Bench::new();
        let old = bench.folder.join("appendonly.aof");
        fs::write(&old, [preamble, SET, &SET[..7]].concat()).unwrap();
        let (recovered, heard) = bench.recover(LENIENT).unwrap();
        assert_eq!(heard.last().unwrap(), SET_TEXT);
        assert_eq!(heard.len(), 1 + usize::from(!preamble.is_empty()));
        assert_eq!(recovered.notes[0], Note::Upgraded(bench.file("appendonly.aof")));
        assert!(matches!(recovered.notes[1], Note::Cut { bytes: 7, .. }));
        assert!(!old.exists());
        let mut log = AppendLog::resume(&bench.disk, &bench.place, OPTIONS, &recovered).unwrap();
        log.append(0, PING);
        log.close(1).unwrap();
        // Another file of that name is another matter.
        fs::write(&old, "not looked at").unwrap();
        assert_eq!(bench.heard().len(), heard.len() + 1);
        assert!(old.exists());
    }
}

#[test]
fn an_upgrade_that_was_interrupted_is_done_again() {
    let bench = Bench::new();
    fs::write(bench.folder.join("appendonly.aof"), SET).unwrap();
    bench.put("appendonly.aof.manifest", "file appendonly.aof seq 1 type b\n");
    assert_eq!(bench.heard(), [SET_TEXT]);
    assert!(!bench.folder.join("appendonly.aof").exists());
}

#[test]
fn files_left_unfinished_are_removed_and_others_are_not() {
    let bench = Bench::with(&[SET]);
    let unfinished =
        ["temp-appendonly.aof.manifest", "temp-appendonly.aof.incr", "temp-7-appendonly.aof.2.base.rdb"];
    let others = ["temp-other.aof.incr", "temp-", "appendonly.aof.9.incr.aof", "temp-7-notes.txt"];
    unfinished.iter().chain(&others).for_each(|name| bench.put(name, "x"));
    for name in
        ["temp-rewriteaof-bg-17.aof", "temp-rewriteaof-17.aof", "temp-17.rdb", "temp-rewriteaof-x.aof"]
    {
        fs::write(bench.folder.join(name), "x").unwrap();
    }
    let (recovered, _) = bench.recover(STRICT).unwrap();
    assert_eq!(recovered.notes.len(), 5, "{:?}", recovered.notes);
    let mut left: Vec<_> = others.iter().copied().chain(["appendonly.aof.manifest", "b.rdb", "i1"]).collect();
    left.sort_unstable();
    assert_eq!(bench.names(), left);
    assert!(bench.folder.join("temp-17.rdb").exists() && bench.folder.join("temp-rewriteaof-x.aof").exists());
}

#[test]
fn a_log_is_cut_off_at_a_moment() {
    let bench = Bench::new();
    let (recovered, _) = bench.recover(STRICT).unwrap();
    let options = LogOptions { timestamps: true, ..OPTIONS };
    let mut log = AppendLog::resume(&bench.disk, &bench.place, options, &recovered).unwrap();
    for second in [10, 10, 11, 20] {
        log.append(0, PING);
        log.write(second).unwrap();
    }
    log.close(20).unwrap();
    let manifest = "appendonly.aof.manifest";
    let report = bench.check(manifest, CheckMode::TruncateTo(20)).unwrap();
    assert_eq!((report.files[0].seconds, report.files[0].cut_bytes), (Some((10, 20)), 0));
    let report = bench.check(manifest, CheckMode::TruncateTo(11)).unwrap();
    assert!(report.is_good() && report.files[0].cut_bytes > 0, "{report}");
    assert_eq!(bench.heard().len(), 3);
    assert_eq!(bench.check(manifest, CheckMode::Verify).unwrap().files[0].seconds, Some((10, 11)));
    // What Redis wrote, by the rules of redis-check-aof.
    let bench = Bench::with(&[&[b"#TS:10\r\n", SET, b"#TS:12\r\n", SET].concat()]);
    bench.check(manifest, CheckMode::TruncateTo(11)).unwrap();
    assert_eq!(bench.heard(), ["REDIS0011old", SET_TEXT]);
    assert!(bench.check("i1", CheckMode::TruncateTo(9)).unwrap_err().what.contains("nothing would be left"));
}

#[test]
fn a_flipped_bit_is_found_and_nothing_behind_it_is_replayed() {
    let bench = Bench::new();
    let (recovered, _) = bench.recover(STRICT).unwrap();
    let options = LogOptions { timestamps: true, ..OPTIONS };
    let mut log = AppendLog::resume(&bench.disk, &bench.place, options, &recovered).unwrap();
    for second in 1..4 {
        log.append(0, SET);
        log.write(second).unwrap();
        log.sync().unwrap();
    }
    log.close(4).unwrap();
    let path = bench.file("appendonly.aof.1.incr.aof");
    let good = fs::read(&path).unwrap();
    let (first, mark) = (49 + 7, good.len() as u64 - 49);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bad).unwrap();
        let mut heard = Heard::default();
        let error = recover(&bench.disk, &bench.place, STRICT, &mut heard).unwrap_err();
        // A file whose mark is damaged is taken for one of Redis, up to the first batch.
        let located = error.offset.unwrap() <= (bit as u64 / 8).max(first);
        assert!(located && heard.0.len() <= 3, "bit {bit}: {error}");
        // The last mark was never synced. All else was, and the mark says so.
        let torn = recover(&bench.disk, &bench.place, LENIENT, &mut Heard::default());
        assert_eq!(torn.is_ok(), bit as u64 / 8 >= mark, "bit {bit}: {error}");
    }
}

#[test]
fn a_batch_that_redis_cut_short_and_went_on_behind_is_refused() {
    let bench = Bench::new();
    let mut log = bench.resume();
    (0..3).for_each(|_| log.append(0, SET));
    save(&mut log);
    drop(log);
    let path = bench.file("appendonly.aof.1.incr.aof");
    let good = fs::read(&path).unwrap();
    let cut = &good[..good.len() - SET.len()];
    let theirs = [b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", PING].concat();
    fs::write(&path, [cut, &theirs].concat()).unwrap();
    let error = bench.recover(LENIENT).unwrap_err();
    assert!(error.offset == Some(49) && error.what.contains("BGREWRITEAOF"), "{error}");
    // Without a sign of Redis it is a tail as a crash leaves it.
    fs::write(&path, [cut, PING].concat()).unwrap();
    assert_eq!(bench.recover(LENIENT).unwrap().0.notes.len(), 1);
}

#[test]
fn the_documents_example_is_what_is_written() {
    let document = include_str!("../../../../docs/append-log.md");
    let (_, rest) = document.split_once("```text\n").unwrap();
    let example = rest.split_once("```").unwrap().0.replace('\n', "\r\n");
    let bench = Bench::new();
    let (recovered, _) = bench.recover(STRICT).unwrap();
    let options = LogOptions { timestamps: true, ..OPTIONS };
    let mut log = AppendLog::resume(&bench.disk, &bench.place, options, &recovered).unwrap();
    log.append(0, b"*3\r\n$3\r\nSET\r\n$8\r\ngreeting\r\n$5\r\nhello\r\n");
    log.write(1_700_000_000).unwrap();
    assert_eq!(fs::read_to_string(bench.file("appendonly.aof.1.incr.aof")).unwrap(), example);
}

#[test]
fn what_was_recovered_is_known_to_be_safe_from_then_on() {
    let bench = Bench::new();
    let mut log = bench.resume();
    log.append(0, SET);
    save(&mut log);
    drop(log);
    let path = bench.file("appendonly.aof.1.incr.aof");
    let flipped = || {
        let mut bytes = fs::read(&path).unwrap();
        bytes[110] ^= 1;
        fs::write(&path, &bytes).unwrap();
        bytes.len()
    };
    let before = flipped();
    assert!(
        bench.check("appendonly.aof.manifest", CheckMode::Verify).unwrap().files[0]
            .problem
            .clone()
            .unwrap()
            .torn
    );
    flipped();
    drop(bench.resume());
    assert_eq!(flipped(), before + 49);
    assert!(bench.recover(LENIENT).is_err());
    flipped();
    drop(bench.resume());
    assert_eq!(flipped(), before + 49, "once is enough");
}

#[test]
fn a_file_the_manifest_does_not_name_is_not_overwritten() {
    let bench = Bench::new();
    let mut log = bench.resume();
    let names = ["appendonly.aof.2.incr.aof", "appendonly.aof.1.base.rdb"];
    names.iter().for_each(|name| bench.put(name, "somebody's"));
    let rewrite = log.rotate(BaseFormat::Rdb).unwrap();
    let base = bench.base(&rewrite);
    log.install_base(rewrite, base).unwrap();
    save(&mut log);
    names.iter().for_each(|name| assert_eq!(fs::read(bench.file(name)).unwrap(), b"somebody's"));
    let named = ["appendonly.aof.2.base.rdb", "appendonly.aof.3.incr.aof"];
    assert!(bench.names().iter().filter(|name| named.contains(&name.as_str())).count() == 2);
}

#[test]
fn a_rewrite_that_began_before_the_log_broke_is_not_its_end() {
    let bench = Bench::new();
    let mut log = bench.resume();
    let before = log.rotate(BaseFormat::Rdb).unwrap();
    let also_before = log.rotate(BaseFormat::Rdb).unwrap();
    fs::remove_file(bench.file("appendonly.aof.3.incr.aof")).unwrap();
    log.append(0, PING);
    log.write(1).unwrap();
    log.sync().unwrap_err();
    assert_eq!(log.state(), State::Broken);
    log.install_base(also_before, bench.base(&before)).unwrap_err();
    let after = log.rotate(BaseFormat::Rdb).unwrap();
    log.install_base(before, bench.base(&after)).unwrap_err();
    assert_eq!(log.state(), State::Broken);
    log.append(0, SET);
    let base = bench.base(&after);
    log.install_base(after, base).unwrap();
    save(&mut log);
    assert_eq!(log.state(), State::On);
    assert_eq!(bench.heard(), ["REDIS0011new".to_owned(), format!("{SELECT_0} {SET_TEXT}")]);
}
