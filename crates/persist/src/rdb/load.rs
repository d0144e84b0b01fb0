//! Loading a file into a store: one thread reads and finds where values are, others decode and insert them.
//!
//! Records travel in batches, each of keys whose hashes begin alike, so that it goes to few stripes, two workers seldom
//! want the same one, and all stays in a processor's cache. A worker sorts a batch's keys by their hashes, takes
//! each stripe once, and has the places of several keys fetched together.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use engine::{Access, AccessPolicy, Db, Free, Held, Limits, Store, Turn};
use parking_lot::Mutex;

use super::error::{Error, Fault};
use super::format::Encoding;
use super::made::owned;
use super::module::ModuleName;
use super::reader::{Item, Raw, Reader, Record};
use super::value::Value;
use super::writer::About;

/// How many first bits of their hashes the keys of a batch share.
const GROUP_BITS: u32 = 5;
/// A batch is full from so many bytes, or so many records, on.
const BATCH_BYTES: usize = 64 << 10;
const BATCH_ROWS: usize = 2048;
/// Bytes read between two calls of the progress callback.
const PROGRESS_BYTES: u64 = 1 << 20;
/// A value from which on it is inserted where it stands, by the thread that reads, rather than copied into a batch.
const BIG_BYTES_MIN: usize = 256 << 10;
/// Keys fetched ahead of their turn.
const AHEAD: usize = 16;

/// How a file is loaded.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Threads that decode and insert, beside the one that calls; at least one.
    pub threads: usize,
    /// The time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Keys whose deadline has come are kept, for what follows the file may still be about them; otherwise they are
    /// counted and left out.
    pub keep_expired: bool,
    /// A key that is there already is replaced; otherwise it is an error.
    pub replace: bool,
    /// How accesses are remembered.
    pub policy: AccessPolicy,
    /// By what limits encodings go.
    pub limits: Limits,
    /// Called now and then by each thread that inserts.
    pub between: fn(),
}

/// How far loading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Keys that were inserted.
    pub keys: u64,
}

/// What was loaded.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Keys that are in the store now.
    pub keys: u64,
    /// Keys that were left out, for their deadline had come.
    pub expired: u64,
    /// Keys that were left out, for they held collections without elements.
    pub empty: u64,
    /// What the file says of itself: names and values.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Libraries of functions: their code.
    pub functions: Vec<Box<[u8]>>,
    /// Modules whose data, which belong to no key, were passed over.
    pub modules: Vec<ModuleName>,
}

