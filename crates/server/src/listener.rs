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

/// A socket that clients connect to.
#[derive(Debug)]
pub(crate) enum Listener {
    /// On a TCP address.
    Tcp(TcpListener),
    /// At a path, whose file goes when the listener does.
    Unix(UnixListener, PathBuf),
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("Could not create server {kind} listening socket {address}: {error}")]
pub(crate) struct ListenError {
    kind: &'static str,
    address: String,
    error: io::Error,
}

impl Listener {
    /// Listens wherever `settings` say. An address that may be missing (`-::1`) is passed over when the machine
    /// does not have it.
    ///
    /// # Errors
    /// An address cannot be listened on; then on none is.
    pub(crate) fn open_all(settings: &Settings) -> Result<Vec<Listener>, ListenError> {
        let mut listeners = Vec::new();
        if settings.port != 0 {
            for address in &settings.bind {
                match listen_tcp(address, settings) {
                    Ok(socket) => listeners.push(Listener::Tcp(socket)),
                    Err(error) if address.optional && is_missing(&error) => {}
                    Err(error) => {
                        let address = format!("{}:{}", address.host, settings.port);
                        return Err(ListenError { kind: "TCP", address, error });
                    }
                }
            }
        }
        if let Some(path) = &settings.unixsocket {
            let path = settings.path(path);
            let listener = listen_unix(&path, settings).map_err(|error| ListenError {
                kind: "Unix",
                address: path.display().to_string(),
                error,
            })?;
            listeners.push(Listener::Unix(listener, path));
        }
        Ok(listeners)
    }

    /// Asks `registry` to tell, with `token`, when a client connects.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Listener::Unix(listener, _) => registry.register(listener, token, Interest::READABLE),
        }
    }

    /// The next client that waits; `WouldBlock` when none does.
    pub(crate) fn accept(&self, settings: &Settings) -> io::Result<Socket> {
        match self {
            Listener::Tcp(listener) => {
                let (socket, _) = listener.accept()?;
                let options = SockRef::from(&socket);
                // A client that has gone already is found out when it is read from.
                let _ = options.set_tcp_nodelay(true);
                if settings.tcp_keepalive_s > 0 {
                    let _ = options.set_tcp_keepalive(&keepalive(settings.tcp_keepalive_s));
                }
                Ok(Socket::Tcp(socket))
            }
            Listener::Unix(listener, _) => Ok(Socket::Unix(listener.accept()?.0)),
        }
    }

    /// Where it listens, as a person writes it.
    pub(crate) fn address(&self) -> String {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map_or("?".to_owned(), |a| a.to_string()),
            Listener::Unix(_, path) => path.display().to_string(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = self {
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

fn listen_tcp(address: &BindAddress, settings: &Settings) -> io::Result<TcpListener> {
    let host = match address.host.as_str() {
        "*" => "0.0.0.0",
        "::*" => "::",
        host => host,
    };
    let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    let at: SocketAddr = (host, settings.port).to_socket_addrs()?.next().ok_or_else(none)?;
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
