//! LATENCY GRAPH: an event's samples as columns of characters.
//!
//! ```text
//! command - high 50 ms, low 20 ms (all time high 50 ms)
//! ----------------------------------------------------------------------
//!  #
//!  |_
//!  ||
//! _||
//!
//! 842
//! sss
//! ```

use std::fmt::Write;

use crate::observer::LatencyEvent;

/// Width of the picture; what has more samples is drawn in several pieces.
const COLUMNS: usize = 80;
/// Lines of a column.
const ROWS: usize = 4;
/// The top of a column: a third of a line, two thirds, all of it.
const TOPS: [char; 3] = ['_', 'o', '#'];

/// Draws `event` at `now_s`; below each column stands how long ago it was.
pub(crate) fn graph(event: &LatencyEvent, now_s: i64) -> String {
    let high = event.samples.iter().map(|&(_, ms)| ms).max().unwrap_or(0);
    let low = event.samples.iter().map(|&(_, ms)| ms).min().unwrap_or(0);
    let name = event.name;
    let mut out = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", event.max_ms);
    out.extend(std::iter::repeat_n('-', COLUMNS));
    out.push('\n');
    for (i, samples) in event.samples.chunks(COLUMNS).enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let heights: Vec<usize> = samples.iter().map(|&(_, ms)| height(ms, low, high)).collect();
        for row in (0..ROWS).rev() {
            out.extend(heights.iter().map(|&height| cell(height, row)));
            out.push('\n');
        }
        out.extend(std::iter::repeat_n(' ', samples.len()));
        out.push('\n');
        write_ages(samples, now_s, &mut out);
    }
    out
}

/// How many thirds of a line lie below the top of the column of `ms`.
fn height(ms: u64, low: u64, high: u64) -> usize {
    let steps = ROWS * TOPS.len();
    let height = u128::from(ms - low) * steps as u128 / u128::from((high - low).max(1));
    usize::try_from(height).map_or(steps - 1, |height| height.min(steps - 1))
}

/// What a column of this height shows in line `row` from below.
fn cell(height: usize, row: usize) -> char {
    match height.checked_sub(row * TOPS.len()) {
        None => ' ',
        Some(above) => TOPS.get(above).copied().unwrap_or('|'),
    }
}

/// Writes below each sample how long ago it was, from top to bottom.
fn write_ages(samples: &[(i64, u64)], now_s: i64, out: &mut String) {
    let ages: Vec<Vec<char>> = samples.iter().map(|&(time_s, _)| age(now_s - time_s)).collect();
    let lines = ages.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..lines {
        out.extend(ages.iter().map(|age| age.get(line).copied().unwrap_or(' ')));
        out.push('\n');
    }
}

fn age(seconds: i64) -> Vec<char> {
    let seconds = seconds.max(0);
    let (n, unit) = match seconds {
        ..60 => (seconds, 's'),
        60..3600 => (seconds / 60, 'm'),
        3600..86_400 => (seconds / 3600, 'h'),
        _ => (seconds / 86_400, 'd'),
    };
    let mut text = String::new();
    // Writing to memory does not fail.
    let _ = write!(text, "{n}{unit}");
    text.chars().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(samples: &[(i64, u64)]) -> Vec<String> {
        let event = LatencyEvent { name: "x", samples: samples.to_vec(), max_ms: 99 };
        graph(&event, 200_000).lines().map(str::to_owned).collect()
    }

    /// Redis 7.0 draws samples of these heights so.
    #[test]
    fn columns_stand_on_the_lowest_and_reach_to_the_highest() {
        let drawn = lines(&[(200_000, 20), (199_995, 50), (199_500, 35), (190_000, 25), (20_000, 30)]);
        assert_eq!(drawn[0], "x - high 50 ms, low 20 ms (all time high 99 ms)");
        assert_eq!(drawn[1], "-".repeat(80));
        assert_eq!(drawn[2..], [" #   ", " |_  ", " || o", "_||#|", "     ", "05822", "ssmhd"]);
    }

    #[test]
    fn equal_samples_lie_on_the_ground() {
        assert_eq!(lines(&[(199_988, 10); 2])[2..], ["  ", "  ", "  ", "__", "  ", "11", "22", "ss"]);
    }

    #[test]
    fn many_samples_are_drawn_in_pieces() {
        let drawn = lines(&[(200_000, 10); 100]);
        assert_eq!(drawn[5], "_".repeat(80));
        assert_eq!((&*drawn[9], &*drawn[13]), ("", &*"_".repeat(20)));
    }
}
