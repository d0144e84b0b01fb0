//! A conversation with a server: connects when needed, introduces itself, and keeps track of the database and
//! protocol that the user's commands choose, so that a lost connection can be replaced by one like it.

use resp::Value;

use crate::address::{Address, Credentials, Endpoint};
use crate::connection::{Connection, Lost, without_code};
use crate::failure::Failure;
use crate::interrupts::Interrupts;
use crate::options::Options;
use crate::output::{self, Style};

/// Most requests that are on their way at once: few enough that a server which stops reading while its replies
/// are not read cannot block us.
const PIPELINE_MAX: usize = 256;

/// How urgently RESP3 is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resp3 {
    /// Not at all.
    No,
    /// If the server has it (`--json`).
    IfPossible,
    /// The user asked for it.
    Yes,
}

/// What connections are to be like, and the one there is.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) address: Address,
    credentials: Option<Credentials>,
    /// The database the user chose; `db` differs as long as the server refuses it.
    db_wanted: u32,
    resp3_wanted: Resp3,
    verbose: bool,
    pub(crate) style: Style,
    /// Follow redirections (`-c`).
    pub(crate) cluster: bool,
    /// Report error replies as failures (`-e`).
    pub(crate) errors_fail: bool,
    /// Ctrl-C's catcher, at the prompt.
    pub(crate) interrupts: Option<Interrupts>,
    pub(super) connection: Option<Connection>,
    pub(super) state: State,
    /// Counts connections and logins, after each of which a server may tell more than before.
    pub(crate) generation: u64,
}

/// What the server holds about this connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) db: u32,
    pub(super) resp3: bool,
    pub(super) in_transaction: bool,
    /// `db` before MULTI.
    pub(super) db_before_transaction: u32,
}

impl Session {
    /// A session that is not connected yet.
    pub(crate) fn new(options: &Options, endpoint: Endpoint, style: Style) -> Session {
        let resp3_wanted = match options {
            Options { resp3: true, .. } => Resp3::Yes,
            Options { resp2: false, json, quoted_json, .. } if *json || *quoted_json => Resp3::IfPossible,
            _ => Resp3::No,
        };
        Session {
            address: endpoint.address,
            credentials: endpoint.credentials,
            db_wanted: options.db.or(endpoint.db).unwrap_or(0),
            resp3_wanted,
            verbose: options.verbose,
            style,
            cluster: options.cluster,
            errors_fail: options.error_status,
            interrupts: None,
            connection: None,
            state: State::default(),
            generation: 0,
        }
    }

    /// Whether there is a connection, as far as is known.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// What the user types behind.
    pub(crate) fn prompt(&self) -> String {
        if self.connection.is_none() {
            return "not connected> ".to_owned();
        }
        let db = if self.state.db == 0 { String::new() } else { format!("[{}]", self.state.db) };
        let transaction = if self.state.in_transaction { "(TX)" } else { "" };
        format!("{}{db}{transaction}> ", self.address)
    }

    /// Connects, unless there is a connection.
    ///
    /// # Errors
    /// Nobody answers, or the server refuses the wanted database or protocol. In the latter case there is a
    /// connection all the same, on which the user may log in. A refused password is only told on stderr: the
    /// server may need none.
    pub(crate) fn connect(&mut self) -> Result<(), Failure> {
        if self.connection.is_some() {
            return Ok(());
        }
        let connection = Connection::open(&self.address).map_err(|error| Failure::Connect {
            address: self.address.clone(),
            reason: without_code(&error),
        })?;
        self.connection = Some(connection);
        self.state = State::default();
        self.generation += 1;
        if self.verbose {
            output::complain(&format!("Connected to {}", self.address));
        }
        let introduced = self.introduce();
        if let Err(Failure::Lost(_)) = introduced {
            self.connection = None;
        }
        introduced
    }

    fn introduce(&mut self) -> Result<(), Failure> {
        if let Some(Credentials { user, password }) = self.credentials.clone() {
            let mut auth = vec!["AUTH".to_owned()];
            auth.extend(user);
            auth.push(password);
            if let Some(error) = self.ask(&auth)?.as_error() {
                output::complain(&format!("AUTH failed: {}", String::from_utf8_lossy(error)));
            }
        }
        self.settle()
    }

