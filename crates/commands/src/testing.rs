//! For tests, of this crate and others: a client of an empty store, in a process that is made up.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{Event, EventClass, Options, Store, Turn};
use resp::{Args, Decoder, Reply, Value, split_line};

use crate::error::Error;
use crate::host::{
    Begun, ClientInfo, DataFigures, Host, Identity, MemoryFigures, Pause, Reload, Removal, Shutdown, Unblock,
};
use crate::hotkeys::{HotKey, HotKeysReport, HotKeysRequest};
use crate::info::Section;
use crate::lookup::Row;
use crate::observer::{CommandLog, LatencyEvent, LogEntry, Observer};
use crate::run::execute;
use crate::session::Session;

/// When tests happen: 2023-11-14, in milliseconds since the Unix epoch.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// A process without sockets and files, which notes what is asked of it.
#[derive(Debug, Default)]
pub struct TestHost {
    /// The default user's password.
    pub password: Option<&'static [u8]>,
    /// Bytes a value may have at most, when not 512 MB.
    pub bulk_bytes_max: Option<usize>,
    /// Other connected clients.
    pub others: Vec<ClientInfo>,
    /// What it takes of memory.
    pub memory: MemoryFigures,
    /// Entries of the slow log, the newest first.
    pub slow_log: Vec<Arc<LogEntry>>,
    /// Events that took long.
    pub latency_events: Vec<LatencyEvent>,
    /// Commands by name, and how many calls of each took at most how many microseconds.
    pub command_latency: Vec<(&'static str, Vec<(u64, u64)>)>,
    /// Calls that change something, in order.
    pub calls: Mutex<Vec<String>>,
}

impl TestHost {
    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Host for TestHost {
    fn bulk_bytes_max(&self) -> usize {
        self.bulk_bytes_max.unwrap_or(512 << 20)
    }

    fn now_us(&self) -> i64 {
        NOW_MS * 1000 + 42
    }

    fn frees_later(&self, _removal: Removal) -> bool {
        false
    }

    fn password_wanted(&self) -> bool {
        self.password.is_some()
    }

    fn password_fits(&self, password: &[u8]) -> bool {
        self.password.is_none_or(|p| p == password)
    }

    fn access_denied(&self) {
        self.note("denied".into());
    }

    fn client_changed(&self, session: &Session) {
        self.note(format!("changed {}", session.id));
    }

    fn client(&self, id: u64) -> Option<ClientInfo> {
        self.others.iter().find(|c| c.id == id).cloned()
    }

    fn each_client(&self, visit: &mut dyn FnMut(&ClientInfo)) {
        self.others.iter().for_each(visit);
    }

    fn close_client(&self, id: u64) -> bool {
        self.note(format!("close {id}"));
        self.client(id).is_some()
    }

    fn unblock_client(&self, id: u64, how: Unblock) -> bool {
        self.note(format!("unblock {id} {how:?}"));
        self.client(id).is_some_and(|c| c.blocked)
    }

    fn pause_clients(&self, until_ms: i64, what: Pause) {
        self.note(format!("pause {until_ms} {what:?}"));
    }

    fn unpause_clients(&self) {
        self.note("unpause".into());
    }

    fn info_section(&self, section: Section, data: &DataFigures, out: &mut String) {
        out.push_str(&format!("{section:?}:{data:?}\r\n"));
    }

    fn memory(&self) -> MemoryFigures {
        self.memory
    }

    fn purge_memory(&self) -> Result<(), Error> {
        self.note("purge".into());
        Ok(())
    }

    fn allocator_report(&self) -> String {
        "all is well".into()
    }

    fn shut_down(&self, request: Shutdown) -> Result<(), Error> {
        self.note(format!("{request:?}"));
        Ok(())
    }

    fn abort_shut_down(&self) -> Result<(), Error> {
        Err(Error::Text("ERR No shutdown in progress."))
    }

    fn save(&self) -> Result<(), Error> {
        self.note("save".into());
        Ok(())
    }

    fn save_in_background(&self, schedule: bool) -> Result<Begun, Error> {
        self.note(format!("save in background {schedule}"));
        Ok(if schedule { Begun::Later } else { Begun::Now })
    }

    fn cancel_save(&self) -> Result<Begun, Error> {
        self.note("cancel save".into());
        Ok(Begun::Now)
    }

    fn last_save_s(&self) -> i64 {
        NOW_MS / 1000
    }

    fn rewrite_log(&self) -> Result<Begun, Error> {
        self.note("rewrite log".into());
        Ok(Begun::Now)
    }

    fn flushed(&self) {
        self.note("flushed".into());
    }

    fn reload(&self, how: Reload) -> Result<(), Error> {
        self.note(format!("{how:?}"));
        Ok(())
    }

    fn load_log(&self) -> Result<(), Error> {
        self.note("load log".into());
        Ok(())
    }

    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let value = |name: &[u8]| if name == b"latency-monitor-threshold" { "10" } else { "value" };
        patterns.iter().map(|p| (p.to_vec(), value(p).into())).collect()
    }

