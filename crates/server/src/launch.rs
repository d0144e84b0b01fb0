//! What happens before the server runs: its command line, data directory, log and pid file.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{self, ConfigStore, Settings};
use crate::descriptors::make_room;
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
    std::mem::take(&mut loaded.renames).install();
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
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    make_room_for_clients(&config, &settings)?;
    set_background_purging(&settings)?;
    config.on_change(&["jemalloc-bg-thread"], Box::new(|_, new| set_background_purging(new)));
    Ok(config)
}

/// Lowers `maxclients` to what the system has room for, and lets CONFIG SET not pass that either.
fn make_room_for_clients(config: &ConfigStore, settings: &Settings) -> Result<(), String> {
    let room = make_room(settings.maxclients, settings.io_threads.0);
    if room < settings.maxclients {
        tracing::warn!(
            "The system has room for {room} clients, not for the {} of maxclients: see 'ulimit -n'.",
            settings.maxclients
        );
        config.set(&[(b"maxclients", room.to_string().as_bytes())], true).map_err(|e| e.to_string())?;
    }
    config.on_change(
        &["maxclients"],
        Box::new(|_, new| match make_room(new.maxclients, new.io_threads.0) {
            room if room < new.maxclients => Err(format!(
                "The operating system is not able to handle the specified number of clients, try with {room}"
            )),
            _ => Ok(()),
        }),
    );
    Ok(())
}

/// Lets a thread of the allocator give freed memory back to the system, also while the server is idle.
fn set_background_purging(settings: &Settings) -> Result<(), String> {
    tikv_jemalloc_ctl::background_thread::write(settings.jemalloc_bg_thread)
        .map_err(|e| format!("Cannot start the allocator's background thread: {e}"))
}
