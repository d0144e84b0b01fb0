//! `--latency` and `--latency-history`: how long PING takes; `--intrinsic-latency`: how long nothing takes.

use std::hint::black_box;

use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::options::Options;
use crate::output::{self, Format};
use crate::pace::rest;
use crate::session::Session;

/// Between two samples.
pub(crate) const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
const HISTORY_INTERVAL_DEFAULT: Duration = Duration::from_secs(15);

/// How long one PING takes.
pub(crate) fn sample(session: &mut Session) -> Result<Duration, Failure> {
    let start = Instant::now();
    session.ask(&["PING"])?;
    Ok(start.elapsed())
}

/// What was measured since some start.
#[derive(Clone, Copy, Debug, Default)]
struct Samples {
    count: u32,
    min: Duration,
    max: Duration,
    sum: Duration,
}

impl Samples {
    fn add(&mut self, sample: Duration) {
        self.min = if self.count == 0 { sample } else { self.min.min(sample) };
        self.max = self.max.max(sample);
        self.sum += sample;
        self.count += 1;
    }

    /// Milliseconds in the chosen form, whole ones but for the average, as redis-cli prints them.
    fn report(&self, format: Format) -> String {
        let (min, max, count) = (self.min.as_millis(), self.max.as_millis(), self.count);
        let average = self.sum.as_secs_f64() * 1e3 / f64::from(count.max(1));
        match format {
            Format::Text => format!("min: {min}, max: {max}, avg: {average:.2} ({count} samples)"),
            Format::Raw => format!("{min} {max} {average:.2} {count}"),
            Format::Csv => format!("{min},{max},{average:.2},{count}"),
            Format::Json | Format::QuotedJson => {
                format!("{{\"min\": {min}, \"max\": {max}, \"avg\": {average:.2}, \"count\": {count}}}")
            }
        }
    }
}

/// Samples for ever on a terminal, showing the figures as they change; elsewhere for one interval.
/// `history`: starts anew after each interval, and a line stays for each.
pub(crate) fn run(session: &mut Session, options: &Options, history: bool) -> Result<(), Failure> {
    let interval_default = if history { HISTORY_INTERVAL_DEFAULT } else { INTERVAL_DEFAULT };
    let interval = options.interval.unwrap_or(interval_default);
    let format = session.style.format;
    let live = format == Format::Text;
    let mut samples = Samples::default();
    let mut start = Instant::now();
    loop {
        samples.add(sample(session)?);
        let report = samples.report(format);
        if live {
            output::print(format!("\x1b[0G\x1b[2K{report}"))?;
        }
        let elapsed = start.elapsed();
        if elapsed > interval && (history || !live) {
            let range = format!(" -- {:.2} seconds range\n", elapsed.as_secs_f64());
            let line = if live { range } else { format!("{report}\n") };
            output::print(line)?;
            if !history {
                return Ok(());
            }
            samples = Samples::default();
            start = Instant::now();
        }
        rest(SAMPLE_INTERVAL);
    }
}

/// Runs a short piece of computation over and over for `duration`; whatever makes one run longer than the rest
/// is the machine's doing, and no server on it can be faster.
pub(crate) fn intrinsic(duration: Duration) -> Result<(), Failure> {
    let start = Instant::now();
    let (mut runs, mut max) = (0u64, Duration::ZERO);
    let mut run_start = start;
    while run_start - start < duration {
        compute();
        let now = Instant::now();
        let run = now - run_start;
        runs += 1;
        if run > max && run.as_micros() > max.as_micros() {
            output::print(format!("Max latency so far: {} microseconds.\n", run.as_micros()))?;
        }
        max = max.max(run);
        run_start = Instant::now();
    }
    let average = duration.as_secs_f64() / runs.max(1) as f64;
    let line = format!(
        "\n{runs} total runs (avg latency: {:.4} microseconds / {:.2} nanoseconds per run).\n\
         Worst run took {:.0}x longer than the average latency.\n",
        average * 1e6,
        average * 1e9,
        max.as_secs_f64() / average
    );
    output::print(line)?;
    Ok(())
}

/// About a microsecond of work that needs nothing but the processor.
fn compute() {
    let mut word = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..400 {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
    }
    black_box(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_sum_up_samples() {
        let mut samples = Samples::default();
        for micros in [1500, 500, 4000] {
            samples.add(Duration::from_micros(micros));
        }
        assert_eq!(samples.report(Format::Text), "min: 0, max: 4, avg: 2.00 (3 samples)");
        assert_eq!(samples.report(Format::Raw), "0 4 2.00 3");
        assert_eq!(samples.report(Format::Csv), "0,4,2.00,3");
        assert_eq!(samples.report(Format::Json), "{\"min\": 0, \"max\": 4, \"avg\": 2.00, \"count\": 3}");
    }
}
