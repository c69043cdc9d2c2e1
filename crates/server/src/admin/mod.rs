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
mod terms;
mod usage;
mod whoami;

use std::sync::{Arc, LazyLock};

use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Uri};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, http::Method};
use gatehouse_domain::Code;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::control::Control;
use error::ApiError;

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

/// The frame of the OpenAPI document; paths and schemas come from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(title = "Gatehouse admin API", description = "Keys, usage and the state of the gateway."),
    servers((url = "/api/v1")),
    security(("admin_key" = [])),
    modifiers(&AdminKeyScheme)
)]
struct Frame;

struct AdminKeyScheme;

impl Modify for AdminKeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("admin_key", scheme);
    }
}

/// The admin API, the claim page and the probes, ready to be served.
pub fn router(control: Control) -> Router {
    let guesses = Arc::<Guesses>::default();
    let oauth = crate::oauth::router(control.clone(), Arc::clone(&guesses));
    let admin = Admin { control: control.clone(), claims: Arc::default(), guesses, changing: Arc::default() };
    let (open, closed) = (open_routes(), closed_routes());
    // Written when somebody asks first: few do, and it is hundreds of kilobytes.
    let document = Arc::new(LazyLock::new(written_document));
    let closed: Router<Admin> = closed.into();
    let closed = closed
        .merge(objects::routes())
        .route(
            "/openapi.json",
            get(move || async move { ([(CONTENT_TYPE, "application/json")], String::clone(&document)) }),
        )
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(control.clone(), audited::audited))
        .layer(from_fn_with_state(admin.clone(), auth::gate));
    let open = Router::from(open).method_not_allowed_fallback(unknown_method);
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

/// The OpenAPI document, as it is served.
fn written_document() -> String {
    format!("{:#}", document::finish(&open_routes().merge(closed_routes()).into_openapi()))
}

/// What needs a key with a role: everything but the claim, and the question who one is.
fn closed_routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(Frame::openapi())
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::one, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(usage::usage))
        .routes(routes!(usage::attempts))
        .routes(routes!(budgets::list))
        .routes(routes!(requests::list))
        .routes(routes!(requests::one))
        .routes(routes!(requests::run))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::export))
        .routes(routes!(export::export))
        .routes(routes!(reprice::reprice))
        .routes(routes!(breakers::list))
        .routes(routes!(breakers::reset))
        .routes(routes!(objects::change::apply).layer(DefaultBodyLimit::max(APPLY_BYTES_MAX)))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::one, secrets::put, secrets::delete))
        .routes(routes!(secrets::rotate))
        .routes(routes!(price::price))
        .routes(routes!(config::status))
        .routes(routes!(config::reload))
        .routes(routes!(policies::explain))
        .routes(routes!(policies::replay))
        .routes(routes!(mcp::servers))
        .routes(routes!(mcp::refresh))
        .routes(routes!(mcp::findings))
        .routes(routes!(mcp::explain))
        .routes(routes!(mcp::connections::list))
        .routes(routes!(mcp::connections::revoke))
        .routes(routes!(mcp::pins::list))
        .routes(routes!(mcp::pins::diff))
        .routes(routes!(mcp::pins::approve))
        .routes(routes!(mcp::pins::rollback))
        .routes(routes!(health::health))
        .routes(routes!(oauth::clients))
        .routes(routes!(oauth::revoke_client))
        .routes(routes!(oauth::grants))
        .routes(routes!(oauth::revoke_grant))
        .routes(routes!(oauth::rotate_keys))
}

fn open_routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(Frame::openapi()).routes(routes!(claim::exchange)).routes(routes!(whoami::whoami))
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
