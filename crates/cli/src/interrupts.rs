//! Ctrl-C at the prompt: ends the command that runs by ending its connection, not the program.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::connection::Stream;

/// What Ctrl-C does now.
#[derive(Debug)]
enum Target {
    /// Ends the program: no command runs.
    Program,
    /// Ends this connection.
    Command(Stream),
    /// It was pressed; another one ends the program.
    Interrupted,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<Target>,
    pressed: Condvar,
}

impl Shared {
    /// The target stays consistent at every step, so a panicked holder is no reason to stop.
    fn target(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes SIGINT over from the system, for as long as the program runs.
#[derive(Clone, Debug)]
pub(crate) struct Interrupts {
    shared: Arc<Shared>,
}

impl Interrupts {
    /// Starts to listen, on a thread of its own.
    pub(crate) fn listen() -> io::Result<Interrupts> {
        let mut signals = Signals::new([SIGINT])?;
        let shared = Arc::new(Shared { target: Mutex::new(Target::Program), pressed: Condvar::new() });
        let interrupts = Interrupts { shared: Arc::clone(&shared) };
        thread::Builder::new().name("interrupts".to_owned()).spawn(move || {
            for _ in signals.forever() {
                interrupts.press();
            }
        })?;
        Ok(Interrupts { shared })
    }

    fn press(&self) {
        let mut target = self.shared.target();
        match &*target {
            Target::Command(stream) => stream.shutdown(),
            // It does not return but in a process that ignores SIGINT.
            Target::Program | Target::Interrupted => drop(emulate_default_handler(SIGINT)),
        }
        *target = Target::Interrupted;
        self.shared.pressed.notify_all();
    }

    /// From now on Ctrl-C ends `stream`'s connection.
    pub(crate) fn begin(&self, stream: Stream) {
        *self.shared.target() = Target::Command(stream);
    }

    /// From now on Ctrl-C ends the program. Says whether the command was interrupted.
    pub(crate) fn end(&self) -> bool {
        let target = std::mem::replace(&mut *self.shared.target(), Target::Program);
        matches!(target, Target::Interrupted)
    }

    /// Waits, at most until the command is interrupted.
    pub(crate) fn pause(&self, duration: Duration) {
        let waiting = |target: &mut Target| matches!(target, Target::Command(_));
        // Poisoned or not, the wait is over.
        let _ = self.shared.pressed.wait_timeout_while(self.shared.target(), duration, waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_press_ends_the_command_that_waits() {
        let shared = Arc::new(Shared { target: Mutex::new(Target::Program), pressed: Condvar::new() });
        let interrupts = Interrupts { shared };
        let (client, _server) = UnixStream::pair().unwrap();
        let mut client = Stream::Unix(client);
        interrupts.begin(client.try_clone().unwrap());
        let presser = interrupts.clone();
        let press = thread::spawn(move || presser.press());
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
        interrupts.pause(Duration::from_secs(3600));
        press.join().unwrap();
        assert!(interrupts.end());
        assert!(!interrupts.end());
    }
}