/// Loads what `reader` has into `store`; `progress` is told now and then how far it is.
///
/// # Errors
/// The file is broken, a key is there already (unless the options let it be replaced), or the store cannot hold it. Part of the file is in the store then.
pub fn load<R: Read>(
    store: &Store,
    reader: &mut Reader<R>,
    options: &LoadOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Loaded, Error> {
    let shared = Shared::new(store, options);
    let threads = options.threads.max(1);
    let (full, batches) = sync_channel::<Batch>(threads);
    // As many as can be on their way: two a worker.
    let (empty, free) = sync_channel::<Batch>(2 * threads);
    let batches = Mutex::new(batches);
    let result = thread::scope(|scope| {
        for _ in 0..threads {
            let (empty, batches, shared) = (empty.clone(), &batches, &shared);
            scope.spawn(move || work(shared, batches, &empty));
        }
        drop(empty);
        let groups = std::iter::repeat_with(Batch::default).take(1 << GROUP_BITS).collect();
        Parser { shared: &shared, full, free, groups, db: 0, loaded: Loaded::default() }.run(reader, progress)
    });
    let failed = shared.failure.into_inner();
    // Of several faults the first in the file is told.
    let mut loaded = match (result, failed) {
        (Err(e), Some(f)) => return Err(if e.offset < f.offset { e } else { f }),
        (Err(e), None) | (Ok(_), Some(e)) => return Err(e),
        (Ok(loaded), None) => loaded,
    };
    loaded.keys = shared.keys.into_inner();
    loaded.empty = shared.empty.into_inner();
    progress(Progress { bytes: reader.offset(), keys: loaded.keys });
    Ok(loaded)
}

/// What the threads share.
#[derive(Debug)]
struct Shared<'s> {
    store: &'s Store,
    options: &'s LoadOptions,
    keys: AtomicU64,
    empty: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl<'s> Shared<'s> {
    fn new(store: &'s Store, options: &'s LoadOptions) -> Shared<'s> {
        Shared {
            store,
            options,
            keys: AtomicU64::new(0),
            empty: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// A turn in which nothing expires.
    fn turn(&self) -> Turn {
        let mut turn = Turn::new(self.options.now_ms, 0);
        turn.loading = true;
        turn.access = self.options.policy;
        turn.limits = self.options.limits;
        turn
    }

    fn fail(&self, error: Error) {
        let mut failure = self.failure.lock();
        if failure.as_ref().is_none_or(|before| error.offset < before.offset) {
            *failure = Some(error);
        }
    }

    /// Inserts a key into `db`.
    fn insert(
        &self,
        db: &mut Db<'_, '_>,
        key: engine::Key<'_>,
        row: Row,
        value: Raw<'_>,
    ) -> Result<(), Error> {
        let encoding = value.encoding.name();
        let decoded = value.decode().map_err(|error| error.of_value(key.bytes(), encoding))?;
        let about = About { deadline_ms: row.deadline_ms, access: row.access };
        let added = add(db, key, about, &decoded, encoding, self.options.replace);
        if !added.map_err(|fault| Error { offset: value.offset, fault })? {
            self.empty.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Adds a key, whose value was written as `encoding`, to `db`; `replace`: in place of one that is there. Whether it is
/// there now: a collection without elements is not.
///
/// # Errors
/// The key is there already, or the store cannot hold the value.
pub(crate) fn add(
    db: &mut Db<'_, '_>,
    key: engine::Key<'_>,
    about: About,
    value: &Value<'_>,
    encoding: &'static str,
    replace: bool,
) -> Result<bool, Fault> {
    if replace {
        db.delete(key, Free::Now);
    }
    let new = match value {
        Value::String(bytes) => db.add_string(key, bytes, about.deadline_ms, about.access),
        value if value.is_empty() => return Ok(false),
        Value::Module(module) => {
            let what = format!("value of the module type {}", module.name);
            return Err(Fault::Kind { key: key.bytes().into(), what });
        }
        collection => {
            let made = owned(collection, &db.turn.limits, db.secret());
            made.is_some_and(|mut made| {
                made.deadline_ms = about.deadline_ms;
                db.add(key, made, about.access)
            })
        }
    };
    let twice = || Fault::Twice { key: key.bytes().into(), encoding, db: db.index() };
    if new { Ok(true) } else { Err(twice()) }
}

/// A record in a batch: what is known of it, and where its bytes are.
#[derive(Clone, Copy, Debug)]
struct Row {
    db: u32,
    encoding: Encoding,
    deadline_ms: Option<i64>,
    access: Access,
    /// Where the value is in the file.
    offset: u64,
    /// Where key and value begin in the batch; the value ends where the next key begins.
    key_at: usize,
    value_at: usize,
}

/// Records on their way to a worker.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// Hashes of the rows, with their numbers.
    order: Vec<(u64, u32)>,
}

impl Batch {
    fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
        self.order.clear();
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.rows.len() >= BATCH_ROWS
    }

    fn push(&mut self, db: u32, record: &Record<'_>) {
        let key_at = self.bytes.len();
        self.bytes.extend_from_slice(&record.key);
        let value_at = self.bytes.len();
        self.bytes.extend_from_slice(record.value.bytes);
        self.rows.push(row(db, record, key_at, value_at));
    }

    fn key(&self, number: usize) -> &[u8] {
        let row = &self.rows[number];
        &self.bytes[row.key_at..row.value_at]
    }

    fn value(&self, number: usize) -> Raw<'_> {
        let row = &self.rows[number];
        let end = self.rows.get(number + 1).map_or(self.bytes.len(), |next| next.key_at);
        Raw { encoding: row.encoding, bytes: &self.bytes[row.value_at..end], offset: row.offset }
    }
}

fn row(db: u32, record: &Record<'_>, key_at: usize, value_at: usize) -> Row {
    let access = match (record.idle_s, record.frequency) {
        (Some(idle_s), _) => Access::IdleS(idle_s),
        (None, Some(frequency)) => Access::Frequency(frequency),
        (None, None) => Access::Unsaid,
    };
    let Record { deadline_ms, value: Raw { encoding, offset, .. }, .. } = *record;
    Row { db, encoding, deadline_ms, access, offset, key_at, value_at }
}

/// The thread that reads.
struct Parser<'s> {
    shared: &'s Shared<'s>,
    full: SyncSender<Batch>,
    free: Receiver<Batch>,
    /// The batches being filled, by the first bits of the hashes.
    groups: Vec<Batch>,
    db: u32,
    loaded: Loaded,
}

impl Parser<'_> {
    /// Reads to the end; the workers end when this has returned.
    fn run<R: Read>(
        mut self,
        reader: &mut Reader<R>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Loaded, Error> {
        let mut told = 0;
        loop {
            let offset = reader.offset();
            if offset - told >= PROGRESS_BYTES {
                told = offset;
                progress(Progress { bytes: offset, keys: self.shared.keys.load(Ordering::Relaxed) });
                if self.shared.failure.lock().is_some() {
                    // A worker failed, and says why.
                    return Ok(self.loaded);
                }
            }
            let Some(item) = reader.next()? else { break };
            self.item(item, offset)?;
        }
        (0..self.groups.len()).for_each(|group| self.send(group));
        Ok(self.loaded)
    }

    fn item(&mut self, item: Item<'_>, offset: u64) -> Result<(), Error> {
        match item {
            Item::Key(record) => return self.record(&record),
            Item::Select(db) => {
                let databases = self.shared.store.databases();
                self.db = u32::try_from(db)
                    .ok()
                    .filter(|&db| db < databases)
                    .ok_or(Error { offset, fault: Fault::Database { db, databases } })?;
            }
            Item::Aux { name, value } => self.loaded.aux.push((name.into(), value.into())),
            Item::Function(code) => self.loaded.functions.push(code.into()),
            Item::ModuleAux(name) => self.loaded.modules.push(name),
            // The tables grow at no cost that a hint could spare.
            Item::Resize { .. } | Item::Slots => {}
        }
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let LoadOptions { now_ms, keep_expired, .. } = *self.shared.options;
        if !keep_expired && record.deadline_ms.is_some_and(|at| at <= now_ms) {
            self.loaded.expired += 1;
            return Ok(());
        }
        let store = self.shared.store;
        let key = store.key(&record.key);
        if record.value.bytes.len() < BIG_BYTES_MIN {
            let group = (key.hash() >> (u64::BITS - GROUP_BITS)) as usize;
            self.groups[group].push(self.db, record);
            if self.groups[group].is_full() {
                self.send(group);
            }
            return Ok(());
        }
        let (mut held, mut turn) = (Held::keys(store, [key.hash()]), self.shared.turn());
        let row = row(self.db, record, 0, 0);
        self.shared.insert(&mut Db::new(&mut held, &mut turn, self.db), key, row, record.value)?;
        self.shared.keys.fetch_add(1, Ordering::Relaxed);
        (self.shared.options.between)();
        Ok(())
    }

    /// Gives a group's batch to a worker.
    fn send(&mut self, group: usize) {
        let next = self.free.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.groups[group], next);
        // Workers end after this thread only, so that somebody receives it.
        let _ = self.full.send(batch);
    }
}

