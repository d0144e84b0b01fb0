//! Reading files back into the store: snapshots, and logs as they come out of recovery.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use persist::json;
use persist::log::{self as aof, Refused};
use persist::rdb::{self, Fault, LoadOptions, Loaded, Reader, ReaderOptions};

use super::figures::Count;
use super::jobs::Stop;
use super::replay::Replay;
use crate::clock;
use crate::config::Settings;
use crate::memory;
use crate::shared::Shared;

/// What a snapshot is read for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Expired keys are kept: what follows may still be about them.
    pub(super) keep_expired: bool,
    /// Keys that are there already are replaced.
    pub(super) replace: bool,
    /// Bytes of other files that were loaded before.
    pub(super) done_before: u64,
}

/// Loads a snapshot; how many bytes of `input` it took. What is to be known of it is logged.
///
/// # Errors
/// In words: it is damaged, or holds what this server cannot.
pub(super) fn snapshot(shared: &Shared, input: &mut dyn Read, wanted: Wanted) -> Result<u64, rdb::Error> {
    let (settings, loading) = (shared.config.settings(), &shared.persistence.loading);
    let options = options(&settings, wanted);
    let input = Stoppable { input, shared };
    let mut reader = Reader::new(input, ReaderOptions { checksum: settings.rdbchecksum })?;
    let mut progress = |progress: rdb::Progress| {
        loading.bytes.done.set(wanted.done_before + progress.bytes);
    };
    let loaded = rdb::load(&shared.store, &mut reader, &options, &mut progress)?;
    if !loaded.functions.is_empty() {
        return Err(rdb::Error { offset: reader.offset(), fault: Fault::Corrupt(FUNCTIONS) });
    }
    loading.keys.set(loaded.keys);
    loading.keys_expired.set(loaded.expired);
    tell(&loaded);
    Ok(reader.offset())
}

/// The next snapshot would be without them.
const FUNCTIONS: &str = "it holds libraries of functions, which this server does not have yet";

fn options(settings: &Settings, wanted: Wanted) -> LoadOptions {
    LoadOptions {
        threads: settings.io_threads.0,
        now_ms: clock::now_ms(),
        keep_expired: wanted.keep_expired,
        replace: wanted.replace,
        policy: settings.access_policy(),
        limits: settings.limits(),
        between: memory::publish,
    }
}

/// Loads a snapshot in JSON.
///
/// # Errors
/// In words: it is not of the form, or holds what this server cannot.
pub(super) fn document(shared: &Shared, input: &mut dyn Read, wanted: Wanted) -> Result<(), String> {
    let loading = &shared.persistence.loading;
    let input = BufReader::new(Counted { input: Stoppable { input, shared }, done: &loading.bytes.done });
    let options = options(&shared.config.settings(), wanted);
    let loaded = json::load(&shared.store, input, &options).map_err(|error| error.to_string())?;
    if !loaded.functions.is_empty() {
        return Err(FUNCTIONS.to_owned());
    }
    let json::Loaded { keys, expired, .. } = loaded;
    loading.keys.set(keys);
    loading.keys_expired.set(expired);
    tracing::info!("Done loading JSON, keys loaded: {keys}, keys expired: {expired}.");
    Ok(())
}

/// Counts the bytes that are read.
struct Counted<'c, R> {
    input: R,
    done: &'c Count,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(bytes)?;
        self.done.add(n as u64);
        Ok(n)
    }
}

/// Logs what was loaded.
fn tell(loaded: &Loaded) {
    for (name, value) in &loaded.aux {
        let value = String::from_utf8_lossy(value);
        match &**name {
            b"redis-ver" | b"valkey-ver" => tracing::info!("Loading RDB produced by version {value}"),
            b"ctime" => {
                let age_s = clock::now_ms() / 1000 - value.parse().unwrap_or(0);
                tracing::info!("RDB age {} seconds", age_s.max(0));
            }
            _ => {}
        }
    }
    for module in &loaded.modules {
        tracing::warn!("Data of the module {module} was passed over: there are no modules");
    }
    if loaded.empty > 0 {
        tracing::warn!("Done loading RDB, empty keys skipped: {}.", loaded.empty);
    }
    tracing::info!("Done loading RDB, keys loaded: {}, keys expired: {}.", loaded.keys, loaded.expired);
}

/// An input that fails when the server is told to end.
struct Stoppable<'r> {
    input: &'r mut dyn Read,
    shared: &'r Shared,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.shared.persistence.loading.is_stopped() {
            return Err(io::Error::other("the server is told to end"));
        }
        let settings = self.shared.config.settings();
        if settings.key_load_delay_us <= 0 {
            return self.input.read(bytes);
        }
        delay(&settings);
        let most = bytes.len().min(settings.loading_interval_bytes);
        self.input.read(&mut bytes[..most])
    }
}

/// Holds loading up, for tests.
fn delay(settings: &Settings) {
    if let Ok(delay_us) = u64::try_from(settings.key_load_delay_us) {
        Stop::here().delay(Duration::from_micros(delay_us));
    }
}

/// Takes what the recovery of a log finds.
pub(super) struct LogReader<'r, 's> {
    shared: &'s Shared,
    replay: &'r mut Replay<'s>,
}

impl<'r, 's> LogReader<'r, 's> {
    pub(super) fn new(shared: &'s Shared, replay: &'r mut Replay<'s>) -> LogReader<'r, 's> {
        LogReader { shared, replay }
    }
}

impl aof::Replay for LogReader<'_, '_> {
    fn file(&mut self, _path: &Path) {
        self.replay.begin_file();
    }

    fn snapshot(&mut self, _path: &Path, input: &mut dyn Read) -> Result<u64, Refused> {
        let wanted = Wanted {
            keep_expired: true,
            replace: false,
            done_before: self.shared.persistence.loading.bytes.done.get(),
        };
        snapshot(self.shared, input, wanted)
            .map_err(|error| Refused { at: error.offset, what: error.fault.to_string() })
    }

    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused> {
        if self.shared.persistence.loading.is_stopped() {
            return Err(Refused { at: 0, what: "the server is told to end".into() });
        }
        delay(&self.shared.config.settings());
        self.replay.requests(requests)
    }

    fn progress(&mut self, done_bytes: u64, all_bytes: u64) {
        let bytes = &self.shared.persistence.loading.bytes;
        bytes.total.set(all_bytes);
        bytes.done.set(done_bytes);
    }
}
