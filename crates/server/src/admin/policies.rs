//! Asking the policies: one question with its reasons, and the recorded calls held against a new set.

use axum::extract::State;

use super::acts::Changed;
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::moment;
use crate::control::{Control, PolicyAnswer, PolicyQuestion, PolicyRefusal, ReplayQuestion, ReplayReport};

/// Calls of one replay.
const REPLAYED_MAX: u32 = 100_000;

/// Which policies decide a question, and why. Nothing is called and nothing is recorded.
#[utoipa::path(post, path = "/policy/explain", tag = "policies", operation_id = "explain_policy",
    request_body = PolicyQuestion,
    responses((status = 200, body = PolicyAnswer), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn explain(
    State(control): State<Control>,
    Body(question): Body<PolicyQuestion>,
) -> Result<Changed<PolicyAnswer>, ApiError> {
    Ok(Changed::nothing(control.operations.explain_policy(&question)?))
}

/// What a new set of policies would have decided otherwise over the recorded calls of a period. The set in force stays.
#[utoipa::path(post, path = "/policy/replay", tag = "policies", operation_id = "replay_policies",
    request_body = ReplayQuestion,
    responses((status = 200, body = ReplayReport), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn replay(
    State(control): State<Control>,
    Body(question): Body<ReplayQuestion>,
) -> Result<Changed<ReplayReport>, ApiError> {
    if question.limit.is_some_and(|limit| limit > REPLAYED_MAX) {
        return Err(ApiError::invalid("limit is out of range.", format!("At most {REPLAYED_MAX} calls.")));
    }
    let (since, until) = moment::span(question.since.as_deref(), question.until.as_deref())?;
    Ok(Changed::nothing(control.operations.replay_policies(question, since, until).await?))
}

impl From<PolicyRefusal> for ApiError {
    fn from(refusal: PolicyRefusal) -> Self {
        Self::invalid(refusal.message, refusal.hint)
    }
}
