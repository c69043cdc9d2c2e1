//! The admin API: `/api/v1/…`, its OpenAPI document, the claim page of the first start, and the probes.
//!
//! One file per resource; each handler stands next to its documentation, and [`router`] is the whole API at a glance. Around
//! the handlers stand the gate (`auth`: who, and by `rights` whether) and the recorder (`audited`: what was done), and before
//! them `guests`: no web page talks a browser into asking. Everything
//! under `/api/v1` needs a key with a role, unknown paths included, except the exchange of a claim and the question who one
//! is, which every good credential may ask.

mod actor;
mod acts;
mod audit;
mod audited;
mod auth;
mod breakers;
mod budgets;
mod claim;
mod config;
mod cursor;
#[cfg(test)]
mod document;
mod error;
mod export;
mod extract;
mod guesses;
mod guests;
mod health;
mod inside;
mod keys;
mod mcp;
mod moment;
mod new_key;
mod oauth;
mod objects;
mod policies;
mod price;
mod probes;
mod reprice;
mod requests;
mod rights;
mod rows;
mod secrets;
mod served;
mod terms;
mod usage;
mod whoami;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Uri};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http::Method};
use gatehouse_domain::Code;
use gatehouse_packed::packed;

use crate::control::Control;
use error::ApiError;
use served::{Served, served};

pub use claim::issue as issue_claim;
pub use inside::{Answered, Audience, Inside, audience};

// What the authorization server shares with this API: one count of wrong keys, one audit log, one way of telling admin keys.
pub(crate) use actor::same;
pub(crate) use audited::append as append_audit;
pub(crate) use auth::address;
pub(crate) use guesses::Guesses;

/// No body of a single object comes near it.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// An export of everything, applied again: as much as a configuration file may have.
const APPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Admin {
    control: Control,
    claims: Arc<claim::Claims>,
    guesses: Arc<guesses::Guesses>,
    /// One change of objects at a time: each is checked against all others.
    changing: Arc<tokio::sync::Mutex<()>>,
}

impl FromRef<Admin> for Control {
    fn from_ref(admin: &Admin) -> Self {
        admin.control.clone()
    }
}

/// The admin API, the claim page and the probes, ready to be served.
pub fn router(control: Control) -> Router {
    let guesses = Arc::<Guesses>::default();
    let oauth = crate::oauth::router(control.clone(), Arc::clone(&guesses));
    let admin = Admin { control: control.clone(), claims: Arc::default(), guesses, changing: Arc::default() };
    let closed = served::all(closed_paths())
        .merge(objects::routes())
        .route("/openapi.json", get(openapi))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(control.clone(), audited::audited))
        .layer(from_fn_with_state(admin.clone(), auth::gate));
    let open = served::all(open_paths()).method_not_allowed_fallback(unknown_method);
    let api = Router::new().nest(auth::BASE, open.merge(closed));
    let page = Router::new().route("/claim/{token}", get(claim::page).post(claim::press));
    api.merge(page)
        .layer(from_fn_with_state(control.clone(), guests::admitted))
        .layer(from_fn_with_state(control.clone(), audited::refusals))
        .layer(map_response(never_stored))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(admin)
        .merge(oauth)
        .merge(probes(control))
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn probes(control: Control) -> Router {
    probes::router().with_state(control)
}

/// What needs a key with a role: everything but the claim, and the question who one is.
fn closed_paths() -> Vec<Served> {
    vec![
        served!(keys: list, create),
        served!(keys: one, revoke),
        served!(keys: rotate),
        served!(usage: usage),
        served!(usage: attempts),
        served!(budgets: list),
        served!(requests: list),
        served!(requests: one),
        served!(requests: run),
        served!(audit: list),
        served!(audit: verify),
        served!(audit: export),
        served!(export: export),
        served!(reprice: reprice),
        served!(breakers: list),
        served!(breakers: reset),
        served!(objects::change: apply).up_to(APPLY_BYTES_MAX),
        served!(secrets: list),
        served!(secrets: one, put, delete),
        served!(secrets: rotate),
        served!(price: price),
        served!(config: status),
        served!(config: reload),
        served!(policies: explain),
        served!(policies: replay),
        served!(mcp: servers),
        served!(mcp: refresh),
        served!(mcp: findings),
        served!(mcp: explain),
        served!(mcp::connections: list),
        served!(mcp::connections: revoke),
        served!(mcp::pins: list),
        served!(mcp::pins: diff),
        served!(mcp::pins: approve),
        served!(mcp::pins: rollback),
        served!(health: health),
        served!(oauth: clients),
        served!(oauth: revoke_client),
        served!(oauth: grants),
        served!(oauth: revoke_grant),
        served!(oauth: rotate_keys),
    ]
}

fn open_paths() -> Vec<Served> {
    vec![served!(claim: exchange), served!(whoami: whoami)]
}

/// The OpenAPI document. It comes along as a file, which a test holds to what the handlers say of themselves.
async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], packed!("openapi.json"))
}

/// Answers hold secrets and states: no cache keeps them.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Is this an admin key?
///
/// # Errors
/// When that cannot be found out.
pub(crate) async fn admin_key(control: &Control, presented: &str) -> Result<bool, ()> {
    actor::admin_key(control, presented).await.map(|name| name.is_some()).map_err(drop)
}

/// Unix milliseconds.
fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

async fn unknown_path(uri: Uri) -> ApiError {
    let message = format!("The admin API has no path {}.", uri.path());
    ApiError::new(Code::NotFound, message, "GET /api/v1/openapi.json lists every path.")
}

async fn unknown_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}.", uri.path());
    ApiError::new(Code::MethodNotAllowed, message, "GET /api/v1/openapi.json lists every path and its methods.")
}

#[cfg(test)]
mod tests;
