//! The admin API: `/api/v1/…`, its OpenAPI document, the claim page of the first start, and the probes.
//!
//! One file per resource; each handler stands next to its documentation, and [`router`] is the whole API at a glance.
//! Everything under `/api/v1` needs an admin key, unknown paths included, except the exchange of a claim.

mod audit;
mod audited;
mod auth;
mod breakers;
mod catalog;
mod claim;
mod config;
mod error;
mod export;
mod extract;
mod health;
mod keys;
mod moment;
mod probes;
mod reprice;
mod requests;
mod rows;
mod terms;
mod usage;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, http::Method};
use gatehouse_domain::Code;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::control::Control;
use error::ApiError;

pub use claim::issue as issue_claim;

/// No body of this API comes near it.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Admin {
    control: Control,
    claims: Arc<claim::Claims>,
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
    let admin = Admin { control: control.clone(), claims: Arc::default() };
    let (open, closed) = (open_routes(), closed_routes());
    let mut document = open.clone().merge(closed.clone()).into_openapi();
    describe_answers(&mut document);
    // Serialising our own document cannot fail; an empty one would fail the golden test.
    let document: Arc<str> = document.to_pretty_json().unwrap_or_default().into();
    let closed: Router<Admin> = closed.into();
    let closed = closed
        .route(
            "/openapi.json",
            get(move || async move { ([(CONTENT_TYPE, "application/json")], document.to_string()) }),
        )
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(control.clone(), audited::audited))
        .layer(from_fn_with_state(control.clone(), auth::require_admin));
    let open = Router::from(open).method_not_allowed_fallback(unknown_method);
    let api = Router::new().nest("/api/v1", open.merge(closed));
    let page = Router::new().route("/claim/{token}", get(claim::page).post(claim::press));
    api.merge(page)
        .layer(map_response(never_stored))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(admin)
        .merge(probes(control))
}

/// OpenAPI wants a description for every answer; what there is to say is mostly its status.
fn describe_answers(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        for (status, answer) in
            operations.into_iter().flatten().flat_map(|operation| &mut operation.responses.responses)
        {
            if let RefOr::T(answer) = answer {
                let reason = status.parse().ok().and_then(|status: StatusCode| status.canonical_reason());
                answer.description = reason.unwrap_or("Done").to_owned();
            }
        }
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn probes(control: Control) -> Router {
    probes::router().with_state(control)
}

/// What needs an admin key: everything but the claim.
fn closed_routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(Frame::openapi())
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::one, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(usage::usage))
        .routes(routes!(usage::attempts))
        .routes(routes!(requests::list))
        .routes(routes!(requests::one))
        .routes(routes!(requests::run))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(export::export))
        .routes(routes!(reprice::reprice))
        .routes(routes!(breakers::list))
        .routes(routes!(breakers::reset))
        .routes(routes!(catalog::models))
        .routes(routes!(catalog::model))
        .routes(routes!(catalog::providers))
        .routes(routes!(catalog::provider))
        .routes(routes!(catalog::price))
        .routes(routes!(config::status))
        .routes(routes!(config::reload))
        .routes(routes!(health::health))
}

fn open_routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(Frame::openapi()).routes(routes!(claim::exchange))
}

/// Answers hold secrets and states: no cache keeps them.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
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
