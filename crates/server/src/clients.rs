//! The registry of connected clients: what any worker may know of, and ask of, a connection on another.
//!
//! A worker registers each connection it takes ([`Clients::register`]) and keeps the [`ClientEntry`]. After a
//! batch, and before the batch's replies are sent, it calls [`ClientEntry::note`] once, and
//! [`ClientEntry::sent`] after: relaxed stores to memory that nobody else writes. Before a batch it looks at [`ClientEntry::is_killed`] and, when commands
//! are to run, at [`Clients::pause`]. What others ask of a worker reaches it through its [`Wake`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use commands::{ClientInfo, Identity, Pause, Row, Unblock};
use parking_lot::{Mutex, RwLock};

use crate::client_memory::{ClientMemory, Weight};

use Ordering::Relaxed;

/// What another worker wants a worker to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// This client: it is killed ([`ClientEntry::is_killed`]) or unblocked ([`ClientEntry::take_unblock`]), or lines
    /// wait for it, which watches what others run.
    Client(u64),
    /// All clients whose commands a pause held up: there is none any more.
    Unpaused,
    /// Effects reached the disk: replies that waited for it may leave.
    Synced,
}

/// How a worker is reached: to be called from any thread, and never to block.
pub type Wake = Arc<dyn Fn(Wakeup) + Send + Sync>;

/// A connection, as it is when it is taken.
#[derive(Clone, Debug, Default)]
pub struct Connected {
    /// The client's address: `ip:port`, `[ipv6]:port`, or the unix socket's path with `:0`.
    pub address: String,
    /// The server's address, in the same forms.
    pub local_address: String,
    /// The socket's number.
    pub fd: i32,
    /// Whether it is a unix socket.
    pub unix_socket: bool,
    /// Number of the worker that owns it, as [`Clients::add_worker`] gave it.
    pub worker: usize,
    /// The time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// What a worker tells after each batch of a client's commands. Totals are those since it connected.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    /// The time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The command that ran last.
    pub last_command: Option<&'static Row>,
    /// The chosen database.
    pub db: u32,
    /// Whether it speaks RESP3.
    pub resp3: bool,
    /// Bytes that were read and wait to be run.
    pub query_bytes: u64,
    /// Bytes of the query buffer that are free.
    pub query_free_bytes: u64,
    /// Bytes of replies that wait to be sent.
    pub output_bytes: u64,
    /// Bytes of memory that the connection takes, buffers included.
    pub memory_bytes: u64,
    /// Bytes read.
    pub total_in_bytes: u64,
    /// Bytes sent.
    pub total_out_bytes: u64,
    /// Commands run.
    pub total_commands: u64,
}

/// One connected client. Its worker holds it as long as the connection is open.
#[derive(Debug)]
pub struct ClientEntry {
    /// The client's number, never used twice.
    pub id: u64,
    connected: Connected,
    identity: Mutex<Identity>,
    killed: AtomicBool,
    /// 0: it does not wait; 1: it waits; 2 and 3: its wait is to end, as by a timeout or with an error.
    blocked: AtomicU8,
    active_ms: AtomicI64,
    /// Number of the last command's row; `ROWS` or more: none.
    last_command: AtomicUsize,
    db: AtomicU32,
    resp3: AtomicBool,
    query_bytes: AtomicU64,
    query_free_bytes: AtomicU64,
    output_bytes: AtomicU64,
    memory_bytes: AtomicU64,
    /// What [`ClientMemory`] knows of it.
    weight: Weight,
    total_in_bytes: AtomicU64,
    total_out_bytes: AtomicU64,
    total_commands: AtomicU64,
}

impl ClientEntry {
    fn new(id: u64, connected: Connected) -> ClientEntry {
        ClientEntry {
            id,
            active_ms: AtomicI64::new(connected.now_ms),
            connected,
            identity: Mutex::default(),
            killed: AtomicBool::new(false),
            blocked: AtomicU8::new(0),
            last_command: AtomicUsize::new(usize::MAX),
            db: AtomicU32::new(0),
            resp3: AtomicBool::new(false),
            query_bytes: AtomicU64::new(0),
            query_free_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(0),
            weight: Weight::default(),
            total_in_bytes: AtomicU64::new(0),
            total_out_bytes: AtomicU64::new(0),
            total_commands: AtomicU64::new(0),
        }
    }

