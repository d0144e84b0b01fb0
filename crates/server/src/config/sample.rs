//! A configuration file made from the table: every directive with its default and what it does.

use std::fmt::Write;

use super::table::{Change, Directive, table};
use super::value::quoted;

/// The text of the file. Every directive stands in a comment, for it is a default: to change one, take out the
/// `#` before its name.
pub fn sample() -> String {
    let mut text = format!("# The directives of Ebbtide {} and their defaults.\n", crate::VERSION);
    for row in table().filter(|row| !row.hidden) {
        // Writing to a string does not fail.
        let _ = write!(text, "\n# {}{}{}\n#{}\n", row.docs, when(row), effect(row), default(row));
    }
    text
}

fn when(row: &Directive) -> &'static str {
    if row.change == Change::AtStart { " Fixed at start." } else { "" }
}

fn effect(row: &Directive) -> String {
    row.note.map_or_else(String::new, |note| format!("\n# Without effect: {note}."))
}

/// The line that gives the default, in the words of the table.
fn default(row: &Directive) -> String {
    let plain = row.kind.is_multiple() && !row.default.is_empty();
    let value = if plain { row.default.to_owned() } else { quoted(row.default.as_bytes()) };
    format!("{} {value}", row.name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::load::values_of;
    use super::super::settings::Values;
    use super::*;

    #[test]
    fn the_sample_gives_the_defaults() {
        let comments_out = |line: &str| match line.strip_prefix('#') {
            Some(directive) if !directive.starts_with(' ') => format!("{directive}\n"),
            _ => format!("{line}\n"),
        };
        let text: String =
            sample().lines().map(comments_out).filter(|line| !line.starts_with("dir ")).collect();
        assert_eq!(values_of(text.as_bytes(), Path::new("sample")).unwrap(), Values::new());
        let shown = table().filter(|row| !row.hidden).count();
        assert_eq!(text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).count(), shown - 1);
    }
}
