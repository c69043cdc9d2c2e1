//! Who a client is: declared in the configuration, registered, or known by the document its id leads to. And whether it is that
//! one: by a secret, by a signature, or, for those anybody can be, by its id alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_catalog::oauth::OAuthClient;
use gatehouse_oauth::server::client::{self, Client, Kind, Metadata};
use gatehouse_oauth::server::token::Presented;
use gatehouse_oauth::server::{Oops, Wrong, assertion, jwt};
use gatehouse_store::{OAuthClientRow, keys};

use super::{Server, now_ms, stored};
use crate::admin::same;
use crate::control::oauth::{Fetch, Keys, Settings, Signed};

/// Documents that are remembered.
const DOCUMENTS_MAX: usize = 1_000;
/// The largest document: the draft recommends 5 KB.
const DOCUMENT_BYTES_MAX: usize = 16 << 10;
/// The largest key set of a client.
const KEY_SET_BYTES_MAX: usize = 64 << 10;
/// How long a document is kept if it does not say, and the bounds of what it may say.
const FRESH: Duration = Duration::from_secs(300);
const FRESH_MIN: Duration = Duration::from_secs(60);
const FRESH_MAX: Duration = Duration::from_secs(86_400);
/// A fetch that failed is not tried again for so long.
const FAILED: Duration = Duration::from_secs(30);

/// Documents of clients, as they were last fetched.
#[derive(Debug, Default)]
pub(super) struct Documents(Mutex<HashMap<String, Found>>);

/// Until when it counts, and what was found.
type Found = (Instant, Result<Metadata, Oops>);

impl Documents {
    fn known(&self, id: &str) -> Option<Result<Metadata, Oops>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).filter(|(until, _)| Instant::now() < *until).map(|(_, found)| found.clone())
    }

    fn remember(&self, id: &str, found: Result<Metadata, Oops>, fresh_for: Duration) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if known.len() >= DOCUMENTS_MAX {
            known.retain(|_, (until, _)| now < *until);
        }
        if known.len() < DOCUMENTS_MAX {
            known.insert(id.to_owned(), (now + fresh_for, found));
        }
    }
}

impl Server {
    /// A client by its id.
    ///
    /// # Errors
    /// [`Wrong::Client`] for one nobody knows.
    pub(super) async fn client(&self, settings: &Settings, id: &str) -> Result<Client, Oops> {
        if let Some(declared) = settings.oauth.clients.iter().find(|client| client.id == id) {
            return Ok(of_configuration(declared));
        }
        let row = self.control.store.oauth_client(id).await.map_err(stored)?;
        if row.as_ref().is_some_and(|row| row.revoked_unix_ms.is_some()) {
            return Err(Oops::new(Wrong::Client, "this client was revoked"));
        }
        let is_document = client::is_document_url(id, settings.oauth.local_client_documents);
        if settings.oauth.client_documents && is_document {
            let metadata = self.client_document(settings, id).await?;
            return Ok(Client { id: id.to_owned(), kind: Kind::Document, metadata });
        }
        let row = row.filter(|row| row.kind == "registered").ok_or_else(unknown)?;
        let metadata = serde_json::from_str(&row.metadata)
            .map_err(|_| Oops::new(Wrong::Server, "the registration of this client cannot be read"))?;
        Ok(Client { id: row.id, kind: Kind::Registered, metadata })
    }

    /// The client that presents itself, if it is the one.
    ///
    /// # Errors
    /// [`Wrong::Client`] if not.
    pub(super) async fn prove(
        &self,
        settings: &Settings,
        presented: &Presented,
        address: IpAddr,
    ) -> Result<Client, Oops> {
        let id = match presented {
            Presented::Id(id) | Presented::Secret { id, .. } => id.clone(),
            Presented::Signed { assertion, id } => signer(assertion, id.as_deref())?,
        };
        let client = self.client(settings, &id).await?;
        let method = client.metadata.token_endpoint_auth_method.as_str();
        let proven = match (presented, method) {
            (Presented::Id(_), "none") => true,
            (Presented::Secret { secret, .. }, "client_secret_basic" | "client_secret_post") => {
                self.has_secret(settings, &client, secret, address).await?
            }
            (Presented::Signed { assertion, .. }, "private_key_jwt") => {
                self.signed(settings, &client, assertion).await?;
                true
            }
            _ => false,
        };
        if proven {
            Ok(client)
        } else {
            Err(Oops::new(Wrong::Client, "the client did not prove to be itself as it registered to"))
        }
    }

    /// Wrong secrets count as wrong keys do.
    async fn has_secret(
        &self,
        settings: &Settings,
        client: &Client,
        secret: &str,
        address: IpAddr,
    ) -> Result<bool, Oops> {
        if self.guesses.wait(address, Instant::now()).is_some() {
            return Err(Oops::new(Wrong::TooMany, "too many wrong secrets came from this address; wait"));
        }
        let presented = self.hash("client secret", secret);
        let declared = settings.oauth.clients.iter().find(|known| known.id == client.id);
        let known = match declared {
            Some(declared) => declared.secret.as_ref().map(|secret| self.hash("client secret", secret.reveal())),
            None => self.control.store.oauth_client(&client.id).await.map_err(stored)?.and_then(|row| row.secret),
        };
        let right = known.is_some_and(|known| same(&known, &presented));
        if right {
            self.guesses.right(address, Instant::now());
        } else {
            self.guesses.wrong(address, Instant::now());
        }
        Ok(right)
    }

