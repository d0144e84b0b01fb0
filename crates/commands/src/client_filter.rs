//! Which clients CLIENT LIST shows and CLIENT KILL closes: those that every filter fits. Redis 7.2 knows a few of the
//! filters, and has CLIENT LIST take one only; the others, and those that begin with NOT, are Valkey 9's.

use resp::Args;

use crate::client_list::flags;
use crate::error::Error;
use crate::host::{ClientInfo, DEFAULT_USER};
use crate::number::int;

/// Flags of clients that exist in Redis; not all of them do here.
const FLAGS: &[u8] = b"AbcdeiMNOPrRSTtuUxBIE";

/// Kinds of clients that are listed and closed apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientType {
    Normal,
    Master,
    Replica,
    Pubsub,
}

impl ClientType {
    fn parse(word: &[u8]) -> Result<ClientType, Error> {
        match &*word.to_ascii_lowercase() {
            b"normal" => Ok(ClientType::Normal),
            b"master" | b"primary" => Ok(ClientType::Master),
            b"slave" | b"replica" => Ok(ClientType::Replica),
            b"pubsub" => Ok(ClientType::Pubsub),
            _ => Err(Error::Bytes([b"ERR Unknown client type '", word, b"'"].concat().into())),
        }
    }

    /// The type of a client: no other kind connects here.
    fn of(_client: &ClientInfo) -> ClientType {
        ClientType::Normal
    }
}

