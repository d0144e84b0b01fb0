//! HOTKEYS: the keys that are used most.

use resp::Args;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&HOTKEYS];

/// What a session of HOTKEYS looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotKeysRequest {
    /// The keys that take most time.
    pub cpu: bool,
    /// The keys for which most bytes are received and sent.
    pub net: bool,
    /// How many keys are told of each kind.
    pub count: usize,
    /// After how many milliseconds it ends by itself.
    pub duration_ms: Option<i64>,
    /// One command of so many is looked at.
    pub sample: u32,
}

/// A key, and how much of something it accounts for.
pub type HotKey<T> = (Box<[u8]>, T);

/// What a session found. Figures of keys are estimates for all commands, also where only some were looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct HotKeysReport {
    /// It goes on.
    pub active: bool,
    /// One command of so many is looked at.
    pub sample: u32,
    /// Microseconds that all commands took meanwhile.
    pub commands_us: u64,
    /// Bytes received and sent meanwhile.
    pub net_bytes: u64,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: i64,
    /// How long it has lasted.
    pub duration_ms: i64,
    /// If it looks for them, keys with the microseconds their commands took; and the milliseconds of processor time
    /// that the process took meanwhile, as program and in the kernel.
    pub cpu: Option<(Vec<HotKey<u64>>, u64, u64)>,
    /// If it looks for them, keys with the bytes of their requests and replies.
    pub net: Option<Vec<HotKey<u64>>>,
}

/// Keys that may be asked for at most.
const COUNT_MAX: i64 = 64;
const COUNT_DEFAULT: usize = 10;
const DURATION_S_MAX: i64 = 1_000_000;

static HOTKEYS: Command = Command {
    name: "hotkeys",
    arity: -2,
    subcommands: &[&GET, &HELP, &RESET, &START, &STOP, &TOP],
    summary: "A container for commands about the keys that are used most.",
    since: "8.6.0",
    group: "server",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands have in common.
const ANY: Command = Command {
    arity: 2,
    flags: flags::ADMIN | flags::NOSCRIPT,
    since: "8.6.0",
    group: "server",
    complexity: "O(1)",
    ..Command::BLANK
};

static HELP: Command = Command {
    name: "help",
    flags: flags::LOADING | flags::STALE,
    run: hotkeys_help,
    summary: "Lists the subcommands.",
    since: "8.6.1",
    ..ANY
};

fn hotkeys_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &HOTKEYS);
    Ok(())
}

static START: Command = Command {
    name: "start",
    arity: -2,
    run: start,
    summary: "Begins to look for the keys whose commands take most time, or most of the network.",
    syntax: "METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] \
        [SLOTS count slot [slot ...]]",
    example: "> HOTKEYS START METRICS 2 CPU NET COUNT 20 DURATION 60 SAMPLE 10\nOK",
    ..ANY
};

fn start(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let request = HotKeysRequest::parse(ctx.args.from(2))?;
    ctx.host.hotkeys_start(request)?;
    ctx.reply.ok();
    Ok(())
}

