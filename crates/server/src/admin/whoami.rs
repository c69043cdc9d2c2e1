//! Who the presented key stands for.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Granted;
use super::error::ErrorBody;

/// Somebody with a role.
#[derive(Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// The key's id, `admin_key` or `claimed_key`.
    name: String,
    /// Nothing outside of it can be seen.
    organisation: String,
    /// owner, admin, auditor, team_lead, developer or viewer.
    role: &'static str,
    /// The team, if it has one.
    team: Option<String>,
    /// The person, if it is one.
    user: Option<String>,
}

/// Who the presented key stands for, and in which role.
#[utoipa::path(get, path = "/whoami", tag = "access", operation_id = "whoami",
    responses((status = 200, body = Whoami), (status = 401, body = ErrorBody)))]
pub(crate) async fn whoami(granted: Granted) -> Json<Whoami> {
    let actor = granted.actor;
    Json(Whoami {
        name: actor.name.to_string(),
        organisation: actor.organisation.to_string(),
        role: actor.role.as_str(),
        team: actor.team.as_deref().map(str::to_owned),
        user: actor.user.as_deref().map(str::to_owned),
    })
}
