//! The system's log: a datagram a message to the socket where it listens, as `syslog(3)` writes them.
//!
//! A message is `<priority>ident[pid]: text`, without a time: every daemon puts its own there (RFC 3164).

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::config::LogLevel;
use crate::config::settings::Facility;

/// Where the daemon listens: on Linux and the BSDs, and on macOS.
const SOCKETS: [&str; 2] = ["/dev/log", "/var/run/syslog"];

/// The way to the system's log.
pub(super) struct SystemLog {
    ident: String,
    facility: u8,
    sockets: Vec<PathBuf>,
    /// Connected when something was written, until that fails.
    socket: Mutex<Option<UnixDatagram>>,
}

impl SystemLog {
    /// The system's log, in which this process is called `ident`.
    pub(super) fn new(ident: &[u8], facility: Facility) -> SystemLog {
        SystemLog::at(SOCKETS.map(PathBuf::from).into(), ident, facility)
    }

    fn at(sockets: Vec<PathBuf>, ident: &[u8], facility: Facility) -> SystemLog {
        let ident = String::from_utf8_lossy(ident).into_owned();
        SystemLog { ident, facility: code(facility), sockets, socket: Mutex::new(None) }
    }

    /// Writes `text`. A daemon that was started anew is connected to anew; without one, the message is lost.
    pub(super) fn write(&self, pid: u32, level: LogLevel, text: &str) {
        let priority = u32::from(self.facility) * 8 + severity(level);
        let message = format!("<{priority}>{}[{pid}]: {text}", self.ident);
        let mut socket = self.socket.lock();
        let sent = |socket: &UnixDatagram| socket.send(message.as_bytes()).is_ok();
        if !socket.as_ref().is_some_and(sent) {
            *socket = self.sockets.iter().find_map(|path| connect(path)).filter(sent);
        }
    }
}

fn connect(path: &Path) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(path).ok()?;
    // A daemon that does not keep up must not hold up clients.
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

/// The facility's number (RFC 3164, 4.1.1).
fn code(facility: Facility) -> u8 {
    match facility {
        Facility::User => 1,
        Facility::Local0 => 16,
        Facility::Local1 => 17,
        Facility::Local2 => 18,
        Facility::Local3 => 19,
        Facility::Local4 => 20,
        Facility::Local5 => 21,
        Facility::Local6 => 22,
        Facility::Local7 => 23,
    }
}

/// The level's severity: Redis's verbose is the system's info.
fn severity(level: LogLevel) -> u32 {
    match level {
        LogLevel::Debug => 7,
        LogLevel::Verbose => 6,
        LogLevel::Notice => 5,
        LogLevel::Warning | LogLevel::Nothing => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_the_daemon_also_after_it_was_started_anew() {
        let path = std::env::temp_dir().join(format!("ebbtide-syslog-{}", std::process::id()));
        let missing = path.with_extension("missing");
        let log = SystemLog::at(vec![missing, path.clone()], b"ebb", Facility::Local3);
        log.write(5, LogLevel::Notice, "lost: nobody listens");
        for (level, priority) in [(LogLevel::Warning, 156), (LogLevel::Debug, 159)] {
            let daemon = UnixDatagram::bind(&path).unwrap();
            log.write(5, level, "one");
            log.write(5, level, "two");
            let mut bytes = [0; 64];
            for text in ["one", "two"] {
                let len = daemon.recv(&mut bytes).unwrap();
                assert_eq!(bytes[..len], *format!("<{priority}>ebb[5]: {text}").as_bytes());
            }
            std::fs::remove_file(&path).unwrap();
        }
    }
}
