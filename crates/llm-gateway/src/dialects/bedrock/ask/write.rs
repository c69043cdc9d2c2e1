//! Writes a Converse request.

use std::borrow::Cow;

use gatehouse_domain::{Code, Fault};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::blocks_out::{BlockOut, BlockWriter, CachePointOut, NAME_MAX, is_writable};
use super::super::media::DocumentNames;
use crate::dialects::Speaker;
use crate::dialects::anthropic::CACHE_MARKS_MAX;
use crate::dialects::anthropic::thinking::{Obstacles, Plan, ThinkingOut, plan};
use crate::dialects::shared::foreign::note_foreign;
use crate::dialects::shared::json_tool::{JSON_TOOL, JSON_TOOL_DESCRIPTION, any_object, forced_schema, schema_of};
use crate::dialects::shared::marks::{Marks, mark_of};
use crate::dialects::shared::turns::{Group, grouped, waits_without_thought};
use crate::dialects::shared::words::fit;
use crate::form::{Ask, Block, Content, Dropped, Format, Issuer, Role, Tool, ToolChoice};

const ADDITIONAL: &str = "additionalModelRequestFields.";

/// Writes a request. The model is in the path and not in the body.
///
/// # Errors
/// `InvalidRequest` when nothing is left to ask.
pub(in super::super) fn write_ask(ask: &Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) -> Result<Vec<u8>, Fault> {
    note_foreign(ask, NAME, dropped);
    dropped.note_if(ask.user.is_some(), "user");
    dropped.note_if(ask.parallel_tools == Some(false), "parallel_tool_calls");
    let own = if ask.origin == NAME { ask.extras.as_slice() } else { &[] };
    let groups = grouped(&ask.turns, &mut |role, block| is_writable(role, block, speaker.issuer, dropped));
    let forced = forced_schema(ask, speaker);
    let mut marks = marks(ask, &groups, dropped);
    let tool_config = tool_config(ask, forced, &groups, &mut marks, dropped);
    let choice = tool_config.as_ref().and_then(|config| config.tool_choice.as_ref());
    let obstacles = Obstacles {
        forced_tool: matches!(choice, Some(ChoiceOut::Any {} | ChoiceOut::Tool { .. })),
        thoughtless_calls: waits_without_thought(&groups),
    };
    let (plan, max_tokens) = thinking(ask, speaker, obstacles, dropped);
    let mut writer = BlockWriter { issuer: speaker.issuer, names: DocumentNames::default(), dropped };
    let system = system(ask, &mut writer, &mut marks);
    let messages = messages(&groups, &mut writer, &mut marks);
    let (system, messages) = settle(system, messages)?;
    let format = if forced.is_some() { None } else { text_format(ask) };
    let body = AskOut {
        messages,
        system,
        inference_config: InferenceOut::new(ask, max_tokens, &plan),
        tool_config,
        additional_model_request_fields: AdditionalOut::new(plan.thinking, plan.top_k, own),
        output_config: (format.is_some() || plan.effort.is_some())
            .then_some(OutputOut { text_format: format, effort: plan.effort }),
        service_tier: service_tier(ask, dropped).map(|kind| TierOut { kind }),
    };
    let mut bytes = serde_json::to_vec(&body).map_err(|_| Fault::new(Code::Internal, "the request cannot be written"))?;
    append_extras(&mut bytes, own);
    Ok(bytes)
}

/// Thinking and sampling. Anthropic's models take the same parameters here as at home; others take effort alone.
fn thinking<'a>(
    ask: &'a Ask,
    speaker: &Speaker<'_>,
    obstacles: Obstacles,
    dropped: &mut Dropped,
) -> (Plan, Option<u64>) {
    let cap = ask.output_cap.unwrap_or(speaker.default_output_cap).max(1);
    if speaker.issuer == Issuer::Anthropic {
        let plan = plan(ask, speaker, cap, obstacles, dropped);
        // A thinking budget is only valid below a limit that is written.
        let budget = matches!(plan.thinking, Some(ThinkingOut::Enabled { .. }));
        return (plan, ask.output_cap.or(budget.then_some(cap)));
    }
    dropped.note_if(ask.top_k.is_some(), "top_k");
    let effort = ask.reasoning.as_ref().and_then(|asked| asked.effort);
    let takes_effort = speaker.thinking == crate::dialects::ThinkingStyle::Effort;
    dropped.note_if(ask.reasoning.is_some() && !(takes_effort && effort.is_some()), "reasoning");
    let plan = Plan {
        effort: effort.filter(|_| takes_effort).map(crate::form::Effort::as_str),
        temperature: ask.temperature,
        top_p: ask.top_p,
        ..Plan::default()
    };
    (plan, ask.output_cap)
}

