//! What a bad answer means: whose fault it is, what the caller is told, how long to wait.
//!
//! Names decide before statuses, because providers reuse statuses (a spent quota is a 429 at OpenAI and a 400 at
//! Anthropic, a wrong key is a 400 at Gemini). A provider's own words are passed on only when the fault is the
//! caller's, and without addresses and keys; of the gateway's own troubles a caller learns the kind and not the
//! account.

use std::borrow::Cow;
use std::time::Duration;

use gatehouse_domain::{Blame, Code, Fault, Head, Now, Origin};
use http::{HeaderMap, StatusCode, header};

use super::wait;
use crate::dialects::UpstreamError;

/// Longest message that is passed on.
const MESSAGE_CHARS_MAX: usize = 1000;

/// Judges an answer whose status is not a success. `error` is what the provider's dialect read from `body`.
#[must_use]
pub fn judge(origin: &Origin, head: &Head, body: &[u8], error: &UpstreamError, now: Now) -> (Fault, Blame) {
    let status = head.status.as_u16();
    let cause = cause(head, error);
    let wait = || wait::cool_down(&head.headers, body, now);
    let secs = |wait: Duration| wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
    let named_wait = wait::named_wait(&head.headers, now);
    let (fault, blame) = match cause {
        Cause::Caller => {
            let mut fault =
                Fault::new(Code::UpstreamRejected, caller_message(error, origin, status)).with_status(status);
            fault.param = error.param.clone();
            (fault, Blame::Caller)
        }
        Cause::Limit => {
            let cool_down = wait();
            let told = "the provider limits this gateway's account right now; try again later";
            (Fault::new(Code::UpstreamLimited, told).retry_after(secs(cool_down)), Blame::Limit { cool_down })
        }
        Cause::Overloaded => {
            let told = "the provider is overloaded; try again in a moment";
            (Fault::new(Code::UpstreamOverloaded, told), Blame::Target)
        }
        Cause::Timeout => (Fault::new(Code::UpstreamTimeout, "the provider ran out of time"), Blame::Target),
        Cause::Failed => {
            let told = format!("the provider failed (status {status}); try again");
            (Fault::new(Code::UpstreamBroken, told), Blame::Target)
        }
        Cause::Credentials => {
            let told = "the provider refused the gateway's credentials; its operator must check the provider's key";
            (Fault::new(Code::UpstreamCredentials, told), Blame::Gateway)
        }
        Cause::Quota => {
            let told = "the gateway's account at the provider is out of credit or quota; its operator must top it up";
            (Fault::new(Code::UpstreamCredentials, told), Blame::Gateway)
        }
        Cause::WrongPlace => {
            let told = format!(
                "the provider's address answered with no API answer (status {status}); its operator must check base_url"
            );
            (Fault::new(Code::UpstreamBroken, told), Blame::Gateway)
        }
    };
    let fault = match (blame, named_wait) {
        (Blame::Target, Some(wait)) => fault.retry_after(secs(wait)),
        _ => fault,
    };
    (Fault { upstream_type: error.kind.clone().or_else(|| error.code.clone()).map(clipped), ..fault }, blame)
}

/// What went wrong, before it is known what to do about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Caller,
    Limit,
    Overloaded,
    Timeout,
    Failed,
    Credentials,
    Quota,
    WrongPlace,
}

fn cause(head: &Head, error: &UpstreamError) -> Cause {
    if let Some(cause) = by_name(head, error) {
        return cause;
    }
    let page = is_web_page(&head.headers);
    match head.status.as_u16() {
        401 | 403 => Cause::Credentials,
        402 => Cause::Quota,
        404 | 405 if page => Cause::WrongPlace,
        405 => Cause::WrongPlace,
        408 | 504 => Cause::Timeout,
        409 | 424 | 425 => Cause::Failed,
        429 => Cause::Limit,
        413 => Cause::Caller,
        400..=499 if page => Cause::WrongPlace,
        400..=499 => Cause::Caller,
        503 | 529 if !page => Cause::Overloaded,
        300..=399 => Cause::WrongPlace,
        _ => Cause::Failed,
    }
}

