//! From what the configuration gives for one provider to a value that requests can be written with.

use std::sync::Arc;

use gatehouse_domain::{Origin, Secret, TokenGrant};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use http::{Uri, header};

use super::kind::{Auth, Native, Needs, Place, ProviderKind, Wants};
use super::sigv4::{Signer, authority};
use super::{ALL, kind, vertex_token};
use crate::dialects::DialectName;

/// What the configuration gives for one provider, references already resolved.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where it is, if not at the kind's own address.
    pub base_url: Option<String>,
    /// API key.
    pub api_key: Option<Secret>,
    /// AWS region.
    pub region: Option<String>,
    /// AWS access key id.
    pub access_key_id: Option<String>,
    /// AWS secret access key.
    pub secret_access_key: Option<Secret>,
    /// AWS session token, for temporary credentials.
    pub session_token: Option<Secret>,
    /// Google project; else that of the credentials.
    pub project: Option<String>,
    /// Google location.
    pub location: Option<String>,
    /// Google service-account key, the JSON text.
    pub credentials: Option<Secret>,
    /// Azure API version.
    pub api_version: Option<String>,
    /// The one dialect to speak, of those the kind has.
    pub dialect: Option<String>,
    /// Headers to send with every request, over any of the gateway's own.
    pub headers: Vec<(String, Secret)>,
}

/// Something in the settings that cannot stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key in the provider's settings.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

/// A provider, ready to be called. Cheap to clone a request from: everything that is the same for each was made once.
#[derive(Clone)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its kind.
    pub kind: &'static ProviderKind,
    /// The one dialect to speak to it, if it is kept to one.
    pub only: Option<DialectName>,
    /// Where to connect.
    pub origin: Origin,
    /// What paths are built from.
    pub place: Place,
    /// Signs requests, for AWS.
    pub(super) signer: Option<Signer>,
    /// The grant whose token requests must carry, for Google.
    pub grant: Option<TokenGrant>,
    /// Headers by native dialect, credentials included and marked sensitive.
    headers: Vec<(DialectName, HeaderMap)>,
}

impl Provider {
    /// The dialect to write for a caller: the one it is kept to, else as its kind says.
    #[must_use]
    pub fn dialect_for(&self, caller: DialectName, model: &str, wants: Wants) -> Option<DialectName> {
        self.only.or_else(|| self.kind.dialect_for(caller, model, wants))
    }

    /// The values of all headers that carry credentials.
    pub(super) fn sensitive_headers(&self) -> impl Iterator<Item = &[u8]> {
        let values = self.headers.iter().flat_map(|(_, headers)| headers.values());
        values.filter(|value| value.is_sensitive()).map(HeaderValue::as_bytes)
    }

    /// The headers every request of a dialect begins with.
    pub(super) fn headers_for(&self, dialect: DialectName) -> Option<&HeaderMap> {
        self.headers.iter().find(|(own, _)| *own == dialect).map(|(_, headers)| headers)
    }
}

/// Checks the settings of the provider called `name` and makes it ready.
///
/// # Errors
/// Every problem there is, not only the first.
pub fn resolve(name: &str, kind_name: &str, settings: &Settings) -> Result<Provider, Vec<Problem>> {
    let Some(kind) = kind(kind_name) else { return Err(vec![unknown_kind(kind_name)]) };
    let settings = &without_empties(settings);
    let mut problems = missing(kind, settings);
    let grant = google_grant(kind, settings).map_err(|problem| problems.push(problem)).ok().flatten();
    let address = address(kind, settings).map_err(|problem| problems.push(problem)).ok();
    let project = settings.project.clone().or_else(|| grant.as_ref().and_then(|(_, project)| project.clone()));
    if grant.is_some() && project.is_none() {
        problems.push(problem("project", "the credentials do not name a project", "set project: to the project's id"));
    }
    let words = [
        ("region", &settings.region),
        ("project", &project),
        ("location", &settings.location),
        ("api_version", &settings.api_version),
    ];
    for (field, value) in words {
        if value.as_deref().is_some_and(|text| !is_plain(text)) {
            problems.push(problem(field, "may only hold letters, digits, `-`, `_`, `.` and `:`", "check for spaces"));
        }
    }
    let only = only(kind, settings).map_err(|problem| problems.push(problem)).ok().flatten();
    let grant = grant.map(|(grant, _)| grant);
    check_headers(settings, &mut problems);
    match address {
        Some((origin, base)) if problems.is_empty() => {
            let headers =
                kind.native.iter().map(|native| (native.dialect, headers(native, settings, &origin))).collect();
            let root = base.strip_suffix(kind.version_path).unwrap_or(&base).to_owned();
            let (location, api_version) = (settings.location.clone(), settings.api_version.clone());
            let place = Place { base, root, project, location, api_version };
            let signer = signer(kind, settings);
            Ok(Provider { name: name.into(), kind, only, origin, place, signer, grant, headers })
        }
        _ => Err(problems),
    }
}

