//! The log thread: writes effects down in their order, and syncs them as the configuration says.
//!
//! A disk that fails closes the gate to writes; each second it is tried again, and what was not written is kept.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use persist::log::{AppendLog, BaseFormat, LogOptions, Rewrite, State};
use persist::storage::NewFile;

use super::figures::Count;
use super::pipe::{Pipe, Sequence};
use crate::clients::{Clients, Wakeup};
use crate::clock;
use crate::config::Settings;
use crate::config::settings::AppendFsync;
use crate::config::value::system_text;
use crate::latency::Event;
use crate::memory;
use crate::shared::Shared;

/// Longest sleep: a sync may be due, or a disk to be tried again.
const SLEEP: Duration = Duration::from_millis(100);
/// How long effects wait for others to be written together with them, where no reply waits for the disk.
const GATHER: Duration = Duration::from_millis(2);
/// Milliseconds between two syncs (`everysec`), and two tries of a disk that failed.
const SYNC_EVERY_MS: i64 = 1000;

/// Milliseconds that effects may wait for a sync (`everysec`) before writes wait for the disk.
const LATE_MS: i64 = 2000;
/// Bytes of effects that may wait to be written before writes wait for the disk.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What is wanted of the log.
#[derive(Debug)]
pub(super) enum Request {
    /// Write effects to this log from now on; it is to begin with a rewrite.
    Start(Box<AppendLog>),
    /// Write to a new file from some effect on; the answer says where the base of what was before goes.
    Rotate(Turning),
    /// Put a base in its place; the answer says whether it is.
    Install(Rotation, NewFile, Sender<io::Result<()>>),
    /// Write and sync everything up to effect `at`, and write no more.
    Stop {
        /// The number of the first effect that is not wanted.
        at: u64,
    },
    /// Write and sync what came so far, and say so.
    Flush(Sender<io::Result<()>>),
    /// [`Request::Stop`], and end the thread.
    End,
}

/// A new file to be begun.
#[derive(Debug)]
pub(super) struct Turning {
    /// The number of the first effect that goes there.
    at: u64,
    format: BaseFormat,
    answer: Sender<io::Result<Rotation>>,
}

/// A new file that was begun: what was before wants a base.
#[derive(Debug)]
pub(super) struct Rotation {
    rewrite: Rewrite,
    /// What the base is to be written in.
    pub(super) format: BaseFormat,
    /// Which of the thread's logs it belongs to.
    log_number: u64,
}

impl Rotation {
    /// Where the base goes.
    pub(super) fn path(&self) -> &Path {
        self.rewrite.path()
    }
}

/// Whether there is a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Off,
    /// It was switched on; its first base is not written yet.
    Starting,
    On,
}

/// What the server knows of its log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) pipe: Pipe,
    phase: AtomicU8,
    bytes: Count,
    base_bytes: Count,
    delayed_syncs: Count,
    /// Memory that the thread's buffers take.
    kept_bytes: Count,
    /// All effects below this number are on disk.
    synced: AtomicU64,
    /// Some worker wants to know when that changes.
    awaited: AtomicBool,
    /// Since when something waits to be synced, in milliseconds since the Unix epoch; 0: nothing does.
    unsynced_since_ms: AtomicI64,
}

