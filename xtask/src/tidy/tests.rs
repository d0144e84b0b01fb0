//! The rules on small made-up trees, and on this tree.

use super::exceptions::{EXCEPTIONS, Exception};
use super::source::Source;
use super::tree::Tree;
use super::{check, root};

/// What is wrong in a tree of `files`, as `path:line: rule`.
fn broken(files: &[(&str, &str)]) -> Vec<String> {
    broken_but(files, &[])
}

fn broken_but(files: &[(&str, &str)], exceptions: &[Exception]) -> Vec<String> {
    let findings = check(&Tree::of(files), exceptions);
    findings.iter().map(|f| format!("{}:{}: {}", f.path, f.line, f.rule)).collect()
}

/// A Rust file in a place where only the general rules hold.
fn broken_rust(text: &str) -> Vec<String> {
    broken(&[("crates/server/src/a.rs", &format!("//! Head.\n{text}"))])
}

#[test]
fn this_tree_is_tidy() {
    let findings = check(&Tree::read(root()).unwrap(), EXCEPTIONS);
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn this_tree_is_read_whole() {
    let tree = Tree::read(root()).unwrap();
    for path in ["README.md", ".ci/run", "crates/engine/src/lib.rs", "xtask/src/tidy/tests.rs"] {
        assert!(tree.files().iter().any(|f| f.path == path), "{path} is not among the files");
    }
    assert!(!tree.has("target") && !tree.has(".git"));
}

#[test]
fn a_finding_names_its_place_and_what_to_do() {
    let findings = check(&Tree::of(&[("a.md", "one\ntwo \n")]), &[]);
    assert_eq!(findings[0].to_string(), "a.md:2: blanks: take out the blanks at the line's end");
}

#[test]
fn blanks() {
    assert_eq!(broken(&[("a.md", "x\ty\n")]), ["a.md:1: blanks"]);
    assert_eq!(broken(&[("a.md", "x\r\n")]), ["a.md:1: blanks"]);
    assert_eq!(broken(&[("a.md", "x\ny")]), ["a.md:2: blanks"]);
    assert_eq!(broken(&[("a.md", "x\n\n y\n"), ("b.md", ""), ("fuzz/seeds/a", "x\r\n")]), [""; 0]);
}

#[test]
fn workplace() {
    let text = concat!("see /wo", "rk/main\n");
    assert_eq!(broken(&[("a.md", text)]), ["a.md:1: workplace"]);
}

#[test]
fn file_length() {
    let lines = |n: usize| format!("//! Head.\n{}", "\n".repeat(n - 1));
    assert_eq!(broken(&[("a.rs", &lines(600)), ("b.md", &"\n".repeat(700))]), [""; 0]);
    assert_eq!(broken(&[("a.rs", &lines(601))]), ["a.rs:601: file-length"]);
}

#[test]
fn head_comment() {
    assert_eq!(broken(&[("a.rs", "// No.\n")]), ["a.rs:1: head-comment"]);
    assert_eq!(broken(&[("a.rs", "")]), ["a.rs:1: head-comment"]);
    assert_eq!(broken(&[("a.py", "import os\n")]), ["a.py:1: head-comment"]);
    assert_eq!(broken(&[("run", "#!/bin/sh\nls\n")]), ["run:2: head-comment"]);
    let good =
        [("a.rs", "//! A.\n"), ("b.py", "\"\"\"B.\"\"\"\n"), ("c.js", "// C.\n"), ("d", "#!/bin/sh\n# D.\n")];
    assert_eq!(broken(&good), [""; 0]);
}

#[test]
fn unfinished() {
    let note = concat!("// TO", "DO: more\n");
    assert_eq!(broken_rust(note), ["crates/server/src/a.rs:2: unfinished"]);
    assert_eq!(broken_rust("fn f() {\n    todo!()\n}\n"), ["crates/server/src/a.rs:3: unfinished"]);
    assert_eq!(broken_rust("fn todo_list() -> &'static str {\n    \"todo!\"\n}\n"), [""; 0]);
    assert_eq!(broken(&[("a.py", concat!("\"\"\"A.\"\"\"\n# FIX", "ME\n"))]), ["a.py:2: unfinished"]);
}

#[test]
fn sleeps_of_tests() {
    let call = "fn f() {\n    std::thread::sleep(d);\n}\n";
    assert_eq!(broken_rust(call), [""; 0], "clippy's bans are about code that is no test");
    assert_eq!(
        broken_rust(&format!("#[cfg(test)]\nmod tests {{\n{call}}}\n")),
        ["crates/server/src/a.rs:5: sleep"]
    );
    assert_eq!(
        broken(&[("crates/server/tests/a.rs", &format!("//! A.\n{call}"))]),
        ["crates/server/tests/a.rs:3: sleep"]
    );
    assert_eq!(
        broken(&[("tests/a.py", "\"\"\"A.\"\"\"\ntime.sleep(1)\nawait asyncio.sleep(1)\n")]),
        ["tests/a.py:2: sleep", "tests/a.py:3: sleep"]
    );
    let others = "\"\"\"A.\"\"\"\n# We never sleep here (really).\nsleeper()\nfall_asleep(1)\n";
    assert_eq!(broken(&[("tests/a.py", others)]), [""; 0]);
}

#[test]
fn function_length() {
    let function = |lines: usize| format!("fn long() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
    assert_eq!(broken_rust(&function(70)), [""; 0]);
    assert_eq!(broken_rust(&function(71)), ["crates/server/src/a.rs:2: function-length"]);
}

#[test]
fn unsafe_code() {
    assert_eq!(broken_rust("fn f() {\n    unsafe { g() }\n}\n"), ["crates/server/src/a.rs:3: unsafe"]);
    assert_eq!(broken_rust("// unsafe\nconst A: &str = \"unsafe\";\nconst B: u8 = is_unsafe();\n"), [""; 0]);
}

#[test]
fn allowances() {
    assert_eq!(broken_rust("#[allow(dead_code)]\nfn f() {}\n"), ["crates/server/src/a.rs:2: allowances"]);
    assert_eq!(broken_rust("#[allow(clippy::len_zero, reason = \"dead_code\")]\nfn f() {}\n"), [""; 0]);
}

#[test]
fn module_name() {
    let path = "crates/server/src/net_util.rs";
    assert_eq!(broken(&[(path, "//! A.\n")]), [format!("{path}:1: module-name")]);
    assert_eq!(
        broken(&[("crates/server/src/common/a.rs", "//! A.\n")]),
        ["crates/server/src/common/a.rs:1: module-name"]
    );
    assert_eq!(broken_rust("mod misc {}\n"), ["crates/server/src/a.rs:2: module-name"]);
    assert_eq!(broken_rust("mod utility_curve {}\nmod commons;\n"), [""; 0]);
}

/// A manifest with these lines of dependencies.
fn manifest(dependencies: &str) -> String {
    format!("[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n\n{dependencies}")
}

#[test]
fn arrows() {
    let resp = manifest("[dependencies]\nengine.workspace = true\nitoa.workspace = true\n");
    assert_eq!(broken(&[("crates/resp/Cargo.toml", &resp)]), ["crates/resp/Cargo.toml:8: arrows"]);
    let dev = manifest("[dev-dependencies]\ntestkit.workspace = true\nserver.workspace = true\n");
    assert_eq!(broken(&[("crates/resp/Cargo.toml", &dev)]), ["crates/resp/Cargo.toml:9: arrows"]);
    assert_eq!(broken(&[("crates/new/Cargo.toml", &manifest(""))]), ["crates/new/Cargo.toml:1: arrows"]);
    let commands = manifest("[dependencies]\nengine.workspace = true\nresp = { workspace = true }\n");
    assert_eq!(broken(&[("crates/commands/Cargo.toml", &commands)]), [""; 0]);
}

#[test]
fn dependencies() {
    let own = manifest("[dependencies]\nitoa = \"1\"\n\n[target.'cfg(unix)'.dependencies]\nlibc = \"0\"\n");
    assert_eq!(
        broken(&[("crates/resp/Cargo.toml", &own)]),
        ["crates/resp/Cargo.toml:8: dependencies", "crates/resp/Cargo.toml:11: dependencies"]
    );
}

#[test]
fn lints() {
    assert_eq!(
        broken(&[("crates/resp/Cargo.toml", "[package]\nname = \"resp\"\n")]),
        ["crates/resp/Cargo.toml:1: lints"]
    );
}

#[test]
fn purity() {
    let path = "crates/engine/src/a.rs";
    let broken_engine = |text: &str| broken(&[(path, &format!("//! A.\n{text}"))]);
    let at_2 = [format!("{path}:2: purity")];
    assert_eq!(broken_engine("use std::fs::File;\n"), at_2);
    assert_eq!(broken_engine("use std::{fmt, net::TcpStream};\n"), at_2);
    assert_eq!(broken_engine("use std::{\n    fmt,\n    fs,\n};\n"), [format!("{path}:4: purity")]);
    assert_eq!(broken_engine("fn f(now: Instant) {}\n"), at_2);
    assert_eq!(broken_engine("use std::{fmt, time::Duration};\n/// std::fs\nfn f(io: u8) {}\n"), [""; 0]);
    assert_eq!(broken(&[("crates/server/src/a.rs", "//! A.\nuse std::fs;\n")]), [""; 0]);
}

#[test]
fn links() {
    let text = "[a](docs/a.md#x) [b](https://x.y/z) [c](#here) `docs/a.md` `docs/*.md`\n";
    assert_eq!(broken(&[("README.md", text), ("docs/a.md", "[up](../README.md)\n")]), [""; 0]);
    let text = "[gone](docs/b.md)\n`crates/gone/src/lib.rs`\n```\n[not](a-link)\n```\n";
    assert_eq!(broken(&[("README.md", text)]), ["README.md:1: links", "README.md:2: links"]);
    assert_eq!(broken(&[("docs/a.md", "[gone](README.md)\n")]), ["docs/a.md:1: links"]);
}

#[test]
fn exceptions() {
    let files = [("crates/engine/src/slot.rs", "//! A.\nfn f() {\n    unsafe { g() }\n}\n")];
    let path = "crates/engine/src/slot.rs";
    let exception = Exception { rule: "unsafe", path, item: "", reason: "raw entries" };
    assert_eq!(broken_but(&files, &[exception]), [""; 0]);
    let unneeded = "xtask/src/tidy/exceptions.rs:1: exception";
    assert_eq!(broken_but(&[], &[exception]), [unneeded]);
    let silent = Exception { reason: "", ..exception };
    assert_eq!(broken_but(&files, &[silent]), [format!("{path}:3: unsafe"), unneeded.into()]);
    let other = Exception { item: "g", ..exception };
    assert_eq!(broken_but(&files, &[other]), [format!("{path}:3: unsafe"), unneeded.into()]);
}

/// The code of `text`, blanks taken out.
fn code(text: &str) -> String {
    Source::new(text).code.split_whitespace().collect()
}

#[test]
fn code_is_told_from_comments_and_literals() {
    assert_eq!(code("a // b\nc"), "ac");
    assert_eq!(code("a /* b /* c */ d */ e"), "ae");
    assert_eq!(code(r#"a "b \" // c" d"#), "ad");
    assert_eq!(code("a r#\"b \" c\"# d r\"\\\" e"), "ade");
    assert_eq!(code("a br##\"b\"# c\"## d b\"x\" c\"y\" e"), "ade");
    assert_eq!(code(r"a '{' '\'' '\u{7b}' b'}' b"), "ab");
    assert_eq!(code("fn a<'x>(b: &'x str) {}"), "fna<'x>(b:&'xstr){}");
    assert_eq!(code("'ä' 'é' '–' '𝄞' ä r#type"), "är#type");
    assert_eq!(code("\"never ends"), "");
    assert_eq!(Source::new("a // b\nc").comments, "  // b\n ");
}

#[test]
fn functions_are_found_with_their_lines() {
    let source = Source::new(
        "fn a() {}\ntrait T {\n    fn b();\n    fn c(f: fn(u8) -> [u8; 2]) {\n        {}\n    }\n}\n",
    );
    let found: Vec<_> = source.functions().into_iter().map(|f| (f.name, f.lines)).collect();
    assert_eq!(found, [("a", 1..=1), ("c", 4..=6)]);
}

#[test]
fn test_items_are_found_with_their_lines() {
    let source =
        Source::new("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod more;\n");
    assert_eq!(source.test_lines(), [2..=5, 6..=7]);
}
