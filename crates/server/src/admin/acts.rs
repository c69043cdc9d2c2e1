//! What a handler says of the change it made, for the audit log (`audited`).
//!
//! A handler that changes something answers with [`Changed`]. One that forgot to is found out: a change without an act is
//! answered 500, so no test of such a route can pass.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

/// What was done.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    /// `keys.create`, `providers.put`, …; several objects may be changed in one request.
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
pub(crate) struct Accounted(pub(crate) Vec<Act>);

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
