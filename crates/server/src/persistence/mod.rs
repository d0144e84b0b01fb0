//! Persistence: snapshots, the log of effects, what is read back at a start, and who is refused meanwhile.
//!
//! [`jobs`] runs snapshots ([`snapshot`]) and rewrites of the log ([`rewrite`]) on one thread, at the moments that
//! [`points`] says or a client asks for; [`log`] is the thread that writes effects down; [`start`] reads files back,
//! with [`replay`] for the log's; [`gate`] is what every command passes; [`ending`] is how a server ends.

mod directory;
mod ending;
mod figures;
mod gate;
pub(crate) mod info;
mod jobs;
mod log;
mod offline;
mod pipe;
mod points;
mod reading;
mod replay;
mod rewrite;
mod sink;
mod snapshot;
mod start;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};

use commands::{Begun, Error, Reload, Shutdown};
use persist::log::AppendLog;
use persist::storage::Storage;

use crate::clients::{Clients, Wakeup};
use crate::clock;
use crate::config::{ConfigStore, Settings};
use crate::shared::Shared;
use directory::Claim;
use figures::{Loading, Progress, Tries};
pub(crate) use gate::{Gate, Obstacle, Passage};
use jobs::{Jobs, What};
use log::{Keeper, Log};
pub use offline::{OfflineError, read_log};
pub(crate) use start::{StartError, load, prepare};

/// What a server knows of its files.
#[derive(Debug)]
pub(crate) struct Persistence {
    /// What every command passes.
    pub(crate) gate: Gate,
    jobs: Jobs,
    /// What was and is logged.
    pub(crate) log: Log,
    /// The data directory, which no other process may use.
    claim: Claim,
    /// Where files are.
    storage: Arc<dyn Storage>,
    loading: Loading,
    saves: Tries,
    rewrites: Tries,
    /// Keys of the job under way.
    progress: Progress,
    last_save_s: AtomicI64,
}

impl Persistence {
    /// Nothing is loaded and nothing written yet; files are on `storage`, and `workers` workers change the data.
    pub(crate) fn new(storage: Arc<dyn Storage>, workers: usize) -> Persistence {
        Persistence {
            gate: Gate::default(),
            jobs: Jobs::default(),
            log: Log::new(workers),
            claim: Claim::default(),
            storage,
            loading: Loading::default(),
            saves: Tries::default(),
            rewrites: Tries::default(),
            progress: Progress::default(),
            last_save_s: AtomicI64::new(clock::now_ms() / 1000),
        }
    }

    // -- what clients ask for -----------------------------------------------------------------

    /// SAVE.
    pub(crate) fn save(&self, shared: &Shared) -> Result<(), Error> {
        snapshot::save(shared)
    }

    /// BGSAVE.
    pub(crate) fn save_in_background(&self, schedule: bool) -> Result<Begun, Error> {
        self.jobs.save_in_background(schedule)
    }

    /// BGSAVE CANCEL.
    pub(crate) fn cancel_save(&self) -> Result<Begun, Error> {
        self.jobs.cancel_save()
    }

    /// BGREWRITEAOF.
    pub(crate) fn rewrite_log(&self) -> Result<Begun, Error> {
        self.jobs.rewrite()
    }

    /// DEBUG RELOAD.
    pub(crate) fn reload(&self, shared: &Shared, how: Reload) -> Result<(), Error> {
        start::reload(shared, how)
    }

    /// DEBUG LOADAOF.
    pub(crate) fn load_log(&self, shared: &Shared) -> Result<(), Error> {
        start::reload_log(shared)
    }

    /// FLUSHALL has emptied the store: a snapshot under way would bring back what is gone.
    pub(crate) fn flushed(&self, settings: &Settings) {
        self.jobs.stop(What::Save);
        if !settings.save.is_empty() {
            self.jobs.schedule_save();
        }
    }

    /// What must be kept before the process may end is kept, or there is an error and it goes on.
    pub(crate) fn prepare_end(&self, shared: &Shared, request: Shutdown) -> Result<(), Error> {
        ending::prepare(shared, request)
    }

    // -- beginning and end --------------------------------------------------------------------

