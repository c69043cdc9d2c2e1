//! Who the presented credential stands for. Any that is good may ask: whoever has one may know what it is worth.

use axum::Json;
use axum::extract::State;
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Role};
use gatehouse_pipeline::present_key;
use http::{Extensions, HeaderMap, Uri};

use super::Admin;
use super::actor::{self, NotLetIn};
use super::auth;
use super::error::{ApiError, ErrorBody};
use crate::control::{Control, From, Whoami};

const HINT: &str = "Send a key or a bearer token the way calls do: `Authorization: Bearer …`.";

/// Who one is: the principal, its team, the models it may use, and where it stands with its limits.
#[utoipa::path(get, path = "/whoami", tag = "access", operation_id = "whoami",
    responses((status = 200, body = Whoami), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn whoami(
    State(admin): State<Admin>,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Json<Whoami>, ApiError> {
    let presented = present_key(&headers, uri.query())
        .ok_or_else(|| ApiError::new(Code::MissingKey, "Nobody: there is no key on the request.", HINT))?;
    let control = &admin.control;
    let peer = auth::address(&extensions);
    let look = async {
        match actor::admin_key(control, presented).await? {
            Some(_) => Ok(operator(control)),
            None => {
                let from = From { peer, headers: &headers };
                control.operations.whoami(presented, &from).map_err(|fault| NotLetIn::of(fault, HINT))
            }
        }
    };
    auth::counted(&admin, peer, look).await.map(Json)
}

/// The holder of an admin key, who is no caller: no model is its own, and none is denied it.
fn operator(control: &Control) -> Whoami {
    Whoami {
        kind: "admin_key",
        key: "admin_key".to_owned(),
        name: "admin key".to_owned(),
        organisation: DEFAULT_ORGANISATION.to_owned(),
        team: None,
        user: None,
        service_account: None,
        agent: None,
        act: Vec::new(),
        tags: None,
        role: Some(Role::Owner.as_str()),
        models: control.operations.models(),
        requests: None,
        tokens: None,
    }
}