impl Log {
    /// None is written; effects come from `workers` workers.
    pub(super) fn new(workers: usize) -> Log {
        Log {
            pipe: Pipe::new(workers),
            phase: AtomicU8::new(Phase::Off as u8),
            bytes: Count::default(),
            base_bytes: Count::default(),
            delayed_syncs: Count::default(),
            kept_bytes: Count::default(),
            synced: AtomicU64::new(0),
            awaited: AtomicBool::new(false),
            unsynced_since_ms: AtomicI64::new(0),
        }
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Says whether there is a log from the beginning.
    pub(super) fn resume(&self, on: bool) {
        self.enter(if on { Phase::On } else { Phase::Off });
    }

    /// Whether effects are logged, or are to be.
    pub(crate) fn is_on(&self) -> bool {
        !self.is(Phase::Off)
    }

    /// The number below which all effects are on disk.
    #[inline]
    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::SeqCst)
    }

    /// Asks for a wakeup at the next sync; [`Log::synced`] is to be looked at after this once more.
    pub(crate) fn await_sync(&self) {
        self.awaited.store(true, Ordering::SeqCst);
    }

    /// Says that all effects below `number` are on disk, or need not be.
    fn has_synced(&self, number: u64, clients: &Clients) {
        self.unsynced_since_ms.store(0, Ordering::Relaxed);
        self.synced.store(number, Ordering::SeqCst);
        if self.awaited.swap(false, Ordering::SeqCst) {
            clients.wake_all(Wakeup::Synced);
        }
    }

    /// Whether the disk is so slow that more writes would only add to what a crash could take: with `everysec` two
    /// seconds of them, as in Redis; and in any case as many bytes as memory should hold of them.
    pub(super) fn is_late(&self, policy: AppendFsync, now_ms: i64) -> bool {
        let since_ms = self.unsynced_since_ms.load(Ordering::Relaxed);
        let slow = policy == AppendFsync::EverySec && since_ms != 0 && now_ms - since_ms > LATE_MS;
        slow || self.pipe.bytes() > WAITING_BYTES_MAX
    }

    /// Whether the first base of the log is still to be written.
    pub(super) fn is_starting(&self) -> bool {
        self.is(Phase::Starting)
    }

    /// Bytes in the log's files and after the last rewrite; nothing when there is none.
    pub(crate) fn sizes(&self) -> Option<(u64, u64)> {
        self.is_on().then(|| (self.bytes.get(), self.base_bytes.get()))
    }

    /// Syncs that came late because the disk was slow.
    pub(crate) fn delayed_syncs(&self) -> u64 {
        self.delayed_syncs.get()
    }

    /// Bytes of memory that effects take on their way to the disk.
    pub(crate) fn buffer_bytes(&self) -> u64 {
        self.pipe.bytes() as u64 + self.kept_bytes.get()
    }

    /// Switches the log on; it counts once a rewrite gave it its first base.
    pub(super) fn start(&self, log: AppendLog) {
        self.enter(Phase::Starting);
        self.pipe.ask(Request::Start(Box::new(log)));
    }

    /// Switches the log off: effects from number `at` on are not for it.
    pub(super) fn stop(&self, at: u64) {
        self.enter(Phase::Off);
        self.pipe.ask(Request::Stop { at });
    }

    /// Writes and syncs what is left, and ends the thread.
    pub(crate) fn end(&self) {
        self.pipe.ask(Request::End);
    }

    /// Has effects from number `at` on go to a new file, and those before it wait for a base in `format`.
    pub(super) fn rotate(&self, at: u64, format: BaseFormat) -> Receiver<io::Result<Rotation>> {
        let (answer, answered) = mpsc::channel();
        self.pipe.ask(Request::Rotate(Turning { at, format, answer }));
        answered
    }

    /// Writes and syncs what came so far.
    pub(super) fn flush(&self) -> io::Result<()> {
        let (done, wait) = mpsc::channel();
        self.pipe.ask(Request::Flush(done));
        answer(&wait)
    }

    /// Puts `file`, the base that `rotation` wanted, in its place.
    pub(super) fn install(&self, rotation: Rotation, file: NewFile) -> io::Result<()> {
        let (answer, answered) = mpsc::channel();
        self.pipe.ask(Request::Install(rotation, file, answer));
        self::answer(&answered)
    }
}

/// What the thread answered; an error when it has ended.
fn answer<T>(answered: &Receiver<io::Result<T>>) -> io::Result<T> {
    answered.recv().unwrap_or_else(|_| Err(io::Error::other("the log is closed")))
}

/// What the thread works with.
pub(super) struct Keeper<'s> {
    shared: &'s Shared,
    log: Option<AppendLog>,
    sequence: Sequence,
    /// Rotations that wait for effects before them.
    turnings: Vec<Turning>,
    /// Who waits for everything to be on disk.
    flushes: Vec<Sender<io::Result<()>>>,
    /// How many logs there were.
    log_number: u64,
    /// From which effect on there is nothing to write.
    stop_at: Option<u64>,
    config_version: u64,
    policy: AppendFsync,
    /// No syncs while a job runs (`no-appendfsync-on-rewrite`).
    pauses: bool,
    synced_ms: i64,
    /// How long the last sync took, and for how many bytes it was.
    sync_time: Duration,
    sync_bytes: usize,
    /// When the disk failed last.
    failed_ms: Option<i64>,
    ending: bool,
}

/// How the log is written under `settings`.
pub(super) fn options(settings: &Settings) -> LogOptions {
    LogOptions { timestamps: settings.aof_timestamp_enabled, keeps: settings.appendfsync != AppendFsync::No }
}

/// What a base is written in under `settings`.
pub(super) fn base_format(settings: &Settings) -> BaseFormat {
    if settings.aof_use_rdb_preamble { BaseFormat::Rdb } else { BaseFormat::Aof }
}