impl HotKeysRequest {
    fn parse(args: Args<'_>) -> Result<HotKeysRequest, Error> {
        let is = |i: usize, word: &str| args.get(i).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
        if !is(0, "METRICS") || args.len() < 2 {
            return Err(Error::Text("ERR METRICS parameter is required"));
        }
        let within = |arg: &[u8], max: i64| int(arg).ok().filter(|n| (1..=max).contains(n));
        let metrics =
            within(args.at(1), 2).ok_or(Error::Text("ERR METRICS count must be > 0 and <= 2"))? as usize;
        let mut request =
            HotKeysRequest { cpu: false, net: false, count: COUNT_DEFAULT, duration_ms: None, sample: 1 };
        for i in 2..2 + metrics {
            if i >= args.len() {
                return Err(Error::Text("ERR METRICS count does not match number of metric types provided"));
            }
            // A kind that is not known may be one of a later version.
            if is(i, "CPU") && std::mem::replace(&mut request.cpu, true) {
                return Err(Error::Text("ERR METRICS CPU defined more than once!"));
            }
            if is(i, "NET") && std::mem::replace(&mut request.net, true) {
                return Err(Error::Text("ERR METRICS NET defined more than once!"));
            }
        }
        if !request.cpu && !request.net {
            return Err(Error::Text("ERR METRICS no valid metrics passed. Supported: CPU|NET"));
        }
        let mut i = 2 + metrics;
        while let Some(value) = args.get(i + 1) {
            if is(i, "COUNT") {
                let count = within(value, COUNT_MAX);
                request.count = count.ok_or(Error::Text("ERR COUNT must be between 1 and 64"))? as usize;
            } else if is(i, "DURATION") {
                let seconds = within(value, DURATION_S_MAX);
                let seconds = seconds.ok_or(Error::Text("ERR DURATION must be between 1 and 1000000"))?;
                request.duration_ms = Some(seconds * 1000);
            } else if is(i, "SAMPLE") {
                let ratio = within(value, i64::from(i32::MAX));
                request.sample = ratio.ok_or(Error::Text("ERR SAMPLE ratio must be positive"))? as u32;
            } else if is(i, "SLOTS") {
                return Err(Error::Text("ERR SLOTS parameter cannot be used in non-cluster mode"));
            } else {
                return Err(Error::Syntax);
            }
            i += 2;
        }
        if i < args.len() { Err(Error::Syntax) } else { Ok(request) }
    }
}

static STOP: Command = Command {
    name: "stop",
    run: stop,
    summary: "Ends the search that HOTKEYS START began; what it found can still be asked for.",
    example: "> HOTKEYS STOP\n(nil)",
    ..ANY
};

fn stop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.host.hotkeys_stop() {
        ctx.reply.ok()
    } else {
        ctx.reply.null()
    }
    Ok(())
}

static RESET: Command = Command {
    name: "reset",
    run: reset,
    summary: "Forgets what a search that has ended found.",
    example: "> HOTKEYS RESET\nOK",
    ..ANY
};

fn reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.hotkeys_reset()?;
    ctx.reply.ok();
    Ok(())
}

static GET: Command = Command {
    name: "get",
    run: get,
    summary: "Gives what the last search found: keys by the time or the bytes of their commands.",
    complexity: "O(N) for N keys given",
    example: "> HOTKEYS GET\n(nil)",
    ..ANY
};

fn get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    /// Of a server that is no node of a cluster.
    const LAST_SLOT: i64 = 16_383;
    let Some(report) = ctx.host.hotkeys() else {
        ctx.reply.null();
        return Ok(());
    };
    let reply = &mut *ctx.reply;
    reply.array(1);
    reply.map(7 + 3 * usize::from(report.cpu.is_some()) + 2 * usize::from(report.net.is_some()));
    let number = |reply: &mut resp::Reply, name: &str, n: i64| {
        reply.bulk(name.as_bytes());
        reply.int(n);
    };
    number(reply, "tracking-active", i64::from(report.active));
    number(reply, "sample-ratio", i64::from(report.sample));
    reply.bulk(b"selected-slots");
    reply.array(1);
    reply.array(2);
    reply.int(0);
    reply.int(LAST_SLOT);
    number(reply, "all-commands-all-slots-us", report.commands_us as i64);
    number(reply, "net-bytes-all-commands-all-slots", report.net_bytes as i64);
    number(reply, "collection-start-time-unix-ms", report.started_ms);
    number(reply, "collection-duration-ms", report.duration_ms);
    if let Some((_, user_ms, system_ms)) = report.cpu {
        number(reply, "total-cpu-time-user-ms", user_ms as i64);
        number(reply, "total-cpu-time-sys-ms", system_ms as i64);
    }
    if report.net.is_some() {
        number(reply, "total-net-bytes", report.net_bytes as i64);
    }
    let cpu = report.cpu.map(|(keys, ..)| keys);
    for (name, keys) in [("by-cpu-time-us", cpu), ("by-net-bytes", report.net)] {
        let Some(keys) = keys else { continue };
        reply.bulk(name.as_bytes());
        reply.array(2 * keys.len());
        for (key, n) in keys {
            reply.bulk(&key);
            reply.int(n as i64);
        }
    }
    Ok(())
}

