//! What the table says of commands beside what a real server says: COMMAND INFO of both, field by field.

mod meant;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use commands::{Row, rows};
use resp::{Decoder, Reply, Value};
use testkit::{Connection, Request, Spawned};

use meant::{MEANT, Meant, Server};

/// Starts `program`, a redis-server or valkey-server, compares its commands with the table, and prints what differs.
pub(crate) fn run(program: &str) -> ExitCode {
    let (server, theirs) = match ask(Path::new(program)) {
        Ok(answers) => answers,
        Err(error) => {
            eprintln!("conformance: {program}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ours = rows().iter().filter(|row| row.container.is_none());
    let ours = ours.map(|row| Info::of_row(row).expect("the table's own reply can be read"));
    let ours: BTreeMap<_, _> = ours.map(|info| (info.name.clone(), info)).collect();
    let mut differences = Vec::new();
    compare_all(&ours, &theirs, &mut differences);
    let compared: usize = ours.values().map(|info| 1 + info.subcommands.len()).sum();
    let verdict = Verdict::of(differences, MEANT, server);
    verdict.wrong.iter().for_each(|Difference { row, field, text }| println!("{row}: {field}: {text}"));
    verdict.stale.iter().for_each(|(row, field)| {
        println!("{row}: {field}: listed as meant, but it does not differ any more: take it off the list")
    });
    for (text, rows) in &verdict.meant {
        println!("meant, {text}: {}", rows.join(" "));
    }
    println!(
        "conformance: {compared} rows beside {} {}.{}: {} differences that are not meant",
        if server.valkey { "Valkey" } else { "Redis" },
        server.version.0,
        server.version.1,
        verdict.wrong.len() + verdict.stale.len(),
    );
    if verdict.wrong.is_empty() && verdict.stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is to be said of the differences found.
#[derive(Debug, Default)]
struct Verdict {
    /// Those that are not listed.
    wrong: Vec<Difference>,
    /// What is listed and does not differ: row and field.
    stale: Vec<(&'static str, &'static str)>,
    /// Rows by the reasons for which they differ.
    meant: BTreeMap<&'static str, Vec<String>>,
}

impl Verdict {
    fn of(differences: Vec<Difference>, list: &'static [Meant], server: Server) -> Verdict {
        let listed = list.iter().filter(|meant| (meant.why.shown_by)(server));
        let each = |meant: &'static Meant| meant.rows.split_whitespace().map(move |row| (row, meant));
        let mut left: Vec<_> = listed.flat_map(each).collect();
        let mut verdict = Verdict::default();
        for difference in differences {
            let same =
                |(row, meant): &(&str, &Meant)| (*row, meant.field) == (&*difference.row, difference.field);
            match left.iter().position(same).map(|i| left.swap_remove(i)) {
                Some((_, meant)) => verdict.meant.entry(meant.why.text).or_default().push(difference.row),
                None => verdict.wrong.push(difference),
            }
        }
        verdict.stale = left.into_iter().map(|(row, meant)| (row, meant.field)).collect();
        verdict
    }
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

/// What `program`, started for this, is, and COMMAND INFO of all its commands.
fn ask(program: &Path) -> io::Result<(Server, BTreeMap<String, Info>)> {
    let spawned = Spawned::start(program, &["--save", ""])?;
    let mut connection = spawned.connect()?;
    let server = server(&mut connection)?;
    let reply = connection.call(&Request::of("COMMAND"))?;
    let infos = reply.as_slice().unwrap_or_default().iter().map(Info::read).collect::<Option<Vec<_>>>();
    let infos = infos.filter(|infos| !infos.is_empty());
    let infos = infos.ok_or_else(|| io::Error::other("COMMAND's reply is not of the form that is known"))?;
    Ok((server, infos.into_iter().map(|info| (info.name.clone(), info)).collect()))
}

/// What HELLO says of the server.
fn server(connection: &mut Connection) -> io::Result<Server> {
    let reply = connection.call(&Request::of("HELLO 2"))?;
    let pairs = reply.as_slice().unwrap_or_default().chunks(2);
    let said = |wanted: &str| {
        pairs.clone().find_map(|pair| match pair {
            [name, value] if text(name) == wanted => Some(text(value)),
            _ => None,
        })
    };
    let version = said("version").and_then(|version| {
        let mut numbers = version.split('.').map(|n| n.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    });
    let version = version.ok_or_else(|| io::Error::other("HELLO's reply has no version"))?;
    Ok(Server { valkey: said("server").as_deref() == Some("valkey"), version })
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    row: String,
    field: &'static str,
    text: String,
}

/// Notes what differs between commands, or subcommands of one.
fn compare_all(
    ours: &BTreeMap<String, Info>,
    theirs: &BTreeMap<String, Info>,
    differences: &mut Vec<Difference>,
) {
    for (name, info) in ours {
        match theirs.get(name) {
            Some(theirs) => compare(info, theirs, differences),
            None => {
                let text = "the server does not have it".into();
                differences.push(Difference { row: name.clone(), field: "missing", text });
            }
        }
    }
    for name in theirs.keys().filter(|name| !ours.contains_key(*name)) {
        let text = "the table does not have it".into();
        differences.push(Difference { row: name.clone(), field: "absent", text });
    }
}

/// Notes what differs between `ours` and `theirs`, subcommands included.
fn compare(ours: &Info, theirs: &Info, differences: &mut Vec<Difference>) {
    let mut note = |field: &'static str, ours_text: String, theirs_text: String| {
        if ours_text != theirs_text {
            let text = format!("ours {ours_text}, theirs {theirs_text}");
            differences.push(Difference { row: ours.name.clone(), field, text });
        }
    };
    note("arity", ours.arity.to_string(), theirs.arity.to_string());
    note("keys", format!("{:?}", ours.range), format!("{:?}", theirs.range));
    note("flags", format!("{:?}", ours.flags), format!("{:?}", theirs.flags));
    note("categories", format!("{:?}", ours.categories), format!("{:?}", theirs.categories));
    note("tips", format!("{:?}", ours.tips), format!("{:?}", theirs.tips));
    note("key specifications", format!("{:?}", ours.keys), format!("{:?}", theirs.keys));
    compare_all(&ours.subcommands, &theirs.subcommands, differences);
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
        let fields: Vec<(&str, &str)> = found.iter().map(|found| (found.row.as_str(), found.field)).collect();
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
    fn what_is_meant_passes_and_what_no_longer_differs_does_not() {
        const WHY: meant::Reason = meant::Reason { text: "so", shown_by: |server| !server.valkey };
        const LIST: &[Meant] = &[Meant { field: "arity", why: &WHY, rows: "get set" }];
        let found = |row: &str| Difference { row: row.into(), field: "arity", text: String::new() };
        let (redis, valkey) =
            (Server { valkey: false, version: (7, 0) }, Server { valkey: true, version: (9, 1) });
        let verdict = Verdict::of(vec![found("get"), found("del")], LIST, redis);
        assert_eq!(verdict.wrong, [found("del")]);
        assert_eq!(verdict.stale, [("set", "arity")]);
        assert_eq!(verdict.meant["so"], ["get"]);
        let verdict = Verdict::of(vec![found("get")], LIST, valkey);
        assert_eq!((verdict.wrong, verdict.stale.len()), (vec![found("get")], 0));
    }

    #[test]
    fn what_is_meant_is_said_once() {
        let rows = MEANT.iter().flat_map(|meant| meant.rows.split_whitespace().map(|row| (row, meant.field)));
        let mut seen = BTreeSet::new();
        rows.for_each(|row| assert!(seen.insert(row), "{row:?}"));
    }
}