    /// Tells what the client did. Called by its worker after a batch, before the replies are sent, so that
    /// whoever has seen a reply sees this too.
    #[inline]
    pub fn note(&self, activity: &Activity) {
        self.active_ms.store(activity.now_ms, Relaxed);
        if let Some(row) = activity.last_command {
            self.last_command.store(row.number, Relaxed);
        }
        self.db.store(activity.db, Relaxed);
        self.resp3.store(activity.resp3, Relaxed);
        self.query_bytes.store(activity.query_bytes, Relaxed);
        self.query_free_bytes.store(activity.query_free_bytes, Relaxed);
        self.output_bytes.store(activity.output_bytes, Relaxed);
        self.memory_bytes.store(activity.memory_bytes, Relaxed);
        self.total_in_bytes.store(activity.total_in_bytes, Relaxed);
        self.total_out_bytes.store(activity.total_out_bytes, Relaxed);
        self.total_commands.store(activity.total_commands, Relaxed);
    }

    /// Tells what was read, before it is run.
    #[inline]
    pub fn received(&self, total_in_bytes: u64) {
        self.total_in_bytes.store(total_in_bytes, Relaxed);
    }

    /// Tells what was sent, and what waits to be: after a batch's replies, and whenever the client takes more.
    #[inline]
    pub fn sent(&self, total_out_bytes: u64, output_bytes: u64) {
        self.total_out_bytes.store(total_out_bytes, Relaxed);
        self.output_bytes.store(output_bytes, Relaxed);
    }

    /// Whether somebody killed it: its worker runs no further command of it and closes the connection.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Says that the client waits in a blocking command, or no longer does.
    pub fn set_blocked(&self, blocked: bool) {
        self.blocked.store(u8::from(blocked), Relaxed);
    }

    /// Whether somebody ended the wait of the client, and how. To be asked by its worker, once.
    pub fn take_unblock(&self) -> Option<Unblock> {
        let how = match self.blocked.load(Relaxed) {
            2 => Unblock::Timeout,
            3 => Unblock::Error,
            _ => return None,
        };
        self.blocked.store(0, Relaxed);
        Some(how)
    }

    /// Milliseconds at `now_ms` since it last sent or was sent something: `timeout` counts these.
    pub fn idle_ms(&self, now_ms: i64) -> u64 {
        now_ms.saturating_sub(self.active_ms.load(Relaxed)).max(0).unsigned_abs()
    }

    /// The client's address, see [`Connected::address`].
    pub(crate) fn address(&self) -> &str {
        &self.connected.address
    }

    /// The path of the unix socket that it came through, if it did.
    pub(crate) fn unix_path(&self) -> Option<&str> {
        self.connected.address.strip_suffix(":0").filter(|_| self.connected.unix_socket)
    }

    /// Whether it is on this machine: it came through a unix socket, or from a loopback address.
    pub fn is_local(&self) -> bool {
        let ip = self.connected.address.parse().map(|address: SocketAddr| address.ip());
        self.connected.unix_socket || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Bytes of memory it took at its last [`ClientEntry::note`].
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Relaxed)
    }

    fn info(&self, now_ms: i64) -> ClientInfo {
        ClientInfo {
            id: self.id,
            address: self.connected.address.clone(),
            local_address: self.connected.local_address.clone(),
            fd: self.connected.fd,
            identity: self.identity.lock().clone(),
            age_ms: now_ms.saturating_sub(self.connected.now_ms).max(0).unsigned_abs(),
            idle_ms: self.idle_ms(now_ms),
            worker: self.connected.worker,
            unix_socket: self.connected.unix_socket,
            closing: self.is_killed(),
            blocked: self.blocked.load(Relaxed) != 0,
            db: self.db.load(Relaxed),
            resp: if self.resp3.load(Relaxed) { 3 } else { 2 },
            last_command: commands::rows().get(self.last_command.load(Relaxed)),
            query_bytes: self.query_bytes.load(Relaxed),
            query_free_bytes: self.query_free_bytes.load(Relaxed),
            output_bytes: self.output_bytes.load(Relaxed),
            memory_bytes: self.memory_bytes(),
            total_in_bytes: self.total_in_bytes.load(Relaxed),
            total_out_bytes: self.total_out_bytes.load(Relaxed),
            total_commands: self.total_commands.load(Relaxed),
        }
    }
}

