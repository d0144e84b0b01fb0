//! Hot keys: which keys are used most, and which cost most.
//!
//! Each worker watches the keys of some of its commands, chosen at random, so that what it finds stands for all, and
//! the other commands cost a countdown. Who asks gets what the workers found, added up.
//!
//! - What is used most is always looked for (HOTKEYS TOP), by one command of [`LIVE_SAMPLE`] on average. What lies back
//!   counts less and less.
//! - What takes most time or network is looked for in a session (HOTKEYS START), by as many commands as it asks for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use commands::{Command, Error, HotKey, HotKeysReport, HotKeysRequest};
use engine::{Rng, Store};
use parking_lot::Mutex;
use resp::Args;

use crate::clock;
use crate::heavy_hitters::HeavyHitters;
use crate::stats::Stats;
use crate::usage::Cpu;

/// One command of so many is looked at for HOTKEYS TOP.
const LIVE_SAMPLE: u32 = 200;
/// After this time a use counts half.
const LIVE_HALF_LIFE_S: f64 = 30.0;
/// How often it is reckoned how much less the past counts.
const DECAY_INTERVAL_MS: i64 = 1000;
/// Keys that a worker watches for HOTKEYS TOP.
const LIVE_KEYS: usize = 256;
/// Keys that a worker watches of each kind in a session.
const SESSION_KEYS: usize = 512;
/// Keys of one command that are looked at; of more, only some.
const COMMAND_KEYS_MAX: usize = 64;

/// What all workers found, and the session under way.
#[derive(Debug)]
pub(crate) struct HotKeys {
    started_ms: i64,
    parts: Box<[Part]>,
    session: Mutex<Option<Session>>,
    /// Changes whenever a session begins or ends.
    version: AtomicU64,
    /// When the session under way ends by itself; [`i64::MAX`]: there is none that does.
    until_ms: AtomicI64,
}

/// What one worker found. It alone writes, except that sessions are begun and forgotten by others.
#[derive(Debug)]
#[repr(align(128))]
struct Part(Mutex<Watched>);

#[derive(Debug)]
struct Watched {
    live: HeavyHitters,
    /// Up to when the past counts less in `live`.
    decayed_ms: i64,
    /// The session that the others are of.
    session: u64,
    cpu_ns: HeavyHitters,
    net_bytes: HeavyHitters,
}

#[derive(Debug)]
struct Session {
    request: HotKeysRequest,
    started: Figures,
    ended: Option<Figures>,
}

/// What the process has done so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    now_ms: i64,
    commands_ns: u64,
    net_bytes: u64,
    cpu: Cpu,
}

impl Figures {
    /// What it has done up to now.
    pub(crate) fn now(stats: &Stats) -> Figures {
        let totals = stats.totals();
        Figures {
            now_ms: clock::now_ms(),
            commands_ns: totals.commands_time_ns,
            net_bytes: totals.traffic.read_bytes + totals.traffic.written_bytes,
            cpu: Cpu::process(),
        }
    }
}

impl HotKeys {
    pub(crate) fn new(workers: usize, now_ms: i64) -> HotKeys {
        let watched = || Watched {
            live: HeavyHitters::new(LIVE_KEYS),
            decayed_ms: now_ms,
            session: 0,
            cpu_ns: HeavyHitters::new(SESSION_KEYS),
            net_bytes: HeavyHitters::new(SESSION_KEYS),
        };
        HotKeys {
            started_ms: now_ms,
            parts: (0..workers).map(|_| Part(Mutex::new(watched()))).collect(),
            session: Mutex::new(None),
            version: AtomicU64::new(0),
            until_ms: AtomicI64::new(i64::MAX),
        }
    }

    /// Begins a session.
    ///
    /// # Errors
    /// One is under way.
    pub(crate) fn start(&self, request: HotKeysRequest, now: Figures) -> Result<(), Error> {
        self.end_due(now.now_ms, || now);
        let mut session = self.session.lock();
        if session.as_ref().is_some_and(|session| session.ended.is_none()) {
            return Err(Error::Text("ERR hotkey tracking session already in progress"));
        }
        let number = self.version.load(Ordering::Relaxed) + 1;
        self.forget(number);
        *session = Some(Session { request, started: now, ended: None });
        let until_ms = request.duration_ms.map_or(i64::MAX, |duration_ms| now.now_ms + duration_ms);
        self.until_ms.store(until_ms, Ordering::Relaxed);
        self.version.store(number, Ordering::Release);
        Ok(())
    }

    /// Makes room for what session `number` finds.
    fn forget(&self, number: u64) {
        for part in &self.parts {
            let mut watched = part.0.lock();
            watched.session = number;
            watched.cpu_ns.clear();
            watched.net_bytes.clear();
        }
    }

