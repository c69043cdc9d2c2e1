//! The first start: `gatehouse up` prints a one-time link, and whoever opens it gets an admin key, once. There are no
//! default credentials before that. Where nobody sees what is printed, an operator puts a token of their own into a file
//! (`GATEHOUSE_BOOTSTRAP_TOKEN_FILE`) and exchanges that one.
//!
//! The link leads to a page with one button, because mail scanners and chat previews follow links: only the button's POST
//! claims.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, State};
use axum::response::{Html, IntoResponse, Response};
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Secret};
use gatehouse_store::audit::{Actor, AuditEvent, AuditOutcome};
use gatehouse_store::{Pepper, Store, StoreError, keys};
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::actor::same;
use super::acts::{Act, Changed, accounted};
use super::audited;
use super::auth::{self, slow_down};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, Name};
use super::{Admin, now_ms};
use crate::control::Control;

/// How long a link is good.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

const CLAIM: &str = "claim";
const ADMIN_KEY: &str = "admin_key";

/// What `meta` holds of an open claim.
#[derive(Serialize, Deserialize)]
struct OpenClaim {
    hash: [u8; 32],
    expires_unix_ms: u64,
    /// From other machines, too: the token came from an operator and was printed nowhere.
    #[serde(default)]
    anywhere: bool,
}

/// What `meta` holds of the claimed key.
#[derive(Serialize, Deserialize)]
struct AdminKey {
    hash: [u8; 32],
    shown: String,
    created_unix_ms: u64,
}

/// Opens a claim, unless the gateway has been claimed: with the operator's own token if there is one, else with a fresh one,
/// which is given back. A token from an earlier start is no longer good.
///
/// # Errors
/// When the database fails or the operating system gives no randomness.
pub async fn issue(store: &Store, pepper: &Pepper, bootstrap: Option<&Secret>) -> Result<Option<Secret>, StoreError> {
    if admin_key(store).await?.is_some() {
        return Ok(None);
    }
    if let Some(token) = bootstrap {
        let hash = keys::hash(pepper, token.reveal());
        put(store, CLAIM, &OpenClaim { hash, expires_unix_ms: u64::MAX, anywhere: true }).await?;
        return Ok(None);
    }
    let token = keys::mint("claim", &keys::new_id()?)?.secret;
    let expires_unix_ms = now_ms() + u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
    let hash = keys::hash(pepper, token.reveal());
    put(store, CLAIM, &OpenClaim { hash, expires_unix_ms, anywhere: false }).await?;
    Ok(Some(token))
}

/// The hash of the claimed admin key, if the gateway has been claimed.
pub(crate) async fn admin_key(store: &Store) -> Result<Option<[u8; 32]>, StoreError> {
    Ok(get::<AdminKey>(store, ADMIN_KEY).await?.map(|key| key.hash))
}

/// Turns claims into keys, one at a time.
#[derive(Default)]
pub(crate) struct Claims {
    turn: tokio::sync::Mutex<()>,
}

/// From where a claim comes.
#[derive(Clone, Copy)]
pub(crate) struct From {
    address: IpAddr,
    /// Something in front passed it on, so the address says nothing of the caller.
    forwarded: bool,
}

/// A claim.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimRequest {
    /// The last part of the claim link.
    token: String,
}

/// The admin key, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Claimed {
    /// Present it as `Authorization: Bearer KEY`.
    admin_key: String,
}

