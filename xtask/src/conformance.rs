//! What the table says of commands beside what a real server says: COMMAND INFO of both, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use commands::{Row, rows};
use resp::{Decoder, Reply, Value};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Differences that are meant: the row, what differs, and why. Servers from Redis 7.0 on are compared, while the
/// table follows 7.2; so some of these show with one server only.
const MEANT: &[(&str, &str, &str)] = &[
    ("client|caching", "absent", NO_TRACKING),
    ("client|capa", "absent", VALKEY),
    ("client|getname", "flags", VALKEY_BUSY),
    ("client|getredir", "flags", VALKEY_BUSY),
    ("client|id", "flags", VALKEY_BUSY),
    ("client|import-source", "absent", VALKEY),
    ("client|no-evict", "flags", VALKEY_BUSY),
    ("client|no-touch", "flags", VALKEY_BUSY),
    ("client|no-touch", "missing", REDIS_7_2),
    ("client|reply", "flags", VALKEY_BUSY),
    ("client|setinfo", "flags", VALKEY_BUSY),
    ("client|setinfo", "missing", REDIS_7_2),
    ("client|setname", "flags", VALKEY_BUSY),
    ("client|setname", "tips", REDIS_7_2),
    ("client|tracking", "absent", NO_TRACKING),
    ("command|getkeys", "arity", REDIS_7_2),
    ("command|getkeysandflags", "arity", REDIS_7_2),
    ("config|resetstat", "tips", REDIS_7_2),
    ("config|rewrite", "tips", REDIS_7_2),
    ("delex", "missing", REDIS_8_4),
    ("delifeq", "missing", VALKEY),
    ("digest", "missing", REDIS_8_4),
    ("function|dump", "absent", NO_FUNCTIONS),
    ("function|kill", "absent", NO_FUNCTIONS),
    ("function|load", "absent", NO_FUNCTIONS),
    ("function|restore", "absent", NO_FUNCTIONS),
    ("function|stats", "absent", NO_FUNCTIONS),
    ("memory|doctor", "absent", ALLOCATOR),
    ("memory|stats", "absent", ALLOCATOR),
    ("msetex", "missing", REDIS_8_4),
    ("msetnx", "tips", REDIS_7_2),
    ("randomkey", "tips", REDIS_7_2),
    ("scan", "tips", REDIS_7_2),
    ("select", "flags", VALKEY_BUSY),
];

const REDIS_7_2: &str = "Redis 7.2 has it as the table has";
const REDIS_8_4: &str = "a command of Redis 8.4";
const VALKEY: &str = "Valkey's own";
const VALKEY_BUSY: &str = "Valkey allows it while a script runs, Redis does not";
const NO_TRACKING: &str = "keys are not tracked for clients' caches";
const NO_FUNCTIONS: &str = "no function can be loaded";
const ALLOCATOR: &str = "about Redis's allocator; INFO memory tells what there is to tell";

