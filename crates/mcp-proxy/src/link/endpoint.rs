//! Where a server is reached over HTTP, and what every request to it carries: its address, the headers of the configuration, the
//! token of the principal. What is refused for want of a token is asked once more with a better one; nothing that was meant for
//! this origin is ever shown to another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Code, Origin, Payload, Principal, Secret, Timeouts};
use gatehouse_mcp_gateway::blueprint::{Auth, Server};
use gatehouse_upstream::{Body, Egress, Pool, SendError, Sent};
use http::header::{AUTHORIZATION, HOST, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::{Challenge, Consent, Failure, Remedy, TokenSource, answer};

/// The header by which a gateway knows a request that is its own: one that went round in a circle.
pub const HOP_HEADER: HeaderName = HeaderName::from_static("x-gatehouse-hop");

/// Refusals are read this far.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Who reaches which server, and with what.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The server.
    pub(crate) server: Arc<Server>,
    /// On whose behalf.
    pub(crate) principal: Arc<Principal>,
    /// Where tokens come from that are not in the configuration.
    pub(crate) tokens: Arc<dyn TokenSource>,
    /// Where connections may lead.
    pub(crate) egress: Egress,
    /// What this gateway writes in [`HOP_HEADER`].
    pub(crate) hop: HeaderValue,
}

/// One server over HTTP, as one principal reaches it.
pub(crate) struct Endpoint {
    caller: Caller,
    origin: Origin,
    /// Path and query: those of the configuration, or where the same origin has said to go instead.
    path: Mutex<PathAndQuery>,
    /// What goes along with every request.
    fixed: HeaderMap,
    /// The same with what goes along with every message that is posted.
    posts: HeaderMap,
    /// Does the configuration say a header that messages say for themselves?
    outranks: bool,
    timeouts: Timeouts,
}

impl Endpoint {
    /// Reads the address and the headers.
    ///
    /// # Errors
    /// When the configuration says something that cannot go on the wire.
    pub(crate) fn new(caller: Caller, url: &str, headers: &[(Arc<str>, Secret)]) -> Result<Self, Failure> {
        let (origin, path) = parse(url).ok_or_else(|| bad(&caller.server, "its `url` is no http or https address"))?;
        let mut fixed = HeaderMap::with_capacity(headers.len() + 3);
        fixed.insert(HOST, host(&origin).ok_or_else(|| bad(&caller.server, "its `url` has no usable host"))?);
        fixed.insert(HOP_HEADER, caller.hop.clone());
        for (name, value) in headers {
            let (Ok(name), Some(value)) = (HeaderName::try_from(&**name), secret_value("", value)) else {
                return Err(bad(&caller.server, "one of its `headers` is no HTTP header"));
            };
            fixed.insert(name, value);
        }
        if let Auth::Bearer(token) = &caller.server.auth {
            let value = secret_value("Bearer ", token);
            fixed
                .insert(AUTHORIZATION, value.ok_or_else(|| bad(&caller.server, "its bearer token is no HTTP header"))?);
        }
        let caps = &caller.server.caps;
        let timeouts =
            Timeouts { connect: caps.connect, first_byte: caps.total, between_chunks: caps.total, total: caps.total };
        let mut posts = answer::post_headers();
        put(&mut posts, &fixed);
        let outranks = fixed.keys().any(|name| name.as_str().starts_with("mcp-") || name.as_str() == "traceparent");
        Ok(Self { caller, origin, path: Mutex::new(path), fixed, posts, outranks, timeouts })
    }

    /// The same server at another path of the same origin; `None` if `location` leads elsewhere.
    pub(super) fn beside(&self, location: &str) -> Option<Self> {
        let path = self.same_origin(location)?;
        Some(Self {
            caller: self.caller.clone(),
            origin: self.origin.clone(),
            path: Mutex::new(path),
            fixed: self.fixed.clone(),
            posts: self.posts.clone(),
            outranks: self.outranks,
            timeouts: self.timeouts,
        })
    }

    /// The path of its address.
    pub(super) fn path(&self) -> String {
        self.path.lock().unwrap_or_else(PoisonError::into_inner).path().to_owned()
    }

