//! A client's socket, TCP or Unix.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

/// A connected socket, non-blocking.
#[derive(Debug)]
pub(crate) enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Reads what is there.
    #[inline]
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.read(buf),
            Socket::Unix(socket) => socket.read(buf),
        }
    }

    /// Writes what there is room for.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.write(bytes),
            Socket::Unix(socket) => socket.write(bytes),
        }
    }

    /// The other side's address, if it has one.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        match self {
            Socket::Tcp(socket) => socket.peer_addr().ok().map(|a| a.ip().to_canonical()),
            Socket::Unix(_) => None,
        }
    }

    /// Both addresses as CLIENT LIST shows them: the client's and the server's. A Unix socket's is its path.
    pub(crate) fn addresses(&self) -> (String, String) {
        match self {
            Socket::Tcp(socket) => {
                let text =
                    |a: io::Result<std::net::SocketAddr>| a.map_or("?:0".to_owned(), |a| a.to_string());
                (text(socket.peer_addr()), text(socket.local_addr()))
            }
            Socket::Unix(socket) => {
                let local = socket.local_addr().ok();
                let path =
                    local.and_then(|a| Some(a.as_pathname()?.display().to_string())).unwrap_or_default();
                (format!("{path}:0"), format!("{path}:0"))
            }
        }
    }

    /// Whether it is a Unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self, Socket::Unix(_))
    }

    /// The file descriptor's number.
    pub(crate) fn fd(&self) -> RawFd {
        match self {
            Socket::Tcp(socket) => socket.as_raw_fd(),
            Socket::Unix(socket) => socket.as_raw_fd(),
        }
    }

    /// Asks `registry` to tell, with `token`, when it can be read or written. Only changes are told, so a
    /// socket that was never full costs nothing for being watched both ways.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Socket::Tcp(socket) => socket.register(registry, token, both),
            Socket::Unix(socket) => socket.register(registry, token, both),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_unix_pair_is_read_and_written() {
        let (a, mut b) = UnixStream::pair().unwrap();
        let mut a = Socket::Unix(a);
        b.write_all(b"ping").unwrap();
        let mut buf = [0; 8];
        assert_eq!(a.read(&mut buf).unwrap(), 4);
        assert_eq!(a.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(a.write(b"pong").unwrap(), 4);
        assert!(a.is_unix() && a.peer().is_none());
    }
}
