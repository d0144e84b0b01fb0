//! LATENCY: what took long, event by event and command by command.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::latency_doctor;
use crate::latency_graph::graph;
use crate::lookup::{Row, find_named, rows};
use crate::observer::LatencyEvent;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&LATENCY];

static LATENCY: Command = Command {
    name: "latency",
    arity: -2,
    subcommands: &[&DOCTOR, &GRAPH, &HELP, &HISTOGRAM, &HISTORY, &LATEST, &RESET],
    summary: "A container for commands about what takes long.",
    since: "2.8.13",
    group: "server",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands for administrators have in common.
const FOR_ADMINS: Command = Command {
    flags: flags::ADMIN | flags::NOSCRIPT | flags::LOADING | flags::STALE,
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Command::BLANK
};

static DOCTOR: Command = Command {
    name: "doctor",
    arity: 2,
    run: doctor,
    summary: "Tells in words what took long and what can be done about it.",
    ..FOR_ADMINS
};

fn doctor(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let directive = |name: &[u8]| {
        let found = ctx.host.config_get(&[name]).pop().map(|(_, value)| value);
        std::str::from_utf8(&found.unwrap_or_default()).ok().and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    let setup = latency_doctor::Setup {
        threshold_ms: directive(b"latency-monitor-threshold"),
        slow_log_us: directive(b"slowlog-log-slower-than"),
        now_s: ctx.host.now_us() / 1_000_000,
    };
    let report = latency_doctor::report(&setup, &ctx.host.latency_events());
    ctx.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

static GRAPH: Command = Command {
    name: "graph",
    arity: 3,
    run: latency_graph,
    summary: "Draws the samples of an event.",
    syntax: "event",
    example: "> LATENCY GRAPH command\n(error) ERR No samples available for event 'command'",
    ..FOR_ADMINS
};

fn latency_graph(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let name = ctx.args.at(2);
    let Some(event) = find_event(ctx, name) else {
        return Err(Error::Bytes([b"ERR No samples available for event '", name, b"'"].concat().into()));
    };
    let picture = graph(&event, ctx.host.now_us() / 1_000_000);
    ctx.reply.verbatim("txt", picture.as_bytes());
    Ok(())
}

fn find_event(ctx: &Ctx<'_, '_>, name: &[u8]) -> Option<LatencyEvent> {
    ctx.host.latency_events().into_iter().find(|event| event.name.as_bytes() == name)
}

static HISTORY: Command = Command {
    name: "history",
    arity: 3,
    run: history,
    summary: "Gives the last 160 samples of an event: second, and milliseconds of the longest in it.",
    syntax: "event",
    example: "> LATENCY HISTORY command\n(empty array)",
    ..FOR_ADMINS
};

fn history(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let samples = find_event(ctx, ctx.args.at(2)).map(|event| event.samples).unwrap_or_default();
    ctx.reply.array(samples.len());
    for (time_s, latency_ms) in samples {
        ctx.reply.array(2);
        ctx.reply.int(time_s);
        ctx.reply.int(latency_ms as i64);
    }
    Ok(())
}

static LATEST: Command = Command {
    name: "latest",
    arity: 2,
    run: latest,
    summary: "Gives each event's last sample and its longest ever: name, second, milliseconds of either.",
    example: "> LATENCY LATEST\n(empty array)",
    ..FOR_ADMINS
};

fn latest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let events = ctx.host.latency_events();
    ctx.reply.array(events.len());
    for event in events {
        let (time_s, latency_ms) = event.samples.last().copied().unwrap_or_default();
        ctx.reply.array(4);
        ctx.reply.bulk(event.name.as_bytes());
        ctx.reply.int(time_s);
        ctx.reply.int(latency_ms as i64);
        ctx.reply.int(event.max_ms as i64);
    }
    Ok(())
}

static RESET: Command = Command {
    name: "reset",
    arity: -2,
    run: reset,
    summary: "Forgets the samples of some events, or of all; how many had any.",
    syntax: "[event...]",
    example: "> LATENCY RESET\n(integer) 0",
    tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
    ..FOR_ADMINS
};

fn reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let reset = match ctx.args.len() {
        2 => ctx.host.reset_latency_events(&|_| true),
        _ => ctx.host.reset_latency_events(&|name| ctx.args.from(2).iter().any(|arg| arg == name.as_bytes())),
    };
    ctx.reply.int(reset as i64);
    Ok(())
}

static HISTOGRAM: Command = Command {
    name: "histogram",
    arity: -2,
    run: histogram,
    summary: "Gives how many calls of some commands, or of all, took at most how many microseconds.",
    since: "7.0.0",
    complexity: "O(N), N being the number of commands that are given",
    syntax: "[command...]",
    ..FOR_ADMINS
};

fn histogram(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let header = ctx.reply.array_deferred();
    let mut given = 0;
    if ctx.args.len() == 2 {
        rows().iter().for_each(|row| given += calls_of(ctx, row));
    }
    for name in ctx.args.from(2).iter() {
        let Some(row) = find_named(name) else { continue };
        let subcommands = row.command.subcommands.len();
        // A container's subcommands follow it.
        rows()[row.number..=row.number + subcommands].iter().for_each(|row| given += calls_of(ctx, row));
    }
    ctx.reply.close_map(header, given);
    Ok(())
}

/// Writes the histogram of one command, when it has run; how many histograms that are.
fn calls_of(ctx: &mut Ctx<'_, '_>, row: &Row) -> usize {
    let steps = ctx.host.command_latency(row);
    let Some(&(_, calls)) = steps.last() else { return 0 };
    let reply = &mut *ctx.reply;
    reply.bulk(row.full_name().as_bytes());
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(calls as i64);
    reply.bulk(b"histogram_usec");
    reply.map(steps.len());
    for (upto_us, calls) in steps {
        reply.int(upto_us as i64);
        reply.int(calls as i64);
    }
    1
}

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    run: latency_help,
    summary: "Lists the subcommands.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    ..Command::BLANK
};

