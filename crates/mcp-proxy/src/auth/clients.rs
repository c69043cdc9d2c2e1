//! As whom the gateway comes to each issuer. What an issuer gave is kept in the vault, under that issuer's name and for nobody
//! else.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Secret};
use gatehouse_mcp_gateway::blueprint::{OAuthClient, Server};
use gatehouse_oauth::client::{
    Client, ClientAuth, ClientKey, Configured, IssuerMetadata, Registration, RegistrationFault, read_registration,
    register, registration_request,
};
use gatehouse_store::vault::Vault;
use serde::{Deserialize, Serialize};

use super::discover::{trouble, unfetched};
use super::fetch::Fetcher;
use super::unix_ms;
use crate::link::Failure;

/// The kind of these secrets in the vault.
const KIND: &str = "mcp_client";

/// How the gateway presents itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Face {
    /// Where people come back to.
    pub(super) redirect_uri: Arc<str>,
    /// The document it hosts, where others can reach it.
    pub(super) document_url: Option<Arc<str>>,
}

/// A client as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    issuer: Arc<str>,
    id: Arc<str>,
    method: String,
    secret: Option<String>,
}

impl From<&Client> for Kept {
    fn from(client: &Client) -> Self {
        let (method, secret) = match &client.auth {
            ClientAuth::None => ("none", None),
            ClientAuth::Basic(secret) => ("client_secret_basic", Some(secret)),
            ClientAuth::Post(secret) => ("client_secret_post", Some(secret)),
            ClientAuth::Key(_) => ("private_key_jwt", None),
        };
        let secret = secret.map(|secret| secret.reveal().to_owned());
        Self { issuer: Arc::clone(&client.issuer), id: Arc::clone(&client.id), method: method.to_owned(), secret }
    }
}

impl Kept {
    fn client(self) -> Option<Client> {
        let auth = match (&*self.method, self.secret.map(Secret::new)) {
            ("client_secret_basic", Some(secret)) => ClientAuth::Basic(secret),
            ("client_secret_post", Some(secret)) => ClientAuth::Post(secret),
            ("none", _) => ClientAuth::None,
            _ => return None,
        };
        Some(Client { issuer: self.issuer, id: self.id, auth })
    }
}

/// Knows as whom to come, and registers where that is needed.
pub(super) struct Clients {
    fetcher: Fetcher,
    vault: Vault,
}

impl Clients {
    pub(super) fn new(fetcher: Fetcher, vault: Vault) -> Self {
        Self { fetcher, vault }
    }

    /// The client to be at this issuer; registers if there is none and `may_register`.
    pub(super) async fn at(
        &self,
        server: &Server,
        config: &OAuthClient,
        issuer: &IssuerMetadata,
        face: &Face,
        may_register: bool,
    ) -> Result<Client, Failure> {
        let name = name(&issuer.issuer, face);
        let registered = match config.client_id {
            Some(_) => None,
            None => self.kept(server, &name).await?,
        };
        let configured = configured(config).map_err(|why| trouble(server, Code::UpstreamCredentials, &why))?;
        let decided = register(&configured, registered, face.document_url.as_deref(), issuer);
        match decided.map_err(|why| refused(server, &why))? {
            Registration::Use(client) => Ok(client),
            Registration::At(_) if !may_register => Err(refused(server, &RegistrationFault::ByHand)),
            Registration::At(place) => {
                let (request, method) = registration_request(issuer, &face.redirect_uri);
                let body = Bytes::from(request.to_string());
                let egress = self.fetcher.egress(server, config, &place);
                let answer = self.fetcher.post_json(egress, &place, body).await;
                let answer = answer.map_err(|why| unfetched(server, &place, why))?;
                if !matches!(answer.status, 200 | 201) {
                    return Err(refused(server, &RegistrationFault::Refused(format!("status {}", answer.status))));
                }
                let client = read_registration(&answer.body, issuer, method).map_err(|why| refused(server, &why))?;
                self.keep(server, &name, &client).await?;
                Ok(client)
            }
        }
    }

    /// Forgets what an issuer gave: it does not know it any more.
    pub(super) async fn forget(&self, issuer: &str, face: &Face) {
        if let Err(error) = self.vault.delete(DEFAULT_ORGANISATION, KIND, &name(issuer, face)).await {
            tracing::warn!(%error, issuer, "a client that its issuer does not know cannot be forgotten");
        }
    }

    async fn kept(&self, server: &Server, name: &str) -> Result<Option<Client>, Failure> {
        let kept = self.vault.get(DEFAULT_ORGANISATION, KIND, name).await;
        let kept = kept.map_err(|error| super::unstored(server, &error))?;
        Ok(kept.and_then(|kept| serde_json::from_str::<Kept>(kept.reveal()).ok()).and_then(Kept::client))
    }

    async fn keep(&self, server: &Server, name: &str, client: &Client) -> Result<(), Failure> {
        let text = serde_json::to_string(&Kept::from(client)).unwrap_or_default();
        let kept = self.vault.put(DEFAULT_ORGANISATION, KIND, name, &Secret::new(text), unix_ms()).await;
        kept.map(drop).map_err(|error| super::unstored(server, &error))
    }
}

fn name(issuer: &str, face: &Face) -> String {
    format!("{issuer} {}", face.redirect_uri)
}

fn configured(config: &OAuthClient) -> Result<Configured, String> {
    let key = match &config.private_key {
        Some(pem) => {
            let key = ClientKey::new(pem.clone(), config.private_key_id.clone());
            Some(key.map_err(|why| format!("its configured private key is none: {why}"))?)
        }
        None => None,
    };
    Ok(Configured {
        id: config.client_id.clone(),
        secret: config.client_secret.clone(),
        key,
        issuer: config.issuer.clone(),
    })
}

fn refused(server: &Server, why: &RegistrationFault) -> Failure {
    trouble(server, Code::UpstreamCredentials, &why.to_string())
}
