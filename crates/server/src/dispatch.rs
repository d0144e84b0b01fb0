//! From bytes read to commands run: a batch of requests at a time.
//!
//! Of a batch whose commands touch one key each, the stripes are taken and the buckets and entries fetched ahead
//! of the first command, so that the memory's latency is paid once for all. What cannot go that way (several
//! keys, no key, a stripe somebody else holds) runs alone, in its turn.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use commands::{Command, Ctx, Error, Pause, Row, flags};
use engine::{Db, Garbage, Held, Turn};
use resp::{Args, ArgsBuf, Limits, Parser, Reply, Span};

use crate::clock;
use crate::config::Settings;
use crate::config::settings::AppendFsync;
use crate::connection::Connection;
use crate::hotkeys::Sampler;
use crate::latency::Event;
use crate::memory;
use crate::observe::Measure;

use crate::entrance::Entrance;
use crate::persistence::Obstacle;
use crate::room::Room;
use crate::shared::Shared;

/// Requests that are looked at together: enough to hide the memory's latency, few enough to stay in the cache.
const BATCH: usize = 16;
/// Replies from which a batch's are sent before the next is run.
const SEND_BYTES_MIN: usize = 64 << 10;
/// Entries for which the list of what went keeps memory.
const GONE_KEPT_MAX: usize = 4096;
/// Memory that the reply buffer may keep.
const REPLY_BUFFER_BYTES_MAX: usize = 1 << 20;

/// One request of a batch.
struct Request {
    /// Where it begins in the bytes read.
    start: usize,
    /// Its arguments among the batch's spans.
    spans: (usize, usize),
    /// Its command and the hash of its key, when that is a quick command with one key.
    quick: Option<(&'static Row, u64)>,
}

/// What becomes of a connection after its requests were run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on.
    Open,
    /// It is closed once its replies are sent.
    Closing,
    /// It is closed at once: it let more replies wait than it may.
    OverLimit,
}

/// Runs the requests of one worker's connections.
pub(crate) struct Dispatcher {
    /// The process.
    pub(crate) shared: Arc<Shared>,
    /// The configuration.
    pub(crate) settings: Arc<Settings>,
    /// Which version of it this is.
    config_version: u64,
    /// What commands get and leave.
    pub(crate) turn: Turn,
    worker: usize,
    pub(crate) measure: Measure,
    /// Says whose keys are looked at.
    sampler: Sampler,
    /// Up to when the time of commands is counted.
    counted_ns: i64,
    reply: Reply,
    spans: Vec<Span>,
    requests: Vec<Request>,
    /// By row: the argument that is the only key of a quick command; 0: it is not such a one.
    quick_key: Box<[u8]>,
    /// Where what takes long to free goes.
    garbage: Sender<Garbage>,
    /// The limits on what there may be.
    pub(crate) room: Room,
    /// Clients whose replies wait until effects are on disk.
    pub(crate) unsynced: Vec<u64>,
    /// Clients that may be held up: those that are and are not gone.
    pub(crate) held_up: Vec<u64>,
}

impl Dispatcher {
    pub(crate) fn new(shared: Arc<Shared>, worker: usize, seed: u64, garbage: Sender<Garbage>) -> Dispatcher {
        Dispatcher {
            settings: shared.config.settings(),
            measure: Measure::of(&shared.config.settings()),
            config_version: u64::MAX,
            shared,
            turn: Turn::new(clock::now_ms(), seed),
            worker,
            sampler: Sampler::new(seed),
            counted_ns: 0,
            reply: Reply::new(),
            spans: Vec::new(),
            requests: Vec::with_capacity(BATCH),
            quick_key: commands::rows().iter().map(|row| quick_key(row.command)).collect(),
            garbage,
            room: Room::default(),
            unsynced: Vec::new(),
            held_up: Vec::new(),
        }
    }

    /// Takes over a configuration that has changed, and what is to be looked at.
    #[inline]
    pub(crate) fn renew_settings(&mut self) {
        self.sampler.follow(&self.shared.hot_keys);
        let version = self.shared.config.version();
        if version != self.config_version {
            self.config_version = version;
            self.settings = self.shared.config.settings();
            self.measure = Measure::of(&self.settings);
            self.turn.access = self.settings.access_policy();
            self.turn.limits = self.settings.limits();
            self.room.follow(&self.settings);
            self.shared.clients.memory.set_limited(self.settings.client_bytes_max() > 0);
        }
    }

