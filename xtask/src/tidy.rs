//! The house rules as a test: what STYLE.md asks for and a machine can see.
//!
//! A rule reads the whole [`Tree`] and reports [`Finding`]s. What a rule must let pass stands in [`EXCEPTIONS`],
//! each with its reason; an exception that nothing needs any more is a finding itself.

mod crates;
mod exceptions;
mod links;
mod rust;
mod source;
mod text;
mod tree;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use exceptions::{EXCEPTIONS, Exception};
use tree::Tree;

/// One place where the tree breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the root, with `/` between its parts.
    path: String,
    /// Counted from 1.
    line: usize,
    /// The rule's name.
    rule: &'static str,
    /// What in the file breaks it, such as a function's name; empty when the rule is about the file or line.
    item: String,
    /// What to do about it.
    advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { path, line, rule, advice, .. } = self;
        write!(f, "{path}:{line}: {rule}: {advice}")
    }
}

/// A rule: reads the tree, adds what it finds.
type Rule = fn(&Tree, &mut Vec<Finding>);

/// All rules.
const RULES: &[Rule] = &[
    text::blanks,
    text::workplace,
    text::file_length,
    text::head_comment,
    text::unfinished,
    text::sleep,
    rust::function_length,
    rust::unsafe_code,
    rust::allowances,
    rust::module_name,
    crates::arrows,
    crates::dependencies,
    crates::lints,
    crates::purity,
    links::targets,
];

/// Checks the workspace this task was built in and prints what it finds.
pub(crate) fn run() -> ExitCode {
    let tree = match Tree::read(root()) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("tidy: cannot read the tree: {error}");
            return ExitCode::from(2);
        }
    };
    let findings = check(&tree, EXCEPTIONS);
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", tree.files().len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The workspace's root folder.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What is wrong in `tree`, sorted by place, `exceptions` let pass.
fn check(tree: &Tree, exceptions: &[Exception]) -> Vec<Finding> {
    let mut found = Vec::new();
    RULES.iter().for_each(|rule| rule(tree, &mut found));
    let unneeded: Vec<Finding> =
        exceptions.iter().filter(|e| !found.iter().any(|f| e.covers(f))).map(Exception::unneeded).collect();
    found.retain(|f| !exceptions.iter().any(|e| e.covers(f)));
    found.extend(unneeded);
    found.sort();
    found
}