/// What one filter asks of a client.
#[derive(Clone, Debug)]
enum Test<'a> {
    Id(Vec<i64>),
    Type(ClientType),
    User(&'a [u8]),
    Address(&'a [u8]),
    LocalAddress(&'a [u8]),
    Ip(&'a [u8]),
    Name(&'a [u8]),
    LibName(&'a [u8]),
    LibVer(&'a [u8]),
    Db(u32),
    /// All of these.
    Flags(&'a [u8]),
    /// No client here has said that it can do anything.
    Capability,
    IdleS(u64),
    AgeS(u64),
}

impl Test<'_> {
    fn fits(&self, client: &ClientInfo) -> bool {
        let ClientInfo { identity, address, .. } = client;
        match self {
            Test::Id(ids) => ids.iter().any(|&id| u64::try_from(id) == Ok(client.id)),
            Test::Type(kind) => ClientType::of(client) == *kind,
            Test::User(user) => *identity.user == **user,
            Test::Address(wanted) => address.as_bytes() == *wanted,
            Test::LocalAddress(wanted) => client.local_address.as_bytes() == *wanted,
            Test::Ip(wanted) => {
                let ip = address.rsplit_once(':').map_or(&**address, |(ip, _)| ip);
                ip.trim_matches(['[', ']']).as_bytes() == *wanted
            }
            Test::Name(wanted) => *identity.name == **wanted,
            Test::LibName(wanted) => *identity.lib_name == **wanted,
            Test::LibVer(wanted) => *identity.lib_ver == **wanted,
            Test::Db(db) => client.db == *db,
            Test::Flags(wanted) => wanted.iter().all(|&flag| flags(client).contains(char::from(flag))),
            Test::Capability => false,
            Test::IdleS(least_s) => client.idle_ms / 1000 >= *least_s,
            Test::AgeS(least_s) => client.age_ms / 1000 >= *least_s,
        }
    }
}

/// How a command reads ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Any integers (CLIENT LIST).
    Any,
    /// Positive ones (CLIENT KILL).
    Positive,
}

/// Which clients are meant.
#[derive(Debug, Default)]
pub(crate) struct Filter<'a> {
    /// By the filter's name: whether it is to fit, or not, and what it asks. The last of a name counts.
    tests: Vec<(&'static str, bool, Test<'a>)>,
    /// Whether the client that asks is left out; nothing: as the command has it.
    pub(crate) skip_me: Option<bool>,
}

impl<'a> Filter<'a> {
    /// The filter of an address alone, the old form of CLIENT KILL.
    pub(crate) fn address(address: &'a [u8]) -> Filter<'a> {
        Filter { tests: vec![("addr", true, Test::Address(address))], skip_me: None }
    }

    /// Reads filters from argument `first` on. There are `databases` databases.
    pub(crate) fn parse(args: Args<'a>, first: usize, ids: Ids, databases: u32) -> Result<Filter<'a>, Error> {
        let mut filter = Filter::default();
        let mut at = first;
        while let Some(word) = args.get(at) {
            let word = word.to_ascii_lowercase();
            let value = args.get(at + 1).ok_or(Error::Syntax)?;
            at += 2;
            let (name, wanted) = word.strip_prefix(b"not-").map_or((&*word, true), |name| (name, false));
            let (name, test) = match name {
                b"id" => {
                    let mut all = vec![id(value, ids)?];
                    let more = |next: &&[u8]| int(next).is_ok() || ids == Ids::Any && !is_name(next);
                    while let Some(next) = args.get(at).filter(more) {
                        all.push(id(next, ids)?);
                        at += 1;
                    }
                    ("id", Test::Id(all))
                }
                b"skipme" if wanted => {
                    filter.skip_me = Some(yes_or_no(value)?);
                    continue;
                }
                b"idle" if wanted => ("idle", Test::IdleS(seconds("idle", value)?)),
                b"maxage" if wanted => ("maxage", Test::AgeS(seconds("maxage", value)?)),
                b"db" => ("db", Test::Db(database(wanted, value, databases)?)),
                name => test(name, value)?,
            };
            filter.tests.retain(|(other, negated, _)| (*other, *negated) != (name, wanted));
            filter.tests.push((name, wanted, test));
        }
        Ok(filter)
    }

    /// Whether `client` is meant; `own` is the number of the one that asks.
    pub(crate) fn fits(&self, client: &ClientInfo, own: u64) -> bool {
        !(self.skip_me == Some(true) && client.id == own)
            && self.tests.iter().all(|(_, wanted, test)| test.fits(client) == *wanted)
    }

    /// The numbers of all clients that can be meant, when the filter says them.
    pub(crate) fn ids(&self) -> Option<&[i64]> {
        self.tests.iter().find_map(|test| match test {
            (_, true, Test::Id(ids)) => Some(&**ids),
            _ => None,
        })
    }
}

/// The filters that compare with a word.
fn test<'a>(name: &[u8], value: &'a [u8]) -> Result<(&'static str, Test<'a>), Error> {
    Ok(match name {
        b"type" => ("type", Test::Type(ClientType::parse(value)?)),
        b"user" if value == DEFAULT_USER => ("user", Test::User(value)),
        b"user" => return Err(Error::Bytes([b"ERR No such user '", value, b"'"].concat().into())),
        b"addr" => ("addr", Test::Address(value)),
        b"laddr" => ("laddr", Test::LocalAddress(value)),
        b"ip" => ("ip", Test::Ip(value)),
        b"name" => ("name", Test::Name(value)),
        b"lib-name" => ("lib-name", Test::LibName(value)),
        b"lib-ver" => ("lib-ver", Test::LibVer(value)),
        b"flags" => match value.iter().find(|flag| !FLAGS.contains(flag)) {
            None => ("flags", Test::Flags(value)),
            Some(&flag) => return Err(unknown(b"flags", flag)),
        },
        b"capa" => match value.iter().find(|&&capability| capability != b'r') {
            None => ("capa", Test::Capability),
            Some(&capability) => return Err(unknown(b"capa", capability)),
        },
        _ => return Err(Error::Syntax),
    })
}

fn unknown(what: &[u8], letter: u8) -> Error {
    Error::Bytes([b"ERR Unknown ", what, b" found in the provided filter: ", &[letter]].concat().into())
}

/// Whether `word` names a filter, and is no further id.
fn is_name(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 15] = [
        b"id",
        b"type",
        b"user",
        b"addr",
        b"laddr",
        b"ip",
        b"name",
        b"lib-name",
        b"lib-ver",
        b"flags",
        b"capa",
        b"skipme",
        b"idle",
        b"maxage",
        b"db",
    ];
    let word = word.to_ascii_lowercase();
    NAMES.contains(&word.strip_prefix(b"not-").unwrap_or(&word))
}

fn id(value: &[u8], ids: Ids) -> Result<i64, Error> {
    let id = int(value);
    match ids {
        Ids::Any => id.map_err(|_| Error::Text("ERR Invalid client ID")),
        Ids::Positive => {
            id.ok().filter(|&n| n > 0).ok_or(Error::Text("ERR client-id should be greater than 0"))
        }
    }
}

fn yes_or_no(word: &[u8]) -> Result<bool, Error> {
    match &*word.to_ascii_lowercase() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(Error::Syntax),
    }
}

fn seconds(name: &str, value: &[u8]) -> Result<u64, Error> {
    let not_integer = |_| Error::Message(format!("ERR {name} is not an integer or out of range"));
    let seconds = u64::try_from(int(value).map_err(not_integer)?).ok().filter(|&n| n > 0);
    seconds.ok_or_else(|| Error::Message(format!("ERR {name} should be greater than 0")))
}

fn database(wanted: bool, value: &[u8], databases: u32) -> Result<u32, Error> {
    let name = if wanted { "DB" } else { "NOT-DB" };
    let db =
        int(value).map_err(|_| Error::Message(format!("ERR {name} is not an integer or out of range")))?;
    let db = u32::try_from(db).ok().filter(|&db| db < databases);
    db.ok_or_else(|| Error::Message(format!("ERR {name} number should be between 0 and {}", databases - 1)))
}

#[cfg(test)]
mod tests {
    use crate::host::{ClientInfo, Identity};
    use crate::testing::{Client, TestHost, other_client};

    /// Clients 3 to 6; the one that asks is 7.
    fn among_others() -> Client {
        let identity = |name: &str, lib: &str, no_touch| Identity {
            name: name.as_bytes().into(),
            lib_name: lib.as_bytes().into(),
            lib_ver: b"1".as_slice().into(),
            no_touch,
            ..Identity::default()
        };
        let others = vec![
            ClientInfo { identity: identity("three", "a", false), ..other_client(3, "") },
            ClientInfo { identity: identity("four", "b", true), db: 1, ..other_client(4, "") },
            ClientInfo { address: "[::1]:99".into(), idle_ms: 60_000, ..other_client(5, "") },
            ClientInfo { blocked: true, identity: identity("", "b", true), ..other_client(6, "") },
            other_client(7, ""),
        ];
        Client::of(TestHost { others, ..TestHost::default() })
    }

    fn listed(client: &mut Client, filters: &str) -> Vec<u64> {
        let text = client.text(&format!("CLIENT LIST {filters}"));
        let ids = text.lines().map(|line| line.split([' ', '=']).nth(1).and_then(|id| id.parse().ok()));
        ids.map(|id| id.unwrap_or_else(|| panic!("{filters}: {text}"))).collect()
    }

    #[test]
    fn every_filter_fits_or_does_not() {
        let mut client = among_others();
        for (filters, ids) in [
            ("NAME three", &[3][..]),
            ("LIB-NAME b", &[4, 6]),
            ("LIB-NAME b NAME four", &[4]),
            ("NOT-LIB-NAME b SKIPME yes", &[3, 5]),
            ("LIB-VER 1 NOT-NAME four", &[3, 6]),
            ("DB 1", &[4]),
            ("NOT-DB 3", &[4, 7]),
            ("IP ::1", &[5]),
            ("NOT-IP 127.0.0.1", &[5]),
            ("FLAGS T", &[4, 6]),
            ("FLAGS bT", &[6]),
            ("NOT-FLAGS N SKIPME no", &[4, 6]),
            ("IDLE 2", &[5]),
            ("MAXAGE 55 SKIPME yes", &[6]),
            ("CAPA r", &[]),
            ("NOT-CAPA r MAXAGE 60", &[6, 7]),
            ("TYPE normal ID 4 3 NOT-ID 4", &[3]),
            ("ID 3 ID 6", &[6]),
            ("USER default ADDR 127.0.0.1:50006", &[6]),
            ("NOT-TYPE normal", &[]),
        ] {
            assert_eq!(listed(&mut client, filters), ids, "{filters}");
        }
    }

    #[test]
    fn ids_are_listed_in_the_order_asked_for_with_other_filters_applied() {
        let mut client = among_others();
        assert_eq!(listed(&mut client, "ID 6 3 5 4 99"), [6, 3, 5, 4]);
        assert_eq!(listed(&mut client, "ID 6 3 5 4 99 LIB-VER 1"), [6, 3, 4]);
    }

    #[test]
    fn filters_are_checked() {
        let mut client = among_others();
        for (filter, text) in [
            ("FLAGS bz", "ERR Unknown flags found in the provided filter: z"),
            ("CAPA z", "ERR Unknown capa found in the provided filter: z"),
            ("DB 16", "ERR DB number should be between 0 and 15"),
            ("NOT-DB x", "ERR NOT-DB is not an integer or out of range"),
            ("IDLE 0", "ERR idle should be greater than 0"),
            ("NOT-IDLE 3", "ERR syntax error"),
            ("NOT-SKIPME no", "ERR syntax error"),
            ("NOT-USER nobody", "ERR No such user 'nobody'"),
            ("NOT-TYPE foo", "ERR Unknown client type 'foo'"),
            ("SKIPME", "ERR syntax error"),
        ] {
            for command in ["CLIENT LIST ID 3", "CLIENT KILL ID 3"] {
                assert_eq!(client.text(&format!("{command} {filter}")), text, "{command} {filter}");
            }
        }
        assert!(client.calls().is_empty());
    }

    #[test]
    fn kills_take_the_same_filters() {
        let mut client = among_others();
        assert_eq!(client.send("CLIENT KILL ID 3 4 LIB-NAME b"), ":1\r\n");
        assert_eq!(client.send("CLIENT KILL FLAGS b"), ":1\r\n");
        assert_eq!(client.calls(), ["close 4", "close 6"]);
        assert_eq!(client.text("CLIENT KILL ID 3 0"), "ERR client-id should be greater than 0");
        assert_eq!(client.text("CLIENT KILL ID 3 wrong"), "ERR syntax error");
    }
}
