//! Rules about Rust code: long functions, unsafe code, allowances, names of modules.

use super::Finding;
use super::source::{is_word, words};
use super::tree::Tree;

/// Lines a function may have, from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Words that say nothing about what a module holds.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils", "utilities"];

/// A function has at most [`FUNCTION_LINES_MAX`] lines.
pub(super) fn function_length(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        for function in source.functions() {
            let lines = function.lines.clone().count();
            if lines > FUNCTION_LINES_MAX {
                let name = function.name;
                found.push(Finding {
                    path: file.path.clone(),
                    line: *function.lines.start(),
                    rule: "function-length",
                    item: name.to_string(),
                    advice: format!(
                        "`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}: take a step out"
                    ),
                });
            }
        }
    }
}

/// `unsafe` stands in few files, and each of them is known. (That each block says why it is sound is
/// `clippy::undocumented_unsafe_blocks`'s part.)
pub(super) fn unsafe_code(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        if let Some(at) = words(&source.code, "unsafe").next() {
            found.push(Finding {
                path: file.path.clone(),
                line: source.line(at),
                rule: "unsafe",
                item: String::new(),
                advice: "do it in safe code, or in one of the files whose unsafe code is listed".into(),
            });
        }
    }
}

/// Code that nothing uses is taken out, not allowed to stay.
pub(super) fn allowances(tree: &Tree, found: &mut Vec<Finding>) {
    const LINTS: &[&str] = &["dead_code", "unused", "unused_imports", "unused_variables", "unused_mut"];
    for (file, source) in tree.rust() {
        for (i, line) in source.code.lines().enumerate() {
            let allowed = line.contains("allow(") || line.contains("expect(");
            if let Some(lint) = LINTS.iter().find(|lint| allowed && words(line, lint).next().is_some()) {
                found.push(Finding {
                    path: file.path.clone(),
                    line: i + 1,
                    rule: "allowances",
                    item: lint.to_string(),
                    advice: format!("take out what nothing uses instead of allowing `{lint}`"),
                });
            }
        }
    }
}

/// A module's name says what it holds.
pub(super) fn module_name(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files() {
        if !matches!(file.extension(), "rs" | "py" | "js" | "mjs" | "sh") {
            continue;
        }
        for name in file.path.split('/').map(|part| part.split('.').next().unwrap_or(part)) {
            found.extend(empty_name(&file.path, 1, name));
        }
        let Some(source) = &file.rust else { continue };
        for at in words(&source.code, "mod") {
            let rest = source.code[at + 3..].trim_start();
            let name = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
            // A module in a file of its own is found at that file.
            if rest[name.len()..].trim_start().starts_with('{') {
                found.extend(empty_name(&file.path, source.line(at), name));
            }
        }
    }
}

fn empty_name(path: &str, line: usize, name: &str) -> Option<Finding> {
    name.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word)).then(|| Finding {
        path: path.into(),
        line,
        rule: "module-name",
        item: name.into(),
        advice: format!("`{name}` fits anything: name the module after what it holds"),
    })
}
