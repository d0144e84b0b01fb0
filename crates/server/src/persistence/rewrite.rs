//! Rewrites of the log: a new base, as short as the data allows, in place of all that was logged before.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use engine::{Cut, Held};
use persist::log::{AppendLog, BaseFormat, Place};
use persist::storage::NewFile;

use super::jobs::{Stop, What};
use super::log::{self, Rotation};
use super::snapshot::{self, Failure, Purpose};
use crate::clock;
use crate::config::Settings;
use crate::shared::Shared;

/// Time between two looks whether a rewrite that waits is to give up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where the log is under `settings`.
pub(super) fn place(settings: &Settings) -> Place {
    Place::new(&settings.dir, &settings.appenddirname, &settings.appendfilename)
}

/// A log that is to begin with a rewrite.
///
/// # Errors
/// The system refuses its directory.
pub(super) fn begin(shared: &Shared, settings: &Settings) -> io::Result<AppendLog> {
    AppendLog::begin(&shared.persistence.storage, &place(settings), log::options(settings))
}

/// Rewrites the log on the thread of jobs.
pub(super) fn rewrite(shared: &Shared) {
    let persistence = &shared.persistence;
    let began_s = clock::now_ms() / 1000;
    persistence.rewrites.count.add(1);
    let rewritten = prepare_and_rewrite(shared);
    match &rewritten {
        Ok(()) => {
            tracing::info!("Background AOF rewrite terminated with success");
            tracing::info!("Background AOF rewrite finished successfully");
        }
        Err(Failure::Stopped) => tracing::warn!("Background AOF rewrite was given up"),
        Err(error) => tracing::warn!("Background AOF rewrite failed: {error}"),
    }
    if !matches!(rewritten, Err(Failure::Stopped)) {
        persistence.rewrites.note(rewritten.is_ok(), began_s, clock::now_ms() / 1000);
    }
    if persistence.log.is_starting() {
        persistence.jobs.schedule_rewrite();
    }
}

fn prepare_and_rewrite(shared: &Shared) -> Result<(), Failure> {
    let (persistence, settings) = (&shared.persistence, shared.config.settings());
    persistence.claim.take(&settings.dir)?;
    match persistence.log.is_on() {
        true => rewrite_now(shared, &settings),
        false => rewrite_alone(shared, &settings),
    }
}

/// Writes a log of what there is now, though nothing is logged: somebody asked for it.
fn rewrite_alone(shared: &Shared, settings: &Settings) -> Result<(), Failure> {
    let (log, format) = (begin(shared, settings)?, log::base_format(settings));
    let rewrite = log.rewrite_alone(format)?;
    let cut = snapshot::cut(shared)?;
    let stop = has_begun(shared);
    let file = write_base(shared, settings, cut, rewrite.path(), format, &stop)?;
    log.install_alone(rewrite, file)?;
    Ok(())
}

/// Notes that the rewrite holds its moment; what tells it to give up.
fn has_begun(shared: &Shared) -> Arc<Stop> {
    let stop = shared.persistence.jobs.has_begun(What::Rewrite);
    tracing::info!("Background append only file rewriting started");
    stop
}

/// Writes the base of a log beside `path`.
fn write_base(
    shared: &Shared,
    settings: &Settings,
    cut: Cut<'_>,
    path: &Path,
    format: BaseFormat,
    stop: &Stop,
) -> Result<NewFile, Failure> {
    let incremental = settings.aof_rewrite_incremental_fsync;
    snapshot::write_file(shared, cut, path, Purpose::LogBase(format), incremental, stop)
}

/// Waits for the log's new file; whoever has to hand over effects before may be waiting for this job to give up.
fn rotation(rotated: &Receiver<io::Result<Rotation>>, stop: &Stop) -> Result<Rotation, Failure> {
    loop {
        match rotated.recv_timeout(LOOK_EVERY) {
            Ok(rotation) => return Ok(rotation?),
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("the log is closed").into()),
            Err(RecvTimeoutError::Timeout) if stop.is_asked() => return Err(Failure::Stopped),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn rewrite_now(shared: &Shared, settings: &Settings) -> Result<(), Failure> {
    let persistence = &shared.persistence;
    let mut held = Held::everything(&shared.store);
    let cut = shared.store.cut(&mut held).ok_or(Failure::Busy)?;
    // Before this moment a log that was switched on got nothing: all of it is in its base.
    shared.store.order().want(persistence.log.is_on());
    let rotated = persistence.log.rotate(cut.order(), log::base_format(settings));
    drop(held);
    let stop = has_begun(shared);
    let rotation = rotation(&rotated, &stop)?;
    let file = write_base(shared, settings, cut, rotation.path(), rotation.format, &stop)?;
    persistence.log.install(rotation, file)?;
    Ok(())
}
