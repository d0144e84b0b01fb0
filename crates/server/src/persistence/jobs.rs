//! What writes all data to disk: snapshots and rewrites of the log, one job at a time, on a thread of its own.
//!
//! Ten times a second the thread looks whether a job is due by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use commands::{Begun, Error};
use parking_lot::{Condvar, Mutex};

use super::points::{self, SaveHistory, Settling};
use super::{rewrite, snapshot};
use crate::clock;
use crate::config::settings::SnapshotFormat;
use crate::shared::Shared;

/// Time between two looks for what is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A snapshot.
    Save,
    /// A rewrite of the log.
    Rewrite,
}

/// The jobs of a server.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    plan: Mutex<Plan>,
    /// Something in the plan changed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Plan {
    /// The job under way.
    running: Option<Running>,
    /// The job that the thread is about to begin.
    beginning: Option<What>,
    /// What somebody waits for to begin.
    wanted: Option<What>,
    /// Whether what was wanted last has begun.
    begun: bool,
    /// A snapshot is to be written as soon as there is nothing else to do.
    save_scheduled: bool,
    /// What a snapshot for people waits for.
    settling: Settling,
    /// The log is to be rewritten as soon as there is nothing else to do.
    rewrite_scheduled: bool,
    /// Somebody writes a snapshot on a thread of their own (SAVE).
    saving: bool,
    /// No job begins for now.
    held: bool,
    /// No further job begins.
    ending: bool,
}

impl Plan {
    /// Whether a job of this kind is under way, or is about to be.
    fn is_at(&self, what: What) -> bool {
        self.runs(what) || self.beginning == Some(what) || self.wanted == Some(what)
    }

    fn runs(&self, what: What) -> bool {
        self.running.as_ref().is_some_and(|running| running.what == what)
    }
}

#[derive(Debug)]
struct Running {
    what: What,
    began_s: i64,
    stop: Arc<Stop>,
}

/// Tells a job that it is to give up.
#[derive(Debug)]
pub(super) struct Stop {
    asked: AtomicBool,
    thread: Thread,
}

impl Stop {
    /// For a job on the calling thread.
    pub(super) fn here() -> Stop {
        Stop { asked: AtomicBool::new(false), thread: thread::current() }
    }

    fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }

    /// Whether the job is to give up.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Holds the job up for `time`, or until it is to give up.
    pub(super) fn delay(&self, time: Duration) {
        let until_ns = clock::now_ns().saturating_add(time.as_nanos().min(i64::MAX as u128) as i64);
        loop {
            let left_ns = until_ns - clock::now_ns();
            if left_ns <= 0 || self.is_asked() {
                return;
            }
            thread::park_timeout(Duration::from_nanos(left_ns.unsigned_abs()));
        }
    }
}

impl Jobs {
    /// When the job of kind `what` that is under way began, in seconds since the Unix epoch.
    pub(crate) fn running_since_s(&self, what: What) -> Option<i64> {
        let plan = self.plan.lock();
        plan.running.as_ref().filter(|running| running.what == what).map(|running| running.began_s)
    }

