//! The server under test: where it is, how a connection introduces itself, what it says about itself.

use std::env;

use resp::{Reply, Value};

use crate::address::Address;
use crate::bench::load::Target;
use crate::bench::options::Options;
use crate::connection::{Connection, Lost, Stream, without_code};

/// Settings that change what the numbers mean.
const SETTINGS: [&str; 2] = ["save", "appendonly"];

/// A server that has answered.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) target: Target,
    /// What each connection begins with, encoded, and how many requests that is.
    pub(crate) greeting: Vec<u8>,
    pub(crate) greeting_replies: usize,
    /// Its own settings, as far as it tells them.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Server {
    /// Connects once, to see that the server is there and takes the greeting.
    ///
    /// # Errors
    /// It is not or does not, in words for the user.
    pub(crate) fn meet(options: &Options) -> Result<Server, String> {
        let endpoint = options.server.endpoint(|name| env::var_os(name))?;
        let mut requests: Vec<Vec<String>> = Vec::new();
        if let Some(credentials) = endpoint.credentials {
            let words = [Some("AUTH".to_owned()), credentials.user, Some(credentials.password)];
            requests.push(words.into_iter().flatten().collect());
        }
        if options.resp3 {
            requests.push(vec!["HELLO".to_owned(), "3".to_owned()]);
        }
        if let Some(db) = options.dbnum.or(endpoint.db).filter(|&db| db != 0) {
            requests.push(vec!["SELECT".to_owned(), db.to_string()]);
        }

        let address = endpoint.address;
        let unreachable = |error| format!("Could not connect to {address}: {}", without_code(&error));
        let mut connection = Connection::open(&address).map_err(unreachable)?;
        let target = match (&address, connection.stream().map_err(unreachable)?) {
            (_, Stream::Tcp(stream)) => Target::Tcp(stream.peer_addr().map_err(unreachable)?),
            (Address::Unix(path), _) => Target::Unix(path.clone()),
            (Address::Tcp(..), Stream::Unix(_)) => unreachable!("a TCP address gives a TCP stream"),
        };
        let mut greeting = Reply::new();
        for request in &requests {
            let reply = connection.request(request).map_err(|lost| lost.to_string())?;
            if let Some(error) = reply.as_error() {
                return Err(format!("{} refused: {}", request[0], String::from_utf8_lossy(error)));
            }
            greeting.array(request.len());
            request.iter().for_each(|word| greeting.bulk(word.as_bytes()));
        }
        let mut settings = Vec::new();
        for name in SETTINGS {
            if let Some(value) = setting(&mut connection, name).map_err(|lost| lost.to_string())? {
                settings.push((name, value));
            }
        }
        Ok(Server {
            target,
            greeting: std::mem::take(greeting.buffer()),
            greeting_replies: requests.len(),
            settings,
        })
    }
}

/// What the server says its setting is; nothing when it does not say.
fn setting(connection: &mut Connection, name: &str) -> Result<Option<String>, Lost> {
    let reply = connection.request(&["CONFIG", "GET", name])?;
    let value = match &reply {
        Value::Map(pairs) => pairs.first().map(|(_, value)| value),
        Value::Array(items) => items.get(1),
        _ => None,
    };
    Ok(value.and_then(Value::as_bytes).map(|text| String::from_utf8_lossy(text).into_owned()))
}
