//! Bytes to a message. Strict, because a gateway is a second reader of everything: what it judged by must be what the server
//! acts on, whatever library the server reads with.

use bytes::Bytes;

use super::walk::Place;
use super::{Id, Kind, Malformed, Message, Notification, Raw, Request, Response, RpcError, Unread, shown, unquote};

/// The most messages in one batch.
pub const BATCH_MAX: usize = 64;

/// Names of the envelope.
const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// Names inside `params` that decide something here or at a server.
const DECISIVE: &[&str] = &[
    "_meta",
    "argument",
    "arguments",
    "capabilities",
    "clientInfo",
    "cursor",
    "inputResponses",
    "level",
    "name",
    "notifications",
    "progressToken",
    "protocolVersion",
    "ref",
    "requestId",
    "requestState",
    "task",
    "taskId",
    "uri",
];

/// Reads one message.
///
/// # Errors
/// What is wrong with it, and the id where it has a readable one.
pub fn read(bytes: Bytes) -> Result<Message, Unread> {
    let raw = Raw::read(bytes)?;
    match raw.is_object() {
        true => message(&raw),
        false if raw.bytes().starts_with(b"[") => Err(Malformed::Batch.into()),
        false => Err(Malformed::Envelope("it is not an object").into()),
    }
}

/// Reads one message or a batch of them, where the session's revision has batches (2025-03-26). The second value says
/// whether it was a batch: its answers go out as one, too.
///
/// # Errors
/// What is wrong with it; a batch is taken whole or not at all.
pub fn read_batch(bytes: Bytes) -> Result<(Vec<Message>, bool), Unread> {
    let raw = Raw::read(bytes)?;
    if !raw.bytes().starts_with(b"[") {
        return read(raw.bytes().clone()).map(|message| (vec![message], false));
    }
    let elements = raw.elements();
    if elements.is_empty() || elements.len() > BATCH_MAX {
        return Err(Malformed::BatchSize { found: elements.len() }.into());
    }
    let messages = elements.iter().map(message).collect::<Result<_, _>>()?;
    Ok((messages, true))
}

/// The members of an envelope, as far as they are known.
#[derive(Default)]
struct Envelope<'r> {
    jsonrpc: Option<Place<'r>>,
    id: Option<Place<'r>>,
    method: Option<Place<'r>>,
    params: Option<Place<'r>>,
    result: Option<Place<'r>>,
    error: Option<Place<'r>>,
}

fn message(raw: &Raw) -> Result<Message, Unread> {
    if !raw.is_object() {
        return Err(Malformed::Envelope("it is not an object").into());
    }
    let mut envelope = Envelope::default();
    for place in raw.places() {
        let name = place.name_bytes();
        let member = match &*name {
            b"jsonrpc" => &mut envelope.jsonrpc,
            b"id" => &mut envelope.id,
            b"method" => &mut envelope.method,
            b"params" => &mut envelope.params,
            b"result" => &mut envelope.result,
            b"error" => &mut envelope.error,
            _ => match lookalike(&name, ENVELOPE) {
                Some(meant) => return Err(Malformed::Lookalike { name: shown(&place.name()), meant }.into()),
                None => continue,
            },
        };
        *member = Some(place);
    }
    let id = envelope.id.as_ref().and_then(|id| Id::of_json(id.json()));
    envelope.message(raw, id.clone()).map_err(|why| Unread { why, id })
}

impl Envelope<'_> {
    fn message(self, raw: &Raw, id: Option<Id>) -> Result<Message, Malformed> {
        if !self.jsonrpc.is_some_and(|version| unquote(version.json()).as_deref() == Some("2.0")) {
            return Err(Malformed::Envelope("`jsonrpc` must be \"2.0\""));
        }
        match (self.method, self.result, self.error) {
            (Some(method), None, None) => {
                call(method.json(), self.id.is_some(), id, self.params.map(|params| raw.part(&params)))
            }
            (None, Some(result), None) => {
                let id = id.ok_or(Malformed::Envelope("`id` of a result must be a string or a whole number"))?;
                let result = raw.part(&result);
                if !result.is_object() {
                    return Err(Malformed::Envelope("`result` must be an object"));
                }
                Ok(Response::result(id, result).into())
            }
            (None, None, Some(error)) => {
                if id.is_none() && self.id.is_some_and(|id| id.json() != "null") {
                    return Err(Malformed::Envelope("`id` must be a string or a whole number"));
                }
                Ok(Response::error(id, rpc_error(&raw.part(&error))?).into())
            }
            (None, None, None) => Err(Malformed::Envelope("it has neither `method` nor `result` nor `error`")),
            _ => Err(Malformed::Envelope("it has more than one of `method`, `result` and `error`")),
        }
    }
}

fn call(method: &str, has_id: bool, id: Option<Id>, params: Option<Raw>) -> Result<Message, Malformed> {
    let method = unquote(method).ok_or(Malformed::Envelope("`method` must be a string"))?;
    // Some libraries write `null` for what they leave out.
    let params = params.filter(|params| params.kind() != Kind::Null);
    if let Some(params) = &params {
        if !params.is_object() {
            return Err(Malformed::Envelope("`params` must be an object"));
        }
        if let Some((name, meant)) = params.lookalike(DECISIVE) {
            return Err(Malformed::Lookalike { name: shown(&name), meant });
        }
    }
    match id {
        Some(id) => Ok(Request::new(id, &*method, params).into()),
        None if has_id => Err(Malformed::Envelope("`id` must be a string or a whole number, and not null")),
        None => Ok(Notification::new(&*method, params).into()),
    }
}

fn rpc_error(error: &Raw) -> Result<RpcError, Malformed> {
    let code = error.get(&["code"]).and_then(|code| code.as_whole());
    Ok(RpcError {
        code: code.ok_or(Malformed::Envelope("`error.code` must be a whole number"))?,
        message: error.text_at(&["message"]).unwrap_or_default(),
        data: error.get(&["data"]),
    })
}

/// Which of these names a reader who does not mind case would take this one for, though it is none of them.
pub(super) fn lookalike(name: &[u8], known: &'static [&'static str]) -> Option<&'static str> {
    // No two of them are one name but for case, so that the first that is alike tells.
    let mut known = known.iter().copied();
    let alike = if name.is_ascii() {
        known.find(|known| known.len() == name.len() && name.eq_ignore_ascii_case(known.as_bytes()))
    } else {
        let name = std::str::from_utf8(name).ok()?;
        known.find(|known| folded_equal(name, known))
    };
    alike.filter(|known| known.as_bytes() != name)
}

/// Equal under simple case folding, which besides case knows two letters that fold into ASCII: long s and the Kelvin sign.
fn folded_equal(name: &str, ascii: &str) -> bool {
    let fold = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(ascii.chars().map(fold))
}
