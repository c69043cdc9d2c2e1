//! The first start: `gatehouse up` prints a one-time link, and whoever opens it gets an admin key, once. There are no
//! default credentials before that.
//!
//! The link leads to a page with one button, because mail scanners and chat previews follow links: only the button's POST
//! claims.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Secret};
use gatehouse_store::audit::{Actor, AuditEvent, AuditOutcome};
use gatehouse_store::{Pepper, Store, StoreError, keys};
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::audited;
use super::auth::same;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, Name};
use crate::control::Control;

/// How long a link is good.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Claims that may fail in a minute, from all callers together. The right token always passes, so that nobody can lock the
/// owner out; with 238 bits it is not guessed either way.
const FAILURES_PER_MINUTE: usize = 5;

const CLAIM: &str = "claim";
const ADMIN_KEY: &str = "admin_key";

/// What `meta` holds of an open claim.
#[derive(Serialize, Deserialize)]
struct OpenClaim {
    hash: [u8; 32],
    expires_unix_ms: u64,
}

/// What `meta` holds of the claimed key.
#[derive(Serialize, Deserialize)]
struct AdminKey {
    hash: [u8; 32],
    shown: String,
    created_unix_ms: u64,
}

/// Makes a claim token, or `None` if the gateway has been claimed. One from an earlier start is no longer good.
///
/// # Errors
/// When the database fails or the operating system gives no randomness.
pub async fn issue(store: &Store, pepper: &Pepper) -> Result<Option<Secret>, StoreError> {
    if admin_key(store).await?.is_some() {
        return Ok(None);
    }
    let token = keys::mint()?.secret;
    let expires_unix_ms = now_ms() + u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
    put(store, CLAIM, &OpenClaim { hash: keys::hash(pepper, token.reveal()), expires_unix_ms }).await?;
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
    failures: Mutex<Vec<Instant>>,
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
    Body(claim): Body<ClaimRequest>,
) -> Result<(StatusCode, Json<Claimed>), ApiError> {
    let key = admin.claims.redeem(&admin.control, &claim.token).await?;
    Ok((StatusCode::CREATED, Json(Claimed { admin_key: key.reveal().to_owned() })))
}

/// The page behind the link.
pub(crate) async fn page() -> Response {
    let button = "<form method=\"post\"><button>Get the admin key</button></form>";
    html(StatusCode::OK, "Claim this gateway", &format!("<p>The admin key is shown once. Keep it.</p>{button}"))
}

/// The page's button.
pub(crate) async fn press(State(admin): State<Admin>, Name(token): Name) -> Response {
    match admin.claims.redeem(&admin.control, &token).await {
        // A minted key has only letters, digits and an underscore.
        Ok(key) => html(
            StatusCode::CREATED,
            "This gateway is yours",
            &format!("<p>Your admin key, shown this once:</p><pre>{}</pre>", key.reveal()),
        ),
        Err(error) => html(error.status(), "Not claimed", &format!("<p>{}</p>", error.sentence())),
    }
}

impl Claims {
    async fn redeem(&self, control: &Control, token: &str) -> Result<Secret, ApiError> {
        let _turn = self.turn.lock().await;
        let claimed = admin_key(&control.store).await?.is_some();
        let open = get::<OpenClaim>(&control.store, CLAIM).await?.filter(|claim| now_ms() < claim.expires_unix_ms);
        let presented = keys::hash(&control.pepper, token);
        if claimed || !open.is_some_and(|claim| same(&claim.hash, &presented)) {
            return Err(self.refuse());
        }
        let actor = Actor { who: "claim_link".to_owned(), ..Actor::default() };
        let act = AuditEvent::new(now_ms(), DEFAULT_ORGANISATION, actor, "admin_key.claim");
        audited::append(&control.store, act.clone().ended(AuditOutcome::Begun, None)).await?;
        let minted = keys::mint()?;
        let hash = keys::hash(&control.pepper, minted.secret.reveal());
        // From here on the token is spent: it is only good while there is no admin key.
        put(&control.store, ADMIN_KEY, &AdminKey { hash, shown: minted.shown, created_unix_ms: now_ms() }).await?;
        audited::append(&control.store, act).await?;
        Ok(minted.secret)
    }

    fn refuse(&self) -> ApiError {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|moment| moment.elapsed() < Duration::from_secs(60));
        if failures.len() >= FAILURES_PER_MINUTE {
            return ApiError::new(Code::RateLimited, "Too many claims have failed.", "Wait a minute.").retry_after(60);
        }
        failures.push(Instant::now());
        ApiError::new(
            Code::UnknownKey,
            "This claim link is not good: it was used, has expired, or a later start made another one.",
            "Use the link that the gateway printed last, or set auth.admin_key in the configuration.",
        )
    }
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

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
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
