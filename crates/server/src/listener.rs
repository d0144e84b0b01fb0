//! Listening sockets: made from the configuration, and accepted from.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockAddr, SockRef, Socket as RawSocket, TcpKeepalive, Type};

use crate::config::{BindAddress, Settings};
use crate::socket::Socket;

/// Where clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A TCP address and port.
    Tcp(BindAddress, u16),
    /// A path in the file system.
    Unix(PathBuf),
}

/// A socket that clients connect to.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Where it listens.
    pub(crate) place: Place,
    socket: Listening,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    /// Its file goes when the listener does.
    Unix(UnixListener),
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// At an address.
    #[error("Could not create server TCP listening socket {0}:{1}: {2}")]
    Tcp(String, u16, io::Error),
    /// At a path.
    #[error("Could not create server Unix listening socket {0}: {1}")]
    Unix(String, io::Error),
    /// Anywhere: no event queue would watch.
    #[error("Could not watch for clients: {0}")]
    Queue(io::Error),
}

impl ListenError {
    /// The failure to listen at `place`.
    pub(crate) fn new(place: &Place, error: io::Error) -> ListenError {
        match place {
            Place::Tcp(address, port) => ListenError::Tcp(address.host.clone(), *port, error),
            Place::Unix(path) => ListenError::Unix(path.display().to_string(), error),
        }
    }
}

impl Place {
    /// Every place that `settings` name.
    pub(crate) fn all(settings: &Settings) -> Vec<Place> {
        let addresses = settings.bind.iter().filter(|_| settings.port != 0);
        let tcp = addresses.map(|address| Place::Tcp(address.clone(), settings.port));
        let unix = settings.unixsocket.as_deref().map(|path| Place::Unix(settings.path(path)));
        tcp.chain(unix).collect()
    }
}

impl Listener {
    /// Listens at `place`; nowhere when that is an address which may be missing (`-::1`) and is.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn open(place: Place, settings: &Settings) -> Result<Option<Listener>, ListenError> {
        let opened = match &place {
            Place::Tcp(address, port) => match listen_tcp(address, *port, settings) {
                Err(error) if address.optional && is_missing(&error) => return Ok(None),
                opened => opened.map(Listening::Tcp),
            },
            Place::Unix(path) => listen_unix(path, settings).map(Listening::Unix),
        };
        match opened {
            Ok(socket) => Ok(Some(Listener { place, socket })),
            Err(error) => Err(ListenError::new(&place, error)),
        }
    }

    /// Asks `registry` to tell, with `token`, when a client connects.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.socket {
            Listening::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Listening::Unix(listener) => registry.register(listener, token, Interest::READABLE),
        }
    }

    /// The next client that waits; `WouldBlock` when none does.
    pub(crate) fn accept(&self, settings: &Settings) -> io::Result<Socket> {
        match &self.socket {
            Listening::Tcp(listener) => {
                let (socket, _) = listener.accept()?;
                let options = SockRef::from(&socket);
                // A client that has gone already is found out when it is read from.
                let _ = options.set_tcp_nodelay(true);
                if settings.tcp_keepalive_s > 0 {
                    let _ = options.set_tcp_keepalive(&keepalive(settings.tcp_keepalive_s));
                }
                Ok(Socket::Tcp(socket))
            }
            Listening::Unix(listener) => Ok(Socket::Unix(listener.accept()?.0)),
        }
    }

    /// Where it listens, as a person writes it.
    pub(crate) fn address(&self) -> String {
        match (&self.socket, &self.place) {
            (_, Place::Unix(path)) => path.display().to_string(),
            (Listening::Tcp(socket), _) if let Ok(address) = socket.local_addr() => address.to_string(),
            (_, Place::Tcp(address, port)) => format!("{}:{port}", address.host),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Place::Unix(path) = &self.place {
            // Nobody is told when it is gone already.
            let _ = fs::remove_file(path);
        }
    }
}

/// Probes after `seconds` of silence, then three times within as long again, as Redis sets them.
fn keepalive(seconds: u64) -> TcpKeepalive {
    let idle = Duration::from_secs(seconds);
    let between = Duration::from_secs((seconds / 3).max(1));
    TcpKeepalive::new().with_time(idle).with_interval(between).with_retries(3)
}

fn is_missing(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::AddrNotAvailable, io::ErrorKind::Unsupported];
    let codes = [libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT, libc::ENOPROTOOPT, libc::ENOENT];
    kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

fn listen_tcp(address: &BindAddress, port: u16, settings: &Settings) -> io::Result<TcpListener> {
    let host = match address.host.as_str() {
        "*" => "0.0.0.0",
        "::*" => "::",
        host => host,
    };
    let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    let at: SocketAddr = (host, port).to_socket_addrs()?.next().ok_or_else(none)?;
    let socket = RawSocket::new(Domain::for_address(at), Type::STREAM, None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(backlog(settings))?;
    Ok(TcpListener::from_std(socket.into()))
}

fn listen_unix(path: &Path, settings: &Settings) -> io::Result<UnixListener> {
    // The file of a server that was killed; anything else there is left alone, and binding fails.
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if settings.unixsocketperm != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(settings.unixsocketperm))?;
    }
    socket.listen(backlog(settings))?;
    Ok(UnixListener::from_std(socket.into()))
}

fn backlog(settings: &Settings) -> i32 {
    i32::try_from(settings.tcp_backlog).unwrap_or(i32::MAX)
}
