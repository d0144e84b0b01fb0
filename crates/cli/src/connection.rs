//! One connection to a server: requests out, replies in, blocking.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use resp::{DecodeError, Decoder, Reply, Value};
use socket2::{SockRef, TcpKeepalive};

use crate::address::Address;

/// Keepalive probes start after so long a silence and follow each other so closely, so that a server that is
/// gone is noticed during a long wait.
const KEEPALIVE: Duration = Duration::from_secs(15);
const READ_BYTES: usize = 64 << 10;

/// A connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The server ended it.
    #[error("Server closed the connection")]
    Closed,
    /// The system says so.
    #[error("{}", without_code(.0))]
    Io(#[from] io::Error),
    /// The server sent what is no reply.
    #[error("Protocol error: {0}")]
    Protocol(#[from] DecodeError),
}

/// A system's error without Rust's `(os error N)`.
pub(crate) fn without_code(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The socket of a connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn open(address: &Address) -> io::Result<Stream> {
        let (host, port) = match address {
            Address::Unix(path) => return UnixStream::connect(path).map(Stream::Unix),
            Address::Tcp(host, port) => (host.as_str(), *port),
        };
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "no address has that name");
        for resolved in (host, port).to_socket_addrs()? {
            match TcpStream::connect(resolved) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
                    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                    return Ok(Stream::Tcp(stream));
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Another handle of the same socket.
    pub(crate) fn try_clone(&self) -> io::Result<Stream> {
        match self {
            Stream::Tcp(stream) => stream.try_clone().map(Stream::Tcp),
            Stream::Unix(stream) => stream.try_clone().map(Stream::Unix),
        }
    }

    /// Ends the connection for every handle; a read that waits returns.
    pub(crate) fn shutdown(&self) {
        // It fails only when the connection has ended already.
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_nonblocking(nonblocking),
            Stream::Unix(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(timeout),
            Stream::Unix(stream) => stream.set_read_timeout(timeout),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buf),
            Stream::Unix(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(buf),
            Stream::Unix(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection and what is on its way in both directions.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    decoder: Decoder,
    /// Requests not yet sent.
    requests: Reply,
    chunk: Vec<u8>,
}

impl Connection {
    /// Connects; the first of a name's addresses that answers is taken.
    pub(crate) fn open(address: &Address) -> io::Result<Connection> {
        let stream = Stream::open(address)?;
        Ok(Connection { stream, decoder: Decoder::new(), requests: Reply::new(), chunk: vec![0; READ_BYTES] })
    }

    /// Another handle of its socket.
    pub(crate) fn stream(&self) -> io::Result<Stream> {
        self.stream.try_clone()
    }

    /// Adds a request to those that [`Connection::send`] sends.
    pub fn queue<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        self.requests.array(args.len());
        for arg in args {
            self.requests.bulk(arg.as_ref());
        }
    }

    /// Sends the queued requests.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn send(&mut self) -> Result<(), Lost> {
        let sent = self.stream.write_all(self.requests.bytes());
        self.requests.truncate(0);
        sent.map_err(lost)
    }

    /// Waits for the next reply or push message.
    ///
    /// # Errors
    /// The connection has ended, or what comes is no reply.
    pub fn receive(&mut self) -> Result<Value, Lost> {
        loop {
            if let Some(value) = self.decoder.next()? {
                return Ok(value);
            }
            self.read()?;
        }
    }

    /// As [`Connection::receive`], for at most `timeout`; `None` when it passed.
    pub(crate) fn receive_within(&mut self, timeout: Duration) -> Result<Option<Value>, Lost> {
        if let Some(value) = self.decoder.next()? {
            return Ok(Some(value));
        }
        self.stream.set_read_timeout(Some(timeout))?;
        let read = self.read();
        self.stream.set_read_timeout(None)?;
        match read {
            Err(Lost::Io(error)) if is_timeout(&error) => Ok(None),
            Err(lost) => Err(lost),
            Ok(()) => Ok(self.decoder.next()?),
        }
    }

    /// Sends one request and waits for its reply; push messages in between are dropped.
    ///
    /// # Errors
    /// As [`Connection::send`] and [`Connection::receive`].
    pub fn request<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, Lost> {
        self.queue(args);
        self.send()?;
        loop {
            match self.receive()? {
                Value::Push(_) => {}
                value => return Ok(value),
            }
        }
    }

    /// The next of the replies and push messages that have already come; `None` when there is none.
    ///
    /// # Errors
    /// The server has closed the connection since.
    pub(crate) fn receive_ready(&mut self) -> Result<Option<Value>, Lost> {
        if let Some(value) = self.decoder.next()? {
            return Ok(Some(value));
        }
        self.stream.set_nonblocking(true)?;
        let read = self.read();
        self.stream.set_nonblocking(false)?;
        match read {
            Err(Lost::Io(error)) if is_timeout(&error) => Ok(None),
            Err(lost) => Err(lost),
            Ok(()) => Ok(self.decoder.next()?),
        }
    }

    fn read(&mut self) -> Result<(), Lost> {
        loop {
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Err(Lost::Closed),
                Ok(n) => {
                    self.decoder.feed(&self.chunk[..n]);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The other side's end shows as one of several errors, all of which mean the same to a person.
fn lost(error: io::Error) -> Lost {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Lost::Closed,
        _ => Lost::Io(error),
    }
}
