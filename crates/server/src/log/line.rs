//! What a line of the log looks like, in each format.
//!
//! `legacy` is Redis's: `PID:M 21 Nov 2026 07:31:44.123 * message`, in UTC. `logfmt` and the ways to write times are
//! Valkey's. `json` is an object a line, with the same keys. What an event says beside its message, such as the
//! client it is about, is in these two only: in Redis's lines the message says it all.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};

use super::time::Time;
use crate::config::LogLevel;
use crate::config::settings::{LogFormat, LogTimes};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) format: LogFormat,
    pub(super) times: LogTimes,
}

/// One entry of the log.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) pid: u32,
    pub(super) unix_ms: i64,
    pub(super) level: LogLevel,
    pub(super) text: Text,
}

impl Entry {
    /// The line, with its end. `M` and `primary`: that is what this server is.
    pub(super) fn line(&self, style: Style) -> String {
        let Entry { pid, level, text: Text { message, fields }, .. } = self;
        let at = Time(self.unix_ms).show(style.times);
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = match style.format {
            LogFormat::Legacy => write!(out, "{pid}:M {at} {} {message}", sign(*level)),
            LogFormat::Logfmt => {
                let level = name(*level);
                write!(out, "pid={pid} role=primary timestamp=\"{at}\" level={level} message=").and_then(
                    |()| {
                        quoted(&mut out, message)?;
                        fields.iter().try_for_each(|(name, value)| {
                            write!(out, " {name}=")?;
                            value.show(&mut out)
                        })
                    },
                )
            }
            LogFormat::Json => {
                let level = name(*level);
                write!(
                    out,
                    "{{\"pid\":{pid},\"role\":\"primary\",\"timestamp\":\"{at}\",\"level\":\"{level}\","
                )
                .and_then(|()| {
                    out.push_str("\"message\":");
                    quoted(&mut out, message)?;
                    fields.iter().try_for_each(|(name, value)| {
                        write!(out, ",\"{name}\":")?;
                        value.show(&mut out)
                    })?;
                    out.write_char('}')
                })
            }
        };
        out.push('\n');
        out
    }
}

/// The sign that stands for a level in Redis's lines.
fn sign(level: LogLevel) -> char {
    match level {
        LogLevel::Debug => '.',
        LogLevel::Verbose => '-',
        LogLevel::Notice => '*',
        LogLevel::Warning | LogLevel::Nothing => '#',
    }
}

/// The word that stands for it in others.
fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Verbose => "info",
        LogLevel::Notice => "notice",
        LogLevel::Warning | LogLevel::Nothing => "warning",
    }
}

/// What an event says.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) message: String,
    fields: Vec<(&'static str, Value)>,
}

#[derive(Debug)]
enum Value {
    /// A number, or true or false.
    Bare(String),
    Quoted(String),
}

impl Value {
    fn show(&self, out: &mut String) -> fmt::Result {
        match self {
            Value::Bare(text) => out.write_str(text),
            Value::Quoted(text) => quoted(out, text),
        }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push((name, Value::Quoted(format!("{value:?}")))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.into(),
            name => self.fields.push((name, Value::Quoted(value.into()))),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), Value::Bare(value.to_string())));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), Value::Bare(value.to_string())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), Value::Bare(value.to_string())));
    }
}

/// Appends `text` in quotes, as JSON has it; logfmt's readers know the same escapes.
fn quoted(out: &mut String, text: &str) -> fmt::Result {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.push(c),
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat, level: LogLevel, text: Text) -> String {
        let entry = Entry { pid: 7, unix_ms: 1_795_246_304_123, level, text };
        entry.line(Style { format, times: LogTimes::Legacy })
    }

    fn said(message: &str) -> Text {
        let fields = vec![("client", Value::Bare("3".into())), ("name", Value::Quoted("a\u{1}b".into()))];
        Text { message: message.into(), fields }
    }

    #[test]
    fn lines_look_like_redis_lines() {
        let legacy = |level| line(LogFormat::Legacy, level, said("Ready"));
        assert_eq!(legacy(LogLevel::Notice), "7:M 21 Nov 2026 07:31:44.123 * Ready\n");
        let signs = [LogLevel::Debug, LogLevel::Verbose, LogLevel::Warning]
            .map(|level| legacy(level).split(' ').nth(5).map(str::to_owned));
        assert_eq!(signs, [".", "-", "#"].map(|sign| Some(sign.to_owned())));
    }

    #[test]
    fn structured_lines_have_a_value_for_each_key() {
        assert_eq!(
            line(LogFormat::Logfmt, LogLevel::Verbose, said("a \"b\"\r\n")),
            "pid=7 role=primary timestamp=\"21 Nov 2026 07:31:44.123\" level=info message=\"a \\\"b\\\"\\r\\n\" client=3 \
             name=\"a\\u0001b\"\n"
        );
        assert_eq!(
            line(LogFormat::Json, LogLevel::Warning, said("c:\\d")),
            "{\"pid\":7,\"role\":\"primary\",\"timestamp\":\"21 Nov 2026 07:31:44.123\",\"level\":\"warning\",\
             \"message\":\"c:\\\\d\",\"client\":3,\"name\":\"a\\u0001b\"}\n"
        );
    }
}