    fn config_set(&self, _session: &Session, pairs: &[(&[u8], &[u8])]) -> Result<(), Error> {
        pairs.iter().for_each(|(n, v)| self.note(format!("set {} {}", n.escape_ascii(), v.escape_ascii())));
        Ok(())
    }

    fn config_rewrite(&self) -> Result<(), Error> {
        self.note("rewrite".into());
        Ok(())
    }

    fn config_rewrite_all(&self) -> Result<(), Error> {
        self.note("rewrite all".into());
        Ok(())
    }

    fn reset_stats(&self) {
        self.note("reset stats".into());
    }

    fn hotkeys_start(&self, request: HotKeysRequest) -> Result<(), Error> {
        self.note(format!("{request:?}"));
        Ok(())
    }

    fn hotkeys_stop(&self) -> bool {
        false
    }

    fn hotkeys_reset(&self) -> Result<(), Error> {
        Ok(())
    }

    fn hotkeys(&self) -> Option<HotKeysReport> {
        None
    }

    fn hotkeys_top(&self, _count: usize) -> Vec<HotKey<f64>> {
        Vec::new()
    }

    fn debug_allowed(&self, _session: &Session) -> bool {
        self.password.is_none()
    }

    fn sleep(&self, time: Duration) {
        self.note(format!("sleep {time:?}"));
    }

    fn set_active_expire(&self, on: bool) {
        self.note(format!("active expire {on}"));
    }

    fn change_replication_id(&self) -> Result<(), Error> {
        self.note("change replication id".into());
        Ok(())
    }

    fn log(&self, line: &str) {
        self.note(format!("log {line}"));
    }
}

impl Observer for TestHost {
    fn command_log(&self, log: CommandLog, count: usize) -> Vec<Arc<LogEntry>> {
        let entries = if log == CommandLog::Slow { &*self.slow_log } else { &[] };
        entries.iter().take(count).cloned().collect()
    }

    fn command_log_len(&self, log: CommandLog) -> usize {
        self.command_log(log, usize::MAX).len()
    }

    fn reset_command_log(&self, log: CommandLog) {
        self.note(format!("reset log {log:?}"));
    }

    fn latency_events(&self) -> Vec<LatencyEvent> {
        self.latency_events.clone()
    }

    fn reset_latency_events(&self, which: &dyn Fn(&str) -> bool) -> usize {
        self.latency_events.iter().filter(|event| which(event.name)).count()
    }

    fn command_latency(&self, row: &Row) -> Vec<(u64, u64)> {
        let of_row = self.command_latency.iter().find(|(name, _)| *name == row.full_name());
        of_row.map(|(_, steps)| steps.clone()).unwrap_or_default()
    }

    fn monitor(&self, id: u64) {
        self.note(format!("monitor {id}"));
    }

    fn end_monitoring(&self, id: u64) {
        self.note(format!("end monitoring {id}"));
    }

    fn is_secret_directive(&self, name: &[u8]) -> bool {
        name == b"requirepass"
    }
}

/// A client, with a process of its own.
#[derive(Debug)]
pub struct Client {
    /// The store, which other clients may share.
    pub store: Arc<Store>,
    /// What the client's worker keeps.
    pub turn: Turn,
    /// What is remembered of the client.
    pub session: Session,
    /// The process.
    pub host: TestHost,
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

impl Client {
    /// A client of an empty store, where no password is asked for.
    pub fn new() -> Client {
        Client::of(TestHost::default())
    }

    /// A client of an empty store in `host`.
    pub fn of(host: TestHost) -> Client {
        let store = Store::new(&Options { databases: 16, secret: 1, groups: 1 });
        let session = Session::new(7, !host.password_wanted());
        Client { store: Arc::new(store), turn: Turn::new(NOW_MS, 1), session, host }
    }

    /// Another client of the same store.
    pub fn beside(&self) -> Client {
        Client { store: Arc::clone(&self.store), ..Client::new() }
    }

    /// The bytes that a request gets back.
    pub fn request(&mut self, args: Args<'_>) -> Vec<u8> {
        let mut reply = Reply::new();
        // The outcome is in the reply.
        let _ = execute(&self.store, &mut self.turn, &mut self.session, &self.host, args, &mut reply);
        reply.bytes().to_vec()
    }

    /// Frees what commands left to be freed later: there is no thread that does.
    pub fn free_garbage(&mut self) {
        self.turn.garbage.clear();
    }

    /// The bytes that a line, as typed into a terminal, gets back.
    pub fn send(&mut self, line: &str) -> String {
        String::from_utf8_lossy(&self.bytes(line)).into_owned()
    }

