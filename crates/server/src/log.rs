//! The server's log: lines to a file or standard output, and, when it is wanted, to the system's log.
//!
//! Messages come in through `tracing`. Its levels stand for Redis's: trace for debug (`.`), debug for verbose
//! (`-`), info for notice (`*`), warn and error for warning (`#`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::RwLock;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::clock;
use crate::config::settings::{LogFormat, LogTimes};
use crate::config::{ConfigStore, LogLevel, Settings};

mod line;
mod syslog;
mod time;

use line::{Entry, Style, Text};
use syslog::SystemLog;

/// The least important level that is logged, as a [`LogLevel`]; the log is one for the whole process.
static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Notice as u8);
/// How lines look.
static STYLE: RwLock<Style> = RwLock::new(Style { format: LogFormat::Legacy, times: LogTimes::Legacy });

/// Opens the log that `config` asks for, and follows from now on what it says of levels and lines.
///
/// # Errors
/// The log file cannot be written to.
pub fn open(config: &ConfigStore) -> io::Result<()> {
    let settings = config.settings();
    let file = file_of(&settings);
    if let Some(file) = &file {
        append(file)?;
    }
    let follow = |settings: &Settings| {
        LEVEL.store(settings.loglevel as u8, Ordering::Relaxed);
        *STYLE.write() = Style { format: settings.log_format, times: settings.log_timestamp_format };
    };
    follow(&settings);
    config.on_change(
        &["loglevel", "log-format", "log-timestamp-format"],
        Box::new(move |_, new| {
            follow(new);
            Ok(())
        }),
    );
    let system =
        settings.syslog_enabled.then(|| SystemLog::new(&settings.syslog_ident, settings.syslog_facility));
    let log = tracing_subscriber::registry().with(Log { file, system, pid: std::process::id() });
    // A second log in one process, as two servers in one test have it: the first one stays.
    let _ = tracing::subscriber::set_global_default(log);
    Ok(())
}

/// Writes `text` to where the log goes, as it is.
pub fn raw(settings: &Settings, text: &str) {
    write(file_of(settings).as_deref(), text);
}

fn file_of(settings: &Settings) -> Option<PathBuf> {
    settings.logfile.as_deref().map(|file| settings.path(file))
}

fn append(file: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(file)
}

/// Appends `text` to `file`, which is opened anew each time, so that a file that was moved away for rotation
/// is followed by a new one. What cannot be logged is lost: there is nowhere to say so.
fn write(file: Option<&Path>, text: &str) {
    let _ = match file {
        Some(file) => append(file).and_then(|mut file| file.write_all(text.as_bytes())),
        None => io::stdout().lock().write_all(text.as_bytes()),
    };
}

/// Writes each event as a line.
struct Log {
    file: Option<PathBuf>,
    system: Option<SystemLog>,
    pid: u32,
}

impl<S: Subscriber> Layer<S> for Log {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The level changes at run time, so each event asks anew.
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        level_of(*metadata.level()) as u8 >= LEVEL.load(Ordering::Relaxed)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let level = level_of(*event.metadata().level());
        let entry = Entry { pid: self.pid, unix_ms: clock::now_ms(), level, text };
        let style = *STYLE.read();
        write(self.file.as_deref(), &entry.line(style));
        if let Some(system) = &self.system {
            system.write(self.pid, level, &entry.text.message);
        }
    }
}

/// Redis's level.
fn level_of(level: Level) -> LogLevel {
    match level {
        Level::TRACE => LogLevel::Debug,
        Level::DEBUG => LogLevel::Verbose,
        Level::INFO => LogLevel::Notice,
        _ => LogLevel::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_moved_away_is_followed_by_a_new_one() {
        let path = std::env::temp_dir().join(format!("ebbtide-log-{}", std::process::id()));
        let moved = path.with_extension("1");
        let log = Log { file: Some(path.clone()), system: None, pid: 5 };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), || {
            tracing::info!(clients = 3, "first");
            tracing::trace!("too detailed");
            std::fs::rename(&path, &moved).unwrap();
            tracing::warn!("second");
        });
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap();
            std::fs::remove_file(path).unwrap();
            text
        };
        let (first, second) = (read(&moved), read(&path));
        assert!(first.starts_with("5:M ") && first.ends_with(" * first\n"), "{first}");
        assert_eq!(first.lines().count(), 1);
        assert!(second.ends_with(" # second\n"), "{second}");
    }

    #[test]
    fn levels_rank_as_in_redis() {
        assert!(level_of(Level::TRACE) < level_of(Level::DEBUG));
        assert!(level_of(Level::INFO) < level_of(Level::ERROR));
        assert!(level_of(Level::ERROR) < LogLevel::Nothing);
    }
}
