//! The request for a provider: path, headers and body, from what was made ready once.

use gatehouse_domain::{Code, Fault, Outbound, Payload, WriteContext};
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, uri::PathAndQuery};

use super::endpoint::encode_segment;
use super::kind::{Auth, Native, Operation, ProviderKind};
use super::settings::Provider;
use crate::dialects::DialectName;

/// Longest value of a client's header that is passed on.
const CLIENT_HEADER_BYTES_MAX: usize = 2048;

/// Headers of a client that may mean something to a provider.
static PASSED: [HeaderName; 4] = [
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-client-request-id"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-version"),
];

/// What is asked of a provider.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The provider's name of the model.
    pub model: &'a str,
    /// The dialect the body is written in.
    pub dialect: DialectName,
    /// What for.
    pub operation: Operation,
    /// The client's headers, of which few are passed on.
    pub client_headers: &'a HeaderMap,
    /// What [`path`] gives for this, where it was made before.
    pub path: Option<&'a PathAndQuery>,
}

/// Writes the request. Of the client's headers only those pass that mean something to the provider and nothing to anyone
/// else: never a credential, a cookie, an address or an organisation.
///
/// # Errors
/// `NotTranslatable` if the provider does not offer this in this dialect, `UpstreamCredentials` if a token is needed and
/// none was fetched, `InvalidRequest` for a model name that cannot stand in a path.
pub fn outbound(
    provider: &Provider,
    ask: Ask<'_>,
    body: impl Into<Payload>,
    context: &WriteContext<'_>,
) -> Result<Outbound, Fault> {
    let native = provider.kind.speaks(ask.dialect, ask.model).ok_or_else(|| not_offered(provider))?;
    let path = match ask.path {
        Some(path) => path.clone(),
        None => path(provider, ask.dialect, ask.model, ask.operation)?,
    };
    let body = match provider.kind.rewrite {
        Some(rewrite) => rewrite(ask.dialect, ask.operation, body.into().into_bytes())?.into(),
        None => body.into(),
    };
    let mut headers = provider.headers_for(ask.dialect).ok_or_else(|| not_offered(provider))?.clone();
    if ask.operation == (Operation::Chat { stream: true }) {
        headers.insert(ACCEPT, stream_type(ask.dialect));
    }
    finish(provider, native, ask, Unfinished { method: Method::POST, path, headers, body }, context)
}

/// Writes the request for something a provider keeps below the path at which it was made (`/responses/{id}`).
///
/// # Errors
/// As [`outbound`].
pub fn outbound_kept(
    provider: &Provider,
    ask: Ask<'_>,
    kept: &KeptAt<'_>,
    context: &WriteContext<'_>,
) -> Result<Outbound, Fault> {
    let native = provider.kind.speaks(ask.dialect, ask.model).ok_or_else(|| not_offered(provider))?;
    let whole = path(provider, ask.dialect, ask.model, ask.operation)?;
    let (place, own_query) = (whole.path(), whole.query());
    let mut path = format!("{place}/{}{}", encode_segment(kept.id)?, kept.below);
    for (at, query) in own_query.into_iter().chain(kept.query).enumerate() {
        path.push(if at == 0 { '?' } else { '&' });
        path.push_str(query);
    }
    let headers = provider.headers_for(ask.dialect).ok_or_else(|| not_offered(provider))?.clone();
    finish(
        provider,
        native,
        ask,
        Unfinished { method: kept.method.clone(), path: writable(path)?, headers, body: Payload::default() },
        context,
    )
}

/// Something a provider keeps, and what to do with it.
#[derive(Clone, Debug)]
pub struct KeptAt<'a> {
    /// HTTP method.
    pub method: Method,
    /// The provider's id of it.
    pub id: &'a str,
    /// What follows the id (`/input_items`), or nothing.
    pub below: &'a str,
    /// The client's query.
    pub query: Option<&'a str>,
}

struct Unfinished {
    method: Method,
    path: PathAndQuery,
    headers: HeaderMap,
    body: Payload,
}

/// Where a provider offers this. The same for every request of a model and operation.
///
/// # Errors
/// As [`outbound`].
pub fn path(
    provider: &Provider,
    dialect: DialectName,
    model: &str,
    operation: Operation,
) -> Result<PathAndQuery, Fault> {
    let native = provider.kind.speaks(dialect, model).ok_or_else(|| not_offered(provider))?;
    let path = (native.path)(&provider.place, &encode_segment(model)?, operation);
    writable(path.ok_or_else(|| not_offered(provider))?)
}

