//! A connection for measurements: what comes back is read, and not looked at.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use crate::request::Request;
use crate::spawned::Spawned;

/// Requests sent before their replies are read.
const AHEAD: usize = 1000;

/// A connection that reads replies without looking at them.
#[derive(Debug)]
pub struct Line {
    /// The socket, on which nothing is under way between two calls.
    pub stream: UnixStream,
    bytes: Vec<u8>,
}

impl Line {
    /// A new connection to `server`.
    ///
    /// # Errors
    /// As connecting gives them.
    pub fn to(server: &Spawned) -> io::Result<Line> {
        Ok(Line { stream: UnixStream::connect(server.socket())?, bytes: vec![0; 1 << 20] })
    }

    /// Sends the request on `line` and waits until it is answered.
    ///
    /// # Errors
    /// The connection broke.
    pub fn ask(&mut self, line: &str) -> io::Result<()> {
        self.run_all(std::iter::once(Request::of(line)))
    }

    /// Sends requests, a thousand ahead of their replies, and waits until all are answered.
    ///
    /// # Errors
    /// The connection broke.
    pub fn run_all(&mut self, requests: impl Iterator<Item = Request>) -> io::Result<()> {
        let mut requests = requests.peekable();
        while requests.peek().is_some() {
            let some: Vec<u8> = requests.by_ref().take(AHEAD).flat_map(|r| r.encoded()).collect();
            self.run(&some)?;
        }
        Ok(())
    }

    /// Sends encoded requests, and an echo behind them whose reply tells that all have been answered.
    ///
    /// # Errors
    /// The connection broke.
    pub fn run(&mut self, requests: &[u8]) -> io::Result<()> {
        const END: &[u8] = b"$13\r\nall-were-done\r\n";
        self.stream.write_all(&[requests, b"*2\r\n$4\r\nECHO\r\n", END].concat())?;
        let mut tail = Vec::new();
        while !tail.ends_with(END) {
            let n = self.stream.read(&mut self.bytes)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            tail.extend_from_slice(&self.bytes[..n]);
            tail.drain(..tail.len().saturating_sub(END.len()));
        }
        Ok(())
    }
}
