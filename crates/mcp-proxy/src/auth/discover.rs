//! Who issues tokens for an MCP server: its documents, fetched in their order, judged, and remembered for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::blueprint::{OAuthClient, Server};
use gatehouse_oauth::client::{
    Challenge, Disbelief, IssuerMetadata, Place, ResourceMetadata, Scopes, issuer_documents, resource_documents,
};

use super::fetch::{FetchFault, Fetcher, address};
use crate::link::Failure;

/// How long an answer is believed without asking again.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Servers remembered.
const REMEMBERED_MAX: usize = 1_000;

/// Who issues tokens for a server, and what for.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// What tokens are asked for.
    pub(super) resource: Arc<str>,
    /// Scopes the server lists.
    pub(super) listed: Option<Scopes>,
    /// Who issues them.
    pub(super) issuer: IssuerMetadata,
}

/// Finds out, and remembers.
pub(super) struct Finder {
    fetcher: Fetcher,
    servers: Memory<Found>,
    issuers: Memory<IssuerMetadata>,
}

/// What was found a while ago.
struct Memory<T>(Mutex<HashMap<String, (Instant, Arc<T>)>>);

impl<T> Memory<T> {
    fn recall(&self, key: &str) -> Option<Arc<T>> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, found) = remembered.get(key)?;
        (since.elapsed() < REMEMBERED).then(|| Arc::clone(found))
    }

    fn keep(&self, key: String, found: &Arc<T>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, (since, _)| since.elapsed() < REMEMBERED);
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(key, (Instant::now(), Arc::clone(found)));
        }
    }
}

impl Finder {
    pub(super) fn new(fetcher: Fetcher) -> Self {
        Self { fetcher, servers: Memory(Mutex::default()), issuers: Memory(Mutex::default()) }
    }

    /// Who issues tokens for `server`. With a challenge it is asked where that leads; `fresh` asks again whatever is remembered.
    pub(super) async fn find(
        &self,
        server: &Server,
        client: &OAuthClient,
        challenge: Option<&Challenge>,
        fresh: bool,
    ) -> Result<Arc<Found>, Failure> {
        let url = address(server).unwrap_or_default();
        let led = challenge.and_then(|challenge| challenge.resource_metadata.as_deref()).unwrap_or_default();
        let key = format!("{url}\n{led}\n{}", client.issuer.as_deref().unwrap_or_default());
        if !fresh && let Some(found) = self.servers.recall(&key) {
            return Ok(found);
        }
        let found = Arc::new(self.ask(server, client, challenge, url).await?);
        self.servers.keep(key, &found);
        Ok(found)
    }

    /// What an issuer that tokens came from says of itself now.
    pub(super) async fn issuer(
        &self,
        server: &Server,
        client: &OAuthClient,
        name: &str,
    ) -> Result<Arc<IssuerMetadata>, Failure> {
        if let Some(found) = self.issuers.recall(name) {
            return Ok(found);
        }
        let place =
            Place::read(name).map_err(|why| disbelief(server, &Disbelief::Address { member: "issuer", why }))?;
        let found = Arc::new(self.ask_issuer(server, client, &place).await?);
        self.issuers.keep(name.to_owned(), &found);
        Ok(found)
    }

    async fn ask(
        &self,
        server: &Server,
        client: &OAuthClient,
        challenge: Option<&Challenge>,
        url: &str,
    ) -> Result<Found, Failure> {
        let place = Place::read(url).map_err(|why| {
            let what = format!("authorization needs https, or http on this machine, and of its address: {why}");
            trouble(server, Code::UpstreamCredentials, &what)
        })?;
        let (resource, listed, issuer) = match self.resource(server, client, challenge, &place).await? {
            Some(about) => {
                let issuer = about.issuer(client.issuer.as_deref()).map_err(|why| disbelief(server, &why))?.clone();
                (about.resource, about.scopes, issuer)
            }
            // Servers of 2025-03-26 do not describe themselves: they are their own issuer.
            None => {
                let own = place.base();
                let issuer = Place::read(client.issuer.as_deref().unwrap_or(&own))
                    .map_err(|why| disbelief(server, &Disbelief::Address { member: "issuer", why }))?;
                (url.trim_end_matches('/').into(), None, issuer)
            }
        };
        let issuer = self.ask_issuer(server, client, &issuer).await?;
        Ok(Found { resource, listed, issuer })
    }

    async fn resource(
        &self,
        server: &Server,
        client: &OAuthClient,
        challenge: Option<&Challenge>,
        place: &Place,
    ) -> Result<Option<ResourceMetadata>, Failure> {
        let places = resource_documents(place, challenge)
            .map_err(|why| disbelief(server, &Disbelief::Address { member: "resource_metadata", why }))?;
        for document in places {
            match self.fetcher.get(self.fetcher.egress(server, client, &document), &document).await {
                Ok(answer) if answer.found() => {
                    let about = ResourceMetadata::judge(&answer.body, place);
                    return about.map(Some).map_err(|why| disbelief(server, &why));
                }
                Ok(_) => {}
                Err(why) => return Err(unfetched(server, &document, why)),
            }
        }
        Ok(None)
    }

    async fn ask_issuer(
        &self,
        server: &Server,
        client: &OAuthClient,
        issuer: &Place,
    ) -> Result<IssuerMetadata, Failure> {
        let places =
            issuer_documents(issuer).map_err(|why| disbelief(server, &Disbelief::Address { member: "issuer", why }))?;
        let mut disbelieved = None;
        for document in places {
            match self.fetcher.get(self.fetcher.egress(server, client, &document), &document).await {
                Ok(answer) if answer.found() => match IssuerMetadata::judge(&answer.body, issuer.text()) {
                    Ok(about) => return Ok(about),
                    Err(why) => disbelieved = disbelieved.or(Some(why)),
                },
                Ok(_) => {}
                Err(why) => return Err(unfetched(server, &document, why)),
            }
        }
        let why = disbelieved.unwrap_or(Disbelief::Unreadable("it describes itself nowhere"));
        Err(disbelief(server, &why))
    }
}

/// A failure in the authorization of a server.
pub(super) fn trouble(server: &Server, code: Code, what: &str) -> Failure {
    Failure::new(code, format!("the authorization for the MCP server `{}` failed: {what}", server.name))
}

pub(super) fn disbelief(server: &Server, why: &Disbelief) -> Failure {
    trouble(
        server,
        Code::UpstreamCredentials,
        &format!("what it says of its authorization server is not believed: {why}"),
    )
}

pub(super) fn unfetched(server: &Server, place: &Place, why: FetchFault) -> Failure {
    let code = match why {
        FetchFault::Private => Code::UpstreamCredentials,
        FetchFault::TimedOut => Code::UpstreamTimeout,
        FetchFault::Unreachable => Code::UpstreamUnreachable,
        FetchFault::Unreadable => Code::UpstreamBroken,
    };
    // The host is what an operator needs, and the document that names it is public.
    trouble(server, code, &format!("of {}: {why}", place.base()))
}
