//! A disk that fails for a while, files that vanish, bits that flip, and the upgrade of an old-style log.

use std::io::Read;
use std::path::{Path, PathBuf};

use engine::Rng;
use persist::log::{AppendLog, LogOptions, RecoveryOptions, Refused, Replay, State, recover};
use persist::storage::Open;
use testkit::Request;
use testkit::faulty::{EIO, ENOSPC, EROFS, Fault, FaultyDisk};

use crate::process::{Action, LENIENT, Process, Replayed, dump, effect, place, run, workload};

const STRICT: RecoveryOptions = RecoveryOptions { load_truncated: false };

/// A process after a workload that ends with the log in order.
fn settled(seed: u64) -> Process {
    let mut process = run(&workload(seed, false), &[]).expect("nothing fails");
    process.settle().expect("nothing fails");
    process
}

fn act(process: &mut Process, actions: &[Action]) {
    actions.iter().for_each(|&action| process.run(action).expect("a prefix"));
}

#[test]
fn a_disk_that_fails_for_a_while_costs_nothing() {
    for seed in 0..30 {
        for error in [EIO, ENOSPC, EROFS] {
            let mut process = settled(seed);
            let safe = process.safe;
            process.disk.set_failing(Some(error));
            for _ in 0..5 {
                act(&mut process, &[Action::Append(2), Action::Write, Action::Sync, Action::Rotate]);
            }
            assert_eq!((process.safe, process.done), (safe, safe + 10));
            process.crash(seed).unwrap();
            process.disk.set_failing(None);
            act(&mut process, &[Action::Write, Action::Sync]);
            assert_eq!(process.safe, process.done, "without a rewrite");
            process.crash(0).unwrap();
        }
    }
}

#[test]
fn on_a_full_disk_the_file_stays_whole_and_what_waits_is_written_later() {
    for space in 0..600 {
        let mut process = settled(3);
        process.disk.set_space(Some(space));
        act(
            &mut process,
            &[Action::Append(2), Action::Write, Action::Append(3), Action::Write, Action::Sync],
        );
        let seen = recover(&process.disk.storage(), &place(), STRICT, &mut Replayed::default());
        assert!(seen.is_ok(), "{space} bytes: {}", seen.unwrap_err());
        process.crash(space).unwrap();
        process.disk.set_space(None);
        act(&mut process, &[Action::Append(1), Action::Write, Action::Sync]);
        assert_eq!(process.safe, process.done);
        process.crash(0).unwrap();
    }
}

#[test]
fn a_file_that_vanished_is_noticed_and_a_rewrite_makes_up_for_it() {
    let directory = place().dir().to_owned();
    for seed in 0..30 {
        let process = settled(seed);
        let mut names = process.disk.storage().list(&directory).unwrap();
        names.sort();
        let tail = names.iter().rposition(|name| name.to_string_lossy().ends_with("incr.aof")).unwrap();
        let vanishing = [directory.clone(), place().manifest(), directory.join(&names[tail])];
        for path in vanishing {
            let mut process = settled(seed);
            let safe = process.safe;
            process.disk.vanish(&path);
            act(&mut process, &[Action::Append(2), Action::Write, Action::Sync, Action::Write, Action::Sync]);
            let state = process.log.as_ref().unwrap().state();
            assert_eq!((process.safe, state), (safe, State::Broken), "{}", path.display());
            process.settle().unwrap();
            (0..10).for_each(|seed| process.crash(seed).unwrap());
        }
        process.crash(seed).unwrap();
    }
}

#[test]
fn a_bit_that_flips_in_what_was_synced_is_found_and_never_replayed() {
    let mut rng = Rng::new(9);
    for seed in 0..20 {
        let mut process = settled(seed);
        process.log.take().unwrap().close(9999).unwrap();
        let storage = process.disk.storage();
        let whole = recover(&storage, &place(), STRICT, &mut Replayed::default()).unwrap();
        let parts = whole.manifest.parts().map(|part| place().part(part));
        let files: Vec<PathBuf> = parts.chain([place().manifest()]).collect();
        for path in files {
            // The last mark is not synced when a log ends; here it had the time to reach the disk.
            storage.open(&path, Open::Append).unwrap().sync().unwrap();
            let bits = process.disk.bytes(&path).len() as u64 * 8;
            for _ in 0..200 {
                let bit = rng.below(bits) as usize;
                let disk = process.disk.after_crash(1);
                disk.flip(&path, bit);
                let mut replayed = Replayed::default();
                match recover(&disk.storage(), &place(), LENIENT, &mut replayed) {
                    // In the mark at the very end, or in a comment's name: nothing is missing.
                    Ok(_) => assert_eq!(replayed.last, process.done, "{}: bit {bit}", path.display()),
                    Err(error) => assert_eq!(error.file, path, "bit {bit}: {error}"),
                }
            }
        }
    }
}

