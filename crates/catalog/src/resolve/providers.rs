//! `providers`: addresses, headers and timers. Which credentials a kind needs is known where the kinds are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{Secret, Timeouts};
use http::{HeaderName, HeaderValue};

use super::address::{endpoint, seconds, stays_near};
use crate::check::Check;
use crate::config::Provider;
use crate::written::{self, SecretText};

/// Tries after the first where none are written.
const RETRIES_DEFAULT: u8 = 1;
/// More only makes an outage worse.
const RETRIES_MAX: u8 = 10;
/// Headers that belong to the connection or the body, not to the configuration.
const NOT_YOURS: &[&str] =
    &["host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer"];

pub(super) fn all(written: BTreeMap<String, written::Provider>, check: &mut Check) -> BTreeMap<Arc<str>, Provider> {
    written.into_iter().map(|(name, provider)| (Arc::from(name.as_str()), one(&name, provider, check))).collect()
}

fn one(name: &str, written: written::Provider, check: &mut Check) -> Provider {
    let path = format!("providers.{name}");
    if name.is_empty() || name.contains(['/', '*']) || name.chars().any(char::is_whitespace) {
        check.error_at(&path, "a provider's name has no `/`, `*` or space", None);
    }
    let base_url = given(written.base_url).and_then(|url| endpoint(&format!("{path}.base_url"), &url, check));
    let api_key = secret(written.api_key);
    if let Some(url) = &base_url
        && !url.origin.tls
        && api_key.is_some()
        && !stays_near(&url.origin.host)
    {
        let message = "the API key travels unencrypted";
        check.warn(&format!("{path}.base_url"), message, Some("use https://".to_owned()));
    }
    let retries = written.retries.unwrap_or(RETRIES_DEFAULT);
    if retries > RETRIES_MAX {
        check.error_at(&format!("{path}.retries"), format!("more than {RETRIES_MAX}"), None);
    }
    Provider {
        kind: written.kind,
        base_url,
        api_key,
        region: given(written.region),
        access_key_id: given(written.access_key_id),
        secret_access_key: secret(written.secret_access_key),
        session_token: secret(written.session_token),
        project: given(written.project),
        location: given(written.location),
        credentials: secret(written.credentials),
        api_version: given(written.api_version),
        dialect: given(written.dialect),
        headers: headers(&path, written.headers, check),
        timeouts: timeouts(&format!("{path}.timeouts"), &written.timeouts, Timeouts::default(), check),
        retries,
    }
}

/// A reference to an empty variable is a value that was not given.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn secret(text: Option<SecretText>) -> Option<Secret> {
    text.map(|text| text.0).filter(|secret| !secret.is_empty())
}

pub(super) fn headers(path: &str, written: BTreeMap<String, SecretText>, check: &mut Check) -> Vec<(String, Secret)> {
    let mut headers: BTreeMap<String, Secret> = BTreeMap::new();
    for (name, value) in written {
        let at = format!("{path}.headers.{name}");
        let lower = name.to_ascii_lowercase();
        if HeaderName::from_bytes(lower.as_bytes()).is_err() {
            check.error_at(&at, "not a header name", None);
        } else if NOT_YOURS.contains(&lower.as_str()) {
            check.error_at(&at, "the gateway sets this header itself", Some("remove it".to_owned()));
        } else if HeaderValue::from_str(value.0.reveal()).is_err() {
            check.error_at(&at, "the value has characters a header cannot carry", None);
        } else if headers.insert(lower, value.0).is_some() {
            check.error_at(&at, "written twice in different case", Some("keep one".to_owned()));
        }
    }
    headers.into_iter().collect()
}

/// Timers over those of the next outer place. Timers written inside must not outlast written ones around them; those
/// not written shrink to fit. `first_byte` starts when the connection stands, so it is not around `connect`.
pub(super) fn timeouts(path: &str, written: &written::Timeouts, outer: Timeouts, check: &mut Check) -> Timeouts {
    let mut read = |name: &str, secs: Option<f64>| -> Option<Duration> {
        secs.and_then(|secs| seconds(&format!("{path}.{name}"), secs, check))
    };
    let connect = read("connect", written.connect);
    let first_byte = read("first_byte", written.first_byte);
    let between_chunks = read("between_chunks", written.between_chunks);
    let total = read("total", written.total);
    for (inner_name, inner, outer_name, around) in [
        ("connect", connect, "total", total),
        ("first_byte", first_byte, "total", total),
        ("between_chunks", between_chunks, "total", total),
    ] {
        if let (Some(inner), Some(around)) = (inner, around)
            && inner > around
        {
            let message =
                format!("{} s is longer than `{outer_name}` ({} s)", inner.as_secs_f64(), around.as_secs_f64());
            let hint = format!("a timer around another one is the longer one: raise `{outer_name}`");
            check.error_at(&format!("{path}.{inner_name}"), message, Some(hint));
        }
    }
    let longest = [connect, first_byte, between_chunks].into_iter().flatten().max().unwrap_or_default();
    let total = total.unwrap_or(outer.total.max(longest));
    Timeouts {
        connect: connect.unwrap_or(outer.connect.min(total)),
        first_byte: first_byte.unwrap_or(outer.first_byte.min(total)),
        between_chunks: between_chunks.unwrap_or(outer.between_chunks.min(total)),
        total,
    }
}