fn latency_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &LATENCY);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::LatencyEvent;
    use crate::testing::{Client, NOW_MS, TestHost};

    fn client() -> Client {
        let now_s = NOW_MS / 1000;
        let command =
            LatencyEvent { name: "command", samples: vec![(now_s - 9, 20), (now_s - 3, 12)], max_ms: 30 };
        let expiry = LatencyEvent { name: "expire-cycle", samples: vec![(now_s, 11)], max_ms: 11 };
        Client::of(TestHost { latency_events: vec![command, expiry], ..TestHost::default() })
    }

    #[test]
    fn events_are_listed_with_their_samples() {
        let mut client = client();
        assert_eq!(
            client.send("LATENCY LATEST"),
            "*2\r\n*4\r\n$7\r\ncommand\r\n:1699999997\r\n:12\r\n:30\r\n\
             *4\r\n$12\r\nexpire-cycle\r\n:1700000000\r\n:11\r\n:11\r\n"
        );
        assert_eq!(
            client.send("LATENCY HISTORY command"),
            "*2\r\n*2\r\n:1699999991\r\n:20\r\n*2\r\n:1699999997\r\n:12\r\n"
        );
        assert_eq!(client.send("LATENCY HISTORY COMMAND"), "*0\r\n");
        assert!(client.text("LATENCY GRAPH command").starts_with("command - high 20 ms, low 12 ms"));
        let report = client.text("LATENCY DOCTOR");
        assert!(report.contains("command: 2 spikes"), "{report}");
    }

    #[test]
    fn events_are_reset_by_name_or_all() {
        let mut client = client();
        assert_eq!(client.send("LATENCY RESET nosuch command command"), ":1\r\n");
        assert_eq!(client.send("LATENCY RESET"), ":2\r\n");
    }

    #[test]
    fn histograms_are_those_of_commands_that_ran() {
        let mut client = client();
        client.host.command_latency = vec![("get", vec![(1, 2), (4, 5)]), ("client|id", vec![(33, 1)])];
        let get =
            "$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:5\r\n$14\r\nhistogram_usec\r\n*4\r\n:1\r\n:2\r\n:4\r\n:5\r\n";
        let id = "$9\r\nclient|id\r\n*4\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n*2\r\n:33\r\n:1\r\n";
        assert_eq!(client.send("LATENCY HISTOGRAM"), format!("*4\r\n{get}{id}"));
        assert_eq!(client.send("LATENCY HISTOGRAM nosuch set client GET"), format!("*4\r\n{id}{get}"));
        assert_eq!(client.send("LATENCY HISTOGRAM client|id"), format!("*2\r\n{id}"));
        client.session.resp3 = true;
        assert!(
            client.send("LATENCY HISTOGRAM get").starts_with("%1\r\n$3\r\nget\r\n%2\r\n$5\r\ncalls\r\n:5")
        );
        assert_eq!(client.send("LATENCY HISTOGRAM nosuch"), "%0\r\n");
    }
}
