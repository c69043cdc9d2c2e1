//! What the authorization server needs of the running gateway: its configuration, a guarded way out, and who is who.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_catalog::oauth::OAuth;
use gatehouse_catalog::written::Claims;
use gatehouse_domain::{Access, Code, Fault, Principal, Secret};
use gatehouse_oauth::server::Subject;
use gatehouse_store::StoreError;
use serde_json::{Map, Value};

use super::Answer;

/// The authorization server as the configuration in force has it.
#[derive(Clone)]
pub struct Settings {
    /// Its issuer: where clients find this gateway, without a slash at the end.
    pub issuer: Arc<str>,
    /// The section `oauth`.
    pub oauth: Arc<OAuth>,
}

/// A document to fetch, or a form to send.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where.
    pub url: String,
    /// The form of a POST; `None` for a GET.
    pub form: Option<String>,
    /// Id and secret for `Authorization: Basic`, both already form-encoded.
    pub basic: Option<Secret>,
    /// Was the address chosen by whoever configured the gateway? If not, it must be a public one.
    pub trusted: bool,
    /// The longest answer that is read.
    pub bytes_max: usize,
}

/// What was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// HTTP status.
    pub status: u16,
    /// How long it may be kept, as its `Cache-Control` says.
    pub fresh_for: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// With which keys a signature must hold.
#[derive(Clone, Copy, Debug)]
pub enum Keys<'a> {
    /// With those of an issuer of `auth.jwt`, as they are known.
    OfIssuer,
    /// With one of this key set.
    Set(&'a [u8]),
}

/// Something signed by somebody else.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The token.
    pub token: &'a str,
    /// The issuer it must be of.
    pub issuer: &'a str,
    /// The type its header must say, in small letters; empty: any that is an ordinary token's.
    pub kind: &'a str,
    /// Whose keys.
    pub keys: Keys<'a>,
    /// Which claim says what; `None`: as the configuration has it for the issuer.
    pub claims: Option<&'a Claims>,
}

/// What a signature, found good and in time, vouches for. Its audience has not been looked at.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// For whom.
    pub subject: Subject,
    /// Everything it says.
    pub claims: Map<String, Value>,
}

/// Somebody's access to whatever they may use, shown by a token.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Whose token.
    pub subject: Subject,
    /// What it is bound to, if it is one of our own.
    pub access: Option<Access>,
    /// Who issued it.
    pub issuer: String,
}

/// What the data plane and the roof do for the authorization server. One implementation, in the binary.
pub trait OAuthOperations: Send + Sync {
    /// The configuration in force; `None` if it is switched off.
    fn settings(&self) -> Option<Settings>;
    /// Fetches a document: no redirects, under a timer, and through the egress guard unless it is trusted.
    fn fetch(&self, wanted: Fetch) -> Answer<'_, Result<Fetched, &'static str>>;
    /// Verifies what somebody else signed: signature, issuer, times.
    ///
    /// # Errors
    /// Why it is not believed.
    fn verify(&self, signed: &Signed<'_>) -> Result<Vouched, Fault>;
    /// Whose access token this is: one of our own, or of an issuer of `auth.jwt`, for this gateway and good now.
    ///
    /// # Errors
    /// Why it is not good.
    fn token_of(&self, token: &str) -> Result<Shown, Fault>;
    /// Who somebody is who logged in, by what is declared now.
    ///
    /// # Errors
    /// When the key they logged in with is gone, or nobody of that organisation is known.
    fn who(&self, subject: &Subject) -> Result<Arc<Principal>, Fault>;
    /// A grant was revoked: its access tokens open nothing from now on.
    fn grant_revoked(&self, grant: &str);
    /// The signing keys have changed.
    fn signing_keys_changed(&self);

    /// Somebody, logged in, opened the link to connect an MCP server in their name. Gives the address to go on at.
    fn connect(&self, link: String, who: Arc<Principal>) -> Answer<'_, Result<String, Fault>> {
        _ = (link, who);
        Box::pin(std::future::ready(Err(nothing_to_connect())))
    }
    /// They came back from the server's own authorization server with this query. Gives the name of what is connected now.
    fn connected(&self, query: String, who: Arc<Principal>) -> Answer<'_, Result<String, Fault>> {
        _ = (query, who);
        Box::pin(std::future::ready(Err(nothing_to_connect())))
    }
    /// Forgets somebody's connection to an MCP server, and its tokens; `false` if there is none.
    fn disconnect(&self, id: String) -> Answer<'_, Result<bool, StoreError>> {
        _ = id;
        Box::pin(std::future::ready(Ok(false)))
    }
    /// What this gateway says of itself as a client of other authorization servers (CIMD).
    fn client_document(&self) -> Option<Value> {
        None
    }
}

fn nothing_to_connect() -> Fault {
    Fault::new(Code::NotFound, "there is no MCP server to connect by this link; make the call again to get a fresh one")
}
