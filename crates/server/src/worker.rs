//! A worker: one thread, one event loop, the connections that live on it and the stripes it expires.
//!
//! A turn of the loop waits for sockets or the next deadline, takes what others left in its inbox, serves the
//! sockets that are ready, and removes what is due, in bounded pieces in between.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use commands::{Replies, Session};
use engine::{Due, Garbage};
use mio::{Events, Poll, Token, Waker};
use parking_lot::Mutex;
use slab::Slab;

use crate::clients::{Connected, Wakeup};
use crate::clock;
use crate::config::Settings;
use crate::connection::Connection;
use crate::defrag::Defragmenter;
use crate::dispatch::{Dispatcher, Fate};
use crate::latency::Event;
use crate::listener::ListenError;
use crate::listeners::Listeners;
use crate::memory;
use crate::monitor::LINES_BYTES_MAX;
use crate::persistence::Obstacle;
use crate::shared::Shared;
use crate::socket::Socket;

/// Bytes read from a socket at a time, at least.
const READ_BYTES: usize = 64 << 10;
/// Most room made for a read ahead of the bytes that fill it.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;
/// Reads from one socket before the others have their turn.
const READS_MAX: usize = 16;
/// Entries looked at for expiry before the sockets have their turn: a few hundred microseconds.
const EXPIRE_BUDGET: usize = 2000;
/// Longest sleep: the clock may be set meanwhile, and idle clients are looked for.
const SLEEP_MS_MAX: i64 = 100;
/// Parts of all connections, one of which is looked at each [`SLEEP_MS_MAX`].
const SWEEP_PARTS: usize = 10;

const WAKER: Token = Token(usize::MAX);
/// The first listener's token; those below are connections'.
const LISTENERS: usize = usize::MAX / 2;

/// What others want of a worker.
#[derive(Debug)]
pub(crate) enum Message {
    /// Serve this client.
    Serve(Socket),
    /// Look at clients.
    Wakeup(Wakeup),
    /// End: close all connections once their replies are sent.
    Stop,
}

/// Where others leave messages for a worker.
pub(crate) struct Inbox {
    messages: Mutex<Vec<Message>>,
    waker: Waker,
}

impl Inbox {
    /// Leaves `message` and wakes the worker.
    pub(crate) fn send(&self, message: Message) {
        self.messages.lock().push(message);
        self.wake();
    }

    /// Wakes the worker.
    pub(crate) fn wake(&self) {
        // It fails only when the system is out of the little memory that waking needs; the loop turns anyway.
        let _ = self.waker.wake();
    }
}

/// A worker's parts, before its thread runs.
pub(crate) struct Worker {
    index: usize,
    poll: Poll,
    inbox: Arc<Inbox>,
    peers: Vec<Arc<Inbox>>,
    /// What this worker accepts clients from, if it is the one that does.
    listeners: Option<Arc<Listeners>>,
    dispatcher: Dispatcher,
    connections: Slab<Connection>,
    tokens: HashMap<u64, usize>,
    /// Connections whose sockets may hold more than was read at their turn.
    unread: Vec<usize>,
    input: Box<[u8]>,
    /// The part of the connections that was looked at last, and when.
    swept: (usize, i64),
    defragmenter: Defragmenter,
    stopping: bool,
}

