//! One client's connection: its socket, what was read of a request that is not complete, and replies that
//! could not be sent yet.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use commands::{Row, Session};
use resp::{ArgsBuf, Parser};

use crate::clients::{Activity, ClientEntry};
use crate::config::BufferLimit;
use crate::socket::Socket;

/// Memory of a connection's addresses, and of its places in its worker's and the process's registries, about.
const BESIDE_BYTES: usize = 144;
/// Memory that a buffer may keep when it is empty.
const IDLE_BUFFER_BYTES_MAX: usize = 16 << 10;

/// A connection, owned by its worker.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket.
    pub(crate) socket: Socket,
    /// What commands know of the client.
    pub(crate) session: Session,
    /// What other workers know of it.
    pub(crate) entry: Arc<ClientEntry>,
    /// How far the request at the beginning of `input` was read.
    pub(crate) parser: Parser,
    /// Bytes read that make no complete request yet, or wait while the client is held up. Empty mostly: requests
    /// are run right where the worker read them.
    pub(crate) input: Vec<u8>,
    /// A request held up by a pause; it runs before what is in `input`.
    pub(crate) held_up: Option<ArgsBuf>,
    /// Replies that the client has yet to take.
    pub(crate) output: Output,
    /// The command that ran last.
    pub(crate) last_command: Option<&'static Row>,
    /// Whether the socket may hold more than was read.
    pub(crate) unread: bool,
    /// Bytes read, bytes sent, commands run.
    pub(crate) totals: (u64, u64, u64),
}

/// Replies on their way out. Some may have to stay until the effects they tell of are on disk.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    sent: usize,
    /// From where on in `bytes` what waits for which effects: all with lower numbers. In order.
    waits: VecDeque<(usize, u64)>,
    /// Since when it has been above the soft limit, in milliseconds since the Unix epoch.
    above_soft_since_ms: Option<i64>,
}

impl Connection {
    pub(crate) fn new(socket: Socket, session: Session, entry: Arc<ClientEntry>) -> Connection {
        Connection {
            socket,
            session,
            entry,
            parser: Parser::default(),
            input: Vec::new(),
            held_up: None,
            output: Output::default(),
            last_command: None,
            unread: false,
            totals: (0, 0, 0),
        }
    }

    /// Bytes of memory it takes, buffers included.
    pub(crate) fn memory_bytes(&self) -> usize {
        let held_up = self.held_up.as_ref().map_or(0, |request| request.args().iter().map(<[u8]>::len).sum());
        size_of::<Connection>()
            + size_of::<ClientEntry>()
            + BESIDE_BYTES
            + self.input.capacity()
            + self.output.bytes.capacity()
            + held_up
    }

    /// Removes the first `len` bytes of the input.
    pub(crate) fn consume(&mut self, len: usize) {
        if len == self.input.len() {
            self.input.clear();
            if self.input.capacity() > IDLE_BUFFER_BYTES_MAX {
                self.input = Vec::new();
            }
        } else {
            self.input.drain(..len);
        }
    }

    /// Tells others what the client did.
    pub(crate) fn note(&self, now_ms: i64) {
        let (total_in_bytes, total_out_bytes, total_commands) = self.totals;
        self.entry.note(&Activity {
            now_ms,
            last_command: self.last_command,
            db: self.session.db,
            resp3: self.session.resp3,
            query_bytes: self.input.len() as u64,
            query_free_bytes: (self.input.capacity() - self.input.len()) as u64,
            output_bytes: self.output.len() as u64,
            memory_bytes: self.memory_bytes() as u64,
            total_in_bytes,
            total_out_bytes,
            total_commands,
        });
    }

    /// Sends `replies`, behind what waits already; what the client does not take now is kept. `replies` is left
    /// empty, in any case: the buffer is the next client's. Bytes sent.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn send(&mut self, replies: &mut Vec<u8>) -> io::Result<usize> {
        let sent = if self.output.is_empty() { write_all(&mut self.socket, replies) } else { Ok(0) };
        if let Ok(sent) = sent
            && sent < replies.len()
        {
            self.output.push(replies, sent);
        }
        replies.clear();
        sent.inspect(|&sent| self.count_sent(sent))
    }

    /// Keeps `replies`, behind what waits already, until every effect below `number` is on disk. `replies` is left
    /// empty.
    pub(crate) fn send_after(&mut self, number: u64, replies: &mut Vec<u8>) {
        self.output.wait_for(number);
        self.output.push(replies, 0);
        replies.clear();
        self.count_sent(0);
    }

    /// Lets go of replies that wait for effects below `synced`. Whether others still wait, and whether any were let
    /// go.
    pub(crate) fn has_synced(&mut self, synced: u64) -> (bool, bool) {
        let waits = &mut self.output.waits;
        let before = waits.len();
        while waits.front().is_some_and(|&(_, number)| number <= synced) {
            waits.pop_front();
        }
        (!waits.is_empty(), waits.len() < before)
    }

    /// Sends what waits, as far as the client takes it and the disk allows it. Bytes sent.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn flush(&mut self) -> io::Result<usize> {
        let free = self.output.waits.front().map_or(self.output.bytes.len(), |&(start, _)| start);
        let sent = write_all(&mut self.socket, &self.output.bytes[self.output.sent..free])?;
        self.output.advance(sent);
        self.count_sent(sent);
        Ok(sent)
    }

    fn count_sent(&mut self, sent: usize) {
        self.totals.1 += sent as u64;
        self.entry.sent(self.totals.1, self.output.len() as u64);
    }
}

