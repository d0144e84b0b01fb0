//! Runs the requests of a log again, on several threads.
//!
//! One thread reads the requests. Those for one key go to the threads of a crew by their keys' hashes, so that what
//! happens to one key happens in order, and no two threads want one stripe; for any other request the crew is waited
//! for, and it runs by itself.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, Scope};

use commands::{Ctx, Row, Session};
use engine::{Db, Held, Turn};
use parking_lot::{Condvar, Mutex};
use persist::log::Refused;
use resp::{Args, Limits, Parser, Reply, Span};

use crate::clock;
use crate::memory;
use crate::shared::Shared;

/// Bytes of requests that are dealt at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that wait for a thread at most.
const CHUNKS_WAITING_MAX: usize = 8;
/// Requests whose entries are fetched ahead together.
const BATCH: usize = 16;

/// Requests that were read, for all threads to look at.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// In the order they are to run.
    items: Vec<Item>,
}

impl Chunk {
    fn args(&self, item: &Item) -> Args<'_> {
        Args::new(&self.bytes[item.start..], &self.spans[item.spans.0..item.spans.1])
    }
}

/// One request of a chunk.
#[derive(Clone, Copy, Debug)]
struct Item {
    /// Where it begins in the chunk.
    start: usize,
    /// Its arguments among the chunk's.
    spans: (usize, usize),
    db: u32,
    row: &'static Row,
    /// The hash of its only key; none: it runs by itself.
    hash: Option<u64>,
}

/// A thread's share of a chunk: the numbers of its items.
#[derive(Debug)]
struct Share {
    chunk: Arc<Chunk>,
    items: Vec<u32>,
}

/// How many shares have yet to be done.
#[derive(Debug, Default)]
struct Undone {
    shares: Mutex<usize>,
    none: Condvar,
}

/// Reads requests and has them run.
pub(super) struct Replay<'s> {
    shared: &'s Shared,
    crew: Vec<SyncSender<Share>>,
    undone: Arc<Undone>,
    /// What was read and not yet dealt.
    chunk: Chunk,
    /// Runs what runs by itself.
    runner: Runner<'s>,
    db: u32,
}

/// Calls `read` with a crew of `threads` threads behind it, and waits until all that it read has run.
///
/// # Errors
/// The system gives no thread.
pub(super) fn with_crew<'s, T>(
    shared: &'s Shared,
    threads: usize,
    seed: u64,
    read: impl FnOnce(&mut Replay<'s>) -> T,
) -> io::Result<T> {
    thread::scope(|scope| {
        let undone = Arc::<Undone>::default();
        let crew = (1..=threads.max(1) as u64)
            .map(|i| spawn(scope, shared, seed.wrapping_add(i), &undone))
            .collect::<io::Result<Vec<_>>>()?;
        let mut replay = Replay {
            shared,
            crew,
            undone,
            chunk: Chunk::default(),
            runner: Runner::new(shared, seed),
            db: 0,
        };
        let done = read(&mut replay);
        replay.deal();
        replay.settle();
        Ok(done)
    })
}

fn spawn<'scope, 's: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    shared: &'s Shared,
    seed: u64,
    undone: &Arc<Undone>,
) -> io::Result<SyncSender<Share>> {
    let (deal, shares) = sync_channel::<Share>(CHUNKS_WAITING_MAX);
    let undone = Arc::clone(undone);
    let work = move || {
        let mut runner = Runner::new(shared, seed);
        for share in shares {
            share.items.chunks(BATCH).for_each(|items| runner.run_together(&share.chunk, items));
            memory::publish();
            let mut left = undone.shares.lock();
            *left -= 1;
            if *left == 0 {
                undone.none.notify_all();
            }
        }
    };
    thread::Builder::new().name("replay".into()).spawn_scoped(scope, work)?;
    Ok(deal)
}

