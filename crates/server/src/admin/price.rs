//! What a provider's model costs.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, ErrorBody};
use super::extract::Parameters;
use super::moment;
use crate::control::{Control, Price};

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
#[utoipa::path(get, path = "/price", tag = "prices", operation_id = "look_up_price", params(PriceQuestion),
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
