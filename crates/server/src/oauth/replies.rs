//! Answers: JSON for programs, pages for people, and what browsers may do with either.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use gatehouse_oauth::server::{Form, Oops, Wrong, html, pages};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, PRAGMA, REFERRER_POLICY, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;

/// What no cache may keep.
pub(super) const NEVER_STORED: HeaderValue = HeaderValue::from_static("no-store");
/// What caches may keep for five minutes.
const SHORTLY: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// A secret or a state, as JSON (RFC 6749 §5.1).
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, NEVER_STORED);
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// A public document.
pub(super) fn document(body: &Value) -> Response {
    let mut response = json(StatusCode::OK, body);
    response.headers_mut().remove(PRAGMA);
    response.headers_mut().insert(CACHE_CONTROL, SHORTLY);
    response
}

/// A refusal to a program.
pub(super) fn refusal(oops: &Oops) -> Response {
    let mut response = json(status(oops), &oops.body());
    match oops.wrong {
        Wrong::Client => {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"gatehouse\""));
        }
        Wrong::TooMany | Wrong::Unavailable => {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
        }
        _ => {}
    }
    response
}

/// A page for a person. `redirect`: where its form's answer may lead to in the end.
pub(super) fn page(status: StatusCode, html: String, redirect: Option<&str>) -> Response {
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&html::policy(redirect));
    headers.insert(CONTENT_SECURITY_POLICY, policy.unwrap_or(HeaderValue::from_static("default-src 'none'")));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, NEVER_STORED);
    response
}

/// A refusal to a person: sent nowhere, because nobody knows where it could safely go.
pub(super) fn problem(oops: &Oops) -> Response {
    let status = match oops.wrong {
        // A browser would ask for a password.
        Wrong::Client => StatusCode::BAD_REQUEST,
        _ => status(oops),
    };
    page(status, pages::problem(&oops.description), None)
}

/// Sends a browser on.
pub(super) fn go(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(address) {
        Ok(address) => headers.insert(LOCATION, address),
        Err(_) => return problem(&Oops::new(Wrong::Request, "the address to go on at cannot be written")),
    };
    headers.insert(CACHE_CONTROL, NEVER_STORED);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The form in a body.
pub(super) fn form(headers: &HeaderMap, body: &[u8]) -> Result<Form, Oops> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Oops::new(Wrong::Request, "the body must be application/x-www-form-urlencoded"));
    }
    let text = std::str::from_utf8(body).map_err(|_| Oops::new(Wrong::Request, "the body is not UTF-8"))?;
    Form::read(text)
}

/// Pages of other origins may use what programs use: nothing there looks at a cookie.
pub(super) async fn for_browsers_elsewhere(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    let allowed = "authorization, content-type, mcp-protocol-version";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    response
}

fn status(oops: &Oops) -> StatusCode {
    StatusCode::from_u16(oops.wrong.status()).unwrap_or(StatusCode::BAD_REQUEST)
}