impl Replay<'_> {
    /// A file begins, whose requests are for database 0 until they select another.
    pub(super) fn begin_file(&mut self) {
        self.db = 0;
    }

    /// Has the requests in `bytes`, all of them whole, run.
    ///
    /// # Errors
    /// One cannot be run; those before it were, or will be.
    pub(super) fn requests(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let first = self.chunk.bytes.len();
        let mut start = first;
        self.chunk.bytes.extend_from_slice(bytes);
        let limits = Limits { bulk_bytes_max: usize::MAX, ..Limits::default() };
        let mut parser = Parser::default();
        while start < self.chunk.bytes.len() {
            let spans = self.chunk.spans.len();
            let refused = |what: String| Refused { at: (start - first) as u64, what };
            let read = parser.next(&mut self.chunk.bytes[start..], &limits, &mut self.chunk.spans);
            match read.map_err(|error| refused(error.to_string()))? {
                Some(len) if self.chunk.spans.len() > spans => {
                    self.request(start, spans).map_err(refused)?;
                    start += len;
                }
                Some(_) => return Err(refused("an empty request".into())),
                None => return Err(refused("a request that is not whole".into())),
            }
        }
        if self.chunk.bytes.len() >= CHUNK_BYTES {
            self.deal();
        }
        Ok(())
    }

    /// Notes the request that begins at `start`, whose arguments begin at number `first` of the chunk's.
    fn request(&mut self, start: usize, first: usize) -> Result<(), String> {
        let args = Args::new(&self.chunk.bytes[start..], &self.chunk.spans[first..]);
        let is = |name: &str| args.at(0).eq_ignore_ascii_case(name.as_bytes());
        if is("select") {
            self.db = self.database(args.get(1).unwrap_or_default())?;
        } else if !is("multi") && !is("exec") {
            // What stands between MULTI and EXEC comes whole, and nobody looks on.
            let row = commands::resolve_logged(args).map_err(|error| unknown(args, &error))?;
            let hash = row.command.only_key().map(|key| self.shared.store.key(args.at(key)).hash());
            let spans = (first, self.chunk.spans.len());
            self.chunk.items.push(Item { start, spans, db: self.db, row, hash });
        }
        Ok(())
    }

    /// The database that SELECT names.
    fn database(&self, name: &[u8]) -> Result<u32, String> {
        let db = std::str::from_utf8(name).ok().and_then(|text| text.parse().ok());
        let there = db.filter(|&db: &u32| db < self.shared.store.databases());
        there.ok_or_else(|| format!("there is no database {} (directive 'databases')", name.escape_ascii()))
    }

    /// Hands what was read to the crew; runs what runs by itself, when all before it has.
    fn deal(&mut self) {
        let chunk = Arc::new(std::mem::take(&mut self.chunk));
        let mut shares: Vec<Vec<u32>> = self.crew.iter().map(|_| Vec::new()).collect();
        for (number, item) in (0..).zip(&chunk.items) {
            if let Some(hash) = item.hash {
                // The top bits name the stripe.
                let thread = (u128::from(hash) * self.crew.len() as u128) >> u64::BITS;
                shares[thread as usize].push(number);
            } else {
                self.send(&chunk, &mut shares);
                self.settle();
                self.runner.run_alone(&chunk, item);
            }
        }
        self.send(&chunk, &mut shares);
    }

    fn send(&mut self, chunk: &Arc<Chunk>, shares: &mut [Vec<u32>]) {
        for (thread, items) in self.crew.iter().zip(shares) {
            if !items.is_empty() {
                *self.undone.shares.lock() += 1;
                let share = Share { chunk: Arc::clone(chunk), items: std::mem::take(items) };
                // A thread ends only when this value does, or it panics, which ends the process.
                let _ = thread.send(share);
            }
        }
    }

    /// Waits until the crew has nothing to do.
    fn settle(&mut self) {
        let mut shares = self.undone.shares.lock();
        while *shares > 0 {
            self.undone.none.wait(&mut shares);
        }
    }
}

/// Says that a request is for no command there is.
fn unknown(args: Args<'_>, error: &commands::Error) -> String {
    let name = args.at(0).escape_ascii();
    match error {
        commands::Error::Arity(_) => error.to_string(),
        _ => format!("Unknown command '{name}' reading the append only file"),
    }
}

/// What one thread runs requests with.
struct Runner<'s> {
    shared: &'s Shared,
    turn: Turn,
    session: Session,
    reply: Reply,
}