impl Worker {
    /// Worker number `index`.
    ///
    /// # Errors
    /// The system gives no event queue.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        index: usize,
        seed: u64,
        garbage: Sender<Garbage>,
    ) -> io::Result<Worker> {
        let poll = Poll::new()?;
        let inbox = Inbox { messages: Mutex::default(), waker: Waker::new(poll.registry(), WAKER)? };
        Ok(Worker {
            index,
            poll,
            inbox: Arc::new(inbox),
            peers: Vec::new(),
            listeners: None,
            dispatcher: Dispatcher::new(Arc::clone(shared), index, seed, garbage),
            connections: Slab::new(),
            tokens: HashMap::new(),
            unread: Vec::new(),
            input: vec![0; READ_BYTES].into(),
            swept: (0, 0),
            defragmenter: Defragmenter::new(index),
            stopping: false,
        })
    }

    /// Where others leave messages.
    pub(crate) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// Makes this the worker that accepts clients, for all `workers`, wherever `settings` say.
    ///
    /// # Errors
    /// The system refuses a listener.
    pub(crate) fn listen(
        &mut self,
        settings: &Settings,
        workers: Vec<Arc<Inbox>>,
    ) -> Result<Arc<Listeners>, ListenError> {
        let listeners = Arc::new(Listeners::open(settings, self.poll.registry(), LISTENERS)?);
        self.peers = workers;
        self.listeners = Some(Arc::clone(&listeners));
        Ok(listeners)
    }

    /// Runs the worker on a thread of its own until it is told to stop.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn spawn(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("worker-{}", self.index)).spawn(move || self.run())
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        while !(self.stopping && self.connections.is_empty()) {
            let timeout = self.timeout();
            let polled = self.poll.poll(&mut events, Some(timeout));
            let woken_us = clock::now_us();
            self.shared().store.awake(self.index);
            if let Err(error) = polled
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!("Waiting for sockets failed: {error}");
                return;
            }
            self.dispatcher.renew_settings();
            for event in &events {
                match event.token() {
                    WAKER => self.take_messages(),
                    token if token.0 >= LISTENERS => self.accept(token),
                    Token(n) => {
                        if event.is_writable() {
                            self.write(n);
                        }
                        if event.is_readable() || event.is_read_closed() || event.is_error() {
                            self.read(n, event.is_read_closed() || event.is_error());
                        }
                    }
                }
                self.expire(self.dispatcher.turn.now_ms);
            }
            for n in std::mem::take(&mut self.unread) {
                self.read(n, true);
            }
            // Also without a limit: it may have been taken away while clients waited.
            if self.dispatcher.evict_more() {
                self.resume();
            }
            let now_us = clock::now_us();
            self.expire(now_us / 1000);
            self.sweep(now_us / 1000);
            self.defragment();
            if !self.dispatcher.unsynced.is_empty() {
                self.shared().persistence.log.await_sync();
                // What was synced before that would not be told.
                self.release();
            }
            memory::rest(events.is_empty());
            self.shared().note_memory(memory::used_bytes());
            self.shared().stats.worker(self.index).turned((now_us - woken_us).max(0).unsigned_abs());
        }
    }

    fn shared(&self) -> &Shared {
        &self.dispatcher.shared
    }

    /// How long to wait for sockets: until the next deadline in this worker's stripes, or the next sweep.
    fn timeout(&self) -> Duration {
        if !self.unread.is_empty() || self.dispatcher.room.is_unfinished() {
            return Duration::ZERO;
        }
        let now_us = clock::now_us();
        let sweep_ms = now_us / 1000 + SLEEP_MS_MAX;
        let until_ms = match self.expires(now_us / 1000) {
            true => self.shared().store.fall_asleep(self.index, sweep_ms),
            false => sweep_ms,
        };
        let until_us = until_ms.saturating_mul(1000).min(self.defragmenter.next_us(&self.shared().defrag));
        Duration::from_micros(until_us.saturating_sub(now_us).max(0).unsigned_abs())
    }

    fn take_messages(&mut self) {
        let messages = std::mem::take(&mut *self.inbox.messages.lock());
        for message in messages {
            match message {
                Message::Serve(socket) => self.serve(socket),
                Message::Wakeup(Wakeup::Client(id)) => {
                    if let Some(&n) = self.tokens.get(&id) {
                        match &self.connections[n] {
                            conn if conn.entry.is_killed() => self.close(n),
                            conn if conn.session.monitoring && !conn.session.closing => self.send_lines(n),
                            _ => {}
                        }
                    }
                }
                Message::Wakeup(Wakeup::Unpaused) => self.resume(),
                Message::Wakeup(Wakeup::Synced) => self.release(),
                Message::Stop => self.stop(),
            }
        }
    }

    // -- clients that come --------------------------------------------------------------------

    fn accept(&mut self, listener: Token) {
        loop {
            let Some(listeners) = &self.listeners else { return };
            match listeners.accept(listener, &self.dispatcher.settings) {
                Ok(socket) => self.welcome(socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of file descriptors, most likely: those that wait are taken when one of ours goes.
                    tracing::warn!("Accepting client connection: {error}");
                    return;
                }
            }
        }
    }

    /// Hands a client that just connected to the worker with the fewest, unless it is refused.
    fn welcome(&mut self, mut socket: Socket) {
        let settings = &self.dispatcher.settings;
        let refusal = if self.shared().clients.len() >= settings.maxclients {
            Some("-ERR max number of clients reached\r\n")
        } else if settings.protected_mode
            && settings.requirepass.is_empty()
            && socket.peer().is_some_and(|ip| !ip.is_loopback())
        {
            Some(PROTECTED)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.shared().stats.worker(self.index).connection_rejected();
            // The client is told when its socket has room, as a new one's has.
            let _ = socket.write(refusal.as_bytes());
            return;
        }
        self.shared().stats.worker(self.index).connected();
        let worker = self.shared().next_worker();
        if worker == self.index {
            self.serve(socket);
        } else if let Some(inbox) = self.peers.get(worker) {
            inbox.send(Message::Serve(socket));
        }
    }

    fn serve(&mut self, mut socket: Socket) {
        let slot = self.connections.vacant_entry();
        let n = slot.key();
        if self.stopping || socket.register(self.poll.registry(), Token(n)).is_err() {
            self.shared().worker_lost(self.index);
            return;
        }
        let (address, local_address) = socket.addresses();
        let now_ms = clock::now_ms();
        let (fd, unix_socket) = (socket.fd(), socket.is_unix());
        let connected = Connected { address, local_address, fd, unix_socket, worker: self.index, now_ms };
        let entry = self.dispatcher.shared.clients.register(connected);
        tracing::debug!(client = entry.id, "Accepted {}", entry.address());
        let session = Session::new(entry.id, self.dispatcher.settings.requirepass.is_empty());
        self.tokens.insert(entry.id, n);
        let conn = slot.insert(Connection::new(socket, session, entry));
        conn.note(now_ms);
    }

    // -- clients that are there ---------------------------------------------------------------

    /// Reads from connection `n` and runs what it asks, until nothing more is there or others are to have their
    /// turn. `to_the_end`: the other side may have closed, which only reading to the end tells.
    fn read(&mut self, n: usize, to_the_end: bool) {
        for _ in 0..READS_MAX {
            let Some(conn) = self.connections.get_mut(n) else { return };
            if conn.held_up.is_some() || conn.session.closing {
                // What is read now could only pile up.
                conn.unread = true;
                return;
            }
            match self.read_once(n) {
                Ok(Some((full, Fate::Open))) if full || to_the_end || !cfg!(target_os = "linux") => {}
                // On Linux, bytes that come after a read that did not fill its buffer are told anew.
                Ok(Some((_, Fate::Open))) => return self.check_limits(n),
                Ok(Some((_, Fate::Closing))) => return self.close_when_sent(n),
                Ok(Some((_, Fate::OverLimit))) => return self.check_limits(n),
                Ok(None) => return self.close(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.check_limits(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.close(n),
            }
        }
        self.check_limits(n);
        if self.connections.contains(n) {
            self.unread.push(n);
        }
    }

    /// Reads once and runs the requests that are complete; whether the read filled its buffer, and what becomes of
    /// the connection. Nothing: the other side closed, or is to be closed for what it sent.
    fn read_once(&mut self, n: usize) -> io::Result<Option<(bool, Fate)>> {
        let conn = &mut self.connections[n];
        if conn.input.is_empty() {
            let read = conn.socket.read(&mut self.input)?;
            if read == 0 {
                return Ok(None);
            }
            self.dispatcher.count_read(conn, read);
            let (consumed, fate) = self.dispatcher.run(conn, &mut self.input[..read])?;
            if consumed < read {
                conn.input.extend_from_slice(&self.input[consumed..read]);
            }
            return Ok(Some((read == self.input.len(), fate)));
        }
        let (read, room) = self.read_more(n)?;
        if read == 0 {
            return Ok(None);
        }
        let conn = &mut self.connections[n];
        self.dispatcher.count_read(conn, read);
        if conn.input.len() > self.dispatcher.settings.client_query_buffer_limit_bytes {
            self.dispatcher.shared.stats.worker(self.index).query_limit_hit();
            let id = conn.entry.id;
            tracing::warn!(client = id, "Closing client id={id} that reached max query buffer length");
            return Ok(None);
        }
        let fate = self.run_input(n)?;
        Ok(Some((read == room, fate)))
    }

    /// Reads on behind the bytes of a request that is not complete; how many bytes, and for how many there was
    /// room. The connection's buffer grows with what came, whatever length the client says is to come.
    fn read_more(&mut self, n: usize) -> io::Result<(usize, usize)> {
        let conn = &mut self.connections[n];
        let len = conn.input.len();
        let room = conn.parser.bytes_missing().min(len).min(READ_AHEAD_BYTES_MAX);
        if room <= READ_BYTES {
            let read = conn.socket.read(&mut self.input)?;
            conn.input.extend_from_slice(&self.input[..read]);
            return Ok((read, self.input.len()));
        }
        // A long argument comes straight to its place; while the buffer grows, the old one is there too.
        let grown = (2 * conn.input.capacity()).max(len + room);
        self.dispatcher.expect(if conn.input.capacity() < len + room { grown } else { 0 });
        conn.input.resize(len + room, 0);
        self.dispatcher.has_arrived();
        let read = conn.socket.read(&mut conn.input[len..]);
        conn.input.truncate(len + *read.as_ref().unwrap_or(&0));
        Ok((read?, room))
    }

    /// Runs the complete requests in the connection's own buffer.
    fn run_input(&mut self, n: usize) -> io::Result<Fate> {
        let conn = &mut self.connections[n];
        let mut input = std::mem::take(&mut conn.input);
        let ran = self.dispatcher.run(conn, &mut input);
        conn.input = input;
        let (consumed, fate) = ran?;
        conn.consume(consumed);
        Ok(fate)
    }

    /// Sends what waits for connection `n`.
    fn write(&mut self, n: usize) {
        let Some(conn) = self.connections.get_mut(n) else { return };
        if conn.output.is_empty() {
            return;
        }
        match conn.flush() {
            Ok(sent) => {
                self.dispatcher.shared.stats.worker(self.index).wrote(sent);
                if conn.session.closing && conn.output.is_empty() {
                    self.close(n);
                }
            }
            Err(_) => self.close(n),
        }
    }

    /// Closes connection `n` when it holds more than its limits allow.
    fn check_limits(&mut self, n: usize) {
        let settings = &self.dispatcher.settings;
        let Some(conn) = self.connections.get_mut(n) else { return };
        if !conn.output.is_empty()
            && conn.output.is_over(settings.client_output_buffer_limit.normal, clock::now_ms())
        {
            self.close_over_limit(n);
        }
    }

    fn close_over_limit(&mut self, n: usize) {
        self.shared().stats.worker(self.index).output_limit_hit();
        let id = self.connections[n].entry.id;
        tracing::warn!(client = id, "Closing client id={id} that reached max output buffer length");
        self.close(n);
    }

    /// Sends connection `n`, which watches what others run, the lines that wait for it.
    fn send_lines(&mut self, n: usize) {
        let conn = &mut self.connections[n];
        let Some(mut lines) = self.dispatcher.shared.monitors.take(conn.entry.id) else {
            return self.close_over_limit(n);
        };
        if conn.session.replies == Replies::Off {
            return;
        }
        match conn.send(&mut lines) {
            Ok(_) if conn.output.len() > LINES_BYTES_MAX => self.close_over_limit(n),
            Ok(sent) => {
                self.dispatcher.shared.stats.worker(self.index).wrote(sent);
                self.check_limits(n);
            }
            Err(_) => self.close(n),
        }
    }

    fn close_when_sent(&mut self, n: usize) {
        if self.connections.get(n).is_some_and(|conn| conn.output.is_empty()) {
            self.close(n);
        }
    }

    fn close(&mut self, n: usize) {
        if let Some(conn) = self.connections.try_remove(n) {
            let (id, address) = (conn.entry.id, conn.entry.address());
            tracing::debug!(client = id, "Client closed connection id={id} addr={address}");
            self.tokens.remove(&conn.entry.id);
            if conn.session.monitoring {
                self.shared().monitors.remove(conn.entry.id);
            }
            self.shared().clients.remove(conn.entry.id);
            self.shared().worker_lost(self.index);
        }
    }

    /// Goes on with the clients that a pause held up, when it is over.
    fn resume(&mut self) {
        for id in std::mem::take(&mut self.dispatcher.held_up) {
            let Some(&n) = self.tokens.get(&id) else { continue };
            let resumed = self.dispatcher.resume(&mut self.connections[n]);
            match resumed.and_then(|over| if over { self.run_input(n).map(Some) } else { Ok(None) }) {
                Ok(Some(Fate::Open)) => {
                    self.connections[n].unread = false;
                    self.read(n, true);
                }
                Ok(Some(Fate::Closing)) => self.close_when_sent(n),
                Ok(Some(Fate::OverLimit)) => self.check_limits(n),
                Ok(None) => {}
                Err(_) => self.close(n),
            }
        }
    }

    /// Sends replies whose effects have reached the disk.
    fn release(&mut self) {
        let synced = self.shared().persistence.log.synced();
        for id in std::mem::take(&mut self.dispatcher.unsynced) {
            let Some(&n) = self.tokens.get(&id) else { continue };
            let (waits, released) = self.connections[n].has_synced(synced);
            if waits {
                self.dispatcher.unsynced.push(id);
            }
            if released {
                self.write(n);
            }
        }
    }

    // -- in between ---------------------------------------------------------------------------

    /// Removes keys that are due by `now_ms`, for a few hundred microseconds at most.
    fn expire(&mut self, now_ms: i64) {
        if self.shared().store.next_due_ms(self.index) <= now_ms && self.expires(now_ms) {
            // What is left is due at once, so the loop comes back without sleeping.
            let _: Due = self.dispatcher.expire_due(self.index, EXPIRE_BUDGET);
        }
    }

    /// Whether expired keys are removed: not while a pause, in which data stands still, is on.
    fn expires(&self, now_ms: i64) -> bool {
        self.shared().expiry_is_on() && self.shared().clients.pause(now_ms).is_none()
    }

    /// Moves some of the data where the allocator's memory is sparse, when it is time for that.
    fn defragment(&mut self) {
        let shared = &self.dispatcher.shared;
        if !shared.persistence.gate.has(Obstacle::Loading) {
            let step_us = self.dispatcher.settings.active_defrag_cycle_us;
            let took_us = self.defragmenter.run(&shared.defrag, &shared.store, step_us);
            let note = |us| shared.latency.note(Event::ActiveDefragCycle, Duration::from_micros(us));
            took_us.into_iter().for_each(note);
        }
    }

    /// Each tenth of a second looks at a tenth of the connections, for clients that were idle for too long or let
    /// too many replies wait; and goes on with those that a pause held up that is over.
    fn sweep(&mut self, now_ms: i64) {
        if now_ms - self.swept.1 < SLEEP_MS_MAX && now_ms >= self.swept.1 {
            return;
        }
        self.swept = ((self.swept.0 + 1) % SWEEP_PARTS, now_ms);
        if self.index == 0 {
            self.shared().sample(now_ms);
        }
        let began_ns = clock::now_ns();
        let timeout_ms = self.dispatcher.settings.timeout_s.saturating_mul(1000);
        let part: Vec<usize> = (self.swept.0..self.connections.capacity())
            .step_by(SWEEP_PARTS)
            .filter(|&n| self.connections.contains(n))
            .collect();
        for n in part {
            let conn = &self.connections[n];
            self.dispatcher.weigh(conn);
            let waits = conn.held_up.is_some() || conn.session.monitoring;
            if timeout_ms > 0 && !waits && conn.entry.idle_ms(now_ms) > timeout_ms {
                tracing::debug!(client = conn.entry.id, "Closing idle client");
                self.close(n);
            } else if !conn.output.is_empty() {
                self.check_limits(n);
            }
        }
        self.resume();
        let time_ns = clock::now_ns().saturating_sub(began_ns).max(0).unsigned_abs();
        self.shared().stats.worker(self.index).upkeep(time_ns);
    }

    /// Lets go of the listeners and of every client whose replies are sent; what others still take is bounded by
    /// the socket's own buffer.
    fn stop(&mut self) {
        self.stopping = true;
        if let Some(listeners) = self.listeners.take() {
            listeners.close();
        }
        let all: Vec<usize> = self.connections.iter().map(|(n, _)| n).collect();
        for n in all {
            let _ = self.connections[n].flush();
            self.close(n);
        }
    }
}

/// What a client of another machine is told while nobody set a password.
const PROTECTED: &str = "-DENIED Ebbtide is running in protected mode because protected mode is enabled and no \
    password is set for the default user. In this mode connections are only accepted from the loopback interface. \
    To connect from another machine, do one of the following: 1) set a password with 'requirepass' in the \
    configuration or CONFIG SET requirepass; 2) turn protected mode off with CONFIG SET protected-mode no, sent from \
    this machine, when no untrusted host can reach the port; 3) start the server with '--protected-mode no'.\r\n";