/// Writes until all is written or the socket takes no more; how much was.
fn write_all(socket: &mut Socket, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match socket.write(&bytes[sent..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => sent += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

impl Output {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Whether none does.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says that what is pushed from now on waits for the effects below `number`.
    fn wait_for(&mut self, number: u64) {
        if self.waits.back().is_none_or(|&(_, before)| before < number) {
            self.waits.push_back((self.bytes.len(), number));
        }
    }

    /// Adds `replies` but for the first `sent` bytes. A long one is taken over, not copied.
    fn push(&mut self, replies: &mut Vec<u8>, sent: usize) {
        if self.bytes.is_empty() && replies.len() > IDLE_BUFFER_BYTES_MAX {
            self.bytes = std::mem::take(replies);
            self.sent = sent;
        } else {
            self.bytes.extend_from_slice(&replies[sent..]);
        }
    }

    fn advance(&mut self, sent: usize) {
        self.sent += sent;
        if self.sent == self.bytes.len() {
            (self.bytes, self.sent) = (Vec::new(), 0);
        } else if self.sent > self.bytes.len() / 2 {
            // At least as much was sent as is moved: each byte moves once, on average.
            self.bytes.drain(..self.sent);
            self.waits.iter_mut().for_each(|(start, _)| *start -= self.sent);
            self.sent = 0;
        }
    }

    /// Whether the client let more wait than `limit` allows it at `now_ms`.
    pub(crate) fn is_over(&mut self, limit: BufferLimit, now_ms: i64) -> bool {
        let waiting = self.len() as u64;
        if limit.hard_bytes > 0 && waiting >= limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || waiting < limit.soft_bytes {
            self.above_soft_since_ms = None;
            return false;
        }
        let since_ms = *self.above_soft_since_ms.get_or_insert(now_ms);
        now_ms - since_ms > i64::try_from(limit.soft_s).unwrap_or(i64::MAX).saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use commands::Session;
    use mio::net::UnixStream;

    use super::{BufferLimit, Connection, Output};
    use crate::clients::{Clients, Connected};
    use crate::socket::Socket;

    #[test]
    fn replies_to_a_client_that_is_gone_are_not_left_for_the_next() {
        let (socket, other) = UnixStream::pair().unwrap();
        drop(other);
        let entry = Clients::default().register(Connected::default());
        let mut conn = Connection::new(Socket::Unix(socket), Session::new(entry.id, true), entry);
        let mut replies = b"+OK\r\n".to_vec();
        assert!(conn.send(&mut replies).is_err());
        assert!(replies.is_empty());
    }

    #[test]
    fn output_leaves_in_order() {
        let mut output = Output::default();
        output.push(&mut b"abcdef".to_vec(), 2);
        output.push(&mut b"ghi".to_vec(), 0);
        assert_eq!(output.len(), 7);
        output.advance(3);
        assert_eq!(&output.bytes[output.sent..], b"fghi");
        output.advance(2);
        assert_eq!(&output.bytes[output.sent..], b"hi");
        output.advance(2);
        assert!(output.is_empty() && output.bytes.capacity() == 0);
    }

    #[test]
    fn replies_wait_for_their_effects() {
        let mut output = Output::default();
        let free = |output: &Output| output.waits.front().map_or(output.bytes.len(), |&(start, _)| start);
        output.push(&mut b"ab".to_vec(), 0);
        output.wait_for(7);
        output.push(&mut b"cd".to_vec(), 0);
        output.wait_for(7);
        output.push(&mut b"ef".to_vec(), 0);
        output.wait_for(9);
        output.push(&mut b"gh".to_vec(), 0);
        assert_eq!((free(&output), output.waits.len()), (2, 2));
        output.advance(2);
        output.waits.pop_front();
        assert_eq!(&output.bytes[output.sent..free(&output)], b"cdef");
        output.advance(4);
        assert_eq!(&output.bytes[output.sent..free(&output)], b"");
        output.waits.pop_front();
        assert_eq!(&output.bytes[output.sent..free(&output)], b"gh");
    }

    #[test]
    fn a_soft_limit_holds_after_its_time_and_a_hard_one_at_once() {
        let mut output = Output::default();
        output.push(&mut vec![0; 100], 0);
        let limit = BufferLimit { hard_bytes: 200, soft_bytes: 50, soft_s: 10 };
        assert!(!output.is_over(limit, 1000));
        assert!(!output.is_over(limit, 11_000));
        assert!(output.is_over(limit, 11_001));
        output.advance(60);
        assert!(!output.is_over(limit, 20_000));
        output.push(&mut vec![0; 160], 0);
        assert!(output.is_over(limit, 20_000));
        assert!(!output.is_over(BufferLimit { hard_bytes: 0, soft_bytes: 0, soft_s: 0 }, 20_000));
    }
}
