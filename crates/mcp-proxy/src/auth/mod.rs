//! What MCP servers are shown of who calls: tokens that were issued to this gateway for that server, per principal where the
//! server wants it so. The caller's own bearer token never goes on; at most it is exchanged for another one.
//!
//! A link asks [`TokenSource::token`] before each request. `Ok(None)` means that nothing is to be shown, `Ok(Some(_))` goes into
//! `Authorization: Bearer`. When the server answers 401, or 403 with a challenge, the link asks once more and says so with
//! [`Refused`]; what comes then is a better token or a fault, and a second refusal is final. The fault `ConsentNeeded` names, in
//! [`Fault::visit`], the page at which the caller's person can agree.

use std::sync::Arc;

use gatehouse_domain::{Fault, Principal, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, Server};
use gatehouse_upstream::Pool;
use http::{HeaderMap, StatusCode};

/// On whose behalf a token is asked for.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The bearer token the caller came with, if it came with one that some issuer signed: what is exchanged where the
    /// configuration says so. It is never sent to an MCP server.
    pub subject_token: Option<Secret>,
}

/// What a server said to the last token, or to none.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// 401 or 403.
    pub status: StatusCode,
    /// The headers of its answer: `WWW-Authenticate` says what it wants.
    pub headers: &'a HeaderMap,
    /// What it was shown.
    pub shown: Option<&'a Token>,
}

/// A token for one server.
#[derive(Clone, Debug)]
pub struct Token {
    /// The text after `Bearer `.
    pub text: Secret,
    /// Tells it from those before and after it.
    pub generation: u64,
}

/// Where links get what they show. One for the whole process; cheap to clone, used from every core.
#[derive(Clone, Debug)]
pub struct TokenSource;

impl TokenSource {
    /// What to show `server` on behalf of `caller`: nothing, or a token.
    ///
    /// # Errors
    /// `ConsentNeeded` with the page to visit; `UpstreamCredentials` when the server wants what nobody gave the gateway;
    /// `UpstreamUnreachable` and its like when whoever issues tokens is away.
    pub async fn token(
        &self,
        pool: &Pool,
        server: &Server,
        caller: &Caller,
        refused: Option<Refused<'_>>,
    ) -> Result<Option<Token>, Fault> {
        let _ = (pool, caller, refused);
        match &server.auth {
            Auth::Bearer(text) => Ok(Some(Token { text: text.clone(), generation: 0 })),
            _ => Ok(None),
        }
    }
}