/// A reference that resolved to nothing (`${NAME:-}`) is a setting that was not given.
fn without_empties(settings: &Settings) -> Settings {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let secret = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.is_empty());
    Settings {
        base_url: text(&settings.base_url),
        api_key: secret(&settings.api_key),
        region: text(&settings.region),
        access_key_id: text(&settings.access_key_id),
        secret_access_key: secret(&settings.secret_access_key),
        session_token: secret(&settings.session_token),
        project: text(&settings.project),
        location: text(&settings.location),
        credentials: secret(&settings.credentials),
        api_version: text(&settings.api_version),
        dialect: text(&settings.dialect),
        headers: settings.headers.clone(),
    }
}

/// The dialect the provider is kept to, if it is one that its kind speaks.
fn only(kind: &ProviderKind, settings: &Settings) -> Result<Option<DialectName>, Problem> {
    let Some(name) = &settings.dialect else { return Ok(None) };
    let wanted = DialectName::parse(name).filter(|wanted| kind.native.iter().any(|native| native.dialect == *wanted));
    wanted.map(Some).ok_or_else(|| {
        let spoken: Vec<&str> = kind.native.iter().map(|native| native.dialect.as_str()).collect();
        problem("dialect", format!("{} does not speak `{name}`", kind.name), format!("it speaks {}", spoken.join(", ")))
    })
}