impl<'s> Runner<'s> {
    fn new(shared: &'s Shared, seed: u64) -> Runner<'s> {
        let mut turn = Turn::new(clock::now_ms(), seed);
        turn.loading = true;
        let settings = shared.config.settings();
        turn.access = settings.access_policy();
        turn.limits = settings.limits();
        Runner { shared, turn, session: Session::new(0, true), reply: Reply::new() }
    }

    /// Runs items that have one key each.
    fn run_together(&mut self, chunk: &Chunk, numbers: &[u32]) {
        let mut held = Held::nothing(&self.shared.store);
        let items = || numbers.iter().map(|&number| &chunk.items[number as usize]);
        let hashes = items().filter_map(|item| item.hash);
        let db = items().next().map_or(0, |item| item.db);
        let together = items().all(|item| item.db == db) && hashes.clone().all(|hash| held.try_add(hash));
        if together {
            held.prefetch(db, hashes);
            items().for_each(|item| self.run(&mut held, chunk, item));
        } else {
            held.release();
            items().for_each(|item| self.run_alone(chunk, item));
        }
    }

    /// Runs one item, whatever it is.
    fn run_alone(&mut self, chunk: &Chunk, item: &Item) {
        let mut held = commands::hold(&self.shared.store, item.row.command, chunk.args(item), item.db);
        self.run(&mut held, chunk, item);
    }

    fn run(&mut self, held: &mut Held<'_>, chunk: &Chunk, item: &Item) {
        self.session.db = item.db;
        let mut ctx = Ctx {
            args: chunk.args(item),
            command: item.row.command,
            db: Db::new(held, &mut self.turn, item.db),
            reply: &mut self.reply,
            session: &mut self.session,
            host: self.shared,
            rewritten: false,
        };
        if let Err(error) = commands::run(&mut ctx) {
            // Whoever wrote the log ran it without one; Redis goes on as well.
            tracing::warn!("Replaying {} failed: {error}", item.row.full_name());
        }
        self.reply.truncate(0);
        self.turn.garbage.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use engine::{Options, Store};

    use super::*;
    use crate::config::{ConfigStore, load};

    fn shared() -> Shared {
        let args = ["--appendonly", "no", "--save", ""].map(OsString::from);
        let config = Arc::new(ConfigStore::new(load(args).unwrap()));
        Shared::new(Store::new(&Options { databases: 4, secret: 3, groups: 2 }), config, 2).unwrap()
    }

    /// Lines as requests.
    fn requests(lines: &[&str]) -> Vec<u8> {
        let words = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            let args: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
            format!("*{}\r\n{args}", words.len())
        };
        lines.iter().map(words).collect::<String>().into_bytes()
    }

    /// What a key of database `db` holds, whether it has expired or not.
    fn get(shared: &Shared, db: u32, key: &str) -> Option<String> {
        let mut turn = Turn::new(0, 1);
        turn.loading = true;
        let key = shared.store.key(key.as_bytes());
        let mut held = Held::keys(&shared.store, [key.hash()]);
        let mut db = Db::new(&mut held, &mut turn, db);
        let value = db.peek(key)?.string().unwrap();
        Some(String::from_utf8(value.bytes(&mut itoa::Buffer::new()).to_vec()).unwrap())
    }

    fn replay(shared: &Shared, batches: &[Vec<u8>]) -> Result<(), Refused> {
        let read = |replay: &mut Replay<'_>| batches.iter().try_for_each(|batch| replay.requests(batch));
        with_crew(shared, 3, 1, read).unwrap()
    }

    #[test]
    fn what_happens_to_a_key_happens_in_order() {
        let shared = shared();
        let line = |i: usize| match i % 10 {
            9 => format!("RENAME k{} k{}", (i - 1) % 40, i % 40),
            _ => format!("APPEND k{} {i}.", i % 40),
        };
        let lines: Vec<String> = (0..20_000).map(line).collect();
        let mut model = vec![String::new(); 40];
        for i in 0..lines.len() {
            match i % 10 {
                9 => model[i % 40] = std::mem::take(&mut model[(i - 1) % 40]),
                _ => model[i % 40] += &format!("{i}."),
            }
        }
        let batches: Vec<Vec<u8>> = lines
            .chunks(700)
            .map(|chunk| requests(&chunk.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        replay(&shared, &batches).unwrap();
        for (i, value) in model.iter().enumerate() {
            assert_eq!(get(&shared, 0, &format!("k{i}")).unwrap_or_default(), *value, "k{i}");
        }
    }

    #[test]
    fn databases_transactions_and_expired_keys_are_as_they_were() {
        let shared = shared();
        let lines = [
            "SET a 1",
            "select 2",
            "multi",
            "SET a 2",
            "INCR a",
            "EXEC",
            "SET old x PXAT 1",
            "APPEND old y",
            "SELECT 0",
            "INCR a",
        ];
        replay(&shared, &[requests(&lines)]).unwrap();
        let values = [(0, "a"), (2, "a"), (2, "old"), (0, "old")].map(|(db, key)| get(&shared, db, key));
        assert_eq!(values, [Some("2".into()), Some("3".into()), Some("xy".into()), None]);
        assert_eq!(shared.dirty(), 0);
    }

    #[test]
    fn what_cannot_run_is_located() {
        let shared = shared();
        let first = requests(&["SET a 1"]);
        let refused = |lines: &[&str]| {
            let bytes = [first.clone(), requests(lines)].concat();
            let refused = replay(&shared, &[bytes]).unwrap_err();
            assert_eq!(refused.at, first.len() as u64);
            refused.what
        };
        assert_eq!(refused(&["BLA foo"]), "Unknown command 'BLA' reading the append only file");
        assert_eq!(refused(&["SELECT 4"]), "there is no database 4 (directive 'databases')");
        assert!(refused(&["SET a"]).starts_with("ERR wrong number of arguments"));
        assert_eq!(get(&shared, 0, "a").unwrap(), "1", "what came before has run");
    }
}
