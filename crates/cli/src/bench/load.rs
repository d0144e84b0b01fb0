//! The load itself: threads, each an event loop over its share of the connections.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::event::{Event, Source};
use mio::net::{TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Registry, Token};

use crate::bench::replies::{ReplyCounter, ReplyError};
use crate::bench::template::{Random, Template};
use crate::connection::without_code;

/// Longer latencies count as this one.
const LATENCY_MAX: Duration = Duration::from_secs(600);
/// How often a thread that waits for replies looks whether another one failed.
const STOP_CHECK: Duration = Duration::from_millis(100);
const READ_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 1024;

/// Where the connections go.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// An address that has answered already.
    Tcp(SocketAddr),
    /// A unix socket's path.
    Unix(PathBuf),
}

/// One test, the same for all threads.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    /// Requests that a connection begins with (AUTH, HELLO, SELECT), encoded, and how many they are.
    pub(crate) greeting: Vec<u8>,
    pub(crate) greeting_replies: usize,
    /// The requests of one sending.
    pub(crate) template: Template,
    pub(crate) pipeline: usize,
    /// Whether a connection is used again.
    pub(crate) keep_alive: bool,
    /// Nothing is sent but the greeting.
    pub(crate) idle: bool,
}

/// What the threads share while a test runs.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Requests not yet taken by a connection.
    left: AtomicU64,
    /// Replies that came.
    pub(crate) replies: AtomicU64,
    /// Sum of their latencies.
    pub(crate) latency_us: AtomicU64,
    /// A thread has failed, the others are to end.
    stop: AtomicBool,
}

impl Progress {
    pub(crate) fn new(requests: u64) -> Progress {
        Progress {
            left: AtomicU64::new(requests),
            replies: AtomicU64::new(0),
            latency_us: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// Takes `most` of the requests that are left, or as many as there are.
    fn take(&self, most: usize) -> usize {
        let take = |left: u64| left.checked_sub(most as u64).or((left > 0).then_some(0));
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(left) => left.min(most as u64) as usize,
            Err(_) => 0,
        }
    }

    /// Lets all threads end.
    pub(crate) fn stop(&self) {
        self.left.store(0, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What one thread measured.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Latencies in microseconds.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Tally {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX.as_micros() as u64, 3);
        Tally { latencies: latencies.expect("the bounds are in order"), began: now, ended: now }
    }

    /// Takes in what another thread measured meanwhile.
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.latencies.add(&other.latencies).expect("all have the same bounds");
        self.began = self.began.min(other.began);
        self.ended = self.ended.max(other.ended);
    }
}

/// Why a test cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A connection cannot be made.
    #[error("Could not connect: {}", without_code(.0))]
    Connect(io::Error),
    /// A connection is lost.
    #[error("Connection lost: {}", without_code(.0))]
    Lost(#[from] io::Error),
    /// The server ended a connection.
    #[error("Server closed the connection")]
    Closed,
    /// A reply is an error or none at all.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// More replies came than there were requests.
    #[error("The server sent a reply that nothing asked for")]
    Surplus,
}

/// What a thread tells the one that watches over the test.
#[derive(Debug)]
pub(crate) enum News {
    /// Its connections stand.
    Ready,
    /// Its share is done.
    Done(Box<Tally>),
    /// It gave up.
    Failed(Failure),
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn open(target: &Target) -> io::Result<Stream> {
        match target {
            Target::Tcp(address) => TcpStream::connect(*address).map(Stream::Tcp),
            Target::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
        }
    }

