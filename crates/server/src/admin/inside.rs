//! The admin API from within: requests that the gateway makes for a caller who was let in already, such as a call to a tool of
//! its own MCP server. They take the way of every other request, through the gate with the caller's role and through the
//! recorder with the caller's name; only the question who it is was settled before.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use gatehouse_domain::{Code, Principal, Role};
use http::{Request, StatusCode};
use tower::ServiceExt as _;

use super::auth::{BASE, Vouched};
use super::error::ApiError;
use super::rights::{self, Reach};
use super::usage::{self, UsageQuestion};
use crate::control::Control;
use crate::service::Peer;

/// No answer of this API is longer: ten thousand rows of a report.
const ANSWER_BYTES_MAX: usize = 32 << 20;
const TOO_LONG: &[u8] =
    br#"{"error":{"code":"body_too_large","message":"The answer is too long.","hint":"Ask for less with `limit`."}}"#;

/// The admin API for callers who are known. Cheap to clone.
#[derive(Clone)]
pub struct Inside {
    router: Router,
    control: Control,
}

/// What the API answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// Its body: JSON.
    pub body: Bytes,
}

/// Who may ask something at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The roles that reach anything by it.
    pub roles: Vec<Role>,
    /// Only those of the organisation that runs the instance?
    pub instance: bool,
}

impl Inside {
    /// The same API that this router serves.
    #[must_use]
    pub fn new(router: Router, control: Control) -> Self {
        Self { router, control }
    }

    /// Makes a request for a caller. Its path begins behind `/api/v1`. `address`: where the caller is, for the audit log.
    pub async fn ask(&self, caller: &Arc<Principal>, address: Option<IpAddr>, request: Request<Bytes>) -> Answered {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        let Ok(uri) = format!("{BASE}{path}").parse() else {
            let hint = "Names are up to 128 characters, numbers are numbers.";
            return answered(ApiError::new(Code::InvalidRequest, "This makes no address.", hint).into_response()).await;
        };
        parts.uri = uri;
        parts.extensions.insert(Vouched(Arc::clone(caller)));
        if let Some(address) = address {
            parts.extensions.insert(Peer(address));
        }
        let request = Request::from_parts(parts, Body::from(body));
        match self.router.clone().oneshot(request).await {
            Ok(response) => answered(response).await,
            Err(never) => match never {},
        }
    }

    /// What a caller used itself, whatever its role: the report of `GET /usage` with these parameters, of its own key alone.
    pub async fn own_usage(&self, caller: &Principal, parameters: serde_json::Value) -> Answered {
        let hint = "See the tool's input schema for what it takes.";
        let question: Result<UsageQuestion, _> = serde_json::from_value(parameters);
        let rows = match question {
            Ok(question) => usage::of_key(&self.control.store, caller, question).await,
            Err(error) => Err(ApiError::invalid(format!("These arguments are not what it takes: {error}."), hint)),
        };
        answered(rows.map(axum::Json).into_response()).await
    }
}

async fn answered(response: Response) -> Answered {
    let status = response.status();
    match to_bytes(response.into_body(), ANSWER_BYTES_MAX).await {
        Ok(body) => Answered { status, body },
        Err(_) => Answered { status: StatusCode::INSUFFICIENT_STORAGE, body: Bytes::from_static(TOO_LONG) },
    }
}

/// Who may ask for a route of the API at all. `{kind}` at its beginning stands for every kind of object: whoever may do it to one
/// kind is among them.
#[must_use]
pub fn audience(method: &str, route: &str) -> Audience {
    let rows: Vec<rights::Row> = match route.strip_prefix("/{kind}") {
        Some(rest) => rights::kinds().filter_map(|kind| rights::row(method, &format!("/{kind}{rest}"))).collect(),
        None => rights::row(method, route).into_iter().collect(),
    };
    let reaches = |role: &Role| rows.iter().any(|row| row.of(*role) != Reach::Nothing);
    Audience { roles: Role::ALL.into_iter().filter(reaches).collect(), instance: rows.iter().all(|row| row.instance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_do_something_on_a_route_is_its_audience() {
        let keys = audience("POST", "/keys");
        assert_eq!(
            (keys.roles, keys.instance),
            (vec![Role::Owner, Role::Admin, Role::TeamLead, Role::Developer], false)
        );
        let reload = audience("POST", "/config/reload");
        assert_eq!((reload.roles, reload.instance), (vec![Role::Owner], true));
    }

    #[test]
    fn a_route_of_every_kind_is_for_those_who_may_use_it_for_one() {
        assert_eq!(audience("GET", "/{kind}").roles.len(), Role::ALL.len());
        assert_eq!(audience("PUT", "/{kind}/{name}").roles, [Role::Owner, Role::Admin]);
    }

    #[test]
    fn a_route_that_is_none_is_for_nobody() {
        assert!(audience("PATCH", "/keys").roles.is_empty());
    }
}
