//! Room for more data: the limits on memory (`maxmemory`) and on keys (`maxkeys`), and what is done at them.
//!
//! Before requests run, and while no stripe is held, keys are evicted until what is allocated, and what the requests
//! bring, is within the limit; who then still finds no room is refused. A worker evicts for a slice of time at most in
//! each turn of its loop. When that is not enough, or another thread has yet to free what went, it goes on in the
//! next turn, and clients that want more memory wait for it, unless eviction is ahead of them: so the limit holds,
//! and nobody else waits. Limits, policies and the error are Redis's:
//! <https://redis.io/docs/latest/develop/reference/eviction/>.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use commands::{Command, Error, Row, flags};
use engine::{Candidates, Db, Eviction, Held, Worth};
use resp::Args;

use crate::clock;
use crate::config::Settings;
use crate::config::settings::Policy;
use crate::connection::Connection;
use crate::dispatch::Dispatcher;
use crate::latency::Event;
use crate::memory;
use crate::persistence::Obstacle;

/// Keys evicted between two looks at the clock.
const EVICTIONS_TIMED: usize = 4;
/// Parts of the time a turn takes, one of which may go to eviction on top of its slice: a turn in which much comes in
/// needs more of it.
const TURN_PARTS: i64 = 4;
/// Parts of the limit, one of which memory may be above it while eviction is under way.
const SLACK_PARTS: i64 = 128;
/// Bytes from which requests are announced to the other workers while they run: fewer are within the slack anyway.
const ANNOUNCED_BYTES_MIN: usize = 4 << 10;
/// Bytes a request takes at least, beside its arguments: an entry and its place in the keyspace.
const REQUEST_BYTES: usize = 64;

const OUT_OF_MEMORY: Error = Error::Text("OOM command not allowed when used memory > 'maxmemory'.");
const OUT_OF_KEYS: Error = Error::Text("OOM command not allowed when used keys > 'maxkeys'.");

/// Whether there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vacancy {
    /// There is.
    Ample,
    /// There will be: eviction is under way.
    Soon,
    /// There is none, and no key may go.
    None,
}

/// What becomes of a command that may want room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It runs.
    Free,
    /// It is refused with this error.
    Refused(Error),
    /// Its client waits until keys were evicted.
    HeldUp,
}

/// What one worker knows of the limits.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Bytes that may be allocated; 0: any number.
    bytes_max: i64,
    /// Keys there may be; 0: any number.
    keys_max: u64,
    /// How keys are evicted; nothing: none is.
    eviction: Option<Eviction>,
    /// Microseconds in each turn of the loop for eviction, beside a part of what the turn takes.
    slice_us: i64,
    /// What was used of them in this turn.
    spent_us: i64,
    /// When the turn began, in microseconds since the Unix epoch.
    turn_began_us: i64,
    candidates: Candidates,
    /// What other threads had allocated at the last look.
    others_bytes: i64,
    /// Bytes that this worker has announced.
    announced: i64,
    /// While too much is allocated, the least there was since: nobody may add to it faster than eviction takes away.
    least_bytes: i64,
    /// More is to be evicted in the next turn.
    unfinished: bool,
}

impl Room {
    /// Goes by `settings` from now on.
    pub(crate) fn follow(&mut self, settings: &Settings) {
        self.bytes_max = i64::try_from(settings.maxmemory_bytes).unwrap_or(i64::MAX);
        self.keys_max = settings.maxkeys;
        self.eviction = eviction(settings);
        self.slice_us = slice_us(settings.maxmemory_eviction_tenacity);
        self.least_bytes = i64::MAX;
    }

    /// Whether there is any limit.
    #[inline]
    pub(crate) fn is_limited(&self) -> bool {
        self.bytes_max > 0 || self.keys_max > 0
    }

