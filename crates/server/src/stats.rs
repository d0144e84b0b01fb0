//! What the process counts. Each worker has counters of its own, on cache lines that no other worker writes;
//! they are summed when somebody asks.
//!
//! A worker takes its [`WorkerStats`] once and calls, in this order: [`WorkerStats::begin`] before each batch;
//! [`WorkerStats::ran`], [`WorkerStats::failed`] or [`WorkerStats::rejected`] for each command;
//! [`WorkerStats::turn`], [`WorkerStats::read`] and [`WorkerStats::wrote`] after it. None of these waits for
//! another thread, and none but an error takes a lock (one that only readers of INFO share).

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use commands::{ROWS, Row};
use engine::{Gone, Turn};
use parking_lot::Mutex;

use crate::config::settings::Policy;
use crate::histogram::{Distribution, Histogram};

use Ordering::{Acquire, Relaxed, Release};

mod gone;
mod rates;

use gone::GoneCounters;
pub use gone::{Evictions, GoneTotals, Losses};
use rates::Samples;
pub use rates::{Rates, Traffic};

/// Kinds of errors that are told apart; what comes past them counts as [`ERRORS_OVERFLOW`].
const ERROR_KINDS_MAX: usize = 128;
const ERRORS_OVERFLOW: &str = "ERRORSTATS_OVERFLOW";

/// A counter that one thread writes.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    #[inline]
    fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn raise(&self, n: u64) {
        self.0.store(self.get().max(n), Relaxed);
    }

    fn clear(&self) {
        self.0.store(0, Relaxed);
    }
}

#[derive(Debug, Default)]
struct CommandCounters {
    calls: Counter,
    time_ns: Counter,
    rejected: Counter,
    failed: Counter,
    /// Made when the command first runs: most never do.
    latency_ns: OnceLock<Histogram>,
}

/// One worker's counters.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerStats {
    /// The reset these counters were last cleared by; see [`Stats::reset`].
    generation: AtomicU64,
    connections: Counter,
    connections_rejected: Counter,
    reads: Counter,
    read_bytes: Counter,
    writes: Counter,
    written_bytes: Counter,
    hits: Counter,
    misses: Counter,
    expiry_pauses: Counter,
    expiry_time_us: Counter,
    turns: Counter,
    turns_time_us: Counter,
    turn_max_us: Counter,
    turn_commands: Counter,
    turn_commands_max: Counter,
    upkeep_time_ns: Counter,
    query_limit_hits: Counter,
    output_limit_hits: Counter,
    gone: Mutex<GoneCounters>,
    commands: Box<[CommandCounters]>,
    errors: Mutex<BTreeMap<Box<str>, u64>>,
}

impl WorkerStats {
    fn new() -> WorkerStats {
        WorkerStats {
            generation: AtomicU64::new(0),
            connections: Counter::default(),
            connections_rejected: Counter::default(),
            reads: Counter::default(),
            read_bytes: Counter::default(),
            writes: Counter::default(),
            written_bytes: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            expiry_pauses: Counter::default(),
            expiry_time_us: Counter::default(),
            turns: Counter::default(),
            turns_time_us: Counter::default(),
            turn_max_us: Counter::default(),
            turn_commands: Counter::default(),
            turn_commands_max: Counter::default(),
            upkeep_time_ns: Counter::default(),
            query_limit_hits: Counter::default(),
            output_limit_hits: Counter::default(),
            gone: Mutex::default(),
            commands: (0..ROWS).map(|_| CommandCounters::default()).collect(),
            errors: Mutex::default(),
        }
    }

    /// Before each batch: starts again from zero when the counters were reset since the last.
    #[inline]
    pub fn begin(&self, stats: &Stats) {
        let generation = stats.generation.load(Relaxed);
        if self.generation.load(Relaxed) != generation {
            self.clear();
            self.generation.store(generation, Release);
        }
    }

    /// A connection was taken.
    pub fn connected(&self) {
        self.connections.add(1);
    }

    /// A connection was refused: too many clients, or protected mode.
    pub fn connection_rejected(&self) {
        self.connections_rejected.add(1);
    }

    /// One read from a socket gave this many bytes.
    #[inline]
    pub fn read(&self, bytes: usize) {
        self.reads.add(1);
        self.read_bytes.add(bytes as u64);
    }

    /// One write to a socket took this many bytes.
    #[inline]
    pub fn wrote(&self, bytes: usize) {
        self.writes.add(1);
        self.written_bytes.add(bytes as u64);
    }

