//! Writes a Converse request.

use gatehouse_domain::{Code, Fault};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::blocks_out::{BlockOut, BlockWriter, is_writable};
use super::super::media::DocumentNames;
use super::tools::{ToolConfigOut, tool_config};
use crate::dialects::anthropic::CACHE_MARKS_MAX;
use crate::dialects::anthropic::thinking::{Obstacles, Plan, ThinkingOut, plan};
use crate::dialects::shared::foreign::{append_extras, note_foreign};
use crate::dialects::shared::json_tool::{forced_schema, schema_of};
use crate::dialects::shared::marks::{Marks, mark_of};
use crate::dialects::shared::turns::{Group, grouped, waits_without_thought};
use crate::dialects::{Speaker, ThinkingStyle};
use crate::form::{Ask, Block, Content, Dropped, Effort, Format, Issuer, Role, Tool};

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
    let obstacles = Obstacles {
        forced_tool: tool_config.as_ref().is_some_and(ToolConfigOut::forces_a_call),
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
    let mut bytes =
        serde_json::to_vec(&body).map_err(|_| Fault::new(Code::Internal, "the request cannot be written"))?;
    append_extras(&mut bytes, own);
    Ok(bytes)
}

/// Thinking and sampling. Anthropic's models take the same parameters here as at home; others take effort alone.
fn thinking(ask: &Ask, speaker: &Speaker<'_>, obstacles: Obstacles, dropped: &mut Dropped) -> (Plan, Option<u64>) {
    let cap = ask.output_cap.unwrap_or(speaker.default_output_cap).max(1);
    if speaker.issuer == Issuer::Anthropic {
        let plan = plan(ask, speaker, cap, obstacles, dropped);
        // A thinking budget is only valid below a limit that is written.
        let budget = matches!(plan.thinking, Some(ThinkingOut::Enabled { .. }));
        return (plan, ask.output_cap.or(budget.then_some(cap)));
    }
    dropped.note_if(ask.top_k.is_some(), "top_k");
    let effort = ask.reasoning.as_ref().and_then(|asked| asked.effort);
    let takes_effort = speaker.thinking == ThinkingStyle::Effort;
    dropped.note_if(ask.reasoning.is_some() && !(takes_effort && effort.is_some()), "reasoning");
    let plan = Plan {
        effort: effort.filter(|_| takes_effort).map(Effort::as_str),
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

/// Instructions alone become the user's message, because one message there must be; a text for the model to continue
/// may not end in white space.
fn settle<'a>(
    system: Vec<BlockOut<'a>>,
    mut messages: Vec<MessageOut<'a>>,
) -> Result<(Vec<BlockOut<'a>>, Vec<MessageOut<'a>>), Fault> {
    if let Some(last) = messages.last_mut() {
        if let (true, Some(BlockOut::Text(text))) = (last.role == "assistant", last.content.last_mut()) {
            *text = text.trim_end();
        }
        return Ok((system, messages));
    }
    if system.is_empty() {
        return Err(Fault::new(Code::InvalidRequest, "the request holds no content").at("messages"));
    }
    Ok((Vec::new(), vec![MessageOut { role: "user", content: system }]))
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
    let tier = match ask.service_tier.as_deref()? {
        "standard_only" => "default",
        tier => tier,
    };
    let known = matches!(tier, "priority" | "default" | "flex" | "reserved");
    dropped.note_if(!known && tier != "auto", "service_tier");
    known.then_some(tier)
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
        let any =
            max_tokens.is_some() || plan.temperature.is_some() || plan.top_p.is_some() || !stop_sequences.is_empty();
        any.then_some(Self { max_tokens, temperature: plan.temperature, top_p: plan.top_p, stop_sequences })
    }
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
        let rest: Vec<_> =
            own.iter().filter_map(|(name, raw)| Some((name.strip_prefix(ADDITIONAL)?, &**raw))).collect();
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
