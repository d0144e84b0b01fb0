//! What is read back: the log or the snapshot, at a start or when DEBUG asks for it.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use commands::{Error, Reload};
use engine::{Db, Due, Free, Held, Turn};
use persist::log::{self as aof, AppendLog, Recovered, RecoveryOptions};

use super::directory::ClaimError;
use super::gate::Obstacle;
use super::jobs::{Stop, What};
use super::reading::{self, LogReader, Wanted};
use super::snapshot::Purpose;
use super::{log, replay, rewrite, snapshot};
use crate::clock;
use crate::config::Settings;
use crate::config::settings::SnapshotFormat;
use crate::shared::Shared;

/// Why the server cannot begin. `Display` gives a sentence for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// It was told to end meanwhile.
    #[error("The server was told to end while it loaded its data")]
    Ended,
    /// The snapshot cannot be loaded.
    #[error("Fatal error loading the DB, check server logs. {0}")]
    Snapshot(String),
    /// The log cannot be recovered.
    #[error("Fatal error loading the append only file: {0}")]
    Log(#[from] aof::RecoveryError),
    /// The log cannot be gone on with.
    #[error("Cannot write the append only file: {0}")]
    Io(#[from] io::Error),
    /// The first base of a log cannot be written.
    #[error("Cannot write the base of the append only file: {0}")]
    Base(String),
}

/// What a server begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Nothing,
    Snapshot,
    Log,
}

/// What there is to begin with.
fn source(shared: &Shared, settings: &Settings) -> Source {
    let is_there = |path: &Path| matches!(shared.persistence.storage.id(path), Ok(Some(_)));
    let place = rewrite::place(settings);
    if settings.appendonly && (is_there(&place.manifest()) || is_there(place.old_style())) {
        Source::Log
    } else if snapshot_to_load(shared, settings).is_some() {
        Source::Snapshot
    } else {
        Source::Nothing
    }
}

/// The snapshot there is: of the form asked for, or else of the other.
fn snapshot_to_load(shared: &Shared, settings: &Settings) -> Option<PathBuf> {
    let other = settings.snapshot_format.other();
    let files = [settings.snapshot_file(), settings.snapshot_file_as(other)];
    files.into_iter().find(|file| matches!(shared.persistence.storage.id(file), Ok(Some(_))))
}

/// Says so when `file`, which is loaded, is not the only snapshot, or not the one that will be written.
fn tell_of_others(settings: &Settings, file: &Path) {
    let expected = settings.snapshot_file();
    if file != expected {
        tracing::warn!("There is no {}, but a snapshot of another form, which is loaded", expected.display());
        return;
    }
    let other = settings.snapshot_file_as(settings.snapshot_format.other());
    let written = |file: &Path| file.metadata().and_then(|found| found.modified()).ok();
    if other != file && written(&other) > written(file) {
        let (file, other) = (file.display(), other.display());
        tracing::warn!("{file} is loaded (directive 'snapshot-format'), not {other}, which is newer");
    }
}

/// Makes the data directory the server's own, and has clients told that data is being loaded. Whether there is any.
///
/// # Errors
/// Another server has the directory.
pub(crate) fn prepare(shared: &Shared) -> Result<bool, ClaimError> {
    let settings = shared.config.settings();
    if settings.appendonly || !settings.save.is_empty() {
        shared.persistence.claim.take(&settings.dir)?;
    }
    begin_loading(shared);
    Ok(source(shared, &settings) != Source::Nothing)
}

/// Loads what there is, and gives the log to go on with, if one is to be kept.
///
/// # Errors
/// [`StartError`]: the server must not go on, or it would overwrite what it could not read.
pub(crate) fn load(shared: &Shared) -> Result<Option<AppendLog>, StartError> {
    let settings = shared.config.settings();
    let source = source(shared, &settings);
    let log = match source {
        _ if settings.appendonly => Some(load_and_log(shared, &settings, source)?),
        Source::Snapshot => {
            let file = snapshot_to_load(shared, &settings).unwrap_or_else(|| settings.snapshot_file());
            tell_of_others(&settings, &file);
            load_snapshot(shared, &file, false)?;
            None
        }
        _ => None,
    };
    Ok(log)
}

fn load_and_log(shared: &Shared, settings: &Settings, source: Source) -> Result<AppendLog, StartError> {
    let began_ms = clock::now_ms();
    let recovered = recover(shared, settings)?;
    if recovered.found {
        let document = settings.snapshot_file();
        if settings.snapshot_format == SnapshotFormat::Json && document.exists() {
            let document = document.display();
            tracing::warn!("{document} is not read: the append only file is (directive 'appendonly')");
        }
        tracing::info!("DB loaded from append only file: {:.3} seconds", seconds_since(began_ms));
        return Ok(AppendLog::resume(
            &shared.persistence.storage,
            &rewrite::place(settings),
            log::options(settings),
            &recovered,
        )?);
    }
    if source == Source::Snapshot {
        let file = snapshot_to_load(shared, settings).unwrap_or_else(|| settings.snapshot_file());
        tracing::warn!(
            "There is no append only file yet, but a snapshot: {}. It is loaded, and the append only file begins with \
             what it holds; from now on a start reads the append only file (appendonly yes)",
            file.display()
        );
        load_snapshot(shared, &file, false)?;
    }
    first_base(shared, settings)
}

