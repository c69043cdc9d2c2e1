//! What the span exporter sends over: the same connections every other outbound request uses, so that TLS, trust anchors
//! and timers are in one place.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Origin, Payload, Timeouts};
use gatehouse_upstream::{Pool, SendError};
use http::header::HOST;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};

/// A collector says little; what is longer is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An HTTP client for the exporter.
#[derive(Clone)]
pub(crate) struct Transport {
    pool: Pool,
    timeout: Duration,
}

impl Transport {
    /// `timeout` is for one whole exchange.
    pub(crate) fn new(pool: Pool, timeout: Duration) -> Self {
        Self { pool, timeout }
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut parts, body) = request.into_parts();
        let origin = origin_of(&parts.uri).ok_or("not an http or https URL")?;
        let host = parts.uri.authority().map_or(&*origin.host, |authority| authority.as_str());
        parts.headers.insert(HOST, HeaderValue::from_str(host)?);
        // On the wire a request names the path only.
        parts.uri = Uri::from(parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        let timeouts = Timeouts { connect: self.timeout, first_byte: self.timeout, ..Timeouts::default() };
        let request = Request::from_parts(parts, Payload::from(body));
        let mut sent = self.pool.send(&origin, &timeouts, request).await.map_err(said)?;
        let mut answer = BytesMut::new();
        while let Some(chunk) = sent.body.chunk().await {
            answer.extend_from_slice(&chunk?);
            if answer.len() > ANSWER_BYTES_MAX {
                return Err("the collector's answer is too long".into());
            }
        }
        let mut response = Response::new(answer.freeze());
        *response.status_mut() = sent.head.status;
        *response.headers_mut() = sent.head.headers;
        Ok(response)
    }
}

#[async_trait::async_trait]
impl HttpClient for Transport {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::timeout(self.timeout, self.exchange(request)).await?
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

/// Where a URL leads; `None` if it is not one that spans can be sent to.
pub(crate) fn origin(url: &str) -> Option<Origin> {
    origin_of(&url.parse().ok()?)
}

fn origin_of(url: &Uri) -> Option<Origin> {
    let tls = match url.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
    (!host.is_empty()).then(|| Origin { tls, host: host.into(), port })
}

fn said(error: SendError) -> HttpError {
    match error {
        SendError::Connect(error) => Box::new(error),
        SendError::Broken(error) => Box::new(error),
        SendError::FirstByteTimeout => Box::new(io::Error::from(io::ErrorKind::TimedOut)),
    }
}