static TOP: Command = Command {
    name: "top",
    arity: -2,
    run: top,
    summary: "Gives the keys used most lately, most used first, each with about how many times a second; for this \
        nothing needs to be started.",
    since: "Ebbtide 0.1.0",
    complexity: "O(N log N) for N keys that are watched, some hundreds",
    syntax: "[COUNT count]",
    example: "> HOTKEYS TOP COUNT 3\n(empty array)",
    tips: &["nondeterministic_output"],
    ..ANY
};

fn top(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = match (ctx.args.len(), ctx.args.get(2)) {
        (2, _) => COUNT_DEFAULT,
        (4, Some(word)) if word.eq_ignore_ascii_case(b"count") => {
            let count = int(ctx.args.at(3)).ok().filter(|n| (1..=COUNT_MAX).contains(n));
            count.ok_or(Error::Text("ERR COUNT must be between 1 and 64"))? as usize
        }
        _ => return Err(Error::Syntax),
    };
    let keys = ctx.host.hotkeys_top(count);
    ctx.reply.array(2 * keys.len());
    for (key, uses_per_s) in keys {
        ctx.reply.bulk(&key);
        ctx.reply.double((uses_per_s * 100.0).round() / 100.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::HotKeysRequest;
    use crate::testing::Client;

    #[test]
    fn requests_are_read_as_redis_reads_them() {
        const COUNT: &str = "ERR METRICS count must be > 0 and <= 2";
        let mut client = Client::new();
        client.check_errors(&[
            ("HOTKEYS START", "ERR METRICS parameter is required"),
            ("HOTKEYS START COUNT 5", "ERR METRICS parameter is required"),
            ("HOTKEYS START METRICS 0", COUNT),
            ("HOTKEYS START METRICS -1 CPU", COUNT),
            ("HOTKEYS START METRICS 3 CPU NET", COUNT),
            (
                "HOTKEYS START METRICS 2 CPU",
                "ERR METRICS count does not match number of metric types provided",
            ),
            ("HOTKEYS START METRICS 1 CPU NET", "ERR syntax error"),
            ("HOTKEYS START METRICS 2 GPU NYET", "ERR METRICS no valid metrics passed. Supported: CPU|NET"),
            ("HOTKEYS START METRICS 2 CPU CPU", "ERR METRICS CPU defined more than once!"),
            ("HOTKEYS START METRICS 2 NET NET", "ERR METRICS NET defined more than once!"),
            ("HOTKEYS START METRICS 1 CPU COUNT 0", "ERR COUNT must be between 1 and 64"),
            ("HOTKEYS START METRICS 1 CPU COUNT 65", "ERR COUNT must be between 1 and 64"),
            ("HOTKEYS START METRICS 1 CPU COUNT", "ERR syntax error"),
            ("HOTKEYS START METRICS 1 CPU DURATION 1000001", "ERR DURATION must be between 1 and 1000000"),
            ("HOTKEYS START METRICS 1 CPU SAMPLE 0", "ERR SAMPLE ratio must be positive"),
            (
                "HOTKEYS START METRICS 1 CPU SLOTS 1 0",
                "ERR SLOTS parameter cannot be used in non-cluster mode",
            ),
            ("HOTKEYS TOP COUNT 0", "ERR COUNT must be between 1 and 64"),
            ("HOTKEYS TOP 5", "ERR syntax error"),
        ]);
        assert!(client.calls().is_empty());
        client.check(&[("HOTKEYS START metrics 2 gpu cpu sample 7 duration 2 count 64", "OK")]);
        let request = HotKeysRequest { cpu: true, net: false, count: 64, duration_ms: Some(2000), sample: 7 };
        assert_eq!(client.calls(), [format!("{request:?}")]);
    }
}
