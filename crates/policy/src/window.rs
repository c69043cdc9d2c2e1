//! Calendar windows in UTC and the counter that lives in one.
//!
//! Windows are fixed, not sliding: a limit of 600 a minute lets 600 pass between 12:00:00 and 12:00:59. Fixed windows are
//! what invoices, reports and rate-limit headers speak of, and a counter is three integers.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a window is. All begin on the calendar in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// One second.
    Second,
    /// From second 0 to second 59.
    Minute,
    /// From minute 0 to minute 59.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday (ISO 8601).
    Week,
    /// From the first to the last of a month.
    Month,
    /// Never ends: a budget that is spent once.
    Life,
}

/// What a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Calls.
    Requests,
    /// Tokens, in and out together.
    Tokens,
    /// Nano-dollars.
    Money,
}

impl Period {
    /// The word used in the configuration file and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Life => "life",
        }
    }

    /// Unix milliseconds at which the window around `unix_ms` begins and the next one begins.
    #[must_use]
    pub fn around(self, unix_ms: u64) -> (u64, u64) {
        match self {
            Self::Second => aligned(unix_ms, SECOND, 0),
            Self::Minute => aligned(unix_ms, MINUTE, 0),
            Self::Hour => aligned(unix_ms, HOUR, 0),
            Self::Day => aligned(unix_ms, DAY, 0),
            // 1 January 1970 was a Thursday: its week began three days earlier.
            Self::Week => aligned(unix_ms, 7 * DAY, 3 * DAY),
            Self::Month => month_around(unix_ms).unwrap_or_else(|| aligned(unix_ms, 30 * DAY, 0)),
            Self::Life => (0, u64::MAX),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The window of `length` around a moment, where windows begin `lead` before the epoch.
fn aligned(unix_ms: u64, length: u64, lead: u64) -> (u64, u64) {
    let into = unix_ms.saturating_add(lead) % length;
    (unix_ms.saturating_sub(into), unix_ms.saturating_add(length - into))
}

/// `None` for moments the calendar does not reach (after the year 9999).
fn month_around(unix_ms: u64) -> Option<(u64, u64)> {
    let moment = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    let first = TimeZone::UTC.to_datetime(moment).date().first_of_month();
    let next = first.last_of_month().tomorrow().ok()?;
    Some((midnight(first)?, midnight(next)?))
}

fn midnight(date: Date) -> Option<u64> {
    let moment = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    u64::try_from(moment).ok()
}

/// What was used in the current window of one measure and period. `used` may pass the maximum when a call turned out
/// larger than it said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    start: u64,
    end: u64,
    pub(crate) used: i64,
    /// Which set of terms switched this counter on; 0 while it is off.
    pub(crate) born: u64,
}

impl Counter {
    /// A counter that begins under terms `epoch`.
    pub(crate) fn born(epoch: u64) -> Self {
        Self { born: epoch, ..Self::default() }
    }

    /// Moves on to the window around `now` once the current one is over. A clock that steps back changes nothing: the
    /// window it left stays open until the clock has caught up with its end.
    pub(crate) fn roll(&mut self, period: Period, now: u64) {
        if now < self.end {
            return;
        }
        (self.start, self.end) = period.around(now);
        self.used = 0;
    }

    /// Was something counted at `reserved_at` under terms `epoch` counted in the window that is open now?
    pub(crate) fn holds(&self, reserved_at: u64, epoch: u64) -> bool {
        reserved_at >= self.start && self.born <= epoch
    }

    /// Whole seconds until the next window, at least one; `None` if there is no next window.
    pub(crate) fn resets_in_secs(&self, now: u64) -> Option<u64> {
        (self.end != u64::MAX).then(|| self.end.saturating_sub(now).div_ceil(SECOND).max(1))
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    fn window(period: Period, moment: &str) -> (u64, u64) {
        period.around(at(moment))
    }

    #[test]
    fn windows_begin_on_the_calendar_in_utc() {
        let moment = "2026-11-22T16:33:12.345Z"; // a Sunday
        let expect = |start: &str, end: &str| (at(start), at(end));
        assert_eq!(window(Period::Second, moment), expect("2026-11-22T16:33:12Z", "2026-11-22T16:33:13Z"));
        assert_eq!(window(Period::Minute, moment), expect("2026-11-22T16:33:00Z", "2026-11-22T16:34:00Z"));
        assert_eq!(window(Period::Hour, moment), expect("2026-11-22T16:00:00Z", "2026-11-22T17:00:00Z"));
        assert_eq!(window(Period::Day, moment), expect("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"));
        assert_eq!(window(Period::Week, moment), expect("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"));
        assert_eq!(window(Period::Month, moment), expect("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"));
        assert_eq!(window(Period::Life, moment), (0, u64::MAX));
    }

    #[test]
    fn a_month_ends_with_its_last_day_in_leap_years_and_in_december() {
        assert_eq!(window(Period::Month, "2028-02-29T23:59:59.999Z").1, at("2028-03-01T00:00:00Z"));
        assert_eq!(window(Period::Month, "2026-12-31T12:00:00Z").1, at("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn a_monday_begins_a_week() {
        assert_eq!(window(Period::Week, "2026-11-23T00:00:00Z").0, at("2026-11-23T00:00:00Z"));
    }

    #[test]
    fn no_moment_breaks_the_calendar() {
        for period in [Period::Second, Period::Week, Period::Month, Period::Life] {
            for moment in [0, 1, DAY, u64::MAX / 2, u64::MAX - 1] {
                let (start, end) = period.around(moment);
                assert!(start <= moment && moment < end, "{period} around {moment}: {start}..{end}");
            }
        }
    }
}
