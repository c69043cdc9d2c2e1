//! Streamable HTTP of 2026-07-28: every request is a `POST` of its own that says everything itself, and its answer is one JSON text
//! or a stream of events that ends with the response. There is nothing to keep, and to let go of the stream is to cancel.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_mcp_gateway::era::probe::{self, Found};
use gatehouse_mcp_gateway::era::{Revision, stamp};
use gatehouse_mcp_gateway::wire::{code, read};
use gatehouse_mcp_gateway::{Id, Message, Request, Response};
use gatehouse_upstream::{Pool, Sent};
use http::{HeaderName, HeaderValue};

use super::answer::{self, Answer, Events, Stopped};
use super::endpoint::Endpoint;
use super::handshake::{self, facts};
use super::http::Missed;
use super::{Client, Doing, Exchange, Failure, Hello, Outgoing};

/// A server that has been found to speak it.
pub(super) struct Modern {
    endpoint: Arc<Endpoint>,
    revision: Revision,
    pub(super) hello: Arc<Hello>,
}

/// What a server says that is asked for the first time.
pub(super) enum Discovered {
    /// It is modern.
    Modern(Modern),
    /// It is of the older era.
    Legacy,
}

/// Asks `server/discover`.
///
/// # Errors
/// When there is no answer that says anything about eras.
pub(super) async fn discover(
    endpoint: &Arc<Endpoint>,
    pool: &Pool,
    client: &Client,
    incarnation: u64,
) -> Result<Discovered, Failure> {
    let mut revision = Revision::LATEST;
    for _ in 0..2 {
        let request = handshake::discover(revision, client);
        let id = request.id.clone();
        let sent = post(endpoint, pool, revision, &request, &[], client).await?;
        let (status, headers) = (sent.head.status, sent.head.headers.clone());
        let answer = first_message(endpoint, sent, &id).await?;
        match (probe::of_http(status.as_u16(), answer.as_ref()), answer) {
            (Found::Modern(spoken), Some(Message::Response(Response { outcome: Ok(result), .. }))) => {
                let hello = Arc::new(handshake::of_discover(spoken, &result, incarnation));
                return Ok(Discovered::Modern(Modern { endpoint: Arc::clone(endpoint), revision: spoken, hello }));
            }
            (Found::Modern(spoken), _) => revision = spoken,
            (Found::Stranger, _) => return Err(handshake::stranger(&endpoint.server().name)),
            (Found::Legacy, _) => return Ok(Discovered::Legacy),
            (Found::Unsaid, _) => return Err(endpoint.refused(status, &headers)),
        }
    }
    Err(endpoint.broken("names a revision of the protocol and then refuses it"))
}

/// The response to the first request, whatever status it comes with; `None` where the body is no message.
async fn first_message(endpoint: &Endpoint, sent: Sent, id: &Id) -> Result<Option<Message>, Failure> {
    if !sent.head.status.is_success() {
        return Ok(read(endpoint.refusal(sent.body).await).ok());
    }
    match answer::open(endpoint, sent).await? {
        Answer::Nothing => Ok(None),
        Answer::Whole(text) => Ok(read(text).ok()),
        Answer::Stream(events) => {
            let mut exchange = Stream { endpoint, events: Some(events), id: id.clone(), answered: false };
            while let Some(message) = exchange.next_message().await {
                if let message @ Message::Response(_) = message? {
                    return Ok(Some(message));
                }
            }
            Ok(None)
        }
    }
}

async fn post(
    endpoint: &Endpoint,
    pool: &Pool,
    revision: Revision,
    request: &Request,
    param_headers: &[(Arc<str>, Arc<str>)],
    client: &Client,
) -> Result<Sent, Failure> {
    let mut said = stamp::headers(revision, request);
    for (name, value) in param_headers {
        said.push(header(endpoint, name, value)?);
    }
    if let Some(trace) = &client.traceparent {
        said.push(header(endpoint, "traceparent", trace)?);
    }
    endpoint.post(pool, &said, request.write()).await
}

fn header(endpoint: &Endpoint, name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(endpoint.broken("declares a header that is none")),
    }
}

