//! A guardrail that somebody else runs: texts are posted to an address and an answer says what shall become of them.
//!
//! The call waits for it, under the webhook's own timer. Whatever is not a clear answer in time is a failure, and a failure
//! is closed unless the configuration says otherwise.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Origin, Payload, Point, Principal, RequestId, Secret, Timeouts};
use gatehouse_policy::guardrails::{Action, Scope};
use gatehouse_upstream::{Egress, Pool, SendError};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use serde::{Deserialize, Serialize};

/// The largest answer that is read, besides room for the texts that were sent.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The longest reason that is told.
const REASON_CHARS_MAX: usize = 200;

/// A webhook at its post.
pub struct Webhook {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where it is asked.
    pub on: Vec<Point>,
    /// The most that follows from its answer: one that observes is asked and not followed.
    pub action: Action,
    /// For whom it is asked.
    pub scope: Scope,
    /// Do texts pass if it fails? Recorded either way.
    pub fail_open: bool,
    /// Where it is.
    pub origin: Origin,
    /// Path and query.
    pub path: http::uri::PathAndQuery,
    /// Sent as a bearer token.
    pub token: Option<Secret>,
    /// From the question to the last byte of the answer.
    pub timeout: std::time::Duration,
    /// To which addresses connections may lead.
    pub egress: Egress,
}

/// Texts of one point.
pub(super) struct Question<'a> {
    pub(super) point: Point,
    pub(super) texts: Vec<&'a str>,
    pub(super) who: &'a Principal,
    pub(super) model: &'a str,
    pub(super) id: RequestId,
}

/// What a webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Block {
        /// In the webhook's words, in bounds.
        reason: String,
    },
    Redact {
        /// As many as were sent, in their order.
        texts: Vec<String>,
    },
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    TimedOut,
    Unreachable,
    Refused,
    Status(StatusCode),
    NoAnswer,
    WrongTexts,
}

impl Failure {
    /// In words that a caller may read.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::TimedOut => "it did not answer in time",
            Self::Unreachable => "it cannot be reached",
            Self::Refused => "its address may not be called",
            Self::Status(_) | Self::NoAnswer | Self::WrongTexts => "its answer is none",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it answered with status {status}"),
            Self::WrongTexts => f.write_str("it gave back other texts than as many as it got, or no JSON for JSON"),
            Self::NoAnswer => {
                f.write_str("its answer is not `{\"action\": \"allow\"}`, `block` or `redact` with `texts`")
            }
            Self::Refused => {
                f.write_str("its address is private, local or reserved; `allow_private: true` lets it be called")
            }
            other => f.write_str(other.what()),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    point: &'static str,
    texts: &'a [&'a str],
    principal: Who<'a>,
    model: &'a str,
    request_id: String,
}

#[derive(Serialize)]
struct Who<'a> {
    kind: &'static str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    action: Said,
    #[serde(default)]
    texts: Option<Vec<String>>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Allow,
    Block,
    Redact,
}

impl Webhook {
    /// Asks. The answer, or why there is none.
    pub(super) async fn ask(&self, pool: &Pool, question: &Question<'_>) -> Result<Verdict, Failure> {
        let sent: usize = question.texts.iter().map(|text| text.len()).sum();
        let limit = ANSWER_BYTES_MAX + 6 * sent;
        let answered = tokio::time::timeout(self.timeout, self.exchange(pool, question, limit));
        let bytes = answered.await.unwrap_or(Err(Failure::TimedOut))?;
        read(&bytes, &question.texts)
    }

    async fn exchange(&self, pool: &Pool, question: &Question<'_>, limit: usize) -> Result<Bytes, Failure> {
        let request = self.request(question).ok_or(Failure::NoAnswer)?;
        let timeouts = Timeouts {
            connect: self.timeout,
            first_byte: self.timeout,
            between_chunks: self.timeout,
            total: self.timeout,
        };
        let sent = pool.send_through(self.egress, &self.origin, &timeouts, request).await;
        let mut sent = sent.map_err(|error| match error {
            SendError::FirstByteTimeout => Failure::TimedOut,
            SendError::Connect(error) => match error.kind() {
                std::io::ErrorKind::PermissionDenied => Failure::Refused,
                std::io::ErrorKind::TimedOut => Failure::TimedOut,
                _ => Failure::Unreachable,
            },
            SendError::Broken(_) => Failure::Unreachable,
        })?;
        if sent.head.status != StatusCode::OK {
            return Err(Failure::Status(sent.head.status));
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) = sent.body.chunk().await {
            whole.extend_from_slice(&chunk.map_err(|_| Failure::Unreachable)?);
            if whole.len() > limit {
                return Err(Failure::NoAnswer);
            }
        }
        Ok(whole.freeze())
    }

    fn request(&self, question: &Question<'_>) -> Option<Request<Payload>> {
        let who = question.who;
        let body = serde_json::to_vec(&Body {
            point: question.point.word(),
            texts: &question.texts,
            principal: Who {
                kind: who.kind.as_str(),
                key: &who.name,
                team: who.team.as_deref(),
                user: who.user.as_deref(),
                agent: who.agent.as_deref(),
            },
            model: question.model,
            request_id: question.id.to_string(),
        });
        let mut request = Request::new(Payload::from(Bytes::from(body.ok()?)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from(self.path.clone());
        let Origin { host, port, .. } = &self.origin;
        let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(host).ok()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal())).ok()?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Some(request)
    }
}

fn read(bytes: &[u8], sent: &[&str]) -> Result<Verdict, Failure> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|_| Failure::NoAnswer)?;
    Ok(match answer.action {
        Said::Allow => Verdict::Allow,
        Said::Block => {
            let reason = answer.reason.unwrap_or_default();
            Verdict::Block { reason: reason.chars().filter(|said| !said.is_control()).take(REASON_CHARS_MAX).collect() }
        }
        Said::Redact => {
            let texts = answer.texts.ok_or(Failure::NoAnswer)?;
            let fits = texts.len() == sent.len() && sent.iter().zip(&texts).all(|(old, new)| keeps_json(old, new));
            if !fits {
                return Err(Failure::WrongTexts);
            }
            Verdict::Redact { texts }
        }
    })
}

/// Arguments of tools are JSON objects or lists; what stands in their place must be, too.
fn keeps_json(old: &str, new: &str) -> bool {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    old == new || !old.trim_start().starts_with(['{', '[']) || !is_json(old) || is_json(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_is_one() {
        assert_eq!(read(br#"{"action":"allow"}"#, &["a"]), Ok(Verdict::Allow));
        assert_eq!(read(br#"{"action":"block","reason":"no\n"}"#, &["a"]), Ok(Verdict::Block { reason: "no".into() }));
        for none in ["", "ok", "{}", r#"{"action":"maybe"}"#, r#"{"action":"redact"}"#] {
            assert_eq!(read(none.as_bytes(), &["a"]), Err(Failure::NoAnswer), "{none}");
        }
    }

    #[test]
    fn redacted_texts_are_as_many_and_stay_json_where_they_were() {
        let redacted =
            |texts: &str, sent: &[&str]| read(format!(r#"{{"action":"redact","texts":{texts}}}"#).as_bytes(), sent);
        assert_eq!(redacted(r#"["b"]"#, &["a"]), Ok(Verdict::Redact { texts: vec!["b".into()] }));
        assert_eq!(redacted(r#"["b","c"]"#, &["a"]), Err(Failure::WrongTexts));
        assert_eq!(redacted(r#"["gone"]"#, &[r#"{"q":1}"#]), Err(Failure::WrongTexts));
    }
}