    /// A command ran `times` times and took `time_ns` in all, whatever came of it. `percentiles`: the time of each
    /// is recorded too (`latency-tracking`).
    #[inline]
    pub fn ran(&self, row: &Row, time_ns: u64, times: u64, percentiles: bool) {
        let command = &self.commands[row.number];
        command.calls.add(times);
        self.turn_commands.add(times);
        command.time_ns.add(time_ns);
        if percentiles {
            command.latency_ns.get_or_init(Histogram::default).record(time_ns / times.max(1), times);
        }
    }

    /// A command that ran failed; `error` is the reply's text.
    pub fn failed(&self, row: &Row, error: &str) {
        self.commands[row.number].failed.add(1);
        self.error(error);
    }

    /// A command was refused before it ran (arity, NOAUTH, OOM); `error` is the reply's text.
    pub fn rejected(&self, row: &Row, error: &str) {
        self.commands[row.number].rejected.add(1);
        self.error(error);
    }

    /// An error reply that belongs to no command: it is unknown, or the request is malformed.
    pub fn error(&self, error: &str) {
        let kind = error.split(' ').next().unwrap_or_default();
        let mut errors = self.errors.lock();
        if let Some(n) = errors.get_mut(kind) {
            *n += 1;
        } else {
            let kind = if errors.len() < ERROR_KINDS_MAX { kind } else { ERRORS_OVERFLOW };
            *errors.entry(kind.into()).or_default() += 1;
        }
    }

    /// What commands, or the removal of expired keys, left in a turn.
    #[inline]
    pub fn turn(&self, turn: &Turn) {
        self.hits.add(turn.hits);
        self.misses.add(turn.misses);
    }

    /// `gone` went without a command that said so, `policy` being in force, and `since_us` microseconds after the
    /// turn's time.
    pub fn gone(&self, gone: &[Gone], policy: Policy, since_us: u64) {
        self.gone.lock().count(gone, policy, since_us);
    }

    /// Expired keys were removed for `time_us` microseconds; `more`: others are due, but clients come first.
    #[inline]
    pub fn expiry_cycle(&self, time_us: u64, more: bool) {
        self.expiry_time_us.add(time_us);
        self.expiry_pauses.add(u64::from(more));
    }

    /// The worker's loop turned once: it was busy for `time_us` microseconds between two waits.
    #[inline]
    pub fn turned(&self, time_us: u64) {
        self.turns.add(1);
        self.turns_time_us.add(time_us);
        self.turn_max_us.raise(time_us);
        self.turn_commands_max.raise(self.turn_commands.get());
        self.turn_commands.clear();
    }

    /// The worker looked after its connections for `time_ns` nanoseconds.
    pub fn upkeep(&self, time_ns: u64) {
        self.upkeep_time_ns.add(time_ns);
    }

    /// A client was closed: more of its requests waited than `client-query-buffer-limit` allows.
    pub fn query_limit_hit(&self) {
        self.query_limit_hits.add(1);
    }

    /// A client was closed: more of its replies waited than `client-output-buffer-limit` allows.
    pub fn output_limit_hit(&self) {
        self.output_limit_hits.add(1);
    }

    fn clear(&self) {
        let counters = [
            &self.connections,
            &self.connections_rejected,
            &self.reads,
            &self.read_bytes,
            &self.writes,
            &self.written_bytes,
            &self.hits,
            &self.misses,
            &self.expiry_pauses,
            &self.expiry_time_us,
            &self.turns,
            &self.turns_time_us,
            &self.turn_max_us,
            &self.turn_commands,
            &self.turn_commands_max,
            &self.upkeep_time_ns,
            &self.query_limit_hits,
            &self.output_limit_hits,
        ];
        counters.into_iter().for_each(Counter::clear);
        for command in &self.commands {
            [&command.calls, &command.time_ns, &command.rejected, &command.failed]
                .into_iter()
                .for_each(Counter::clear);
            command.latency_ns.get().into_iter().for_each(Histogram::clear);
        }
        self.gone.lock().clear();
        self.errors.lock().clear();
    }
}

/// All workers' counters.
#[derive(Debug)]
pub struct Stats {
    workers: Box<[WorkerStats]>,
    /// Counts resets. A worker whose counters are of an older generation has counted nothing since.
    generation: AtomicU64,
    samples: Mutex<Samples>,
}

