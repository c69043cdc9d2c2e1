//! The configuration in force, and reading it again.

use axum::Json;
use axum::extract::State;
use gatehouse_domain::Code;

use super::acts::{Act, Changed};
use super::error::{ApiError, ErrorBody};
use crate::control::{ConfigStatus, Control, Reload};

/// What is in force, where it comes from, and why the last change was refused, if it was.
#[utoipa::path(get, path = "/config", tag = "config", operation_id = "get_config",
    responses((status = 200, body = ConfigStatus), (status = 401, body = ErrorBody)))]
pub(crate) async fn status(State(control): State<Control>) -> Json<ConfigStatus> {
    Json(control.operations.config_status())
}

/// Reads the file again. A good one is in force when the answer is there; a bad one is refused with its reasons, and the
/// last good one stays.
#[utoipa::path(post, path = "/config/reload", tag = "config", operation_id = "reload_config",
    responses((status = 200, body = ConfigStatus), (status = 401, body = ErrorBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn reload(State(control): State<Control>) -> Result<Changed<ConfigStatus>, ApiError> {
    match control.operations.reload().await {
        Reload::Accepted(status) => Ok(Changed::by(Act::of("config.reload"), status)),
        Reload::Refused(refused) => Err(ApiError::new(
            Code::InvalidRequest,
            format!("The configuration was refused: {}", refused.problems.join("; ")),
            "The last good configuration is still in force. `gatehouse check FILE` shows the same problems.",
        )),
    }
}
