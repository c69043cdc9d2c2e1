//! MCP inside LLM calls: a request whose tools are MCP endpoints of this gateway, answered in rounds. The model is asked with
//! function tools in their place; what it calls is called at the endpoint, for the same caller; what that gives goes back to the
//! model, until it has no more to call or a bound is reached. Pure: it says which calls to make and reads their answers.
//!
//! [`own`] which endpoints are the gateway's own · [`endpoint`] how they are spoken to · [`table`] tools under the names the
//! model knows · [`responses`], [`messages`] the two dialects that have such tools · [`events`] a whole answer as a stream.

mod endpoint;
mod events;
mod messages;
mod own;
mod responses;
mod table;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, InnerCall, Reply, Request, Round};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use crate::dialects::DialectName;
use endpoint::Listed;
pub(crate) use own::Home;
use table::Table;

/// How often a model is asked for one answer.
const ROUNDS_MAX: u32 = 10;
/// How many tools a model may call in one round; what is beyond is told to be too much.
const CALLS_MAX: usize = 16;

/// A request whose tools are found at this gateway's own endpoints.
pub(crate) struct Rounds {
    path: PathAndQuery,
    headers: HeaderMap,
    conversation: Conversation,
    table: Table,
    stage: Stage,
    round: u32,
}

enum Stage {
    /// Nothing has been asked yet.
    Begin,
    /// Endpoints were asked what they offer; these of them still are.
    Listing(Vec<usize>),
    /// The model was asked.
    Asking,
    /// Tools were called.
    Calling(Vec<Wanted>),
}

/// The two dialects that have MCP tools.
enum Conversation {
    Responses(Box<responses::Responses>),
    Messages(Box<messages::Messages>),
}

/// A tool call that a model wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The id the model gave it.
    id: String,
    /// Which tool, by its place in the table.
    tool: usize,
    /// Its arguments; an object.
    arguments: Value,
}

/// What became of a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    /// What the model is told.
    text: String,
    /// Did it fail?
    failed: bool,
}

/// What an answer of the model came to.
struct Said {
    wanted: Vec<Wanted>,
    /// Does it call tools of the caller's, too? Then the caller is next.
    callers: bool,
}

