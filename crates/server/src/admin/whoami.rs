//! Who the presented credential stands for. Any that is good may ask: whoever has one may know what it is worth.

use std::net::{IpAddr, Ipv4Addr};

use axum::Json;
use axum::extract::State;
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Role};
use gatehouse_pipeline::present_key;
use http::{Extensions, HeaderMap, Uri};

use super::auth::is_admin_key;
use super::error::{ApiError, ErrorBody};
use crate::control::{Control, From, Whoami};
use crate::service::Peer;

const HINT: &str = "Send a key or a bearer token the way calls do: `Authorization: Bearer …`.";

/// Who one is: the principal, its team, the models it may use, and where it stands with its limits.
#[utoipa::path(get, path = "/whoami", tag = "access", operation_id = "whoami",
    responses((status = 200, body = Whoami), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub(crate) async fn whoami(
    State(control): State<Control>,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Json<Whoami>, ApiError> {
    let presented = present_key(&headers, uri.query())
        .ok_or_else(|| ApiError::new(Code::MissingKey, "Nobody: there is no key on the request.", HINT))?;
    if is_admin_key(&control, presented).await? {
        return Ok(Json(operator(&control)));
    }
    // Callers that came over no listener are on this machine.
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let from = From { peer, headers: &headers };
    control.operations.whoami(presented, &from).map(Json).map_err(|fault| {
        let error = ApiError::new(fault.code, fault.message, HINT);
        fault.retry_after_secs.into_iter().fold(error, ApiError::retry_after)
    })
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
        models: control.operations.models().into_iter().map(|model| model.name).collect(),
        requests: None,
        tokens: None,
    }
}
