//! A process that does numbered effects, keeps a log of them and now and then a snapshot, and knows which of them are
//! safe.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use engine::Rng;
use persist::log::{
    AppendLog, BaseFormat, LogOptions, Place, RecoveryOptions, Refused, Replay, Rewrite, State, recover,
};
use persist::storage::{NewFile, Open, replace};
use resp::{Args, Limits, Parser};
use testkit::Request;
use testkit::faulty::{Fault, FaultyDisk};

pub(crate) const LENIENT: RecoveryOptions = RecoveryOptions { load_truncated: true };

/// What a process does to its files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    /// This many effects, some of them as a transaction.
    Append(u64),
    Write,
    Sync,
    /// Begins a rewrite.
    Rotate,
    /// Writes the base of the rewrite that began last.
    Install,
    /// Replaces the snapshot.
    Snapshot,
    /// The process is killed and starts again; the machine goes on.
    Restart,
    /// The log is switched off, and on again.
    Switch,
}

/// A workload that `seed` makes up. With `always`, each effect is synced before the next.
pub(crate) fn workload(seed: u64, always: bool) -> Vec<Action> {
    let mut rng = Rng::new(seed);
    let mut actions = vec![];
    while actions.len() < 40 {
        match rng.below(16) {
            0..8 => {
                actions.extend([Action::Append(1 + rng.below(4)), Action::Write]);
                if always || rng.below(4) == 0 {
                    actions.push(Action::Sync);
                }
            }
            8 | 9 => actions.push(Action::Rotate),
            10 | 11 => actions.push(Action::Install),
            12 | 13 => actions.push(Action::Snapshot),
            14 => actions.push(Action::Restart),
            _ => actions.push(Action::Switch),
        }
    }
    actions
}

/// The effect number `n`: in a database of its own choice, with a value that could be taken for something else.
pub(crate) fn effect(n: u64) -> (u32, Vec<u8>) {
    let value = match n % 4 {
        0 => "#EB:0000000001:0123456789abcdef:000000000000000\r\nx".to_owned(),
        1 => "\r\n*1\r\n$4\r\nEXEC\r\n".repeat((n % 7) as usize),
        2 => "v".repeat((n * 37 % 300) as usize),
        _ => String::new(),
    };
    ((n / 3 % 3) as u32, Request::new(["SET", &n.to_string(), &value]).encoded())
}

/// What comes back: the number of the last effect.
#[derive(Default)]
pub(crate) struct Replayed {
    pub(crate) last: u64,
    pub(crate) db: u32,
}

impl Replay for Replayed {
    fn file(&mut self, _: &Path) {
        self.db = 0;
    }

    fn snapshot(&mut self, _: &Path, input: &mut dyn Read) -> Result<u64, Refused> {
        let mut bytes = vec![];
        input.read_to_end(&mut bytes).map_err(|e| Refused { at: 0, what: e.to_string() })?;
        self.last = read_snapshot(&bytes).ok_or(Refused { at: 0, what: "not a snapshot".into() })?;
        Ok(bytes.len() as u64)
    }

    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused> {
        let (mut at, mut parser, mut spans) = (0, Parser::default(), vec![]);
        while at < requests.len() {
            spans.clear();
            let refused = |what: &str| Refused { at: at as u64, what: what.into() };
            let read = parser.next(&mut requests[at..], &Limits::default(), &mut spans);
            let len = read.ok().flatten().ok_or(refused("no request"))?;
            let args = Args::new(&requests[at..], &spans);
            match args.at(0) {
                b"select" => self.db = u32::from(args.at(1)[0] - b'0'),
                b"SET" => {
                    self.last += 1;
                    let expected = effect(self.last);
                    if (self.db, &requests[at..at + len]) != (expected.0, &expected.1) {
                        return Err(refused(&format!("not effect {}", self.last)));
                    }
                }
                b"MULTI" | b"EXEC" => {}
                _ => return Err(refused("an unknown request")),
            }
            at += len;
        }
        Ok(())
    }
}

