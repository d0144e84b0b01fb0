//! systemd is told when the server is ready and when it ends, by datagrams as sd_notify(3) describes them.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::config::Settings;
use crate::config::settings::Supervised;

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Clients are served.
    Ready,
    /// The server ends.
    Stopping,
}

/// Tells the supervisor, if `settings` name one and there is one. That it cannot be told is logged.
pub(crate) fn tell(settings: &Settings, state: State) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|_| settings.supervised != Supervised::No) else {
        return;
    };
    let message: &[u8] = match state {
        State::Ready => b"STATUS=Ready to accept connections\nREADY=1\n",
        State::Stopping => b"STATUS=Shutting down\nSTOPPING=1\n",
    };
    if let Err(error) = send(&socket, message) {
        tracing::warn!("The supervisor at {} cannot be told: {error}", socket.display());
    }
}

fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to_addr(message, &address(socket)?)?;
    Ok(())
}

/// A path, or behind an `@` a name that Linux keeps beside the file system.
#[cfg(target_os = "linux")]
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(socket),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_reaches_a_path_and_a_name() {
        let unique = format!("ebbtide-notify-{}", std::process::id());
        let path = env::temp_dir().join(&unique);
        let name = format!("@{unique}");
        for socket in [path.as_os_str(), OsStr::new(&name)] {
            let supervisor = UnixDatagram::bind_addr(&address(socket).unwrap()).unwrap();
            send(socket, b"READY=1\n").unwrap();
            let mut message = [0; 64];
            let n = supervisor.recv(&mut message).unwrap();
            assert_eq!(&message[..n], b"READY=1\n");
        }
        std::fs::remove_file(path).unwrap();
    }
}
