//! CONFIG REWRITE: makes the configuration file say what is so now, and leaves the rest of it as it was.
//!
//! A line stays as it is while the file as a whole gives its directive the value it has. Otherwise the
//! directive's first line gets the new value, its other lines go, and a directive without a line gets one at
//! the end. The new file replaces the old one in one step, after it has reached the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::load::{self, LoadError};
use super::settings::Values;
use super::table::{self, Directive, table};
use super::value::{Kind, Value, quoted, system_text};

/// The comment before lines that were added.
const ADDED: &str = "# Added by CONFIG REWRITE";

/// Why the file is as it was. `Display` gives the error reply.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The server was started without one.
    #[error("ERR The server is running without a config file")]
    NoFile,
    /// It cannot be read or written.
    #[error("ERR Rewriting config file: {}", system_text(.0))]
    Io(#[from] io::Error),
    /// It is wrong as it stands, so there is no telling what it would mean.
    #[error("ERR Rewriting config file: {}", .0.to_string().trim_start())]
    Unreadable(#[from] LoadError),
}

/// Which directives are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those whose value the file does not give.
    Changed,
    /// All.
    All,
}

/// Makes `file` give `values`.
pub(super) fn rewrite(file: &Path, values: &Values, which: Which) -> Result<(), RewriteError> {
    let old = match fs::read(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let mut lines: Vec<Vec<u8>> = old.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    replace(&mut lines, values, &load::values_of(&old, file)?);
    let text = join(&lines);
    // What an included file says after the replaced line still wins: such directives get a last line too.
    let read_back = load::values_of(&text, file)?;
    let given = |row: &Directive| lines.iter().any(|line| is_about(line, row));
    let missing: Vec<&Directive> = table()
        .filter(|row| values.get(row.name) != read_back.get(row.name) || which == Which::All && !given(row))
        .collect();
    if !missing.is_empty() && !lines.iter().any(|line| line == ADDED.as_bytes()) {
        lines.push(ADDED.into());
    }
    lines.extend(missing.iter().map(|row| line(row, values.get(row.name)).into_bytes()));
    let text = join(&lines);
    if text == old {
        return Ok(());
    }
    write(file, &text)?;
    Ok(())
}

/// Gives the first line of each directive that changed its new value, and removes its other lines.
fn replace(lines: &mut Vec<Vec<u8>>, values: &Values, old: &Values) {
    let mut done: Vec<&str> = Vec::new();
    lines.retain_mut(|text| {
        let Some(row) = directive_of(text) else { return true };
        let value = values.get(row.name);
        if value == old.get(row.name) {
            return true;
        }
        let first = !done.contains(&row.name);
        if first {
            done.push(row.name);
            *text = line(row, value).into_bytes();
        }
        first
    });
}

fn directive_of(line: &[u8]) -> Option<&'static Directive> {
    let line = line.trim_ascii();
    if line.starts_with(b"#") {
        return None;
    }
    table::find(load::words(line).ok()?.first()?)
}

fn is_about(line: &[u8], row: &Directive) -> bool {
    directive_of(line).is_some_and(|found| found.name == row.name)
}

fn join(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"]).flatten().copied().collect()
}

/// The line that gives the directive of `row` this value.
fn line(row: &Directive, value: &Value) -> String {
    let words = match value {
        Value::Memory(bytes) => memory(*bytes),
        Value::List(words) if !words.is_empty() => {
            words.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(" ")
        }
        Value::Text(text) if row.kind != Kind::Primary || text.is_empty() => quoted(text),
        other => match String::from_utf8_lossy(&other.text()) {
            empty if empty.is_empty() => quoted(b""),
            text if row.kind == Kind::Events => quoted(text.as_bytes()),
            text => text.into_owned(),
        },
    };
    format!("{} {words}", row.name)
}

/// A number of bytes in the biggest unit that leaves no fraction.
fn memory(bytes: u64) -> String {
    let units = [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    let unit = units.into_iter().find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(size, name)| format!("{}{name}", bytes / size))
}

/// Replaces `file` with one that holds `text`.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let directory = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = directory.join(name);
    let written = File::create(&temporary).and_then(|mut out| {
        if let Ok(old) = fs::metadata(&file) {
            out.set_permissions(old.permissions())?;
        }
        out.write_all(text)?;
        out.sync_all()?;
        fs::rename(&temporary, &file)?;
        File::open(directory)?.sync_all()
    });
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rewrites a file of `text` with `changes` and gives what it holds then.
    fn rewritten(test: &str, text: &str, changes: &[(&str, &str)]) -> String {
        let dir = std::env::temp_dir().join(format!("ebbtide-rewrite-{}-{test}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("test.conf");
        fs::write(&file, text).unwrap();
        let mut values = load::values_of(text.as_bytes(), &file).unwrap();
        for (name, value) in changes {
            let row = table::find(name.as_bytes()).unwrap();
            let value = row.kind.read(&row.kind.split(value.as_bytes()), Some(values.get(row.name))).unwrap();
            values.set(row, value);
        }
        rewrite(&file, &values, Which::Changed).unwrap();
        let out = fs::read_to_string(&file).unwrap();
        assert_eq!(load::values_of(out.as_bytes(), &file).unwrap(), values, "reads back the same");
        let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["test.conf"], "no temporary file is left");
        fs::remove_dir_all(&dir).unwrap();
        out
    }

    #[test]
    fn keeps_comments_order_and_spelling() {
        let text = "# mine\nport 7000\n\nmaxmemory 1gb # not a comment to Redis, so not here\n";
        assert!(load::values_of(text.as_bytes(), Path::new("x")).is_err());
        let text = "# mine\nport 7000\n\nmaxmemory 1024mb\n   hz   20\n";
        assert_eq!(rewritten("same", text, &[]), text);
        let out = rewritten("some", text, &[("port", "7001"), ("timeout", "5")]);
        assert_eq!(
            out,
            "# mine\nport 7001\n\nmaxmemory 1024mb\n   hz   20\n# Added by CONFIG REWRITE\ntimeout 5\n"
        );
        assert_eq!(rewritten("again", &out, &[("hz", "30"), ("tcp-keepalive", "1")]).matches('#').count(), 2);
    }

    #[test]
    fn several_lines_of_one_directive_become_one() {
        let text = "save 900 1\nslave-priority 7\nsave 300 10\n";
        let out = rewritten("save", text, &[("save", ""), ("replica-priority", "8")]);
        assert_eq!(out, "save \"\"\nreplica-priority 8\n");
        let limits = "client-output-buffer-limit normal 1kb 0 0\n";
        let out = rewritten("limits", limits, &[("client-output-buffer-limit", "pubsub 1 2 3")]);
        assert_eq!(
            out,
            "client-output-buffer-limit normal 1024 0 0 slave 268435456 67108864 60 pubsub 1 2 3\n"
        );
    }

    #[test]
    fn quotes_what_needs_quotes() {
        let out = rewritten(
            "quotes",
            "requirepass x",
            &[
                ("requirepass", "a b\"\n\u{1}#"),
                ("bind", "127.0.0.1 -::1 ::2"),
                ("notify-keyspace-events", "K$"),
            ],
        );
        assert_eq!(
            out,
            "requirepass \"a b\\\"\\n\\x01#\"\n# Added by CONFIG REWRITE\nbind 127.0.0.1 -::1 ::2\nnotify-keyspace-events $K\n"
        );
    }
}
