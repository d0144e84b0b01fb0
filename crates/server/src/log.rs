//! The server's log: lines as Redis writes them, `PID:M 21 Nov 2026 07:31:44.123 * message`, in UTC.
//!
//! Messages come in through `tracing`. Its levels stand for Redis's: trace for debug (`.`), debug for verbose
//! (`-`), info for notice (`*`), warn and error for warning (`#`).

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::clock;
use crate::config::{ConfigStore, LogLevel, Settings};

/// The least important level that is logged, as a [`LogLevel`]; the log is one for the whole process.
static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Notice as u8);

/// Opens the log that `config` asks for, and follows its `loglevel` from now on.
///
/// # Errors
/// The log file cannot be written to.
pub fn open(config: &ConfigStore) -> io::Result<()> {
    let settings = config.settings();
    let file = file_of(&settings);
    if let Some(file) = &file {
        append(file)?;
    }
    LEVEL.store(settings.loglevel as u8, Ordering::Relaxed);
    config.on_change(
        &["loglevel"],
        Box::new(|_, new| {
            LEVEL.store(new.loglevel as u8, Ordering::Relaxed);
            Ok(())
        }),
    );
    let log = tracing_subscriber::registry().with(Log { file, pid: std::process::id() });
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
        level_of(*metadata.level()).0 as u8 >= LEVEL.load(Ordering::Relaxed)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        write(self.file.as_deref(), &line(self.pid, clock::now_ms(), *event.metadata().level(), &message.0));
    }
}

/// Redis's level, and the sign it has in a line.
fn level_of(level: Level) -> (LogLevel, char) {
    match level {
        Level::TRACE => (LogLevel::Debug, '.'),
        Level::DEBUG => (LogLevel::Verbose, '-'),
        Level::INFO => (LogLevel::Notice, '*'),
        _ => (LogLevel::Warning, '#'),
    }
}

/// One line of the log. `M`: this server is a primary.
fn line(pid: u32, unix_ms: i64, level: Level, message: &str) -> String {
    format!("{pid}:M {} {} {message}\n", Time(unix_ms), level_of(level).1)
}

/// What an event says: its message, then its fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// Milliseconds since the Unix epoch, shown as day and time in UTC.
struct Time(i64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        const DAY_MS: i64 = 86_400_000;
        let (year, month, day) = date(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let month = MONTHS[month];
        write!(f, "{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{:03}", ms % 1000)
    }
}

/// Year, month (from 0) and day of the month of a day counted from the Unix epoch, in the Gregorian calendar.
fn date(days: i64) -> (i64, usize, i64) {
    // Years are taken to begin in March, so that a leap day is a year's last; 400 of them have 146,097 days.
    const ERA_DAYS: i64 = 146_097;
    let since_year_0 = days + 719_468;
    let (era, day) = (since_year_0.div_euclid(ERA_DAYS), since_year_0.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months have 31, 30, 31, 30, 31 days again and again: 153 for five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + month / 10, (month + 2) % 12);
    (year, month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_like_redis_lines() {
        let at = 1_795_246_304_123;
        assert_eq!(line(7, at, Level::INFO, "Ready"), "7:M 21 Nov 2026 07:31:44.123 * Ready\n");
        assert_eq!(line(7, at, Level::WARN, "x").split(' ').nth(5), Some("#"));
    }

    #[test]
    fn a_file_that_is_moved_away_is_followed_by_a_new_one() {
        let path = std::env::temp_dir().join(format!("ebbtide-log-{}", std::process::id()));
        let moved = path.with_extension("1");
        let log = tracing_subscriber::registry().with(Log { file: Some(path.clone()), pid: 5 });
        tracing::subscriber::with_default(log, || {
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
        assert!(first.starts_with("5:M ") && first.ends_with(" * first clients=3\n"), "{first}");
        assert_eq!(first.lines().count(), 1);
        assert!(second.ends_with(" # second\n"), "{second}");
    }

    #[test]
    fn dates_are_right() {
        for (days, shown) in [
            (0, "01 Jan 1970"),
            (-1, "31 Dec 1969"),
            (11_016, "29 Feb 2000"),
            (11_017, "01 Mar 2000"),
            (20_819, "01 Jan 2027"),
            (47_540, "28 Feb 2100"),
            (47_541, "01 Mar 2100"),
        ] {
            assert!(
                Time(days * 86_400_000).to_string().starts_with(shown),
                "{days}: {}",
                Time(days * 86_400_000)
            );
        }
    }

    #[test]
    fn levels_rank_as_in_redis() {
        let rank = |level| level_of(level).0;
        assert!(rank(Level::TRACE) < rank(Level::DEBUG) && rank(Level::INFO) < rank(Level::ERROR));
        assert!(rank(Level::ERROR) < LogLevel::Nothing);
    }
}
