//! Writing a request.

use std::borrow::Cow;

use gatehouse_domain::{Code, Fault};
use serde::Serialize;
use serde_json::value::RawValue;

use super::write_messages::{MessageOut, messages};
use crate::dialects::cohere::{NAME, TOOL_NAMES, bytes};
use crate::dialects::{Speaker, ThinkingStyle};
use crate::form::{Ask, Dropped, Effort, Format, Thinking, Tool, ToolChoice};

/// Fields that only Cohere knows.
const OWN_FIELDS: &[&str] = &["documents", "citation_options", "safety_mode", "priority", "raw_prompting"];

/// Writes a `/v2/chat` body.
///
/// # Errors
/// `InvalidRequest` when there is nothing to say to the model.
pub(in crate::dialects::cohere) fn write(
    ask: &Ask,
    speaker: &Speaker<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Fault> {
    let messages = messages(ask, dropped);
    if messages.is_empty() {
        return Err(Fault::new(Code::InvalidRequest, "there is no message to answer"));
    }
    let tools = tools(ask, dropped);
    let choice = ask.tool_choice.as_ref().filter(|_| !tools.is_empty());
    let request = RequestOut {
        model: speaker.model,
        stream: speaker.stream,
        messages,
        tool_choice: choice.and_then(|choice| match choice {
            ToolChoice::None => Some("NONE"),
            ToolChoice::Auto | ToolChoice::OneOf { required: false, .. } => None,
            ToolChoice::Any | ToolChoice::Tool(_) | ToolChoice::OneOf { required: true, .. } => Some("REQUIRED"),
        }),
        strict_tools: strict(ask, dropped),
        tools,
        response_format: ask.format.as_ref().and_then(format),
        thinking: thinking(ask, speaker, dropped),
        max_tokens: ask.output_cap,
        stop_sequences: &ask.stop,
        temperature: ask.temperature,
        seed: ask.seed,
        frequency_penalty: ask.frequency_penalty,
        presence_penalty: ask.presence_penalty,
        k: ask.top_k,
        p: ask.top_p,
        logprobs: ask.logprobs.map(|_| true),
        documents: extra(ask, "documents"),
        citation_options: extra(ask, "citation_options"),
        safety_mode: extra(ask, "safety_mode"),
        priority: extra(ask, "priority"),
        raw_prompting: extra(ask, "raw_prompting"),
    };
    note_unsaid(ask, dropped);
    Ok(bytes(&request))
}

#[derive(Serialize)]
struct RequestOut<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict_tools: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<FormatOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    citation_options: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_mode: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_prompting: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ToolOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Parameters<'a>,
}

/// Cohere wants a schema for every tool.
#[derive(Serialize)]
#[serde(untagged)]
enum Parameters<'a> {
    Given(&'a RawValue),
    Anything {
        #[serde(rename = "type")]
        kind: &'static str,
        properties: NoProperties,
    },
}

/// `{}`.
#[derive(Serialize)]
struct NoProperties {}

#[derive(Serialize)]
struct FormatOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ThinkingOut {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_budget: Option<u64>,
}

/// The tools; a choice among them is said by leaving out the others, for there is no other way.
fn tools<'a>(ask: &'a Ask, dropped: &mut Dropped) -> Vec<ToolOut<'a>> {
    let is_chosen = |name: &String| match &ask.tool_choice {
        Some(ToolChoice::Tool(only)) => only == name,
        Some(ToolChoice::OneOf { names, .. }) => names.contains(name),
        _ => true,
    };
    let mut tools = Vec::with_capacity(ask.tools.len());
    for tool in &ask.tools {
        match tool {
            Tool::Function { name, description, parameters, cache, .. } => {
                dropped.note_if(cache.is_some(), "cache_control");
                let nothing = Parameters::Anything { kind: "object", properties: NoProperties {} };
                let function = FunctionOut {
                    name: TOOL_NAMES.fit(name),
                    description: description.as_deref(),
                    parameters: parameters.as_deref().map_or(nothing, Parameters::Given),
                };
                if is_chosen(name) {
                    tools.push(ToolOut { kind: "function", function });
                }
            }
            Tool::Native { kind, .. } => dropped.note(format!("tools[{kind}]")),
        }
    }
    tools
}

/// Strictness is one switch for all tools here.
fn strict(ask: &Ask, dropped: &mut Dropped) -> Option<bool> {
    let mut wishes = ask.tools.iter().filter_map(|tool| match tool {
        Tool::Function { strict, .. } => Some(*strict),
        Tool::Native { .. } => None,
    });
    let first = wishes.next().flatten();
    if wishes.all(|wish| wish == first) {
        return first;
    }
    dropped.note("tools[].strict");
    None
}

fn format(format: &Format) -> Option<FormatOut<'_>> {
    match format {
        Format::Text => None,
        Format::Json => Some(FormatOut { kind: "json_object", json_schema: None }),
        Format::Schema { schema, .. } => Some(FormatOut { kind: "json_object", json_schema: Some(schema) }),
    }
}

fn thinking(ask: &Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) -> Option<ThinkingOut> {
    let reasoning = ask.reasoning.as_ref()?;
    let off = reasoning.thinking == Thinking::Off || reasoning.effort == Some(Effort::None);
    if speaker.thinking == ThinkingStyle::None {
        dropped.note_if(!off, "reasoning");
        return None;
    }
    if off {
        return Some(ThinkingOut { kind: "disabled", token_budget: None });
    }
    let token_budget = reasoning.budget.or_else(|| reasoning.effort.map(Effort::budget));
    let on = token_budget.is_some() || matches!(reasoning.thinking, Thinking::On | Thinking::Adaptive);
    on.then_some(ThinkingOut { kind: "enabled", token_budget })
}

fn extra<'a>(ask: &'a Ask, name: &str) -> Option<&'a RawValue> {
    ask.extras.iter().find(|(own, _)| ask.origin == NAME && own == name).map(|(_, raw)| &**raw)
}

/// Names what this dialect has no word for.
fn note_unsaid(ask: &Ask, dropped: &mut Dropped) {
    dropped.note_if(ask.parallel_tools == Some(false), "parallel_tool_calls");
    dropped.note_if(ask.n.is_some_and(|n| n > 1), "n");
    dropped.note_if(ask.logprobs.is_some_and(|top| top > 0), "top_logprobs");
    dropped.note_if(ask.user.is_some(), "user");
    dropped.note_if(ask.metadata.is_some(), "metadata");
    dropped.note_if(ask.service_tier.is_some(), "service_tier");
    dropped.note_if(ask.cache_key.is_some(), "prompt_cache_key");
    dropped.note_if(ask.verbosity.is_some(), "verbosity");
    dropped.note_if(ask.store.is_some(), "store");
    dropped.note_if(ask.previous.is_some(), "previous_response_id");
    for (name, _) in &ask.extras {
        dropped.note_if(ask.origin != NAME || !OWN_FIELDS.contains(&name.as_str()), name);
    }
}