    /// The server.
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.caller.server
    }

    /// Posts a message with these headers, as [`Self::send`] sends it.
    ///
    /// # Errors
    /// When there is no answer, or no consent.
    pub(super) async fn post(
        &self,
        pool: &Pool,
        said: &[(HeaderName, HeaderValue)],
        message: Bytes,
    ) -> Result<Sent, Failure> {
        let headers = || {
            let mut headers = self.posts.clone();
            for (name, value) in said {
                headers.insert(name, value.clone());
            }
            if self.outranks {
                put(&mut headers, &self.fixed);
            }
            headers
        };
        self.exchange(pool, Method::POST, &headers, message).await
    }

    /// Sends a request and waits for the head of the answer. What is refused for want of a token, and what is to be found at
    /// another path of the same origin, is sent once more, with its `headers` made anew.
    ///
    /// # Errors
    /// When there is no answer, or no consent.
    pub(super) async fn send(
        &self,
        pool: &Pool,
        method: Method,
        headers: &(dyn Fn() -> HeaderMap + Sync),
        body: Bytes,
    ) -> Result<Sent, Failure> {
        let headers = || {
            let mut headers = headers();
            put(&mut headers, &self.fixed);
            headers
        };
        self.exchange(pool, method, &headers, body).await
    }

    async fn exchange(
        &self,
        pool: &Pool,
        method: Method,
        headers: &(dyn Fn() -> HeaderMap + Sync),
        body: Bytes,
    ) -> Result<Sent, Failure> {
        let mut token = self.token(None).await?;
        let (mut moved, mut challenged) = (false, false);
        loop {
            let sent = self.send_once(pool, &method, headers(), token.as_ref(), body.clone()).await?;
            match sent.head.status {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT if !moved => {
                    moved = true;
                    self.follow(&sent.head.headers)?;
                }
                status if status.is_redirection() => return Err(self.elsewhere()),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.has_source() => {
                    let challenge = challenge(&sent, token.clone());
                    let better = if challenged { None } else { self.token(Some(&challenge)).await? };
                    challenged = true;
                    match better {
                        Some(better) if token.as_ref() != Some(&better) => token = Some(better),
                        _ => return Err(self.refused_for_good(challenge)),
                    }
                }
                _ => return Ok(sent),
            }
        }
    }

    async fn send_once(
        &self,
        pool: &Pool,
        method: &Method,
        headers: HeaderMap,
        token: Option<&Secret>,
        body: Bytes,
    ) -> Result<Sent, Failure> {
        let mut request = http::Request::new(Payload::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = Uri::from(self.path.lock().unwrap_or_else(PoisonError::into_inner).clone());
        *request.headers_mut() = headers;
        if let Some(value) = token.and_then(|token| secret_value("Bearer ", token)) {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let sent = pool.send_through(self.caller.egress, &self.origin, &self.timeouts, request).await;
        sent.map_err(|error| unsent(&self.caller.server.name, &error))
    }

    fn has_source(&self) -> bool {
        matches!(self.caller.server.auth, Auth::ClientCredentials(_) | Auth::PerUser(_) | Auth::Exchange(_))
    }

    async fn token(&self, challenge: Option<&Challenge>) -> Result<Option<Secret>, Failure> {
        if !self.has_source() {
            return Ok(None);
        }
        self.caller.tokens.token(&self.caller.server, &self.caller.principal, challenge).await
    }

    fn refused_for_good(&self, challenge: Challenge) -> Failure {
        let server = Arc::clone(&self.caller.server.name);
        let message = format!("the MCP server `{server}` wants authorization that this caller has not given yet");
        let consent = Consent { server, challenge: Some(challenge), url: None };
        Failure::new(Code::UpstreamCredentials, message).with(Remedy::Consent(Box::new(consent)))
    }

    fn follow(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let path = location.and_then(|location| self.same_origin(location)).ok_or_else(|| self.elsewhere())?;
        *self.path.lock().unwrap_or_else(PoisonError::into_inner) = path;
        Ok(())
    }

    /// The path of an address, absolute or not, if it is of this origin.
    fn same_origin(&self, location: &str) -> Option<PathAndQuery> {
        if location.starts_with("//") || location.contains("://") {
            let (origin, path) = parse(location)?;
            return (origin == self.origin).then_some(path);
        }
        if location.starts_with('/') {
            return location.parse().ok();
        }
        let here = self.path.lock().unwrap_or_else(PoisonError::into_inner).path().to_owned();
        let base =
            if location.starts_with('?') { &*here } else { here.rsplit_once('/').map_or("", |(folder, _)| folder) };
        let between = if location.starts_with('?') { "" } else { "/" };
        format!("{base}{between}{location}").parse().ok()
    }

    fn elsewhere(&self) -> Failure {
        let name = &self.caller.server.name;
        Failure::new(
            Code::UpstreamBroken,
            format!(
                "the MCP server `{name}` redirects to another address, which is not followed; configure that address"
            ),
        )
    }

    /// Reads a body that must not be longer than a message may be.
    ///
    /// # Errors
    /// When it is longer, or breaks off.
    pub(super) async fn whole(&self, body: Body) -> Result<Bytes, Failure> {
        let at_most = self.caller.server.caps.message_bytes;
        read(body, at_most).await.map_err(|broken| match broken {
            Unread::TooLong => Failure::new(
                Code::UpstreamBroken,
                format!("the MCP server `{}` answered with more than {at_most} bytes", self.caller.server.name),
            ),
            Unread::Cut => self.cut(),
        })
    }

    /// What became of a refusal's body: as much as there is of it in time.
    pub(super) async fn refusal(&self, body: Body) -> Bytes {
        let reading = tokio::time::timeout(Duration::from_secs(5), read(body, REFUSAL_BYTES_MAX));
        reading.await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// The answer broke off.
    pub(super) fn cut(&self) -> Failure {
        let name = &self.caller.server.name;
        Failure::new(Code::UpstreamBroken, format!("the MCP server `{name}` broke off in the middle of its answer"))
    }

    /// The answer is none.
    pub(super) fn broken(&self, what: &str) -> Failure {
        Failure::new(Code::UpstreamBroken, format!("the MCP server `{}` {what}", self.caller.server.name))
    }

    /// What a status means that is no answer to the message.
    pub(super) fn refused(&self, status: StatusCode, headers: &HeaderMap) -> Failure {
        let name = &self.caller.server.name;
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let (code, what) = match status.as_u16() {
            401 | 403 => (Code::UpstreamCredentials, "refuses the gateway's credentials; see its `auth`"),
            404 | 405 => (Code::UpstreamBroken, "has no MCP endpoint at the configured address"),
            429 => (Code::UpstreamLimited, "limits this gateway"),
            408 | 504 => (Code::UpstreamTimeout, "did not answer in time"),
            503 => (Code::UpstreamOverloaded, "is overloaded or not up"),
            400..500 => (Code::UpstreamRejected, "refused the request"),
            _ => (Code::UpstreamBroken, "failed"),
        };
        let mut failure = Failure::new(code, format!("the MCP server `{name}` {what} (HTTP {})", status.as_u16()));
        failure.fault.retry_after_secs = retry_after;
        failure
    }
}

/// What the configuration says comes second and wins.
fn put(headers: &mut HeaderMap, fixed: &HeaderMap) {
    headers.extend(fixed.iter().map(|(name, value)| (name.clone(), value.clone())));
}

fn bad(server: &Server, what: &str) -> Failure {
    Failure::new(Code::Internal, format!("the MCP server `{}` cannot be used: {what}", server.name))
}

fn unsent(server: &str, error: &SendError) -> Failure {
    match error {
        SendError::Connect(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Failure::new(
            Code::UpstreamUnreachable,
            format!("the MCP server `{server}` is at an address that may not be called"),
        ),
        SendError::Connect(_) => {
            Failure::new(Code::UpstreamUnreachable, format!("the MCP server `{server}` cannot be reached"))
        }
        SendError::Broken(_) => Failure::new(
            Code::UpstreamBroken,
            format!("the MCP server `{server}` closed the connection before it answered"),
        ),
        SendError::FirstByteTimeout => {
            Failure::new(Code::UpstreamTimeout, format!("the MCP server `{server}` did not answer in time"))
        }
    }
}

fn challenge(sent: &Sent, shown: Option<Secret>) -> Challenge {
    let lines: Vec<_> =
        sent.head.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok()).collect();
    Challenge { status: sent.head.status.as_u16(), www_authenticate: lines.join(", ").into(), shown }
}

fn secret_value(before: &str, secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{before}{}", secret.reveal())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn parse(url: &str) -> Option<(Origin, PathAndQuery)> {
    let uri: Uri = url.parse().ok()?;
    let tls = match uri.scheme()? {
        scheme if *scheme == Scheme::HTTPS => true,
        scheme if *scheme == Scheme::HTTP => false,
        _ => return None,
    };
    let authority = uri.authority()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if host.is_empty() {
        return None;
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Some((Origin { tls, host: host.into(), port }, path))
}

fn host(origin: &Origin) -> Option<HeaderValue> {
    let name = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.to_string() };
    let usual = if origin.tls { 443 } else { 80 };
    HeaderValue::try_from(if origin.port == usual { name } else { format!("{name}:{}", origin.port) }).ok()
}

/// Answers up to this size are copied out of the buffer they were read into: held, it would cost the connection another one of 8 KB.
const COPIED_BYTES_MAX: usize = 2 << 10;

enum Unread {
    TooLong,
    Cut,
}

async fn read(mut body: Body, at_most: usize) -> Result<Bytes, Unread> {
    body.wants_whole();
    if body.exact_length().is_some_and(|length| length > at_most as u64) {
        return Err(Unread::TooLong);
    }
    let Some(first) = body.chunk().await else { return Ok(Bytes::new()) };
    let mut first = first.map_err(|_| Unread::Cut)?;
    if first.len() <= COPIED_BYTES_MAX {
        first = Bytes::copy_from_slice(&first);
    }
    let Some(second) = body.chunk().await else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second.map_err(|_| Unread::Cut)?);
    while let Some(chunk) = body.chunk().await {
        whole.extend_from_slice(&chunk.map_err(|_| Unread::Cut)?);
        if whole.len() > at_most {
            return Err(Unread::TooLong);
        }
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_or_https_with_a_host_and_nobody_in_it() {
        for good in ["http://localhost:8080/mcp", "https://example.com", "http://[::1]:1/a?b=c"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in ["ftp://example.com", "javascript:alert(1)", "/mcp", "http://user:pw@example.com/", "http://"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_host_header_names_the_port_only_where_it_is_unusual_and_brackets_ipv6() {
        let header = |url| host(&parse(url).unwrap().0).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("https://example.com:443/mcp"), "example.com");
        assert_eq!(header("http://[::1]:9/mcp"), "[::1]:9");
    }
}