    fn bytes(&mut self, line: &str) -> Vec<u8> {
        let (mut line, mut spans) = (line.as_bytes().to_vec(), Vec::new());
        split_line(&mut line, &mut spans).unwrap();
        self.request(Args::new(&line, &spans))
    }

    /// The reply to a line.
    pub fn value(&mut self, line: &str) -> Value {
        let mut decoder = Decoder::new();
        decoder.feed(&self.bytes(line));
        decoder.next().unwrap().unwrap_or_else(|| panic!("{line}: no reply"))
    }

    /// The reply to a line as the command line client shows it.
    pub fn show(&mut self, line: &str) -> String {
        show(&self.value(line), 0)
    }

    /// The text of an error reply, or of any other as a string.
    pub fn text(&mut self, line: &str) -> String {
        match self.value(line) {
            Value::Error(text) | Value::Simple(text) | Value::Bulk(text) => String::from_utf8(text).unwrap(),
            other => panic!("{line}: {other:?}"),
        }
    }

    /// Checks that each line's reply is shown as stands beside it.
    pub fn check(&mut self, dialogue: &[(&str, &str)]) {
        for (line, expected) in dialogue {
            assert_eq!(self.show(line), *expected, "> {line}");
        }
    }

    /// Checks that each line is refused with the error beside it, and changes nothing.
    pub fn check_errors(&mut self, refused: &[(&str, &str)]) {
        for (line, expected) in refused {
            let dirty = self.turn.dirty;
            assert_eq!(self.show(line), format!("(error) {expected}"), "> {line}");
            assert_eq!(self.turn.dirty, dirty, "> {line}");
        }
    }

    /// The changes that `line` makes: how many, their events (`set a`), and their effects (`SET a 1`, parted by
    /// spaces).
    pub fn changes(&mut self, line: &str) -> (u64, Vec<String>, Vec<String>) {
        self.store.order().want(true);
        self.turn.log = true;
        self.turn.events_wanted = !(EventClass::New as u32 | EventClass::KeyMiss as u32);
        self.turn.take_effects();
        self.turn.events.clear();
        let dirty = self.turn.dirty;
        self.send(line);
        let event = |e: Event| format!("{} {}", e.name, String::from_utf8_lossy(&e.key));
        let events = self.turn.events.drain(..).map(event).collect();
        (self.turn.dirty - dirty, events, requests(&self.turn.take_effects().bytes))
    }

    /// What was asked of the process since the last call.
    pub fn calls(&mut self) -> Vec<String> {
        std::mem::take(self.host.calls.get_mut().unwrap())
    }
}

/// The requests in `bytes`, each as its arguments parted by spaces.
fn requests(bytes: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::new();
    decoder.feed(bytes);
    let mut requests = Vec::new();
    while let Some(Value::Array(args)) = decoder.next().unwrap() {
        let word = |arg: &Value| match arg {
            Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("{other:?} in a request"),
        };
        requests.push(args.iter().map(word).collect::<Vec<_>>().join(" "));
    }
    requests
}

/// Another client, connected a while ago.
pub fn other_client(id: u64, name: &str) -> ClientInfo {
    ClientInfo {
        id,
        address: format!("127.0.0.1:{}", 50_000 + id),
        local_address: "127.0.0.1:6379".into(),
        fd: 9,
        identity: Identity { name: name.as_bytes().into(), ..Identity::default() },
        age_ms: id * 10_000,
        idle_ms: 1500,
        worker: 1,
        unix_socket: false,
        closing: false,
        blocked: false,
        db: 3,
        resp: 2,
        last_command: crate::lookup::find_row(b"get"),
        query_bytes: 1,
        query_free_bytes: 2,
        output_bytes: 3,
        memory_bytes: 4,
        total_in_bytes: 5,
        total_out_bytes: 6,
        total_commands: 7,
    }
}

fn show(value: &Value, indent: usize) -> String {
    let quoted = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'"));
    match value {
        Value::Null => "(nil)".into(),
        Value::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Error(text) => format!("(error) {}", String::from_utf8_lossy(text)),
        Value::Int(n) => format!("(integer) {n}"),
        Value::Bulk(bytes) => quoted(bytes),
        Value::Array(values) if values.is_empty() => "(empty array)".into(),
        Value::Array(values) => {
            let width = values.len().to_string().len();
            let line = |(i, v)| {
                let pad = if i == 0 { 0 } else { indent };
                format!("{:pad$}{:>width$}) {}", "", i + 1, show(v, indent + width + 2))
            };
            values.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
        }
        other => panic!("RESP2 has no {other:?}"),
    }
}

#[test]
fn requests_that_own_their_bytes_are_run_too() {
    let args: resp::ArgsBuf = ["ping", "a\r\nb"].iter().collect();
    assert_eq!(Client::new().request(args.args()), b"$4\r\na\r\nb\r\n");
}