/// Sums of the simple counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands and bytes.
    pub traffic: Traffic,
    /// Nanoseconds that commands ran for.
    pub commands_time_ns: u64,
    /// Connections taken.
    pub connections: u64,
    /// Connections refused.
    pub connections_rejected: u64,
    /// Reads from sockets.
    pub reads: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// How often the removal of expired keys was interrupted for clients' sake.
    pub expiry_pauses: u64,
    /// Microseconds that the removal of expired keys took.
    pub expiry_time_us: u64,
    /// Nanoseconds in which workers looked after their connections.
    pub upkeep_time_ns: u64,
    /// Microseconds that the longest turn of a worker's loop took.
    pub turn_max_us: u64,
    /// The most commands in one turn.
    pub turn_commands_max: u64,
    /// Clients closed for the requests that waited.
    pub query_limit_hits: u64,
    /// Clients closed for the replies that waited.
    pub output_limit_hits: u64,
    /// Error replies.
    pub errors: u64,
}

/// One worker's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadTotals {
    /// Reads from sockets.
    pub reads: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// Microseconds it did not wait.
    pub busy_us: u64,
}

/// Sums of one command's counters.
#[derive(Clone, Debug, Default)]
pub struct CommandTotals {
    /// How often it ran.
    pub calls: u64,
    /// Nanoseconds it ran for.
    pub time_ns: u64,
    /// How often it was refused before it ran.
    pub rejected: u64,
    /// How often it ran and failed.
    pub failed: u64,
    /// Nanoseconds of its runs.
    pub latency_ns: Distribution,
}

impl Stats {
    /// Counters for `workers` workers.
    pub fn new(workers: usize) -> Stats {
        Stats {
            workers: (0..workers).map(|_| WorkerStats::new()).collect(),
            generation: AtomicU64::new(0),
            samples: Mutex::default(),
        }
    }

    /// The counters of worker `i`, which alone may change them.
    pub fn worker(&self, i: usize) -> &WorkerStats {
        &self.workers[i]
    }

    /// Starts again from zero (CONFIG RESETSTAT). Workers clear their own counters at their next batch; until
    /// then these do not count.
    pub fn reset(&self) {
        self.generation.fetch_add(1, Release);
        *self.samples.lock() = Samples::default();
    }

    fn current(&self) -> impl Iterator<Item = &WorkerStats> {
        let generation = self.generation.load(Acquire);
        self.workers.iter().filter(move |w| w.generation.load(Acquire) == generation)
    }

    /// What worker `i` did.
    pub fn thread(&self, i: usize) -> ThreadTotals {
        let generation = self.generation.load(Acquire);
        let current = self.workers.get(i).filter(|w| w.generation.load(Acquire) == generation);
        current.map_or_else(ThreadTotals::default, |w| ThreadTotals {
            reads: w.reads.get(),
            writes: w.writes.get(),
            busy_us: w.turns_time_us.get(),
        })
    }

    /// The simple counters.
    pub fn totals(&self) -> Totals {
        self.current().fold(Totals { traffic: self.traffic(), ..Totals::default() }, |sum, w| Totals {
            traffic: sum.traffic,
            commands_time_ns: sum.commands_time_ns + w.commands.iter().map(|c| c.time_ns.get()).sum::<u64>(),
            connections: sum.connections + w.connections.get(),
            connections_rejected: sum.connections_rejected + w.connections_rejected.get(),
            reads: sum.reads + w.reads.get(),
            writes: sum.writes + w.writes.get(),
            expiry_pauses: sum.expiry_pauses + w.expiry_pauses.get(),
            expiry_time_us: sum.expiry_time_us + w.expiry_time_us.get(),
            upkeep_time_ns: sum.upkeep_time_ns + w.upkeep_time_ns.get(),
            turn_max_us: sum.turn_max_us.max(w.turn_max_us.get()),
            turn_commands_max: sum.turn_commands_max.max(w.turn_commands_max.get()),
            query_limit_hits: sum.query_limit_hits + w.query_limit_hits.get(),
            output_limit_hits: sum.output_limit_hits + w.output_limit_hits.get(),
            errors: sum.errors + w.errors.lock().values().sum::<u64>(),
        })
    }

    fn traffic(&self) -> Traffic {
        self.current().fold(Traffic::default(), |sum, w| Traffic {
            commands: sum.commands + w.commands.iter().map(|c| c.calls.get()).sum::<u64>(),
            read_bytes: sum.read_bytes + w.read_bytes.get(),
            written_bytes: sum.written_bytes + w.written_bytes.get(),
            turns: sum.turns + w.turns.get(),
            turns_time_us: sum.turns_time_us + w.turns_time_us.get(),
            hits: sum.hits + w.hits.get(),
            misses: sum.misses + w.misses.get(),
        })
    }

