//! Rate-limit headers, in the two dialects that have them.

use std::fmt::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::{Gauge, Now, Standing};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::providers::DialectName;

/// Names of the headers for one measure: limit, remaining, reset.
type Names = [HeaderName; 3];

/// How a dialect says when a limit is whole again, which is in so many seconds.
type Reset = fn(&mut String, u64, Now) -> fmt::Result;

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

/// Room for the values of one measure.
const VALUES_BYTES: usize = 64;

/// Adds the headers. A payer without limits has none.
pub(super) fn tell(dialect: DialectName, standing: &Standing, now: Now, headers: &mut HeaderMap) {
    let (requests, tokens, reset): (_, _, Reset) = match dialect {
        DialectName::OpenAiChat | DialectName::OpenAiResponses => (&OPENAI_REQUESTS, &OPENAI_TOKENS, span),
        DialectName::Anthropic => (&ANTHROPIC_REQUESTS, &ANTHROPIC_TOKENS, moment),
        _ => return,
    };
    for (names, gauge) in [(requests, standing.requests), (tokens, standing.tokens)] {
        if let Some(gauge) = gauge {
            // Texts and numbers: there is nothing in them that could not be said.
            _ = tell_gauge(names, gauge, (reset, now), headers);
        }
    }
}

/// The three values are parts of one text, so that they need no memory of their own.
fn tell_gauge(names: &Names, gauge: Gauge, (reset, now): (Reset, Now), headers: &mut HeaderMap) -> fmt::Result {
    let mut text = String::with_capacity(VALUES_BYTES);
    write!(text, "{}", gauge.limit)?;
    let limit = text.len();
    write!(text, "{}", gauge.remaining)?;
    let remaining = text.len();
    reset(&mut text, gauge.resets_in_secs, now)?;
    let text = Bytes::from(text);
    for (name, value) in names.iter().zip([0..limit, limit..remaining, remaining..text.len()]) {
        headers.insert(name, HeaderValue::from_maybe_shared(text.slice(value)).map_err(|_| fmt::Error)?);
    }
    Ok(())
}

/// OpenAI's way of writing a span: `6m0s`.
fn span(text: &mut String, secs: u64, _: Now) -> fmt::Result {
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => write!(text, "{secs}s"),
        (0, minutes, secs) => write!(text, "{minutes}m{secs}s"),
        (hours, minutes, secs) => write!(text, "{hours}h{minutes}m{secs}s"),
    }
}

/// Anthropic's: the moment itself (RFC 3339), in whole seconds.
fn moment(text: &mut String, secs: u64, now: Now) -> fmt::Result {
    let then = Duration::from_secs(now.unix_secs().saturating_add(secs));
    let then = i64::try_from(then.as_secs()).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
    write!(text, "{}", then.unwrap_or(jiff::Timestamp::MAX))
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
    fn each_dialect_hears_of_limits_in_its_own_words() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let openai = OPENAI_REQUESTS.iter().map(HeaderName::as_str).zip(["60", "7", "1m30s"]);
        assert_eq!(told(DialectName::OpenAiChat), openai.map(pair).collect::<Vec<_>>());
        let anthropic = ANTHROPIC_REQUESTS.iter().map(HeaderName::as_str).zip(["60", "7", "1970-01-01T00:01:30Z"]);
        assert_eq!(told(DialectName::Anthropic), anthropic.map(pair).collect::<Vec<_>>());
        assert!(told(DialectName::Gemini).is_empty());
    }
}
