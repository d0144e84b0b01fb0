//! Replies as a person or a script reads them: which form, and where it goes.

mod csv;
mod json;
mod paint;
mod raw;
mod text;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;

use resp::Value;

use crate::failure::Failure;
use crate::options::{Options, YesNo};
pub(crate) use paint::{Paint, Tone};

/// The form replies are printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Typed, numbered and quoted, as on a terminal.
    Text,
    /// The bytes themselves.
    Raw,
    Csv,
    Json,
    /// JSON whose strings escape all but printable ASCII.
    QuotedJson,
}

/// How to print, as the options and the terminal say.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// The form.
    pub(crate) format: Format,
    /// Colours of the typed form, and of help.
    pub(crate) paint: Paint,
    /// Between elements of an aggregate in the raw form.
    pub(crate) element_delimiter: Vec<u8>,
    /// After a reply in the raw form.
    pub(crate) reply_delimiter: Vec<u8>,
    /// Whether push messages are printed.
    pub(crate) show_pushes: bool,
}

impl Style {
    /// The style that `options` ask for, given whether stdout is a terminal and whether colours are welcome.
    pub(crate) fn new(options: &Options, terminal: bool, colours: bool) -> Style {
        let format = if options.json {
            Format::Json
        } else if options.quoted_json {
            Format::QuotedJson
        } else if options.csv {
            Format::Csv
        } else if options.raw || (!terminal && !options.no_raw) {
            Format::Raw
        } else {
            Format::Text
        };
        let delimiter = |option: &Option<OsString>| match option {
            Some(delimiter) => delimiter.clone().into_vec(),
            None => b"\n".to_vec(),
        };
        Style {
            format,
            paint: Paint::new(terminal && colours),
            element_delimiter: delimiter(&options.element_delimiter),
            reply_delimiter: delimiter(&options.reply_delimiter),
            show_pushes: options.show_pushes.map_or(terminal, |choice| choice == YesNo::Yes),
        }
    }

    /// Whether stdout is a terminal, or FAKETTY says to act as if it were.
    pub(crate) fn stdout_is_terminal() -> bool {
        io::stdout().is_terminal() || std::env::var_os("FAKETTY").is_some()
    }

    /// Whether the terminal's user wants colours, by the rules of <https://no-color.org>.
    pub(crate) fn colours_welcome() -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value: OsString| !value.is_empty());
        !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// One reply, with what ends it. `verbatim`: its text is laid out by the server for a person to read
    /// (INFO), so the typed form shows it as it is.
    pub(crate) fn render(&self, value: &Value, verbatim: bool) -> Vec<u8> {
        let mut out = Vec::new();
        match self.format {
            Format::Text | Format::Raw if verbatim => raw::write(&mut out, value, &self.element_delimiter),
            Format::Text => text::write(&mut out, value, self.paint),
            Format::Raw => {
                raw::write(&mut out, value, &self.element_delimiter);
                out.extend_from_slice(&self.reply_delimiter);
            }
            Format::Csv => {
                csv::write(&mut out, value);
                out.push(b'\n');
            }
            Format::Json | Format::QuotedJson => {
                json::write(&mut out, value, self.format == Format::QuotedJson);
                out.push(b'\n');
            }
        }
        out
    }

    /// A message that nobody asked for.
    pub(crate) fn render_push(&self, value: &Value) -> Vec<u8> {
        match invalidated(value) {
            Some(keys) if self.format == Format::Text => {
                let keys: Vec<_> =
                    keys.iter().filter_map(Value::as_bytes).map(String::from_utf8_lossy).collect();
                format!("-> invalidate: '{}'\n", keys.join("', '")).into_bytes()
            }
            _ => self.render(value, false),
        }
    }
}

/// The keys of client-side caching's `invalidate` message.
fn invalidated(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Push(parts) => match parts.as_slice() {
            [name, Value::Array(keys)] if name.as_bytes() == Some(b"invalidate") => Some(keys),
            _ => None,
        },
        _ => None,
    }
}

/// Writes to stdout at once.
pub(crate) fn print(bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes.as_ref()).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

/// Writes a line to stderr.
pub(crate) fn complain(line: &str) {
    // Nobody is left to be told when stderr is closed.
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(line: &str, terminal: bool) -> Style {
        let options = Options::parse_args(line.split_whitespace().map(OsString::from)).unwrap();
        Style::new(&options, terminal, true)
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn the_form_follows_options_and_terminal() {
        let cases = [
            ("", true, Format::Text),
            ("", false, Format::Raw),
            ("--raw", true, Format::Raw),
            ("--no-raw", false, Format::Text),
            ("--csv", true, Format::Csv),
            ("--json", false, Format::Json),
            ("--quoted-json", true, Format::QuotedJson),
        ];
        for (line, terminal, format) in cases {
            assert_eq!(style(line, terminal).format, format, "{line}");
        }
        assert!(style("", true).show_pushes && !style("", false).show_pushes);
        assert!(!style("--show-pushes no", true).show_pushes);
    }

    #[test]
    fn raw_replies_end_with_the_delimiter() {
        let array = Value::Array(vec![bulk("a"), bulk("b")]);
        assert_eq!(style("--raw", true).render(&array, false), b"a\nb\n");
        assert_eq!(style("--raw -d , -D ;", true).render(&array, false), b"a,b;");
        assert_eq!(style("--raw", true).render(&bulk("# Server\r\n"), true), b"# Server\r\n");
        assert_eq!(style("--no-raw", false).render(&bulk("# Server\r\n"), true), b"# Server\r\n");
        assert_eq!(style("--json", true).render(&bulk("# Server\r\n"), true), b"\"# Server\\r\\n\"\n");
    }

    #[test]
    fn invalidations_are_put_plainly() {
        let keys = Value::Array(vec![bulk("a"), bulk("b")]);
        let push = Value::Push(vec![bulk("invalidate"), keys]);
        assert_eq!(style("--no-raw", false).render_push(&push), b"-> invalidate: 'a', 'b'\n");
        assert_eq!(style("--raw", false).render_push(&push), b"invalidate\na\nb\n");
        let flushed = Value::Push(vec![bulk("invalidate"), Value::Null]);
        assert_eq!(style("--no-raw", false).render_push(&flushed), b"1) \"invalidate\"\n2) (nil)\n");
    }
}