/// What [`Clients::figures`] finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFigures {
    /// Clients that wait in a blocking command.
    pub blocked: usize,
    /// Most bytes of requests that wait, of one client.
    pub query_bytes_max: u64,
    /// Most bytes of replies that wait, of one client.
    pub output_bytes_max: u64,
    /// Bytes of memory that they take.
    pub memory_bytes: u64,
}

/// All connected clients.
#[derive(Default)]
pub struct Clients {
    last_id: AtomicU64,
    count: AtomicUsize,
    /// By id, for they are listed in this order.
    entries: Mutex<BTreeMap<u64, Arc<ClientEntry>>>,
    workers: RwLock<Vec<Wake>>,
    /// What they take together, when that is limited.
    pub(crate) memory: ClientMemory,
    /// When the pause ends, in milliseconds since the Unix epoch, times two; plus one when it holds up all
    /// commands. In the past: there is none.
    pause: AtomicI64,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("count", &self.len()).finish_non_exhaustive()
    }
}

impl Clients {
    /// Adds a worker, reached by `wake`; its number.
    pub fn add_worker(&self, wake: Wake) -> usize {
        let mut workers = self.workers.write();
        workers.push(wake);
        workers.len() - 1
    }

    /// How many clients are connected (`maxclients` bounds them).
    #[inline]
    pub fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a client that just connected.
    pub fn register(&self, connected: Connected) -> Arc<ClientEntry> {
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let entry = Arc::new(ClientEntry::new(id, connected));
        self.entries.lock().insert(id, Arc::clone(&entry));
        self.count.fetch_add(1, Relaxed);
        entry
    }

    /// Takes away a client whose connection is closed.
    pub fn remove(&self, id: u64) {
        if let Some(entry) = self.entries.lock().remove(&id) {
            self.memory.weigh(id, &entry.weight, 0);
            self.count.fetch_sub(1, Relaxed);
        }
    }

    /// The client `id`, while it is connected.
    pub fn get(&self, id: u64) -> Option<Arc<ClientEntry>> {
        self.entries.lock().get(&id).map(Arc::clone)
    }

    /// All clients in order of their ids.
    pub fn all(&self) -> Vec<Arc<ClientEntry>> {
        self.entries.lock().values().map(Arc::clone).collect()
    }

    /// What is known of client `id`.
    pub fn info(&self, id: u64, now_ms: i64) -> Option<ClientInfo> {
        self.get(id).map(|entry| entry.info(now_ms))
    }

    /// Visits what is known of each client, in order of their ids.
    pub fn each(&self, now_ms: i64, visit: &mut dyn FnMut(&ClientInfo)) {
        self.all().iter().for_each(|entry| visit(&entry.info(now_ms)));
    }

    /// Sums and maxima over all clients.
    pub fn figures(&self) -> ClientFigures {
        self.all().iter().fold(ClientFigures::default(), |sum, entry| ClientFigures {
            blocked: sum.blocked + usize::from(entry.blocked.load(Relaxed) != 0),
            query_bytes_max: sum.query_bytes_max.max(entry.query_bytes.load(Relaxed)),
            output_bytes_max: sum.output_bytes_max.max(entry.output_bytes.load(Relaxed)),
            memory_bytes: sum.memory_bytes + entry.memory_bytes(),
        })
    }

    /// Makes what client `id` says of itself visible.
    pub fn identify(&self, id: u64, identity: Identity) {
        if let Some(entry) = self.get(id) {
            *entry.identity.lock() = identity;
        }
    }

