//! Where a server is and how to introduce oneself to it: options, URL and environment.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::connection::{Connection, Lost, without_code};

/// Variables that hold the password, the first one set wins; `-a` and a URL's password come before them.
const PASSWORD_VARIABLES: [&str; 2] = ["EBBTIDE_AUTH", "REDISCLI_AUTH"];
const PORT_DEFAULT: u16 = 6379;

/// A server's place. Displayed as the prompt shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host's name or address, and a TCP port.
    Tcp(String, u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The options name no server.
    #[error("{0}")]
    Options(String),
    /// Nobody answers there.
    #[error("Could not connect to {address}: {reason}")]
    Unreachable {
        /// Where.
        address: Address,
        /// The system's words.
        reason: String,
    },
    /// The connection ended at once.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The server refuses the password.
    #[error("AUTH failed: {0}")]
    Refused(String),
}

/// A name and password for AUTH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The user; none for AUTH's form with a password alone.
    pub(crate) user: Option<String>,
    /// The password.
    pub(crate) password: String,
}

/// All that the options say about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Where it is.
    pub(crate) address: Address,
    /// What to authenticate with, if anything.
    pub(crate) credentials: Option<Credentials>,
    /// The database a URL asks for.
    pub(crate) db: Option<u32>,
}

/// Options that name the server, the same for every tool that talks to one.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub struct ServerArgs {
    /// Server's host name or address [default: 127.0.0.1]
    #[arg(short = 'h', alias = "host", value_name = "host")]
    pub(crate) host: Option<String>,
    /// Server's TCP port [default: 6379]
    #[arg(short = 'p', alias = "port", value_name = "port")]
    pub(crate) port: Option<u16>,
    /// Server's unix socket (instead of host and port)
    #[arg(short = 's', value_name = "path")]
    pub(crate) socket: Option<PathBuf>,
    /// Password; the variables EBBTIDE_AUTH and REDISCLI_AUTH are safer places for it
    #[arg(short = 'a', long = "pass", value_name = "password", allow_hyphen_values = true)]
    pub(crate) password: Option<String>,
    /// User name, for AUTH with a name and a password
    #[arg(long, value_name = "name")]
    pub(crate) user: Option<String>,
    /// Server as a URL: `redis://[[user:]password@]host[:port][/database]`
    #[arg(short = 'u', value_name = "url")]
    pub(crate) url: Option<String>,
}

impl ServerArgs {
    /// The server these options and the environment name; an option wins over the URL's part.
    ///
    /// # Errors
    /// The URL is malformed, or of a kind that is not spoken here.
    pub(crate) fn endpoint(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Endpoint, String> {
        let url = match &self.url {
            Some(url) => parse_url(url)?,
            None => Url::default(),
        };
        let address = match &self.socket {
            Some(path) => Address::Unix(path.clone()),
            None => Address::Tcp(
                self.host.clone().or(url.host).unwrap_or_else(|| "127.0.0.1".to_owned()),
                self.port.or(url.port).unwrap_or(PORT_DEFAULT),
            ),
        };
        let from_environment =
            || PASSWORD_VARIABLES.iter().find_map(|name| environment(name)?.into_string().ok());
        let password = self.password.clone().or(url.password).or_else(from_environment);
        let user = self.user.clone().or(url.user);
        let credentials = password.map(|password| Credentials { user, password });
        Ok(Endpoint { address, credentials, db: url.db })
    }

    /// Whether any of the options is given.
    pub fn is_given(&self) -> bool {
        let ServerArgs { host, port, socket, password, user, url } = self;
        let texts = [host, password, user, url];
        texts.iter().any(|option| option.is_some()) || port.is_some() || socket.is_some()
    }

    /// Connects to the server and authenticates, in database 0 and RESP2.
    ///
    /// # Errors
    /// The options are no good, nobody answers, or the server refuses the password.
    pub fn connect(&self) -> Result<Connection, ConnectError> {
        let endpoint = self.endpoint(|name| std::env::var_os(name)).map_err(ConnectError::Options)?;
        let address = endpoint.address;
        let mut connection = Connection::open(&address)
            .map_err(|error| ConnectError::Unreachable { address, reason: without_code(&error) })?;
        if let Some(Credentials { user, password }) = endpoint.credentials {
            let words = [Some("AUTH".to_owned()), user, Some(password)];
            let reply = connection.request(&words.into_iter().flatten().collect::<Vec<_>>())?;
            if let Some(error) = reply.as_error() {
                return Err(ConnectError::Refused(String::from_utf8_lossy(error).into_owned()));
            }
        }
        Ok(connection)
    }

    /// Whether a password stands in the options, where other users of the machine may see it.
    pub(crate) fn shows_password(&self) -> bool {
        self.password.is_some() || self.url.as_ref().is_some_and(|url| url.contains('@'))
    }
}

/// The parts of a `redis://` URL.
#[derive(Debug, Default, PartialEq, Eq)]
struct Url {
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    db: Option<u32>,
}

/// Reads `redis://[[user:]password@][host[:port]][/database]`, the form registered as
/// <https://www.iana.org/assignments/uri-schemes/prov/redis>, without queries.
fn parse_url(url: &str) -> Result<Url, String> {
    let (scheme, rest) = url.split_once("://").ok_or("a server's URL starts with redis://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => {}
        "rediss" | "valkeys" => {
            return Err(format!(
                "{scheme}:// asks for TLS, which ebbtide cli does not speak; use redis://, through a TLS tunnel if need be"
            ));
        }
        _ => return Err(format!("unknown URL scheme {scheme}://, expected redis://")),
    }
    let mut parts = Url::default();
    let (userinfo, rest) = match rest.rsplit_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, rest),
    };
    if let Some(userinfo) = userinfo {
        let (user, password) = userinfo.split_once(':').unwrap_or(("", userinfo));
        parts.user = (!user.is_empty()).then(|| percent_decode(user)).transpose()?;
        parts.password = Some(percent_decode(password)?);
    }
    let (authority, db) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']').ok_or("a URL's IPv6 address ends with ]")?;
            (host, port.strip_prefix(':').unwrap_or(port))
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    parts.host = (!host.is_empty()).then(|| percent_decode(host)).transpose()?;
    if !port.is_empty() {
        parts.port = Some(port.parse().map_err(|_| format!("invalid port in a URL: {port}"))?);
    }
    if !db.is_empty() {
        parts.db = Some(db.parse().map_err(|_| format!("invalid database number in a URL: {db}"))?);
    }
    Ok(parts)
}