fn marks(ask: &Ask, groups: &[Group<'_>], dropped: &mut Dropped) -> Marks {
    let of_tools = ask.tools.iter().filter(|tool| matches!(tool, Tool::Function { cache: Some(_), .. })).count();
    let blocks = ask.system.iter().chain(groups.iter().flat_map(|group| group.blocks.iter().copied()));
    let marks = Marks::new(of_tools + blocks.filter(|block| mark_of(block).is_some()).count(), CACHE_MARKS_MAX);
    dropped.note_if(marks.are_short(), "cache_control");
    marks
}

fn system<'a>(ask: &'a Ask, writer: &mut BlockWriter<'_>, marks: &mut Marks) -> Vec<BlockOut<'a>> {
    let mut written = Vec::with_capacity(ask.system.len());
    for block in &ask.system {
        let usable = match &block.content {
            Content::Text { text, .. } => !text.trim().is_empty(),
            Content::Native { dialect, .. } => *dialect == NAME,
            _ => false,
        };
        if usable {
            push(block, writer, marks, &mut written);
        }
    }
    written
}

/// Messages of strictly alternating roles: instructions in mid-conversation are told by the user.
fn messages<'a>(groups: &[Group<'a>], writer: &mut BlockWriter<'_>, marks: &mut Marks) -> Vec<MessageOut<'a>> {
    let mut messages: Vec<MessageOut<'a>> = Vec::with_capacity(groups.len());
    for group in groups {
        let role = if group.role == Role::Assistant { "assistant" } else { "user" };
        if messages.last().is_none_or(|last| last.role != role) {
            messages.push(MessageOut { role, content: Vec::with_capacity(group.blocks.len()) });
        }
        if let Some(message) = messages.last_mut() {
            for block in &group.blocks {
                push(block, writer, marks, &mut message.content);
            }
        }
    }
    messages.retain(|message| !message.content.is_empty());
    messages
}

fn push<'a>(block: &'a Block, writer: &mut BlockWriter<'_>, marks: &mut Marks, to: &mut Vec<BlockOut<'a>>) {
    let mark = marks.take(mark_of(block));
    if let Some(written) = writer.write(block) {
        to.push(written);
        to.extend(mark.map(|mark| BlockOut::CachePoint(mark.into())));
    }
}

/// Instructions alone become the user's message, because one message there must be.
fn settle<'a>(
    system: Vec<BlockOut<'a>>,
    messages: Vec<MessageOut<'a>>,
) -> Result<(Vec<BlockOut<'a>>, Vec<MessageOut<'a>>), Fault> {
    if !messages.is_empty() {
        return Ok((system, messages));
    }
    if system.is_empty() {
        return Err(Fault::new(Code::InvalidRequest, "the request holds no content").at("messages"));
    }
    Ok((Vec::new(), vec![MessageOut { role: "user", content: system }]))
}

/// Tools, which must also be there when only the history has calls; `none` is not known and means no tools.
fn tool_config<'a>(
    ask: &'a Ask,
    forced: Option<&'a RawValue>,
    groups: &[Group<'a>],
    marks: &mut Marks,
    dropped: &mut Dropped,
) -> Option<ToolConfigOut<'a>> {
    let history = called_tools(groups);
    let none = ask.tool_choice == Some(ToolChoice::None);
    let mut tools = Vec::with_capacity(ask.tools.len() + 1);
    // Marks of tools that are not written are used up all the same, so that the count stays right.
    for tool in &ask.tools {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                let mark = marks.take(*cache);
                let offered = match &ask.tool_choice {
                    Some(ToolChoice::None) => !history.is_empty(),
                    Some(ToolChoice::OneOf { names, .. }) => names.contains(name),
                    _ => true,
                };
                if offered {
                    let schema = parameters.as_deref().unwrap_or(any_object());
                    tools.push(ToolOut::spec(name, description.as_deref(), schema, *strict));
                    tools.extend(mark.map(|mark| ToolOut::CachePoint(mark.into())));
                }
            }
            Tool::Native { dialect, raw, .. } if *dialect == NAME && !none => tools.push(ToolOut::Native(raw)),
            Tool::Native { dialect, .. } if *dialect == NAME => {}
            Tool::Native { kind, .. } => dropped.note(format!("tools[{kind}]")),
        }
    }
    let offers_tools = !tools.is_empty();
    if tools.is_empty() {
        tools.extend(history.iter().map(|name| ToolOut::spec(name, None, any_object(), None)));
    }
    dropped.note_if(none && !tools.is_empty(), "tool_choice");
    if let Some(schema) = forced {
        let description = match &ask.format {
            Some(Format::Schema { description, .. }) => description.as_deref(),
            _ => None,
        };
        tools.push(ToolOut::spec(JSON_TOOL, description.or(Some(JSON_TOOL_DESCRIPTION)), schema, None));
    }
    if tools.is_empty() {
        return None;
    }
    let tool_choice = if forced.is_some() {
        let others = offers_tools && !none;
        Some(if others { ChoiceOut::Any {} } else { ChoiceOut::Tool { name: Cow::Borrowed(JSON_TOOL) } })
    } else {
        tool_choice(ask.tool_choice.as_ref().filter(|_| offers_tools))
    };
    Some(ToolConfigOut { tools, tool_choice })
}

fn tool_choice(choice: Option<&ToolChoice>) -> Option<ChoiceOut<'_>> {
    Some(match choice? {
        ToolChoice::None => return None,
        ToolChoice::Auto | ToolChoice::OneOf { required: false, .. } => ChoiceOut::Auto {},
        ToolChoice::Any | ToolChoice::OneOf { required: true, .. } => ChoiceOut::Any {},
        ToolChoice::Tool(name) => ChoiceOut::Tool { name: fit(name, NAME_MAX, "") },
    })
}

