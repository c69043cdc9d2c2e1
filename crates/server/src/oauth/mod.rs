//! The authorization server's routes. What may be asked and what is answered is for `gatehouse_oauth::server` to say, what is kept
//! for the store; here the two are joined to HTTP.
//!
//! A person's way: `authorize` → `login` (or `federate`, by way of an identity provider) → `consent` → back to the client with a
//! code. A client's way: `register` (or nothing, see `clients`) → … → `token`. `wellknown` is where both begin.

mod access;
mod audit;
mod authorize;
mod browser;
mod clients;
mod connect;
mod consent;
mod exchange;
mod federate;
mod grants;
mod keys;
mod login;
mod pace;
mod register;
mod replies;
mod revoke;
mod token;
mod wellknown;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::{get, post};
use gatehouse_oauth::server::{Oops, Wrong};
use gatehouse_store::{StoreError, keys as texts};

use crate::admin::Guesses;
use crate::control::Control;
use crate::control::oauth::Settings;

pub(crate) use clients::of_configuration;
pub use grants::{keep_house, revoked_lately};
pub use keys::SigningKeys;

/// No request comes near it.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Characters of what browsers and clients hold: as hard to guess as 256 bits.
const SECRET_CHARS: usize = 43;

/// What the routes share.
#[derive(Clone)]
pub(crate) struct Server {
    control: Control,
    guesses: Arc<Guesses>,
    registrations: Arc<pace::Pace>,
    requests: Arc<pace::Pace>,
    documents: Arc<clients::Documents>,
    providers: Arc<federate::Providers>,
}

impl FromRef<Server> for Control {
    fn from_ref(server: &Server) -> Self {
        server.control.clone()
    }
}

/// Every route, ready to be served. Wrong keys are counted together with those of the admin API.
pub(crate) fn router(control: Control, guesses: Arc<Guesses>) -> Router {
    let server = Server {
        control,
        guesses,
        registrations: Arc::new(pace::Pace::new(pace::REGISTRATIONS)),
        requests: Arc::new(pace::Pace::new(pace::REQUESTS)),
        documents: Arc::default(),
        providers: Arc::default(),
    };
    let people = Router::new()
        .route("/oauth/authorize", get(authorize::authorize).post(authorize::authorize_by_form))
        .route("/oauth/login", post(login::by_key))
        .route("/oauth/login/callback", get(federate::back))
        .route("/oauth/login/{number}", get(federate::leave))
        .route("/oauth/logout", post(login::logout))
        .route("/oauth/consent", get(consent::page).post(consent::answer))
        .route("/oauth/connect/{token}", get(connect::open))
        .route("/oauth/callback", get(connect::back));
    let programs = Router::new()
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/oauth/register", post(register::register))
        .route("/oauth/jwks", get(wellknown::key_set))
        .route("/.well-known/oauth-client", get(wellknown::own_document))
        .route("/.well-known/oauth-authorization-server", get(wellknown::server))
        .route("/.well-known/oauth-authorization-server/{*path}", get(wellknown::server_of))
        .route("/.well-known/openid-configuration", get(wellknown::server))
        .route("/.well-known/openid-configuration/{*path}", get(wellknown::server_of))
        .route("/.well-known/oauth-protected-resource", get(wellknown::root))
        .route("/.well-known/oauth-protected-resource/{*path}", get(wellknown::resource))
        .layer(axum::middleware::from_fn(replies::for_browsers_elsewhere));
    people.merge(programs).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(server)
}

/// Must this path be reachable where callers are, even if the admin API is not?
pub(crate) fn is_public(path: &str) -> bool {
    path.starts_with("/oauth/")
        || path.starts_with("/.well-known/oauth-")
        || path.starts_with("/.well-known/openid-configuration")
}

impl Server {
    /// What is in force.
    fn settings(&self) -> Result<Settings, Oops> {
        let off = || Oops::new(Wrong::AccessDenied, "this gateway issues no access tokens; use a key");
        self.control.oauth.settings().ok_or_else(off)
    }

    /// What is stored of a secret that somebody else holds. Two kinds of secret never have one hash.
    fn hash(&self, kind: &str, secret: &str) -> [u8; 32] {
        texts::hash(&self.control.pepper, &format!("oauth {kind}\n{secret}"))
    }
}

/// A new secret.
fn secret() -> Result<String, Oops> {
    texts::random_text(SECRET_CHARS).map_err(stored)
}

/// What is told of a database that fails.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn stored(error: StoreError) -> Oops {
    if error.is_busy() {
        return Oops::new(Wrong::Unavailable, "the database is busy; try again in a moment");
    }
    tracing::error!(%error, "the authorization server cannot use its tables");
    Oops::new(Wrong::Server, "the gateway cannot use its tables; its log says why")
}

/// Unix milliseconds.
fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
