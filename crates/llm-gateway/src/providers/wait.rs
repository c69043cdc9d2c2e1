//! How long a provider wants to be left alone, in all the ways they say it.

use std::time::Duration;

use gatehouse_domain::Now;
use http::HeaderMap;
use serde::Deserialize;

/// When a limit says nothing.
const DEFAULT: Duration = Duration::from_secs(5);
/// However long it says: a daily quota should not outlive an operator's fix.
const LONGEST: Duration = Duration::from_secs(3600);

/// The wait an answer asks for: its own word for it first (`retry-after-ms`, `retry-after`, Google's `RetryInfo`), else
/// when the limit that is used up refills.
pub(super) fn cool_down(headers: &HeaderMap, body: &[u8], now: Now) -> Duration {
    let named = number(headers, "retry-after-ms")
        .map(|ms| seconds(ms / 1000.0))
        .or_else(|| text(headers, "retry-after").and_then(|value| retry_after(value, now)))
        .or_else(|| retry_info(body));
    named.or_else(|| refill(headers, now)).unwrap_or(DEFAULT).clamp(Duration::from_millis(1), LONGEST)
}

/// The wait only if the answer names one.
pub(super) fn named_wait(headers: &HeaderMap, now: Now) -> Option<Duration> {
    text(headers, "retry-after").and_then(|value| retry_after(value, now)).map(|wait| wait.min(LONGEST))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    text(headers, name)?.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

fn seconds(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs).unwrap_or(LONGEST)
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(value: &str, now: Now) -> Option<Duration> {
    if let Ok(secs) = value.parse::<f64>() {
        return (secs.is_finite() && secs >= 0.0).then(|| seconds(secs));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(until(date, now))
}

fn until(then: jiff::Timestamp, now: Now) -> Duration {
    let then = u64::try_from(then.as_millisecond()).unwrap_or(0);
    Duration::from_millis(then.saturating_sub(now.unix_ms()))
}

/// Google's `error.details[].retryDelay`, perhaps inside an array of one.
fn retry_info(body: &[u8]) -> Option<Duration> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        error: Error,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Error {
        details: Vec<Detail>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Detail {
        retry_delay: Option<String>,
    }
    // The array is tried first: serde would read one as the fields of `Body` in order.
    let many: Option<Vec<Body>> = serde_json::from_slice(body).ok();
    let body = many.map_or_else(|| serde_json::from_slice(body).ok(), |many| many.into_iter().next())?;
    body.error.details.iter().find_map(|detail| clock(detail.retry_delay.as_deref()?))
}

/// When what is used up refills. Each provider counts several things; those with nothing remaining decide, the longest of
/// them. If none says it is used up, the shortest: something refills then, and asking again is cheap.
fn refill(headers: &HeaderMap, now: Now) -> Option<Duration> {
    const LIMITS: [(&str, &str); 9] = [
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        ("ratelimit-remaining", "ratelimit-reset"),
        ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
        ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
        ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
        ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
        ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"),
    ];
    let resets: Vec<(bool, Duration)> = LIMITS
        .iter()
        .filter_map(|(remaining, reset)| {
            Some((number(headers, remaining) == Some(0.0), reset_time(text(headers, reset)?, now)?))
        })
        .collect();
    let used_up = resets.iter().filter(|(used_up, _)| *used_up).map(|(_, wait)| *wait).max();
    used_up.or_else(|| resets.iter().map(|(_, wait)| *wait).min())
}

/// `6m0s`, `17ms`, seconds, Unix seconds, Unix milliseconds, or RFC 3339.
fn reset_time(value: &str, now: Now) -> Option<Duration> {
    if let Ok(number) = value.parse::<f64>() {
        if !number.is_finite() || number < 0.0 {
            return None;
        }
        let unix_secs = if number >= 1e12 { number / 1000.0 } else { number };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit")]
        let now_secs = now.unix_ms() as f64 / 1000.0;
        return Some(seconds(if number < 1e9 { number } else { (unix_secs - now_secs).max(0.0) }));
    }
    clock(value).or_else(|| value.parse().ok().map(|then| until(then, now)))
}

/// A duration with units: `1s`, `6m0s`, `2m59.56s`, `1h2m`, `20ms`.
fn clock(value: &str) -> Option<Duration> {
    let mut rest = value;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let (per_unit, length) = match unit.as_bytes() {
            [b'm', b's', ..] => (0.001, 2),
            [b'd', ..] => (86_400.0, 1),
            [b'h', ..] => (3600.0, 1),
            [b'm', ..] => (60.0, 1),
            [b's', ..] => (1.0, 1),
            _ => return None,
        };
        total += amount * per_unit;
        rest = &unit[length..];
    }
    (!value.is_empty()).then(|| seconds(total))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::{HeaderName, HeaderValue};

    use super::*;

    fn wait(pairs: &[(&'static str, &'static str)], body: &str) -> Duration {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect::<HeaderMap>();
        // 2026-11-22T12:00:00Z
        cool_down(&headers, body.as_bytes(), Now(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_348_800)))
    }

    #[test]
    fn every_way_of_saying_it_is_understood() {
        let ms = Duration::from_millis;
        assert_eq!(wait(&[("retry-after-ms", "1500"), ("retry-after", "9")], ""), ms(1500));
        assert_eq!(wait(&[("retry-after", "20")], ""), ms(20_000));
        assert_eq!(wait(&[("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT")], ""), ms(30_000));
        assert_eq!(wait(&[("x-ratelimit-reset-requests", "6m0s")], ""), ms(360_000));
        assert_eq!(wait(&[("x-ratelimit-reset-tokens", "2m59.5s")], ""), ms(179_500));
        assert_eq!(wait(&[("x-ratelimit-reset-tokens", "20ms")], ""), ms(20));
        assert_eq!(wait(&[("anthropic-ratelimit-tokens-reset", "2026-11-22T12:01:00Z")], ""), ms(60_000));
        assert_eq!(wait(&[("x-ratelimit-reset", "1795348807000")], ""), ms(7_000));
        assert_eq!(wait(&[("x-ratelimit-reset", "1795348808")], ""), ms(8_000));
        let google = r#"{"error":{"code":429,"details":[{"@type":"x"},{"retryDelay":"34.5s"}]}}"#;
        assert_eq!(wait(&[], google), ms(34_500));
        assert_eq!(wait(&[], &format!("[{google}]")), ms(34_500));
    }

    #[test]
    fn the_limit_that_is_used_up_decides() {
        let headers = [
            ("x-ratelimit-remaining-requests", "10"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "40s"),
        ];
        assert_eq!(wait(&headers, ""), Duration::from_secs(40));
    }

    #[test]
    fn nonsense_is_the_default_and_forever_is_an_hour() {
        for value in ["", "soon", "-5", "NaN", "inf", "1x", "9".repeat(400).leak()] {
            let waited = wait(&[("retry-after", value), ("x-ratelimit-reset", value)], "{\"error\":7}");
            assert!(waited == DEFAULT || waited == LONGEST, "{value}: {waited:?}");
        }
        assert_eq!(wait(&[("retry-after", "86400")], ""), LONGEST);
    }
}
