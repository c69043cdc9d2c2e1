//! The response object: the whole of an answer, and what most events of a stream carry.
//!
//! Clients insist on many fields of it, most of which repeat the request.

use gatehouse_domain::{Code, Fault, Usage};
use serde::Serialize;
use serde_json::value::RawValue;

use super::NAME;
use super::settings::{ChoiceOut, FormatOut, TextOut, ToolOut, effort, summary, text, tool_choice, tools};
use crate::dialects::Listener;
use crate::dialects::openai_shared::details::write_responses_usage;
use crate::dialects::openai_shared::wire::json_into;
use crate::form::{Ask, Block, Content, Dropped, Effort, Stop};
use crate::json;

/// What is not in the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// The model that answers, in the provider's words.
    pub(crate) model: &'a str,
    /// Unix seconds.
    pub(crate) created: u64,
    /// How far it is.
    pub(crate) status: Status<'a>,
    /// What it took, once known.
    pub(crate) usage: Option<&'a Usage>,
    /// The tier that served it.
    pub(crate) service_tier: Option<&'a str>,
}

/// How far an answer is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Status<'a> {
    /// It waits for its turn.
    Queued,
    /// It is being made.
    #[default]
    InProgress,
    /// It is whole.
    Completed,
    /// It was cut; why, in OpenAI's words.
    Incomplete(&'static str),
    /// It failed.
    Failed(&'a Fault),
    /// The model's provider failed without saying more.
    Broken,
    /// The client cancelled it.
    Cancelled,
}

impl Status<'_> {
    /// The status an answer ends with.
    pub(crate) const fn of(stop: Stop, refused: bool) -> Self {
        match stop {
            Stop::EndTurn | Stop::StopSequence | Stop::ToolUse => Self::Completed,
            Stop::Refusal if refused => Self::Completed,
            Stop::MaxTokens | Stop::ContextWindow | Stop::Pause => Self::Incomplete("max_output_tokens"),
            Stop::Refusal | Stop::ContentFilter | Stop::Malformed => Self::Incomplete("content_filter"),
            Stop::Error => Self::Broken,
        }
    }

    /// OpenAI's word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) | Self::Broken => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

struct ResponseOut<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    status: &'static str,
    background: bool,
    error: Option<ErrorOut<'a>>,
    incomplete_details: Option<IncompleteOut>,
    instructions: Option<&'a str>,
    max_output_tokens: Option<u64>,
    max_tool_calls: Option<&'a RawValue>,
    /// None is none: an empty object.
    metadata: Option<&'a RawValue>,
    model: &'a str,
    parallel_tool_calls: bool,
    previous_response_id: Option<&'a str>,
    prompt_cache_key: Option<&'a str>,
    reasoning: ReasoningEcho<'a>,
    safety_identifier: Option<&'a RawValue>,
    service_tier: &'a str,
    store: bool,
    temperature: f64,
    text: TextOut<'a>,
    tool_choice: ChoiceOut<'a>,
    tools: Vec<ToolOut<'a>>,
    top_logprobs: u32,
    top_p: f64,
    /// None is `disabled`.
    truncation: Option<&'a RawValue>,
    user: Option<&'a str>,
    usage: Option<&'a Usage>,
}

impl ResponseOut<'_> {
    /// Appends it as an object that is not closed. By hand: thirty names through a serializer are a tenth of what it takes to
    /// translate a call.
    fn write_open(&self, out: &mut Vec<u8>) {
        put_text(out, "{\"id\":", self.id);
        put_text(out, ",\"object\":", self.object);
        put_number(out, ",\"created_at\":", self.created_at);
        put_text(out, ",\"status\":", self.status);
        put_flag(out, ",\"background\":", self.background);
        put_some(out, ",\"error\":", self.error.as_ref());
        put_some(out, ",\"incomplete_details\":", self.incomplete_details.as_ref());
        put_some(out, ",\"instructions\":", self.instructions);
        put_some(out, ",\"max_output_tokens\":", self.max_output_tokens.as_ref());
        put_some(out, ",\"max_tool_calls\":", self.max_tool_calls);
        match self.metadata {
            None => out.extend_from_slice(br#","metadata":{}"#),
            Some(metadata) => put(out, ",\"metadata\":", metadata),
        }
        put_text(out, ",\"model\":", self.model);
        put_flag(out, ",\"parallel_tool_calls\":", self.parallel_tool_calls);
        put_some(out, ",\"previous_response_id\":", self.previous_response_id);
        if let Some(key) = self.prompt_cache_key {
            put_text(out, ",\"prompt_cache_key\":", key);
        }
        match &self.reasoning {
            ReasoningEcho { effort: None, summary: None } => {
                out.extend_from_slice(br#","reasoning":{"effort":null,"summary":null}"#);
            }
            reasoning => put(out, ",\"reasoning\":", reasoning),
        }
        if let Some(identifier) = self.safety_identifier {
            put(out, ",\"safety_identifier\":", identifier);
        }
        put_text(out, ",\"service_tier\":", self.service_tier);
        put_flag(out, ",\"store\":", self.store);
        put_share(out, ",\"temperature\":", self.temperature);
        match &self.text {
            TextOut { format: Some(FormatOut::Text), verbosity: None } => {
                out.extend_from_slice(br#","text":{"format":{"type":"text"}}"#);
            }
            text => put(out, ",\"text\":", text),
        }
        match &self.tool_choice {
            ChoiceOut::Word(word) => put_text(out, ",\"tool_choice\":", word),
            choice => put(out, ",\"tool_choice\":", choice),
        }
        put(out, ",\"tools\":", &self.tools);
        put_number(out, ",\"top_logprobs\":", self.top_logprobs.into());
        put_share(out, ",\"top_p\":", self.top_p);
        match self.truncation {
            None => put_text(out, ",\"truncation\":", "disabled"),
            Some(truncation) => put(out, ",\"truncation\":", truncation),
        }
        put_some(out, ",\"user\":", self.user);
        out.extend_from_slice(b",\"usage\":");
        match self.usage {
            None => out.extend_from_slice(b"null"),
            Some(usage) => write_responses_usage(out, usage),
        }
    }
}

/// Appends a member: its name with what stands around it, and its value.
fn put(out: &mut Vec<u8>, name: &'static str, value: &(impl Serialize + ?Sized)) {
    out.extend_from_slice(name.as_bytes());
    json_into(out, value);
}

/// The same of a value that may be missing.
fn put_some(out: &mut Vec<u8>, name: &'static str, value: Option<&(impl Serialize + ?Sized)>) {
    match value {
        Some(value) => put(out, name, value),
        None => {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"null");
        }
    }
}

/// The same of a yes or no.
fn put_flag(out: &mut Vec<u8>, name: &'static str, flag: bool) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// The same of a whole number.
fn put_number(out: &mut Vec<u8>, name: &'static str, number: u64) {
    out.extend_from_slice(name.as_bytes());
    json::push_number(out, number);
}

/// The same of a number that is nearly always 1.
#[expect(clippy::float_cmp, reason = "exactly 1, or it is written like any other")]
fn put_share(out: &mut Vec<u8>, name: &'static str, share: f64) {
    if share == 1.0 {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"1.0");
    } else {
        put(out, name, &share);
    }
}

/// The same of a text.
fn put_text(out: &mut Vec<u8>, name: &'static str, text: &str) {
    out.extend_from_slice(name.as_bytes());
    json::push_text(out, text);
}

#[derive(Serialize)]
struct ErrorOut<'a> {
    /// OpenAI's closed list, on which clients decide whether to try again.
    code: &'static str,
    /// The gateway's stable code.
    gatehouse_code: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct IncompleteOut {
    reason: &'static str,
}

#[derive(Serialize)]
struct ReasoningEcho<'a> {
    effort: Option<&'static str>,
    summary: Option<&'a str>,
}

