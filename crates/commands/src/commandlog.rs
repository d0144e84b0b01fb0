//! COMMANDLOG: the commands that took long, as SLOWLOG gives them, and those with large requests or replies.

use resp::Args;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::observer::CommandLog;
use crate::slowlog::{count, entries};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&COMMANDLOG];

static COMMANDLOG: Command = Command {
    name: "commandlog",
    arity: -2,
    subcommands: &[&GET, &HELP, &LEN, &RESET],
    summary: "A container for commands about the logs of commands that took long or were large.",
    since: "8.1.0",
    group: "server",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands for administrators have in common.
const FOR_ADMINS: Command = Command {
    flags: flags::ADMIN | flags::LOADING | flags::STALE,
    since: "8.1.0",
    group: "server",
    syntax: "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
    ..Command::BLANK
};

static GET: Command = Command {
    name: "get",
    arity: 4,
    run: commandlog_get,
    summary: "Gives the last entries of a log, as many as asked for (-1: all), the newest first: number, time, \
        microseconds or bytes, arguments, address and name of the client.",
    complexity: "O(N), N being the number of entries given",
    syntax: "count <SLOW | LARGE-REQUEST | LARGE-REPLY>",
    example: "> COMMANDLOG GET -1 large-reply\n(empty array)\n> COMMANDLOG GET 1 small-reply\n\
        (error) ERR type should be one of the following: slow, large-request, large-reply",
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    ..FOR_ADMINS
};

fn commandlog_get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = count(ctx.args.at(2))?;
    let log = log(ctx.args, 3)?;
    entries(ctx.reply, &ctx.host.command_log(log, count));
    Ok(())
}

/// The log that argument `i` names.
fn log(args: Args<'_>, i: usize) -> Result<CommandLog, Error> {
    match &*args.at(i).to_ascii_lowercase() {
        b"slow" => Ok(CommandLog::Slow),
        b"large-request" => Ok(CommandLog::LargeRequest),
        b"large-reply" => Ok(CommandLog::LargeReply),
        _ => Err(Error::Text("ERR type should be one of the following: slow, large-request, large-reply")),
    }
}

static LEN: Command = Command {
    name: "len",
    arity: 3,
    run: commandlog_len,
    summary: "Counts the entries of a log.",
    complexity: "O(1)",
    example: "> COMMANDLOG LEN large-request\n(integer) 0",
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    ..FOR_ADMINS
};

fn commandlog_len(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let log = log(ctx.args, 2)?;
    ctx.reply.int(ctx.host.command_log_len(log) as i64);
    Ok(())
}

static RESET: Command = Command {
    name: "reset",
    arity: 3,
    run: commandlog_reset,
    summary: "Empties a log.",
    complexity: "O(N), N being the number of entries",
    example: "> COMMANDLOG RESET slow\nOK",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..FOR_ADMINS
};

fn commandlog_reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let log = log(ctx.args, 2)?;
    ctx.host.reset_command_log(log);
    ctx.reply.ok();
    Ok(())
}

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    run: commandlog_help,
    summary: "Lists the subcommands.",
    since: "8.1.0",
    group: "server",
    complexity: "O(1)",
    ..Command::BLANK
};

fn commandlog_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &COMMANDLOG);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn each_log_is_reset_by_itself() {
        let mut client = Client::new();
        for (name, log) in
            [("slow", "Slow"), ("Large-Request", "LargeRequest"), ("large-reply", "LargeReply")]
        {
            assert_eq!(client.send(&format!("COMMANDLOG RESET {name}")), "+OK\r\n");
            assert_eq!(client.calls(), [format!("reset log {log}")]);
        }
    }

    #[test]
    fn arguments_are_checked() {
        let log = "ERR type should be one of the following: slow, large-request, large-reply";
        Client::new().check_errors(&[
            ("COMMANDLOG GET -2 slow", "ERR count should be greater than or equal to -1"),
            ("COMMANDLOG GET 1", "ERR wrong number of arguments for 'commandlog|get' command"),
            ("COMMANDLOG LEN x", log),
            ("COMMANDLOG RESET x", log),
        ]);
    }
}
