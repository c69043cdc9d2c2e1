//! Logging in by an identity provider: OpenID Connect's code flow with PKCE and a nonce, for each login anew.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_catalog::oauth::Login;
use gatehouse_domain::Secret;
use gatehouse_oauth::server::form::{encode, pairs};
use gatehouse_oauth::server::{Form, Oops, Subject, Wrong, assertion};
use gatehouse_store::Taken;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Server, login, now_ms, replies, secret, stored};
use crate::admin::address;
use crate::control::oauth::{Fetch, Keys, Settings, Signed};

/// How long somebody may be away at the provider.
const AWAY_MS: u64 = 10 * 60_000;
/// The largest document of a provider.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// How long what a provider says of itself, and its keys, are used.
const FRESH: Duration = Duration::from_secs(300);
const STATE: &str = "login";

/// What providers said of themselves, by address.
#[derive(Debug, Default)]
pub(super) struct Providers(Mutex<HashMap<String, (Instant, Arc<Value>)>>);

/// A login on its way.
#[derive(Serialize, Deserialize)]
struct Away {
    issuer: String,
    ticket: String,
    nonce: String,
    verifier: String,
    browser: String,
}

/// A provider's metadata, as far as it matters.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// Sends the browser to the provider.
pub(super) async fn leave(
    State(server): State<Server>,
    Path(number): Path<usize>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let left = async {
        let settings = server.settings()?;
        let form = Form::read(&query.unwrap_or_default())?;
        let ticket = form.need("ticket")?;
        server.pending(&settings, &headers, ticket).await?;
        let provider = settings.oauth.login.get(number);
        let provider = provider.ok_or_else(|| Oops::new(Wrong::Request, "there is no such identity provider"))?;
        let browser = server.this_browser(&settings, &headers).unwrap_or_default();
        server.away(&settings, provider, ticket, browser).await
    };
    left.await.map_or_else(|oops| replies::problem(&oops), |address| replies::go(&address))
}

/// The browser came back.
pub(super) async fn back(State(server): State<Server>, RawQuery(query): RawQuery, request: Request) -> Response {
    let (from, headers) = (address(request.extensions()), request.headers());
    server.returned(&query.unwrap_or_default(), headers, from).await.unwrap_or_else(|oops| replies::problem(&oops))
}

