//! One command of the user's: sent, answered, printed; streams of messages; redirections.

use std::time::Duration;

use resp::Value;

use crate::address::Address;
use crate::connection::{Connection, Lost};
use crate::failure::Failure;
use crate::output::{self, Tone};
use crate::pace::rest;
use crate::session::Session;

/// Most redirections of one command; a cluster in order needs two.
const REDIRECTIONS_MAX: usize = 16;

/// How a command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// By one reply.
    Reply,
    /// By one, which the server has laid out for a person to read.
    Verbatim,
    /// By the end of the connection, if it succeeds.
    End,
    /// By a reply, and messages without end.
    Monitor,
    /// By this many confirmations; messages without end follow when it subscribes.
    Confirmations { count: usize, subscribes: bool },
    /// By a stream that is no replies.
    Replication,
}

impl Answer {
    fn of(args: &[Vec<u8>]) -> Answer {
        let lower = |i: usize| args.get(i).map(|arg| arg.to_ascii_lowercase()).unwrap_or_default();
        let (name, subcommand) = (lower(0), lower(1));
        let count = args.len().saturating_sub(1).max(1);
        match (name.as_slice(), subcommand.as_slice(), args.len()) {
            (b"info" | b"lolwut", ..)
            | (b"debug", b"htstats" | b"htstats-key" | b"client-eviction", _)
            | (b"memory", b"malloc-stats" | b"doctor", _)
            | (b"cluster", b"nodes" | b"info", 2)
            | (b"client", b"list" | b"info", _)
            | (b"latency", b"graph", 3)
            | (b"latency", b"doctor", 2) => Answer::Verbatim,
            (b"shutdown", ..) => Answer::End,
            (b"monitor", ..) => Answer::Monitor,
            (b"subscribe" | b"psubscribe" | b"ssubscribe", ..) => {
                Answer::Confirmations { count, subscribes: true }
            }
            (b"unsubscribe" | b"punsubscribe" | b"sunsubscribe", ..) => {
                Answer::Confirmations { count, subscribes: false }
            }
            (b"sync" | b"psync", ..) => Answer::Replication,
            _ => Answer::Reply,
        }
    }
}

/// Where a cluster's node sends a client.
#[derive(Debug, PartialEq, Eq)]
struct Redirection {
    slot: String,
    /// The node; no host means the host of the node that says so.
    host: Option<String>,
    port: u16,
    /// Only for this command, which ASKING has to announce.
    ask: bool,
}

impl Redirection {
    /// Reads `MOVED slot host:port` and `ASK slot host:port`.
    fn of(reply: &Value) -> Option<Redirection> {
        let text = str::from_utf8(reply.as_error()?).ok()?;
        let mut words = text.split(' ');
        let ask = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let slot = words.next()?.to_owned();
        let (host, port) = words.next()?.rsplit_once(':')?;
        let host = (!host.is_empty()).then(|| host.to_owned());
        Some(Redirection { slot, host, port: port.parse().ok()?, ask })
    }
}

impl Session {
    /// Runs a command `times` times (for ever, when negative) and prints its replies.
    ///
    /// # Errors
    /// There is no connection to run it on, or the command cannot be ended on it.
    pub(crate) fn run(&mut self, args: &[Vec<u8>], times: i64, interval: Duration) -> Result<(), Failure> {
        let mut done = 0;
        while times < 0 || done < times {
            if done > 0 {
                self.pause(interval)?;
            }
            self.run_once(args)?;
            done = done.saturating_add(1);
        }
        Ok(())
    }

    fn pause(&mut self, interval: Duration) -> Result<(), Failure> {
        if interval.is_zero() {
            return Ok(());
        }
        self.interruptible(|session| {
            match &session.interrupts {
                Some(interrupts) if session.is_connected() => interrupts.pause(interval),
                _ => rest(interval),
            }
            Ok(())
        })
    }

    fn run_once(&mut self, args: &[Vec<u8>]) -> Result<(), Failure> {
        let mut asking = false;
        for _ in 0..=REDIRECTIONS_MAX {
            self.refresh()?;
            let exchanged = self.interruptible(|session| {
                if asking {
                    session.ask(&["ASKING"])?;
                }
                session.exchange(args)
            });
            match exchanged {
                Ok(None) => return Ok(()),
                Ok(Some(redirection)) => {
                    asking = redirection.ask;
                    self.follow(redirection)?;
                }
                Err(failure) => {
                    if matches!(failure, Failure::Lost(_) | Failure::Interrupted) {
                        self.disconnect();
                    }
                    return Err(failure);
                }
            }
        }
        Err(Failure::Refused("too many redirections".to_owned()))
    }

    /// Makes sure of a connection before a command is sent: one that the server has closed in the meantime is
    /// replaced. Nothing is ever sent twice, for nobody knows whether it was carried out.
    fn refresh(&mut self) -> Result<(), Failure> {
        while let Some(connection) = &mut self.connection {
            match connection.receive_ready() {
                Ok(None) => return Ok(()),
                Ok(Some(message)) => self.print_push(&message)?,
                Err(lost) => {
                    let in_transaction = self.state.in_transaction;
                    self.disconnect();
                    if in_transaction {
                        return Err(lost.into());
                    }
                }
            }
        }
        self.connect()
    }