/// Names providers give, in the error's type or code or in Bedrock's header.
fn by_name(head: &Head, error: &UpstreamError) -> Option<Cause> {
    let amazon = head.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(amazon_name);
    let names = [error.code.as_deref(), error.kind.as_deref(), amazon];
    let named = names.into_iter().flatten().find_map(|name| match name.to_ascii_lowercase().as_str() {
        "context_length_exceeded" | "content_filter" | "content_policy_violation" => Some(Cause::Caller),
        "insufficient_quota"
        | "billing_error"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "insufficient_balance"
        | "exceeded_current_quota_error"
        | "servicequotaexceededexception" => Some(Cause::Quota),
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limit_reached_error"
        | "resource_exhausted"
        | "throttlingexception"
        | "toomanyrequestsexception" => Some(Cause::Limit),
        "overloaded_error"
        | "engine_overloaded_error"
        | "unavailable"
        | "serviceunavailableexception"
        | "modelnotreadyexception" => Some(Cause::Overloaded),
        "modeltimeoutexception" | "deadline_exceeded" | "timeout_error" => Some(Cause::Timeout),
        "modelerrorexception" | "modelstreamerrorexception" | "internalserverexception" => Some(Cause::Failed),
        "invalid_api_key"
        | "api_key_invalid"
        | "authentication_error"
        | "permission_error"
        | "unauthenticated"
        | "permission_denied"
        | "accessdeniedexception"
        | "unrecognizedclientexception"
        | "expiredtokenexception"
        | "invalidsignatureexception"
        | "incompletesignatureexception"
        | "missingauthenticationtokenexception" => Some(Cause::Credentials),
        "validationexception" => Some(Cause::Caller),
        _ => None,
    });
    // Two that only their sentence tells from a caller's mistake: both come as a plain invalid request.
    let by_sentence = || {
        let message = error.message.to_ascii_lowercase();
        let refused = head.status == StatusCode::BAD_REQUEST;
        match () {
            () if refused && message.contains("api key not valid") => Some(Cause::Credentials),
            () if refused && message.contains("credit balance is too low") => Some(Cause::Quota),
            () => None,
        }
    };
    named.or_else(by_sentence)
}

/// `ThrottlingException:http://…` and `com.amazon.coral.service#ThrottlingException` to the bare name.
fn amazon_name(value: &str) -> &str {
    let name = value.split(':').next().unwrap_or(value);
    name.rsplit('#').next().unwrap_or(name)
}

fn is_web_page(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.trim_start().to_ascii_lowercase().starts_with("text/html")
}

fn caller_message(error: &UpstreamError, origin: &Origin, status: u16) -> Cow<'static, str> {
    if error.message.trim().is_empty() {
        return format!("the provider refused the request (status {status}) and did not say why").into();
    }
    clipped(scrub(&error.message, &origin.host)).into()
}

