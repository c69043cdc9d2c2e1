//! What a call of the Responses API has to do with what is kept: the conversation it continues, and whether its own answer
//! is kept.
//!
//! Who keeps depends on the target. A provider that speaks Responses keeps its answers itself; the gateway remembers which
//! provider that was. For every other target the gateway keeps request and answer. Calls in the background are always run
//! and kept here, whoever answers, so that each of them is counted like any other call.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Background, Code, Fault, Keep, Kept, Now, Reply, Stage};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::value::RawValue;

use super::doors::Entrance;
use super::peek::Peek;
use crate::dialects::Listener;
use crate::dialects::openai_responses::state::{self, Pending, Record};
use crate::estimate;
use crate::form::{Ask, Issuer};
use crate::providers::DialectName;

/// How long anything is kept.
const KEPT_MS: u64 = 30 * 24 * 3600 * 1000;
/// Largest request, and largest answer, that is kept.
pub(crate) const PART_BYTES_MAX: usize = 1 << 20;
/// Room asked for an answer nobody knows yet.
const ANSWER_BYTES: usize = 64 << 10;
/// Longest conversation that is joined.
const HISTORY_BYTES_MAX: usize = 32 << 20;
const HISTORY_TURNS_MAX: usize = 1000;

/// One call's dealings with what is kept.
pub(crate) struct Memory {
    /// What must be looked up next.
    next: Option<Arc<str>>,
    /// The turns kept here, newest first.
    history: Vec<Record>,
    history_bytes: usize,
    /// The response that is continued, as the client names it.
    continues: Option<String>,
    /// The provider that keeps the conversation, or its beginning, and the name it has there.
    elsewhere: Option<(Arc<str>, Arc<str>)>,
    /// `store`, as the client said it.
    store: Option<bool>,
    /// Does the client want the answer kept? The API's default is yes.
    pub(crate) wanted: bool,
    /// Can it be kept here?
    pub(crate) room: bool,
    pub(crate) background: bool,
}

impl Memory {
    pub(crate) fn new(entrance: Entrance, peek: &Peek) -> Result<Self, Fault> {
        let answers = entrance == Entrance::Chat;
        let background = answers && peek.background;
        if background && peek.store == Some(false) {
            return Err(wrong("store", "a response in the background must be stored; leave `store` out"));
        }
        if background && peek.stream {
            let message = "streams of responses in the background come with a later release; leave `stream` out and poll with GET /v1/responses/{id}";
            return Err(Fault::new(Code::NotYetServed, message).at("stream"));
        }
        Ok(Self {
            next: peek.previous.as_deref().map(Arc::from),
            history: Vec::new(),
            history_bytes: 0,
            continues: peek.previous.clone(),
            elsewhere: None,
            store: peek.store,
            wanted: answers && peek.store != Some(false),
            room: false,
            background,
        })
    }

    pub(crate) fn recalls(&self) -> Option<Arc<str>> {
        self.next.clone()
    }

    pub(crate) fn recalled(&mut self, kept: Option<Kept>) -> Result<(), Fault> {
        let Some(id) = self.next.take() else { return Ok(()) };
        let kept = kept.ok_or_else(|| previous_not_found(&id))?;
        match kept.stage {
            Stage::Elsewhere => {
                let provider = std::str::from_utf8(&kept.answer).map_err(|_| previous_not_found(&id))?;
                self.elsewhere = Some((provider.into(), id));
            }
            Stage::Open => {
                return Err(wrong(
                    "previous_response_id",
                    "the response to be continued is still in progress; wait until it is completed",
                ));
            }
            Stage::Lost => return Err(wrong("previous_response_id", "the response to be continued failed")),
            Stage::Done => {
                self.history_bytes += kept.request.len() + kept.answer.len();
                if self.history_bytes > HISTORY_BYTES_MAX || self.history.len() >= HISTORY_TURNS_MAX {
                    return Err(wrong(
                        "previous_response_id",
                        "the conversation to be continued is too long; send what matters of it as `input`",
                    ));
                }
                let record = state::record(&kept.request, &kept.answer)?;
                self.next = record.previous.as_deref().map(Arc::from);
                self.history.push(record);
            }
        }
        Ok(())
    }

    /// Learns whether there is room for the answer here.
    pub(crate) fn room(&mut self, request: &[u8], offered: bool, free: &dyn Fn(usize) -> bool) -> Result<(), Fault> {
        self.room = self.wanted && offered && request.len() <= PART_BYTES_MAX && free(request.len() + ANSWER_BYTES);
        if !self.background || self.room {
            return Ok(());
        }
        Err(if !offered {
            wrong(
                "background",
                "this gateway stores no responses, and one in the background must be stored; leave `background` out",
            )
        } else if request.len() > PART_BYTES_MAX {
            wrong("background", "the request is over 1 MiB, which is too large to be stored; leave `background` out")
        } else {
            Fault::new(Code::Overloaded, "responses cannot be stored right now; try again, or leave `background` out")
                .retry_after(1)
        })
    }