impl Modern {
    /// Sends a request.
    ///
    /// # Errors
    /// `OtherEra` when the server no longer speaks this way; it has not begun then.
    pub(super) async fn ask(&self, pool: &Pool, outgoing: &Outgoing) -> Result<Box<dyn Exchange>, Missed> {
        let request = stamp::body(self.revision, outgoing.request.clone(), facts(&outgoing.client));
        let (id, endpoint) = (request.id.clone(), &self.endpoint);
        let sent = post(endpoint, pool, self.revision, &request, &outgoing.param_headers, &outgoing.client).await?;
        if !sent.head.status.is_success() {
            return self.refused(sent, id).await;
        }
        match answer::open(endpoint, sent).await? {
            Answer::Nothing => Err(endpoint.broken("took the request and did not answer it").into()),
            Answer::Whole(text) => Ok(Box::new(Single(Some(response(endpoint, text, id)?)))),
            Answer::Stream(events) => {
                Ok(Box::new(Stream { endpoint: Arc::clone(endpoint), events: Some(events), id, answered: false }))
            }
        }
    }

    /// A status that is no success: an error of the protocol, or of HTTP.
    async fn refused(&self, sent: Sent, id: Id) -> Result<Box<dyn Exchange>, Missed> {
        let (status, headers) = (sent.head.status, sent.head.headers);
        let body = self.endpoint.refusal(sent.body).await;
        let error = match read(body) {
            Ok(Message::Response(Response { outcome: Err(error), .. })) => Some(error),
            _ => None,
        };
        match (status.as_u16(), error) {
            (401 | 403 | 429 | 502..=504, _) => Err(self.endpoint.refused(status, &headers).into()),
            (_, Some(error)) if error.code == code::UNSUPPORTED_VERSION => Err(Missed::OtherEra),
            (_, Some(error)) => Ok(Box::new(Single(Some(Response::error(Some(id), error))))),
            (400 | 404 | 405, None) => Err(Missed::OtherEra),
            (_, None) => Err(self.endpoint.refused(status, &headers).into()),
        }
    }
}

/// The response in one JSON text. Errors need not say whose they are: there is one request.
fn response(endpoint: &Endpoint, text: Bytes, id: Id) -> Result<Response, Failure> {
    match read(text) {
        Ok(Message::Response(response)) if response.id.as_ref() == Some(&id) => Ok(response),
        Ok(Message::Response(Response { id: None, outcome: Err(error) })) => Ok(Response::error(Some(id), error)),
        Ok(_) => Err(endpoint.broken("answered something else than it was asked")),
        Err(unread) => Err(endpoint.broken(&format!("answered what cannot be read: {}", unread.why))),
    }
}

/// A response that is there already.
struct Single(Option<Response>);

impl Exchange for Single {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        let response = self.0.take();
        Box::pin(std::future::ready(response.map(|response| Ok(response.into()))))
    }

    fn at_hand(&mut self) -> Option<Message> {
        self.0.take().map(Message::from)
    }
}

/// Notifications, and the response at last. To drop it before that is to cancel the request.
struct Stream<E> {
    endpoint: E,
    events: Option<Events>,
    id: Id,
    answered: bool,
}

impl<E> Drop for Stream<E> {
    fn drop(&mut self) {
        if let Some(events) = self.events.take().filter(|_| self.answered) {
            events.finish();
        }
    }
}

impl<E: std::ops::Deref<Target = Endpoint> + Send> Stream<E> {
    async fn next_message(&mut self) -> Option<Result<Message, Failure>> {
        while !self.answered {
            let event = match self.events.as_mut()?.next().await {
                Some(Ok(event)) => event,
                stopped => {
                    self.events = None;
                    return Some(Err(match stopped {
                        Some(Err(Stopped::TooLong)) => {
                            self.endpoint.broken("sent an event longer than a message may be")
                        }
                        _ => self.endpoint.cut(),
                    }));
                }
            };
            if !answer::is_message(&event) {
                continue;
            }
            match read(event.data) {
                Ok(Message::Response(response)) if response.id.as_ref().is_none_or(|id| *id == self.id) => {
                    self.answered = true;
                    return Some(Ok(Response { id: Some(self.id.clone()), ..response }.into()));
                }
                Ok(notification @ Message::Notification(_)) => return Some(Ok(notification)),
                // Servers of this era do not ask, and what is not this request's response is nobody's.
                Ok(_) => {}
                Err(unread) => {
                    self.events = None;
                    let what = format!("sent an event that cannot be read: {}", unread.why);
                    return Some(Err(self.endpoint.broken(&what)));
                }
            }
        }
        None
    }
}

impl Exchange for Stream<Arc<Endpoint>> {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(self.next_message())
    }
}
