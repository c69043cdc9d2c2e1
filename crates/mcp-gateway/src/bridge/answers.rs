//! Results and errors, from the words of the server's revision into those of the client's.

use crate::era::meta::key;
use crate::era::{Era, Method, Revision};
use crate::wire::{Kind, Raw, RpcError, code};

use super::questions::{Ask, InputRequired, Question};
use super::{tasks, tools};

/// What a result is dressed in for a modern client.
#[derive(Clone, Debug, Default)]
pub struct Dress {
    /// Who answers: our `serverInfo`, never the upstream's.
    pub server_info: Option<Raw>,
    /// How long it may be kept, in milliseconds; 0 where nobody knows.
    pub ttl_ms: u64,
    /// May it be kept for other callers, too?
    pub public: bool,
    /// What the client declared: it gets no questions and no tasks beyond that. `None` for results that hold neither.
    pub client: Option<Raw>,
}

/// What a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultType {
    /// The answer.
    Complete,
    /// Questions to the client.
    InputRequired,
    /// A task that goes on (tasks extension).
    Task,
    /// Something nobody here knows: not a valid result.
    Unknown,
}

/// What a client of revision `to` gets of what a server of revision `from` answered to `method`: a result or an error, which
/// may not be the same of the two as what came (`-32042` of a legacy server is a result that asks for input to a modern
/// client). A result with `input_required` is for [`super::questions`] first; here it passes to modern clients and is an
/// internal error to others.
///
/// # Errors
/// The error the client gets.
pub fn outcome(
    from: Revision,
    to: Revision,
    method: Method,
    outcome: Result<Raw, RpcError>,
    dress: &Dress,
) -> Result<Raw, RpcError> {
    match outcome {
        Ok(result) => passed(from, to, method, &result, dress),
        Err(error) => failed(from, to, method, error, dress),
    }
}

/// A result of our own making (lists from the catalogue, …) as a client of this revision gets it.
#[must_use]
pub fn dressed(to: Revision, method: Method, result: &Raw, dress: &Dress) -> Raw {
    if to.era() == Era::Legacy {
        return fitting(&undressed(method, result), method, to);
    }
    let meta = result.get(&["_meta"]).filter(Raw::is_object).unwrap_or_else(Raw::empty);
    let meta = meta.edited([(key::SERVER_INFO, dress.server_info.clone())]);
    let mut edits = vec![("_meta", Some(meta).filter(|meta| !meta.is_bare()))];
    if !result.has(&["resultType"]) {
        edits.push(("resultType", Some(Raw::text("complete"))));
    }
    if method.is_cacheable() && result_type(result) == ResultType::Complete {
        edits.push(("ttlMs", Some(Raw::trusted(dress.ttl_ms.to_string().into()))));
        edits.push(("cacheScope", Some(Raw::text(if dress.public { "public" } else { "private" }))));
    }
    result.edited(edits)
}

/// A server's hint how long a result may be kept: milliseconds and whether it is public. 0 and private where it says
/// nothing, or nonsense.
#[must_use]
pub fn cache_hint(result: &Raw) -> (u64, bool) {
    let ttl = result.get(&["ttlMs"]).and_then(|ttl| ttl.as_whole());
    let public = result.said(&["cacheScope"]).is_some_and(|scope| scope == "public");
    (ttl.and_then(|ttl| u64::try_from(ttl).ok()).unwrap_or(0), public)
}

/// The `resultType` of a result; what has none is `complete`.
#[must_use]
pub fn result_type(result: &Raw) -> ResultType {
    let Some(kind) = result.json_at(&["resultType"]) else { return ResultType::Complete };
    if kind == b"\"complete\"" {
        return ResultType::Complete;
    }
    match result.said(&["resultType"]).as_deref() {
        Some("complete") => ResultType::Complete,
        Some("input_required") => ResultType::InputRequired,
        Some("task") => ResultType::Task,
        _ => ResultType::Unknown,
    }
}

/// Links that a user has to open before a call can be made, for a client that cannot be asked: an error the model can read
/// where the call is a tool's, else an error of the protocol.
///
/// # Errors
/// The error, where it is one.
pub fn links_in_words(method: Method, questions: &[Question]) -> Result<Raw, RpcError> {
    let mut words = String::from("The user has to open a link before this can be done; then call again.");
    for question in questions {
        let said = |name: &str| question.params.as_ref().and_then(|params| params.text_at(&[name])).unwrap_or_default();
        words = format!("{words}\n{}: {}", said("message"), said("url"));
    }
    if method != Method::ToolsCall {
        return Err(RpcError::new(code::INVALID_REQUEST, words));
    }
    let text = Raw::object([("type", Raw::text("text")), ("text", Raw::text(&words))]);
    Ok(Raw::object([("content", Raw::array(&[text])), ("isError", Raw::of(&true.into()))]))
}

fn passed(from: Revision, to: Revision, method: Method, result: &Raw, dress: &Dress) -> Result<Raw, RpcError> {
    // A legacy server's `resultType` would be a member of its own making.
    let kind = if from.era() == Era::Modern { result_type(result) } else { ResultType::Complete };
    match (kind, to.era()) {
        (ResultType::Complete, _) => {}
        (ResultType::InputRequired, Era::Modern) => {}
        (ResultType::Task, Era::Modern) if dress.client.as_ref().is_none_or(tasks::has_extension) => {}
        (ResultType::InputRequired, _) => {
            return Err(internal("the server asked in a way that a client of this revision cannot be asked"));
        }
        (ResultType::Task, _) => return Err(internal("the server made a task for a client that knows no tasks")),
        (ResultType::Unknown, _) => return Err(internal("the server answered with a result of unknown type")),
    }
    let result = match method {
        Method::ToolsList => result.change(&["tools"], |list| list.each(|tool| Some(tools::tool(from, to, &tool)))),
        _ => result.clone(),
    };
    let foreign = from.era() == Era::Legacy && to.era() == Era::Modern;
    Ok(dressed(to, method, &if foreign { result.without(&["resultType"]) } else { result }, dress))
}