#[test]
fn an_upgrade_that_is_interrupted_anywhere_loses_nothing() {
    let bytes: Vec<u8> = (1..20).filter(|&n| effect(n).0 == 0).flat_map(|n| effect(n).1).collect();
    let made = || {
        let disk = FaultyDisk::new();
        let mut file = disk.storage().open(place().old_style(), Open::Create).unwrap();
        file.write_all(&bytes, &mut 0).unwrap();
        file.sync().unwrap();
        disk.storage().sync_dir("/".as_ref()).unwrap();
        disk
    };
    let upgrade = |disk: &FaultyDisk| recover(&disk.storage(), &place(), STRICT, &mut Requests::default());
    let begun = made().operations();
    let disk = made();
    upgrade(&disk).unwrap();
    let operations = disk.operations();
    assert!(operations > begun + 5);
    for at in begun..operations {
        for outcome in 0..20 {
            let disk = made();
            disk.fail_at(at, Fault::Halt);
            // The outcome does not matter: the machine stopped.
            let _ = upgrade(&disk);
            let mut requests = Requests::default();
            let after = disk.after_crash(outcome);
            recover(&after.storage(), &place(), STRICT, &mut requests).unwrap();
            assert_eq!(requests.0, bytes, "stopped at {at}, outcome {outcome}");
        }
    }
    assert!(disk.storage().open(&dump(), Open::Read).is_err(), "nothing else was made");
}

/// The bytes of all requests.
#[derive(Default)]
struct Requests(Vec<u8>);

impl Replay for Requests {
    fn snapshot(&mut self, _: &Path, _: &mut dyn Read) -> Result<u64, Refused> {
        Err(Refused { at: 0, what: "there is none".into() })
    }

    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused> {
        self.0.extend_from_slice(requests);
        Ok(())
    }
}

#[test]
fn a_sync_that_failed_is_made_good_by_the_next_without_a_rewrite() {
    for seed in 0..30 {
        let mut process = settled(seed);
        act(&mut process, &[Action::Append(2), Action::Write, Action::Append(1), Action::Write]);
        let safe = process.safe;
        process.disk.fail_at(process.disk.operations(), Fault::LoseDirty);
        process.sync();
        assert_eq!(process.safe, safe, "a sync that failed counts for nothing");
        process.crash(seed).unwrap();
        process.sync();
        assert_eq!(process.safe, process.done);
        (0..10).for_each(|seed| process.crash(seed).unwrap());
    }
}

#[test]
fn a_log_that_lost_what_it_did_not_keep_takes_no_rewrite_that_began_before() {
    let mut process = settled(4);
    process.keeps = false;
    act(
        &mut process,
        &[Action::Restart, Action::Append(1), Action::Write, Action::Rotate, Action::Append(1)],
    );
    process.write();
    let safe = process.safe;
    process.disk.fail_at(process.disk.operations(), Fault::LoseDirty);
    process.sync();
    let state = |process: &Process| process.log.as_ref().map(AppendLog::state);
    assert_eq!((process.safe, state(&process)), (safe, Some(State::Broken)));
    process.install();
    assert_eq!(state(&process), Some(State::Broken), "its base lacks what was lost");
    process.rotate();
    assert_eq!(state(&process), Some(State::Broken), "nothing counts before the new base is there");
    process.install();
    assert_eq!(state(&process), Some(State::On));
    process.settle().unwrap();
    (0..20).for_each(|seed| process.crash(seed).unwrap());
}

#[test]
fn a_tail_that_was_cut_off_a_file_of_redis_stays_off() {
    let set = Request::of("SET k v").encoded();
    let bytes = [&set[..], &set, b"*3\r\n$3"].concat();
    let manifest = b"file i seq 1 type i\n";
    let disk = FaultyDisk::new();
    let storage = disk.storage();
    storage.create_dir(place().dir()).unwrap();
    for (path, bytes) in [(place().dir().join("i"), &bytes[..]), (place().manifest(), manifest)] {
        let mut file = storage.open(&path, Open::Create).unwrap();
        file.write_all(bytes, &mut 0).unwrap();
        file.sync().unwrap();
    }
    storage.sync_dir(place().dir()).unwrap();
    storage.sync_dir("/".as_ref()).unwrap();
    let recovered = recover(&storage, &place(), LENIENT, &mut Requests::default()).unwrap();
    let options = LogOptions { timestamps: false, keeps: true };
    AppendLog::resume(&storage, &place(), options, &recovered).unwrap();
    for outcome in 0..20 {
        let mut requests = Requests::default();
        recover(&disk.after_crash(outcome).storage(), &place(), STRICT, &mut requests).unwrap();
        assert_eq!(requests.0, [&set[..], &set].concat());
    }
}