/// Reads a request. `None` if none of its MCP tools is this gateway's own.
///
/// # Errors
/// When one of them cannot be served as it is asked for.
pub(crate) fn read(dialect: DialectName, request: &Request, home: &Home) -> Result<Option<Rounds>, Fault> {
    let home = home.called_as(request.headers.get(HOST));
    let body = || serde_json::from_slice::<Value>(&request.body).ok().and_then(object);
    let Some(body) = body() else { return Ok(None) };
    let (conversation, servers, path) = match dialect {
        DialectName::OpenAiResponses => match responses::Responses::read(body, &home)? {
            Some((own, servers)) => (Conversation::Responses(Box::new(own)), servers, "/v1/responses"),
            None => return Ok(None),
        },
        DialectName::Anthropic => match messages::Messages::read(body, &home)? {
            Some((own, servers)) => (Conversation::Messages(Box::new(own)), servers, "/v1/messages"),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let mut headers = request.headers.clone();
    for name in [ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let path = PathAndQuery::from_static(path);
    let table = Table::new(servers);
    Ok(Some(Rounds { path, headers, conversation, table, stage: Stage::Begin, round: 0 }))
}

impl gatehouse_domain::Rounds for Rounds {
    fn next(&mut self, answers: Vec<Reply>) -> Result<Round, Fault> {
        match std::mem::replace(&mut self.stage, Stage::Asking) {
            Stage::Begin => Ok(self.list((0..self.table.servers.len()).collect())),
            Stage::Listing(of) => self.listed(&of, &answers),
            Stage::Asking => match answers.into_iter().next() {
                Some(answer) => self.said(answer),
                None => Err(lost()),
            },
            Stage::Calling(wanted) => self.called(wanted, &answers),
        }
    }

    fn streams(&self) -> bool {
        match &self.conversation {
            Conversation::Responses(own) => own.stream,
            Conversation::Messages(own) => own.stream,
        }
    }

    fn break_off(&self, refusal: &Reply) -> Bytes {
        let said = serde_json::from_slice(&refusal.body).unwrap_or_default();
        Bytes::from(match &self.conversation {
            Conversation::Responses(_) => events::response_refused(&said),
            Conversation::Messages(_) => events::message_refused(&said),
        })
    }
}

impl Rounds {
    fn list(&mut self, of: Vec<usize>) -> Round {
        let calls = of.iter().map(|&server| endpoint::list(&self.table.servers[server])).collect();
        self.stage = Stage::Listing(of);
        Round::Make(calls)
    }

    fn listed(&mut self, of: &[usize], answers: &[Reply]) -> Result<Round, Fault> {
        let mut more = Vec::new();
        for (&server, answer) in of.iter().zip(answers) {
            if endpoint::listed(&mut self.table.servers[server], answer)? == Listed::More {
                more.push(server);
            }
        }
        if !more.is_empty() {
            return Ok(self.list(more));
        }
        self.table.fill(&self.conversation.callers_tools())?;
        match &mut self.conversation {
            Conversation::Responses(own) => own.begin(&self.table),
            Conversation::Messages(own) => own.begin(&self.table),
        }
        Ok(self.ask())
    }

    fn ask(&mut self) -> Round {
        self.round += 1;
        let body = match &self.conversation {
            Conversation::Responses(own) => own.body(self.round),
            Conversation::Messages(own) => own.body(self.round),
        };
        self.stage = Stage::Asking;
        let body = Bytes::from(body.to_string());
        let (path, headers) = (self.path.clone(), self.headers.clone());
        Round::Make(vec![InnerCall { method: Method::POST, path, headers, body }])
    }

    fn said(&mut self, answer: Reply) -> Result<Round, Fault> {
        if !answer.status.is_success() {
            // In the caller's dialect already: refusals of the gateway and of the provider alike.
            return Ok(Round::Done(answer));
        }
        let whole = serde_json::from_slice(&answer.body).ok().and_then(object).ok_or_else(|| {
            Fault::new(Code::UpstreamBroken, "the provider's answer cannot be read; try again, or name another model")
        })?;
        let Said { wanted, callers } = match &mut self.conversation {
            Conversation::Responses(own) => own.said(whole, &self.table),
            Conversation::Messages(own) => own.said(whole, &self.table),
        };
        self.conversation.keep(answer.headers, callers);
        if wanted.is_empty() {
            return Ok(Round::Done(self.conversation.finish(false)));
        }
        let call = |wanted: &Wanted| {
            let (server, tool) = self.table.of(wanted.tool);
            endpoint::call(server, tool, &wanted.arguments)
        };
        let calls = wanted.iter().take(CALLS_MAX).map(call).collect();
        self.stage = Stage::Calling(wanted);
        Ok(Round::Make(calls))
    }

    fn called(&mut self, wanted: Vec<Wanted>, answers: &[Reply]) -> Result<Round, Fault> {
        let mut answers = answers.iter();
        let got = wanted.into_iter().map(|wanted| {
            let got = answers.next().map_or_else(too_many, endpoint::called);
            (wanted, got)
        });
        let got: Vec<_> = got.collect();
        let callers = match &mut self.conversation {
            Conversation::Responses(own) => own.got(&got, &self.table),
            Conversation::Messages(own) => own.got(&got, &self.table),
        };
        if callers || self.round == ROUNDS_MAX {
            return Ok(Round::Done(self.conversation.finish(!callers)));
        }
        Ok(self.ask())
    }
}

impl Conversation {
    /// The names of the caller's own function tools.
    fn callers_tools(&self) -> Vec<String> {
        match self {
            Self::Responses(own) => own.callers_tools(),
            Self::Messages(own) => own.callers_tools(),
        }
    }

    fn keep(&mut self, headers: HeaderMap, callers: bool) {
        match self {
            Self::Responses(own) => (own.headers, own.callers) = (headers, callers),
            Self::Messages(own) => (own.headers, own.callers) = (headers, callers),
        }
    }

    /// The answer; `cut` if the model would have gone on.
    fn finish(&mut self, cut: bool) -> Reply {
        let (headers, whole, stream) = match self {
            Self::Responses(own) => (std::mem::take(&mut own.headers), own.finish(cut), own.stream),
            Self::Messages(own) => (std::mem::take(&mut own.headers), own.finish(cut), own.stream),
        };
        let (kind, body) = match (stream, &self) {
            (false, _) => ("application/json", whole.to_string()),
            (true, Self::Responses(_)) => ("text/event-stream", events::responses(&whole)),
            (true, Self::Messages(_)) => ("text/event-stream", events::messages(&whole)),
        };
        let mut headers = headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.remove(CONTENT_LENGTH);
        Reply { status: http::StatusCode::OK, headers, body: body.into() }
    }
}

/// A JSON object as what it holds.
fn object(value: Value) -> Option<serde_json::Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Numbers summed up, member by member: what all rounds have used.
fn add(sum: &mut Value, more: &Value) {
    match (sum, more) {
        (Value::Object(sum), Value::Object(more)) => {
            for (name, more) in more {
                add(sum.entry(name).or_insert(Value::Null), more);
            }
        }
        (sum, Value::Number(more)) => match (sum.as_u64(), more.as_u64()) {
            (Some(have), Some(more)) => *sum = have.saturating_add(more).into(),
            _ => *sum = more.clone().into(),
        },
        (_, Value::Null) => {}
        (sum, more) => *sum = more.clone(),
    }
}

fn too_many() -> Got {
    Got { text: format!("Not called: at most {CALLS_MAX} tools are called at once. Call it again."), failed: true }
}

fn lost() -> Fault {
    Fault::new(Code::Internal, "the gateway lost an answer of its own; please report this")
}

#[cfg(test)]
mod tests;