fn failed(from: Revision, to: Revision, method: Method, error: RpcError, dress: &Dress) -> Result<Raw, RpcError> {
    if from.era() == Era::Legacy && error.code == code::URL_ELICITATION_REQUIRED {
        return links(to, method, error, dress);
    }
    let of_resource = matches!(method, Method::ResourcesRead | Method::Subscribe);
    Err(match (error.code, from.era(), to.era()) {
        (code::RESOURCE_NOT_FOUND, Era::Legacy, Era::Modern) => recoded(error, code::INVALID_PARAMS),
        (code::INVALID_PARAMS, Era::Modern, Era::Legacy) if of_resource => recoded(error, code::RESOURCE_NOT_FOUND),
        (code::MISSING_CAPABILITY, Era::Modern, Era::Modern) => error,
        // A server of both eras says it to whom it serves in the older one, too; what it lacks, only the client can declare.
        (code::MISSING_CAPABILITY, Era::Legacy, Era::Modern) if names_capabilities(&error) => error,
        (code::MISSING_CAPABILITY, Era::Modern, Era::Legacy) => recoded(error, code::INVALID_REQUEST),
        // Reserved for the protocol, which knows none of the rest between a gateway and its client: what a server says of
        // headers or revisions it says of ours.
        (-32099..=-32020, ..) => recoded(error, code::INTERNAL),
        _ => error,
    })
}

/// Does it say which capabilities are missing, as `-32021` must?
fn names_capabilities(error: &RpcError) -> bool {
    let required = error.data.as_ref().and_then(|data| data.get(&["requiredCapabilities"]));
    required.is_some_and(|required| required.is_object())
}

/// `-32042`: the links to be opened are in its data.
fn links(to: Revision, method: Method, error: RpcError, dress: &Dress) -> Result<Raw, RpcError> {
    if to.has_url_elicitation() && to.era() == Era::Legacy {
        return Err(error);
    }
    let elicitations = error.data.as_ref().and_then(|data| data.get(&["elicitations"])).unwrap_or_else(Raw::empty);
    let question = |(at, params): (usize, Raw)| Question {
        key: format!("url_{}", at + 1).into(),
        ask: Ask::Elicitation,
        params: Some(params.without(&["elicitationId"])),
    };
    let questions: Vec<Question> = elicitations.elements().into_iter().enumerate().map(question).collect();
    if questions.is_empty() {
        return Err(recoded(error, code::INTERNAL));
    }
    let may_open = |client: &Raw| questions.iter().all(|question| question.is_for(client));
    if to.era() == Era::Legacy || !method.may_ask() || !dress.client.as_ref().is_none_or(may_open) {
        return links_in_words(method, &questions).map(|result| dressed(to, method, &result, dress));
    }
    Ok(dressed(to, method, &InputRequired { questions, state: None }.write(), dress))
}

/// Takes off what only modern clients know.
fn undressed(method: Method, result: &Raw) -> Raw {
    let mut edits = vec![("resultType", None)];
    if let Some(meta) = result.get(&["_meta"]).filter(|meta| meta.has(&[key::SERVER_INFO])) {
        edits.push(("_meta", Some(meta.without(&[key::SERVER_INFO])).filter(|meta| !meta.is_bare())));
    }
    if method.is_cacheable() {
        edits.extend([("ttlMs", None), ("cacheScope", None)]);
    }
    result.edited(edits)
}

/// Takes off, or puts into words, what this legacy revision does not know.
fn fitting(result: &Raw, method: Method, to: Revision) -> Raw {
    match method {
        Method::ToolsCall => {
            let structured = result.get(&["structuredContent"]);
            let kept = structured.is_none_or(|content| to.has_structured_content() && content.is_object());
            let result = if kept { result.clone() } else { result.without(&["structuredContent"]) };
            if to.has_resource_links() {
                return result;
            }
            result.change(&["content"], |blocks| blocks.each(|block| Some(content(&block, to))))
        }
        Method::PromptsGet if !to.has_resource_links() => result.change(&["messages"], |messages| {
            messages.each(|message| Some(message.change(&["content"], |block| content(block, to))))
        }),
        _ => result.clone(),
    }
}

/// A content block in a revision that may not know its type.
fn content(block: &Raw, to: Revision) -> Raw {
    let said = |name: &str| block.text_at(&[name]).unwrap_or_default();
    let words = match said("type").as_str() {
        "resource_link" => format!("{}: {}", said("name"), said("uri")),
        // Audio came with 2025-03-26, as completion did.
        "audio" if !to.has_completions() => format!("(audio, {})", said("mimeType")),
        _ => return block.clone(),
    };
    Raw::object([("type", Raw::text("text")), ("text", Raw::text(&words))])
}

/// The same error under another number; the one it had is in its data.
fn recoded(error: RpcError, code: i64) -> RpcError {
    let had = Raw::trusted(error.code.to_string().into());
    let data = match error.data {
        Some(data) if data.is_object() => data,
        Some(data) if data.kind() != Kind::Null => Raw::object([("data", data)]),
        _ => Raw::empty(),
    };
    let data = if code == code::INTERNAL { data.with(&["upstreamCode"], &had) } else { data };
    let data = Some(data).filter(|data| data.bytes() != "{}");
    RpcError { code, message: error.message, data }
}

fn internal(message: &str) -> RpcError {
    RpcError::new(code::INTERNAL, message)
}
