//! COMMAND GETKEYS and GETKEYSANDFLAGS: which arguments of a request are keys.

use resp::Args;

use crate::command::ANY;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::Positions;
use crate::lookup::find_row;
use crate::table::{Command, Outcome, flags};

pub(crate) static GETKEYS: Command = Command {
    name: "getkeys",
    arity: -3,
    run: getkeys,
    summary: "Finds the keys in a request.",
    since: "2.8.13",
    complexity: "O(N), N being the number of arguments",
    syntax: "command [arg...]",
    example: "> COMMAND GETKEYS MSET a 1 b 2\n1) \"a\"\n2) \"b\"",
    ..ANY
};

fn getkeys(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let request = ctx.args.from(2);
    let keys = keys(request)?;
    ctx.reply.array(keys.len());
    keys.iter().for_each(|&(i, _)| ctx.reply.bulk(request.at(i)));
    Ok(())
}

pub(crate) static GETKEYSANDFLAGS: Command = Command {
    name: "getkeysandflags",
    arity: -3,
    run: getkeysandflags,
    summary: "Finds the keys in a request, and what it does with them.",
    since: "7.0.0",
    complexity: "O(N), N being the number of arguments",
    syntax: "command [arg...]",
    example: "> COMMAND GETKEYSANDFLAGS SET a 1\n1) 1) \"a\"\n   2) 1) OW\n      2) update",
    ..ANY
};

fn getkeysandflags(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let request = ctx.args.from(2);
    let keys = keys(request)?;
    ctx.reply.array(keys.len());
    for (i, flags) in keys {
        ctx.reply.array(2);
        ctx.reply.bulk(request.at(i));
        ctx.reply.set(flags.split(' ').count());
        flags.split(' ').for_each(|flag| ctx.reply.simple(flag));
    }
    Ok(())
}

/// The positions of the keys in `request`, and their flags.
fn keys(request: Args<'_>) -> Result<Vec<(usize, &'static str)>, Error> {
    let row = find_row(request.at(0)).and_then(|row| match request.get(1) {
        Some(name) if !row.command.subcommands.is_empty() => row.subcommand(name),
        _ => Some(row),
    });
    let command = row.ok_or(Error::Text("ERR Invalid command specified"))?.command;
    if !command.has_keys() {
        return Err(Error::Text("ERR The command has no key arguments"));
    }
    if !command.takes(request.len()) {
        return Err(Error::Text("ERR Invalid number of arguments specified for command"));
    }
    let mut found = Vec::new();
    for spec in command.keys {
        let variable = spec.flags.split(' ').any(|flag| flag == "variable_flags");
        let flags = match command.key_flags {
            Some(flags_of) if variable => flags_of(request),
            _ => spec.flags,
        };
        let mut positions = Positions::new();
        command.positions_of(spec, request, &mut positions);
        found.extend(positions.into_iter().map(|i| (i, flags)));
    }
    if found.is_empty() && !command.is(flags::NO_MANDATORY_KEYS) {
        return Err(Error::Text("ERR Invalid arguments specified for command"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn keys_are_found_or_it_is_said_why_not() {
        let mut client = Client::new();
        assert_eq!(client.send("COMMAND GETKEYS rename a b"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
        assert_eq!(client.send("COMMAND GETKEYS object encoding a"), "*1\r\n$1\r\na\r\n");
        for (line, text) in [
            ("COMMAND GETKEYS foo a", "ERR Invalid command specified"),
            ("COMMAND GETKEYS object foo a", "ERR Invalid command specified"),
            ("COMMAND GETKEYS ping", "ERR The command has no key arguments"),
            ("COMMAND GETKEYS client id", "ERR The command has no key arguments"),
            ("COMMAND GETKEYS get", "ERR Invalid number of arguments specified for command"),
            ("COMMAND GETKEYS", "ERR wrong number of arguments for 'command|getkeys' command"),
        ] {
            assert_eq!(client.text(line), text, "{line}");
        }
    }

    #[test]
    fn flags_follow_the_arguments() {
        let mut client = Client::new();
        let mut flags =
            |request| client.send(&format!("COMMAND GETKEYSANDFLAGS {request}")).replace("\r\n", " ");
        assert_eq!(flags("set a 1"), "*1 *2 $1 a *2 +OW +update ");
        assert_eq!(flags("set a 1 GET"), "*1 *2 $1 a *3 +RW +access +update ");
        assert_eq!(flags("rename a b"), "*2 *2 $1 a *3 +RW +access +delete *2 $1 b *2 +OW +update ");
    }
}
