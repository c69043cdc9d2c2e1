//! No act without an entry: whatever changes something through the admin API is in the audit log before it is done, and
//! again when it is known what came of it. If the first entry cannot be written, the act is not done.
//!
//! Two layers around the routes, so that no route can forget it. [`audited`] stands within the gate and writes the entries:
//! what an act is called is read off its route (`POST /keys/{id}/rotate` is `keys.rotate`), what it did off the [`Act`]s of
//! its answer. [`refusals`] stands around everything: it notes who was turned away, and finds handlers that change
//! something and do not say what.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, RequestId};
use gatehouse_store::audit::{Actor, AuditEvent, AuditOutcome, Refusal, object_hash};
use gatehouse_store::{Store, StoreError};
use http::{HeaderValue, Method};
use uuid::Uuid;

use super::actor;
use super::acts::{Accounted, Act};
use super::auth::{self, Granted, Seen};
use super::error::{ApiError, Refused};
use super::now_ms;
use crate::control::Control;

/// Questions that are asked with a body: nothing changes by them.
const QUESTIONS: &[&str] = &["policy.explain", "policy.replay"];

/// The mark of an answer whose act is in the log.
#[derive(Clone, Copy, Debug)]
struct Logged;

/// The layer within the gate, which knows who it is.
pub(crate) async fn audited(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(act) = act(&request) else { return Ok(next.run(request).await) };
    let id = act.request_id.clone().unwrap_or_default();
    append(&control.store, act.clone().ended(AuditOutcome::Begun, None)).await.map_err(not_audited)?;
    let mut response = next.run(request).await;
    // What was done stays done; that it was begun is in the log.
    if let Err(error) = write(&control.store, results(&act, &response)).await {
        tracing::error!(%error, request_id = id, "what came of an act is missing from the audit log");
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-gatehouse-request-id", id);
    }
    response.extensions_mut().insert(Logged);
    Ok(response)
}

/// The layer around every route.
pub(crate) async fn refusals(State(control): State<Control>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let reads = is_reading(&method);
    let address = auth::address(request.extensions());
    let described =
        request.extensions().get::<MatchedPath>().map(|route| described(&method, route.as_str(), request.uri().path()));
    let response = next.run(request).await;
    if !reads && response.status().is_success() && response.extensions().get::<Accounted>().is_none() {
        return unaccounted(&method, described.map(|(action, ..)| action).as_deref());
    }
    if response.extensions().get::<Logged>().is_none()
        && matches!(response.status().as_u16(), 401 | 403 | 429)
        && let Some(Refused(code)) = response.extensions().get::<Refused>()
    {
        let seen = response.extensions().get::<Seen>().map(|seen| &*seen.0);
        control.operations.note_refusal(refusal(seen, &method, address, described, code));
    }
    response
}

/// For the audit log: somebody wanted this and was turned away. Of those nobody knows only the method is told: the path is
/// theirs.
fn refusal(
    seen: Option<&actor::Actor>,
    method: &Method,
    address: IpAddr,
    described: Option<(String, String, String)>,
    code: &'static str,
) -> Refusal {
    let refusal = Refusal { at_unix_ms: now_ms(), code, ..Refusal::default() };
    let unknown = format!("admin.{}", method.as_str().to_ascii_lowercase());
    match seen {
        Some(actor) => {
            let (action, object) = match described {
                Some((action, kind, name)) => (action, Some((kind, name))),
                None => (unknown, None),
            };
            let organisation = actor.organisation.to_string();
            Refusal { organisation, actor: by(actor, address), action, object, ..refusal }
        }
        None => {
            let actor = Actor { address: Some(address.to_string()), ..Actor::default() };
            Refusal { organisation: DEFAULT_ORGANISATION.to_owned(), actor, action: unknown, ..refusal }
        }
    }
}

/// As the log names somebody.
fn by(actor: &actor::Actor, address: IpAddr) -> Actor {
    Actor {
        who: actor.user.as_ref().unwrap_or(&actor.name).to_string(),
        key: (!actor.operator).then(|| actor.name.to_string()),
        role: Some(actor.role.as_str().to_owned()),
        address: Some(address.to_string()),
    }
}

/// Writes one entry.
pub(crate) async fn append(store: &Store, event: AuditEvent) -> Result<(), StoreError> {
    write(store, vec![event]).await
}

async fn write(store: &Store, events: Vec<AuditEvent>) -> Result<(), StoreError> {
    store.audit()?.append(events).await
}

/// The act a request asks for, if it asks for one.
fn act(request: &Request) -> Option<AuditEvent> {
    // Without a route, or the right to it, nothing happens but an answer that says so.
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    let granted = request.extensions().get::<Granted>()?;
    let (action, kind, name) = described(request.method(), route, request.uri().path());
    if is_reading(request.method()) || QUESTIONS.contains(&&*action) {
        return None;
    }
    let actor = by(&granted.actor, auth::address(request.extensions()));
    let event = AuditEvent::new(now_ms(), &*granted.actor.organisation, actor, action).on(kind, name);
    Some(AuditEvent { request_id: Some(RequestId::from_uuid(Uuid::now_v7()).to_string()), ..event })
}

/// What came of an act: one entry, after one for each object if there are several.
fn results(act: &AuditEvent, response: &Response) -> Vec<AuditEvent> {
    let act = AuditEvent { at_unix_ms: now_ms(), ..act.clone() };
    let code = response.extensions().get::<Refused>().map(|refused| refused.0);
    let outcome = match response.status().as_u16() {
        200..300 => AuditOutcome::Done,
        401 | 403 | 429 => AuditOutcome::Refused,
        _ => AuditOutcome::Failed,
    };
    match response.extensions().get::<Accounted>().map(|accounted| &*accounted.0) {
        Some([done]) if act.action != "apply" => {
            let action = act.action.clone();
            vec![AuditEvent { action, ..filled(&act, done) }.ended(outcome, code)]
        }
        // A dry run, or everything is already so.
        Some([]) => vec![act.ended(outcome, Some("unchanged"))],
        Some(several) => {
            let each = several.iter().map(|done| filled(&act, done).ended(outcome, code));
            each.chain([act.clone().ended(outcome, code)]).collect()
        }
        None => vec![act.ended(outcome, code)],
    }
}

fn filled(act: &AuditEvent, done: &Act) -> AuditEvent {
    let event = AuditEvent {
        action: done.action.clone(),
        before: done.before.as_ref().map(object_hash),
        after: done.after.as_ref().map(object_hash),
        ..act.clone()
    };
    match &done.object {
        Some((kind, name)) => event.on(kind, name),
        None => event,
    }
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
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
        _ if literal.len() > 1 || kind == "apply" => "",
        Method::GET | Method::HEAD => ".read",
        Method::POST => ".create",
        Method::PUT => ".put",
        Method::PATCH => ".change",
        Method::DELETE => ".delete",
        _ => ".other",
    };
    let names = route.iter().zip(&path).filter(|(word, _)| is_name(word)).map(|(_, name)| name.as_str());
    (format!("{}{verb}", literal.join(".")), kind.to_owned(), names.collect::<Vec<_>>().join("/"))
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

fn unaccounted(method: &Method, action: Option<&str>) -> Response {
    let message = format!("{method} {} is not written to the audit log.", action.unwrap_or_default());
    ApiError::new(Code::Internal, message, "This is a defect; please report it.").into_response()
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
