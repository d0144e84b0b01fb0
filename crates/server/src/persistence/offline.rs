//! A log read without a server: what it makes of an empty store, for tools.

use std::io;
use std::path::Path;
use std::sync::Arc;

use engine::{Batch, Options, Record, Step, Store};
use persist::log::{self as aof, Place, RecoveryOptions};
use persist::storage::Storage;

use super::reading::LogReader;
use super::{replay, snapshot};
use crate::clock;
use crate::config::{self, ConfigStore};
use crate::shared::Shared;

/// Databases that a log may be about.
const DATABASES: u32 = 4096;

/// Why nothing can be said of a log.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// It is damaged, or has what this program cannot run.
    #[error(transparent)]
    Log(#[from] aof::RecoveryError),
    /// What comes out of it is not taken.
    #[error(transparent)]
    Taken(io::Error),
    /// The system.
    #[error("{0}")]
    System(String),
}

/// Reads the log of `manifest` on `storage`, and gives what it makes to `take`, without the keys whose deadline has come.
///
/// # Errors
/// [`OfflineError`]. A torn tail is one too.
pub fn read_log(
    storage: &Arc<dyn Storage>,
    manifest: &Path,
    take: &mut dyn FnMut(Record<'_>) -> io::Result<()>,
) -> Result<(), OfflineError> {
    let system = |error: &dyn std::fmt::Display| OfflineError::System(error.to_string());
    let place = Place::of_manifest(manifest).ok_or_else(|| system(&"the name is not a manifest's"))?;
    let seed = getrandom::u64().map_err(|error| system(&error))?;
    let config = config::load([]).map_err(|error| system(&error))?;
    let config = Arc::new(ConfigStore::new(config));
    let threads = config.settings().io_threads.0;
    let store = Store::new(&Options { databases: DATABASES, secret: seed, groups: threads });
    let shared = Shared::on(Arc::clone(storage), store, config, threads).map_err(|error| system(&error))?;
    let options = RecoveryOptions { load_truncated: false };
    let recovered = replay::with_crew(&shared, threads, seed, |replay| {
        aof::recover(storage, &place, options, &mut LogReader::new(&shared, replay))
    });
    recovered.map_err(|error| system(&error))??;

    let mut cut = snapshot::cut(&shared).map_err(|error| system(&error))?;
    let (mut batch, mut expired) = (Batch::new(), false);
    let now_ms = clock::now_ms();
    loop {
        let step = cut.step(&mut batch);
        for record in batch.records() {
            if let Record::Entry { head, .. } | Record::Long { head, .. } = record {
                expired = head.deadline_ms.is_some_and(|at| at <= now_ms);
            }
            if !expired {
                take(record).map_err(OfflineError::Taken)?;
            }
        }
        if step == Step::Done {
            return Ok(());
        }
    }
}
