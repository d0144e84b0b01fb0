//! What the server remembers about one client between its commands.

use resp::Reply;

use crate::host::{Host, Identity};

/// A client's state.
#[derive(Debug)]
pub struct Session {
    /// Its number: never used twice.
    pub id: u64,
    /// The database it chose.
    pub db: u32,
    /// Whether it speaks RESP3.
    pub resp3: bool,
    /// Whether it may run commands: it gave the password, or none is asked for.
    pub authenticated: bool,
    /// Name it gave itself; empty: none.
    pub name: Box<[u8]>,
    /// Library name from CLIENT SETINFO; empty: none.
    pub lib_name: Box<[u8]>,
    /// Library version from CLIENT SETINFO; empty: none.
    pub lib_ver: Box<[u8]>,
    /// Reads leave no trace in keys' access metadata (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// Left alone when clients are closed for their memory (CLIENT NO-EVICT).
    pub no_evict: bool,
    /// Is shown what others run (MONITOR).
    pub monitoring: bool,
    /// Which replies it wants (CLIENT REPLY).
    pub replies: Replies,
    /// Close the connection once the replies are sent; no further request is run.
    pub closing: bool,
}

/// What CLIENT REPLY asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// All replies.
    On,
    /// None.
    Off,
    /// None for the next command.
    SkipNext,
    /// None for this command.
    Skip,
}

impl Session {
    /// A client that just connected.
    pub fn new(id: u64, authenticated: bool) -> Session {
        Session {
            id,
            db: 0,
            resp3: false,
            authenticated,
            name: Box::default(),
            lib_name: Box::default(),
            lib_ver: Box::default(),
            no_touch: false,
            no_evict: false,
            monitoring: false,
            replies: Replies::On,
            closing: false,
        }
    }

    /// Makes the client what it was when it connected, except for its id and its library (RESET).
    pub(crate) fn reset(&mut self, authenticated: bool) {
        let (lib_name, lib_ver) = (std::mem::take(&mut self.lib_name), std::mem::take(&mut self.lib_ver));
        *self = Session { lib_name, lib_ver, closing: self.closing, ..Session::new(self.id, authenticated) };
    }

    /// Whether the client may run commands. One that has yet to authenticate may as well when the password was
    /// taken away meanwhile.
    #[inline]
    pub(crate) fn is_let_in(&self, host: &dyn Host) -> bool {
        self.authenticated || !host.password_wanted()
    }

    /// What the client says of itself, for others to see.
    pub fn identity(&self) -> Identity {
        Identity {
            name: self.name.clone(),
            lib_name: self.lib_name.clone(),
            lib_ver: self.lib_ver.clone(),
            no_evict: self.no_evict,
            monitoring: self.monitoring,
            no_touch: self.no_touch,
            ..Identity::default()
        }
    }

    /// Takes back the reply to the request that just ended, which begins at `start`, when the client does not
    /// want it (CLIENT REPLY). To be called after every request, those that were refused too.
    #[inline]
    pub fn withhold(&mut self, reply: &mut Reply, start: usize) {
        if self.replies != Replies::On {
            self.withhold_unwanted(reply, start);
        }
    }

    #[cold]
    fn withhold_unwanted(&mut self, reply: &mut Reply, start: usize) {
        reply.truncate(start);
        self.replies = match self.replies {
            Replies::Off => Replies::Off,
            Replies::SkipNext => Replies::Skip,
            Replies::Skip | Replies::On => Replies::On,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwanted_replies_are_taken_back() {
        let mut session = Session::new(1, true);
        let mut reply = Reply::new();
        let mut sent = |session: &mut Session, replies: Option<Replies>| {
            session.replies = replies.unwrap_or(session.replies);
            let start = reply.len();
            reply.ok();
            session.withhold(&mut reply, start);
            reply.len() > start
        };
        assert!(sent(&mut session, None));
        let skipped = [Some(Replies::SkipNext), None, None].map(|r| sent(&mut session, r));
        assert_eq!(skipped, [false, false, true]);
        let off = [Some(Replies::Off), None, None, Some(Replies::On)].map(|r| sent(&mut session, r));
        assert_eq!(off, [false, false, false, true]);
    }
}