/// Begins a log with what is in the store.
fn first_base(shared: &Shared, settings: &Settings) -> Result<AppendLog, StartError> {
    let mut log = rewrite::begin(shared, settings)?;
    let format = log::base_format(settings);
    let rewrite = log.rotate(format)?;
    let incremental = settings.aof_rewrite_incremental_fsync;
    let file = snapshot::cut(shared).and_then(|cut| {
        let purpose = Purpose::LogBase(format);
        snapshot::write_file(shared, cut, rewrite.path(), purpose, incremental, &Stop::here())
    });
    log.install_base(rewrite, file.map_err(|error| StartError::Base(error.to_string()))?)?;
    Ok(log)
}

fn seconds_since(began_ms: i64) -> f64 {
    (clock::now_ms() - began_ms).max(0) as f64 / 1000.0
}

// -- while data is loaded ---------------------------------------------------------------------

fn begin_loading(shared: &Shared) {
    let persistence = &shared.persistence;
    persistence.loading.began_s.store(clock::now_ms() / 1000, Ordering::Relaxed);
    persistence.loading.bytes.begin(0);
    persistence.gate.set(Obstacle::Loading, true);
}

pub(super) fn end_loading(shared: &Shared) {
    shared.persistence.gate.set(Obstacle::Loading, false);
}

/// Removes what expired before it was loaded, so that nobody ever counts it. The log needs not be told: whoever reads
/// it will do the same.
pub(super) fn drop_expired(shared: &Shared) {
    let mut turn = Turn::new(clock::now_ms(), 0);
    for group in 0..shared.config.settings().io_threads.0 {
        let mut due = Due::More;
        while due == Due::More {
            due = shared.store.expire_due(group, &mut turn, 1 << 16);
            shared.persistence.loading.keys_expired.add(turn.expired().0);
            turn.garbage.clear();
            turn.gone.clear();
        }
    }
}

/// Runs `load` while clients are told that data is loaded.
fn while_loading<T>(shared: &Shared, load: impl FnOnce() -> T) -> T {
    begin_loading(shared);
    // Whoever looked at the gate before is done once all stripes were free.
    drop(Held::everything(&shared.store));
    let loaded = load();
    end_loading(shared);
    loaded
}

/// DEBUG RELOAD.
pub(super) fn reload(shared: &Shared, how: Reload) -> Result<(), Error> {
    while_loading(shared, || {
        if how.save {
            shared.persistence.jobs.hold(true);
            shared.persistence.jobs.stop_and_wait(What::Save);
            let saved = snapshot::save(shared);
            shared.persistence.jobs.hold(false);
            saved?;
        }
        if how.flush {
            empty(shared);
        }
        let file = shared.config.settings().snapshot_file();
        load_snapshot(shared, &file, how.merge).map_err(|error| {
            tracing::warn!("{error}");
            Error::Text("ERR Error trying to load the RDB dump, check server logs.")
        })?;
        tracing::info!("DB reloaded by DEBUG RELOAD");
        Ok(())
    })
}

/// DEBUG LOADAOF.
pub(super) fn reload_log(shared: &Shared) -> Result<(), Error> {
    while_loading(shared, || {
        let failed = |error: &dyn Display| {
            tracing::warn!("{error}");
            Error::Text("ERR Error trying to load the AOF files, check server logs.")
        };
        // What it leaves behind when it is given up is nobody's.
        shared.persistence.jobs.stop_and_wait(What::Rewrite);
        shared.persistence.log.flush().map_err(|error| failed(&error))?;
        empty(shared);
        recover(shared, &shared.config.settings()).map_err(|error| failed(&error))?;
        tracing::info!("Append Only File loaded by DEBUG LOADAOF");
        Ok(())
    })
}

fn empty(shared: &Shared) {
    let mut turn = Turn::new(clock::now_ms(), 0);
    let mut held = Held::everything(&shared.store);
    for db in 0..shared.store.databases() {
        Db::new(&mut held, &mut turn, db).flush(Free::Now);
    }
}

// -- the files --------------------------------------------------------------------------------

/// Loads the snapshot at `path`; `replace`: keys that are there already are no error.
fn load_snapshot(shared: &Shared, path: &Path, replace: bool) -> Result<(), StartError> {
    let began_ms = clock::now_ms();
    let failed = |error: &dyn Display| StartError::Snapshot(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(|error| failed(&error))?;
    let len = file.metadata().map_err(|error| failed(&error))?.len();
    let loading = &shared.persistence.loading;
    loading.bytes.begin(len);
    let wanted = Wanted { keep_expired: false, replace, done_before: 0 };
    let mut first = [0];
    let loaded = match file.read_at(&mut first, 0) {
        Ok(1) if first == *b"{" => reading::document(shared, &mut file, wanted),
        _ => reading::snapshot(shared, &mut file, wanted).map(drop).map_err(|error| {
            let file = path.display();
            format!("{error}; after a backup, keep what is good with: ebbtide check rdb --fix {file}")
        }),
    };
    loaded.map_err(|error| match loading.is_stopped() {
        true => StartError::Ended,
        false => failed(&error),
    })?;
    tracing::info!("DB loaded from disk: {:.3} seconds", seconds_since(began_ms));
    Ok(())
}

fn recover(shared: &Shared, settings: &Settings) -> Result<Recovered, StartError> {
    let seed = getrandom::u64().map_err(io::Error::other)?;
    let options = RecoveryOptions { load_truncated: settings.aof_load_truncated };
    let (storage, place) = (&shared.persistence.storage, rewrite::place(settings));
    let recovered = replay::with_crew(shared, settings.io_threads.0, seed, |replay| {
        aof::recover(storage, &place, options, &mut LogReader::new(shared, replay))
    })?;
    let recovered = recovered.map_err(|error| match shared.persistence.loading.is_stopped() {
        true => StartError::Ended,
        false => StartError::Log(error),
    })?;
    for note in &recovered.notes {
        tracing::warn!("{note}");
    }
    Ok(recovered)
}
