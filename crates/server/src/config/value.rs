//! Values of directives: how each kind is read from words and written back.

use std::fmt::Write;
use std::path::PathBuf;

use commands::size_bytes;

use super::events;

/// What a directive can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// An integer between two bounds, both included.
    Int(i64, i64),
    /// Any integer from 0 on; what lies outside the bounds becomes the nearer of them.
    Near(i64, i64),
    /// An octal number up to a bound: permissions of a file.
    Octal(u32),
    /// A number of bytes between two bounds, with a unit if wanted: `1k` is 1000, `1kb` 1024, then m, mb, g, gb.
    Memory(u64, u64),
    /// A number of bytes, or per cent of `maxmemory` (`5%`).
    MemoryOrPercent,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Several of these words; the first stands for none.
    Words(&'static [&'static str]),
    /// Any text.
    Text,
    /// A name without any `/`; what is said when there is one.
    FileName(&'static str),
    /// A directory that exists.
    Directory,
    /// A host name; what may be in it is checked.
    HostName,
    /// A template of the process's title.
    Title,
    /// Any number of words.
    List,
    /// Pairs of seconds and changes.
    Save,
    /// Limits of output buffers, each after its class of client.
    BufferLimits,
    /// Letters for classes of keyspace events.
    Events,
    /// Percentiles between 0 and 100.
    Percentiles,
    /// Three numbers between -2000 and 2000.
    OomScores,
    /// Host and port of a primary, or `no one`.
    Primary,
}