    /// Tokens of the conversation that the body does not show.
    pub(crate) fn tokens(&self) -> u64 {
        estimate::estimate_bytes(self.history_bytes as u64)
    }

    /// The provider that must answer, because it keeps what is continued.
    pub(crate) fn bound_to(&self) -> Option<&str> {
        self.elsewhere.as_ref().map(|(provider, _)| &**provider)
    }

    /// Must the request be written anew even for a target of the caller's dialect?
    pub(crate) fn rewrites(&self) -> bool {
        self.background || !self.history.is_empty()
    }

    /// The request with everything it continues.
    pub(crate) fn ask(&mut self, body: &[u8]) -> Result<Ask, Fault> {
        self.history.reverse();
        let joined = state::join(body, &self.history);
        self.history.reverse();
        joined
    }

    /// Is the answer of a target of this dialect lost once the client has it, though it was to be kept?
    pub(crate) fn unkept(&self, spoken: DialectName) -> bool {
        spoken != DialectName::OpenAiResponses && self.wanted && !self.room
    }

    /// Before a request is written: takes out of it what the gateway does itself.
    pub(crate) fn hand_over(&self, ask: &mut Ask, to: DialectName) -> Option<Extra> {
        // A provider of the caller's dialect keeps its own answers, whatever the gateway keeps.
        ask.store = self.store.filter(|store| to == DialectName::OpenAiResponses || !store);
        ask.previous = self.elsewhere.as_ref().map(|(_, id)| id.to_string());
        let background = ask.extras.iter().position(|(name, _)| name == "background")?;
        Some(ask.extras.remove(background))
    }

    /// Afterwards: puts it back, for the answer repeats it.
    pub(crate) fn take_back(&self, ask: &mut Ask, background: Option<Extra>, to: DialectName) {
        ask.extras.extend(background);
        ask.store = if self.unkept(to) { Some(false) } else { self.store };
        ask.previous.clone_from(&self.continues);
    }
}

/// A field only the dialect of origin knows.
type Extra = (String, Box<RawValue>);

/// Under what an answer is kept.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) id: Arc<str>,
    pub(crate) now: Now,
    pub(crate) request: Bytes,
}

impl Shelf {
    fn kept(&self, stage: Stage, answer: Bytes) -> Kept {
        Kept {
            id: Arc::clone(&self.id),
            stage,
            created_unix_ms: self.now.unix_ms(),
            expires_unix_ms: self.now.unix_ms() + KEPT_MS,
            request: self.request.clone(),
            answer,
        }
    }

    /// Keeps a whole answer, unless it is too large.
    pub(crate) fn keep(&self, answer: Bytes) -> Option<Keep> {
        (answer.len() <= PART_BYTES_MAX).then(|| Keep::Put(self.kept(Stage::Done, answer)))
    }

    /// A call in the background, from its request in the superset form.
    pub(crate) fn background(self, ask: Arc<Ask>) -> Background {
        let listener = listener(ask, &self.id, self.now.unix_secs());
        let pending = |pending: Pending<'_>| Bytes::from(state::pending(&listener, pending));
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Background {
            reply: Reply { status: StatusCode::OK, headers, body: pending(Pending::Queued) },
            kept: self.kept(Stage::Open, pending(Pending::InProgress)),
            failed: Box::new(move |fault| {
                self.kept(Stage::Done, state::pending(&listener, Pending::Failed(fault)).into())
            }),
        }
    }
}

/// The way to an answer that a provider keeps.
pub(crate) fn pointer(id: String, provider: &str, now: Now) -> Keep {
    let shelf = Shelf { id: id.into(), now, request: Bytes::new() };
    Keep::Put(shelf.kept(Stage::Elsewhere, Bytes::copy_from_slice(provider.as_bytes())))
}

/// Something kept, written as if it had come to this.
pub(crate) fn instead(kept: &Kept, pending: Pending<'_>) -> Result<Bytes, Fault> {
    let ask = (crate::dialects::openai_responses::DIALECT.read_ask)(&kept.request)?;
    let listener = listener(Arc::new(ask), &kept.id, kept.created_unix_ms / 1000);
    Ok(state::pending(&listener, pending).into())
}

fn listener(ask: Arc<Ask>, id: &str, created: u64) -> Listener {
    let id = id.strip_prefix("resp_").unwrap_or(id).to_owned();
    Listener { ask, id, created, issuer: Issuer::Other, input_estimate: 0 }
}

fn previous_not_found(id: &str) -> Fault {
    let message = format!(
        "Previous response with id '{id}' not found. It was never stored for this key, was deleted, or has expired."
    );
    Fault::new(Code::PreviousNotFound, message).at("previous_response_id")
}

fn wrong(param: &str, message: &'static str) -> Fault {
    Fault::new(Code::InvalidRequest, message).at(param)
}