impl<'s> Keeper<'s> {
    /// Goes on with `log`, if there is one.
    pub(super) fn new(shared: &'s Shared, log: Option<AppendLog>) -> Keeper<'s> {
        let settings = shared.config.settings();
        Keeper {
            shared,
            log,
            sequence: Sequence::default(),
            turnings: Vec::new(),
            flushes: Vec::new(),
            log_number: 0,
            stop_at: None,
            config_version: shared.config.version(),
            policy: settings.appendfsync,
            pauses: settings.no_appendfsync_on_rewrite,
            synced_ms: clock::now_ms(),
            sync_time: Duration::ZERO,
            sync_bytes: 0,
            failed_ms: None,
            ending: false,
        }
    }

    /// The thread's work, until [`Request::End`].
    pub(super) fn run(mut self) {
        let known = &self.shared.persistence.log;
        while !self.ending {
            let (gather, enough) = self.patience();
            known.pipe.wait(SLEEP, gather, enough);
            self.renew_settings();
            // In this order: what is asked with every stripe held is known before a later effect is handed on.
            known.pipe.take_effects(&mut self.sequence);
            for request in known.pipe.take_requests() {
                self.take(request);
            }
            let (log, turnings, stop_at) = (&mut self.log, &mut self.turnings, self.stop_at);
            self.sync_bytes = 0;
            self.sequence.hand_on(|number, db, bytes| {
                self.sync_bytes += bytes.len();
                turn(log, self.log_number, turnings, number);
                if let Some(log) = log.as_mut().filter(|_| stop_at.is_none_or(|at| number < at)) {
                    log.append(db, bytes);
                }
            });
            turn(&mut self.log, self.log_number, &mut self.turnings, self.sequence.next());
            self.write_down();
            if self.stop_at.is_some_and(|at| self.sequence.next() >= at) {
                self.close();
            }
            let kept_bytes =
                self.log.as_ref().map_or(0, AppendLog::buffer_bytes) + self.sequence.buffer_bytes();
            known.kept_bytes.set(kept_bytes as u64);
            memory::publish();
        }
        self.close();
    }

    /// How long effects wait for others to be written with them, and how many bytes of them are enough.
    ///
    /// With `always`, clients whose replies the last sync let go are about to send their next requests, and one sync
    /// for all is worth a part of its time: else those that came during a sync and those that were let go by it would
    /// take turns, each waiting for two.
    fn patience(&self) -> (Duration, usize) {
        if self.policy != AppendFsync::Always {
            return (GATHER, usize::MAX);
        }
        let expected = self.sync_bytes + self.shared.persistence.log.pipe.bytes();
        ((self.sync_time / 2).min(GATHER), expected)
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Start(log) => {
                self.close();
                self.log = Some(*log);
                self.log_number += 1;
            }
            Request::Rotate(turning) => self.turnings.push(turning),
            Request::Install(rotation, file, answer) => {
                let began_ns = clock::now_ns();
                let installed = match self.log.as_mut().filter(|_| rotation.log_number == self.log_number) {
                    Some(log) => log.install_base(rotation.rewrite, file),
                    None => Err(io::Error::other("the log was switched off")),
                };
                self.shared.latency.note(Event::AofRename, clock::elapsed(began_ns));
                let phase = &self.shared.persistence.log.phase;
                if installed.is_ok() {
                    // Unless it was switched off meanwhile.
                    let (starting, on) = (Phase::Starting as u8, Phase::On as u8);
                    let _ = phase.compare_exchange(starting, on, Ordering::Relaxed, Ordering::Relaxed);
                }
                self.tell_sizes();
                // Nobody waits for it when the server ends.
                let _ = answer.send(installed);
            }
            Request::Flush(done) => self.flushes.push(done),
            Request::Stop { at } => self.stop_at = Some(at),
            Request::End => self.ending = true,
        }
    }

    fn renew_settings(&mut self) {
        let version = self.shared.config.version();
        if version != self.config_version {
            self.config_version = version;
            let settings = self.shared.config.settings();
            (self.policy, self.pauses) = (settings.appendfsync, settings.no_appendfsync_on_rewrite);
            if let Some(log) = &mut self.log {
                log.set_options(options(&settings));
            }
        }
    }

