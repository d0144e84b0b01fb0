//! What happens before the server runs: its command line, data directory, log and pid file.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{self, ConfigStore, Settings};
use crate::process::{self, PidFile};
use crate::{log, run};

/// Starts the server that `args` (the command line without the program's name) ask for, and gives the exit
/// code of the process when it has ended.
pub fn launch(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match prepare(args) {
        Ok(config) => {
            let _pid_file = PidFile::write(&config.settings());
            run(config)
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration, with everything in place that it takes for granted.
fn prepare(args: impl IntoIterator<Item = OsString>) -> Result<Arc<ConfigStore>, String> {
    let mut loaded = config::load(args).map_err(|e| e.to_string())?;
    let notes = std::mem::take(&mut loaded.notes);
    let config = Arc::new(ConfigStore::new(loaded));
    let settings = config.settings();
    process::make_data_directory(&settings)
        .map_err(|e| format!("Cannot make the data directory {}: {e}", settings.dir.display()))?;
    log::open(&config).map_err(|e| {
        format!(
            "\n*** FATAL CONFIG FILE ERROR (Ebbtide {}) ***\nCan't open the log file: {e}",
            crate::VERSION
        )
    })?;
    notes.iter().for_each(|note| tracing::info!("{note}"));
    set_background_purging(&settings)?;
    config.on_change(&["jemalloc-bg-thread"], Box::new(|_, new| set_background_purging(new)));
    Ok(config)
}

/// Lets a thread of the allocator give freed memory back to the system, also while the server is idle.
fn set_background_purging(settings: &Settings) -> Result<(), String> {
    tikv_jemalloc_ctl::background_thread::write(settings.jemalloc_bg_thread)
        .map_err(|e| format!("Cannot start the allocator's background thread: {e}"))
}
