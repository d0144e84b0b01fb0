//! Snapshots: all data as it was at one moment, in a file that takes the place of the last one whole.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use commands::Error;
use engine::{Batch, Cut, Held, Record, Step};
use persist::log::BaseFormat;
use persist::storage::NewFile;

use super::directory::ClaimError;
use super::jobs::{Stop, What};
use super::sink::Sink;
use crate::clock;
use crate::config::settings::SnapshotFormat;
use crate::memory;
use crate::shared::Shared;

/// Bytes after which a file is synced while it is written, so that the last sync does not take long.
const SYNC_BYTES: u64 = 4 << 20;

/// Why there is no new file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It was given up.
    #[error("given up")]
    Stopped,
    /// As many snapshots as there can be are being taken.
    #[error("too many snapshots are being taken at once")]
    Busy,
    /// The directory is another server's.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The disk.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a file of all data is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A snapshot of its own.
    Snapshot(SnapshotFormat),
    /// What a log begins with.
    LogBase(BaseFormat),
}

/// Takes a moment: every stripe is held for it.
pub(super) fn cut(shared: &Shared) -> Result<Cut<'_>, Failure> {
    shared.store.cut(&mut Held::everything(&shared.store)).ok_or(Failure::Busy)
}

/// Writes a snapshot on the thread of jobs.
pub(super) fn save_in_background(shared: &Shared) {
    let persistence = &shared.persistence;
    let began_s = clock::now_ms() / 1000;
    persistence.saves.count.add(1);
    let saved = cut(shared).and_then(|cut| {
        let changes = shared.dirty();
        let stop = persistence.jobs.has_begun(What::Save);
        tracing::info!("Background saving started");
        write_snapshot(shared, cut, &stop).inspect(|()| persistence.has_saved(shared, changes))
    });
    match &saved {
        Ok(()) => tracing::info!("Background saving terminated with success"),
        Err(Failure::Stopped) => return tracing::warn!("Background saving terminated: it was cancelled"),
        Err(error) => tracing::warn!("Background saving error: {error}"),
    }
    persistence.saves.note(saved.is_ok(), began_s, clock::now_ms() / 1000);
    persistence.follow_saves(&shared.config.settings());
}

/// Writes a snapshot on the calling thread.
pub(super) fn save(shared: &Shared) -> Result<(), Error> {
    let persistence = &shared.persistence;
    persistence.jobs.save_here(|| {
        persistence.saves.count.add(1);
        let saved = cut(shared).and_then(|cut| {
            let changes = shared.dirty();
            write_snapshot(shared, cut, &Stop::here()).inspect(|()| persistence.has_saved(shared, changes))
        });
        saved.map_err(|error| {
            tracing::warn!("Error saving the snapshot: {error}");
            Error::Text("ERR")
        })?;
        persistence.follow_saves(&shared.config.settings());
        Ok(())
    })
}

fn write_snapshot(shared: &Shared, cut: Cut<'_>, stop: &Stop) -> Result<(), Failure> {
    let settings = shared.config.settings();
    shared.persistence.claim.take(&settings.dir)?;
    let incremental = settings.rdb_save_incremental_fsync;
    let purpose = Purpose::Snapshot(settings.snapshot_format);
    let file = write_file(shared, cut, &settings.snapshot_file(), purpose, incremental, stop)?;
    file.commit()?;
    tracing::info!("DB saved on disk");
    Ok(())
}

/// Writes all data as `cut` holds it beside `path`, and syncs it: what is left to do is to put it there.
pub(super) fn write_file(
    shared: &Shared,
    cut: Cut<'_>,
    path: &Path,
    purpose: Purpose,
    incremental_sync: bool,
    stop: &Stop,
) -> Result<NewFile, Failure> {
    let mut file = NewFile::beside(&shared.persistence.storage, path)?;
    let out = Paced { file: &mut file, unsynced: 0, every: incremental_sync.then_some(SYNC_BYTES) };
    let written = write(shared, cut, out, purpose, stop);
    shared.persistence.progress.begin(0);
    written?;
    file.sync()?;
    Ok(file)
}

/// Writes all data as `cut` holds it.
fn write(
    shared: &Shared,
    mut cut: Cut<'_>,
    out: impl Write,
    purpose: Purpose,
    stop: &Stop,
) -> Result<(), Failure> {
    let settings = shared.config.settings();
    let mut sink = Sink::new(out, purpose, &settings)?;
    sink.sizes(cut.sizes())?;
    let progress = &shared.persistence.progress;
    progress.begin(cut.sizes().iter().map(|size| size.keys).sum());
    let mut delay = Delay::of(settings.rdb_key_save_delay_us);
    let mut batch = Batch::new();
    loop {
        let step = cut.step(&mut batch);
        let mut keys = 0;
        for record in batch.records() {
            if !matches!(record, Record::Piece(_)) {
                keys += 1;
                delay.key(stop);
            }
            if stop.is_asked() {
                return Err(Failure::Stopped);
            }
            sink.put(record)?;
        }
        progress.done.add(keys);
        memory::publish();
        if step == Step::Done && !stop.is_asked() {
            return Ok(sink.finish()?);
        }
    }
}

/// `rdb-key-save-delay`: microseconds a key; or, when negative, one microsecond each so many keys.
#[derive(Debug)]
struct Delay {
    time: Duration,
    every: u64,
    keys: u64,
}

impl Delay {
    fn of(directive: i64) -> Delay {
        match directive {
            0.. => Delay { time: Duration::from_micros(directive.unsigned_abs()), every: 1, keys: 0 },
            _ => Delay { time: Duration::from_micros(1), every: directive.unsigned_abs(), keys: 0 },
        }
    }

    fn key(&mut self, stop: &Stop) {
        self.keys += 1;
        if !self.time.is_zero() && self.keys.is_multiple_of(self.every) {
            stop.delay(self.time);
        }
    }
}

/// Syncs a file now and then while it is written.
#[derive(Debug)]
struct Paced<'f> {
    file: &'f mut NewFile,
    unsynced: u64,
    every: Option<u64>,
}

impl Write for Paced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written as u64;
        if self.every.is_some_and(|every| self.unsynced >= every) {
            self.unsynced = 0;
            self.file.sync()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
