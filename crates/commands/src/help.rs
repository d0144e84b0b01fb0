//! HELP of a container command, made from the rows of its subcommands.

use resp::Reply;

use crate::table::Command;

/// Replies with one line for each subcommand of `container` and one for what it does.
pub(crate) fn help(reply: &mut Reply, container: &Command) {
    let others = || container.subcommands.iter().filter(|c| c.name != "help");
    reply.array(1 + 2 * others().count() + 2);
    let name = container.name.to_ascii_uppercase();
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for command in others() {
        let line = format!("{} {}", command.name.to_ascii_uppercase(), bracketed(command.syntax));
        reply.simple(line.trim_end());
        reply.simple(&format!("    {}", command.summary));
    }
    reply.simple("HELP");
    reply.simple("    Prints this help.");
}

/// `syntax` with its arguments' names, which are its words in lower case, in angle brackets.
fn bracketed(syntax: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
    let mut out = String::with_capacity(syntax.len() + 16);
    let mut rest = syntax;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if is_word(first) && part.contains(|c: char| c.is_ascii_lowercase()) {
            out.extend(["<", part, ">"]);
        } else {
            out.push_str(part);
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_in_angle_brackets_and_tokens_do_not() {
        assert_eq!(bracketed("key [MATCH pattern] id..."), "<key> [MATCH <pattern>] <id>...");
        assert_eq!(bracketed("ON | OFF"), "ON | OFF");
        assert_eq!(bracketed(""), "");
    }

    #[test]
    fn help_lists_every_subcommand_and_itself_last() {
        static GET: Command = Command { name: "get", syntax: "name", summary: "Gets it.", ..Command::BLANK };
        static HELP: Command = Command { name: "help", ..Command::BLANK };
        static BOX: Command = Command { name: "box", subcommands: &[&HELP, &GET], ..Command::BLANK };
        let mut reply = Reply::new();
        help(&mut reply, &BOX);
        let expected = "*5\r\n+BOX <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n\
            +GET <name>\r\n+    Gets it.\r\n+HELP\r\n+    Prints this help.\r\n";
        assert_eq!(String::from_utf8_lossy(reply.bytes()), expected);
    }
}