    /// Holds an assertion of a client against its own keys, once.
    async fn signed(&self, settings: &Settings, client: &Client, text: &str) -> Result<(), Oops> {
        let set = self.key_set(settings, client).await?;
        let signed = Signed { token: text, issuer: &client.id, kind: "", keys: Keys::Set(&set), claims: None };
        let refused = |_| Oops::new(Wrong::Client, "the signature of the client assertion does not hold");
        let vouched = self.control.oauth.verify(&signed).map_err(refused)?;
        let (id, until) = assertion::client(&vouched.claims, &settings.issuer, &client.id, now_ms() / 1_000)?;
        if self.first_time(&client.id, &id, until).await? {
            Ok(())
        } else {
            Err(Oops::new(Wrong::Client, "this client assertion was used before"))
        }
    }

    /// Is this the first time that somebody's assertion of this id is seen?
    pub(super) async fn first_time(&self, issuer: &str, id: &str, until_unix_secs: u64) -> Result<bool, Oops> {
        let hash = self.hash("assertion", &format!("{issuer}\n{id}"));
        let until = until_unix_secs.saturating_mul(1_000);
        self.control.store.put_ticket(&hash, "assertion", "", until).await.map_err(stored)
    }

    async fn key_set(&self, settings: &Settings, client: &Client) -> Result<Vec<u8>, Oops> {
        if let Some(set) = &client.metadata.jwks {
            return Ok(set.to_string().into_bytes());
        }
        let url =
            client.metadata.jwks_uri.clone().ok_or_else(|| Oops::new(Wrong::Client, "this client has no keys"))?;
        let declared = client.kind == Kind::Declared || settings.oauth.local_client_documents;
        if !declared && !url.starts_with("https://") {
            return Err(Oops::new(Wrong::Client, "the jwks_uri of this client is not https"));
        }
        let wanted = Fetch { url, form: None, basic: None, trusted: declared, bytes_max: KEY_SET_BYTES_MAX };
        match self.control.oauth.fetch(wanted).await {
            Ok(fetched) if fetched.status == 200 => Ok(fetched.body),
            _ => Err(Oops::new(Wrong::Client, "the keys of this client cannot be fetched")),
        }
    }

    /// The document about a client, fetched or remembered.
    async fn client_document(&self, settings: &Settings, id: &str) -> Result<Metadata, Oops> {
        let host = client::document_host(id).to_ascii_lowercase();
        let hosts = &settings.oauth.client_hosts;
        if !hosts.is_empty() && !hosts.contains(&host) {
            return Err(Oops::new(Wrong::Client, "clients of this host are not taken here"));
        }
        if let Some(known) = self.documents.known(id) {
            return known;
        }
        let wanted = Fetch {
            url: id.to_owned(),
            form: None,
            basic: None,
            trusted: settings.oauth.local_client_documents && id.starts_with("http://"),
            bytes_max: DOCUMENT_BYTES_MAX,
        };
        let oops = |what: &'static str| Oops::new(Wrong::Client, what);
        let (found, fresh_for) = match self.control.oauth.fetch(wanted).await {
            Ok(fetched) if fetched.status == 200 => {
                let fresh_for = fetched.fresh_for.unwrap_or(FRESH).clamp(FRESH_MIN, FRESH_MAX);
                (Metadata::document(id, &fetched.body), fresh_for)
            }
            Ok(_) => (Err(oops("the client's document is not where its id leads to")), FAILED),
            Err(_) => (Err(oops("the client's document cannot be fetched")), FAILED),
        };
        self.documents.remember(id, found.clone(), fresh_for);
        found
    }

    /// Notes that a client got a token; one known by a document gets its row then.
    pub(super) async fn used(&self, client: &Client) -> Result<(), Oops> {
        let now = now_ms();
        if client.kind == Kind::Document {
            let row = OAuthClientRow {
                id: client.id.clone(),
                kind: "document".to_owned(),
                metadata: serde_json::to_string(&client.metadata).unwrap_or_default(),
                secret: None,
                created_unix_ms: now,
                created_from: None,
                used_unix_ms: Some(now),
                revoked_unix_ms: None,
            };
            self.control.store.put_oauth_client(&row).await.map_err(stored)?;
        }
        self.control.store.oauth_client_used(&client.id, now).await.map_err(stored)
    }
}

/// A new id for a client that registers.
pub(super) fn new_id() -> Result<String, Oops> {
    Ok(format!("mcp_{}", keys::random_text(24).map_err(stored)?))
}

/// A declared client in the words of all others.
pub(crate) fn of_configuration(declared: &OAuthClient) -> Client {
    let method = match (&declared.secret, &declared.jwks_url) {
        (Some(_), _) => "client_secret_basic",
        (None, Some(_)) => "private_key_jwt",
        (None, None) => "none",
    };
    let metadata = Metadata {
        client_name: Some(declared.name.clone()),
        redirect_uris: declared.redirect_uris.clone(),
        grant_types: declared.grant_types.clone(),
        response_types: vec!["code".to_owned()],
        token_endpoint_auth_method: method.to_owned(),
        jwks_uri: declared.jwks_url.as_ref().map(|url| url.text.clone()),
        ..Metadata::default()
    };
    Client { id: declared.id.clone(), kind: Kind::Declared, metadata }
}

/// Whose assertion it says it is. Believed once the signature was found good.
fn signer(assertion: &str, id: Option<&str>) -> Result<String, Oops> {
    let oops =
        || Oops::new(Wrong::Client, "the client assertion cannot be read, or is of another client than client_id says");
    let (_, claims) = jwt::peek(assertion).ok_or_else(oops)?;
    let subject = claims.get("sub").and_then(|subject| subject.as_str()).ok_or_else(oops)?;
    if id.is_some_and(|id| id != subject) { Err(oops()) } else { Ok(subject.to_owned()) }
}

fn unknown() -> Oops {
    Oops::new(Wrong::Client, "nobody knows this client; register it, or use the address of its metadata document")
}
