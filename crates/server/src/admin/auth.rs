//! The gate of the admin API: who is asking, and may they ask this of the route that was matched?

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use gatehouse_domain::{Code, Principal, Secret};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap};

use super::Admin;
use super::actor::{self, Actor, NotLetIn};
use super::error::{AdminCode, ApiError};
use super::rights::{self, Reach};
use crate::control::From;
use crate::service::Peer;

/// Where every path of the API begins.
pub(crate) const BASE: &str = "/api/v1";

/// Who is asking, and how far they reach on this route. Only the gate makes one, so a handler that takes it cannot be
/// reached around the gate.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// Who.
    pub(crate) actor: Arc<Actor>,
    /// How far.
    pub(crate) reach: Reach,
}

/// Who it was that got an answer, in its extensions.
#[derive(Clone, Debug)]
pub(crate) struct Seen(pub(crate) Arc<Actor>);

/// A request of the gateway's own for a caller who was let in already, in its extensions. Only [`Inside`](super::Inside) makes one:
/// nothing that comes over a listener has it.
#[derive(Clone, Debug)]
pub(super) struct Vouched(pub(super) Arc<Principal>);

/// Lets a request through to a route only if its key has a role that may.
pub(crate) async fn gate(State(admin): State<Admin>, mut request: Request, next: Next) -> Response {
    let actor = match request.extensions_mut().remove::<Vouched>() {
        Some(Vouched(caller)) => Actor::of(&caller).ok_or_else(actor::no_role),
        None => {
            let (address, headers) = (address(request.extensions()), request.headers().clone());
            let key = presented(&headers).map(Secret::new);
            who(&admin, address, &headers, key).await
        }
    };
    let actor = match actor {
        Ok(actor) => Arc::new(actor),
        Err(error) => return error.into_response(),
    };
    let mut response = match reach(&actor, &request) {
        Some(Reach::Nothing) => not_allowed(&actor).into_response(),
        Some(reach) => {
            request.extensions_mut().insert(Granted { actor: Arc::clone(&actor), reach });
            next.run(request).await
        }
        // There is no such path or method, and that is all it will be told.
        None => next.run(request).await,
    };
    response.extensions_mut().insert(Seen(actor));
    response
}

/// How far an actor reaches on the route that was matched. `None` if there is no such route or method.
fn reach(actor: &Actor, request: &Request) -> Option<Reach> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    let path = path.strip_prefix(BASE).unwrap_or(path);
    match rights::row(request.method().as_str(), path) {
        Some(row) => Some(row.reach(actor)),
        None if rights::knows(path) => None,
        None => Some(Reach::Nothing),
    }
}

async fn who(admin: &Admin, address: IpAddr, headers: &HeaderMap, key: Option<Secret>) -> Result<Actor, ApiError> {
    let key = key.ok_or_else(actor::nobody)?;
    let from = From { peer: address, headers };
    counted(admin, address, actor::identify(&admin.control, key.reveal(), &from)).await
}

/// Looks at a key, unless its address showed too many wrong ones, and counts what came of it.
pub(crate) async fn counted<T>(
    admin: &Admin,
    address: IpAddr,
    look: impl Future<Output = Result<T, NotLetIn>>,
) -> Result<T, ApiError> {
    let now = Instant::now();
    if let Some(wait) = admin.guesses.wait(address, now) {
        return Err(slow_down(wait.as_secs() + 1));
    }
    match look.await {
        Ok(found) => {
            admin.guesses.right(address, now);
            Ok(found)
        }
        Err(NotLetIn::Wrong(error)) => {
            admin.guesses.wrong(address, now);
            Err(error)
        }
        Err(NotLetIn::NoRole(error) | NotLetIn::Failed(error)) => Err(error),
    }
}

/// The address of whoever is connected. Callers that came over no listener are on this machine.
pub(crate) fn address(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.0)
}

/// The refusal of somebody who showed too many wrong keys.
pub(crate) fn slow_down(seconds: u64) -> ApiError {
    let hint =
        "Wait; while you do, no key from there is looked at. A proxy in front shares one address among its clients.";
    ApiError::of(AdminCode::TooManyAttempts, "Too many wrong keys came from this address.", hint).retry_after(seconds)
}

fn not_allowed(actor: &Actor) -> ApiError {
    let message = format!("The role {} may not do this here.", actor.role);
    ApiError::new(Code::NotAllowed, message, "docs/admin-api.md lists what each role may do; ask an owner or admin.")
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    });
    let key = bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())?;
    Some(key.trim()).filter(|key| !key.is_empty())
}

/// Whose something is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whose<'a> {
    /// Its organisation.
    pub(crate) organisation: &'a str,
    /// Its team.
    pub(crate) team: Option<&'a str>,
    /// The person.
    pub(crate) user: Option<&'a str>,
    /// The key that it is.
    pub(crate) key: &'a str,
}

impl<'a> Whose<'a> {
    /// What belongs to somebody.
    pub(crate) fn of(who: &'a Principal) -> Self {
        Self { organisation: &who.organisation, team: who.team.as_deref(), user: who.user.as_deref(), key: "" }
    }
}

impl Granted {
    /// Does it exist for whoever is asking? What does not is answered 404, so that nobody learns of it.
    pub(crate) fn sees(&self, whose: Whose<'_>) -> bool {
        let actor = &self.actor;
        let own = *actor.name == *whose.key || (actor.user.is_some() && actor.user.as_deref() == whose.user);
        (actor.operator || *actor.organisation == *whose.organisation)
            && match self.reach {
                Reach::Nothing => false,
                Reach::Own => own,
                Reach::Team => own || (actor.team.is_some() && actor.team.as_deref() == whose.team),
                Reach::All => true,
            }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Granted {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            ApiError::new(Code::NotAllowed, "Nobody may do this.", "This is a defect; please report it.")
        })
    }
}
