//! Every act leaves a trace: whatever changes something goes through [`record`], which stands around all routes and hands
//! each act to the audit log before its answer leaves.
//!
//! A handler that changes something answers with [`Changed`]. One that forgot to is found out here: a change without an act
//! is answered 500, so no test of such a route can pass.

use std::sync::Arc;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gatehouse_domain::Code;
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::actor::Actor;
use super::auth::{self, BASE, Seen};
use super::error::{ApiError, Refused};
use super::now_ms;
use crate::control::{AdminAct, Control};

/// What was done.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    /// `keys.create`, `providers.put`, …
    pub(crate) action: String,
    /// Kind and name of what it was done to.
    pub(crate) object: Option<(String, String)>,
    /// What was there before, secrets masked.
    pub(crate) before: Option<Value>,
    /// What is there now.
    pub(crate) after: Option<Value>,
}

/// The mark of an answer whose handler thought of the audit log. Empty: nothing was changed.
#[derive(Clone, Debug)]
struct Accounted(Vec<Act>);

/// The answer of a handler that may change something.
pub(crate) struct Changed<T> {
    answer: T,
    status: StatusCode,
    acts: Vec<Act>,
}

impl<T> Changed<T> {
    /// Something was changed.
    pub(crate) fn by(acts: impl Into<Vec<Act>>, answer: T) -> Self {
        Self { answer, status: StatusCode::OK, acts: acts.into() }
    }

    /// Nothing was: a dry run, or everything is already so.
    pub(crate) const fn nothing(answer: T) -> Self {
        Self { answer, status: StatusCode::OK, acts: Vec::new() }
    }

    /// With another status than 200.
    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl<T: Serialize> IntoResponse for Changed<T> {
    fn into_response(self) -> Response {
        accounted((self.status, Json(self.answer)).into_response(), self.acts)
    }
}

/// Marks an answer that is no JSON.
pub(crate) fn accounted(mut response: Response, acts: Vec<Act>) -> Response {
    response.extensions_mut().insert(Accounted(acts));
    response
}

impl From<Act> for Vec<Act> {
    fn from(act: Act) -> Self {
        vec![act]
    }
}

impl Act {
    /// An act on an object.
    pub(crate) fn on(action: impl Into<String>, kind: &str, name: &str) -> Self {
        let object = Some((kind.to_owned(), name.to_owned()));
        Self { action: action.into(), object, before: None, after: None }
    }

    /// An act on the gateway itself.
    pub(crate) fn of(action: &str) -> Self {
        Self { action: action.to_owned(), object: None, before: None, after: None }
    }
}

/// Stands around every route.
pub(crate) async fn record(State(control): State<Control>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let address = auth::address(request.extensions());
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("", |path| path.as_str().strip_prefix(BASE).unwrap_or(path.as_str()));
    let tried = format!("{} {route}", request.method());
    let response = next.run(request).await;
    if reads && !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return response;
    }
    let actor = response.extensions().get::<Seen>().map(|seen| Arc::clone(&seen.0));
    let entry = |act: Act, refused| AdminAct {
        at_unix_ms: now_ms(),
        organisation: actor.as_deref().map_or("", |actor| &*actor.organisation).to_owned(),
        who: actor.as_deref().map_or("", |actor: &Actor| &*actor.name).to_owned(),
        role: actor.as_deref().map(|actor| actor.role),
        address: Some(address),
        action: act.action,
        object: act.object,
        before: act.before,
        after: act.after,
        refused,
    };
    let entries = match (response.extensions().get::<Accounted>(), response.extensions().get::<Refused>()) {
        (Some(Accounted(acts)), _) => acts.iter().map(|act| entry(act.clone(), None)).collect(),
        (None, Some(Refused(code))) => vec![entry(Act::of(&tried), Some(*code))],
        (None, None) if response.status().is_success() => return unaccounted(&tried),
        (None, None) => vec![entry(Act::of(&tried), Some(Code::Internal.as_str()))],
    };
    for entry in entries {
        let refused = entry.refused.is_some();
        if let Err(error) = control.operations.audit(entry).await
            // What was refused is refused, written down or not.
            && !refused
        {
            return ApiError::from(error).into_response();
        }
    }
    response
}

fn unaccounted(tried: &str) -> Response {
    let message = format!("{tried} is not written to the audit log.");
    ApiError::new(Code::Internal, message, "This is a defect; please report it.").into_response()
}
