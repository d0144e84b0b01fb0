//! Rules about any text: blanks, lengths, heads of files, unfinished work.

use super::Finding;
use super::source::words;
use super::tree::{File, Tree};

/// Lines a file of code may have.
const FILE_LINES_MAX: usize = 600;

/// Where this project happens to be worked on: nobody else has it. In two parts, for this file is checked too.
const WORKPLACE: &str = concat!("/wo", "rk/");

/// A folder of bytes to be parsed, which may look like text.
const SEEDS: &str = "fuzz/seeds/";

/// Extensions of files that hold code.
const CODE: &[&str] = &["rs", "py", "sh", "js", "mjs"];

impl File {
    fn is_code(&self) -> bool {
        CODE.contains(&self.extension()) || self.text.starts_with("#!")
    }

    fn finding(&self, line: usize, rule: &'static str, advice: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, rule, item: String::new(), advice: advice.into() }
    }
}

/// No tabs, no blanks at a line's end, no carriage returns; the last line ends.
pub(super) fn blanks(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files().iter().filter(|f| !f.path.starts_with(SEEDS)) {
        for (n, line) in file.lines() {
            if line.contains('\t') {
                found.push(file.finding(n, "blanks", "indent and align with spaces, not tabs"));
            }
            if line.ends_with([' ', '\t', '\r']) {
                found.push(file.finding(n, "blanks", "take out the blanks at the line's end"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            let last = file.text.lines().count();
            found.push(file.finding(last, "blanks", "end the last line"));
        }
    }
}

/// No paths of the machine somebody works on.
pub(super) fn workplace(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files() {
        for (n, _) in file.lines().filter(|(_, line)| line.contains(WORKPLACE)) {
            found.push(file.finding(n, "workplace", "name no path that only one machine has"));
        }
    }
}

/// A file of code has at most [`FILE_LINES_MAX`] lines.
pub(super) fn file_length(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files().iter().filter(|f| f.is_code()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            let advice = format!("{lines} lines, at most {FILE_LINES_MAX}: part it by what belongs together");
            found.push(file.finding(FILE_LINES_MAX + 1, "file-length", advice));
        }
    }
}

/// A file of code says at its head what it is for.
pub(super) fn head_comment(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files().iter().filter(|f| f.is_code()) {
        let (n, head) = file.lines().find(|(_, line)| !line.starts_with("#!/")).unwrap_or((1, ""));
        let mark = match file.extension() {
            "rs" => "//! ",
            "py" => "\"\"\"",
            "js" | "mjs" => "// ",
            _ => "# ",
        };
        if !head.starts_with(mark) {
            let advice = format!("begin the file with `{mark}` and what it is for");
            found.push(file.finding(n, "head-comment", advice));
        }
    }
}

/// Nothing is left for later.
pub(super) fn unfinished(tree: &Tree, found: &mut Vec<Finding>) {
    const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("HA", "CK")];
    const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
    for file in tree.files().iter().filter(|f| f.is_code()) {
        let remarks = file.rust.as_ref().map_or(&file.text, |source| &source.comments);
        for (i, line) in remarks.lines().enumerate() {
            if NOTES.iter().any(|note| words(line, note).next().is_some()) {
                found.push(file.finding(
                    i + 1,
                    "unfinished",
                    "do it now, or open an issue and say nothing here",
                ));
            }
        }
        for (i, line) in file.rust.iter().flat_map(|source| source.code.lines()).enumerate() {
            let called = |name: &&&str| words(line, name).any(|at| line[at + name.len()..].starts_with('!'));
            if let Some(name) = MACROS.iter().find(called) {
                found.push(file.finding(i + 1, "unfinished", format!("`{name}!` does not go into the tree")));
            }
        }
    }
}

/// A test waits for what it waits for, with a deadline; it does not sleep and hope.
pub(super) fn sleep(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files().iter().filter(|f| f.is_code()) {
        let tests = file.rust.as_ref().map(|source| source.test_lines()).unwrap_or_default();
        let code = file.rust.as_ref().map_or(&file.text, |source| &source.code);
        for (i, line) in code.lines().enumerate() {
            let in_test = file.is_test() || tests.iter().any(|lines| lines.contains(&(i + 1)));
            if in_test && calls_sleep(line) {
                found.push(file.finding(i + 1, "sleep", "poll for what is waited for, with a deadline"));
            }
        }
    }
}

/// Whether `line` calls a function that sleeps.
fn calls_sleep(line: &str) -> bool {
    const NAMES: &[&str] = &["sleep", "sleep_ms", "sleep_until"];
    NAMES.iter().any(|name| words(line, name).any(|at| line[at + name.len()..].starts_with('(')))
}
