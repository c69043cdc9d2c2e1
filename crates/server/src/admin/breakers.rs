//! Breakers: which targets are held back, and letting calls through again by hand.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acts::{Act, Changed};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::rows::Rows;
use crate::control::{Breaker, Control};

/// Every target's breaker.
#[utoipa::path(get, path = "/breakers", tag = "breakers", operation_id = "list_breakers",
    responses((status = 200, body = Rows<Breaker>), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(State(control): State<Control>) -> Json<Rows<Breaker>> {
    Json(Rows::all(control.operations.breakers()))
}

/// Which breaker.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResetBreakers {
    /// `provider/model`; every breaker if not given.
    target: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BreakersReset {
    /// How many were closed.
    reset: usize,
}

/// Closes one breaker, or all: the next call is let through.
#[utoipa::path(post, path = "/breakers/reset", tag = "breakers", operation_id = "reset_breakers", request_body = ResetBreakers,
    responses((status = 200, body = BreakersReset), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn reset(
    State(control): State<Control>,
    Body(wanted): Body<ResetBreakers>,
) -> Result<Changed<BreakersReset>, ApiError> {
    let act = match &wanted.target {
        None => Act::of("breakers.reset"),
        Some(target) => Act::on("breakers.reset", "breakers", target),
    };
    let reset = match wanted.target {
        None => control.operations.reset_breakers(),
        Some(target) if control.operations.reset_breaker(&target) => 1,
        Some(_) => return Err(ApiError::not_found("target", "GET /api/v1/breakers lists them as provider/model.")),
    };
    Ok(Changed::by(act, BreakersReset { reset }))
}