    /// Whether a job is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.plan.lock().running.is_some()
    }

    /// Whether a rewrite waits for another job to end, or is about to begin.
    pub(crate) fn rewrite_is_scheduled(&self) -> bool {
        let plan = self.plan.lock();
        plan.rewrite_scheduled || plan.beginning == Some(What::Rewrite)
    }

    /// Begins a snapshot, or has it begin when `schedule` says so and a rewrite is in its way.
    pub(crate) fn save_in_background(&self, schedule: bool) -> Result<Begun, Error> {
        let mut plan = self.plan.lock();
        if plan.saving || plan.is_at(What::Save) {
            return Err(ALREADY_SAVING);
        }
        if !plan.is_at(What::Rewrite) {
            return self.begin(plan, What::Save).then_some(Begun::Now).ok_or(FAILED);
        }
        if !schedule {
            return Err(Error::Text(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                 schedule a BGSAVE whenever possible.",
            ));
        }
        tracing::info!("Background saving scheduled due to user request");
        plan.save_scheduled = true;
        Ok(Begun::Later)
    }

    /// Begins a rewrite, or has it begin when a snapshot in its way is done.
    pub(crate) fn rewrite(&self) -> Result<Begun, Error> {
        let mut plan = self.plan.lock();
        if plan.is_at(What::Rewrite) {
            return Err(Error::Text("ERR Background append only file rewriting already in progress"));
        }
        if plan.is_at(What::Save) {
            plan.rewrite_scheduled = true;
            return Ok(Begun::Later);
        }
        self.begin(plan, What::Rewrite).then_some(Begun::Now).ok_or(Error::Text(
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
        ))
    }

    /// Has the thread begin `what`, and waits until the moment it holds is taken; whether it has begun. No stripe
    /// may be held.
    fn begin(&self, mut plan: parking_lot::MutexGuard<'_, Plan>, what: What) -> bool {
        if plan.ending || plan.held || plan.wanted.is_some() {
            return false;
        }
        plan.wanted = Some(what);
        self.changed.notify_all();
        while plan.wanted.is_some() && !plan.ending {
            self.changed.wait(&mut plan);
        }
        plan.begun
    }

    /// Has a snapshot written when there is nothing else to do.
    pub(crate) fn schedule_save(&self) {
        self.plan.lock().save_scheduled = true;
        self.changed.notify_all();
    }

    /// Has the log rewritten when there is nothing else to do.
    pub(crate) fn schedule_rewrite(&self) {
        self.plan.lock().rewrite_scheduled = true;
        self.changed.notify_all();
    }

    /// Gives up the snapshot that is being written, or else scheduled.
    pub(crate) fn cancel_save(&self) -> Result<Begun, Error> {
        if self.stop(What::Save) {
            tracing::info!("Background saving will be aborted due to user request");
            return Ok(Begun::Now);
        }
        if std::mem::take(&mut self.plan.lock().save_scheduled) {
            tracing::info!("Scheduled background saving will be cancelled due to user request");
            return Ok(Begun::Later);
        }
        Err(Error::Text("ERR Background saving is currently not in progress or scheduled"))
    }

    /// Has the job of kind `what` give up, when one is under way; whether one was.
    pub(super) fn stop(&self, what: What) -> bool {
        let plan = self.plan.lock();
        let running = plan.running.as_ref().filter(|running| running.what == what);
        running.inspect(|running| running.stop.ask()).is_some()
    }

    /// [`Jobs::stop`], also for one that is about to begin, and waits until it has.
    pub(super) fn stop_and_wait(&self, what: What) -> bool {
        let mut plan = self.plan.lock();
        let mut stopped = false;
        while plan.is_at(what) {
            if let Some(running) = plan.running.as_ref().filter(|running| running.what == what) {
                running.stop.ask();
                stopped = true;
            }
            self.changed.wait(&mut plan);
        }
        stopped
    }

    /// Lets no further job begin, or jobs begin again; who waits for one to begin waits in vain.
    pub(super) fn hold(&self, held: bool) {
        let mut plan = self.plan.lock();
        plan.held = held;
        if held && plan.beginning.is_none() {
            plan.begun = false;
            plan.wanted = None;
        }
        self.changed.notify_all();
    }

    /// Waits until nothing is under way or about to be.
    #[cfg(test)]
    pub(super) fn wait(&self) {
        let mut plan = self.plan.lock();
        while plan.running.is_some()
            || plan.beginning.is_some()
            || plan.rewrite_scheduled
            || plan.save_scheduled
        {
            self.changed.wait_for(&mut plan, LOOK_EVERY);
        }
    }

    /// Runs `save` as the one snapshot being written.
    ///
    /// # Errors
    /// There is another; or those of `save`.
    pub(super) fn save_here(&self, save: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        {
            let mut plan = self.plan.lock();
            if plan.saving || plan.is_at(What::Save) {
                return Err(ALREADY_SAVING);
            }
            plan.saving = true;
        }
        let saved = save();
        self.plan.lock().saving = false;
        saved
    }

    /// Ends the thread once the job under way, which gives up, has ended.
    pub(crate) fn end(&self) {
        let mut plan = self.plan.lock();
        plan.ending = true;
        if let Some(running) = &plan.running {
            running.stop.ask();
        }
        self.changed.notify_all();
    }

    /// Notes that the calling thread's job holds its moment now; what tells it to give up.
    pub(super) fn has_begun(&self, what: What) -> Arc<Stop> {
        let stop = Arc::new(Stop::here());
        let mut plan = self.plan.lock();
        let began_s = clock::now_ms() / 1000;
        plan.running = Some(Running { what, began_s, stop: Arc::clone(&stop) });
        plan.beginning = None;
        plan.begun = plan.wanted.take() == Some(what);
        if plan.ending {
            stop.ask();
        }
        self.changed.notify_all();
        stop
    }

    /// Notes that the calling thread's job has ended, or could not begin.
    fn has_ended(&self) {
        let mut plan = self.plan.lock();
        if plan.running.take().is_none() {
            plan.begun = false;
            plan.wanted = None;
        }
        plan.beginning = None;
        self.changed.notify_all();
    }

    /// The next job, once there is one; nothing: no further one begins.
    fn next(&self, shared: &Shared) -> Option<What> {
        let mut plan = self.plan.lock();
        loop {
            if plan.ending {
                plan.wanted = None;
                self.changed.notify_all();
                return None;
            }
            let next = if plan.held { None } else { plan.wanted.or_else(|| due(shared, &mut plan)) };
            if let Some(what) = next {
                plan.beginning = Some(what);
                return Some(what);
            }
            self.changed.wait_for(&mut plan, LOOK_EVERY);
        }
    }
}