fn writable(path: String) -> Result<PathAndQuery, Fault> {
    PathAndQuery::try_from(path)
        .map_err(|_| Fault::new(Code::Internal, "the provider's path cannot be written; check its base_url"))
}

/// What every request takes: the client's headers that may pass, trace, credentials.
fn finish(
    provider: &Provider,
    native: &Native,
    ask: Ask<'_>,
    unfinished: Unfinished,
    context: &WriteContext<'_>,
) -> Result<Outbound, Fault> {
    let Unfinished { method, path, mut headers, body } = unfinished;
    pass_client_headers(provider.kind, ask, &mut headers);
    if let Some(trace) = context.traceparent.and_then(|trace| HeaderValue::from_str(trace).ok()) {
        headers.insert("traceparent", trace);
    }
    if native.auth == Auth::Grant && provider.grant.is_some() {
        headers.insert(AUTHORIZATION, bearer(context.token)?);
    }
    if let Some(signer) = &provider.signer {
        signer.sign(&provider.origin, path.as_str(), &mut headers, &body.clone().into_bytes(), context.now)?;
    }
    Ok(Outbound { method, path, headers, body })
}

/// The `anthropic-beta` values a host takes out of those a client asks for. Anthropic itself and hosts of its dialect get
/// all of them; Vertex answers 400 to any it does not know, so it gets the few known to be served there.
#[must_use]
pub fn betas(kind: &ProviderKind, value: &str) -> Option<String> {
    const VERTEX: [&str; 4] = [
        "context-1m-2025-08-07",
        "interleaved-thinking-2025-05-14",
        "context-management-2025-06-27",
        "tool-search-tool-2025-10-19",
    ];
    let taken: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|beta| match kind.name {
            "anthropic" | "anthropic-compatible" => !beta.is_empty(),
            "vertex" => VERTEX.contains(beta),
            _ => false,
        })
        .collect();
    (!taken.is_empty()).then(|| taken.join(","))
}

fn pass_client_headers(kind: &ProviderKind, ask: Ask<'_>, headers: &mut HeaderMap) {
    let openai = matches!(ask.dialect, DialectName::OpenAiChat | DialectName::OpenAiResponses);
    let anthropic = ask.dialect == DialectName::Anthropic && kind.rewrite.is_none();
    let means_something = [true, true, openai, anthropic];
    // The client's headers are walked once: a look for each name hashes it, and most are not there. The first counts.
    let mut taken = [false; PASSED.len()];
    for (name, value) in ask.client_headers {
        let Some(place) = PASSED.iter().position(|passed| passed == name) else { continue };
        let is_first = !std::mem::replace(&mut taken[place], true);
        if is_first && means_something[place] && value.len() <= CLIENT_HEADER_BYTES_MAX {
            headers.insert(name, value.clone());
        }
    }
    if ask.dialect != DialectName::Anthropic {
        return;
    }
    let asked = ask.client_headers.get_all("anthropic-beta").iter().filter_map(|value| value.to_str().ok());
    let asked = asked.filter(|value| value.len() <= CLIENT_HEADER_BYTES_MAX).take(16).collect::<Vec<_>>().join(",");
    if let Some(value) = betas(kind, &asked).and_then(|taken| HeaderValue::try_from(taken).ok()) {
        headers.insert("anthropic-beta", value);
    }
}

fn stream_type(dialect: DialectName) -> HeaderValue {
    HeaderValue::from_static(match dialect {
        DialectName::Bedrock => "application/vnd.amazon.eventstream",
        _ => "text/event-stream",
    })
}

fn bearer(token: Option<&str>) -> Result<HeaderValue, Fault> {
    let missing = "no token has been got for the provider's service account yet; try again in a moment";
    let token = token.ok_or_else(|| Fault::new(Code::UpstreamCredentials, missing).retry_after(1))?;
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Fault::new(Code::UpstreamCredentials, "the provider's token cannot be sent as a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn not_offered(provider: &Provider) -> Fault {
    Fault::new(Code::NotTranslatable, format!("provider {} does not offer this for this model", provider.name))
}
