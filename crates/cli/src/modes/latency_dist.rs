//! `--latency-dist`: PING's latencies as a spectrum, a row for each interval.
//!
//! A row has a cell for each range of latencies; the more samples fell there, the warmer its colour.

use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::modes::latency::{SAMPLE_INTERVAL, sample};
use crate::options::Options;
use crate::output;
use crate::pace::rest;
use crate::session::Session;

const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
/// The legend is repeated after so many rows.
const ROWS_A_LEGEND: u64 = 20;

/// The ranges: a sign, and the longest latency in microseconds that belongs to it.
const RANGES: [(char, u64); 31] = [
    ('.', 10),
    ('-', 125),
    ('*', 250),
    ('#', 500),
    ('1', 1_000),
    ('2', 2_000),
    ('3', 3_000),
    ('4', 4_000),
    ('5', 5_000),
    ('6', 6_000),
    ('7', 7_000),
    ('8', 8_000),
    ('9', 9_000),
    ('A', 10_000),
    ('B', 20_000),
    ('C', 30_000),
    ('D', 40_000),
    ('E', 50_000),
    ('F', 100_000),
    ('G', 200_000),
    ('H', 300_000),
    ('I', 400_000),
    ('J', 500_000),
    ('K', 1_000_000),
    ('L', 2_000_000),
    ('M', 4_000_000),
    ('N', 8_000_000),
    ('O', 16_000_000),
    ('P', 30_000_000),
    ('Q', 60_000_000),
    ('?', u64::MAX),
];

/// Background colours of a terminal with 256, from none of the samples to all of them.
const COLOURS: [u8; 11] = [0, 233, 236, 239, 22, 28, 34, 190, 226, 208, 196];

/// Samples for ever; prints a row after each interval.
pub(crate) fn run(session: &mut Session, options: &Options) -> Result<(), Failure> {
    let interval = options.interval.unwrap_or(INTERVAL_DEFAULT);
    for row in 0u64.. {
        if row % ROWS_A_LEGEND == 0 {
            output::print(legend())?;
        }
        let start = Instant::now();
        let mut counts = [0; RANGES.len()];
        while start.elapsed() < interval {
            counts[range(sample(session)?)] += 1;
            rest(SAMPLE_INTERVAL);
        }
        output::print(spectrum(&counts))?;
    }
    Ok(())
}

fn range(latency: Duration) -> usize {
    let micros = latency.as_micros();
    RANGES.iter().position(|(_, max)| micros <= u128::from(*max)).unwrap_or(RANGES.len() - 1)
}

fn spectrum(counts: &[u64; RANGES.len()]) -> String {
    let total = counts.iter().sum::<u64>().max(1);
    let mut row = String::from("\x1b[38;5;0m");
    for ((sign, _), count) in RANGES.iter().zip(counts) {
        let warmth = (count * (COLOURS.len() as u64 - 1)).div_ceil(total);
        row.push_str(&format!("\x1b[48;5;{}m{sign}", COLOURS[warmth as usize]));
    }
    row + "\x1b[0m\n"
}

fn legend() -> String {
    let colours: String = COLOURS.iter().map(|colour| format!("\x1b[48;5;{colour}m ")).collect();
    format!(
        "\n. - * #    to 0.01, 0.125, 0.25, 0.5 ms     1 ... 9    to 1 ... 9 ms\n\
         A ... E    to 10 ... 50 ms                  F ... J    to 0.1 ... 0.5 s\n\
         K ... Q ?  to 1, 2, 4, 8, 16, 30, 60 s and more\n\
         none of the samples {colours}\x1b[0m all of them\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_their_ranges() {
        let sign = |micros| RANGES[range(Duration::from_micros(micros))].0;
        assert_eq!(
            [0, 10, 11, 999, 1000, 60_000_000, 60_000_001].map(sign),
            ['.', '.', '-', '1', '1', 'Q', '?']
        );
        assert!(RANGES.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn cells_grow_warmer() {
        let mut counts = [0; RANGES.len()];
        counts[1] = 99;
        counts[2] = 1;
        let row = spectrum(&counts);
        assert!(row.starts_with("\x1b[38;5;0m\x1b[48;5;0m.\x1b[48;5;196m-\x1b[48;5;233m*\x1b[48;5;0m#"));
        assert!(spectrum(&[0; RANGES.len()]).contains("\x1b[48;5;0m?"));
    }
}
