//! How far it has come, as a bar on a terminal; elsewhere nothing is shown.

use std::cell::Cell;
use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

/// Between two looks of the bar.
const PAUSE: Duration = Duration::from_millis(100);
const BAR_WIDTH: u64 = 30;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Keys.
    Keys,
    /// Bytes of a file.
    Bytes,
}

/// A bar on stderr.
#[derive(Debug)]
pub(crate) struct Progress {
    unit: Unit,
    total: Option<u64>,
    done: Cell<u64>,
    began: Instant,
    /// When the bar is drawn next; nothing: never.
    next: Cell<Option<Instant>>,
    is_shown: Cell<bool>,
}

impl Progress {
    /// Nothing is done yet of `total`, if that is known.
    pub(crate) fn new(unit: Unit, total: Option<u64>) -> Progress {
        let began = Instant::now();
        let next = io::stderr().is_terminal().then(|| began + PAUSE);
        Progress { unit, total, done: Cell::new(0), began, next: Cell::new(next), is_shown: Cell::new(false) }
    }

    /// So much more is done.
    pub(crate) fn add(&self, count: u64) {
        self.done.set(self.done.get() + count);
        let Some(next) = self.next.get() else { return };
        let now = Instant::now();
        if now >= next {
            self.next.set(Some(now + PAUSE));
            self.is_shown.set(true);
            let bar = bar(self.unit, self.done.get(), self.total, now - self.began);
            // When there is no terminal any more, nobody misses the bar.
            let _ = write!(io::stderr(), "\r{bar}\x1b[K");
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if self.is_shown.replace(false) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn bar(unit: Unit, done: u64, total: Option<u64>, time: Duration) -> String {
    let rate = done as f64 / time.as_secs_f64().max(0.001);
    let (amount, rate) = match unit {
        Unit::Keys => (format!("{done} keys"), format!("{rate:.0} keys/s")),
        Unit::Bytes => (megabytes(done as f64), format!("{}/s", megabytes(rate))),
    };
    match total.filter(|&total| total > 0) {
        None => format!("{amount}, {rate}"),
        Some(total) => {
            // What came in meanwhile may be more than was there at first.
            let done = done.min(total);
            let filled = u128::from(BAR_WIDTH) * u128::from(done) / u128::from(total);
            let percent = 100 * u128::from(done) / u128::from(total);
            let (full, rest) =
                ("=".repeat(filled as usize), " ".repeat(BAR_WIDTH as usize - filled as usize));
            format!("[{full}{rest}] {percent:3} % {amount}, {rate}")
        }
    }
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// A reader whose bytes count as done.
#[derive(Debug)]
pub(crate) struct Counted<'p, R> {
    /// What is read.
    pub(crate) input: R,
    /// Where it is counted.
    pub(crate) progress: &'p Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.progress.add(n as u64);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_tells_how_far_it_is() {
        let second = Duration::from_secs(1);
        let half = bar(Unit::Keys, 500, Some(1000), second);
        assert_eq!(half, format!("[{}{}]  50 % 500 keys, 500 keys/s", "=".repeat(15), " ".repeat(15)));
        assert_eq!(bar(Unit::Bytes, 2_500_000, None, second), "2.5 MB, 2.5 MB/s");
        assert!(bar(Unit::Keys, 1200, Some(1000), second).contains("] 100 % 1200 keys"));
        assert!(bar(Unit::Keys, 0, Some(0), Duration::ZERO).starts_with("0 keys"));
    }

    #[test]
    fn what_is_read_is_counted() {
        let progress = Progress::new(Unit::Bytes, Some(5));
        let mut text = String::new();
        Counted { input: b"hello".as_slice(), progress: &progress }.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), progress.done.get()), ("hello", 5));
    }
}
