//! `/healthz`, `/readyz` and `/metrics`: for machines, without a key. None of them says more than numbers and states.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use crate::control::Control;

/// The three routes.
pub(crate) fn router() -> Router<Control> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// The process runs and can answer. Deliberately nothing else: a restart does not help a database that is down.
async fn healthz() -> Response {
    ([(CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// May traffic come?
async fn readyz(State(control): State<Control>) -> Response {
    let readiness = control.operations.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}

async fn metrics(State(control): State<Control>) -> Response {
    let (text, content_type) = control.operations.metrics();
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