/// A snapshot of the first `n` effects, long enough to be torn.
pub(crate) fn snapshot(n: u64) -> Vec<u8> {
    let mut bytes = format!("REDIS{n:020}").into_bytes();
    bytes.extend(std::iter::repeat_n(b"snapshot ".as_slice(), 20 + (n % 50) as usize).flatten());
    bytes.extend(persist::crc64::crc64(&bytes).to_le_bytes());
    bytes
}

pub(crate) fn read_snapshot(bytes: &[u8]) -> Option<u64> {
    let n = std::str::from_utf8(bytes.get(5..25)?).ok()?.parse().ok()?;
    (bytes == snapshot(n)).then_some(n)
}

fn write_snapshot(file: &mut NewFile, n: u64) -> std::io::Result<()> {
    snapshot(n).chunks(100).try_for_each(|piece| file.write_all(piece))
}

pub(crate) fn place() -> Place {
    Place::new(Path::new("/"), "appendonlydir", "appendonly.aof")
}

pub(crate) fn dump() -> PathBuf {
    PathBuf::from("/dump.rdb")
}

/// A process with its log, and what it knows.
pub(crate) struct Process {
    pub(crate) disk: FaultyDisk,
    pub(crate) log: Option<AppendLog>,
    rewrite: Option<(Rewrite, u64)>,
    /// Effects done.
    pub(crate) done: u64,
    /// Of them, handed to the system.
    written: u64,
    /// Of them, known to be safe.
    pub(crate) safe: u64,
    /// How many are in the snapshot known to be safe, and in those that were tried since.
    snapshots: Vec<u64>,
    now_s: i64,
    /// Whether its log keeps batches until they are synced.
    pub(crate) keeps: bool,
}

impl Process {
    pub(crate) fn new(disk: &FaultyDisk) -> Process {
        let disk = disk.clone();
        Process {
            disk,
            log: None,
            rewrite: None,
            done: 0,
            written: 0,
            safe: 0,
            snapshots: vec![0],
            now_s: 1000,
            keeps: true,
        }
    }

    fn options(&self) -> LogOptions {
        LogOptions { timestamps: self.done.is_multiple_of(2), keeps: self.keeps }
    }

