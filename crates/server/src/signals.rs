//! Signals: SIGINT and SIGTERM end the server gracefully, a second one at once; SIGHUP and SIGPIPE do nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use commands::Shutdown;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
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

/// Calls `end` on a thread of its own at the first signal that asks the server to end. A second one ends the
/// process without asking anybody. (Rust's runtime has SIGPIPE ignored already.)
///
/// # Errors
/// The system refuses a handler or the thread.
pub fn watch(end: impl FnOnce(EndSignal) + Send + 'static) -> io::Result<()> {
    let seen = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Handlers run in the order they were registered: the first finds the flag the second one set before.
        flag::register_conditional_shutdown(signal, EXIT_AT_ONCE, Arc::clone(&seen))?;
        flag::register(signal, Arc::clone(&seen))?;
    }
    // A flag nobody reads: a closed terminal does not end the server.
    flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let wait = move || {
        let first = signals.forever().next();
        end(if first == Some(SIGINT) { EndSignal::Interrupt } else { EndSignal::Terminate });
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
    fn the_first_signal_is_told() {
        let (told, end) = mpsc::channel();
        watch(move |signal| told.send(signal).unwrap()).unwrap();
        signal_hook::low_level::raise(SIGHUP).unwrap();
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(end.recv_timeout(Duration::from_secs(10)), Ok(EndSignal::Terminate));
    }
}
