//! A client of the admin API, for commands given `--url`. One connection per request; answers are bounded in size and
//! time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use gatehouse_domain::Secret;

use crate::failure::Failure;

/// The largest answer that is read: a usage report has at most 10,000 rows.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Rows asked for at once.
const PAGE: &str = "1000";
/// One request, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A file may be larger, and take longer.
const FILE_BYTES_MAX: usize = 1024 * 1024 * 1024;
const FILE_TIMEOUT: Duration = Duration::from_secs(600);

/// An admin API.
pub(crate) struct AdminClient {
    /// `http://host:port/prefix`, without a slash at its end.
    url: String,
    key: Option<Secret>,
}

/// An answer.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body, if it is JSON.
    pub(crate) body: Value,
}

/// The shape of the API's errors.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: String,
    #[serde(default)]
    hint: String,
    #[serde(default)]
    wrong: Vec<Wrong>,
}

/// One of several reasons.
#[derive(Deserialize)]
struct Wrong {
    object: Option<String>,
    pointer: String,
    message: String,
    hint: Option<String>,
}

impl ErrorDetail {
    /// What happened, with every reason on a line of its own.
    fn text(&self) -> String {
        let mut text = self.message.clone();
        for Wrong { object, pointer, message, hint } in &self.wrong {
            text.push_str("\n  ");
            text.push_str(object.as_deref().unwrap_or_default());
            text.push_str(pointer);
            if object.is_some() || !pointer.is_empty() {
                text.push_str(": ");
            }
            text.push_str(message);
            if let Some(hint) = hint {
                text.push_str(&format!(" ({hint})"));
            }
        }
        text
    }
}

impl AdminClient {
    /// A client of the gateway at a URL.
    pub(crate) fn new(url: &str, key: Option<Secret>) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), key }
    }

    /// The URL, for messages.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and expects to be given.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let answer = self.call(method, path, body).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(self.refused(&answer)) }
    }

    /// The rows of an answer.
    pub(crate) async fn rows(&self, path: &str) -> Result<Vec<Map<String, Value>>, Failure> {
        Ok(listed_rows(&self.ask(Method::GET, path, None).await?))
    }

    /// Every row of a listing that fits the filters, page by page.
    pub(crate) async fn every(
        &self,
        listing: &str,
        filters: &[(&str, Option<&str>)],
    ) -> Result<Vec<Map<String, Value>>, Failure> {
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = [("limit", Some(PAGE)), ("cursor", cursor.as_deref())];
            let answer = self.ask(Method::GET, &asked(listing, &[filters, &page[..]].concat()), None).await?;
            let before = rows.len();
            rows.extend(listed_rows(&answer));
            cursor = answer["next_cursor"].as_str().map(str::to_owned);
            // A gateway that repeats itself does not keep this here for ever.
            if cursor.is_none() || rows.len() == before {
                return Ok(rows);
            }
        }
    }

    fn refused(&self, answer: &Answer) -> Failure {
        let next = match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "give an admin key with --key or GATEHOUSE_ADMIN_KEY (auth.admin_key, or the one from the claim link)"
            }
            StatusCode::NOT_FOUND => "check the URL; with `admin_listen` the admin API has an address of its own",
            _ => "see the gateway's log",
        };
        match ErrorBody::deserialize(&answer.body) {
            Ok(ErrorBody { error }) if error.hint.is_empty() => Failure::problem(error.text(), next),
            Ok(ErrorBody { error }) => Failure::problem(error.text(), error.hint),
            Err(_) => Failure::problem(format!("{} answered {}", self.url, answer.status), next),
        }
    }

    /// Asks, and gives whatever is answered.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let (status, bytes) = self.fetch(method, path, body, ANSWER_BYTES_MAX, TIMEOUT).await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// Gets a file, whatever is in it.
    pub(crate) async fn download(&self, path: &str) -> Result<Bytes, Failure> {
        let (status, bytes) = self.fetch(Method::GET, path, None, FILE_BYTES_MAX, FILE_TIMEOUT).await?;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(self.refused(&Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }))
    }

    async fn fetch(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<(StatusCode, Bytes), Failure> {
        tokio::time::timeout(timeout, self.exchange(method, path, body, bytes_max)).await.unwrap_or_else(|_| {
            Err(Failure::problem(format!("{} did not answer within {} s", self.url, timeout.as_secs()), "try again"))
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        bytes_max: usize,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let uri: Uri = format!("{}{path}", self.url).parse().map_err(|_| self.not_a_url())?;
        let (host, tls) = match (uri.host(), uri.scheme_str()) {
            (Some(host), Some("https")) => (host.trim_matches(['[', ']']).to_owned(), true),
            (Some(host), Some("http")) => (host.trim_matches(['[', ']']).to_owned(), false),
            _ => return Err(self.not_a_url()),
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let request = self.request(method, &uri, body)?;
        let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|error| self.unreachable(&error))?;
        if !tls {
            return self.send(tcp, request, bytes_max).await;
        }
        let name = ServerName::try_from(host).map_err(|_| self.not_a_url())?;
        let stream = trust()?.connect(name, tcp).await.map_err(|error| self.unreachable(&error))?;
        self.send(stream, request, bytes_max).await
    }

    fn request(&self, method: Method, uri: &Uri, body: Option<&Value>) -> Result<Request<Full<Bytes>>, Failure> {
        let target = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, host)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("gatehouse-cli/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = &self.key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
                .map_err(|_| Failure::usage("the key has characters no key has", "copy it again, whole"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request.body(Full::new(bytes)).map_err(|_| self.not_a_url())
    }

    async fn send<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<(StatusCode, Bytes), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&error))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), bytes_max).collect().await.map_err(|error| {
                Failure::problem(format!("the answer of {} broke off: {error}", self.url), "try again")
            })?;
            Ok((status, body.to_bytes()))
        };
        tokio::pin!(exchange, connection);
        // The connection moves the bytes; it ends with the exchange.
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            _ = &mut connection => exchange.await,
        }
    }

    fn not_a_url(&self) -> Failure {
        Failure::usage(format!("`{}` is not a URL", self.url), "write it like http://127.0.0.1:8080")
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> Failure {
        let next = "check that the gateway runs there: gatehouse doctor --url …";
        Failure::problem(format!("cannot reach {}: {error}", self.url), next)
    }
}

fn trust() -> Result<TlsConnector, Failure> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::problem(error, ""))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The rows of an answer that lists.
pub(crate) fn listed_rows(answer: &Value) -> Vec<Map<String, Value>> {
    answer["rows"].as_array().into_iter().flatten().filter_map(|row| row.as_object().cloned()).collect()
}

/// A path with the parameters that were given.
pub(crate) fn asked(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?))));
    format!("{path}?{}", given.collect::<Vec<_>>().join("&"))
}

/// A value for a path or a query string.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_path_is_encoded() {
        assert_eq!(encoded("key_1/../?a=b&é"), "key_1%2F..%2F%3Fa%3Db%26%C3%A9");
    }
}