    /// Starts, or starts again: what is recovered is what there is now.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        (self.log, self.rewrite) = (None, None);
        let (storage, place) = (self.disk.storage(), place());
        let mut state = Replayed::default();
        let recovered = recover(&storage, &place, LENIENT, &mut state).map_err(|e| e.to_string())?;
        if state.last < self.safe || state.last > self.done {
            return Err(format!("{} effects of {}, {} of them safe", state.last, self.done, self.safe));
        }
        (self.done, self.written) = (state.last, state.last);
        let resumed = AppendLog::resume(&storage, &place, self.options(), &recovered);
        self.log = Some(resumed.map_err(|e| e.to_string())?);
        self.safe = self.done;
        Ok(())
    }

    pub(crate) fn append(&mut self, count: u64) {
        let Some(log) = &mut self.log else { return };
        let in_multi = count > 2;
        let framing = |name: &str| Request::of(name).encoded();
        for i in 0..count {
            self.done += 1;
            let (db, bytes) = effect(self.done);
            if in_multi && i == 0 {
                log.append(db, &framing("MULTI"));
            }
            log.append(db, &bytes);
            if in_multi && i + 1 == count {
                log.append(db, &framing("EXEC"));
            }
        }
    }

    pub(crate) fn write(&mut self) {
        let Some(log) = &mut self.log else { return };
        self.now_s += (self.done % 3) as i64;
        if log.write(self.now_s).is_ok() {
            self.written = self.done;
        }
    }

    pub(crate) fn sync(&mut self) {
        let Some(log) = &mut self.log else { return };
        if log.sync().is_ok() && log.state() == State::On {
            self.safe = self.safe.max(self.written);
        }
    }

    pub(crate) fn rotate(&mut self) {
        let Some(log) = &mut self.log else { return };
        self.rewrite = log.rotate(BaseFormat::Rdb).ok().map(|rewrite| (rewrite, self.done));
    }

    pub(crate) fn install(&mut self) {
        let (Some(log), Some((rewrite, n))) = (&mut self.log, self.rewrite.take()) else { return };
        let written = NewFile::beside(&self.disk.storage(), rewrite.path()).and_then(|mut file| {
            write_snapshot(&mut file, n)?;
            file.sync()?;
            log.install_base(rewrite, file)
        });
        if written.is_ok() {
            // What was handed over before a log broke is in the base now.
            self.written = self.written.max(n);
        }
    }

    /// Switches the log off and on. Between, effects are nowhere; they count again with the first base.
    fn switch(&mut self) {
        let Some(log) = self.log.take() else { return };
        self.rewrite = None;
        if log.state() != State::On || log.close(self.now_s).is_err() {
            return;
        }
        self.safe = self.done;
        let storage = self.disk.storage();
        self.log = AppendLog::begin(&storage, &place(), self.options()).ok();
    }

    pub(crate) fn run(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Append(count) => self.append(count),
            Action::Write => self.write(),
            Action::Sync => self.sync(),
            Action::Rotate => self.rotate(),
            Action::Install => self.install(),
            Action::Snapshot => {
                self.snapshots.push(self.done);
                if replace(&self.disk.storage(), &dump(), |file| write_snapshot(file, self.done)).is_ok() {
                    self.snapshots = vec![self.done];
                }
            }
            Action::Restart => {
                // A process that starts on a disk that fails says so, and is started again.
                let mut outcome = self.start();
                for _ in 0..4 {
                    if outcome.is_err() && !self.disk.is_halted() {
                        outcome = self.start();
                    }
                }
                return outcome;
            }
            Action::Switch => self.switch(),
        }
        Ok(())
    }

    /// After a crash: the snapshot is one that was written, whole, and none older than the last that was safe.
    fn check_snapshot(&self, disk: &FaultyDisk) -> Result<(), String> {
        let storage = disk.storage();
        let n = match storage.open(&dump(), Open::Read) {
            Ok(_) => read_snapshot(&disk.bytes(&dump())).ok_or("the snapshot is torn")?,
            Err(_) => 0,
        };
        let known = self.snapshots.contains(&n);
        if known { Ok(()) } else { Err(format!("the snapshot of {n}, not of {:?}", self.snapshots)) }
    }

    /// The machine stops; started again, everything safe is there, and the log can be gone on with.
    pub(crate) fn crash(&self, seed: u64) -> Result<(), String> {
        let disk = self.disk.after_crash(seed);
        self.check_snapshot(&disk)?;
        let mut again = Process { disk, ..Process::new(&self.disk) };
        (again.done, again.safe) = (self.done, self.safe);
        again.start()?;
        for action in [Action::Append(3), Action::Write, Action::Sync] {
            again.run(action)?;
        }
        if again.safe != again.done {
            return Err("after the crash, nothing can be made safe".into());
        }
        let mut third = Process { disk: again.disk.after_crash(0), ..Process::new(&again.disk) };
        (third.done, third.safe) = (again.done, again.safe);
        third.start()
    }

    /// Everything is in order again: with a rewrite where that is needed, all that was done can be made safe.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        if self.log.is_none() {
            self.start()?;
        }
        for round in 0..3 {
            let log = self.log.as_ref().ok_or("no log")?;
            if log.state() != State::On {
                self.rotate();
                self.install();
            }
            self.run(Action::Append(1))?;
            self.write();
            self.sync();
            if self.safe == self.done {
                return Ok(());
            }
            assert!(round < 2, "{:?}", self.log);
        }
        Err("what was done cannot be made safe".into())
    }
}

/// Runs a workload from the start, on a disk with these faults; how it went, unless the machine stopped.
pub(crate) fn run(actions: &[Action], faults: &[(u64, Fault)]) -> Result<Process, String> {
    run_with(true, actions, faults)
}

/// The same with a log that keeps batches until they are synced, or does not.
pub(crate) fn run_with(keeps: bool, actions: &[Action], faults: &[(u64, Fault)]) -> Result<Process, String> {
    let disk = FaultyDisk::new();
    faults.iter().for_each(|&(at, fault)| disk.fail_at(at, fault));
    let mut process = Process { keeps, ..Process::new(&disk) };
    for &action in [Action::Restart].iter().chain(actions) {
        match process.run(action) {
            Err(e) if !disk.is_halted() => return Err(format!("{action:?}: {e}")),
            _ if disk.is_halted() => break,
            _ => {}
        }
    }
    Ok(process)
}