    /// Whether a connection that was being made stands now.
    fn is_connected(&self) -> io::Result<bool> {
        let (error, peer) = match self {
            Stream::Tcp(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
            Stream::Unix(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
        };
        match (error, peer) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => {
                if let Stream::Tcp(stream) = self {
                    stream.set_nodelay(true)?;
                }
                Ok(true)
            }
            (None, Err(error)) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            (None, Err(error)) => Err(error),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Stream::Tcp(stream) => stream,
            Stream::Unix(stream) => stream,
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buf),
            Stream::Unix(stream) => stream.read(buf),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }
}

/// One connection.
struct Client {
    stream: Stream,
    connected: bool,
    /// What the socket would not take yet, from `unsent_at` on.
    unsent: Vec<u8>,
    unsent_at: usize,
    counter: ReplyCounter,
    /// Replies to the greeting that are still to come; then, to requests.
    greeting_awaited: usize,
    awaited: usize,
    /// When the requests were sent.
    sent: Instant,
}

impl Client {
    /// Begins a connection.
    fn open(plan: &Plan, registry: &Registry, token: Token, now: Instant) -> Result<Client, Failure> {
        let mut stream = Stream::open(&plan.target).map_err(Failure::Connect)?;
        registry.register(stream.source(), token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Client {
            stream,
            connected: false,
            unsent: plan.greeting.clone(),
            unsent_at: 0,
            counter: ReplyCounter::default(),
            greeting_awaited: plan.greeting_replies,
            awaited: 0,
            sent: now,
        })
    }

    /// Sends `bytes`, keeping what the socket does not take.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = match self.stream.write(bytes) {
            Ok(sent) => sent,
            Err(error) if is_later(&error) => 0,
            Err(error) => return Err(lost(error)),
        };
        if sent < bytes.len() {
            self.unsent.extend_from_slice(&bytes[sent..]);
            self.send_rest()?;
        }
        Ok(())
    }

    /// Sends what the socket would not take before.
    fn send_rest(&mut self) -> Result<(), Failure> {
        while self.unsent_at < self.unsent.len() {
            match self.stream.write(&self.unsent[self.unsent_at..]) {
                Ok(sent) => self.unsent_at += sent,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_later(&error) => return Ok(()),
                Err(error) => return Err(lost(error)),
            }
        }
        self.unsent.clear();
        self.unsent_at = 0;
        Ok(())
    }

    /// Reads what is there; how many replies to requests came.
    fn receive(&mut self, buf: &mut [u8]) -> Result<usize, Failure> {
        let mut replies = 0;
        loop {
            let read = match self.stream.read(buf) {
                Ok(0) => return Err(Failure::Closed),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_later(&error) => break,
                Err(error) => return Err(lost(error)),
            };
            let came = self.counter.count(&buf[..read])?;
            let greeted = came.min(self.greeting_awaited);
            self.greeting_awaited -= greeted;
            replies += came - greeted;
            if read < buf.len() {
                break;
            }
        }
        self.awaited = self.awaited.checked_sub(replies).ok_or(Failure::Surplus)?;
        Ok(replies)
    }

    /// Whether it may send requests.
    fn is_idle(&self) -> bool {
        self.connected && self.greeting_awaited == 0 && self.awaited == 0
    }
}

/// The socket has no room or no bytes for the moment.
fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn lost(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Lost(error),
    }
}

/// One thread's event loop.
pub(crate) struct Worker<'a> {
    plan: &'a Plan,
    progress: &'a Progress,
    poll: Poll,
    template: Template,
    random: Random,
    clients: Vec<Client>,
    /// Clients that have not yet found that no requests are left.
    busy: usize,
    tally: Tally,
    buf: Vec<u8>,
}

impl<'a> Worker<'a> {
    /// Connects `clients` times, says so, waits for the start, carries out the plan and says what came of it.
    pub(crate) fn run(
        plan: &'a Plan,
        progress: &'a Progress,
        clients: usize,
        random: Random,
        news: &Sender<News>,
        start: &Receiver<()>,
    ) {
        let work = || -> Result<Option<Tally>, Failure> {
            let mut worker = Worker::connect(plan, progress, clients, random)?;
            // Nobody listens any more when another thread failed.
            if news.send(News::Ready).is_err() || start.recv().is_err() {
                return Ok(None);
            }
            if plan.idle { worker.hold() } else { worker.load() }?;
            Ok(Some(worker.tally))
        };
        let last = match work() {
            Ok(Some(tally)) => News::Done(Box::new(tally)),
            Ok(None) => return,
            Err(failure) => News::Failed(failure),
        };
        // Nobody listens any more when another thread failed.
        let _ = news.send(last);
    }