fn problem(field: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Problem {
    Problem { field, message: message.into(), hint: Some(hint.into()) }
}

fn unknown_kind(name: &str) -> Problem {
    let near = ALL
        .iter()
        .map(|kind| (strsim::jaro_winkler(name, kind.name), kind.name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match near {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None => {
            "use `openai-compatible` or `anthropic-compatible` with a base_url for servers that speak those".to_owned()
        }
    };
    problem("kind", format!("there is no provider kind `{name}`"), hint)
}

/// What the kind needs and the settings lack.
fn missing(kind: &ProviderKind, settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let has_key = settings.api_key.is_some();
    match kind.needs {
        Needs::Nothing => {}
        Needs::Key if has_key => {}
        Needs::Key => {
            let variable = kind.key_env.first().copied().unwrap_or("API_KEY");
            problems.push(problem(
                "api_key",
                format!("{} needs a key", kind.name),
                format!("set api_key: \"${{{variable}}}\" and put the key into that environment variable"),
            ));
        }
        Needs::Aws => missing_aws(settings, has_key, &mut problems),
        Needs::Google => missing_google(settings, has_key, &mut problems),
    }
    problems
}

fn missing_aws(settings: &Settings, has_key: bool, problems: &mut Vec<Problem>) {
    // A region is part of the address and of the signature; a bearer of a key at an address of its own needs neither.
    if settings.region.is_none() && (settings.base_url.is_none() || !has_key) {
        problems.push(problem("region", "bedrock needs a region", "set region: us-east-1, or where your models are"));
    }
    if has_key {
        return;
    }
    if settings.access_key_id.is_none() {
        let hint = "set access_key_id and secret_access_key, or api_key with a Bedrock API key";
        problems.push(problem("access_key_id", "bedrock needs credentials", hint));
    } else if settings.secret_access_key.is_none() {
        let hint = "set secret_access_key: \"${AWS_SECRET_ACCESS_KEY}\"";
        problems.push(problem("secret_access_key", "the access key has no secret", hint));
    }
}

fn missing_google(settings: &Settings, has_key: bool, problems: &mut Vec<Problem>) {
    let has_credentials = settings.credentials.is_some();
    if !has_key && !has_credentials {
        let hint = "set credentials: \"${file:/run/secrets/google.json}\", or api_key for express mode";
        problems.push(problem("credentials", "vertex needs credentials", hint));
    }
    if has_credentials && settings.location.is_none() {
        problems.push(problem("location", "vertex needs a location", "set location: global, or us-central1"));
    }
}

/// Text that may stand in a host name or path segment as it is.
fn is_plain(text: &str) -> bool {
    let dots_only = text.bytes().all(|byte| byte == b'.');
    !dots_only && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Origin and base path. A URL that is only a host takes the path of the kind's own base URL, so that
/// `http://127.0.0.1:8000` and `http://127.0.0.1:8000/v1` mean the same; a URL with a path is taken as it is.
fn address(kind: &ProviderKind, settings: &Settings) -> Result<(Origin, String), Problem> {
    let default = kind.default_base_url.map(|template| fill_in(template, settings));
    let Some(url) = settings.base_url.as_deref().or(default.as_deref()) else {
        let hint = match kind.name {
            "demo" => "the demo provider is started by `gatehouse up`, which knows where it is".to_owned(),
            "azure-openai" => "set base_url: https://RESOURCE.openai.azure.com".to_owned(),
            _ => "set base_url: http://127.0.0.1:8000/v1, or where your server listens".to_owned(),
        };
        return Err(problem("base_url", format!("{} has no address of its own", kind.name), hint));
    };
    let bad = |why: &str| problem("base_url", format!("`{url}` {why}"), "write it like https://host/v1");
    let uri: Uri = url.parse().map_err(|_| bad("is not a URL"))?;
    let tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err(bad("does not begin with http:// or https://")),
    };
    let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(problem("base_url", "holds a user or password", "put credentials into api_key or headers"));
    }
    if uri.query().is_some() {
        return Err(bad("has a query"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(bad("has no host"));
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let base = match uri.path().trim_end_matches('/') {
        "" => default_path(kind),
        path => path.to_owned(),
    };
    Ok((Origin { tls, host: host.into(), port }, base))
}

/// Vertex's `global` location has no prefix.
fn fill_in(template: &str, settings: &Settings) -> String {
    let region = settings.region.as_deref().unwrap_or("us-east-1");
    match settings.location.as_deref() {
        None | Some("global") => template.replace("{location}-", ""),
        Some(location) => template.replace("{location}", location),
    }
    .replace("{region}", region)
}

fn default_path(kind: &ProviderKind) -> String {
    match kind.default_base_url {
        None => kind.version_path.to_owned(),
        Some(url) => {
            let host_and_path = url.split_once("://").map_or(url, |(_, rest)| rest);
            host_and_path.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default()
        }
    }
}

fn signer(kind: &ProviderKind, settings: &Settings) -> Option<Signer> {
    if kind.needs != Needs::Aws || settings.api_key.is_some() {
        return None;
    }
    Some(Signer {
        access_key_id: settings.access_key_id.clone()?,
        secret_access_key: settings.secret_access_key.clone()?,
        session_token: settings.session_token.clone(),
        region: settings.region.clone()?,
        service: "bedrock",
    })
}

/// The grant of a service account and the project its key names.
fn google_grant(kind: &ProviderKind, settings: &Settings) -> Result<Option<(TokenGrant, Option<String>)>, Problem> {
    match &settings.credentials {
        Some(json) if kind.needs == Needs::Google => vertex_token::grant(json)
            .map(Some)
            .map_err(|why| problem("credentials", why, "download a JSON key of a service account and refer to it")),
        _ => Ok(None),
    }
}

/// What cannot be sent: found once, before headers are made for each dialect.
fn check_headers(settings: &Settings, problems: &mut Vec<Problem>) {
    if settings.api_key.as_ref().is_some_and(|key| sensitive(key.reveal()).is_none()) {
        let hint = "check the file or variable it comes from for a line break at its end";
        problems.push(problem("api_key", "holds a control character", hint));
    }
    for (name, value) in &settings.headers {
        if header_name(name).is_none() || sensitive(value.reveal()).is_none() {
            let hint = "names are letters and digits, values one line; framing headers belong to the gateway";
            problems.push(problem("headers", format!("`{name}` cannot be sent as a header"), hint));
        }
    }
}

/// What every request of one dialect carries.
fn headers(native: &Native, settings: &Settings, origin: &Origin) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    if let Ok(host) = HeaderValue::try_from(authority(origin)) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("gatehouse/", env!("CARGO_PKG_VERSION"))));
    if native.dialect == DialectName::Anthropic && native.auth != Auth::Grant {
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    // A service account's token, where there is one, is fetched and goes in with each request.
    let key = settings.api_key.as_ref().filter(|_| native.auth != Auth::Grant || settings.credentials.is_none());
    if let Some(key) = key {
        let (name, value) = match native.auth {
            Auth::Bearer | Auth::SigV4 => (AUTHORIZATION, sensitive(&format!("Bearer {}", key.reveal()))),
            Auth::XApiKey => (HeaderName::from_static("x-api-key"), sensitive(key.reveal())),
            Auth::GoogApiKey | Auth::Grant => (HeaderName::from_static("x-goog-api-key"), sensitive(key.reveal())),
            Auth::ApiKey => (HeaderName::from_static("api-key"), sensitive(key.reveal())),
        };
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    for (name, value) in &settings.headers {
        if let (Some(name), Some(value)) = (header_name(name), sensitive(value.reveal())) {
            headers.insert(name, value);
        }
    }
    headers
}

/// A name the configuration may set. Not those that frame the message: a wrong one would let one request be read as two.
fn header_name(name: &str) -> Option<HeaderName> {
    const FRAMING: [HeaderName; 6] = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
    ];
    HeaderName::try_from(name).ok().filter(|name| !FRAMING.contains(name))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