    /// Whether the loop is to come back without sleeping.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    fn slack(&self) -> i64 {
        self.bytes_max / SLACK_PARTS
    }

    /// Whether the time for eviction in this turn is over at `now_us`, with `more_us` on top of what was used before.
    fn is_over(&self, now_us: i64, more_us: i64) -> bool {
        let share_us = now_us.saturating_sub(self.turn_began_us).max(0) / TURN_PARTS;
        self.spent_us.saturating_add(more_us) > self.slice_us.saturating_add(share_us)
    }
}

/// What the policy in `settings` means; nothing: no key goes.
fn eviction(settings: &Settings) -> Option<Eviction> {
    let (worth, volatile) = match settings.maxmemory_policy {
        Policy::NoEviction => return None,
        Policy::AllKeysLru => (Worth::Recency, false),
        Policy::AllKeysLfu => (Worth::Frequency, false),
        Policy::AllKeysRandom => (Worth::Chance, false),
        Policy::VolatileLru => (Worth::Recency, true),
        Policy::VolatileLfu => (Worth::Frequency, true),
        Policy::VolatileRandom => (Worth::Chance, true),
        Policy::VolatileTtl => (Worth::Deadline, true),
    };
    let (samples, free_later) = (settings.maxmemory_samples, settings.lazyfree_lazy_eviction);
    Some(Eviction { worth, volatile, samples, free_later })
}

/// Microseconds that `maxmemory-eviction-tenacity` stands for: 50 each up to 10, then 15 per cent more each.
fn slice_us(tenacity: u32) -> i64 {
    match tenacity {
        0..=10 => 50 * i64::from(tenacity),
        11..100 => (500.0 * 1.15f64.powi(tenacity as i32 - 10)) as i64,
        _ => i64::MAX,
    }
}

impl Dispatcher {
    /// A new turn of the loop begins: evicts what the last one left, or what was allocated meanwhile. Whether clients
    /// that wait for room may try again.
    pub(crate) fn evict_more(&mut self) -> bool {
        let waited = std::mem::take(&mut self.room.unfinished);
        if self.room.is_limited() {
            (self.room.spent_us, self.room.turn_began_us) = (0, clock::now_us());
            self.turn.now_ms = self.room.turn_began_us / 1000;
            self.turn.keep_expired = self.shared.clients.pause(self.turn.now_ms).is_some();
            self.make_room(0);
            self.settle_turn();
        }
        waited
    }

    /// Notes what the client of `conn` takes, and closes the largest clients while all of them take too much.
    #[inline]
    pub(crate) fn weigh(&self, conn: &Connection) {
        let bytes = if conn.session.no_evict { 0 } else { conn.memory_bytes() as u64 };
        self.shared.clients.weigh(&conn.entry, bytes, self.settings.client_bytes_max());
    }

    /// Makes room for `incoming` bytes, and announces them to the other workers until [`Dispatcher::has_arrived`]: so
    /// that they do not count on the same room. No stripe may be held.
    #[inline]
    pub(crate) fn expect(&mut self, incoming: usize) {
        if !self.room.is_limited() {
            return;
        }
        self.make_room(incoming);
        if incoming >= ANNOUNCED_BYTES_MIN {
            self.room.announced = i64::try_from(incoming).unwrap_or(i64::MAX);
            self.shared.announced_bytes.fetch_add(self.room.announced, Ordering::Relaxed);
        }
    }

    /// What was expected is allocated, or will not be.
    #[inline]
    pub(crate) fn has_arrived(&mut self) {
        if self.room.announced != 0 {
            memory::publish();
            let announced = std::mem::take(&mut self.room.announced);
            self.shared.announced_bytes.fetch_sub(announced, Ordering::Relaxed);
        }
    }