    /// Chooses the wanted protocol and database where the connection does not have them.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        if self.resp3_wanted != Resp3::No && !self.state.resp3 {
            match self.ask(&["HELLO", "3"])?.as_error() {
                Some(error) if self.resp3_wanted == Resp3::Yes => return Err(refused("HELLO 3", error)),
                Some(_) => {}
                None => self.state.resp3 = true,
            }
        }
        if self.db_wanted != self.state.db {
            let db = self.db_wanted.to_string();
            if let Some(error) = self.ask(&["SELECT", &db])?.as_error() {
                return Err(refused(&format!("SELECT {db}"), error));
            }
            self.state.db = self.db_wanted;
        }
        Ok(())
    }

    /// Sends a command of the program's own and returns its reply.
    ///
    /// # Errors
    /// There is no connection and none can be made, or it ends.
    pub(crate) fn ask<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, Failure> {
        self.connect()?;
        let Some(connection) = &mut self.connection else { return Err(Lost::Closed.into()) };
        Ok(connection.request(args)?)
    }

    /// Sends commands of the program's own, many at a time, and returns their replies in order.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub(crate) fn ask_all<A: AsRef<[u8]>>(&mut self, requests: &[Vec<A>]) -> Result<Vec<Value>, Failure> {
        self.connect()?;
        let Some(connection) = &mut self.connection else { return Err(Lost::Closed.into()) };
        let mut replies = Vec::with_capacity(requests.len());
        for batch in requests.chunks(PIPELINE_MAX) {
            batch.iter().for_each(|request| connection.queue(request));
            connection.send()?;
            let wanted = replies.len() + batch.len();
            while replies.len() < wanted {
                match connection.receive()? {
                    Value::Push(_) => {}
                    reply => replies.push(reply),
                }
            }
        }
        Ok(replies)
    }

    /// The connection itself, made if need be, for a tool that reads and writes at once.
    pub(crate) fn take_connection(&mut self) -> Result<Connection, Failure> {
        self.connect()?;
        self.connection.take().ok_or(Failure::Lost(Lost::Closed))
    }

    /// Gives the connection up.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.state = State::default();
    }

    /// Turns to another server.
    pub(crate) fn move_to(&mut self, address: Address) {
        self.address = address;
        self.disconnect();
    }

    /// Prints a reply at once.
    pub(crate) fn print(&self, value: &Value, verbatim: bool) -> Result<(), Failure> {
        output::print(self.style.render(value, verbatim))
    }

    /// Takes over what a command that succeeded changed on the server's side of the connection.
    pub(super) fn note(&mut self, args: &[Vec<u8>], reply: &Value) -> Result<(), Failure> {
        let name = args[0].to_ascii_lowercase();
        let failed = reply.as_error().is_some();
        match (name.as_slice(), args.len()) {
            (b"exec", 1) if self.state.in_transaction => {
                if failed || *reply == Value::Null {
                    self.select(self.state.db_before_transaction);
                }
                self.state.in_transaction = false;
            }
            _ if failed => {}
            (b"select", 2) => {
                if let Some(db) = str::from_utf8(&args[1]).ok().and_then(|db| db.parse().ok()) {
                    self.select(db);
                }
            }
            (b"auth", 2 | 3) => {
                self.log_in(&args[1..]);
                self.settle()?;
            }
            (b"multi", 1) => {
                self.state.in_transaction = true;
                self.state.db_before_transaction = self.state.db;
            }
            (b"discard", 1) => {
                self.state.in_transaction = false;
                self.select(self.state.db_before_transaction);
            }
            (b"reset", 1) => {
                self.state = State::default();
                self.select(0);
                self.resp3_wanted = Resp3::No;
            }
            (b"hello", _) => {
                self.state.resp3 = matches!(reply, Value::Map(_));
                self.resp3_wanted = if self.state.resp3 { Resp3::Yes } else { Resp3::No };
                let auth = args.windows(3).find(|w| w[0].eq_ignore_ascii_case(b"auth"));
                if let Some(words) = auth {
                    self.log_in(&words[1..]);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn select(&mut self, db: u32) {
        self.state.db = db;
        self.db_wanted = db;
    }

    /// Keeps what the user logged in with for the connections to come: `[user] password`.
    fn log_in(&mut self, words: &[Vec<u8>]) {
        let text = |word: &Vec<u8>| String::from_utf8(word.clone()).ok();
        self.generation += 1;
        self.credentials = match words {
            [password] => text(password).map(|password| Credentials { user: None, password }),
            [user, password] => text(password).map(|password| Credentials { user: text(user), password }),
            _ => return,
        };
    }
}

fn refused(what: &str, error: &[u8]) -> Failure {
    Failure::Refused(format!("{what} failed: {}", String::from_utf8_lossy(error)))
}

/// Tells a failure on stderr, unless there is nothing to tell.
pub(crate) fn tell(failure: &Failure) {
    if let Some(text) = failure.told() {
        output::complain(&text);
    }
}
