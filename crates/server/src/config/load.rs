//! Reads the configuration that a start begins with: a file, then the words of the command line.
//!
//! The command line is taken as more lines of the file, as redis-server does it: `--name` begins a line, and
//! what follows are its values.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use commands::{RenameError, Renames};
use resp::Span;

use super::include;
use super::settings::Values;
use super::table::{self, Directive, STATEMENTS};
use super::value::{Value, in_quotes, system_text};

/// Files that may include one another this deep.
const INCLUDE_DEPTH_MAX: usize = 16;

/// What a start is to work with.
#[derive(Debug)]
pub struct Loaded {
    /// Every directive's value.
    pub values: Values,
    /// The configuration file, absolute; CONFIG REWRITE writes to it.
    pub file: Option<PathBuf>,
    /// Names that commands are to have (`rename-command`).
    pub renames: Renames,
    /// What to log about directives that were given and have no effect.
    pub notes: Vec<String>,
}

/// Why a configuration cannot be used. `Display` gives what belongs on standard error.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("Fatal error, can't open config file '{}': {why}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// A line is wrong.
    #[error("\n*** FATAL CONFIG FILE ERROR (Ebbtide {version}) ***\nReading {place}\n>>> '{line}'\n{why}", version = crate::VERSION)]
    Line {
        /// Where it stands.
        place: Place,
        /// The line.
        line: String,
        /// What is wrong with it.
        why: String,
    },
    /// Another tool of Redis's is asked for.
    #[error("{0}")]
    NotHere(&'static str),
}

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, counted from 1.
    File(PathBuf, usize),
    /// On the command line.
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file, line) => {
                write!(f, "the configuration file {}, at line {line}", file.display())
            }
            Place::CommandLine => write!(f, "the command line"),
        }
    }
}

/// Reads what `args`, a command line without the program's name, ask for.
///
/// # Errors
/// [`LoadError`], which names the line that is wrong.
pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<Loaded, LoadError> {
    let mut args: Vec<Vec<u8>> = args.into_iter().map(OsString::into_vec).collect();
    refuse_other_tools(&args)?;
    let mut loader = Loader::default();
    let mut file = None;
    if args.first().is_some_and(|first| !first.starts_with(b"-")) {
        let name = super::path(&args.remove(0)).to_owned();
        loader.file(&name, 0)?;
        file = Some(std::path::absolute(&name).unwrap_or(name));
    }
    // A lone dash at either end, as redis-server has it.
    let dash = [args.len().checked_sub(1), Some(0)]
        .into_iter()
        .flatten()
        .find(|&i| args.get(i).is_some_and(|arg| arg == b"-"));
    if let Some(at) = dash {
        args.remove(at);
        loader.standard_input()?;
    }
    for line in command_lines(&args) {
        loader.line(&line, || Place::CommandLine, 0)?;
    }
    let notes = loader.notes();
    Ok(Loaded { values: loader.values, file, renames: loader.renames, notes })
}

/// The values that `text`, the contents of `file`, gives together with the files it includes.
///
/// # Errors
/// [`LoadError`], which names the line that is wrong.
pub(super) fn values_of(text: &[u8], file: &Path) -> Result<Values, LoadError> {
    let mut loader = Loader::default();
    loader.text(text, file, 0)?;
    Ok(loader.values)
}

fn refuse_other_tools(args: &[Vec<u8>]) -> Result<(), LoadError> {
    if args.iter().any(|arg| arg == b"--sentinel") {
        return Err(LoadError::NotHere("Ebbtide has no sentinel mode: run Redis's or Valkey's sentinel"));
    }
    match args.first().map(Vec::as_slice) {
        Some(b"--test-memory") => {
            Err(LoadError::NotHere("Ebbtide does not test memory: use memtest86+ or memtester"))
        }
        Some(b"--check-system") => Err(LoadError::NotHere("Ebbtide has no checks of the system")),
        _ => Ok(()),
    }
}