    /// Evicts keys until `incoming` more bytes fit. No stripe may be held.
    pub(crate) fn make_room(&mut self, incoming: usize) -> Vacancy {
        if self.turn.keep_expired || self.shared.persistence.gate.has(Obstacle::Loading) {
            return Vacancy::Ample;
        }
        self.room.others_bytes = memory::others_bytes();
        let surplus = self.shared.store.keys().saturating_sub(self.room.keys_max);
        if self.room.keys_max > 0 && surplus > 0 && self.room.eviction.is_some() {
            self.evict_until(|dispatcher| dispatcher.shared.store.keys() <= dispatcher.room.keys_max);
        }
        if self.room.bytes_max == 0 {
            return Vacancy::Ample;
        }
        let wanted = self.room.bytes_max.saturating_sub(i64::try_from(incoming).unwrap_or(i64::MAX)).max(0);
        if self.used_bytes() <= wanted {
            return self.note_vacancy(Vacancy::Ample);
        }
        let freeing = &self.shared.freeing;
        let (pending, emptied) = (freeing.values().0 > 0, freeing.has_databases());
        // A database that was emptied gives back more than anybody knows.
        let more = !emptied && self.evict_until(|dispatcher| dispatcher.used_bytes() <= wanted);
        self.room.others_bytes = memory::others_bytes();
        let vacancy = match () {
            () if self.used_bytes() <= self.room.bytes_max => Vacancy::Ample,
            () if more || pending => Vacancy::Soon,
            () => Vacancy::None,
        };
        self.note_vacancy(vacancy)
    }

    /// Evicts keys until it is `enough`, the time is up or no key is left that may go; whether it did not end for the
    /// last reason.
    fn evict_until(&mut self, enough: impl Fn(&Dispatcher) -> bool) -> bool {
        let Some(how) = self.room.eviction else { return false };
        let started_us = clock::now_us();
        if self.room.is_over(started_us, 0) {
            self.room.unfinished = true;
            return true;
        }
        let mut evicted = 0;
        let more = loop {
            let went = self.shared.store.evict(&how, &mut self.room.candidates, &mut self.turn);
            if !self.turn.garbage.is_empty() {
                self.discard_garbage();
            }
            evicted += 1;
            if !went || enough(self) {
                break went;
            }
            if evicted % EVICTIONS_TIMED == 0 {
                let now_us = clock::now_us();
                if self.room.is_over(now_us, now_us.saturating_sub(started_us)) {
                    self.room.unfinished = true;
                    break true;
                }
            }
        };
        let time_us = clock::now_us().saturating_sub(started_us).max(0);
        self.room.spent_us += time_us;
        self.shared.latency.note(Event::EvictionCycle, Duration::from_micros(time_us.unsigned_abs()));
        self.skip_time();
        more
    }

    /// What is allocated and counts: not what will be freed anyway, and not what waits to be logged, which evicting
    /// only makes more.
    fn used_bytes(&self) -> i64 {
        let apart = self.shared.freeing.bytes() + self.shared.not_counted_bytes();
        let announced = self.shared.announced_bytes.load(Ordering::Relaxed) - self.room.announced;
        self.room.others_bytes + memory::own_bytes() + announced - i64::try_from(apart).unwrap_or(i64::MAX)
    }

