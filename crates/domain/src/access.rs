//! What an access token of the gateway's own authorization server lets its bearer do: one resource, some scopes. And what a
//! refused client is told in `WWW-Authenticate`, so that it can get a token that does (RFC 6750 §3, RFC 9728 §5.1).

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

/// Scopes in one text. More are not looked at.
const SCOPES_MAX: usize = 64;
/// Bytes of one scope.
const SCOPE_BYTES_MAX: usize = 256;
/// The scope of reading: lists, resources, prompts.
const READ: &str = "mcp:read";
/// The scope of calling tools. Who may call may read.
const TOOLS: &str = "mcp:tools";

/// What somebody with an access token may do. A caller with a key, or with a token of another issuer, has none of these and is
/// not bound by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The grant the token came from: what is revoked.
    pub grant: Arc<str>,
    /// The client it was issued to.
    pub client: Arc<str>,
    /// The one resource it opens, as a URI.
    pub resource: Arc<str>,
    /// What may be done there.
    pub scopes: Scopes,
}

/// A set of scopes: `mcp:read`, `mcp:tools`, and each of them for one server (`mcp:tools:github`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Arc<str>>);

/// What is about to be done, for asking whether scopes suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use<'a> {
    /// Say hello, ping, or ask for a list, which shows only what may be used.
    Greet,
    /// Read a resource, get a prompt, complete an argument: at this server.
    Read(&'a str),
    /// Call a tool of this server.
    Call(&'a str),
}

impl Scopes {
    /// Every scope there is without a server.
    pub const ALL: [&'static str; 2] = [READ, TOOLS];

    /// The scopes in a text (RFC 6749 §3.3), each once. Those this gateway does not know are left out, as RFC 6749 allows:
    /// clients ask for what other servers know (`openid`).
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut scopes: Vec<Arc<str>> = Vec::new();
        for word in text.split(' ').filter(|word| is_known(word)).take(SCOPES_MAX) {
            if !scopes.iter().any(|known| **known == *word) {
                scopes.push(word.into());
            }
        }
        Self(scopes)
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }

    /// Do they suffice? A wider scope implies the narrower ones: `mcp:tools` is `mcp:tools:github`, and either is reading.
    #[must_use]
    pub fn allow(&self, what: Use<'_>) -> bool {
        self.iter().any(|scope| match what {
            Use::Greet => true,
            Use::Read(server) => at(scope, READ, server) || at(scope, TOOLS, server),
            Use::Call(server) => at(scope, TOOLS, server),
        })
    }

    /// Those of `asked` that are within these.
    #[must_use]
    pub fn within(&self, asked: &Self) -> Self {
        let kept = asked.0.iter().filter(|scope| {
            let (kind, server) = parts(scope);
            self.iter().any(|own| {
                let (own_kind, own_server) = parts(own);
                (own_kind == kind || own_kind == TOOLS) && (own_server.is_none() || own_server == server)
            })
        });
        Self(kept.cloned().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Use<'_> {
    /// The scopes to ask for when these do not suffice: all that this takes, in one challenge.
    #[must_use]
    pub fn scope(self) -> String {
        match self {
            Self::Greet => READ.to_owned(),
            Self::Read(server) if is_word(server) => format!("{READ}:{server}"),
            Self::Call(server) if is_word(server) => format!("{TOOLS}:{server}"),
            Self::Read(_) => READ.to_owned(),
            Self::Call(_) => TOOLS.to_owned(),
        }
    }
}

/// The value of `WWW-Authenticate` on a refusal of a resource: where its metadata is, and which scopes to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    /// Where clients find this gateway (`public_url`), without a slash at its end.
    pub public_url: &'a str,
    /// The path of the resource: `/mcp`, `/mcp/servers/github`.
    pub path: &'a str,
}

impl Challenge<'_> {
    /// Of a 401. `bad_token`: there was a token, and it is no good.
    #[must_use]
    pub fn unauthorized(&self, bad_token: bool) -> HeaderValue {
        let error = if bad_token { "error=\"invalid_token\", " } else { "" };
        self.value(&format!("Bearer {error}resource_metadata=\"{}\", scope=\"{READ} {TOOLS}\"", self.metadata_url()))
    }

    /// Of a 403 `insufficient_scope`; [`Use::scope`] says which.
    #[must_use]
    pub fn insufficient(&self, scope: &str) -> HeaderValue {
        let metadata = self.metadata_url();
        self.value(&format!(
            "Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{metadata}\", \
             error_description=\"this operation needs a scope the access token does not have\""
        ))
    }

    /// Where the metadata of the resource is: the well-known name goes between host and path (RFC 9728 §3.1).
    #[must_use]
    pub fn metadata_url(&self) -> String {
        let (origin, base) = split_origin(self.public_url);
        format!("{origin}/.well-known/oauth-protected-resource{base}{}", self.path)
    }

    /// A path with odd characters makes the plainest challenge there is, never a broken header.
    fn value(&self, text: &str) -> HeaderValue {
        let quoted = |text: &str| text.contains(['"', '\\']);
        if quoted(self.path) || quoted(self.public_url) {
            return HeaderValue::from_static("Bearer");
        }
        HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

/// Scheme and authority of a URL, and its path.
#[must_use]
pub fn split_origin(url: &str) -> (&str, &str) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    url.split_at(end)
}

/// Kind of a scope, and the server it is for, if it is for one.
fn parts(scope: &str) -> (&str, Option<&str>) {
    match scope.match_indices(':').nth(1) {
        Some((at, _)) => (&scope[..at], Some(&scope[at + 1..])),
        None => (scope, None),
    }
}

fn at(scope: &str, kind: &str, server: &str) -> bool {
    let (own, only) = parts(scope);
    own == kind && only.is_none_or(|only| only == server)
}

fn is_known(word: &str) -> bool {
    let (kind, server) = parts(word);
    word.len() <= SCOPE_BYTES_MAX && Scopes::ALL.contains(&kind) && server.is_none_or(is_word)
}

/// Characters that may stand in a scope (RFC 6749 §3.3).
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_scope_implies_the_narrower_ones() {
        let tools = Scopes::read("mcp:tools");
        assert!(tools.allow(Use::Call("github")) && tools.allow(Use::Read("github")) && tools.allow(Use::Greet));
        let github = Scopes::read("mcp:tools:github");
        assert!(github.allow(Use::Call("github")) && github.allow(Use::Read("github")));
        assert!(!github.allow(Use::Call("time")) && !github.allow(Use::Read("time")));
        let read = Scopes::read("mcp:read");
        assert!(read.allow(Use::Read("time")) && !read.allow(Use::Call("time")));
        assert!(!Scopes::default().allow(Use::Greet));
    }

    #[test]
    fn unknown_and_repeated_scopes_are_left_out() {
        let scopes = Scopes::read("openid mcp:read mcp:read mcp:tools: mcp:admin mcp:tools:a\"b offline_access");
        assert_eq!(scopes.to_string(), "mcp:read");
    }

    #[test]
    fn nobody_gets_more_than_there_is_to_give() {
        let own = Scopes::read("mcp:read mcp:tools:github");
        let asked = Scopes::read("mcp:tools mcp:tools:github mcp:read:time mcp:tools:time");
        assert_eq!(own.within(&asked).to_string(), "mcp:tools:github mcp:read:time");
    }

    #[test]
    fn a_challenge_says_where_the_metadata_is_and_what_to_ask_for() {
        let challenge = Challenge { public_url: "https://gw.example.com/team", path: "/mcp/servers/github" };
        assert_eq!(
            challenge.unauthorized(false),
            "Bearer resource_metadata=\"https://gw.example.com/.well-known/oauth-protected-resource/team/mcp/servers/github\", \
             scope=\"mcp:read mcp:tools\""
        );
        let insufficient = challenge.insufficient(&Use::Call("github").scope());
        let text = insufficient.to_str().unwrap();
        assert!(
            text.starts_with("Bearer error=\"insufficient_scope\", scope=\"mcp:tools:github\", resource_metadata=")
        );
        let odd = Challenge { path: "/mcp/servers/a\"b", ..challenge };
        assert_eq!(odd.unauthorized(true), "Bearer");
    }
}
