//! When an entry of the log was written, shown in UTC.

use std::fmt;

use crate::config::settings::LogTimes;

/// Milliseconds since the Unix epoch, shown as day and time in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) i64);

impl Time {
    /// The time as `times` says.
    pub(super) fn show(self, times: LogTimes) -> String {
        match times {
            LogTimes::Legacy => self.to_string(),
            LogTimes::Milliseconds => self.0.to_string(),
            LogTimes::Iso8601 => {
                let Parts { year, month, day, hour, minute, second, ms } = self.parts();
                let month = month + 1;
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}+00:00")
            }
        }
    }

    fn parts(self) -> Parts {
        const DAY_MS: i64 = 86_400_000;
        let (year, month, day) = date(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        Parts { year, month, day, hour, minute, second, ms: ms % 1000 }
    }
}

/// A moment in UTC; months count from 0.
struct Parts {
    year: i64,
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    ms: i64,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let Parts { year, month, day, hour, minute, second, ms } = self.parts();
        let month = MONTHS[month];
        write!(f, "{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{ms:03}")
    }
}

/// Year, month (from 0) and day of the month of a day counted from the Unix epoch, in the Gregorian calendar.
fn date(days: i64) -> (i64, usize, i64) {
    // Years are taken to begin in March, so that a leap day is a year's last; 400 of them have 146,097 days.
    const ERA_DAYS: i64 = 146_097;
    let since_year_0 = days + 719_468;
    let (era, day) = (since_year_0.div_euclid(ERA_DAYS), since_year_0.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months have 31, 30, 31, 30, 31 days again and again: 153 for five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + month / 10, (month + 2) % 12);
    (year, month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        for (days, shown) in [
            (0, "01 Jan 1970"),
            (-1, "31 Dec 1969"),
            (11_016, "29 Feb 2000"),
            (11_017, "01 Mar 2000"),
            (20_819, "01 Jan 2027"),
            (47_540, "28 Feb 2100"),
            (47_541, "01 Mar 2100"),
        ] {
            assert!(
                Time(days * 86_400_000).to_string().starts_with(shown),
                "{days}: {}",
                Time(days * 86_400_000)
            );
        }
    }

    #[test]
    fn times_are_shown_as_asked_for() {
        let shown = |times| Time(1_795_246_304_007).show(times);
        assert_eq!(shown(LogTimes::Legacy), "21 Nov 2026 07:31:44.007");
        assert_eq!(shown(LogTimes::Iso8601), "2026-11-21T07:31:44.007+00:00");
        assert_eq!(shown(LogTimes::Milliseconds), "1795246304007");
    }
}