/// Classes of clients that have output buffer limits of their own, in the order they are shown.
pub const BUFFER_CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// When a client is closed because it does not take its replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// Bytes waiting that close it at once; 0: no limit.
    pub hard_bytes: u64,
    /// Bytes waiting that close it when they last for `soft_s`; 0: no limit.
    pub soft_bytes: u64,
    /// Seconds.
    pub soft_s: u64,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Int`], [`Kind::Near`].
    Int(i64),
    /// Of [`Kind::Octal`].
    Octal(u32),
    /// Of [`Kind::Memory`], [`Kind::MemoryOrPercent`].
    Memory(u64),
    /// Of [`Kind::MemoryOrPercent`].
    Percent(u8),
    /// Of [`Kind::Word`].
    Word(&'static str),
    /// Of [`Kind::Words`], in the kind's order.
    Words(Vec<&'static str>),
    /// Of [`Kind::Text`] and all kinds of checked text.
    Text(Vec<u8>),
    /// Of [`Kind::List`].
    List(Vec<Vec<u8>>),
    /// Of [`Kind::Save`]: seconds and changes.
    Save(Vec<(u64, u64)>),
    /// Of [`Kind::BufferLimits`], in the order of [`BUFFER_CLASSES`].
    BufferLimits([BufferLimit; 3]),
    /// Of [`Kind::Events`]: see [`events`].
    Events(u32),
    /// Of [`Kind::Percentiles`].
    Percentiles(Vec<f64>),
    /// Of [`Kind::OomScores`].
    OomScores([i64; 3]),
}

impl Kind {
    /// Whether a value may be several words.
    pub fn is_multiple(self) -> bool {
        use Kind::*;
        matches!(self, Words(_) | List | Save | BufferLimits | Percentiles | OomScores | Primary)
    }

    /// Reads a value from its words; `current` is what it replaces (output buffer limits change one by one).
    ///
    /// # Errors
    /// Redis's text that says what the value must be.
    pub fn read(self, words: &[&[u8]], current: Option<&Value>) -> Result<Value, String> {
        if !self.is_multiple() && words.len() != 1 {
            return Err("wrong number of arguments".into());
        }
        let word = words.first().copied().unwrap_or(b"");
        match self {
            Kind::Bool => read_bool(word),
            Kind::Int(min, max) => read_int(word, min, max),
            Kind::Near(min, max) => match read_int(word, 0, i64::from(i32::MAX))? {
                Value::Int(n) => Ok(Value::Int(n.clamp(min, max))),
                other => Ok(other),
            },
            Kind::Octal(max) => read_octal(word, max),
            Kind::Memory(min, max) => read_memory(word, min, max),
            Kind::MemoryOrPercent => read_memory_or_percent(word),
            Kind::Word(all) => match find_word(all, word) {
                Some(word) => Ok(Value::Word(word)),
                None => Err(one_of(all)),
            },
            Kind::Words(all) => read_words(words, all),
            Kind::Text => Ok(Value::Text(word.to_vec())),
            Kind::FileName(why) if word.contains(&b'/') => Err(why.into()),
            Kind::FileName(_) => Ok(Value::Text(word.to_vec())),
            Kind::Directory => read_directory(word),
            Kind::HostName => read_host_name(word),
            Kind::Title => read_title(word),
            Kind::List => {
                Ok(Value::List(words.iter().filter(|w| !w.is_empty()).map(|w| w.to_vec()).collect()))
            }
            Kind::Save => read_save(words),
            Kind::BufferLimits => read_buffer_limits(words, current),
            Kind::Events => events::read(word).map(Value::Events),
            Kind::Percentiles => read_percentiles(words),
            Kind::OomScores => read_oom_scores(words),
            Kind::Primary => read_primary(words),
        }
    }

    /// The words of one string, as CONFIG SET gives a value.
    pub fn split(self, value: &[u8]) -> Vec<&[u8]> {
        if !self.is_multiple() {
            vec![value]
        } else if value.is_empty() {
            Vec::new()
        } else {
            value.split(|&b| b == b' ').collect()
        }
    }
}

impl Value {
    /// The value as CONFIG GET shows it.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Value::Bool(b) => if *b { "yes" } else { "no" }.into(),
            Value::Int(n) => n.to_string().into(),
            Value::Octal(n) => format!("{n:o}").into(),
            Value::Memory(n) => n.to_string().into(),
            Value::Percent(n) => format!("{n}%").into(),
            Value::Word(word) => (*word).into(),
            Value::Words(words) => words.join(" ").into(),
            Value::Text(text) => text.clone(),
            Value::List(words) => words.join(&b' '),
            Value::Save(points) => {
                let points: Vec<String> = points.iter().map(|(s, n)| format!("{s} {n}")).collect();
                points.join(" ").into()
            }
            Value::BufferLimits(limits) => {
                let class = |(name, l): (&str, &BufferLimit)| {
                    format!("{name} {} {} {}", l.hard_bytes, l.soft_bytes, l.soft_s)
                };
                BUFFER_CLASSES.into_iter().zip(limits).map(class).collect::<Vec<_>>().join(" ").into()
            }
            Value::Events(set) => events::text(*set).into(),
            Value::Percentiles(all) => all.iter().map(f64::to_string).collect::<Vec<_>>().join(" ").into(),
            Value::OomScores([a, b, c]) => format!("{a} {b} {c}").into(),
        }
    }
}

/// `yes` or `no` in whatever case.
fn read_bool(word: &[u8]) -> Result<Value, String> {
    match word {
        w if w.eq_ignore_ascii_case(b"yes") => Ok(Value::Bool(true)),
        w if w.eq_ignore_ascii_case(b"no") => Ok(Value::Bool(false)),
        _ => Err("argument must be 'yes' or 'no'".into()),
    }
}

/// An integer in its one canonical form: no plus, no leading zeros, no spaces.
pub(crate) fn integer(word: &[u8]) -> Option<i64> {
    let n: i64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    (n.to_string().as_bytes() == word).then_some(n)
}

fn read_int(word: &[u8], min: i64, max: i64) -> Result<Value, String> {
    let n = integer(word).ok_or("argument couldn't be parsed into an integer")?;
    within(n, min, max).map(Value::Int)
}

fn within<N: PartialOrd + std::fmt::Display>(n: N, min: N, max: N) -> Result<N, String> {
    if n >= min && n <= max {
        Ok(n)
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

fn read_octal(word: &[u8], max: u32) -> Result<Value, String> {
    let digits = std::str::from_utf8(word).ok().filter(|w| w.bytes().all(|b| b.is_ascii_digit()));
    let n = digits.and_then(|w| u32::from_str_radix(w, 8).ok());
    let n = n.ok_or("argument couldn't be parsed as an octal number")?;
    if n > max {
        Err(format!("argument must be between 0 and {max:o} inclusive"))
    } else {
        Ok(Value::Octal(n))
    }
}

fn read_memory(word: &[u8], min: u64, max: u64) -> Result<Value, String> {
    let n = size_bytes(word).ok_or("argument must be a memory value")?;
    within(n, min, max).map(Value::Memory)
}

fn read_memory_or_percent(word: &[u8]) -> Result<Value, String> {
    const NEITHER: &str = "argument must be a memory or percent value";
    let Some(number) = word.strip_suffix(b"%") else {
        return size_bytes(word).map(Value::Memory).ok_or_else(|| NEITHER.into());
    };
    match integer(number) {
        Some(n @ 0..=100) => Ok(Value::Percent(n as u8)),
        Some(n) if n > 100 => Err("percentage argument must be less or equal to 100".into()),
        _ => Err(NEITHER.into()),
    }
}

fn find_word(all: &[&'static str], word: &[u8]) -> Option<&'static str> {
    all.iter().copied().find(|w| w.as_bytes().eq_ignore_ascii_case(word))
}

fn one_of(all: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", all.join(", "))
}

fn read_words(words: &[&[u8]], all: &'static [&'static str]) -> Result<Value, String> {
    let given: Option<Vec<&str>> = words.iter().map(|w| find_word(all, w)).collect();
    let given = given.filter(|g| !g.is_empty()).ok_or_else(|| one_of(all))?;
    if given.contains(&"save") && given.contains(&"nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    let mut chosen: Vec<&str> = all[1..].iter().copied().filter(|w| given.contains(w)).collect();
    if chosen.is_empty() {
        chosen.push(all[0]);
    }
    Ok(Value::Words(chosen))
}

fn read_directory(word: &[u8]) -> Result<Value, String> {
    let path = std::path::absolute(crate::config::path(word)).map_err(|e| system_text(&e))?;
    // Without a slash at its end.
    let path: PathBuf = path.components().collect();
    let found = std::fs::metadata(&path).map_err(|e| system_text(&e))?;
    if !found.is_dir() {
        return Err("Not a directory".into());
    }
    Ok(Value::Text(path.into_os_string().into_encoded_bytes()))
}

/// The system's words for an error, without the number Rust adds.
pub(crate) fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn read_host_name(word: &[u8]) -> Result<Value, String> {
    if word.len() >= 256 {
        return Err("Hostnames must be less than 256 characters".into());
    }
    if !word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into());
    }
    Ok(Value::Text(word.to_vec()))
}

/// Names a title's template may have in braces.
const TITLE_NAMES: [&str; 7] =
    ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];

fn read_title(word: &[u8]) -> Result<Value, String> {
    let text = String::from_utf8_lossy(word);
    let known = text
        .split('{')
        .skip(1)
        .all(|part| part.split_once('}').is_some_and(|(name, _)| TITLE_NAMES.contains(&name)));
    if known && !text.trim().is_empty() {
        Ok(Value::Text(word.to_vec()))
    } else {
        Err("template format is invalid or contains unknown variables".into())
    }
}

fn read_save(words: &[&[u8]]) -> Result<Value, String> {
    if let [] | [b""] = words {
        return Ok(Value::Save(Vec::new()));
    }
    let number = |word: &[u8], min: i64| integer(word).filter(|&n| n >= min).map(i64::unsigned_abs);
    let points = words.chunks(2).map(|pair| match pair {
        [seconds, changes] => Some((number(seconds, 1)?, number(changes, 0)?)),
        _ => None,
    });
    let points: Option<Vec<_>> = points.collect();
    points.map(Value::Save).ok_or_else(|| "Invalid save parameters".into())
}

fn read_buffer_limits(words: &[&[u8]], current: Option<&Value>) -> Result<Value, String> {
    let mut limits = match current {
        Some(Value::BufferLimits(limits)) => *limits,
        _ => [BufferLimit::default(); 3],
    };
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for group in words.chunks_exact(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let limit = || {
            let soft_s = u64::try_from(integer(group[3])?).ok()?;
            Some(BufferLimit { hard_bytes: size_bytes(group[1])?, soft_bytes: size_bytes(group[2])?, soft_s })
        };
        limits[class] =
            limit().ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(Value::BufferLimits(limits))
}

fn read_percentiles(words: &[&[u8]]) -> Result<Value, String> {
    let mut all = Vec::new();
    for word in words.iter().filter(|w| !w.is_empty()) {
        let number = std::str::from_utf8(word).ok().and_then(|w| w.parse::<f64>().ok());
        let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
        }
        all.push(number);
    }
    Ok(Value::Percentiles(all))
}

fn read_oom_scores(words: &[&[u8]]) -> Result<Value, String> {
    let [a, b, c] = words else { return Err("wrong number of arguments".into()) };
    let score = |word: &[u8]| {
        integer(word)
            .filter(|n| (-2000..=2000).contains(n))
            .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
    };
    Ok(Value::OomScores([score(a)?, score(b)?, score(c)?]))
}

fn read_primary(words: &[&[u8]]) -> Result<Value, String> {
    match words {
        [] | [b""] => Ok(Value::Text(Vec::new())),
        [no, one] if no.eq_ignore_ascii_case(b"no") && one.eq_ignore_ascii_case(b"one") => {
            Ok(Value::Text(Vec::new()))
        }
        [host, port] => match integer(port) {
            Some(0..=65535) => Ok(Value::Text([host, &b" "[..], port].concat())),
            _ => Err("Invalid master port".into()),
        },
        _ => Err("wrong number of arguments".into()),
    }
}

/// `bytes` as one word of a configuration file, in quotes when it needs them.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'#');
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    in_quotes(bytes)
}

/// `bytes` in double quotes, with Redis's escapes.
pub(crate) fn in_quotes(bytes: &[u8]) -> String {
    let mut text = String::from('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap_or_default(),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` and writes it again, or gives the error.
    fn again(kind: Kind, text: &str) -> String {
        let read = kind.read(&kind.split(text.as_bytes()), None);
        read.map_or_else(|why| why, |value| String::from_utf8(value.text()).unwrap())
    }

    #[test]
    fn memory_has_units() {
        for (text, bytes) in [("0", "0"), ("5b", "5"), ("1k", "1000"), ("1Kb", "1024"), ("2MB", "2097152")] {
            assert_eq!(again(Kind::Memory(0, u64::MAX), text), bytes);
        }
        for wrong in ["", "-1", "1.5gb", "1tb", "mb", "18446744073709551616", "99999999999gb", " 1", "1 mb"] {
            assert_eq!(again(Kind::Memory(0, u64::MAX), wrong), "argument must be a memory value", "{wrong}");
        }
        assert_eq!(again(Kind::Memory(1024, 2048), "1k"), "argument must be between 1024 and 2048 inclusive");
        assert_eq!(again(Kind::MemoryOrPercent, "5%"), "5%");
        assert_eq!(again(Kind::MemoryOrPercent, "1kb"), "1024");
        assert_eq!(again(Kind::MemoryOrPercent, "101%"), "percentage argument must be less or equal to 100");
        assert_eq!(again(Kind::MemoryOrPercent, "-1%"), "argument must be a memory or percent value");
    }

    #[test]
    fn integers_have_one_form() {
        assert_eq!(again(Kind::Int(-1, 9), "-1"), "-1");
        for wrong in ["", "+5", "05", "5.0", " 5", "-0", "9223372036854775808"] {
            assert_eq!(
                again(Kind::Int(-9, 9), wrong),
                "argument couldn't be parsed into an integer",
                "{wrong}"
            );
        }
        assert_eq!(again(Kind::Near(1, 500), "0"), "1");
        assert_eq!(again(Kind::Octal(0o777), "0750"), "750");
        assert_eq!(again(Kind::Octal(0o777), "8"), "argument couldn't be parsed as an octal number");
        assert_eq!(again(Kind::Octal(0o777), "1000"), "argument must be between 0 and 777 inclusive");
    }

    #[test]
    fn lists_of_their_own_read_back() {
        assert_eq!(again(Kind::Save, "900 1 60 0"), "900 1 60 0");
        for wrong in ["900", "0 1", "5 -1", "900  1", "a 1"] {
            assert_eq!(again(Kind::Save, wrong), "Invalid save parameters", "{wrong}");
        }
        let limits = "normal 0 0 0 slave 5 6 7 pubsub 1024 2 3";
        assert_eq!(again(Kind::BufferLimits, "pubsub 1kb 2 3 replica 5 6 7"), limits);
        assert!(again(Kind::BufferLimits, "normal -1 0 0").starts_with("Error in hard"));
        assert_eq!(again(Kind::Percentiles, "50.50 100 0.001"), "50.5 100 0.001");
        assert_eq!(again(Kind::OomScores, "0 200 -800"), "0 200 -800");
        assert_eq!(again(Kind::Primary, "host 1"), "host 1");
        assert_eq!(again(Kind::Primary, "no ONE"), "");
        assert_eq!(again(Kind::Title, "{title} {nothing}").split(' ').next(), Some("template"));
        assert_eq!(again(Kind::HostName, "a_b").split(' ').next(), Some("Hostnames"));
    }

    #[test]
    fn quotes_are_as_redis_reads_them() {
        assert_eq!(quoted(b"plain-1.2"), "plain-1.2");
        assert_eq!(quoted(b""), "\"\"");
        let bytes: Vec<u8> = (0..=255).collect();
        let words = crate::config::load::words(quoted(&bytes).as_bytes()).unwrap();
        assert_eq!(words, [bytes]);
    }
}
