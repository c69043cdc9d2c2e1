//! No act without an entry: whatever changes something through the admin API is in the audit log before it is done, and
//! again when it is known what came of it. If the first entry cannot be written, the act is not done.
//!
//! It is a layer around every route, so that no route can forget it. What an act is called is read off its route
//! (`POST /keys/{id}/rotate` is `keys.rotate`), what it is done to off its path; a handler that knows more says so through
//! [`Notes`].

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, RequestId};
use gatehouse_store::audit::{Actor, AuditEvent, AuditOutcome, object_hash};
use gatehouse_store::{Store, StoreError};
use http::{HeaderValue, Method};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::error::ApiError;
use crate::control::Control;

/// Questions that are asked with a body: nothing changes by them.
const QUESTIONS: &[&str] = &["policy.explain", "policy.replay", "policy.test"];

/// What a handler knows of its act beyond the path. In the extensions of every request that changes something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    name: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl Notes {
    /// The object's name or id, where the path does not hold it.
    pub(crate) fn name(&self, name: &str) {
        self.noted(|noted| noted.name = Some(name.to_owned()));
    }

    /// The object as the API showed it before.
    pub(crate) fn before(&self, object: &impl Serialize) {
        self.noted(|noted| noted.before = hash(object));
    }

    /// The object as the API shows it now.
    pub(crate) fn after(&self, object: &impl Serialize) {
        self.noted(|noted| noted.after = hash(object));
    }

    fn noted(&self, note: impl FnOnce(&mut Noted)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn fill(&self, mut event: AuditEvent) -> AuditEvent {
        self.noted(|noted| {
            if let (Some(name), Some(object)) = (noted.name.take(), &mut event.object) {
                object.name = name;
            }
            (event.before, event.after) = (noted.before.take(), noted.after.take());
        });
        event
    }
}

/// The layer. Stands within [`super::auth::require_admin`], which knows who it is.
pub(crate) async fn audited(
    State(control): State<Control>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(act) = act(&request) else { return Ok(next.run(request).await) };
    let notes = Notes::default();
    request.extensions_mut().insert(notes.clone());
    let id = act.request_id.clone().unwrap_or_default();
    append(&control.store, act.clone().ended(AuditOutcome::Begun, None)).await.map_err(not_audited)?;
    let mut response = next.run(request).await;
    let (outcome, code) = outcome(&response);
    let result = AuditEvent { at_unix_ms: now_ms(), ..notes.fill(act).ended(outcome, code) };
    // What was done stays done; that it was begun is in the log.
    if let Err(error) = append(&control.store, result).await {
        tracing::error!(%error, request_id = id, "what came of an act is missing from the audit log");
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-gatehouse-request-id", id);
    }
    Ok(response)
}

/// Writes one entry.
pub(crate) async fn append(store: &Store, event: AuditEvent) -> Result<(), StoreError> {
    store.audit()?.append(vec![event]).await
}

/// The act a request asks for, if it asks for one.
fn act(request: &Request) -> Option<AuditEvent> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    // Without a route nothing happens but an answer that says so.
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    let (action, kind, name) = described(request.method(), route, request.uri().path());
    if QUESTIONS.contains(&&*action) {
        return None;
    }
    let actor = request.extensions().get::<Actor>().cloned().unwrap_or_default();
    let event = AuditEvent::new(now_ms(), DEFAULT_ORGANISATION, actor, action).on(kind, name);
    Some(AuditEvent { request_id: Some(RequestId::from_uuid(Uuid::now_v7()).to_string()), ..event })
}

/// Action, kind of object and name, from a route (`/api/v1/keys/{id}/rotate`) and the path that took it.
fn described(method: &Method, route: &str, path: &str) -> (String, String, String) {
    let segments = |text: &str| text.trim_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>();
    let (route, path) = (segments(route), segments(path));
    let is_name = |segment: &str| segment.starts_with('{');
    let words: Vec<&str> = route.iter().map(String::as_str).skip_while(|word| matches!(*word, "api" | "v1")).collect();
    let literal: Vec<&str> = words.iter().copied().filter(|word| !is_name(word)).collect();
    let kind = literal.first().copied().unwrap_or_default();
    let verb = match *method {
        _ if literal.len() > 1 => "",
        Method::POST => ".create",
        Method::PUT => ".put",
        Method::PATCH => ".change",
        Method::DELETE => ".delete",
        _ => ".other",
    };
    let names = route.iter().zip(&path).filter(|(word, _)| is_name(word)).map(|(_, name)| name.as_str());
    (format!("{}{verb}", literal.join(".")), kind.to_owned(), names.collect::<Vec<_>>().join("/"))
}

fn outcome(response: &Response) -> (AuditOutcome, Option<&'static str>) {
    let code = response.extensions().get::<Code>().map(|code| code.as_str());
    match response.status().as_u16() {
        200..300 => (AuditOutcome::Done, code),
        401 | 403 | 429 => (AuditOutcome::Refused, code),
        _ => (AuditOutcome::Failed, code),
    }
}

fn hash(object: &impl Serialize) -> Option<String> {
    serde_json::to_value(object).ok().map(|value| object_hash(&value))
}

fn not_audited(error: StoreError) -> ApiError {
    let message = format!("The audit log cannot be written, so nothing was changed: {error}.");
    let (code, hint) = if error.is_busy() {
        (Code::Overloaded, "Try again in a moment.")
    } else {
        (Code::Internal, "`gatehouse doctor` looks at the data folder.")
    };
    ApiError::new(code, message, hint)
}

pub(super) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_called_after_its_route() {
        for (method, route, path, expected) in [
            (Method::POST, "/api/v1/keys", "/api/v1/keys", ("keys.create", "keys", "")),
            (Method::DELETE, "/api/v1/keys/{id}", "/api/v1/keys/key_1", ("keys.delete", "keys", "key_1")),
            (Method::POST, "/api/v1/keys/{id}/rotate", "/api/v1/keys/k/rotate", ("keys.rotate", "keys", "k")),
            (Method::PUT, "/api/v1/teams/{name}", "/api/v1/teams/a%2Fb", ("teams.put", "teams", "a%2Fb")),
            (Method::POST, "/api/v1/config/reload", "/api/v1/config/reload", ("config.reload", "config", "")),
        ] {
            let (action, kind, name) = described(&method, route, path);
            assert_eq!((&*action, &*kind, &*name), expected, "{method} {path}");
        }
    }
}