    /// Has client `id` closed by its worker; whether it was there.
    pub fn kill(&self, id: u64) -> bool {
        let Some(entry) = self.get(id) else { return false };
        entry.killed.store(true, Relaxed);
        self.wake(&entry);
        true
    }

    /// Ends the wait of client `id` in a blocking command; whether it was waiting.
    pub fn unblock(&self, id: u64, how: Unblock) -> bool {
        let Some(entry) = self.get(id) else { return false };
        let wanted = match how {
            Unblock::Timeout => 2,
            Unblock::Error => 3,
        };
        let waited = entry.blocked.compare_exchange(1, wanted, Relaxed, Relaxed).is_ok();
        if waited {
            self.wake(&entry);
        }
        waited
    }

    /// Notes that the client of `entry` takes `bytes` of memory; 0: it may not be closed for it. Closes the clients that
    /// take most while all together take more than `bytes_max`; 0: any number. To be called by its worker.
    #[inline]
    pub(crate) fn weigh(&self, entry: &ClientEntry, bytes: u64, bytes_max: u64) {
        self.memory.weigh(entry.id, &entry.weight, bytes);
        while bytes_max > 0
            && self.memory.bytes() > bytes_max
            && let Some(id) = self.memory.take_largest()
        {
            tracing::info!("Evicting client id={id}: all clients together take more than maxmemory-clients");
            self.kill(id);
        }
    }

    /// Has the worker of a client look at it.
    pub(crate) fn wake(&self, entry: &ClientEntry) {
        if let Some(wake) = self.workers.read().get(entry.connected.worker) {
            wake(Wakeup::Client(entry.id));
        }
    }

    // -- pauses ---------------------------------------------------------------------------------

    /// The pause that is on at `now_ms`, with its end: its commands wait. One relaxed load when there is none.
    /// [`Pause::Writes`] holds up commands flagged `WRITE` or `MAY_REPLICATE`. While a pause is on, expired
    /// keys are hidden as ever, but not deleted.
    #[inline]
    pub fn pause(&self, now_ms: i64) -> Option<(Pause, i64)> {
        pause_at(now_ms, self.pause.load(Relaxed))
    }

    /// Starts a pause, or makes the one that is on longer or stronger.
    pub fn set_pause(&self, now_ms: i64, until_ms: i64, what: Pause) {
        let grown = |packed| {
            let (what, until_ms) = match pause_at(now_ms, packed) {
                Some((old, end_ms)) => (what.max(old), until_ms.max(end_ms)),
                None => (what, until_ms),
            };
            Some(until_ms.min(i64::MAX / 2) << 1 | i64::from(what == Pause::All))
        };
        // Fails only when the closure gives nothing, which it never does.
        let _ = self.pause.fetch_update(Relaxed, Relaxed, grown);
    }

    /// Tells every worker.
    pub(crate) fn wake_all(&self, wakeup: Wakeup) {
        self.workers.read().iter().for_each(|wake| wake(wakeup));
    }

    /// Ends the pause.
    pub fn end_pause(&self) {
        self.pause.store(0, Relaxed);
        self.wake_all(Wakeup::Unpaused);
    }
}