/// A thread that decodes and inserts, until no batch comes.
fn work(shared: &Shared<'_>, batches: &Mutex<Receiver<Batch>>, empty: &SyncSender<Batch>) {
    let mut turn = shared.turn();
    loop {
        let Ok(mut batch) = batches.lock().recv() else { return };
        // Once something failed, the rest is only received, so that the reader never waits.
        if shared.failure.lock().is_none()
            && let Err(error) = insert_batch(shared, &mut turn, &mut batch)
        {
            shared.fail(error);
        }
        batch.clear();
        // What the reader has no use for is dropped.
        let _ = empty.try_send(batch);
        (shared.options.between)();
    }
}

fn insert_batch(shared: &Shared<'_>, turn: &mut Turn, batch: &mut Batch) -> Result<(), Error> {
    let store = shared.store;
    let mut order = std::mem::take(&mut batch.order);
    // Going through all keys in order first brings the batch into this processor's cache.
    order.extend((0..batch.rows.len()).map(|i| (store.key(batch.key(i)).hash(), i as u32)));
    order.sort_unstable();
    let mut held = Held::nothing(store);
    let key_of = |number: u32| store.key(batch.key(number as usize));
    let mut rest = order.as_slice();
    while let [(first, _), ..] = rest {
        held.release();
        held.add_first(*first);
        let same = rest.iter().take_while(|(_, number)| held.holds(key_of(*number)));
        let (stripe, behind) = rest.split_at(same.count());
        for near in stripe.chunks(AHEAD) {
            held.prefetch(batch.rows[near[0].1 as usize].db, near.iter().map(|(hash, _)| *hash));
            for &(_, number) in near {
                let (row, value) = (batch.rows[number as usize], batch.value(number as usize));
                shared.insert(&mut Db::new(&mut held, turn, row.db), key_of(number), row, value)?;
            }
        }
        rest = behind;
    }
    shared.keys.fetch_add(order.len() as u64, Ordering::Relaxed);
    batch.order = order;
    Ok(())
}