/// Exchanges the token of the claim link for an admin key. Works once; needs no key.
#[utoipa::path(post, path = "/claim", tag = "claim", operation_id = "claim", request_body = ClaimRequest, security(()),
    responses((status = 201, body = Claimed), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn exchange(
    State(admin): State<Admin>,
    from: From,
    Body(claim): Body<ClaimRequest>,
) -> Result<Changed<Claimed>, ApiError> {
    let key = redeem(&admin, from, &claim.token).await?;
    let claimed = Claimed { admin_key: key.reveal().to_owned() };
    Ok(Changed::by(Act::of("claim"), claimed).status(StatusCode::CREATED))
}

/// The page behind the link.
pub(crate) async fn page() -> Response {
    let button = "<form method=\"post\"><button>Get the admin key</button></form>";
    html(StatusCode::OK, "Claim this gateway", &format!("<p>The admin key is shown once. Keep it.</p>{button}"))
}

/// The page's button.
pub(crate) async fn press(State(admin): State<Admin>, from: From, Name(token): Name) -> Response {
    match redeem(&admin, from, &token).await {
        // A minted key has only letters, digits and an underscore.
        Ok(key) => {
            let shown = format!("<p>Your admin key, shown this once:</p><pre>{}</pre>", key.reveal());
            accounted(html(StatusCode::CREATED, "This gateway is yours", &shown), vec![Act::of("claim")])
        }
        Err(error) => {
            let mut page = html(error.status(), "Not claimed", &format!("<p>{}</p>", error.sentence()));
            page.extensions_mut().insert(error.refused());
            page
        }
    }
}

/// Turns a token into a key. Wrong ones count as wrong keys do.
async fn redeem(admin: &Admin, from: From, token: &str) -> Result<Secret, ApiError> {
    let now = Instant::now();
    if let Some(wait) = admin.guesses.wait(from.address, now) {
        return Err(slow_down(wait.as_secs() + 1));
    }
    let redeemed = admin.claims.redeem(&admin.control, from, token).await;
    match &redeemed {
        Ok(_) => admin.guesses.right(from.address, now),
        Err(error) if error.status() == StatusCode::UNAUTHORIZED => admin.guesses.wrong(from.address, now),
        Err(_) => {}
    }
    redeemed
}

impl Claims {
    async fn redeem(&self, control: &Control, from: From, token: &str) -> Result<Secret, ApiError> {
        let _turn = self.turn.lock().await;
        let claimed = admin_key(&control.store).await?.is_some();
        let open = get::<OpenClaim>(&control.store, CLAIM).await?.filter(|claim| now_ms() < claim.expires_unix_ms);
        let presented = keys::hash(&control.pepper, token);
        let Some(open) = open.filter(|claim| !claimed && same(&claim.hash, &presented)) else { return Err(refuse()) };
        if !(open.anywhere || control.claim_remote || from.is_this_machine()) {
            return Err(ApiError::new(
                Code::NotAllowed,
                "The claim link works on the machine of the gateway only.",
                "Open it there, start with --claim-remote, or set GATEHOUSE_BOOTSTRAP_TOKEN_FILE.",
            ));
        }
        let address = Some(from.address.to_string());
        let actor = Actor { who: "claim_link".to_owned(), address, ..Actor::default() };
        let act = AuditEvent::new(now_ms(), DEFAULT_ORGANISATION, actor, "admin_key.claim");
        audited::append(&control.store, act.clone().ended(AuditOutcome::Begun, None)).await?;
        let minted = keys::mint("admin", &keys::new_id()?)?;
        let hash = keys::hash(&control.pepper, minted.secret.reveal());
        // From here on the token is spent: it is only good while there is no admin key.
        put(&control.store, ADMIN_KEY, &AdminKey { hash, shown: minted.shown, created_unix_ms: now_ms() }).await?;
        audited::append(&control.store, act).await?;
        Ok(minted.secret)
    }
}

impl From {
    fn is_this_machine(self) -> bool {
        self.address.to_canonical().is_loopback() && !self.forwarded
    }
}

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let forwarded =
            ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| parts.headers.contains_key(*name));
        Ok(Self { address: auth::address(&parts.extensions), forwarded })
    }
}

fn refuse() -> ApiError {
    ApiError::new(
        Code::UnknownKey,
        "This claim link is not good: it was used, has expired, or a later start made another one.",
        "Use the link that the gateway printed last, or set auth.admin_key in the configuration.",
    )
}

async fn get<T: for<'de> Deserialize<'de>>(store: &Store, name: &'static str) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.meta(name).await? else { return Ok(None) };
    let damaged = |_| StoreError::Row { table: "meta", what: "the admin key or claim cannot be read" };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

async fn put<T: Serialize>(store: &Store, name: &'static str, value: &T) -> Result<(), StoreError> {
    let unwritable = |_| StoreError::Row { table: "meta", what: "the admin key or claim cannot be written" };
    let bytes = serde_json::to_vec(value).map_err(unwritable)?;
    store.set_meta(name, &bytes, now_ms()).await
}

/// `body` is ours, never a caller's text. The address holds the token, so it is told to no other site.
fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:1rem system-ui;margin:4rem auto;max-width:40rem;padding:0 1rem}}\
         pre{{user-select:all;overflow:auto}}</style><h1>{title}</h1>{body}\n"
    );
    let mut response = (status, Html(page)).into_response();
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
