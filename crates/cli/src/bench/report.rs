//! What a test measured, as text, CSV or JSON.

use std::io::{self, Write};

use hdrhistogram::Histogram;
use serde_json::json;

use crate::bench::measure::{Outcome, Tick};
use crate::bench::options::Options;
use crate::bench::server::Server;

/// Latencies are kept to the microsecond.
const PRECISION_MAX: usize = 3;
const CSV_COLUMNS: [&str; 8] = [
    "test",
    "rps",
    "avg_latency_ms",
    "min_latency_ms",
    "p50_latency_ms",
    "p95_latency_ms",
    "p99_latency_ms",
    "max_latency_ms",
];

/// Writes results in the form the options ask for.
pub(crate) struct Report<'a> {
    options: &'a Options,
    server: &'a Server,
    out: &'a mut dyn Write,
    /// A terminal shows how far a test is.
    terminal: bool,
    before: Tick,
}

/// A line of CSV: all fields in quotes.
fn csv<T: AsRef<str>>(fields: &[T]) -> String {
    let fields: Vec<_> = fields.iter().map(|f| format!("\"{}\"", f.as_ref().replace('"', "\"\""))).collect();
    fields.join(",")
}

fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// A percentile in milliseconds.
fn percentile(latencies: &Histogram<u64>, percent: f64) -> f64 {
    latencies.value_at_percentile(percent) as f64 / 1000.0
}

