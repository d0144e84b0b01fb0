//! CONFIG: the server's directives, read and changed while it runs.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&CONFIG];

static CONFIG: Command = Command {
    name: "config",
    arity: -2,
    subcommands: &[&GET, &HELP, &RESETSTAT, &REWRITE, &SET],
    summary: "A container for commands about the configuration.",
    since: "2.0.0",
    group: "server",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands for administrators have in common.
const FOR_ADMINS: Command = Command {
    flags: flags::ADMIN | flags::NOSCRIPT | flags::LOADING | flags::STALE,
    group: "server",
    ..Command::BLANK
};

static GET: Command = Command {
    name: "get",
    arity: -3,
    run: config_get,
    summary: "Gives the directives whose names fit one of the patterns, and their values.",
    since: "2.0.0",
    complexity: "O(N), N being the number of directives times that of patterns.",
    syntax: "parameter [parameter ...]",
    history: &[("7.0.0", "Takes several patterns.")],
    ..FOR_ADMINS
};

fn config_get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let patterns: Vec<&[u8]> = ctx.args.from(2).iter().collect();
    let found = ctx.host.config_get(&patterns);
    ctx.reply.map(found.len());
    for (name, value) in found {
        ctx.reply.bulk(&name);
        ctx.reply.bulk(&value);
    }
    Ok(())
}

static SET: Command = Command {
    name: "set",
    arity: -4,
    is_secret: Some(|args, i, host| i > 2 && i % 2 == 1 && host.is_secret_directive(args.at(i - 1))),
    run: config_set,
    summary: "Changes directives: all that are given, or none when one of them cannot be changed so.",
    since: "2.0.0",
    complexity: "O(N), N being the number of directives given.",
    syntax: "parameter value [parameter value ...]",
    history: &[("7.0.0", "Changes several directives at once.")],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..FOR_ADMINS
};

fn config_set(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let words: Vec<&[u8]> = ctx.args.from(2).iter().collect();
    let (pairs, []) = words.as_chunks::<2>() else { return Err(Error::Syntax) };
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|&[name, value]| (name, value)).collect();
    ctx.host.config_set(ctx.session, &pairs)?;
    ctx.reply.ok();
    Ok(())
}

static RESETSTAT: Command = Command {
    name: "resetstat",
    arity: 2,
    run: config_resetstat,
    summary: "Sets the counts and times that INFO shows back to zero.",
    since: "2.0.0",
    complexity: "O(1)",
    example: "> CONFIG RESETSTAT\nOK",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..FOR_ADMINS
};

fn config_resetstat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.reset_stats();
    ctx.reply.ok();
    Ok(())
}

static REWRITE: Command = Command {
    name: "rewrite",
    arity: 2,
    run: config_rewrite,
    summary: "Writes the configuration back to the file it was read from; comments and order stay.",
    since: "2.8.0",
    complexity: "O(1)",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..FOR_ADMINS
};

fn config_rewrite(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.config_rewrite()?;
    ctx.reply.ok();
    Ok(())
}

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    run: config_help,
    summary: "Lists the subcommands.",
    since: "5.0.0",
    group: "server",
    complexity: "O(1)",
    ..Command::BLANK
};

fn config_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &CONFIG);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn get_gives_a_map() {
        let mut client = Client::new();
        assert_eq!(
            client.send("CONFIG GET hz port"),
            "*4\r\n$2\r\nhz\r\n$5\r\nvalue\r\n$4\r\nport\r\n$5\r\nvalue\r\n"
        );
        client.session.resp3 = true;
        assert_eq!(client.send("CONFIG GET hz"), "%1\r\n$2\r\nhz\r\n$5\r\nvalue\r\n");
    }

    #[test]
    fn set_takes_pairs() {
        let mut client = Client::new();
        assert_eq!(client.text("CONFIG SET hz 1 timeout 2"), "OK");
        assert_eq!(client.calls(), ["set hz 1", "set timeout 2"]);
        assert_eq!(client.text("CONFIG SET hz 1 timeout"), "ERR syntax error");
        assert_eq!(client.text("CONFIG SET hz"), "ERR wrong number of arguments for 'config|set' command");
        assert_eq!(client.calls(), [""; 0]);
    }

    #[test]
    fn rewrite_and_resetstat_reach_the_process() {
        let mut client = Client::new();
        assert_eq!(client.text("CONFIG REWRITE"), "OK");
        assert_eq!(client.text("CONFIG RESETSTAT"), "OK");
        assert_eq!(client.calls(), ["rewrite", "reset stats"]);
    }
}