    /// Whether the next command that wants room has to find it first.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        let room = &self.room;
        (room.bytes_max > 0 && self.used_bytes() > room.bytes_max)
            || (room.keys_max > 0 && self.shared.store.keys() >= room.keys_max)
    }

    fn note_vacancy(&mut self, vacancy: Vacancy) -> Vacancy {
        let exceeded = vacancy != Vacancy::Ample;
        self.room.least_bytes =
            if exceeded { self.room.least_bytes.min(self.used_bytes()) } else { i64::MAX };
        self.shared.exceeded.note(exceeded);
        vacancy
    }

    /// Makes room for the request `args` of `row`'s command, if it wants any; what becomes of it.
    pub(crate) fn admit(&mut self, row: &Row, args: Args<'_>) -> Admission {
        if !self.room.is_limited() || !row.command.is(flags::DENYOOM) {
            return Admission::Free;
        }
        let bytes = args.iter().map(<[u8]>::len).sum::<usize>() + REQUEST_BYTES;
        match self.make_room(bytes) {
            Vacancy::Ample => Admission::Free,
            Vacancy::None => Admission::Refused(OUT_OF_MEMORY),
            Vacancy::Soon => {
                let behind =
                    self.used_bytes() > self.room.bytes_max.max(self.room.least_bytes) + self.room.slack();
                if behind { self.hold_up() } else { Admission::Free }
            }
        }
    }

    fn hold_up(&mut self) -> Admission {
        self.room.unfinished = true;
        Admission::HeldUp
    }

    /// How many keys must go before the request `args`, whose stripes are held, may run: as many as it may add beyond
    /// `maxkeys`.
    ///
    /// # Errors
    /// None goes, or all would not be enough.
    pub(crate) fn surplus_keys(
        &mut self,
        held: &mut Held<'_>,
        command: &Command,
        args: Args<'_>,
        db: u32,
    ) -> Result<u64, Error> {
        let (keys_max, store) = (self.room.keys_max, &self.shared.store);
        if keys_max == 0 || !command.is(flags::DENYOOM) {
            return Ok(0);
        }
        let mut positions = commands::Positions::new();
        command.key_positions(args, &mut positions);
        let keys = store.keys();
        if keys + positions.len() as u64 <= keys_max {
            return Ok(0);
        }
        self.turn.log = store.order().is_wanted();
        let mut db = Db::new(held, &mut self.turn, db);
        let is_absent = |&i: &usize| {
            let key = db.key(args.at(i));
            db.peek(key).is_none()
        };
        let absent = positions.iter().copied().filter(is_absent).count() as u64;
        self.turn.seal(store.order());
        let surplus = (keys + absent).saturating_sub(keys_max).min(absent);
        if surplus > 0 && (self.room.eviction.is_none() || absent > keys_max) {
            return Err(OUT_OF_KEYS);
        }
        Ok(surplus)
    }

    /// Evicts `surplus` keys. No stripe may be held.
    pub(crate) fn evict_keys(&mut self, surplus: u64) -> Admission {
        let enough = self.shared.store.keys().saturating_sub(surplus);
        let more = self.evict_until(|dispatcher| dispatcher.shared.store.keys() <= enough);
        match () {
            () if self.shared.store.keys() <= enough => Admission::Free,
            () if more => self.hold_up(),
            () => Admission::Refused(OUT_OF_KEYS),
        }
    }
}

/// How long more was allocated than may be.
#[derive(Debug, Default)]
pub(crate) struct Exceeded {
    /// Since when it is, in microseconds since the Unix epoch; 0: it is not.
    since_us: AtomicI64,
    /// Microseconds it was, until it was not any more.
    total_us: AtomicI64,
}

impl Exceeded {
    /// Notes whether it is now.
    fn note(&self, exceeded: bool) {
        let since_us = self.since_us.load(Ordering::Relaxed);
        if exceeded == (since_us != 0) {
            return;
        }
        let now_us = clock::now_us();
        let now = if exceeded { now_us } else { 0 };
        let swapped = self.since_us.compare_exchange(since_us, now, Ordering::Relaxed, Ordering::Relaxed);
        if swapped.is_ok() && !exceeded {
            self.total_us.fetch_add(now_us.saturating_sub(since_us).max(0), Ordering::Relaxed);
        }
    }

    /// Milliseconds it was in all, and has been now.
    pub(crate) fn times_ms(&self) -> (i64, i64) {
        let since_us = self.since_us.load(Ordering::Relaxed);
        let current_us = if since_us == 0 { 0 } else { clock::now_us().saturating_sub(since_us).max(0) };
        ((self.total_us.load(Ordering::Relaxed) + current_us) / 1000, current_us / 1000)
    }

    /// Counts from zero again.
    pub(crate) fn reset(&self) {
        self.total_us.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::slice_us;

    #[test]
    fn tenacity_is_time() {
        assert_eq!([0, 1, 10, 11, 100].map(slice_us), [0, 50, 500, 575, i64::MAX]);
        assert!((11..100).all(|tenacity| slice_us(tenacity) > slice_us(tenacity - 1)));
    }
}