fn clipped(text: String) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Takes addresses and whatever looks like a key out of a provider's sentence.
fn scrub(message: &str, host: &str) -> String {
    const KEYS: [&str; 9] = ["sk-", "sk_", "gsk_", "xai-", "pplx-", "AIza", "AKIA", "ASIA", "ya29."];
    let mut out = String::with_capacity(message.len());
    for piece in message.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if word.contains("://") || (!host.is_empty() && word.contains(host)) {
            out.push_str("[address]");
        } else if KEYS.iter().any(|key| bare.starts_with(key)) || word.contains("****") {
            out.push_str("[key]");
        } else {
            out.push_str(word);
        }
        out.push_str(&piece[word.len()..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::HeaderValue;

    use super::*;

    fn error(kind: &str, message: &str) -> UpstreamError {
        let kind = (!kind.is_empty()).then(|| kind.to_owned());
        UpstreamError { kind, message: message.to_owned(), ..UpstreamError::default() }
    }

    fn judged(status: u16, headers: &[(&'static str, &'static str)], error: &UpstreamError) -> (Fault, Blame) {
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        let head = Head { status: StatusCode::from_u16(status).unwrap(), headers: headers.collect() };
        let origin = Origin { tls: true, host: "api.example.com".into(), port: 443 };
        judge(&origin, &head, b"", error, Now(SystemTime::UNIX_EPOCH))
    }

    #[test]
    fn a_status_has_its_meaning_where_no_name_says_otherwise() {
        let expected = [
            (400, Code::UpstreamRejected, Blame::Caller),
            (401, Code::UpstreamCredentials, Blame::Gateway),
            (402, Code::UpstreamCredentials, Blame::Gateway),
            (403, Code::UpstreamCredentials, Blame::Gateway),
            (404, Code::UpstreamRejected, Blame::Caller),
            (408, Code::UpstreamTimeout, Blame::Target),
            (409, Code::UpstreamBroken, Blame::Target),
            (413, Code::UpstreamRejected, Blame::Caller),
            (422, Code::UpstreamRejected, Blame::Caller),
            (500, Code::UpstreamBroken, Blame::Target),
            (502, Code::UpstreamBroken, Blame::Target),
            (503, Code::UpstreamOverloaded, Blame::Target),
            (504, Code::UpstreamTimeout, Blame::Target),
            (529, Code::UpstreamOverloaded, Blame::Target),
            (302, Code::UpstreamBroken, Blame::Gateway),
        ];
        for (status, code, blame) in expected {
            let (fault, blamed) = judged(status, &[], &error("", "no"));
            assert_eq!((fault.code, blamed), (code, blame), "{status}");
        }
        assert!(matches!(judged(429, &[], &error("", "no")).1, Blame::Limit { .. }));
    }

    #[test]
    fn a_name_says_more_than_its_status() {
        let expected = [
            (429, "insufficient_quota", Blame::Gateway),
            (400, "context_length_exceeded", Blame::Caller),
            (500, "overloaded_error", Blame::Target),
            (403, "UNAUTHENTICATED", Blame::Gateway),
        ];
        for (status, kind, blame) in expected {
            assert_eq!(judged(status, &[], &error(kind, "no")).1, blame, "{kind}");
        }
        assert_eq!(judged(400, &[], &error("INVALID_ARGUMENT", "API key not valid. Please…")).1, Blame::Gateway);
        let spent = error("invalid_request_error", "Your credit balance is too low to access the API");
        assert_eq!(judged(400, &[], &spent).1, Blame::Gateway);
    }

    #[test]
    fn bedrock_names_its_errors_in_a_header() {
        let throttled = [("x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/")];
        assert!(matches!(judged(400, &throttled, &error("", "slow")).1, Blame::Limit { .. }));
        let invalid = [("x-amzn-errortype", "com.amazon#ValidationException")];
        assert_eq!(judged(400, &invalid, &error("", "bad")).1, Blame::Caller);
    }

    #[test]
    fn a_limit_carries_its_wait_to_the_breaker_and_to_the_caller() {
        let (fault, blame) = judged(429, &[("retry-after", "1.5")], &error("", "org-abc is limited"));
        assert_eq!(blame, Blame::Limit { cool_down: Duration::from_millis(1500) });
        assert_eq!((fault.retry_after_secs, fault.status), (Some(2), 429));
        assert!(!fault.message.contains("org-abc"));
    }

    #[test]
    fn a_web_page_is_not_an_answer() {
        let page = [("content-type", "Text/HTML; charset=utf-8")];
        assert_eq!(judged(404, &page, &error("", "<html>")).1, Blame::Gateway);
        assert_eq!(judged(502, &page, &error("", "<html>")).0.code, Code::UpstreamBroken);
        assert_eq!(judged(503, &page, &error("", "<html>")).0.code, Code::UpstreamBroken);
        assert_eq!(judged(413, &page, &error("", "<html>")).1, Blame::Caller);
    }

    #[test]
    fn keys_and_addresses_stay_here() {
        let told = "Incorrect API key provided: sk-ab***cd. See https://platform.example.com/keys at api.example.com.";
        let (fault, _) = judged(401, &[], &error("invalid_api_key", told));
        assert!(!fault.message.contains("sk-") && !fault.message.contains("example"));
        let (fault, _) = judged(400, &[], &error("", told));
        assert_eq!(fault.message, "Incorrect API key provided: [key] See [address] at [address]");
    }

    #[test]
    fn the_callers_mistake_is_told_in_the_providers_words_and_status() {
        let mistake =
            UpstreamError { param: Some("messages".to_owned()), ..error("invalid_request_error", "bad\nrole") };
        let (fault, _) = judged(422, &[], &mistake);
        assert_eq!((fault.status, fault.message.as_ref()), (422, "bad\nrole"));
        assert_eq!(fault.param.as_deref(), Some("messages"));
        assert_eq!(fault.upstream_type.as_deref(), Some("invalid_request_error"));
    }

    #[test]
    fn a_message_without_end_is_clipped() {
        let (fault, _) = judged(400, &[], &error("", &"ü".repeat(100_000)));
        assert_eq!(fault.message.chars().count(), MESSAGE_CHARS_MAX + 1);
    }
}