impl<'a> Report<'a> {
    /// Begins the output.
    pub(crate) fn new(
        options: &'a Options,
        server: &'a Server,
        out: &'a mut dyn Write,
        terminal: bool,
    ) -> io::Result<Report<'a>> {
        if options.csv {
            writeln!(out, "{}", csv(&CSV_COLUMNS))?;
        }
        let terminal = terminal && !options.csv && !options.json;
        Ok(Report { options, server, out, terminal, before: Tick::default() })
    }

    /// Shows how far the test `title` is, on a line that the next one replaces.
    pub(crate) fn progress(&mut self, title: &str, tick: Tick) -> io::Result<()> {
        if !self.terminal || tick.replies == 0 {
            self.before = tick;
            return Ok(());
        }
        let replies = tick.replies - self.before.replies;
        let seconds = (tick.elapsed - self.before.elapsed).as_secs_f64();
        let mean_ms = (tick.latency_us - self.before.latency_us) as f64 / replies.max(1) as f64 / 1000.0;
        self.before = tick;
        write!(
            self.out,
            "\r\x1b[K{title}: {}%, {:.0} requests per second now, {:.0} overall, latency {mean_ms:.3} ms",
            tick.replies * 100 / self.options.requests.max(1),
            per_second(replies, seconds),
            per_second(tick.replies, tick.elapsed.as_secs_f64()),
        )?;
        self.out.flush()
    }

    /// Shows that all connections are open and stay so.
    pub(crate) fn idle(&mut self) -> io::Result<()> {
        writeln!(self.out, "{} idle connections are open; Ctrl-C ends them", self.options.clients)?;
        self.out.flush()
    }

    /// Writes what the test `title` measured.
    pub(crate) fn outcome(&mut self, title: &str, outcome: &Outcome) -> io::Result<()> {
        if self.terminal {
            write!(self.out, "\r\x1b[K")?;
        }
        self.before = Tick::default();
        if self.options.csv {
            self.csv(title, outcome)?;
        } else if self.options.json {
            self.json(title, outcome)?;
        } else if self.options.quiet {
            let rps = outcome.requests_per_second();
            let p50 = self.ms(percentile(&outcome.latencies, 50.0));
            writeln!(self.out, "{title}: {rps:.2} requests per second, p50={p50} msec")?;
        } else {
            self.text(title, outcome)?;
        }
        self.out.flush()
    }

    fn ms(&self, ms: f64) -> String {
        format!("{ms:.*}", self.options.precision.min(PRECISION_MAX))
    }

    fn csv(&mut self, title: &str, outcome: &Outcome) -> io::Result<()> {
        let latencies = &outcome.latencies;
        let mut fields = vec![title.to_owned(), format!("{:.2}", outcome.requests_per_second())];
        fields.push(self.ms(latencies.mean() / 1000.0));
        fields.push(self.ms(latencies.min() as f64 / 1000.0));
        fields.extend([50.0, 95.0, 99.0].map(|percent| self.ms(percentile(latencies, percent))));
        fields.push(self.ms(latencies.max() as f64 / 1000.0));
        writeln!(self.out, "{}", csv(&fields))
    }

    fn json(&mut self, title: &str, outcome: &Outcome) -> io::Result<()> {
        let (options, latencies) = (self.options, &outcome.latencies);
        let line = json!({
            "test": title,
            "requests": outcome.latencies.len(),
            "seconds": outcome.elapsed.as_secs_f64(),
            "rps": outcome.requests_per_second(),
            "clients": options.clients,
            "threads": options.threads.min(options.clients),
            "pipeline": options.pipeline,
            "keep_alive": options.keeps_alive(),
            "data_bytes": options.data_bytes,
            "keyspace": options.keyspace,
            "server": self.server.settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "latency_ms": {
                "avg": latencies.mean() / 1000.0,
                "min": latencies.min() as f64 / 1000.0,
                "p50": percentile(latencies, 50.0),
                "p90": percentile(latencies, 90.0),
                "p95": percentile(latencies, 95.0),
                "p99": percentile(latencies, 99.0),
                "p99.9": percentile(latencies, 99.9),
                "max": latencies.max() as f64 / 1000.0,
            },
        });
        writeln!(self.out, "{line}")
    }

    fn text(&mut self, title: &str, outcome: &Outcome) -> io::Result<()> {
        let (options, latencies) = (self.options, &outcome.latencies);
        let threads = options.threads.min(options.clients);
        writeln!(self.out, "====== {title} ======")?;
        writeln!(
            self.out,
            "  {:.2} requests per second: {} in {:.2} seconds",
            outcome.requests_per_second(),
            latencies.len(),
            outcome.elapsed.as_secs_f64(),
        )?;
        let reuse = if options.keeps_alive() { "kept alive" } else { "a new connection each time" };
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        writeln!(
            self.out,
            "  {} client{} on {threads} thread{}, {reuse}",
            options.clients,
            plural(options.clients),
            plural(threads),
        )?;
        let keys = match options.keyspace {
            Some(keys) => format!("{keys} random keys"),
            None => "one key".to_owned(),
        };
        writeln!(
            self.out,
            "  pipeline of {}, {}-byte payload, {keys}",
            options.pipeline, options.data_bytes
        )?;
        for (name, value) in &self.server.settings {
            writeln!(self.out, "  server's {name}: \"{value}\"")?;
        }
        writeln!(self.out, "\nLatency in milliseconds:")?;
        let figures = [
            ("mean", latencies.mean() / 1000.0),
            ("min", latencies.min() as f64 / 1000.0),
            ("p50", percentile(latencies, 50.0)),
            ("p95", percentile(latencies, 95.0)),
            ("p99", percentile(latencies, 99.0)),
            ("p99.9", percentile(latencies, 99.9)),
            ("max", latencies.max() as f64 / 1000.0),
        ];
        let names: String = figures.iter().map(|(name, _)| format!("{name:>10}")).collect();
        let values: String = figures.iter().map(|&(_, ms)| format!("{:>10}", self.ms(ms))).collect();
        writeln!(self.out, "{names}\n{values}\n\nLatency by share of the requests:")?;
        let mut reached = 0;
        for step in latencies.iter_quantiles(1) {
            reached += step.count_since_last_iteration();
            let ms = self.ms(step.value_iterated_to() as f64 / 1000.0);
            let percent = 100.0 * step.quantile_iterated_to();
            writeln!(self.out, "{percent:>10.3}% within {ms} ms ({reached} requests)")?;
        }
        writeln!(self.out)
    }
}

impl Outcome {
    fn requests_per_second(&self) -> f64 {
        per_second(self.latencies.len(), self.elapsed.as_secs_f64())
    }
}
