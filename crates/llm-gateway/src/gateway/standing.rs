//! Rate-limit headers, in the two dialects that have them.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::{Gauge, Now, Standing};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::providers::DialectName;

/// Names of the headers for one measure: limit, remaining, reset.
type Names = [HeaderName; 3];

/// How a dialect says when a limit is whole again, which is in so many seconds.
type Reset = fn(&mut Vec<u8>, u64, Now);

const fn names([limit, remaining, reset]: [&'static str; 3]) -> Names {
    [HeaderName::from_static(limit), HeaderName::from_static(remaining), HeaderName::from_static(reset)]
}

// Made once: a name that comes as text is checked letter by letter.
static OPENAI_REQUESTS: Names =
    names(["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]);
static OPENAI_TOKENS: Names =
    names(["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"]);
static ANTHROPIC_REQUESTS: Names = names([
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
]);
static ANTHROPIC_TOKENS: Names = names([
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
]);

/// Room for the values of both measures.
const VALUES_BYTES: usize = 128;

/// Adds the headers. A payer without limits has none.
pub(super) fn tell(dialect: DialectName, standing: &Standing, now: Now, headers: &mut HeaderMap) {
    let (requests, tokens, reset): (_, _, Reset) = match dialect {
        DialectName::OpenAiChat | DialectName::OpenAiResponses => (&OPENAI_REQUESTS, &OPENAI_TOKENS, span),
        DialectName::Anthropic => (&ANTHROPIC_REQUESTS, &ANTHROPIC_TOKENS, moment),
        _ => return,
    };
    // All values are parts of one text, so that they need no memory of their own.
    let mut text = Vec::with_capacity(VALUES_BYTES);
    let told = [standing.requests, standing.tokens].map(|gauge| gauge.map(|gauge| say(&mut text, gauge, (reset, now))));
    let text = Bytes::from(text);
    for (names, values) in [requests, tokens].into_iter().zip(told) {
        for (name, value) in names.iter().zip(values.into_iter().flatten()) {
            // Texts and numbers: there is nothing in them that could not be said.
            if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(value)) {
                headers.insert(name, value);
            }
        }
    }
}

/// Appends the three values of a measure and returns where they stand.
fn say(text: &mut Vec<u8>, gauge: Gauge, (reset, now): (Reset, Now)) -> [Range<usize>; 3] {
    let begin = text.len();
    number(text, gauge.limit);
    let limit = text.len();
    number(text, gauge.remaining);
    let remaining = text.len();
    reset(text, gauge.resets_in_secs, now);
    [begin..limit, limit..remaining, remaining..text.len()]
}

/// A number as people write it. By hand: formatters take five times as long, and there are six with every answer.
fn number(text: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return text.extend_from_slice(&digits[from..]);
        }
    }
}

/// OpenAI's way of writing a span: `6m0s`.
fn span(text: &mut Vec<u8>, secs: u64, _: Now) {
    for (unit, count) in [(b'h', secs / 3600), (b'm', secs / 60 % 60)] {
        // Once there is a larger unit, the smaller ones follow.
        if count > 0 || (unit == b'm' && secs >= 3600) {
            number(text, count);
            text.push(unit);
        }
    }
    number(text, secs % 60);
    text.push(b's');
}

/// Anthropic's: the moment itself (RFC 3339), in whole seconds.
fn moment(text: &mut Vec<u8>, secs: u64, now: Now) {
    let then = Duration::from_secs(now.unix_secs().saturating_add(secs));
    let then = i64::try_from(then.as_secs()).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
    text.extend_from_slice(then.unwrap_or(jiff::Timestamp::MAX).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn told(dialect: DialectName) -> Vec<(String, String)> {
        let standing = Standing { requests: Some(Gauge { limit: 60, remaining: 7, resets_in_secs: 90 }), tokens: None };
        let mut headers = HeaderMap::new();
        tell(dialect, &standing, Now(SystemTime::UNIX_EPOCH), &mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    #[test]
    fn spans_have_no_unit_larger_than_they_need() {
        let said = |secs: u64| {
            let mut text = Vec::new();
            span(&mut text, secs, Now(SystemTime::UNIX_EPOCH));
            String::from_utf8(text).unwrap()
        };
        assert_eq!([0, 59, 60, 3600, 3661, 360_009].map(said), ["0s", "59s", "1m0s", "1h0m0s", "1h1m1s", "100h0m9s"]);
    }

    #[test]
    fn each_dialect_hears_of_limits_in_its_own_words() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let openai = OPENAI_REQUESTS.iter().map(HeaderName::as_str).zip(["60", "7", "1m30s"]);
        assert_eq!(told(DialectName::OpenAiChat), openai.map(pair).collect::<Vec<_>>());
        let anthropic = ANTHROPIC_REQUESTS.iter().map(HeaderName::as_str).zip(["60", "7", "1970-01-01T00:01:30Z"]);
        assert_eq!(told(DialectName::Anthropic), anthropic.map(pair).collect::<Vec<_>>());
        assert!(told(DialectName::Gemini).is_empty());
    }
}
