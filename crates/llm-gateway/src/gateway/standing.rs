//! Rate-limit headers, in the two dialects that have them.

use std::time::Duration;

use gatehouse_domain::{Gauge, Now, Standing};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::providers::DialectName;

/// Names of the headers for one measure: limit, remaining, reset.
type Names = [&'static str; 3];

const OPENAI_REQUESTS: Names =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const OPENAI_TOKENS: Names = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
const ANTHROPIC_REQUESTS: Names = [
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
];
const ANTHROPIC_TOKENS: Names =
    ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"];

/// Adds the headers. A payer without limits has none.
pub(super) fn tell(dialect: DialectName, standing: &Standing, now: Now, headers: &mut HeaderMap) {
    let (requests, tokens, reset): (_, _, fn(u64, Now) -> String) = match dialect {
        DialectName::OpenAiChat | DialectName::OpenAiResponses => {
            (OPENAI_REQUESTS, OPENAI_TOKENS, |secs, _| span(secs))
        }
        DialectName::Anthropic => (ANTHROPIC_REQUESTS, ANTHROPIC_TOKENS, moment),
        _ => return,
    };
    for (names, gauge) in [(requests, standing.requests), (tokens, standing.tokens)] {
        let Some(Gauge { limit, remaining, resets_in_secs }) = gauge else { continue };
        let [limit_name, remaining_name, reset_name] = names.map(HeaderName::from_static);
        headers.insert(limit_name, HeaderValue::from(limit));
        headers.insert(remaining_name, HeaderValue::from(remaining));
        if let Ok(reset) = HeaderValue::try_from(reset(resets_in_secs, now)) {
            headers.insert(reset_name, reset);
        }
    }
}

/// OpenAI's way of writing a span: `6m0s`.
fn span(secs: u64) -> String {
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => format!("{secs}s"),
        (0, minutes, secs) => format!("{minutes}m{secs}s"),
        (hours, minutes, secs) => format!("{hours}h{minutes}m{secs}s"),
    }
}

/// Anthropic's: the moment itself (RFC 3339), in whole seconds.
fn moment(secs: u64, now: Now) -> String {
    let then = Duration::from_secs(now.unix_secs().saturating_add(secs));
    let then = i64::try_from(then.as_secs()).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
    then.unwrap_or(jiff::Timestamp::MAX).to_string()
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
        let openai = [OPENAI_REQUESTS[0], OPENAI_REQUESTS[1], OPENAI_REQUESTS[2]].into_iter().zip(["60", "7", "1m30s"]);
        assert_eq!(told(DialectName::OpenAiChat), openai.map(pair).collect::<Vec<_>>());
        let anthropic = ANTHROPIC_REQUESTS.into_iter().zip(["60", "7", "1970-01-01T00:01:30Z"]);
        assert_eq!(told(DialectName::Anthropic), anthropic.map(pair).collect::<Vec<_>>());
        assert!(told(DialectName::Gemini).is_empty());
    }
}