    /// Hands what came to the system, and syncs when it is time to.
    fn write_down(&mut self) {
        let now_ms = clock::now_ms();
        let known = &self.shared.persistence.log;
        let Some(log) = &mut self.log else {
            known.has_synced(self.sequence.next(), &self.shared.clients);
            return self.note(Ok(()), now_ms);
        };
        if self.failed_ms.is_some_and(|failed_ms| (0..SYNC_EVERY_MS).contains(&(now_ms - failed_ms))) {
            return;
        }
        if self.sequence.next() > known.synced() {
            let since = &known.unsynced_since_ms;
            // It stays where it was set before.
            let _ = since.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        }
        let began_ns = clock::now_ns();
        let mut outcome = log.write(now_ms / 1000);
        let child = self.shared.persistence.jobs.is_busy();
        let kind = if child { Event::AofWriteActiveChild } else { Event::AofWriteAlone };
        let took = clock::elapsed(began_ns);
        [Event::AofWrite, kind].iter().for_each(|&event| self.shared.latency.note(event, took));
        if outcome.is_ok() {
            outcome = self.sync(now_ms);
        }
        self.note(outcome, now_ms);
    }

    fn sync(&mut self, now_ms: i64) -> io::Result<()> {
        let known = &self.shared.persistence.log;
        let next = self.sequence.next();
        let since_ms = now_ms - self.synced_ms;
        let due = match self.policy {
            AppendFsync::Always => known.synced.load(Ordering::Relaxed) < next,
            AppendFsync::EverySec => !(0..SYNC_EVERY_MS).contains(&since_ms),
            AppendFsync::No => false,
        };
        // After a failure, only a sync tells whether the disk is well again.
        let due = due || self.failed_ms.is_some() || !self.flushes.is_empty();
        let paused = self.pauses && self.shared.persistence.jobs.is_busy();
        let Some(log) = self.log.as_mut().filter(|_| due && !paused) else { return Ok(()) };
        self.synced_ms = now_ms;
        let began_ns = clock::now_ns();
        log.sync()?;
        self.sync_time = clock::elapsed(began_ns);
        if self.policy == AppendFsync::Always {
            self.shared.latency.note(Event::AofFsyncAlways, self.sync_time);
        }
        known.has_synced(next, &self.shared.clients);
        if clock::now_ms() - now_ms > SYNC_EVERY_MS {
            known.delayed_syncs.add(1);
        }
        // Here nobody waits for the blocks to be freed.
        drop(log.take_removed());
        Ok(())
    }

    /// Lets others know how large the log is.
    fn tell_sizes(&self) {
        if let Some(log) = &self.log {
            let (known, sizes) = (&self.shared.persistence.log, log.sizes());
            known.bytes.set(sizes.current_bytes);
            known.base_bytes.set(sizes.base_bytes);
        }
    }

    /// Notes whether the disk took what it was given.
    fn note(&mut self, outcome: io::Result<()>, now_ms: i64) {
        let persistence = &self.shared.persistence;
        for done in self.flushes.drain(..) {
            let error = outcome.as_ref().err();
            // Nobody waits for it when the server ends.
            let _ = done.send(error.map_or(Ok(()), |error| Err(io::Error::other(error.to_string()))));
        }
        self.tell_sizes();
        match outcome {
            Ok(()) if self.failed_ms.take().is_some() => {
                tracing::warn!("AOF write error looks solved. The server can write again.");
                persistence.gate.set_log_failure(None);
            }
            Ok(()) => {}
            Err(error) => {
                if self.failed_ms.is_none() {
                    tracing::warn!("Error writing to the AOF file: {error}");
                }
                self.failed_ms = Some(now_ms);
                persistence.gate.set_log_failure(Some(&system_text(&error)));
                if self.log.as_ref().is_some_and(|log| log.state() == State::Broken) {
                    persistence.jobs.schedule_rewrite();
                }
            }
        }
    }

    /// Writes and syncs what is left, and does without a log.
    fn close(&mut self) {
        self.stop_at = None;
        let Some(log) = self.log.take() else { return };
        tracing::info!("Calling fsync() on the AOF file.");
        if let Err(error) = log.close(clock::now_ms() / 1000) {
            tracing::warn!("Fail to fsync the AOF file: {error}");
        }
        self.failed_ms = None;
        self.shared.persistence.gate.set_log_failure(None);
    }
}

/// Begins the new files whose time has come; `next` is the number of the next effect.
fn turn(log: &mut Option<AppendLog>, log_number: u64, turnings: &mut Vec<Turning>, next: u64) {
    while let Some(due) = turnings.iter().position(|turning| turning.at <= next) {
        let Turning { format, answer, .. } = turnings.remove(due);
        let rotated = match log {
            Some(log) => log.rotate(format).map(|rewrite| Rotation { rewrite, format, log_number }),
            None => Err(io::Error::other("there is no log")),
        };
        // Nobody waits for it when the server ends.
        let _ = answer.send(rotated);
    }
}
