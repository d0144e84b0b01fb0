//! What the server remembers about one client between its commands.

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
    /// Which replies it wants (CLIENT REPLY).
    pub replies: Replies,
    /// Close the connection once the replies are sent.
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
            replies: Replies::On,
            closing: false,
        }
    }
}
