//! Signals: SIGINT and SIGTERM end the server gracefully, a second SIGINT at once; SIGHUP, SIGXFSZ and SIGPIPE do
//! nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use commands::Shutdown;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::config::Settings;

/// What the process exits with when a second signal ends it at once.
const EXIT_AT_ONCE: i32 = 1;

/// A signal that asks the server to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl EndSignal {
    /// The signal's name.
    pub fn name(self) -> &'static str {
        match self {
            EndSignal::Interrupt => "SIGINT",
            EndSignal::Terminate => "SIGTERM",
        }
    }

    /// What `settings` make of the signal.
    pub fn shutdown(self, settings: &Settings) -> Shutdown {
        match self {
            EndSignal::Interrupt => settings.shutdown_on_sigint,
            EndSignal::Terminate => settings.shutdown_on_sigterm,
        }
    }
}

/// Calls `end` on a thread of its own at each signal that asks the server to end, until it says that the server
/// does. A SIGINT while `end` is at work ends the process without asking anybody. (Rust's runtime has SIGPIPE ignored
/// already.)
///
/// # Errors
/// The system refuses a handler or the thread.
pub fn watch(mut end: impl FnMut(EndSignal) -> bool + Send + 'static) -> io::Result<()> {
    let seen = Arc::new(AtomicBool::new(false));
    // Handlers run in the order they were registered: the first finds the flag that the second one set before.
    flag::register_conditional_shutdown(SIGINT, EXIT_AT_ONCE, Arc::clone(&seen))?;
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&seen))?;
    }
    // A flag nobody reads: a closed terminal does not end the server.
    flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
    // Nor does a file that reaches the process's limit (RLIMIT_FSIZE): whoever writes it gets an error.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let wait = move || {
        for signal in signals.forever() {
            if end(if signal == SIGINT { EndSignal::Interrupt } else { EndSignal::Terminate }) {
                return;
            }
            seen.store(false, Ordering::Relaxed);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn signals_are_told_until_one_ends_the_server() {
        let (told, end) = mpsc::channel();
        let mut asked = 0;
        watch(move |signal| {
            asked += 1;
            told.send(signal).unwrap();
            asked == 2
        })
        .unwrap();
        let next = || end.recv_timeout(Duration::from_secs(10));
        signal_hook::low_level::raise(SIGHUP).unwrap();
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(next(), Ok(EndSignal::Terminate));
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(next(), Ok(EndSignal::Terminate));
        assert!(next().is_err(), "nobody waits any more");
    }
}
