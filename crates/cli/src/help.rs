//! `help` at the prompt, from the server's own documentation.

use crate::catalog::{Catalog, Command};
use crate::output::{Paint, Tone};
use crate::syntax;

/// What `help` alone says.
pub(crate) const OVERVIEW: &str = "\
help <command>      what a command does, and its arguments
help @<group>       the commands of a group
help <tab>          all topics
<n> <command>       run a command n times
connect <host> <port>
clear, quit
:set hints          show arguments while typing (:set nohints turns that off)
";

/// Help about the command that `words` name (and its subcommands), or about a group's (`@string`).
pub(crate) fn about(catalog: &Catalog, words: &[Vec<u8>], paint: Paint) -> String {
    let topic: Vec<String> = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let group = topic.first().and_then(|word| word.strip_prefix('@'));
    let is_wanted = |command: &&Command| match group {
        Some(group) => command.group.eq_ignore_ascii_case(group),
        None => {
            topic.len() <= command.words.len()
                && topic.iter().zip(&command.words).all(|(a, b)| a.eq_ignore_ascii_case(b))
        }
    };
    let entries: Vec<String> = catalog
        .commands
        .iter()
        .filter(is_wanted)
        .map(|command| entry(command, group.is_none(), paint))
        .collect();
    if entries.is_empty() {
        return format!("The server tells nothing about '{}'.\n", topic.join(" "));
    }
    entries.concat() + "\n"
}

fn entry(command: &Command, with_group: bool, paint: Paint) -> String {
    let syntax = syntax::describe(&command.arguments);
    let mut text = format!("\n  {}", paint.text(Tone::Name, &command.name()));
    if !syntax.is_empty() {
        text.push_str(&format!(" {}", paint.text(Tone::Dim, &syntax)));
    }
    text.push('\n');
    let group = if with_group { command.group.as_str() } else { "" };
    let lines = [
        ("summary:", command.summary.as_str()),
        ("complexity:", &command.complexity),
        ("since:", &command.since),
        ("group:", group),
    ];
    for (label, line) in lines {
        if !line.is_empty() {
            text.push_str(&format!("  {} {line}\n", paint.text(Tone::Label, label)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::catalog;

    fn about(topic: &str, paint: bool) -> String {
        let words: Vec<_> = topic.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        super::about(&catalog(), &words, Paint::new(paint))
    }

    #[test]
    fn topics() {
        let getex = "\n  GETEX key [EX seconds|PERSIST]\n  summary: Get and expire\n  since: 6.2.0\n";
        assert_eq!(about("getex", false), format!("{getex}  group: string\n\n"));
        assert_eq!(about("@STRING", false), format!("{getex}\n"));
        let config = "\n  CONFIG\n  group: server\n";
        let get = "\n  CONFIG GET parameter [parameter ...]\n  summary: Gets\n";
        assert_eq!(about("config", false), format!("{config}{get}\n  CONFIG REWRITE\n\n"));
        assert_eq!(about("config get", false), format!("{get}\n"));
        assert_eq!(about("no such", false), "The server tells nothing about 'no such'.\n");
        assert!(about("getex", true).starts_with("\n  \x1b[1mGETEX\x1b[0m \x1b[90mkey [EX"));
    }
}
