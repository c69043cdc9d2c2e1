//! What can be called: models and providers, read-only, each saying where it comes from; and what they cost.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, ErrorBody};
use super::extract::{Name, Parameters};
use super::moment;
use super::rows::Rows;
use crate::control::{Control, Model, Price, Provider};

/// The models clients can name.
#[utoipa::path(get, path = "/models", tag = "catalog", operation_id = "list_models",
    responses((status = 200, body = Rows<Model>), (status = 401, body = ErrorBody)))]
pub(crate) async fn models(State(control): State<Control>) -> Json<Rows<Model>> {
    Json(Rows::all(control.operations.models()))
}

/// One model.
#[utoipa::path(get, path = "/models/{name}", tag = "catalog", operation_id = "get_model",
    params(("name" = String, Path, description = "The model's name")),
    responses((status = 200, body = Model), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn model(State(control): State<Control>, Name(name): Name) -> Result<Json<Model>, ApiError> {
    let found = control.operations.models().into_iter().find(|model| model.name == name);
    found.map(Json).ok_or_else(|| ApiError::not_found("model", "GET /api/v1/models lists them."))
}

/// The configured providers. Credentials are never shown.
#[utoipa::path(get, path = "/providers", tag = "catalog", operation_id = "list_providers",
    responses((status = 200, body = Rows<Provider>), (status = 401, body = ErrorBody)))]
pub(crate) async fn providers(State(control): State<Control>) -> Json<Rows<Provider>> {
    Json(Rows::all(control.operations.providers()))
}

/// One provider.
#[utoipa::path(get, path = "/providers/{name}", tag = "catalog", operation_id = "get_provider",
    params(("name" = String, Path, description = "The provider's name")),
    responses((status = 200, body = Provider), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn provider(State(control): State<Control>, Name(name): Name) -> Result<Json<Provider>, ApiError> {
    let found = control.operations.providers().into_iter().find(|provider| provider.name == name);
    found.map(Json).ok_or_else(|| ApiError::not_found("provider", "GET /api/v1/providers lists them."))
}

/// Which price.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PriceQuestion {
    /// The provider's name in the configuration.
    provider: String,
    /// The provider's model.
    model: String,
    /// When; now if not given. A time, a day, or how long ago (`7d`).
    at: Option<String>,
}

/// What a provider's model costs, in USD per million tokens.
#[utoipa::path(get, path = "/prices", tag = "catalog", operation_id = "get_price", params(PriceQuestion),
    responses((status = 200, body = Price), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn price(
    State(control): State<Control>,
    Parameters(question): Parameters<PriceQuestion>,
) -> Result<Json<Price>, ApiError> {
    let at = match &question.at {
        None => SystemTime::now(),
        Some(text) => moment::time("at", text)?,
    };
    let price = control.operations.price(&question.provider, &question.model, at);
    price.map(Json).ok_or_else(|| {
        ApiError::not_found("price", "Calls to this model count as unpriced; set prices.overrides.PROVIDER/MODEL.")
    })
}
