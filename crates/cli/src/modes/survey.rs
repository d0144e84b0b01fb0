//! `--bigkeys` and `--memkeys`: the biggest key of each type, and how the types share the keyspace.

use std::fmt::Write;

use resp::Value;

use crate::failure::Failure;
use crate::modes::keyspace::Survey;
use crate::options::Options;
use crate::output;
use crate::session::Session;
use crate::words::quoted;

/// A line tells how far it came after so many keys.
const KEYS_BETWEEN_REPORTS: u64 = 1_000_000;

/// What a key's size is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// How many elements it has, or bytes in a string.
    Elements,
    /// The memory it takes; of so many of its elements, when given.
    Memory(Option<u64>),
}

/// What was seen of one type.
#[derive(Debug)]
struct Kind {
    name: String,
    /// The command that counts its elements; unknown types have none.
    size_command: Option<&'static str>,
    unit: &'static str,
    keys: u64,
    size: u64,
    biggest: u64,
    biggest_key: Option<Vec<u8>>,
}

/// The types a server has, and how to count their elements.
const KINDS: [(&str, &str, &str); 6] = [
    ("string", "STRLEN", "bytes"),
    ("list", "LLEN", "items"),
    ("set", "SCARD", "members"),
    ("hash", "HLEN", "fields"),
    ("zset", "ZCARD", "members"),
    ("stream", "XLEN", "entries"),
];

impl Kind {
    fn new(name: &str, size_command: Option<&'static str>, unit: &'static str) -> Kind {
        let name = name.to_owned();
        Kind { name, size_command, unit, keys: 0, size: 0, biggest: 0, biggest_key: None }
    }
}

/// Looks at all keys that `options` choose and prints what it found, the biggest so far on the way.
pub(crate) fn run(session: &mut Session, options: &Options, measure: Measure) -> Result<(), Failure> {
    let mut survey = Survey::start(session, options)?;
    output::print(b"\n# Looking at every key for the biggest of each type and the average sizes.\n")?;
    output::print(b"# With -i 0.1 it rests 0.1 s after each 100 parts of the scan.\n\n")?;
    let mut kinds: Vec<Kind> =
        KINDS.iter().map(|(name, command, unit)| Kind::new(name, Some(command), unit)).collect();
    let mut key_bytes = 0;
    let mut reported = 0;
    while let Some(keys) = survey.next(session)? {
        key_bytes += keys.iter().map(|key| key.len() as u64).sum::<u64>();
        let typed = types(session, &mut kinds, keys)?;
        let sized = sizes(session, &kinds, typed, measure)?;
        for (key, kind, size) in sized {
            if let Some(line) = count(&mut kinds[kind], key, size, measure) {
                output::print(format!("{} {line}", survey.progress()))?;
            }
        }
        if survey.sampled / KEYS_BETWEEN_REPORTS > reported {
            reported = survey.sampled / KEYS_BETWEEN_REPORTS;
            output::print(
                format!("{} Sampled {} keys so far\n", survey.progress(), survey.sampled).as_bytes(),
            )?;
        }
    }
    output::print(summary(&survey, &kinds, key_bytes, measure))?;
    Ok(())
}

/// Each key with the index of its kind; keys that are gone are left out, and kinds met first are added.
fn types(
    session: &mut Session,
    kinds: &mut Vec<Kind>,
    keys: Vec<Vec<u8>>,
) -> Result<Vec<(Vec<u8>, usize)>, Failure> {
    let requests: Vec<_> = keys.iter().map(|key| vec![b"TYPE".as_slice(), key]).collect();
    let replies = session.ask_all(&requests)?;
    let mut typed = Vec::with_capacity(keys.len());
    for (key, reply) in keys.into_iter().zip(replies) {
        let Value::Simple(name) = reply else {
            let error = String::from_utf8_lossy(reply.as_error().unwrap_or(b"no type")).into_owned();
            return Err(Failure::Refused(format!("TYPE failed: {error}")));
        };
        let name = String::from_utf8_lossy(&name).into_owned();
        if name == "none" {
            continue;
        }
        let kind = kinds.iter().position(|kind| kind.name == name).unwrap_or_else(|| {
            kinds.push(Kind::new(&name, None, "?"));
            kinds.len() - 1
        });
        typed.push((key, kind));
    }
    Ok(typed)
}

