//! Windows: by the calendar of a time zone, or rolling.
//!
//! A calendar window is what invoices, reports and rate-limit headers speak of: a budget per month in Europe/Berlin begins
//! at midnight there, also where the clock changes in between. A rolling window has no edge at which a whole maximum can be
//! used twice in a row; it is kept in [`SLICES`] slices, see `counter.rs`.

use std::fmt;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Slices of a rolling window: what was used is free again at most a fiftieth of the period too late, never too early.
pub(crate) const SLICES: u64 = 50;

/// How long a window is.
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

    /// Milliseconds of a rolling window; a month is 30 days. `Life` has no length.
    const fn rolling_ms(self) -> u64 {
        match self {
            Self::Second => SECOND,
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::Life => u64::MAX,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where windows begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Calendar(TimeZone),
    Rolling,
}

/// A period and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    period: Period,
    shape: Shape,
}

impl Window {
    /// The one that never ends.
    pub const LIFE: Self = Self::calendar(Period::Life);

    /// By the calendar, in UTC.
    #[must_use]
    pub const fn calendar(period: Period) -> Self {
        Self { period, shape: Shape::Calendar(TimeZone::UTC) }
    }

    /// By the calendar of a time zone.
    #[must_use]
    pub fn calendar_in(period: Period, zone: TimeZone) -> Self {
        Self { period, shape: Shape::Calendar(zone) }
    }

    /// The period that ends now. `Life` does not roll.
    #[must_use]
    pub fn rolling(period: Period) -> Self {
        if period == Period::Life { Self::LIFE } else { Self { period, shape: Shape::Rolling } }
    }

    /// How long it is.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// Does it roll?
    #[must_use]
    pub fn is_rolling(&self) -> bool {
        self.shape == Shape::Rolling
    }

    /// The name of the zone whose calendar it keeps; `None` for rolling windows.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        match &self.shape {
            Shape::Calendar(zone) => zone.iana_name(),
            Shape::Rolling => None,
        }
    }

    /// Unix milliseconds at which the slice around `unix_ms` begins and the next one begins. A calendar window is one slice.
    pub(crate) fn slice_around(&self, unix_ms: u64) -> (u64, u64) {
        match (self.period, &self.shape) {
            (Period::Life, _) => (0, u64::MAX),
            (period, Shape::Rolling) => aligned(unix_ms, period.rolling_ms() / SLICES, 0),
            (period @ (Period::Second | Period::Minute), _) => aligned(unix_ms, period.rolling_ms(), 0),
            (Period::Hour, Shape::Calendar(zone)) => {
                hour_around(unix_ms, zone).unwrap_or_else(|| aligned(unix_ms, HOUR, 0))
            }
            // Moments the calendar does not reach (after the year 9999) still have windows.
            (period, Shape::Calendar(zone)) => {
                days_around(period, unix_ms, zone).unwrap_or_else(|| aligned(unix_ms, period.rolling_ms(), 0))
            }
        }
    }

    /// Whole slices before the current one that still count.
    pub(crate) fn slices_before(&self) -> u64 {
        if self.is_rolling() { SLICES } else { 0 }
    }

    /// Milliseconds after which a rolling window has forgotten what is used now.
    pub(crate) fn length_ms(&self) -> u64 {
        self.period.rolling_ms()
    }
}

/// As messages say it after "per": `month`, `day (rolling)`, `day (Europe/Berlin)`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.period.as_str())?;
        match &self.shape {
            Shape::Rolling => f.write_str(" (rolling)"),
            Shape::Calendar(zone) if *zone != TimeZone::UTC && self.period > Period::Minute => {
                write!(f, " ({})", zone.iana_name().unwrap_or("local"))
            }
            Shape::Calendar(_) => Ok(()),
        }
    }
}

/// The window of `length` around a moment, where windows begin `lead` before the epoch.
fn aligned(unix_ms: u64, length: u64, lead: u64) -> (u64, u64) {
    let into = unix_ms.saturating_add(lead) % length;
    (unix_ms.saturating_sub(into), unix_ms.saturating_add(length - into))
}

/// The hour of the clock on the wall. A change of that clock in the middle of an hour makes two windows of it.
fn hour_around(unix_ms: u64, zone: &TimeZone) -> Option<(u64, u64)> {
    let moment = timestamp(unix_ms)?;
    let offset = zone.to_offset(moment).seconds();
    let lead = u64::try_from(i64::from(offset).rem_euclid(3600)).ok()? * SECOND;
    let (start, end) = aligned(unix_ms, HOUR, lead);
    let changed = zone.preceding(moment.checked_add(1.millisecond()).ok()?).next();
    let changes = zone.following(moment).next();
    let start = changed.and_then(|change| unix(change.timestamp())).map_or(start, |change| start.max(change));
    let end = changes.and_then(|change| unix(change.timestamp())).map_or(end, |change| end.min(change));
    Some((start, end))
}

/// The day, week or month around a moment, from midnight to midnight in the zone.
fn days_around(period: Period, unix_ms: u64, zone: &TimeZone) -> Option<(u64, u64)> {
    let date = zone.to_datetime(timestamp(unix_ms)?).date();
    let first = match period {
        Period::Week => date.checked_sub(i32::from(date.weekday().since(Weekday::Monday)).days()).ok()?,
        Period::Month => date.first_of_month(),
        _ => date,
    };
    let next = |first: Date| match period {
        Period::Week => first.checked_add(7.days()).ok(),
        Period::Month => first.last_of_month().tomorrow().ok(),
        _ => first.tomorrow().ok(),
    };
    let (start, end) = (midnight(first, zone)?, midnight(next(first)?, zone)?);
    if unix_ms < end {
        return Some((start, end));
    }
    // Where clocks were set back across midnight, a date comes twice: its second part belongs to the day that had begun.
    Some((end, midnight(next(next(first)?)?, zone)?))
}

/// The first moment of a date; where midnight is skipped, the moment of the change.
fn midnight(date: Date, zone: &TimeZone) -> Option<u64> {
    unix(date.to_zoned(zone.clone()).ok()?.timestamp())
}

fn timestamp(unix_ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()
}

/// Windows that began before 1970 begin with it.
fn unix(moment: Timestamp) -> Option<u64> {
    u64::try_from(moment.as_millisecond().max(0)).ok()
}

#[cfg(test)]
mod tests;