    /// Runs the complete requests in `buf`, whose first byte is the first of a request, and sends the replies.
    /// How many bytes they took, and what becomes of the connection.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn run(&mut self, conn: &mut Connection, buf: &mut [u8]) -> io::Result<(usize, Fate)> {
        self.begin(conn);
        let ran = self.run_complete(conn, buf);
        // Also for a connection that broke: what its commands did is to be handed on.
        let ended = self.end(conn);
        let (consumed, fate) = ran?;
        ended?;
        Ok((consumed, fate))
    }

    fn run_complete(&mut self, conn: &mut Connection, buf: &mut [u8]) -> io::Result<(usize, Fate)> {
        let mut consumed = 0;
        let fate = loop {
            let before = consumed;
            let error = self.parse(conn, buf, &mut consumed);
            // Values are copied, and replies may repeat them.
            self.expect((consumed - before).saturating_mul(2));
            let ran = self.run_batch(conn, buf);
            self.has_arrived();
            let ran = ran?;
            if let (Some(_), Some(next)) = (&conn.held_up, self.requests.get(ran)) {
                // What is behind the request that is held up is read again in its time.
                consumed = next.start;
                conn.parser = Parser::default();
                break Fate::Open;
            }
            if self.is_over_limit(conn) {
                break Fate::OverLimit;
            }
            if let Some(error) = error {
                self.protocol_error(conn, &error.to_string());
            }
            if conn.session.closing {
                break Fate::Closing;
            }
            if self.requests.is_empty() || conn.held_up.is_some() {
                break Fate::Open;
            }
        };
        Ok((consumed, fate))
    }

    /// Runs the request that a pause held up, if it may run now; whether none is held up any more.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn resume(&mut self, conn: &mut Connection) -> io::Result<bool> {
        let Some(request) = conn.held_up.take() else { return Ok(true) };
        self.begin(conn);
        match commands::resolve(request.args(), &conn.session, &*self.shared) {
            Ok(row) if self.is_paused(row) => self.set_aside(conn, request),
            _ => self.run_alone(conn, request.args()),
        }
        self.end(conn)?;
        Ok(conn.held_up.is_none())
    }

    /// Removes what is due in the worker's stripes, looking at about `budget` entries.
    pub(crate) fn expire_due(&mut self, group: usize, budget: usize) -> engine::Due {
        let started_us = clock::now_us();
        self.turn.now_ms = started_us / 1000;
        let due = self.shared.store.expire_due(group, &mut self.turn, budget);
        self.settle_turn();
        let time_us = clock::now_us().saturating_sub(started_us).max(0).unsigned_abs();
        self.shared.stats.worker(self.worker).expiry_cycle(time_us, due == engine::Due::More);
        self.shared.latency.note(Event::ExpireCycle, Duration::from_micros(time_us));
        due
    }

    /// Counts a read of `bytes` bytes from `conn`.
    #[inline]
    pub(crate) fn count_read(&self, conn: &mut Connection, bytes: usize) {
        conn.totals.0 += bytes as u64;
        conn.entry.received(conn.totals.0);
        self.shared.stats.worker(self.worker).read(bytes);
    }

    fn begin(&mut self, conn: &Connection) {
        self.renew_settings();
        self.counted_ns = clock::now_ns();
        self.turn.now_ms = self.counted_ns / 1_000_000;
        self.turn.keep_expired = self.shared.clients.pause(self.turn.now_ms).is_some();
        self.shared.stats.worker(self.worker).begin(&self.shared.stats);
        self.follow(conn);
    }

    /// Takes over what the session says of replies and accesses.
    fn follow(&mut self, conn: &Connection) {
        self.reply.set_resp3(conn.session.resp3);
        self.turn.no_touch = conn.session.no_touch;
    }

    fn end(&mut self, conn: &mut Connection) -> io::Result<()> {
        conn.note(self.turn.now_ms);
        let sent = self.send(conn);
        self.weigh(conn);
        self.settle_turn();
        sent
    }

    fn send(&mut self, conn: &mut Connection) -> io::Result<()> {
        if self.reply.is_empty() {
            return Ok(());
        }
        let wait = self.settings.appendfsync == AppendFsync::Always;
        let unsynced = if wait { self.unsynced_effects() } else { None };
        let buffer = self.reply.buffer();
        let sent = match unsynced {
            None => conn.send(buffer)?,
            Some(number) => {
                conn.send_after(number, buffer);
                if self.unsynced.last() != Some(&conn.entry.id) {
                    self.unsynced.push(conn.entry.id);
                }
                0
            }
        };
        if buffer.capacity() > REPLY_BUFFER_BYTES_MAX {
            *buffer = Vec::new();
        }
        self.shared.stats.worker(self.worker).wrote(sent);
        Ok(())
    }

    /// The number below which all effects must be on disk before the replies may leave, unless they are: no reply
    /// tells of what a crash could take back. Where the log fails, only the client's own effects count, so that
    /// reads go on.
    fn unsynced_effects(&self) -> Option<u64> {
        let log = &self.shared.persistence.log;
        let own = self.turn.effects.runs.last().map_or(0, |run| run.number + 1);
        let gate = &self.shared.persistence.gate;
        let seen = if gate.has(Obstacle::LogFailed) { 0 } else { self.shared.store.order().taken() };
        let number = own.max(seen);
        (log.is_on() && number > log.synced()).then_some(number)
    }

    /// Hands on what commands left in the turn.
    pub(crate) fn settle_turn(&mut self) {
        let (turn, stats) = (&mut self.turn, self.shared.stats.worker(self.worker));
        stats.turn(turn);
        self.shared.add_dirty(turn.dirty);
        (turn.hits, turn.misses, turn.dirty) = (0, 0, 0);
        if !turn.gone.is_empty() {
            // The turn's time stood still while keys were removed.
            let since_us = clock::now_us().saturating_sub(turn.now_ms * 1000).max(0);
            stats.gone(&turn.gone, self.settings.maxmemory_policy, since_us.unsigned_abs());
            turn.gone.clear();
            turn.gone.shrink_to(GONE_KEPT_MAX);
        }
        if !turn.effects.is_empty() {
            self.shared.persistence.log.pipe.send(self.worker, &mut turn.effects);
        }
        self.discard_garbage();
        memory::publish();
    }

    /// Hands what takes long to free to the thread that does.
    pub(crate) fn discard_garbage(&mut self) {
        for garbage in self.turn.garbage.drain(..) {
            self.shared.freeing.sent(garbage.bytes());
            // Without that thread, at the very end, it is freed here.
            if let Err(mpsc::SendError(garbage)) = self.garbage.send(garbage) {
                self.shared.freeing.free(garbage);
            }
        }
    }

    /// Reads requests from `buf` behind the first `consumed` bytes, a batch at most.
    fn parse(
        &mut self,
        conn: &mut Connection,
        buf: &mut [u8],
        consumed: &mut usize,
    ) -> Option<resp::ProtocolError> {
        self.requests.clear();
        self.spans.clear();
        let limits = Limits {
            bulk_bytes_max: self.settings.proto_max_bulk_len_bytes,
            unauthenticated: !conn.session.authenticated,
            ..Limits::default()
        };
        // Who has yet to authenticate, or may be held up, is read one request at a time: the next may be read
        // by other rules, or not yet.
        let alone = limits.unauthenticated || self.turn.keep_expired;
        let most = if alone { 1 } else { BATCH };
        while self.requests.len() < most {
            let (start, first) = (*consumed, self.spans.len());
            match conn.parser.next(&mut buf[start..], &limits, &mut self.spans) {
                Ok(Some(len)) => *consumed += len,
                Ok(None) => return None,
                Err(error) => {
                    self.spans.truncate(first);
                    return Some(error);
                }
            }
            if self.spans.len() > first {
                let spans = (first, self.spans.len());
                let args = Args::new(&buf[start..], &self.spans[first..]);
                let quick = self.quick(args);
                self.requests.push(Request { start, spans, quick });
            }
        }
        None
    }

    /// The row and the hash of the key, when the request is for a quick command with one key, and complete.
    #[inline]
    fn quick(&self, args: Args<'_>) -> Option<(&'static Row, u64)> {
        let row = commands::find_row(args.at(0))?;
        let key = usize::from(self.quick_key[row.number]);
        let fits = key != 0 && row.command.takes(args.len());
        fits.then(|| (row, self.shared.store.key(args.at(key)).hash()))
    }

    /// Runs the requests that were read, unless one is held up; how many it is done with, that one included.
    fn run_batch(&mut self, conn: &mut Connection, buf: &[u8]) -> io::Result<usize> {
        let requests = std::mem::take(&mut self.requests);
        let spans = std::mem::take(&mut self.spans);
        let ran = self.run_requests(conn, buf, &requests, &spans);
        self.requests = requests;
        self.spans = spans;
        ran
    }

    /// Runs `requests`, and sends replies whenever there are many; how many it is done with. What is left when the
    /// client then lets too many wait is not run.
    fn run_requests(
        &mut self,
        conn: &mut Connection,
        buf: &[u8],
        requests: &[Request],
        spans: &[Span],
    ) -> io::Result<usize> {
        let shared = Arc::clone(&self.shared);
        let args = |r: &Request| Args::new(&buf[r.start..], &spans[r.spans.0..r.spans.1]);
        let session = &conn.session;
        let together = session.authenticated && !session.monitoring && !self.turn.keep_expired;
        let mut rest = requests;
        let mut held = Held::nothing(&shared.store);
        while let Some(first) = rest.first() {
            if conn.session.closing || conn.entry.is_killed() {
                conn.session.closing = true;
                break;
            }
            let mut ready = if together { hold(&mut held, conn.session.db, rest) } else { 0 };
            if !shared.persistence.gate.is_open() {
                held.release();
                ready = 0;
            }
            let quick = rest[..ready].iter().filter_map(|r| Some((r.quick?.0, args(r))));
            let mut ran = self.run_together(conn, &mut held, quick);
            held.release();
            if ran == 0 {
                self.run_alone(conn, args(first));
                ran = 1;
            }
            rest = &rest[ran..];
            if conn.held_up.is_some() {
                break;
            }
            if self.reply.len() >= SEND_BYTES_MIN {
                self.send(conn)?;
                self.skip_time();
                if self.is_over_limit(conn) {
                    break;
                }
            }
        }
        Ok(requests.len() - rest.len())
    }

    /// Runs quick commands whose stripes are held, until there are many replies to send or one wants room that is not
    /// there; how many it ran.
    fn run_together<'a>(
        &mut self,
        conn: &mut Connection,
        held: &mut Held<'_>,
        requests: impl Iterator<Item = (&'static Row, Args<'a>)>,
    ) -> usize {
        let mut requests = requests.peekable();
        let (mut ran, mut uncounted) = (0, 0);
        self.turn.log = self.shared.store.order().is_wanted();
        let limited = self.room.is_limited();
        while let Some((row, args)) = requests.next() {
            if limited && row.command.is(flags::DENYOOM) && self.is_short() {
                break;
            }
            self.run_held(conn, held, row, args);
            ran += 1;
            uncounted += 1;
            let enough = self.reply.len() >= SEND_BYTES_MIN;
            let alone = |args| self.measure.is_alone(args);
            // Runs of one command are timed together: a look at the clock costs as much as a quick command.
            if enough
                || alone(args)
                || requests.peek().is_none_or(|&(next, args)| next.number != row.number || alone(args))
            {
                self.count(conn, row, args, uncounted);
                uncounted = 0;
            }
            // A command may let go of the stripes when it has read what it needs.
            if enough || held.is_empty() {
                break;
            }
        }
        self.turn.seal(self.shared.store.order());
        ran
    }

    /// Whether the client let more replies wait than it may.
    fn is_over_limit(&self, conn: &mut Connection) -> bool {
        let limit = self.settings.client_output_buffer_limit.normal;
        !conn.output.is_empty() && conn.output.is_over(limit, self.turn.now_ms)
    }

    /// Holds `request` up until [`Dispatcher::resume`].
    fn set_aside(&mut self, conn: &mut Connection, request: ArgsBuf) {
        conn.held_up = Some(request);
        self.held_up.push(conn.entry.id);
    }

    /// Runs one request by itself, whatever it is.
    fn run_alone(&mut self, conn: &mut Connection, args: Args<'_>) {
        let shared = Arc::clone(&self.shared);
        let row = match commands::resolve(args, &conn.session, &*self.shared) {
            Ok(row) => row,
            Err(error) => return self.reject(conn, args, &error),
        };
        if self.turn.keep_expired && self.is_paused(row) {
            return self.set_aside(conn, args.iter().collect());
        }
        let mut held = match self.enter(&shared, row, args, conn.session.db) {
            Entrance::Open(held) => held,
            Entrance::Refused(error) => return self.reject(conn, args, &error),
            Entrance::HeldUp => return self.set_aside(conn, args.iter().collect()),
            Entrance::Ended => {
                conn.session.closing = true;
                return;
            }
        };
        if held.has_waited() {
            // What others ran meanwhile counts that time.
            self.skip_time();
        }
        self.turn.log = shared.store.order().is_wanted();
        self.run_held(conn, &mut held, row, args);
        self.turn.seal(shared.store.order());
        drop(held);
        if row.command.is(flags::ADMIN) {
            // It may have reset the counters, and is the first that counts again.
            self.shared.stats.worker(self.worker).begin(&self.shared.stats);
        }
        // It may have been CONFIG SET: what follows goes by what it says.
        self.renew_settings();
        self.count(conn, row, args, 1);
        self.follow(conn);
    }

    fn is_paused(&self, row: &Row) -> bool {
        let writes = row.command.flags & (flags::WRITE | flags::MAY_REPLICATE) != 0;
        match self.shared.clients.pause(clock::now_ms()) {
            Some((Pause::All, _)) => true,
            Some((Pause::Writes, _)) => writes,
            None => false,
        }
    }

    /// Runs a command whose stripes are held.
    #[inline]
    fn run_held(&mut self, conn: &mut Connection, held: &mut Held<'_>, row: &'static Row, args: Args<'_>) {
        let start = self.reply.len();
        let look = self.sampler.look();
        let mut ctx = Ctx {
            args,
            command: row.command,
            db: Db::new(held, &mut self.turn, conn.session.db),
            reply: &mut self.reply,
            session: &mut conn.session,
            host: &*self.shared,
            rewritten: false,
        };
        if let Err(error) = commands::run(&mut ctx) {
            self.shared.stats.worker(self.worker).failed(row, &error.to_string());
        }
        conn.last_command = Some(row);
        conn.totals.2 += 1;
        conn.session.withhold(&mut self.reply, start);
        let reply_bytes = self.reply.len() - start;
        if self.measure.is_large(args, reply_bytes) {
            self.note_large(conn, row, args, reply_bytes);
        }
        if self.shared.monitors.is_watched() {
            self.show(conn, row, args);
        }
        if let Some(look) = look {
            let (request, reply_bytes) = ((row.command, args), self.reply.len().saturating_sub(start));
            self.shared.hot_keys.note(self.worker, &look, &self.shared.store, request, reply_bytes);
        }
    }

    /// Says that what was done up to now is no command's time.
    pub(crate) fn skip_time(&mut self) {
        self.counted_ns = clock::now_ns();
    }

    /// Counts `ran` runs of `row`'s command, the last with `args`, which took the time since the last count.
    #[inline]
    fn count(&mut self, conn: &Connection, row: &Row, args: Args<'_>, ran: u64) {
        let now_ns = clock::now_ns();
        let time_ns = now_ns.saturating_sub(self.counted_ns).max(0).unsigned_abs();
        self.counted_ns = now_ns;
        let percentiles = self.settings.latency_tracking;
        self.shared.stats.worker(self.worker).ran(row, time_ns, ran, percentiles);
        if time_ns >= self.measure.noted_ns {
            self.note_slow(conn, row, args, time_ns);
        }
    }

    /// Answers a request that is not run with `error`.
    fn reject(&mut self, conn: &mut Connection, args: Args<'_>, error: &Error) {
        let start = self.reply.len();
        error.reply(&mut self.reply);
        let stats = self.shared.stats.worker(self.worker);
        match commands::find_row(args.at(0)) {
            Some(row) => stats.rejected(row, &error.to_string()),
            None => stats.error(&error.to_string()),
        }
        conn.session.withhold(&mut self.reply, start);
    }

    fn protocol_error(&mut self, conn: &mut Connection, error: &str) {
        let text = format!("ERR Protocol error: {error}");
        self.shared.stats.worker(self.worker).error(&text);
        self.reply.error(&text);
        conn.session.closing = true;
    }
}

/// Takes the stripes of as many of `requests`, from the first on, as are quick and nobody else's, and fetches
/// their entries; how many.
#[inline]
fn hold(held: &mut Held<'_>, db: u32, requests: &[Request]) -> usize {
    let free = |request: &&Request| request.quick.is_some_and(|(_, hash)| held.try_add(hash));
    let ready = requests.iter().take_while(free).count();
    if ready > 1 {
        held.prefetch(db, requests[..ready].iter().filter_map(|r| r.quick).map(|(_, hash)| hash));
    }
    ready
}

/// The argument that is the only key of `command`, when that takes constant time or nearly so; otherwise 0.
fn quick_key(command: &Command) -> u8 {
    let quick = ["O(1)", "O(log"].iter().any(|cost| command.complexity.starts_with(cost));
    let key = command.only_key().filter(|_| quick);
    key.and_then(|i| u8::try_from(i).ok()).unwrap_or(0)
}