    /// Ends the session; whether one was under way.
    pub(crate) fn stop(&self, now: Figures) -> bool {
        self.end_due(now.now_ms, || now);
        self.end(now)
    }

    fn end(&self, now: Figures) -> bool {
        let mut session = self.session.lock();
        let Some(session) = session.as_mut().filter(|session| session.ended.is_none()) else { return false };
        session.ended = Some(now);
        self.until_ms.store(i64::MAX, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Release);
        true
    }

    /// Ends the session when its time is over. To be called often: mostly it only compares.
    pub(crate) fn end_due(&self, now_ms: i64, figures: impl FnOnce() -> Figures) {
        let until_ms = self.until_ms.load(Ordering::Relaxed);
        if now_ms >= until_ms {
            self.end(Figures { now_ms: until_ms, ..figures() });
        }
    }

    /// Forgets what the last session found.
    ///
    /// # Errors
    /// It is still under way.
    pub(crate) fn reset(&self, now: Figures) -> Result<(), Error> {
        self.end_due(now.now_ms, || now);
        let mut session = self.session.lock();
        if session.as_ref().is_some_and(|session| session.ended.is_none()) {
            return Err(Error::Text("ERR hotkey tracking session in progress, stop tracking first"));
        }
        *session = None;
        self.forget(self.version.load(Ordering::Relaxed));
        Ok(())
    }

    /// What the session under way, or the last one, found.
    pub(crate) fn report(&self, now: Figures) -> Option<HotKeysReport> {
        self.end_due(now.now_ms, || now);
        let session = self.session.lock();
        let Session { request, started, ended } = session.as_ref()?;
        let end = ended.unwrap_or(now);
        // Counters that were reset meanwhile count from there.
        let since = |end: u64, start: u64| end.checked_sub(start).unwrap_or(end);
        let (count, thousandth) = (request.count, |n: f64| (n / 1000.0).round() as u64);
        let cpu_keys = || {
            let keys = self.heaviest(count, |watched| &watched.cpu_ns);
            keys.into_iter().map(|(key, ns)| (key, thousandth(ns))).collect()
        };
        let net_keys = || {
            let keys = self.heaviest(count, |watched| &watched.net_bytes);
            keys.into_iter().map(|(key, bytes)| (key, bytes.round() as u64)).collect()
        };
        let (user, system) = (end.cpu.user - started.cpu.user, end.cpu.system - started.cpu.system);
        Some(HotKeysReport {
            active: ended.is_none(),
            sample: request.sample,
            commands_us: since(end.commands_ns, started.commands_ns) / 1000,
            net_bytes: since(end.net_bytes, started.net_bytes),
            started_ms: started.now_ms,
            duration_ms: end.now_ms - started.now_ms,
            cpu: request.cpu.then(|| (cpu_keys(), user.as_millis() as u64, system.as_millis() as u64)),
            net: request.net.then(net_keys),
        })
    }

    /// The `count` keys used most lately, each with about how many times a second.
    pub(crate) fn top(&self, count: usize, now_ms: i64) -> Vec<HotKey<f64>> {
        self.parts.iter().for_each(|part| part.0.lock().decay(now_ms));
        let age_s = (now_ms - self.started_ms).max(1000) as f64 / 1000.0;
        // A use a second, and as old as this, would weigh so much.
        let weight = LIVE_HALF_LIFE_S / std::f64::consts::LN_2 * (1.0 - (-age_s / LIVE_HALF_LIFE_S).exp2());
        let keys = self.heaviest(count, |watched| &watched.live);
        keys.into_iter().map(|(key, uses)| (key, uses / weight)).collect()
    }

    /// The `count` heaviest keys of what all workers found, heaviest first.
    fn heaviest(&self, count: usize, of: impl Fn(&Watched) -> &HeavyHitters) -> Vec<HotKey<f64>> {
        let mut sums: HashMap<Box<[u8]>, f64> = HashMap::new();
        for part in &self.parts {
            for (key, weight) in of(&part.0.lock()).iter() {
                *sums.entry(key.into()).or_default() += weight;
            }
        }
        let mut keys: Vec<_> = sums.into_iter().collect();
        keys.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        keys.truncate(count);
        keys
    }

