//! The key a caller presents. Every way of carrying one works on every path.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

/// The key in a request, whichever carrier it came in: `Authorization: Bearer`, `x-api-key`, `api-key`,
/// `x-goog-api-key`, `?key=`, or the access key id of an AWS signature (version 4), in this order.
///
/// The AWS secret is not checked: the access key id *is* the Gatehouse key, and keys are stored as hashes only.
#[must_use]
pub fn present_key<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let header = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|key| !key.is_empty())
    };
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(authorization)
        .or_else(|| header("x-api-key"))
        .or_else(|| header("api-key"))
        .or_else(|| header("x-goog-api-key"))
        .or_else(|| query.and_then(query_key))
}

/// The query without the caller's key, so that it can be passed on and logged.
pub(crate) fn query_without_key(query: &str) -> Option<String> {
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("key=")).collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

/// Every header that can carry a caller's credential: none of them may reach an upstream.
const CREDENTIAL_HEADERS: [HeaderName; 5] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-amz-security-token"),
];

/// Takes every carrier of a credential off.
pub(crate) fn remove_credentials(headers: &mut HeaderMap) {
    for name in &CREDENTIAL_HEADERS {
        // A request has few headers: to walk them costs less than to hash a name that is not there.
        if headers.keys().any(|key| key == name) {
            headers.remove(name);
        }
    }
}

fn authorization(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest).filter(|key| !key.is_empty());
    }
    if scheme.eq_ignore_ascii_case("aws4-hmac-sha256") {
        let credential = rest.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
        return credential.split('/').next().filter(|key| !key.is_empty());
    }
    None
}

fn query_key(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("key=")).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(name: &'static str, value: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, http::HeaderValue::from_static(value));
        present_key(&headers, None).map(str::to_owned)
    }

    #[test]
    fn every_carrier_is_read() {
        for (name, value) in [
            ("authorization", "Bearer gh_k"),
            ("authorization", "bearer  gh_k"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=gh_k/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
            ),
            ("x-api-key", "gh_k"),
            ("api-key", "gh_k"),
            ("x-goog-api-key", " gh_k"),
        ] {
            assert_eq!(key_of(name, value).as_deref(), Some("gh_k"), "{name}: {value}");
        }
        assert_eq!(present_key(&HeaderMap::new(), Some("alt=sse&key=gh_k")), Some("gh_k"));
    }

    #[test]
    fn no_carrier_is_left_and_nothing_else_is_taken() {
        let mut headers = HeaderMap::new();
        for name in CREDENTIAL_HEADERS {
            headers.append(&name, http::HeaderValue::from_static("one"));
            headers.append(&name, http::HeaderValue::from_static("two"));
        }
        headers.insert("x-client-request-id", http::HeaderValue::from_static("mine"));
        remove_credentials(&mut headers);
        assert_eq!(headers.len(), 1, "{headers:?}");
    }

    #[test]
    fn what_carries_no_key_is_no_key() {
        for (name, value) in
            [("authorization", "Basic abc"), ("authorization", "Bearer "), ("x-api-key", ""), ("cookie", "key=a")]
        {
            assert_eq!(key_of(name, value), None, "{name}: {value}");
        }
    }

    #[test]
    fn the_key_never_stays_in_the_query() {
        assert_eq!(query_without_key("alt=sse&key=gh_k").as_deref(), Some("alt=sse"));
        assert_eq!(query_without_key("key=gh_k"), None);
    }
}
