//! Responses the gateway keeps, so that `previous_response_id`, `GET`, `DELETE` and background work for any model.
//!
//! Pure: the caller loads and stores. A [`Record`] holds what the client sent and what it got, as JSON of this dialect,
//! whatever the model behind spoke. A conversation is joined by reading the items of its records and of the new request
//! in a row, as if the client had sent them all.

mod items;
mod page;

#[cfg(test)]
mod tests;

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::page::{Order, Page, input_items_page};
use super::ask;
use super::response::{Facts, Status, write_response};
use crate::dialects::Listener;
use crate::dialects::openai_shared::wire::{json_into, raw_elements};
use crate::form::{Ask, Block};

/// One kept response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its id (`resp_…`).
    pub id: String,
    /// The response it continues.
    pub previous: Option<String>,
    /// Items of the request, each with an id.
    pub input: Vec<Box<RawValue>>,
    /// The response object as the client got it; its `output` are the items of the answer.
    pub response: Box<RawValue>,
}

impl Record {
    /// Items of the request and of the answer, in order.
    fn items(&self) -> impl Iterator<Item = Box<RawValue>> {
        let output = raw_elements(self.response.get().as_bytes(), "output");
        self.input.iter().cloned().chain(output)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    instructions: Option<String>,
    previous_response_id: Option<String>,
}

#[derive(Deserialize)]
struct Answered {
    id: String,
}

/// Makes the record of a response from the request's body and the response object the client got (for a stream: the one
/// `write_answer` makes of the folded events, which bears the same ids).
///
/// # Errors
/// `InvalidRequest` if the body is not a request, `Internal` if `response` is not a response object.
pub fn record(body: &[u8], response: &[u8]) -> Result<Record, Fault> {
    let defect = |_| Fault::new(Code::Internal, "The response to keep is not a response object.");
    let Answered { id } = serde_json::from_slice(response).map_err(defect)?;
    let response: Box<RawValue> = serde_json::from_slice(response).map_err(defect)?;
    let Request { previous_response_id: previous, .. } = request(body)?;
    Ok(Record { input: items::with_ids(body, &id)?, id, previous, response })
}

/// Reads a request that continues `history` (oldest first) as one request with everything in it. Instructions of
/// earlier requests do not carry over, as the API has it.
///
/// # Errors
/// `InvalidJson` or `InvalidRequest`, as `read_ask`.
pub fn join(body: &[u8], history: &[Record]) -> Result<Ask, Fault> {
    let mut ask = ask::read(body)?;
    let new = items::with_ids(body, "new")?;
    let all: Vec<Box<RawValue>> = history.iter().flat_map(Record::items).chain(new).collect();
    let parsed: Vec<_> = all
        .iter()
        .map(|raw| serde_json::from_str(raw.get()))
        .collect::<Result<_, _>>()
        .map_err(|_| Fault::new(Code::InvalidRequest, "An item of the kept conversation cannot be read."))?;
    let Request { instructions, .. } = request(body)?;
    ask.system = instructions.filter(|text| !text.is_empty()).map(Block::text).into_iter().collect();
    ask.turns.clear();
    ask.previous = None;
    ask::conversation(parsed, all.clone(), &mut ask)?;
    Ok(ask)
}

fn request(body: &[u8]) -> Result<Request, Fault> {
    crate::dialects::shared::place::read_request(body)
}

/// How far a response in the background is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending<'a> {
    /// It waits for its turn.
    Queued,
    /// It is being made.
    InProgress,
    /// The client cancelled it.
    Cancelled,
    /// It failed before there was an answer.
    Failed(&'a Fault),
}

/// The response object of a request in the background that has no answer, or none yet.
#[must_use]
pub fn pending(listener: &Listener, pending: Pending<'_>) -> Vec<u8> {
    let facts = Facts {
        id: &format!("resp_{}", listener.id),
        created: listener.created,
        status: match pending {
            Pending::Queued => Status::Queued,
            Pending::InProgress => Status::InProgress,
            Pending::Cancelled => Status::Cancelled,
            Pending::Failed(fault) => Status::Failed(fault),
        },
        ..Facts::default()
    };
    let mut out = Vec::with_capacity(1024);
    write_response(&mut out, listener, &facts, b"");
    out
}

/// Answer to `DELETE /v1/responses/{id}`.
#[must_use]
pub fn deleted(id: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Deleted<'a> {
        id: &'a str,
        object: &'static str,
        deleted: bool,
    }
    let mut out = Vec::with_capacity(96);
    json_into(&mut out, &Deleted { id, object: "response.deleted", deleted: true });
    out
}

/// Answer to `GET /v1/responses/{id}`: the object as the client got it.
#[must_use]
pub fn retrieved(record: &Record) -> &[u8] {
    record.response.get().as_bytes()
}

/// The response object in the last event of a stream this dialect's encoder wrote, as the client gets it.
#[must_use]
pub fn last_response(event: &[u8]) -> Option<&[u8]> {
    const BEGINS: &[u8] = b",\"response\":";
    let at = memchr::memmem::find(event, BEGINS)? + BEGINS.len();
    event.get(at..)?.strip_suffix(b"}\n\n")
}

/// The id in a whole response object of a provider.
#[must_use]
pub fn id_of(response: &[u8]) -> Option<String> {
    serde_json::from_slice(response).ok().map(|Answered { id }| id)
}

/// The id in the first event of a provider's stream, once enough of it has come.
#[must_use]
pub fn id_of_stream(begun: &[u8]) -> Option<String> {
    let response = memchr::memmem::find(begun, b"\"response\":")?;
    let at = response + memchr::memmem::find(&begun[response..], b"\"id\":")? + 5;
    let text = begun[at..].trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', text)?;
    std::str::from_utf8(&text[..end]).ok().map(str::to_owned)
}

/// Was this response made in the background?
#[must_use]
pub fn is_background(response: &[u8]) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Made {
        background: Option<bool>,
    }
    serde_json::from_slice::<Made>(response).is_ok_and(|made| made.background == Some(true))
}