/// The command line's words as lines of a file. The first word after a `--name` is its value even when it
/// begins with `--` itself, except after `--save`, which may stand alone.
fn command_lines(args: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut has_value = true;
    for (i, arg) in args.iter().enumerate() {
        match arg.strip_prefix(b"--") {
            Some(name) if has_value => {
                let mut line = name.to_vec();
                has_value = words(name).is_ok_and(|words| words.len() > 1);
                let next_is_name = args.get(i + 1).is_none_or(|next| next.starts_with(b"--"));
                if name.eq_ignore_ascii_case(b"save") && next_is_name {
                    line.extend_from_slice(b" \"\"");
                    has_value = true;
                }
                lines.push(line);
            }
            _ => {
                match lines.last_mut() {
                    Some(line) => {
                        line.push(b' ');
                        line.extend_from_slice(in_quotes(arg).as_bytes());
                    }
                    None => lines.push(in_quotes_unless_plain(arg)),
                }
                has_value = true;
            }
        }
    }
    lines
}

/// A first word without `--`: taken for the name of a directive, as redis-server takes `loglevel debug`.
fn in_quotes_unless_plain(arg: &[u8]) -> Vec<u8> {
    let plain = !arg.is_empty() && arg.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    if plain { arg.to_vec() } else { in_quotes(arg).into_bytes() }
}

/// The words of a line, unquoted.
pub(super) fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, resp::UnbalancedQuotes> {
    let mut line = line.to_vec();
    let mut spans: Vec<Span> = Vec::new();
    resp::split_line(&mut line, &mut spans)?;
    Ok(spans.iter().map(|s| line[s.start..s.end].to_vec()).collect())
}

/// A line as it is shown to whoever started the server: a secret is not.
fn shown(line: &[u8]) -> String {
    let name = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    match table::find(name) {
        Some(row) if row.secret => format!("{} (a secret)", row.name),
        _ => String::from_utf8_lossy(line).into_owned(),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Loader {
    values: Values,
    /// Directives that were given.
    given: BTreeSet<&'static str>,
    /// What commands are called.
    renames: Renames,
    /// Notes about statements that were given.
    statements: Vec<String>,
}

impl Loader {
    fn file(&mut self, file: &Path, depth: usize) -> Result<(), LoadError> {
        let text = std::fs::read(file)
            .map_err(|e| LoadError::File { file: file.to_owned(), why: system_text(&e) })?;
        self.text(&text, file, depth)
    }

    fn standard_input(&mut self) -> Result<(), LoadError> {
        let file = Path::new("(standard input)");
        let mut text = Vec::new();
        std::io::stdin()
            .read_to_end(&mut text)
            .map_err(|e| LoadError::File { file: file.to_owned(), why: system_text(&e) })?;
        self.text(&text, file, 0)
    }

    fn text(&mut self, text: &[u8], file: &Path, depth: usize) -> Result<(), LoadError> {
        for (i, line) in text.split(|&b| b == b'\n').enumerate() {
            self.line(line, || Place::File(file.to_owned(), i + 1), depth)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], place: impl Fn() -> Place, depth: usize) -> Result<(), LoadError> {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(());
        }
        let wrong = |why: String| LoadError::Line { place: place(), line: shown(line), why };
        let words = words(line).map_err(|_| wrong("Unbalanced quotes in configuration line".into()))?;
        let Some((name, values)) = words.split_first() else { return Ok(()) };
        if name.eq_ignore_ascii_case(b"include") && values.len() == 1 {
            if depth == INCLUDE_DEPTH_MAX {
                return Err(wrong(format!("files include one another more than {INCLUDE_DEPTH_MAX} deep")));
            }
            for file in include::files(super::path(&values[0])) {
                self.file(&file, depth + 1)?;
            }
            return Ok(());
        }
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        match table::find(name) {
            Some(row) => self.directive(row, &values).map_err(wrong),
            None => self.statement(name, &values).map_err(wrong),
        }
    }

    fn directive(&mut self, row: &'static Directive, words: &[&[u8]]) -> Result<(), String> {
        // A value of several words may also stand in one, in quotes.
        let split: Vec<&[u8]> = match words {
            [one] => row.kind.split(one),
            several => several.to_vec(),
        };
        let first = self.given.insert(row.name);
        let current = self.values.get(row.name);
        let value = match (row.kind.read(&split, Some(current))?, current) {
            // Lines of `save` add up, except that the first replaces the default and an empty one clears.
            (Value::Save(new), Value::Save(old)) if !first && !new.is_empty() => {
                Value::Save([old.as_slice(), &new].concat())
            }
            (value, _) => value,
        };
        self.values.set(row, value);
        Ok(())
    }

    fn statement(&mut self, name: &[u8], words: &[&[u8]]) -> Result<(), String> {
        let statement = STATEMENTS.iter().find(|s| s.name.as_bytes().eq_ignore_ascii_case(name));
        match statement {
            Some(s) if (s.words_min..=s.words_max).contains(&words.len()) => {
                self.statements.extend(s.remark());
                if s.name == "rename-command" { self.rename(words) } else { Ok(()) }
            }
            _ => {
                let mut why = "Bad directive or wrong number of arguments".to_owned();
                if let (None, Some(near)) = (statement, nearest(name)) {
                    why.push_str(&format!(" (did you mean '{near}'?)"));
                }
                Err(why)
            }
        }
    }

    fn rename(&mut self, words: &[&[u8]]) -> Result<(), String> {
        match self.renames.rename(words[0], words[1]) {
            // An existing file may well name a command that is not built yet.
            Err(RenameError::Unknown) => {
                let name = String::from_utf8_lossy(words[0]);
                self.statements.push(format!("There is no command '{name}' to give another name."));
                Ok(())
            }
            other => other.map_err(|why| why.to_string()),
        }
    }

    /// One line for each directive that was given a value other than its default and has no effect.
    fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.statements);
        notes.dedup();
        let idle = table::table().filter(|row| self.given.contains(row.name));
        for row in idle.filter(|row| *self.values.get(row.name) != row.default_value()) {
            notes.extend(row.remark());
        }
        notes
    }
}