    /// Starts the thread of jobs and that of the log, once data is loaded, and lets clients pass; `log` is what was
    /// recovered.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn begin(shared: &Arc<Shared>, log: Option<AppendLog>) -> io::Result<Threads> {
        start::drop_expired(shared);
        shared.store.order().want(log.is_some());
        // Not by the thread itself: clients may be answered before it runs.
        shared.persistence.log.resume(log.is_some());
        let keeper = Arc::clone(shared);
        let log = thread::Builder::new().name("log".into()).spawn(move || Keeper::new(&keeper, log).run())?;
        let worker = Arc::clone(shared);
        let jobs = thread::Builder::new().name("jobs".into()).spawn(move || jobs::run(&worker))?;
        Persistence::follow_changes(shared, &shared.config);
        start::end_loading(shared);
        Ok(Threads { log, jobs })
    }

    /// Lets CONFIG SET change what is saved and logged.
    fn follow_changes(shared: &Arc<Shared>, config: &ConfigStore) {
        let known = Arc::downgrade(shared);
        let follow = move |_: &Settings, new: &Settings| {
            known.upgrade().inspect(|shared| shared.persistence.follow_saves(new));
            Ok(())
        };
        config.on_change(&["save", "stop-writes-on-bgsave-error"], Box::new(follow));
        let known = Arc::downgrade(shared);
        let switch = move |_: &Settings, new: &Settings| match known.upgrade() {
            Some(shared) if shared.persistence.log.is_on() != new.appendonly => switch_log(&shared, new),
            _ => Ok(()),
        };
        config.on_change(&["appendonly"], Box::new(switch));
    }

    // -- figures ------------------------------------------------------------------------------

    /// When the last snapshot was written, or the process started.
    pub(crate) fn last_save_s(&self) -> i64 {
        self.last_save_s.load(Ordering::Relaxed)
    }

    /// Notes that a snapshot with the first `changes` of the changes counted was written.
    fn has_saved(&self, shared: &Shared, changes: u64) {
        shared.saved(changes);
        self.last_save_s.store(clock::now_ms() / 1000, Ordering::Relaxed);
        self.saves.has_succeeded();
    }

    /// Lets writes wait while the disk is slower than they are; called each tenth of a second.
    pub(crate) fn follow_log(&self, settings: &Settings, clients: &Clients, now_ms: i64) {
        let paused = settings.no_appendfsync_on_rewrite && self.jobs.is_busy();
        let late = self.log.is_on()
            && !paused
            && !self.gate.has(Obstacle::LogFailed)
            && self.log.is_late(settings.appendfsync, now_ms);
        if self.gate.set(Obstacle::LogLate, late) {
            match late {
                true => tracing::warn!(
                    "Asynchronous AOF fsync is taking too long (disk is busy?). Writes wait for it."
                ),
                false => clients.wake_all(Wakeup::Unpaused),
            }
        }
    }

    /// Refuses writes, or lets them pass, as the last snapshot went and `settings` want.
    fn follow_saves(&self, settings: &Settings) {
        let refuse =
            settings.stop_writes_on_bgsave_error && !settings.save.is_empty() && !self.saves.last_ok();
        self.gate.set(Obstacle::SaveFailed, refuse);
    }
}

/// Switches the log on or off, as `settings` say.
fn switch_log(shared: &Shared, settings: &Settings) -> Result<(), String> {
    let persistence = &shared.persistence;
    if !settings.appendonly {
        persistence.jobs.stop(What::Rewrite);
        // Whoever is in the middle of a command may still take a number: what it is for is not written any more.
        shared.store.order().want(false);
        persistence.log.stop(shared.store.order().taken());
        return Ok(());
    }
    // One that writes a log of its own would be in the way.
    persistence.jobs.stop_and_wait(What::Rewrite);
    let begun = persistence.claim.take(&settings.dir).map_err(|error| error.to_string());
    let log = begun.and_then(|()| rewrite::begin(shared, settings).map_err(|error| error.to_string()));
    let log = log.map_err(|error| {
        tracing::warn!("Unable to turn on AOF: {error}");
        "Unable to turn on AOF. Check server logs.".to_owned()
    })?;
    persistence.log.start(log);
    persistence.jobs.schedule_rewrite();
    Ok(())
}

/// The threads of persistence.
#[derive(Debug)]
pub(crate) struct Threads {
    log: JoinHandle<()>,
    jobs: JoinHandle<()>,
}

impl Threads {
    /// Ends them, once everything is on disk that is to be; nobody changes data any more.
    pub(crate) fn end(self, shared: &Shared) -> thread::Result<()> {
        shared.persistence.jobs.end();
        self.jobs.join()?;
        shared.persistence.log.end();
        self.log.join()
    }
}