const ALREADY_SAVING: Error = Error::Text("ERR Background save already in progress");
/// What Redis says when it has nothing to say.
const FAILED: Error = Error::Text("ERR");

/// The job that is due by itself, if any.
fn due(shared: &Shared, plan: &mut Plan) -> Option<What> {
    let (persistence, settings) = (&shared.persistence, shared.config.settings());
    let now_ms = clock::now_ms();
    let now_s = now_ms / 1000;
    let rewrites = &persistence.rewrites;
    let waited_s = now_s - rewrites.last_tried_s();
    let rewrite_may = waited_s >= points::rewrite_delay_s(rewrites.failures.get());
    if plan.rewrite_scheduled && rewrite_may {
        plan.rewrite_scheduled = false;
        return Some(What::Rewrite);
    }
    if plan.saving {
        return None;
    }
    let saves = &persistence.saves;
    let history = SaveHistory {
        since_save_s: now_s - persistence.last_save_s(),
        since_try_s: now_s - saves.last_tried_s(),
        last_ok: saves.last_ok(),
        changes: shared.dirty(),
    };
    if let Some(point) = points::save_due(&settings.save, history) {
        tracing::info!("{} changes in {} seconds. Saving...", point.changes, point.after_s);
        return Some(What::Save);
    }
    let for_people = settings.snapshot_format == SnapshotFormat::Json && !settings.save.is_empty();
    if for_people && plan.settling.is_due(history.changes, now_ms) && points::may_save_again(history) {
        return Some(What::Save);
    }
    if plan.save_scheduled && points::may_save_again(history) {
        plan.save_scheduled = false;
        return Some(What::Save);
    }
    let (bytes, base_bytes) = persistence.log.sizes()?;
    let (percentage, bytes_min) =
        (settings.auto_aof_rewrite_percentage, settings.auto_aof_rewrite_min_size_bytes);
    let growth = points::rewrite_due(bytes, base_bytes, percentage, bytes_min)?;
    if !rewrite_may {
        return None;
    }
    tracing::info!("Starting automatic rewriting of AOF on {growth}% growth");
    Some(What::Rewrite)
}

/// How far the thread steps back behind those that serve clients, where all want the same core.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lets the workers go first: nobody waits for a snapshot. On Linux each thread has a priority of its own; elsewhere
/// this would be the whole process's.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!("Snapshots are written with the same priority as clients are served: {error}");
    }
}

/// The thread's work, until [`Jobs::end`].
pub(super) fn run(shared: &Shared) {
    step_back();
    let jobs = &shared.persistence.jobs;
    while let Some(what) = jobs.next(shared) {
        match what {
            What::Save => snapshot::save_in_background(shared),
            What::Rewrite => rewrite::rewrite(shared),
        }
        jobs.has_ended();
    }
}