    /// Does `work`, during which Ctrl-C ends the connection.
    fn interruptible<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (Some(interrupts), Some(connection)) = (self.interrupts.clone(), &self.connection) else {
            return work(self);
        };
        interrupts.begin(connection.stream()?);
        let worked = work(self);
        if interrupts.end() { Err(Failure::Interrupted) } else { worked }
    }

    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.connection.as_mut().ok_or(Failure::Lost(Lost::Closed))
    }

    /// Sends a command and prints what comes back, unless that is a redirection to follow.
    fn exchange(&mut self, args: &[Vec<u8>]) -> Result<Option<Redirection>, Failure> {
        let answer = Answer::of(args);
        if answer == Answer::Replication {
            let text = "SYNC and PSYNC turn a connection into a replica's, which this client does not speak";
            return Err(Failure::Usage(text.to_owned()));
        }
        let connection = self.connection()?;
        connection.queue(args);
        connection.send()?;
        if let Answer::Confirmations { count, subscribes } = answer {
            return self.confirm(&args[0], count, subscribes).map(|()| None);
        }
        let reply = match self.reply() {
            Err(Failure::Lost(Lost::Closed)) if answer == Answer::End => {
                self.disconnect();
                return Ok(None);
            }
            reply => reply?,
        };
        if self.cluster
            && let Some(redirection) = Redirection::of(&reply)
        {
            return Ok(Some(redirection));
        }
        if self.errors_fail
            && let Some(error) = reply.as_error()
        {
            return Err(Failure::Refused(String::from_utf8_lossy(error).into_owned()));
        }
        self.print(&reply, answer == Answer::Verbatim)?;
        self.note(args, &reply)?;
        if answer == Answer::Monitor && reply.as_error().is_none() {
            self.stream()?;
        }
        Ok(None)
    }

    /// The reply to the last request; messages before it are printed.
    fn reply(&mut self) -> Result<Value, Failure> {
        loop {
            match self.connection()?.receive()? {
                push @ Value::Push(_) => self.print_push(&push)?,
                value => return Ok(value),
            }
        }
    }

    /// Prints the confirmations of a (un)subscription and what else comes in between; then, if it subscribes,
    /// messages until the connection ends.
    fn confirm(&mut self, command: &[u8], count: usize, subscribes: bool) -> Result<(), Failure> {
        let mut missing = count;
        while missing > 0 {
            let message = self.connection()?.receive()?;
            if let Some(error) = message.as_error().filter(|_| self.errors_fail) {
                return Err(Failure::Refused(String::from_utf8_lossy(error).into_owned()));
            }
            output::print(self.style.render_push(&message))?;
            match message.as_slice().and_then(|parts| parts.first()?.as_bytes()) {
                Some(kind) => missing -= usize::from(kind.eq_ignore_ascii_case(command)),
                // An error, or QUEUED.
                None => return Ok(()),
            }
        }
        if subscribes { self.stream() } else { Ok(()) }
    }

    /// Prints messages until the connection ends.
    fn stream(&mut self) -> Result<(), Failure> {
        if self.interrupts.is_some() {
            let note = self.style.paint.text(Tone::Dim, "Reading messages... (press Ctrl-C to quit)");
            output::print(format!("{note}\n"))?;
        }
        loop {
            let message = self.connection()?.receive()?;
            output::print(self.style.render_push(&message))?;
        }
    }

    fn print_push(&self, message: &Value) -> Result<(), Failure> {
        if self.style.show_pushes { output::print(self.style.render_push(message)) } else { Ok(()) }
    }

    fn follow(&mut self, redirection: Redirection) -> Result<(), Failure> {
        let host = match (&redirection.host, &self.address) {
            (Some(host), _) | (None, Address::Tcp(host, _)) => host.clone(),
            (None, Address::Unix(_)) => "127.0.0.1".to_owned(),
        };
        let Redirection { slot, port, .. } = redirection;
        if self.interrupts.is_some() {
            let line = format!("-> Redirected to slot [{slot}] located at {host}:{port}\n");
            output::print(line)?;
        }
        self.move_to(Address::Tcp(host, port));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> Answer {
        Answer::of(&line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn commands_are_answered_in_their_ways() {
        assert_eq!(answer("get k"), Answer::Reply);
        assert_eq!(answer("INFO"), Answer::Verbatim);
        assert_eq!(answer("client LIST type normal"), Answer::Verbatim);
        assert_eq!(answer("client id"), Answer::Reply);
        assert_eq!(answer("cluster slots"), Answer::Reply);
        assert_eq!(answer("shutdown nosave"), Answer::End);
        assert_eq!(answer("Subscribe a b"), Answer::Confirmations { count: 2, subscribes: true });
        assert_eq!(answer("unsubscribe"), Answer::Confirmations { count: 1, subscribes: false });
        assert_eq!(answer("psync ? -1"), Answer::Replication);
    }

    #[test]
    fn redirections_are_read() {
        let redirection = |text: &str| Redirection::of(&Value::Error(text.as_bytes().to_vec()));
        let moved = redirection("MOVED 3999 127.0.0.1:6381").unwrap();
        assert_eq!(
            (moved.slot.as_str(), moved.host.as_deref(), moved.port, moved.ask),
            ("3999", Some("127.0.0.1"), 6381, false)
        );
        let ask = redirection("ASK 1 ::1:7").unwrap();
        assert_eq!((ask.host.as_deref(), ask.port, ask.ask), (Some("::1"), 7, true));
        assert_eq!(redirection("MOVED 1 :7").unwrap().host, None);
        for text in ["ERR no", "MOVED", "MOVED 1", "MOVED 1 h", "MOVED 1 h:x", "ASKING 1 h:1"] {
            assert_eq!(redirection(text), None, "{text}");
        }
        assert_eq!(Redirection::of(&Value::Simple(b"MOVED 1 h:1".to_vec())), None);
    }
}