    /// Notes what became of a command that `worker` looked at: whose keys, and how many bytes its reply has.
    pub(crate) fn note(
        &self,
        worker: usize,
        look: &Look,
        store: &Store,
        (command, args): (&Command, Args<'_>),
        reply_bytes: usize,
    ) {
        if command.keys.is_empty() || !command.takes(args.len()) {
            return;
        }
        let now_ns = clock::now_ns();
        let mut positions = commands::Positions::new();
        command.key_positions(args, &mut positions);
        let keys = positions.len();
        let step = keys.div_ceil(COMMAND_KEYS_MAX).max(1);
        let mut watched = self.parts[worker].0.lock();
        watched.decay(now_ns / 1_000_000);
        for &position in positions.iter().skip(look.draw as usize % step).step_by(step) {
            let key = args.at(position);
            let hash = store.key(key).hash();
            if look.live {
                watched.live.add(hash, key, f64::from(LIVE_SAMPLE) * step as f64);
            }
            let Some((_, request)) = look.session.filter(|(session, _)| *session == watched.session) else {
                continue;
            };
            // What one of its keys stands for.
            let share = f64::from(request.sample) * step as f64 / keys as f64;
            if request.cpu {
                let time_ns = now_ns.saturating_sub(look.started_ns).max(0);
                watched.cpu_ns.add(hash, key, time_ns as f64 * share);
            }
            if request.net {
                let bytes = request_bytes(args) + reply_bytes;
                watched.net_bytes.add(hash, key, bytes as f64 * share);
            }
        }
    }
}

impl Watched {
    fn decay(&mut self, now_ms: i64) {
        let passed_ms = now_ms - self.decayed_ms;
        if passed_ms >= DECAY_INTERVAL_MS {
            self.live.scale((-(passed_ms as f64) / 1000.0 / LIVE_HALF_LIFE_S).exp2());
            self.decayed_ms = now_ms;
        }
    }
}

/// Bytes of a request as it is sent, in the protocol's usual form.
fn request_bytes(args: Args<'_>) -> usize {
    let digits = |n: usize| n.checked_ilog10().unwrap_or(0) as usize + 1;
    // `$`, and twice the end of a line.
    let arguments: usize = args.iter().map(|arg| arg.len() + digits(arg.len()) + 5).sum();
    arguments + digits(args.len()) + 3
}

/// A command is looked at, and for what.
#[derive(Debug)]
pub(crate) struct Look {
    live: bool,
    session: Option<(u64, HotKeysRequest)>,
    /// When the command began; for a session only.
    started_ns: i64,
    /// A random number.
    draw: u32,
}

/// Says which of one worker's commands are looked at.
#[derive(Debug)]
pub(crate) struct Sampler {
    rng: Rng,
    /// Commands until the next that is looked at, and how many those were at first.
    next: u32,
    step: u32,
    /// Of these, until the next for HOTKEYS TOP, and for the session.
    live_in: u32,
    session_in: u32,
    version: u64,
    session: Option<(u64, HotKeysRequest)>,
}

impl Sampler {
    pub(crate) fn new(seed: u64) -> Sampler {
        let mut rng = Rng::new(seed);
        let first = interval(&mut rng, LIVE_SAMPLE);
        let version = 0;
        Sampler {
            rng,
            next: first,
            step: first,
            live_in: first,
            session_in: u32::MAX,
            version,
            session: None,
        }
    }

    /// Takes over a session that began or ended.
    #[inline]
    pub(crate) fn follow(&mut self, hot_keys: &HotKeys) {
        let version = hot_keys.version.load(Ordering::Acquire);
        if version != self.version {
            self.version = version;
            let session = hot_keys.session.lock();
            let session = session.as_ref().filter(|session| session.ended.is_none());
            self.session = session.map(|session| (version, session.request));
            self.live_in -= self.step - self.next;
            self.session_in = self.session.map_or(u32::MAX, |(_, r)| interval(&mut self.rng, r.sample));
            self.step = self.live_in.min(self.session_in);
            self.next = self.step;
        }
    }

    /// Whether the next command is looked at.
    #[inline]
    pub(crate) fn look(&mut self) -> Option<Look> {
        self.next -= 1;
        if self.next > 0 { None } else { Some(self.look_now()) }
    }

    #[cold]
    fn look_now(&mut self) -> Look {
        self.live_in -= self.step;
        self.session_in = self.session_in.saturating_sub(self.step);
        let live = self.live_in == 0;
        if live {
            self.live_in = interval(&mut self.rng, LIVE_SAMPLE);
        }
        let session = self.session.filter(|_| self.session_in == 0);
        if self.session_in == 0 {
            self.session_in = self.session.map_or(u32::MAX, |(_, r)| interval(&mut self.rng, r.sample));
        }
        self.step = self.live_in.min(self.session_in);
        self.next = self.step;
        let started_ns = if session.is_some() { clock::now_ns() } else { 0 };
        Look { live, session, started_ns, draw: self.rng.next_u64() as u32 }
    }
}

/// How many commands on, `sample` on average, the next is that is looked at. It is drawn, so that nothing regular in
/// the commands hides from it.
fn interval(rng: &mut Rng, sample: u32) -> u32 {
    1 + rng.below(2 * u64::from(sample) - 1) as u32
}

#[cfg(test)]
mod tests;
