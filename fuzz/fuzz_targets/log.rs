//! Any bytes in a log's file, alone or over some of a good one: it is recovered or refused, what is handed over are
//! whole requests, looking at it and mending it agree with recovering it, and no panic.

#![no_main]

use std::io::Read;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use persist::log::{
    AppendLog, CheckMode, LogOptions, Place, Recovered, RecoveryOptions, Refused, Replay, check, recover,
};
use persist::storage::Open;
use resp::{Limits, Parser};
use testkit::faulty::FaultyDisk;

/// All requests that were handed over.
#[derive(Default, PartialEq, Debug)]
struct Heard(Vec<u8>);

impl Replay for Heard {
    fn snapshot(&mut self, _: &Path, _: &mut dyn Read) -> Result<u64, Refused> {
        Err(Refused { at: 0, what: "no snapshot".into() })
    }

    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused> {
        self.0.extend_from_slice(requests);
        Ok(())
    }
}

fn place() -> Place {
    Place::new(Path::new("/"), "d", "a")
}

fn try_recover(disk: &FaultyDisk, load_truncated: bool) -> Option<(Recovered, Heard)> {
    let mut heard = Heard::default();
    let recovered = recover(&disk.storage(), &place(), RecoveryOptions { load_truncated }, &mut heard);
    recovered.ok().map(|recovered| (recovered, heard))
}

/// A log of a few batches.
fn good() -> (FaultyDisk, PathBuf) {
    let disk = FaultyDisk::new();
    let options = LogOptions { timestamps: true, keeps: true };
    let (recovered, _) = try_recover(&disk, false).expect("an empty disk has no log");
    let mut log = AppendLog::resume(&disk.storage(), &place(), options, &recovered).expect("no disk fails");
    for second in 1..4 {
        log.append(0, b"*1\r\n$4\r\nPING\r\n");
        log.write(second).expect("no disk fails");
        log.sync().expect("no disk fails");
    }
    log.close(4).expect("no disk fails");
    (disk, place().dir().join("a.1.incr.aof"))
}

/// Puts `bytes` over what is at `offset` of the file at `path`, and perhaps cuts it there.
fn damage(disk: &FaultyDisk, path: &Path, offset: u64, bytes: &[u8], cut: bool) {
    let mut file = disk.storage().open(path, Open::Append).expect("it is there");
    let offset = offset.min(file.len().expect("it has a length"));
    if cut {
        file.truncate(offset).expect("no disk fails");
    }
    file.write_at(bytes, offset).expect("no disk fails");
}

fn assert_whole_requests(mut bytes: Vec<u8>) {
    let (mut rest, mut spans) = (bytes.as_mut_slice(), vec![]);
    let limits = Limits { bulk_bytes_max: usize::MAX >> 1, ..Limits::default() };
    while !rest.is_empty() {
        spans.clear();
        let read = Parser::default().next(rest, &limits, &mut spans);
        let len = read.expect("they are requests").expect("they are whole");
        rest = &mut rest[len..];
    }
}

fuzz_target!(|data: &[u8]| {
    let [flags, offset, bytes @ ..] = data else { return };
    let (disk, path) = good();
    damage(&disk, &path, u64::from(*offset) * u64::from(flags & 1), bytes, flags & 2 != 0);
    let manifest = place().manifest();
    let look = |mode| check(&disk.storage(), &manifest, mode, &mut |_, _| Ok(0));
    let report = look(CheckMode::Verify).expect("the files are there");
    let strict = try_recover(&disk, false);
    // What fits its checksum is handed over unread.
    let read = report.files.iter().all(|file| file.checked_bytes < file.bytes || file.problem.is_none());
    if read {
        assert_eq!(report.is_good(), strict.is_some(), "{report}");
    }
    if let Some((_, heard)) = try_recover(&disk, true) {
        assert_whole_requests(heard.0.clone());
        assert!(strict.is_none_or(|(_, all)| all == heard));
        let (again, same) = try_recover(&disk, false).expect("what was torn is cut off");
        assert!(again.notes.is_empty());
        assert_eq!(same, heard);
    } else if look(CheckMode::Fix).is_ok() {
        let (_, heard) = try_recover(&disk, false).expect("it was mended");
        assert_whole_requests(heard.0);
    }
});
