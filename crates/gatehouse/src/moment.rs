//! Moments on the command line: `2026-11-22T12:00:00Z`, `2026-11-22` (midnight UTC), or so long ago: `7d`, `24h`, `30m`.
//! The same words as the admin API's.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;

/// Unix milliseconds of a moment.
pub(crate) fn unix_ms(name: &str, text: &str, now: Timestamp) -> Result<u64, Failure> {
    let moment = point(text).or_else(|| ago(text, now));
    moment.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()).ok_or_else(|| {
        Failure::usage(
            format!("--{name} `{text}` is not a moment"),
            "write a time (2026-11-22T12:00:00Z), a day (2026-11-22, UTC), or how long ago (7d, 24h, 30m)",
        )
    })
}

/// A time or a day.
pub(crate) fn point(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    // Strictly a day: a time without an offset would be another moment in every place.
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
        unix_ms("since", text, now).ok().map(|ms| ms / 1000)
    }

    #[test]
    fn a_moment_is_a_time_a_day_or_how_long_ago() {
        assert_eq!(seconds("2026-11-22T13:00:00+01:00"), Some(1_795_348_800));
        assert_eq!(seconds("2026-11-22"), Some(1_795_305_600));
        assert_eq!(seconds("24h"), Some(1_795_348_800 - 86_400));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "h", "-1d", "1w", "é", "yesterday", "2026-13-01", "99999999999999999d", "1900-01-01"] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