fn percent_decode(text: &str) -> Result<String, String> {
    let invalid = || format!("invalid % sequence in a URL: {text}");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits =
            rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)).ok_or_else(invalid)?;
        let digits = str::from_utf8(digits).map_err(|_| invalid())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| invalid())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(
        user: Option<&str>,
        password: Option<&str>,
        host: Option<&str>,
        port: Option<u16>,
        db: Option<u32>,
    ) -> Url {
        Url {
            user: user.map(Into::into),
            password: password.map(Into::into),
            host: host.map(Into::into),
            port,
            db,
        }
    }

    #[test]
    fn urls_have_optional_parts() {
        let cases = [
            ("redis://", url(None, None, None, None, None)),
            ("redis://example.com", url(None, None, Some("example.com"), None, None)),
            ("REDIS://h:7/3", url(None, None, Some("h"), Some(7), Some(3))),
            ("redis://h/", url(None, None, Some("h"), None, None)),
            ("redis:///2", url(None, None, None, None, Some(2))),
            ("redis://secret@h", url(None, Some("secret"), Some("h"), None, None)),
            ("redis://:secret@h", url(None, Some("secret"), Some("h"), None, None)),
            ("redis://bob:p%40ss%2F@h:1", url(Some("bob"), Some("p@ss/"), Some("h"), Some(1), None)),
            ("redis://bob:p@ss@[::1]:9/1", url(Some("bob"), Some("p@ss"), Some("::1"), Some(9), Some(1))),
            ("valkey://[fe80::1]", url(None, None, Some("fe80::1"), None, None)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_url(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bad_urls_say_why() {
        let cases = [
            ("localhost:6379", "starts with redis://"),
            ("http://h", "unknown URL scheme http://"),
            ("rediss://h", "asks for TLS"),
            ("redis://h:x", "invalid port in a URL: x"),
            ("redis://h:70000", "invalid port in a URL: 70000"),
            ("redis://h/x", "invalid database number in a URL: x"),
            ("redis://a%4@h", "invalid % sequence"),
            ("redis://a%+1@h", "invalid % sequence"),
            ("redis://[::1", "ends with ]"),
        ];
        for (text, part) in cases {
            let error = parse_url(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn options_win_over_the_url_and_that_over_the_environment() {
        let environment = |name: &str| (name == "REDISCLI_AUTH").then(|| OsString::from("env"));
        let mut args = ServerArgs::default();
        let endpoint = args.endpoint(environment).unwrap();
        assert_eq!(endpoint.address, Address::Tcp("127.0.0.1".into(), 6379));
        assert_eq!(endpoint.credentials, Some(Credentials { user: None, password: "env".into() }));

        args.url = Some("redis://u:p@h:1/2".into());
        let endpoint = args.endpoint(environment).unwrap();
        assert_eq!(endpoint.address, Address::Tcp("h".into(), 1));
        assert_eq!(endpoint.credentials, Some(Credentials { user: Some("u".into()), password: "p".into() }));
        assert_eq!(endpoint.db, Some(2));
        assert!(args.shows_password());

        args.port = Some(9);
        args.password = Some("a".into());
        let endpoint = args.endpoint(|_| None).unwrap();
        assert_eq!(endpoint.address, Address::Tcp("h".into(), 9));
        assert_eq!(endpoint.credentials, Some(Credentials { user: Some("u".into()), password: "a".into() }));

        args.socket = Some("/tmp/s".into());
        assert_eq!(args.endpoint(|_| None).unwrap().address, Address::Unix("/tmp/s".into()));
    }

    #[test]
    fn addresses_read_as_in_a_prompt() {
        assert_eq!(Address::Tcp("h".into(), 1).to_string(), "h:1");
        assert_eq!(Address::Tcp("::1".into(), 1).to_string(), "[::1]:1");
        assert_eq!(Address::Unix("/tmp/s".into()).to_string(), "/tmp/s");
    }
}