/// Names of the tools the history speaks of, each once.
fn called_tools<'a>(groups: &[Group<'a>]) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    let blocks = groups.iter().flat_map(|group| group.blocks.iter().copied());
    blocks
        .filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(call.name.as_str()),
            Content::ToolResult(result) => Some(result.name.as_deref().unwrap_or("tool")),
            _ => None,
        })
        .filter(|name| seen.insert(*name))
        .collect()
}

fn text_format(ask: &Ask) -> Option<TextFormatOut<'_>> {
    let schema = schema_of(ask)?;
    let (name, description) = match &ask.format {
        Some(Format::Schema { name, description, .. }) => (name.as_deref(), description.as_deref()),
        _ => (None, None),
    };
    let json_schema = JsonSchemaOut { schema: schema.get(), name, description };
    Some(TextFormatOut { kind: "json_schema", structure: StructureOut { json_schema } })
}

fn service_tier<'a>(ask: &'a Ask, dropped: &mut Dropped) -> Option<&'a str> {
    let tier = ask.service_tier.as_deref()?;
    let known = matches!(tier, "priority" | "default" | "flex" | "reserved");
    dropped.note_if(!known && tier != "auto", "service_tier");
    known.then_some(tier)
}

/// Adds the top-level fields that were kept raw.
fn append_extras(body: &mut Vec<u8>, extras: &[(String, Box<RawValue>)]) {
    for (name, raw) in extras.iter().filter(|(name, _)| !name.starts_with(ADDITIONAL)) {
        let Ok(name) = serde_json::to_vec(name) else { continue };
        body.pop();
        body.push(b',');
        body.extend_from_slice(&name);
        body.push(b':');
        body.extend_from_slice(raw.get().as_bytes());
        body.push(b'}');
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AskOut<'a> {
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<BlockOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inference_config: Option<InferenceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfigOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<AdditionalOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<TierOut<'a>>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Vec<BlockOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
}

impl<'a> InferenceOut<'a> {
    fn new(ask: &'a Ask, max_tokens: Option<u64>, plan: &Plan) -> Option<Self> {
        let stop_sequences: Vec<&str> = ask.stop.iter().map(String::as_str).filter(|stop| !stop.is_empty()).collect();
        let any = max_tokens.is_some()
            || plan.temperature.is_some()
            || plan.top_p.is_some()
            || !stop_sequences.is_empty();
        any.then_some(Self { max_tokens, temperature: plan.temperature, top_p: plan.top_p, stop_sequences })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfigOut<'a> {
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolOut<'a> {
    #[serde(rename_all = "camelCase")]
    ToolSpec {
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: SchemaOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
    CachePoint(CachePointOut),
    #[serde(untagged)]
    Native(&'a RawValue),
}

impl<'a> ToolOut<'a> {
    fn spec(name: &'a str, description: Option<&'a str>, schema: &'a RawValue, strict: Option<bool>) -> Self {
        Self::ToolSpec {
            name: fit(name, NAME_MAX, ""),
            description: description.filter(|text| !text.is_empty()),
            input_schema: SchemaOut { json: schema },
            strict,
        }
    }
}

#[derive(Serialize)]
struct SchemaOut<'a> {
    json: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ChoiceOut<'a> {
    Auto {},
    Any {},
    Tool { name: Cow<'a, str> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<TextFormatOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
}

#[derive(Serialize)]
struct TextFormatOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    structure: StructureOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StructureOut<'a> {
    json_schema: JsonSchemaOut<'a>,
}

#[derive(Serialize)]
struct JsonSchemaOut<'a> {
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

#[derive(Serialize)]
struct TierOut<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

/// `additionalModelRequestFields`: what was kept raw, and Anthropic's own parameters.
struct AdditionalOut<'a> {
    thinking: Option<ThinkingOut>,
    top_k: Option<u64>,
    rest: Vec<(&'a str, &'a RawValue)>,
}

impl<'a> AdditionalOut<'a> {
    fn new(thinking: Option<ThinkingOut>, top_k: Option<u64>, own: &'a [(String, Box<RawValue>)]) -> Option<Self> {
        let rest: Vec<_> = own.iter().filter_map(|(name, raw)| Some((name.strip_prefix(ADDITIONAL)?, &**raw))).collect();
        // What was kept raw is the client's own word.
        let thinking = thinking.filter(|_| !rest.iter().any(|(name, _)| *name == "thinking"));
        (thinking.is_some() || top_k.is_some() || !rest.is_empty()).then_some(Self { thinking, top_k, rest })
    }
}

impl Serialize for AdditionalOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(thinking) = &self.thinking {
            map.serialize_entry("thinking", thinking)?;
        }
        if let Some(top_k) = self.top_k {
            map.serialize_entry("top_k", &top_k)?;
        }
        for (name, raw) in &self.rest {
            map.serialize_entry(name, raw)?;
        }
        map.end()
    }
}