    /// The counters of the command or subcommand of `row`.
    pub fn command(&self, row: &Row) -> CommandTotals {
        let mut totals = CommandTotals::default();
        for worker in self.current() {
            let command = &worker.commands[row.number];
            totals.calls += command.calls.get();
            totals.time_ns += command.time_ns.get();
            totals.rejected += command.rejected.get();
            totals.failed += command.failed.get();
            if let Some(latency) = command.latency_ns.get() {
                latency.add_to(&mut totals.latency_ns);
            }
        }
        totals
    }

    /// Error replies by kind: the first word of their text.
    pub fn errors(&self) -> BTreeMap<Box<str>, u64> {
        let mut sum = BTreeMap::new();
        for worker in self.current() {
            for (kind, n) in worker.errors.lock().iter() {
                *sum.entry(kind.clone()).or_default() += n;
            }
        }
        sum
    }

    /// Keys and fields that went without a command that said so.
    pub fn gone(&self) -> GoneTotals {
        let mut sum = GoneTotals::default();
        self.current().for_each(|w| w.gone.lock().add_to(&mut sum));
        sum
    }

    /// Notes the traffic so far, so that [`Stats::rates`] can tell how fast it grows. To be called by one
    /// worker whenever it wakes; most calls do nothing.
    pub fn sample(&self, now_ms: i64) {
        self.samples.lock().take(now_ms, || self.traffic());
    }

    /// How fast the traffic has grown lately.
    pub fn rates(&self, now_ms: i64) -> Rates {
        self.samples.lock().rates(now_ms, &self.traffic())
    }

    /// Reads of the last minute that found their key, and those that did not.
    pub fn recent_reads(&self, now_ms: i64) -> (u64, u64) {
        self.samples.lock().reads(now_ms, &self.traffic())
    }
}

#[cfg(test)]
mod tests {
    use engine::Cause;

    use super::*;

    #[test]
    fn workers_are_summed() {
        let stats = Stats::new(2);
        for i in 0..2 {
            let worker = stats.worker(i);
            worker.begin(&stats);
            worker.connected();
            worker.read(10);
            worker.wrote(5);
            worker.turn(&Turn { hits: 3, misses: 2, ..Turn::new(0, 1) });
            let cause = Cause::Due { lag_ms: i as i64, found: false };
            worker.gone(&[Gone { db: 0, bytes: 50, cause }], Policy::NoEviction, 0);
        }
        let totals = stats.totals();
        assert_eq!((totals.connections, totals.reads, totals.writes), (2, 2, 2));
        assert_eq!((totals.traffic.read_bytes, totals.traffic.written_bytes), (20, 10));
        assert_eq!((totals.traffic.hits, totals.traffic.misses), (6, 4));
        let gone = stats.gone();
        assert_eq!((gone.all().expired(), gone.all().expired_bytes, gone.lag_us.max()), (2, 100, 1000));
    }

    #[test]
    fn a_reset_hides_counters_until_their_worker_clears_them() {
        let stats = Stats::new(2);
        stats.worker(0).read(1);
        stats.worker(1).read(1);
        stats.worker(1).error("ERR x");
        stats.reset();
        assert_eq!(stats.totals(), Totals::default());
        stats.worker(0).begin(&stats);
        stats.worker(0).read(7);
        assert_eq!(stats.totals().traffic.read_bytes, 7);
        stats.worker(1).begin(&stats);
        assert!(stats.errors().is_empty());
        stats.worker(1).read(2);
        assert_eq!(stats.totals().reads, 2);
    }

    #[test]
    fn errors_are_told_apart_by_their_first_word_up_to_a_bound() {
        let stats = Stats::new(1);
        let worker = stats.worker(0);
        worker.error("ERR one");
        worker.error("ERR two");
        worker.error("WRONGTYPE three");
        for i in 0..200 {
            worker.error(&format!("KIND{i} x"));
        }
        let errors = stats.errors();
        assert_eq!((errors["ERR"], errors["WRONGTYPE"]), (2, 1));
        assert_eq!(errors.len(), ERROR_KINDS_MAX + 1);
        assert_eq!(errors[ERRORS_OVERFLOW], 74);
        assert_eq!(stats.totals().errors, 203);
    }
}