/// Each key with its kind and size, 0 when it changed its type or is gone by now.
fn sizes(
    session: &mut Session,
    kinds: &[Kind],
    typed: Vec<(Vec<u8>, usize)>,
    measure: Measure,
) -> Result<Vec<(Vec<u8>, usize, u64)>, Failure> {
    let request = |(key, kind): &(Vec<u8>, usize)| {
        let words: Vec<String> = match measure {
            Measure::Elements => {
                kinds[*kind].size_command.iter().map(|&command| command.to_owned()).collect()
            }
            Measure::Memory(_) => vec!["MEMORY".to_owned(), "USAGE".to_owned()],
        };
        let mut request: Vec<Vec<u8>> = words.into_iter().map(String::into_bytes).collect();
        if request.is_empty() {
            return None;
        }
        request.push(key.clone());
        if let Measure::Memory(Some(samples)) = measure {
            request.extend([b"SAMPLES".to_vec(), samples.to_string().into_bytes()]);
        }
        Some(request)
    };
    let requests: Vec<Option<_>> = typed.iter().map(request).collect();
    let asked: Vec<bool> = requests.iter().map(Option::is_some).collect();
    let mut replies = session.ask_all(&requests.into_iter().flatten().collect::<Vec<_>>())?.into_iter();
    let mut sized = Vec::with_capacity(typed.len());
    for ((key, kind), asked) in typed.into_iter().zip(asked) {
        let size = if asked { replies.next().and_then(|reply| reply.as_int()) } else { None };
        sized.push((key, kind, size.unwrap_or(0).unsigned_abs()));
    }
    Ok(sized)
}

/// Takes a key into account; a line about it when it is the biggest of its kind so far.
fn count(kind: &mut Kind, key: Vec<u8>, size: u64, measure: Measure) -> Option<String> {
    kind.keys += 1;
    kind.size += size;
    if size <= kind.biggest {
        return None;
    }
    kind.biggest = size;
    let line = format!(
        "Biggest {:<6} found so far '{}' with {size} {}\n",
        kind.name,
        quoted(&key),
        unit(kind, measure)
    );
    kind.biggest_key = Some(key);
    Some(line)
}

fn unit(kind: &Kind, measure: Measure) -> &'static str {
    match measure {
        Measure::Elements => kind.unit,
        Measure::Memory(_) => "bytes",
    }
}

fn summary(survey: &Survey, kinds: &[Kind], key_bytes: u64, measure: Measure) -> String {
    let average = |sum: u64, n: u64| if n == 0 { 0.0 } else { sum as f64 / n as f64 };
    let stopped = if survey.was_stopped() { format!("{} ", survey.progress()) } else { String::new() };
    let mut out = String::from("\n-------- summary -------\n\n");
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{stopped}Sampled {} keys in the keyspace!\nTotal key length in bytes is {key_bytes} (avg len {:.2})\n\n",
        survey.sampled,
        average(key_bytes, survey.sampled)
    );
    for kind in kinds {
        let unit = unit(kind, measure);
        if let Some(key) = &kind.biggest_key {
            let _ =
                writeln!(out, "Biggest {:>6} found '{}' has {} {unit}", kind.name, quoted(key), kind.biggest);
        }
    }
    out.push('\n');
    for kind in kinds {
        let percent = 100.0 * average(kind.keys, survey.sampled);
        let _ = writeln!(
            out,
            "{} {}s with {} {} ({percent:05.2}% of keys, avg size {:.2})",
            kind.keys,
            kind.name,
            kind.size,
            unit(kind, measure),
            average(kind.size, kind.keys)
        );
    }
    out
}