/// The directive whose name is nearest to `name`, if one is near.
fn nearest(name: &[u8]) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let names = table::table().flat_map(Directive::names).chain(STATEMENTS.iter().map(|s| s.name));
    let near = names.map(|n| (distance(&name, n.as_bytes()), n)).min()?;
    (near.0 <= 1 + name.len() / 4).then_some(near.1)
}

/// How many letters must be put in, taken out or changed to make `b` of `a`.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_load(args: &[&str]) -> Result<Loaded, String> {
        load(args.iter().map(OsString::from)).map_err(|e| e.to_string())
    }

    fn text(loaded: &Loaded, name: &str) -> String {
        String::from_utf8(loaded.values.get(name).text()).unwrap()
    }

    /// Loads a file of `text` with more arguments, and takes the file's name out of an error.
    fn load_file(test: &str, text: &str, more: &[&str]) -> Result<Loaded, String> {
        let file = std::env::temp_dir().join(format!("ebbtide-load-{}-{test}.conf", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let name = file.to_str().unwrap();
        let loaded = try_load(&[&[name], more].concat()).map_err(|e| e.replace(name, "FILE"));
        std::fs::remove_file(&file).unwrap();
        loaded
    }

    #[test]
    fn flags_are_lines() {
        let loaded =
            try_load(&["--port", "7000", "--save", "3600", "1", "300", "10", "--maxmemory 1mb"]).unwrap();
        assert_eq!(text(&loaded, "port"), "7000");
        assert_eq!(text(&loaded, "save"), "3600 1 300 10");
        assert_eq!(text(&loaded, "maxmemory"), "1048576");
        let loaded =
            try_load(&["--save", "--PORT", "1", "--proc-title-template", "--x", "--save", ""]).unwrap();
        assert_eq!(text(&loaded, "save"), "");
        assert_eq!(text(&loaded, "proc-title-template"), "--x");
        let loaded = try_load(&["--shutdown-on-sigint", "nosave force now", "--bind", "a", "-b"]).unwrap();
        assert_eq!(text(&loaded, "shutdown-on-sigint"), "nosave now force");
        assert_eq!(text(&loaded, "bind"), "a -b");
    }

    #[test]
    fn wrong_flags_are_named() {
        for (args, line, why) in [
            (&["--invalid"][..], "invalid", "Bad directive or wrong number of arguments"),
            (&["--port"], "port", "wrong number of arguments"),
            (&["--port", "6379", "6380"], "port \"6379\" \"6380\"", "wrong number of arguments"),
            (&["--port", "--hz", "5"], "port \"--hz\" \"5\"", "wrong number of arguments"),
            (&["--port", "70000"], "port \"70000\"", "argument must be between 0 and 65535 inclusive"),
            (&["--port=7000"], "port=7000", "Bad directive or wrong number of arguments"),
            (&["--prot", "7000"], "prot \"7000\"", "wrong number of arguments (did you mean 'port'?)"),
            (&["--hz", "1", "--maxmemory", "1zb"], "maxmemory \"1zb\"", "argument must be a memory value"),
            (
                &["--shutdown-on-sigint"],
                "shutdown-on-sigint",
                "argument(s) must be one of the following: default, save",
            ),
            (&["--requirepass", "a", "b"], "requirepass (a secret)", "wrong number of arguments"),
            (&["--replicaof", "a", "b"], "replicaof \"a\" \"b\"", "Invalid master port"),
            (&["--user"], "user", "Bad directive or wrong number of arguments"),
            (&["-x"], "-x", "Bad directive"),
        ] {
            let error = try_load(args).unwrap_err();
            assert!(error.contains(&format!("the command line\n>>> '{line}'\n")), "{error}");
            assert!(error.contains(why), "{error}");
        }
        assert!(try_load(&["--sentinel"]).unwrap_err().contains("sentinel"));
        assert!(try_load(&["--test-memory", "1"]).unwrap_err().contains("memory"));
    }

    #[test]
    fn a_file_comes_first() {
        let text_of = "# a comment\n\tport 7000\r\nsave 900 1\n\nhz 20\nrequirepass \"a\\x20b\"\n";
        let loaded = load_file("first", text_of, &["--save", "100", "100", "--port", "7001"]).unwrap();
        assert_eq!(text(&loaded, "port"), "7001");
        assert_eq!(text(&loaded, "save"), "900 1 100 100");
        assert_eq!(text(&loaded, "requirepass"), "a b");
        assert!(loaded.file.unwrap().is_absolute());
        assert!(loaded.notes[0].starts_with("Directive 'hz' has no effect"), "{:?}", loaded.notes);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = load_file("wrong", "port 7000\nmaxmemory 2mb 3mb\n", &[]).unwrap_err();
        let version = crate::VERSION;
        assert_eq!(
            error,
            format!(
                "\n*** FATAL CONFIG FILE ERROR (Ebbtide {version}) ***\n\
                 Reading the configuration file FILE, at line 2\n>>> 'maxmemory 2mb 3mb'\n\
                 wrong number of arguments"
            )
        );
        assert!(
            load_file("quotes", "port \"7000", &[])
                .unwrap_err()
                .ends_with("Unbalanced quotes in configuration line")
        );
        let missing = try_load(&["/nowhere/x.conf"]).unwrap_err();
        assert_eq!(
            missing,
            "Fatal error, can't open config file '/nowhere/x.conf': No such file or directory"
        );
    }

    #[test]
    fn files_include_files() {
        let dir = std::env::temp_dir().join(format!("ebbtide-include-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in [("b.conf", "port 2\nhz 20\n"), ("a.conf", "port 1\n"), (".c.conf", "port 3\n")] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let dir_name = dir.to_str().unwrap();
        let loaded = load_file("dir", &format!("dir {dir_name}/./"), &[]).unwrap();
        assert_eq!(text(&loaded, "dir"), dir_name);
        let loaded = load_file("include", &format!("include {dir_name}/*.conf\ntimeout 9"), &[]).unwrap();
        assert_eq!(text(&loaded, "port"), "2");
        assert_eq!(text(&loaded, "hz"), "20");
        assert_eq!(text(&loaded, "timeout"), "9");
        std::fs::write(dir.join("loop.conf"), format!("include {dir_name}/loop.conf")).unwrap();
        let error = load_file("loop", &format!("include {dir_name}/loop.conf"), &[]).unwrap_err();
        assert!(error.contains("16 deep"), "{error}");
        assert!(load_file("none", &format!("include {dir_name}/none"), &[]).is_err());
        assert!(load_file("nothing", &format!("include {dir_name}/z*"), &[]).is_ok());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn directives_without_effect_are_noted_when_they_differ() {
        let text = "appendonly no\ndaemonize yes\nrename-command no x\nuser a on\nio-threads-do-reads no\n";
        let notes = load_file("notes", text, &[]).unwrap().notes;
        let told: Vec<&str> = notes.iter().map(|n| n.split('\'').nth(1).unwrap()).collect();
        assert_eq!(told, ["no", "user", "io-threads-do-reads", "daemonize"]);
    }
}