#[inline]
fn pause_at(now_ms: i64, packed: i64) -> Option<(Pause, i64)> {
    let what = if packed & 1 == 1 { Pause::All } else { Pause::Writes };
    (packed >> 1 > now_ms).then_some((what, packed >> 1))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn one_worker() -> (Clients, mpsc::Receiver<Wakeup>) {
        let clients = Clients::default();
        let (tell, told) = mpsc::channel();
        let worker = clients.add_worker(Arc::new(move |wakeup| tell.send(wakeup).unwrap()));
        assert_eq!(worker, 0);
        (clients, told)
    }

    fn connect(clients: &Clients, now_ms: i64) -> Arc<ClientEntry> {
        clients.register(Connected { address: "127.0.0.1:1".into(), now_ms, ..Connected::default() })
    }

    #[test]
    fn clients_are_listed_in_order_until_they_leave() {
        let (clients, _told) = one_worker();
        let ids = [(); 3].map(|()| connect(&clients, 0).id);
        assert_eq!(clients.len(), 3);
        clients.remove(ids[1]);
        clients.remove(ids[1]);
        let mut seen = Vec::new();
        clients.each(0, &mut |info| seen.push(info.id));
        assert_eq!((seen, clients.len()), (vec![ids[0], ids[2]], 2));
        assert!(clients.info(ids[1], 0).is_none());
    }

    #[test]
    fn a_kill_reaches_the_owner() {
        let (clients, told) = one_worker();
        let entry = connect(&clients, 0);
        assert!(!entry.is_killed());
        assert!(clients.kill(entry.id));
        assert!(entry.is_killed());
        assert_eq!(told.try_recv(), Ok(Wakeup::Client(entry.id)));
        assert!(!clients.kill(entry.id + 1));
    }

    #[test]
    fn only_a_waiting_client_is_unblocked() {
        let (clients, told) = one_worker();
        let entry = connect(&clients, 0);
        assert!(!clients.unblock(entry.id, Unblock::Error));
        entry.set_blocked(true);
        assert!(clients.unblock(entry.id, Unblock::Error));
        assert!(!clients.unblock(entry.id, Unblock::Timeout), "it is unblocked already");
        assert_eq!(told.try_recv(), Ok(Wakeup::Client(entry.id)));
        assert_eq!(entry.take_unblock(), Some(Unblock::Error));
        assert_eq!(entry.take_unblock(), None);
    }

    #[test]
    fn activity_is_seen_by_others() {
        let (clients, _told) = one_worker();
        let entry = connect(&clients, 1000);
        entry.note(&Activity {
            now_ms: 3000,
            last_command: commands::rows().first(),
            db: 5,
            resp3: true,
            query_bytes: 1,
            query_free_bytes: 2,
            output_bytes: 3,
            memory_bytes: 4,
            total_in_bytes: 6,
            total_out_bytes: 7,
            total_commands: 8,
        });
        let info = clients.info(entry.id, 4500).unwrap();
        assert_eq!((info.age_ms, info.idle_ms, info.db, info.resp), (3500, 1500, 5, 3));
        assert_eq!((info.output_bytes, info.total_out_bytes, info.total_commands), (3, 7, 8));
        entry.sent(10, 0);
        entry.received(9);
        let info = clients.info(entry.id, 4500).unwrap();
        assert_eq!((info.output_bytes, info.total_out_bytes, info.total_in_bytes), (0, 10, 9));
        let expected = ClientFigures { blocked: 0, query_bytes_max: 1, output_bytes_max: 0, memory_bytes: 4 };
        assert_eq!(clients.figures(), expected);
    }

    #[test]
    fn loopback_and_unix_sockets_are_local() {
        let (clients, _told) = one_worker();
        let local = |address: &str, unix_socket| {
            let connected = Connected { address: address.into(), unix_socket, ..Connected::default() };
            clients.register(connected).is_local()
        };
        assert!(
            local("127.1.2.3:9", false) && local("[::1]:9", false) && local("[::ffff:127.0.0.1]:9", false)
        );
        assert!(local("/tmp/socket:0", true));
        assert!(!local("10.0.0.1:9", false) && !local("?:0", false));
    }

    #[test]
    fn a_pause_grows_until_it_ends() {
        let (clients, told) = one_worker();
        assert_eq!(clients.pause(0), None);
        clients.set_pause(0, 100, Pause::Writes);
        assert_eq!(clients.pause(99), Some((Pause::Writes, 100)));
        clients.set_pause(10, 50, Pause::All);
        assert_eq!(clients.pause(60), Some((Pause::All, 100)));
        clients.set_pause(20, 200, Pause::Writes);
        assert_eq!(clients.pause(60), Some((Pause::All, 200)));
        assert_eq!(clients.pause(200), None);
        clients.set_pause(200, 300, Pause::Writes);
        assert_eq!(clients.pause(250), Some((Pause::Writes, 300)));
        clients.end_pause();
        assert_eq!(clients.pause(0), None);
        assert_eq!(told.try_recv(), Ok(Wakeup::Unpaused));
    }
}