impl Server {
    async fn away(&self, settings: &Settings, provider: &Login, ticket: &str, browser: String) -> Result<String, Oops> {
        let discovered = self.discover(provider).await?;
        let (state, nonce, verifier) = (secret()?, secret()?, secret()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let query = pairs(&[
            ("response_type", "code"),
            ("client_id", &provider.client_id),
            ("redirect_uri", &callback(settings)),
            ("scope", &provider.scopes.join(" ")),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let away = Away { issuer: provider.issuer.clone(), ticket: ticket.to_owned(), nonce, verifier, browser };
        let body = serde_json::to_string(&away).map_err(|_| Oops::new(Wrong::Server, "the login cannot be stored"))?;
        let hash = self.hash(STATE, &state);
        self.control.store.put_ticket(&hash, STATE, &body, now_ms() + AWAY_MS).await.map_err(stored)?;
        let address = discovered.authorization_endpoint;
        let joint = if address.contains('?') { '&' } else { '?' };
        Ok(format!("{address}{joint}{query}"))
    }

    async fn returned(&self, query: &str, headers: &HeaderMap, from: IpAddr) -> Result<Response, Oops> {
        let settings = self.settings()?;
        let form = Form::read(query)?;
        let stale =
            || Oops::new(Wrong::Request, "this login is too old, was finished already, or belongs to another browser");
        let hash = self.hash(STATE, form.need("state")?);
        let taken = self.control.store.take_ticket(&hash, STATE, now_ms()).await.map_err(stored)?;
        let Some(Taken::Now(body)) = taken else { return Err(stale()) };
        let away: Away = serde_json::from_str(&body).map_err(|_| stale())?;
        if self.this_browser(&settings, headers).as_deref() != Some(&away.browser) {
            return Err(stale());
        }
        // Whoever answers must be whom was asked (RFC 9207 §2.4).
        if form.get("iss").is_some_and(|issuer| issuer != away.issuer) {
            return Err(Oops::new(Wrong::Request, "another identity provider answered than was asked"));
        }
        if let Some(error) = form.get("error") {
            return Err(Oops::new(Wrong::AccessDenied, format!("the identity provider refused the login: {error}")));
        }
        let provider = settings.oauth.login.iter().find(|known| known.issuer == away.issuer).ok_or_else(stale)?;
        let subject = self.identity(&settings, provider, &away, form.need("code")?).await?;
        login::welcome(self, &settings, &away.ticket, &subject, from).await
    }

    /// Exchanges the provider's code for an ID token, and believes it if it should be.
    async fn identity(&self, settings: &Settings, provider: &Login, away: &Away, code: &str) -> Result<Subject, Oops> {
        let failed = |what: &'static str| Oops::new(Wrong::AccessDenied, what);
        let discovered = self.discover(provider).await?;
        let redirect_uri = callback(settings);
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", away.verifier.as_str()),
        ];
        let methods = &discovered.token_endpoint_auth_methods_supported;
        let by_header = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        let mut basic = None;
        match &provider.client_secret {
            Some(secret) if by_header => {
                let text = format!("{}:{}", encode(&provider.client_id), encode(secret.reveal()));
                basic = Some(Secret::new(text));
            }
            Some(secret) => {
                fields.extend([("client_id", provider.client_id.as_str()), ("client_secret", secret.reveal())])
            }
            None => fields.push(("client_id", provider.client_id.as_str())),
        }
        let url = discovered.token_endpoint.clone();
        let wanted = Fetch { url, form: Some(pairs(&fields)), basic, trusted: true, bytes_max: DOCUMENT_BYTES_MAX };
        let fetched =
            self.control.oauth.fetch(wanted).await.map_err(|_| failed("the identity provider cannot be reached"))?;
        let answer: Value = serde_json::from_slice(&fetched.body).unwrap_or_default();
        let token = answer.get("id_token").and_then(Value::as_str);
        let token =
            token.filter(|_| fetched.status == 200).ok_or_else(|| failed("the identity provider gave no ID token"))?;
        let keys = self.document(&discovered.jwks_uri).await?.to_string();
        let signed = Signed {
            token,
            issuer: &provider.issuer,
            kind: "",
            keys: Keys::Set(keys.as_bytes()),
            claims: Some(&provider.claims),
        };
        let vouched = self.control.oauth.verify(&signed).map_err(|fault| {
            tracing::warn!(issuer = provider.issuer, problem = %fault.message, "an ID token was not believed");
            failed("the identity provider's answer is not to be believed")
        })?;
        assertion::id_token(&vouched.claims, &provider.client_id, &away.nonce).map_err(failed)?;
        Ok(vouched.subject)
    }

    async fn discover(&self, provider: &Login) -> Result<Discovered, Oops> {
        let url = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
        let failed = |what: &'static str| Oops::new(Wrong::Unavailable, what);
        let document = self.document(&url).await?;
        let discovered = Discovered::deserialize(&*document);
        let discovered = discovered.map_err(|_| failed("the identity provider does not say where to log in"))?;
        if discovered.issuer != provider.issuer {
            return Err(failed("the identity provider calls itself by another name than the configuration does"));
        }
        Ok(discovered)
    }

    /// A document of a provider, fetched or remembered.
    async fn document(&self, url: &str) -> Result<Arc<Value>, Oops> {
        let known = {
            let known = self.providers.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(url).filter(|(until, _)| Instant::now() < *until).map(|(_, document)| Arc::clone(document))
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let failed = || Oops::new(Wrong::Unavailable, "the identity provider cannot be reached; try again");
        let wanted =
            Fetch { url: url.to_owned(), form: None, basic: None, trusted: true, bytes_max: DOCUMENT_BYTES_MAX };
        let fetched = self.control.oauth.fetch(wanted).await.map_err(|_| failed())?;
        let document: Value = serde_json::from_slice(&fetched.body).map_err(|_| failed())?;
        if fetched.status != 200 {
            return Err(failed());
        }
        let document = Arc::new(document);
        let mut known = self.providers.0.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are providers, twice; a provider that moves its keys leaves one behind.
        known.retain(|_, (until, _)| Instant::now() < *until);
        known.insert(url.to_owned(), (Instant::now() + FRESH, Arc::clone(&document)));
        Ok(document)
    }
}

fn callback(settings: &Settings) -> String {
    format!("{}/oauth/login/callback", settings.issuer)
}
