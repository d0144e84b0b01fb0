//! Every row's example holds: it is run in an empty store, and each reply looks as the example shows it.

use crate::lookup::rows;
use crate::testing::Client;

/// Rows without an example, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("client|help", LISTS),
    ("client|id", PROCESS),
    ("client|info", PROCESS),
    ("client|kill", PROCESS),
    ("client|list", PROCESS),
    ("client|pause", PROCESS),
    ("client|trackinginfo", PROCESS),
    ("command|count", "its reply changes with every command that is added"),
    ("command|help", LISTS),
    ("commandlog|help", LISTS),
    ("config|get", PROCESS),
    ("config|help", LISTS),
    ("config|rewrite", PROCESS),
    ("config|set", PROCESS),
    ("debug", "its parts are for tests, and tested one by one"),
    ("hello", PROCESS),
    ("function|help", LISTS),
    ("hotkeys|help", LISTS),
    ("info", PROCESS),
    ("latency|doctor", PROCESS),
    ("latency|help", LISTS),
    ("latency|histogram", PROCESS),
    ("lolwut", "its picture differs from time to time"),
    ("memory|doctor", PROCESS),
    ("memory|help", LISTS),
    ("memory|malloc-stats", PROCESS),
    ("memory|stats", PROCESS),
    ("monitor", PROCESS),
    ("object|help", LISTS),
    ("shutdown", PROCESS),
    ("slowlog|help", LISTS),
    ("time", PROCESS),
    ("xgroup|help", LISTS),
    ("xinfo|help", LISTS),
];

const LISTS: &str = "it lists the summaries of the other subcommands";
const PROCESS: &str = "its reply is the process's, and a test's process is made up";

/// The exchanges of a dialogue: what is typed, and the lines that come back.
fn exchanges(example: &str) -> impl Iterator<Item = (&str, &str)> {
    let dialogue = example.strip_prefix("> ").unwrap_or_default();
    dialogue.split("\n> ").filter(|e| !e.is_empty()).map(|e| e.split_once('\n').unwrap_or((e, "")))
}

#[test]
fn every_example_holds() {
    for row in rows() {
        let mut client = Client::new();
        for (line, expected) in exchanges(row.command.example) {
            assert_eq!(client.show(line), expected, "{}: > {line}", row.full_name());
        }
    }
}

#[test]
fn every_row_has_an_example_or_a_reason() {
    let commands = rows().iter().filter(|row| row.command.subcommands.is_empty());
    let wrong = commands.filter(|row| {
        let excused = WITHOUT.iter().any(|(name, _)| *name == row.full_name());
        excused != row.command.example.is_empty()
    });
    let wrong: Vec<String> = wrong.map(|row| row.full_name()).collect();
    assert!(wrong.is_empty(), "give an example, or a reason in WITHOUT, not both: {wrong:?}");
}

#[test]
fn every_example_shows_its_command() {
    for row in rows().iter().filter(|row| !row.command.example.is_empty()) {
        let name = row.full_name().replace('|', " ");
        let shows = |line: &str| line.to_lowercase().starts_with(&name);
        assert!(exchanges(row.command.example).any(|(line, _)| shows(line)), "{name}");
    }
}
