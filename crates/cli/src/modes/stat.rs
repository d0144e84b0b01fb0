//! `--stat`: a line about the server each second.

use std::time::Duration;

use crate::failure::Failure;
use crate::options::Options;
use crate::output;
use crate::pace::rest;
use crate::session::Session;

const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
/// The heading is repeated after so many lines.
const LINES_A_HEADING: i64 = 20;
const HEADING: &str = "\
------- data ------ --------------------- load -------------------- - child -
keys       mem      clients blocked requests            connections         \x20
";

/// Prints a line each interval, `-r` of them or for ever.
pub(crate) fn run(session: &mut Session, options: &Options) -> Result<(), Failure> {
    let interval = options.interval.unwrap_or(INTERVAL_DEFAULT);
    let lines = options.repeat.unwrap_or(-1);
    let mut requests_before = None;
    let mut line = 0;
    while lines < 0 || line < lines {
        if line > 0 {
            rest(interval);
        }
        let reply = session.ask(&["INFO"])?;
        let Some(info) = reply.as_bytes() else {
            let error = String::from_utf8_lossy(reply.as_error().unwrap_or(b"no text")).into_owned();
            return Err(Failure::Refused(format!("INFO failed: {error}")));
        };
        let info = Info(&String::from_utf8_lossy(info));
        if line % LINES_A_HEADING == 0 {
            output::print(HEADING)?;
        }
        output::print(report(&info, &mut requests_before))?;
        line += 1;
    }
    Ok(())
}

/// INFO's text.
struct Info<'a>(&'a str);

impl Info<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }

    /// A number, 0 when the server does not tell.
    fn number(&self, name: &str) -> i64 {
        self.field(name).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Keys of all databases: the sum over lines like `db0:keys=12,expires=0`.
    fn keys(&self) -> u64 {
        let keys = |line: &str| {
            let (db, fields) = line.strip_prefix("db")?.split_once(":keys=")?;
            db.parse::<u32>().ok()?;
            fields.split(',').next()?.trim().parse::<u64>().ok()
        };
        self.0.lines().filter_map(keys).sum()
    }
}

fn report(info: &Info<'_>, requests_before: &mut Option<i64>) -> String {
    let requests = info.number("total_commands_processed");
    let new = requests - requests_before.replace(requests).unwrap_or(requests);
    let busy = [
        ("SAVE", info.number("rdb_bgsave_in_progress")),
        ("AOF", info.number("aof_rewrite_in_progress")),
        ("LOAD", info.number("loading")),
    ];
    let busy: Vec<&str> = busy.iter().filter(|(_, running)| *running != 0).map(|(name, _)| *name).collect();
    format!(
        "{:<11}{:<8} {:<8}{:<8}{:<19} {:<12}{}\n",
        info.keys(),
        human(info.number("used_memory")),
        info.number("connected_clients"),
        info.number("blocked_clients"),
        format!("{requests} (+{new})"),
        info.number("total_connections_received"),
        busy.join("+")
    )
}

/// Bytes as `512B`, `1.50K`, `3.00G`.
fn human(bytes: i64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "K", "M", "G"] {
        if size.abs() < 1024.0 {
            return if unit == "B" { format!("{bytes}B") } else { format!("{size:.2}{unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.2}T")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_columns() {
        let text = "# Clients\r\nconnected_clients:3\r\nblocked_clients:1\r\n# Memory\r\nused_memory:1572864\r\n\
            # Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:1\r\naof_rewrite_in_progress:1\r\n# Stats\r\n\
            total_connections_received:8\r\ntotal_commands_processed:120\r\n# Keyspace\r\n\
            db0:keys=10,expires=0,avg_ttl=0\r\ndb15:keys=5,expires=1,avg_ttl=0\r\n";
        let info = Info(text);
        let mut before = None;
        let line = report(&info, &mut before);
        assert_eq!(line, "15         1.50M    3       1       120 (+0)            8           SAVE+AOF\n");
        before = Some(100);
        assert!(report(&info, &mut before).contains("120 (+20)"));
        assert_eq!(before, Some(120));
    }

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (5 << 40, "5.00T"), (-2048, "-2.00K")]
        {
            assert_eq!(human(bytes), text);
        }
    }
}