/// Appends a response object. `output` is the inside of its list of items.
pub(crate) fn write_response(out: &mut Vec<u8>, listener: &Listener, facts: &Facts<'_>, output: &[u8]) {
    let ask = &*listener.ask;
    object(ask, facts).write_open(out);
    out.extend_from_slice(b",\"output\":[");
    out.extend_from_slice(output);
    out.extend_from_slice(b"]}");
}

fn object<'a>(ask: &'a Ask, facts: &Facts<'a>) -> ResponseOut<'a> {
    let mut text = text(ask);
    text.format.get_or_insert(FormatOut::Text);
    ResponseOut {
        id: facts.id,
        object: "response",
        created_at: facts.created,
        status: facts.status.as_str(),
        background: extra(ask, "background").is_some_and(|raw| raw.get() == "true"),
        error: match facts.status {
            Status::Failed(fault) => Some(error(fault.code, &fault.message)),
            Status::Broken => {
                Some(error(Code::UpstreamBroken, "The provider reported an error in the middle of its answer."))
            }
            _ => None,
        },
        incomplete_details: match facts.status {
            Status::Incomplete(reason) => Some(IncompleteOut { reason }),
            _ => None,
        },
        instructions: ask.system.first().filter(|_| ask.origin == NAME).and_then(plain),
        max_output_tokens: ask.output_cap,
        max_tool_calls: extra(ask, "max_tool_calls"),
        metadata: ask.metadata.as_deref(),
        model: if ask.model.is_empty() { facts.model } else { &ask.model },
        parallel_tool_calls: ask.parallel_tools.unwrap_or(true),
        previous_response_id: ask.previous.as_deref(),
        prompt_cache_key: ask.cache_key.as_deref(),
        reasoning: ReasoningEcho { effort: effort(ask).map(Effort::as_str), summary: summary(ask) },
        safety_identifier: extra(ask, "safety_identifier"),
        service_tier: facts.service_tier.unwrap_or("default"),
        store: ask.store.unwrap_or(true),
        temperature: ask.temperature.unwrap_or(1.0),
        text,
        tool_choice: tool_choice(ask).unwrap_or(ChoiceOut::Word("auto")),
        tools: tools(ask, &mut Dropped::default()),
        top_logprobs: ask.logprobs.unwrap_or_default(),
        top_p: ask.top_p.unwrap_or(1.0),
        truncation: extra(ask, "truncation"),
        user: ask.user.as_deref(),
        usage: facts.usage,
    }
}

fn error(code: Code, message: &str) -> ErrorOut<'_> {
    let word = match code {
        Code::RateLimited | Code::UpstreamLimited => "rate_limit_exceeded",
        Code::InvalidRequest | Code::NotTranslatable | Code::UpstreamRejected => "invalid_prompt",
        _ => "server_error",
    };
    ErrorOut { code: word, gatehouse_code: code.as_str(), message }
}

fn extra<'a>(ask: &'a Ask, name: &str) -> Option<&'a RawValue> {
    let own = ask.extras.iter().find(|(field, _)| ask.origin == NAME && field == name);
    own.map(|(_, raw)| &**raw)
}

fn plain(block: &Block) -> Option<&str> {
    match &block.content {
        Content::Text { text, .. } => Some(text),
        _ => None,
    }
}