    fn connect(
        plan: &'a Plan,
        progress: &'a Progress,
        clients: usize,
        random: Random,
    ) -> Result<Worker<'a>, Failure> {
        let now = Instant::now();
        let poll = Poll::new()?;
        let clients = (0..clients).map(|i| Client::open(plan, poll.registry(), Token(i), now));
        let mut worker = Worker {
            clients: clients.collect::<Result<_, _>>()?,
            plan,
            progress,
            poll,
            template: plan.template.clone(),
            random,
            busy: 0,
            tally: Tally::new(now),
            buf: vec![0; READ_BYTES],
        };
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !worker.clients.iter().all(Client::is_idle) && !worker.stopped() {
            worker.wait(&mut events)?;
            for event in &events {
                worker.advance(event)?;
            }
        }
        Ok(worker)
    }

    fn stopped(&self) -> bool {
        self.progress.stop.load(Ordering::Relaxed)
    }

    fn wait(&mut self, events: &mut Events) -> Result<(), Failure> {
        match self.poll.poll(events, Some(STOP_CHECK)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(Failure::Lost(error)),
            _ => Ok(()),
        }
    }

    /// Keeps the connections open until one fails.
    fn hold(&mut self) -> Result<(), Failure> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !self.stopped() {
            self.wait(&mut events)?;
            for event in &events {
                self.advance(event)?;
            }
        }
        Ok(())
    }

    /// Sends requests until none are left and all are answered.
    fn load(&mut self) -> Result<(), Failure> {
        self.tally.began = Instant::now();
        self.busy = self.clients.len();
        for i in 0..self.clients.len() {
            self.request(i)?;
        }
        let mut events = Events::with_capacity(EVENTS_MAX);
        while self.busy > 0 && !self.stopped() {
            self.wait(&mut events)?;
            for event in &events {
                self.serve(event)?;
            }
        }
        Ok(())
    }

    /// Sends client `i`'s next requests, or lets it rest when none are left.
    fn request(&mut self, i: usize) -> Result<(), Failure> {
        let client = &mut self.clients[i];
        let requests = self.progress.take(self.plan.pipeline);
        if requests == 0 {
            self.busy -= 1;
            return Ok(());
        }
        let bytes = self.template.fill(requests, &mut self.random);
        client.awaited = requests;
        client.sent = Instant::now();
        client.send(bytes)
    }

    /// Gives client `i` a new connection, unless no requests are left.
    fn reconnect(&mut self, i: usize) -> Result<(), Failure> {
        if self.progress.left.load(Ordering::Relaxed) == 0 {
            self.busy -= 1;
            return Ok(());
        }
        self.clients[i] = Client::open(self.plan, self.poll.registry(), Token(i), Instant::now())?;
        Ok(())
    }

    /// Goes on with the client that `event` is about; how many replies to requests it got.
    fn advance(&mut self, event: &Event) -> Result<usize, Failure> {
        let client = &mut self.clients[event.token().0];
        if !client.connected {
            client.connected = client.stream.is_connected().map_err(Failure::Connect)?;
            if !client.connected {
                return Ok(0);
            }
        }
        if event.is_writable() {
            client.send_rest()?;
        }
        if event.is_readable() { client.receive(&mut self.buf) } else { Ok(0) }
    }

    /// [`Worker::advance`] while the test runs: measures, and keeps the client at work.
    fn serve(&mut self, event: &Event) -> Result<(), Failure> {
        let i = event.token().0;
        let was_idle = self.clients[i].is_idle();
        let replies = self.advance(event)?;
        if replies > 0 {
            let now = Instant::now();
            let latency_us = now.duration_since(self.clients[i].sent).as_micros() as u64;
            self.tally.latencies.saturating_record_n(latency_us, replies as u64);
            self.tally.ended = now;
            self.progress.replies.fetch_add(replies as u64, Ordering::Relaxed);
            self.progress.latency_us.fetch_add(latency_us * replies as u64, Ordering::Relaxed);
        }
        if was_idle || !self.clients[i].is_idle() {
            Ok(())
        } else if replies > 0 && !self.plan.keep_alive {
            self.reconnect(i)
        } else {
            self.request(i)
        }
    }
}
