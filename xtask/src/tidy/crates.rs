//! Rules about the crates: who may use whom, where dependencies are declared, what has no outside world.

use super::Finding;
use super::source::{is_word, words};
use super::tree::{File, Tree};

/// A crate and the crates of the workspace it may use. ARCHITECTURE.md says why.
const ARROWS: &[(&str, &[&str])] = &[
    ("resp", &[]),
    ("engine", &[]),
    ("commands", &["engine", "persist", "resp"]),
    ("persist", &["engine"]),
    ("server", &["commands", "engine", "persist", "resp"]),
    ("cli", &["resp"]),
    ("ebbtide", &["cli", "commands", "engine", "persist", "resp", "server"]),
    ("testkit", &["commands", "engine", "persist", "resp"]),
];

/// A crate whose tests any crate may use.
const FOR_TESTS: &str = "testkit";

/// Crates that have no outside world: the modules of `std`, and the names, their code must not use.
const PURE: &[(&str, &[&str], &[&str])] = &[
    ("engine", &["fs", "net", "io", "env", "process", "os"], &["SystemTime", "Instant"]),
    ("resp", &["fs", "net", "io", "env", "process", "os", "thread"], &["SystemTime", "Instant"]),
    ("commands", &["fs", "net", "env", "process", "os", "thread"], &["SystemTime", "Instant"]),
];

/// One line of a manifest's tables of dependencies.
struct Dependency<'m> {
    line: usize,
    name: &'m str,
    /// What stands after the name.
    rest: &'m str,
    /// Whether it is for tests only.
    dev: bool,
}

/// The dependencies a manifest declares.
fn declared(manifest: &File) -> Vec<Dependency<'_>> {
    let mut table = "";
    let mut declared = Vec::new();
    for (line, text) in manifest.lines() {
        if let Some(header) = text.strip_prefix('[') {
            table = header.trim_end_matches(']');
            continue;
        }
        let is_entry = table.ends_with("dependencies") && !text.starts_with('#');
        let Some(end) = text.find(|c| !is_word(c) && c != '-').filter(|&end| is_entry && end > 0) else {
            continue;
        };
        let (name, rest) = text.split_at(end);
        declared.push(Dependency { line, name, rest, dev: table.ends_with("dev-dependencies") });
    }
    declared
}

fn finding(file: &File, line: usize, rule: &'static str, item: &str, advice: String) -> Finding {
    Finding { path: file.path.clone(), line, rule, item: item.into(), advice }
}

/// The crates use each other as [`ARROWS`] says, and every crate stands there.
pub(super) fn arrows(tree: &Tree, found: &mut Vec<Finding>) {
    for (name, manifest) in tree.manifests() {
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            let advice = format!("say in tidy's ARROWS and in ARCHITECTURE.md which crates `{name}` may use");
            found.push(finding(manifest, 1, "arrows", name, advice));
            continue;
        };
        for dependency in declared(manifest) {
            let to = dependency.name;
            let ours = ARROWS.iter().any(|(crate_name, _)| *crate_name == to);
            let for_tests = dependency.dev && to == FOR_TESTS;
            if ours && !allowed.contains(&to) && !for_tests {
                let advice =
                    format!("`{name}` does not use `{to}`: see the crates' arrows in ARCHITECTURE.md");
                found.push(finding(manifest, dependency.line, "arrows", to, advice));
            }
        }
    }
}

/// A dependency's version stands once, in the workspace's manifest.
pub(super) fn dependencies(tree: &Tree, found: &mut Vec<Finding>) {
    for (_, manifest) in tree.manifests() {
        for Dependency { line, name, rest, .. } in declared(manifest) {
            if !rest.starts_with(".workspace = true") && !rest.contains("workspace = true") {
                let advice =
                    format!("declare `{name}` in the root Cargo.toml, here say `{name}.workspace = true`");
                found.push(finding(manifest, line, "dependencies", name, advice));
            }
        }
    }
}

/// Every crate has the workspace's lints.
pub(super) fn lints(tree: &Tree, found: &mut Vec<Finding>) {
    for (name, manifest) in tree.manifests() {
        if !manifest.text.contains("[lints]\nworkspace = true\n") {
            let advice = "add `[lints]` with `workspace = true`".to_string();
            found.push(finding(manifest, 1, "lints", name, advice));
        }
    }
}

/// The crates in [`PURE`] see no clock, socket, file or process.
pub(super) fn purity(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        let in_crate = |name: &str| file.path.starts_with(&format!("crates/{name}/src/"));
        let Some((name, modules, names)) = PURE.iter().find(|(name, ..)| in_crate(name)) else { continue };
        let code = &source.code;
        let of_std = words(code, "std").flat_map(|at| used(code, at + 3)).filter(|m| modules.contains(&m.1));
        let named = names.iter().flat_map(|&name| words(code, name).map(move |at| (at, name)));
        for (at, what) in of_std.chain(named) {
            let advice = format!("`{name}` is pure: what `{what}` gives is passed in by its caller");
            found.push(finding(file, source.line(at), "purity", what, advice));
        }
    }
}

/// The first names of the path or paths that go on at `at`, after the name of a crate: one for `::fs::File`,
/// several for `::{fs, io::Read}`.
fn used(code: &str, at: usize) -> Vec<(usize, &str)> {
    let Some(rest) = code[at..].strip_prefix("::") else { return Vec::new() };
    let start = at + 2;
    let name = |from: usize| {
        let rest = &code[from..];
        (from, &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())])
    };
    if !rest.starts_with('{') {
        return vec![name(start)];
    }
    let (mut depth, mut names) = (0, Vec::new());
    for (i, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(c, '{' | ',') {
            let blanks = rest[i + 1..].len() - rest[i + 1..].trim_start().len();
            names.push(name(start + i + 1 + blanks));
        }
    }
    names
}