/// Compares the table with the server at `address`, and prints what differs.
pub(crate) fn run(address: &str) -> ExitCode {
    let theirs = match ask(address) {
        Ok(theirs) => theirs,
        Err(error) => {
            eprintln!("conformance: {address}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut compared = 0;
    let mut differences = Vec::new();
    for row in rows().iter().filter(|row| row.container.is_none()) {
        let ours = Info::of_row(row).expect("the table's own reply can be read");
        compared += 1 + ours.subcommands.len();
        match theirs.get(&ours.name) {
            Some(info) => compare(&ours, info, &mut differences),
            None => differences.push((ours.name.clone(), "missing", "the server does not have it".into())),
        }
    }
    let is_meant = |(name, field, _): &&(String, &str, String)| {
        MEANT.iter().any(|(row, what, _)| row == name && what == field)
    };
    let (meant, wrong): (Vec<_>, Vec<_>) = differences.iter().partition(is_meant);
    wrong.iter().for_each(|(name, field, text)| println!("{name}: {field}: {text}"));
    println!(
        "conformance: {compared} rows, {} differences, {} of them meant",
        differences.len(),
        meant.len()
    );
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One command as COMMAND INFO describes it.
#[derive(Clone, Debug, Default)]
struct Info {
    name: String,
    arity: i64,
    /// First key, last key, step.
    range: [i64; 3],
    flags: BTreeSet<String>,
    categories: BTreeSet<String>,
    tips: BTreeSet<String>,
    /// Key specifications, as text.
    keys: Vec<String>,
    subcommands: BTreeMap<String, Info>,
}

impl Info {
    fn of_row(row: &Row) -> Option<Info> {
        let mut reply = Reply::new();
        commands::describe(&mut reply, row);
        let mut decoder = Decoder::new();
        decoder.feed(reply.bytes());
        Info::read(&decoder.next().ok()??)
    }

    /// Reads one element of COMMAND INFO's reply, in RESP2.
    fn read(value: &Value) -> Option<Info> {
        let [name, arity, flags, first, last, step, categories, tips, keys, subcommands] =
            value.as_slice()?
        else {
            return None;
        };
        let subcommands = subcommands.as_slice()?.iter().map(Info::read).collect::<Option<Vec<_>>>()?;
        Some(Info {
            name: text(name),
            arity: arity.as_int()?,
            range: [first.as_int()?, last.as_int()?, step.as_int()?],
            flags: texts(flags)?,
            categories: texts(categories)?,
            tips: texts(tips)?,
            keys: keys.as_slice()?.iter().map(key_spec).collect(),
            subcommands: subcommands.into_iter().map(|info| (info.name.clone(), info)).collect(),
        })
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Simple(bytes) | Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

fn texts(value: &Value) -> Option<BTreeSet<String>> {
    Some(value.as_slice()?.iter().map(text).collect())
}

/// A key specification as text, without the notes that some have, and with its flags in order.
fn key_spec(value: &Value) -> String {
    let fields = value.as_slice().unwrap_or(&[]).chunks(2);
    let field = |pair: &[Value]| match pair {
        [name, _] if text(name) == "notes" => None,
        [name, flags] if text(name) == "flags" => Some(format!("flags={:?}", texts(flags))),
        [name, other] => Some(format!("{}={}", text(name), flat(other))),
        _ => None,
    };
    fields.filter_map(field).collect::<Vec<_>>().join(" ")
}

fn flat(value: &Value) -> String {
    match value.as_slice() {
        Some(values) => format!("[{}]", values.iter().map(flat).collect::<Vec<_>>().join(" ")),
        None => value.as_int().map_or_else(|| text(value), |n| n.to_string()),
    }
}

/// COMMAND INFO of every command of the table, from the server at `address`; what it does not know is left out.
fn ask(address: &str) -> io::Result<BTreeMap<String, Info>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let names = rows().iter().filter(|row| row.container.is_none()).map(|row| row.command.name);
    let words: Vec<&str> = ["COMMAND", "INFO"].into_iter().chain(names).collect();
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    stream.write_all(request.as_bytes())?;
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(reply) = decoder.next().map_err(io::Error::other)? {
            let infos = reply.as_slice().ok_or_else(|| io::Error::other(text(&reply)))?;
            return Ok(infos.iter().filter_map(Info::read).map(|info| (info.name.clone(), info)).collect());
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder.feed(&buffer[..read]);
    }
}

type Difference = (String, &'static str, String);

/// Notes what differs between `ours` and `theirs`, subcommands included.
fn compare(ours: &Info, theirs: &Info, differences: &mut Vec<Difference>) {
    let mut note = |field: &'static str, ours_text: String, theirs_text: String| {
        if ours_text != theirs_text {
            let text = format!("ours {ours_text}, theirs {theirs_text}");
            differences.push((ours.name.clone(), field, text));
        }
    };
    note("arity", ours.arity.to_string(), theirs.arity.to_string());
    note("keys", format!("{:?}", ours.range), format!("{:?}", theirs.range));
    note("flags", format!("{:?}", ours.flags), format!("{:?}", theirs.flags));
    note("categories", format!("{:?}", ours.categories), format!("{:?}", theirs.categories));
    note("tips", format!("{:?}", ours.tips), format!("{:?}", theirs.tips));
    note("key specifications", format!("{:?}", ours.keys), format!("{:?}", theirs.keys));
    for (name, info) in &ours.subcommands {
        match theirs.subcommands.get(name) {
            Some(theirs) => compare(info, theirs, differences),
            None => differences.push((name.clone(), "missing", "the server does not have it".into())),
        }
    }
    for name in theirs.subcommands.keys().filter(|name| !ours.subcommands.contains_key(*name)) {
        differences.push((name.clone(), "absent", "the table does not have it".into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(change: impl Fn(&mut Info)) -> Vec<Difference> {
        let row = commands::find_row(b"client").unwrap();
        let ours = Info::of_row(row).unwrap();
        let mut theirs = ours.clone();
        change(&mut theirs);
        let mut found = Vec::new();
        compare(&ours, &theirs, &mut found);
        found
    }

    #[test]
    fn what_is_the_same_does_not_differ() {
        assert!(differences(|_| {}).is_empty());
    }

    #[test]
    fn differences_name_row_and_field() {
        let found = differences(|theirs| {
            theirs.arity = 7;
            let kill = theirs.subcommands.remove("client|kill").unwrap();
            theirs.subcommands.insert("client|more".into(), kill);
            theirs.subcommands.get_mut("client|id").unwrap().flags.clear();
        });
        let fields: Vec<(&str, &str)> =
            found.iter().map(|(name, field, _)| (name.as_str(), *field)).collect();
        let expected = [
            ("client", "arity"),
            ("client|id", "flags"),
            ("client|kill", "missing"),
            ("client|more", "absent"),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn every_row_can_be_read() {
        for row in rows() {
            let info = Info::of_row(row).unwrap();
            assert_eq!((info.name, info.keys.len()), (row.full_name(), row.command.keys.len()));
        }
    }

    #[test]
    fn what_is_meant_is_said_once_and_in_order() {
        assert!(MEANT.is_sorted_by(|(a, b, _), (c, d, _)| (a, b) < (c, d)));
    }
}
