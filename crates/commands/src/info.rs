//! INFO: figures about server and data, in sections of `field:value` lines.

use std::fmt::Write;

use resp::Args;

use crate::ctx::Ctx;
use crate::host::DataFigures;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&INFO];

static INFO: Command = Command {
    name: "info",
    arity: -1,
    flags: flags::LOADING | flags::STALE,
    categories: "@dangerous",
    run: info,
    summary: "Gives figures about the server and its data: the usual sections, or those named.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    syntax: "[section...]",
    history: &[("7.0.0", "Takes several sections.")],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Command::BLANK
};

/// A part of what INFO gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The process and the machine.
    Server,
    /// Connections.
    Clients,
    /// Memory.
    Memory,
    /// Snapshots and the append-only file.
    Persistence,
    /// The workers' connections.
    Threads,
    /// Counts of what happened.
    Stats,
    /// Primary and replicas.
    Replication,
    /// Processor time.
    Cpu,
    /// Modules.
    Modules,
    /// Calls and times of each command.
    CommandStats,
    /// Error replies by kind.
    ErrorStats,
    /// Percentiles of each command's times.
    LatencyStats,
    /// Keys that expired.
    Expiry,
    /// Keys that were evicted.
    Eviction,
    /// Where the workers' time goes.
    Debug,
    /// The cluster.
    Cluster,
    /// Keys of each database.
    Keyspace,
}

impl Section {
    /// Each section with its heading, in the order they come in, and whether it is one of the usual.
    const ALL: [(Section, &str, bool); 17] = [
        (Section::Server, "Server", true),
        (Section::Clients, "Clients", true),
        (Section::Memory, "Memory", true),
        (Section::Persistence, "Persistence", true),
        (Section::Threads, "Threads", true),
        (Section::Stats, "Stats", true),
        (Section::Replication, "Replication", true),
        (Section::Cpu, "CPU", true),
        (Section::Modules, "Modules", true),
        (Section::CommandStats, "Commandstats", false),
        (Section::ErrorStats, "Errorstats", true),
        (Section::LatencyStats, "Latencystats", false),
        (Section::Expiry, "Expiry", false),
        (Section::Eviction, "Eviction", false),
        (Section::Debug, "Debug", false),
        (Section::Cluster, "Cluster", true),
        (Section::Keyspace, "Keyspace", true),
    ];
}

fn info(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let wanted = ctx.args.from(1);
    let mut text = String::with_capacity(4096);
    for (section, heading, usual) in Section::ALL {
        if !is_wanted(wanted, heading, usual) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        // Writing to memory does not fail.
        let _ = write!(text, "# {heading}\r\n");
        if section == Section::Keyspace {
            keyspace(ctx, &mut text);
        } else {
            let figures = data_figures(ctx, section);
            ctx.host.info_section(section, &figures, &mut text);
        }
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn is_wanted(wanted: Args<'_>, heading: &str, usual: bool) -> bool {
    let asks_for = |name: &str| wanted.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    // Redis gives this one only to who names it.
    let known = heading != "Debug";
    asks_for(heading)
        || asks_for("everything") && known
        || asks_for("all") && known && heading != "Modules"
        || usual && (wanted.iter().next().is_none() || asks_for("default"))
}

/// A line for each database that has keys.
fn keyspace(ctx: &mut Ctx<'_, '_>, text: &mut String) {
    for index in 0..ctx.db.databases() {
        let mut db = ctx.db.at(index);
        let (keys, volatile) = (db.len(), db.volatile_len());
        if keys > 0 {
            let deadlines = db.deadlines();
            let (ttl_ms, timed) = (deadlines.ttl_mean_ms, deadlines.timed_hashes);
            // No fifth field: clients' parsers know these four.
            let _ = write!(
                text,
                "db{index}:keys={keys},expires={volatile},avg_ttl={ttl_ms},subexpiry={timed}\r\n"
            );
        }
    }
}

/// What `section` says of the data.
fn data_figures(ctx: &mut Ctx<'_, '_>, section: Section) -> DataFigures {
    let mut figures = DataFigures::default();
    let (mut volatile, mut overdue) = (0, 0.0);
    for index in 0..ctx.db.databases() {
        let mut db = ctx.db.at(index);
        if db.is_empty() {
            continue;
        }
        match section {
            Section::Memory => figures.overhead_bytes += db.overhead().bytes() as u64,
            Section::Stats => {
                let keys = db.volatile_len();
                volatile += keys;
                overdue += db.deadlines().overdue_percent * keys as f64;
            }
            _ => {}
        }
    }
    figures.overdue_percent = overdue / volatile.max(1) as f64;
    figures
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    fn headings(client: &mut Client, line: &str) -> Vec<String> {
        let text = client.text(line);
        assert!(!text.contains("\r\n\r\n\r\n") && !text.ends_with("\r\n\r\n"), "{text:?}");
        text.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect()
    }

    #[test]
    fn sections_come_in_one_order_whatever_was_asked() {
        let mut client = Client::new();
        let usual = headings(&mut client, "INFO");
        assert_eq!(usual.len(), 12);
        assert_eq!(headings(&mut client, "INFO default"), usual);
        assert_eq!(headings(&mut client, "INFO keyspace SERVER nosuch"), ["Server", "Keyspace"]);
        assert_eq!(headings(&mut client, "INFO all").len(), 15);
        assert_eq!(headings(&mut client, "INFO everything").len(), 16);
        assert_eq!(headings(&mut client, "INFO default commandstats").len(), 13);
        assert_eq!(headings(&mut client, "INFO debug"), ["Debug"]);
        assert_eq!(client.send("INFO nosuch"), "$0\r\n\r\n");
    }

    #[test]
    fn the_keyspace_lists_databases_with_keys() {
        let mut client = Client::new();
        client.send("SET a 1 PX 5000");
        client.send("SET b 1");
        client.send("SELECT 3");
        client.send("SET c 1");
        for (line, keys, timed) in [
            ("HSETEX h PX 5000 FIELDS 1 f v", 2, 1),
            ("SET h 1", 2, 0),
            ("HSETEX g PX 5000 FIELDS 1 f v", 3, 1),
            ("RENAME g h", 2, 1),
            ("COPY h i", 3, 2),
            ("DEL h", 2, 1),
            ("HSET i f v", 2, 1),
            ("FLUSHDB", 0, 0),
            ("SET c 1", 1, 0),
        ] {
            client.send(line);
            let first = "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=5000,subexpiry=0\r\n";
            let third = format!("db3:keys={keys},expires=0,avg_ttl=0,subexpiry={timed}\r\n");
            let third = if keys > 0 { third } else { String::new() };
            assert_eq!(client.text("INFO keyspace"), format!("{first}{third}"), "{line}");
        }
    }

    #[test]
    fn sections_are_told_what_they_say_of_the_data() {
        let mut client = Client::new();
        let nothing = "DataFigures { overhead_bytes: 0, overdue_percent: 0.0 }";
        assert_eq!(
            client.text("INFO cpu memory"),
            format!("# Memory\r\nMemory:{nothing}\r\n\r\n# CPU\r\nCpu:{nothing}\r\n")
        );
        client.send("SET a 1 PX 5000");
        assert!(!client.text("INFO memory").contains("overhead_bytes: 0"));
        client.turn.now_ms += 5000;
        assert!(client.text("INFO stats").contains("overdue_percent: 100.0"));
        client.send("GET a");
        assert!(client.text("INFO stats").contains("overdue_percent: 0.0"));
    }
}
