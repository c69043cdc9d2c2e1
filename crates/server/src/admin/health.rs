//! How the gateway is, in one page: what `/readyz` says, and the parts behind it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ErrorBody;
use crate::control::{BreakerState, ConfigStatus, Control, Readiness};

/// How the gateway is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// The version that runs.
    version: &'static str,
    /// May traffic come?
    readiness: Readiness,
    /// What is in force, and what was refused last.
    config: ConfigStatus,
    /// What is wrong with the database; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    database_problem: Option<String>,
    /// Targets that are held back right now, as `provider/model`.
    held_back: Vec<String>,
}

/// How the gateway is, part by part. Answers 200 whatever it says.
#[utoipa::path(get, path = "/health", tag = "operations", operation_id = "get_health",
    responses((status = 200, body = Health), (status = 401, body = ErrorBody)))]
pub(crate) async fn health(State(control): State<Control>) -> Json<Health> {
    let operations = &control.operations;
    let held_back = operations.breakers().into_iter().filter(|breaker| breaker.state != BreakerState::Closed);
    Json(Health {
        version: env!("CARGO_PKG_VERSION"),
        readiness: operations.readiness(),
        config: operations.config_status(),
        database_problem: control.store.ping().await.err().map(|error| error.to_string()),
        held_back: held_back.map(|breaker| breaker.target).collect(),
    })
}
