//! SLOWLOG: the commands that took long.

use std::sync::Arc;

use resp::Reply;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::number::int;
use crate::observer::{CommandLog, LogEntry};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&SLOWLOG];

/// Entries that GET gives when it is not told how many.
const COUNT: usize = 10;

static SLOWLOG: Command = Command {
    name: "slowlog",
    arity: -2,
    subcommands: &[&GET, &HELP, &LEN, &RESET],
    summary: "A container for commands about the slow log.",
    since: "2.2.12",
    group: "server",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands for administrators have in common.
const FOR_ADMINS: Command = Command {
    flags: flags::ADMIN | flags::LOADING | flags::STALE,
    since: "2.2.12",
    group: "server",
    ..Command::BLANK
};

static GET: Command = Command {
    name: "get",
    arity: -2,
    run: slowlog_get,
    summary: "Gives the last slow commands, ten or as many as asked for (-1: all), the newest first: number, time, \
        microseconds, arguments, address and name of the client.",
    complexity: "O(N), N being the number of entries given",
    syntax: "[count]",
    example: "> SLOWLOG GET 2\n(empty array)\n> SLOWLOG GET -2\n\
        (error) ERR count should be greater than or equal to -1",
    history: &[("4.0.0", "Gives the address and name of the client.")],
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    ..FOR_ADMINS
};

fn slowlog_get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = match (ctx.args.len(), ctx.args.get(2)) {
        (2, _) => COUNT,
        (3, Some(arg)) => count(arg)?,
        _ => {
            let text = "ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.";
            return Err(Error::Text(text));
        }
    };
    entries(ctx.reply, &ctx.host.command_log(CommandLog::Slow, count));
    Ok(())
}

/// How many entries `arg` asks for; -1: all.
pub(crate) fn count(arg: &[u8]) -> Result<usize, Error> {
    match int(arg) {
        Ok(-1) => Ok(usize::MAX),
        Ok(count @ 0..) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(Error::Text("ERR count should be greater than or equal to -1")),
    }
}

/// Replies with `entries`.
pub(crate) fn entries(reply: &mut Reply, entries: &[Arc<LogEntry>]) {
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.int(entry.id as i64);
        reply.int(entry.time_s);
        reply.int(entry.amount as i64);
        let args = entry.args.args();
        reply.array(args.len());
        args.iter().for_each(|arg| reply.bulk(arg));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(&entry.name);
    }
}

static LEN: Command = Command {
    name: "len",
    arity: 2,
    run: slowlog_len,
    summary: "Counts the entries of the slow log.",
    complexity: "O(1)",
    example: "> SLOWLOG LEN\n(integer) 0",
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    ..FOR_ADMINS
};

fn slowlog_len(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.int(ctx.host.command_log_len(CommandLog::Slow) as i64);
    Ok(())
}

static RESET: Command = Command {
    name: "reset",
    arity: 2,
    run: slowlog_reset,
    summary: "Empties the slow log.",
    complexity: "O(N), N being the number of entries",
    example: "> SLOWLOG RESET\nOK",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..FOR_ADMINS
};

fn slowlog_reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.reset_command_log(CommandLog::Slow);
    ctx.reply.ok();
    Ok(())
}

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    run: slowlog_help,
    summary: "Lists the subcommands.",
    since: "6.2.0",
    group: "server",
    complexity: "O(1)",
    ..Command::BLANK
};

fn slowlog_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &SLOWLOG);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Client, TestHost};

    fn entry(id: u64) -> Arc<LogEntry> {
        Arc::new(LogEntry {
            id,
            time_s: 5,
            amount: 7,
            args: ["GET", "a"].into_iter().collect(),
            address: "1.2.3.4:5".into(),
            name: b"me".as_slice().into(),
        })
    }

    #[test]
    fn entries_tell_what_ran_and_for_whom() {
        let mut client = Client::of(TestHost { slow_log: vec![entry(1), entry(0)], ..TestHost::default() });
        let first = "*6\r\n:1\r\n:5\r\n:7\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n$9\r\n1.2.3.4:5\r\n$2\r\nme\r\n";
        assert_eq!(client.send("SLOWLOG GET 1"), format!("*1\r\n{first}"));
        assert!(client.send("SLOWLOG GET").starts_with(&format!("*2\r\n{first}*6\r\n:0\r\n")));
        assert_eq!(client.value("SLOWLOG GET -1").as_slice().unwrap().len(), 2);
        assert_eq!(client.send("SLOWLOG GET 0"), "*0\r\n");
    }

    #[test]
    fn counts_are_checked() {
        let mut client = Client::new();
        let below = "ERR count should be greater than or equal to -1";
        let many = "ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.";
        client.check_errors(&[
            ("SLOWLOG GET -222", below),
            ("SLOWLOG GET x", below),
            ("SLOWLOG GET 1 2", many),
            ("SLOWLOG foo", "ERR unknown subcommand 'foo'. Try SLOWLOG HELP."),
        ]);
    }
}
