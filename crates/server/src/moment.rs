//! Moments as people write them, in query strings and on the command line: `2026-11-22T12:00:00Z`, `2026-11-22` (midnight UTC),
//! or so long ago: `7d`, `24h`, `30m`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How to write one, for those who did not.
pub const FORMS: &str = "a time (2026-11-22T12:00:00Z), a day (2026-11-22, UTC), or how long ago (7d, 24h, 30m)";

/// Unix milliseconds of a moment; `None` if the text is none, or lies before 1970.
#[must_use]
pub fn unix_ms(text: &str, now: Timestamp) -> Option<u64> {
    let moment = point(text).or_else(|| ago(text, now))?;
    u64::try_from(moment.as_millisecond()).ok()
}

/// A time or a day.
#[must_use]
pub fn point(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| midnight(text))
}

fn midnight(text: &str) -> Option<Timestamp> {
    // Strictly a day: a time of day without an offset would be a different moment in every place.
    let day: Date = if text.len() == 10 { text.parse().ok()? } else { return None };
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let count: i64 = count.parse().ok().filter(|count| *count >= 0)?;
    now.checked_sub(SignedDuration::from_secs(count.checked_mul(seconds)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        unix_ms(text, now).map(|ms| ms / 1000)
    }

    #[test]
    fn a_moment_is_a_time_a_day_or_how_long_ago() {
        assert_eq!(seconds("2026-11-22T12:00:00Z"), Some(1_795_348_800));
        assert_eq!(seconds("2026-11-22T13:00:00+01:00"), Some(1_795_348_800));
        assert_eq!(seconds("2026-11-22"), Some(1_795_305_600));
        assert_eq!(seconds("24h"), Some(1_795_348_800 - 86_400));
        assert_eq!(seconds("0d"), Some(1_795_348_800));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "h", "-1d", "1w", "é", "yesterday", "2026-13-01", "99999999999999999d", "1900-01-01"] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
