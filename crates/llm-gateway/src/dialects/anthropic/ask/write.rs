//! Writes a Messages request.

use std::borrow::Cow;

use gatehouse_domain::{Code, Fault};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::blocks_out::{BlockOut, is_writable, to_upstream};
use super::super::thinking::{Obstacles, ThinkingOut, plan};
use super::super::{CACHE_MARKS_MAX, NAME, TOOL_NAMES};
use crate::dialects::Speaker;
use crate::dialects::shared::foreign::{append_extras, note_foreign};
use crate::dialects::shared::json_tool::{JSON_TOOL, JSON_TOOL_DESCRIPTION, any_object, forced_schema, schema_of};
use crate::dialects::shared::marks::{CacheOut, Marks, mark_of};
use crate::dialects::shared::turns::{Group, grouped, waits_without_thought};
use crate::form::{Ask, Block, CacheMark, Content, Dropped, Format, Role, Tool, ToolChoice};
use crate::json;

/// Room that most short requests are written into without growing.
const USUAL_BYTES: usize = 1024;

/// Writes a request for a Claude model.
///
/// # Errors
/// `InvalidRequest` when nothing is left to ask.
pub(in super::super) fn write_ask(ask: &Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) -> Result<Vec<u8>, Fault> {
    note_foreign(ask, NAME, dropped);
    let forced = forced_schema(ask, speaker);
    let mut tools = tools(ask, forced, dropped);
    let tool_choice = tool_choice(ask, forced.is_some(), !tools.is_empty());
    let groups = grouped(&ask.turns, &mut |role, block| is_writable(role, block, speaker.issuer, dropped));
    let max_tokens = ask.output_cap.unwrap_or(speaker.default_output_cap).max(1);
    let obstacles = Obstacles {
        forced_tool: tool_choice.as_ref().is_some_and(|choice| matches!(choice.kind, "any" | "tool")),
        thoughtless_calls: waits_without_thought(&groups),
    };
    let plan = plan(ask, speaker, max_tokens, obstacles, dropped);
    let own = if ask.origin == NAME { ask.extras.as_slice() } else { &[] };
    let raw_thinking = own.iter().any(|(name, _)| name == "thinking");

    let mut marks = marks(ask, &groups, own, dropped);
    for tool in &mut tools {
        tool.place(&mut marks, own);
    }
    let system = blocks(
        ask.system.iter(),
        speaker,
        &mut marks,
        dropped,
        |block| matches!(&block.content, Content::Text { text, .. } if !text.trim().is_empty()),
    );
    let mut messages: Vec<MessageOut<'_>> = Vec::with_capacity(groups.len());
    for group in &groups {
        let content = blocks(group.blocks.iter().copied(), speaker, &mut marks, dropped, |_| true);
        messages.push(MessageOut { role: role_word(group.role), content });
    }
    let (system, messages) = settle(system, messages)?;
    let format = if forced.is_some() { None } else { schema_of(ask) };
    let stop_sequences: Vec<&str> = ask.stop.iter().map(String::as_str).filter(|s| !s.trim().is_empty()).collect();
    dropped.note_if(stop_sequences.len() < ask.stop.len(), "stop");
    let body = AskOut {
        model: speaker.model,
        max_tokens,
        system,
        messages,
        tools,
        tool_choice,
        stop_sequences,
        temperature: plan.temperature,
        top_p: plan.top_p,
        top_k: plan.top_k,
        thinking: plan.thinking.filter(|_| !raw_thinking),
        output_config: OutputOut::new(plan.effort, format, own),
        metadata: ask.user.as_deref().map(|user_id| MetadataOut { user_id }),
        service_tier: service_tier(ask, dropped),
        stream: speaker.stream,
    };
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    json::append(&mut bytes, &body).map_err(|_| Fault::new(Code::Internal, "the request cannot be written"))?;
    append_extras(&mut bytes, own);
    Ok(bytes)
}

fn tools<'a>(ask: &'a Ask, forced: Option<&'a RawValue>, dropped: &mut Dropped) -> Vec<ToolOut<'a>> {
    let allowed = |name: &String| match &ask.tool_choice {
        Some(ToolChoice::OneOf { names, .. }) => names.contains(name),
        _ => true,
    };
    let mut written = Vec::with_capacity(ask.tools.len() + 1);
    for tool in &ask.tools {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } if allowed(name) => {
                written.push(ToolOut::Function(FunctionOut {
                    client_name: name,
                    name: TOOL_NAMES.fit(name),
                    description: description.as_deref(),
                    input_schema: parameters.as_deref().unwrap_or(any_object()),
                    strict: *strict,
                    mark: *cache,
                    cache_control: None,
                    rest: Vec::new(),
                }));
            }
            Tool::Function { .. } => {}
            Tool::Native { dialect, raw, .. } if *dialect == NAME => written.push(ToolOut::Native(raw)),
            Tool::Native { kind, .. } => dropped.note(format!("tools[{kind}]")),
        }
    }
    if let Some(schema) = forced {
        let description = match &ask.format {
            Some(Format::Schema { description, .. }) => description.as_deref(),
            _ => None,
        };
        written.push(ToolOut::Function(FunctionOut {
            client_name: JSON_TOOL,
            name: Cow::Borrowed(JSON_TOOL),
            description: description.or(Some(JSON_TOOL_DESCRIPTION)),
            input_schema: schema,
            strict: None,
            mark: None,
            cache_control: None,
            rest: Vec::new(),
        }));
    }
    written
}

fn tool_choice(ask: &Ask, forced_format: bool, has_tools: bool) -> Option<ChoiceOut<'_>> {
    if !has_tools {
        return None;
    }
    let of = |kind, name: Option<&'static str>| ChoiceOut {
        kind,
        name: name.map(Cow::Borrowed),
        disable_parallel_tool_use: (ask.parallel_tools == Some(false)).then_some(true),
    };
    if forced_format {
        let other_tools = !ask.tools.is_empty() && ask.tool_choice != Some(ToolChoice::None);
        return Some(if other_tools { of("any", None) } else { of("tool", Some(JSON_TOOL)) });
    }
    match &ask.tool_choice {
        None if ask.parallel_tools == Some(false) => Some(of("auto", None)),
        None => None,
        Some(ToolChoice::None) => Some(ChoiceOut { kind: "none", name: None, disable_parallel_tool_use: None }),
        Some(ToolChoice::Auto | ToolChoice::OneOf { required: false, .. }) => Some(of("auto", None)),
        Some(ToolChoice::Any | ToolChoice::OneOf { required: true, .. }) => Some(of("any", None)),
        Some(ToolChoice::Tool(name)) => Some(ChoiceOut { name: Some(TOOL_NAMES.fit(name)), ..of("tool", None) }),
    }
}

fn blocks<'a>(
    from: impl Iterator<Item = &'a Block>,
    speaker: &Speaker<'_>,
    marks: &mut Marks,
    dropped: &mut Dropped,
    keep: impl Fn(&Block) -> bool,
) -> Vec<BlockOut<'a>> {
    from.filter(|block| keep(block))
        .filter_map(|block| {
            let cache_control = marks.take(mark_of(block)).map(CacheOut::from);
            to_upstream(block, cache_control, speaker.issuer, dropped)
        })
        .collect()
}

/// Instructions alone become the user's message, because one message there must be; a text for the model to continue
/// may not end in white space.
fn settle<'a>(
    system: Vec<BlockOut<'a>>,
    mut messages: Vec<MessageOut<'a>>,
) -> Result<(Vec<BlockOut<'a>>, Vec<MessageOut<'a>>), Fault> {
    if messages.is_empty() {
        if system.is_empty() {
            return Err(Fault::new(Code::InvalidRequest, "the request holds no content").at("messages"));
        }
        return Ok((Vec::new(), vec![MessageOut { role: "user", content: system }]));
    }
    if let Some(last) = messages.last_mut().filter(|last| last.role == "assistant")
        && let Some(BlockOut::Text { text, .. }) = last.content.last_mut()
    {
        *text = text.trim_end();
    }
    Ok((system, messages))
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn service_tier<'a>(ask: &'a Ask, dropped: &mut Dropped) -> Option<&'a str> {
    match ask.service_tier.as_deref()? {
        tier @ ("auto" | "standard_only") => Some(tier),
        "default" => Some("standard_only"),
        _ => {
            dropped.note("service_tier");
            None
        }
    }
}

fn marks(ask: &Ask, groups: &[Group<'_>], own: &[(String, Box<RawValue>)], dropped: &mut Dropped) -> Marks {
    let of_tools = ask.tools.iter().filter(|tool| matches!(tool, Tool::Function { cache: Some(_), .. })).count();
    let blocks = ask.system.iter().chain(groups.iter().flat_map(|group| group.blocks.iter().copied()));
    let of_blocks = blocks.filter(|block| mark_of(block).is_some()).count();
    let of_request = usize::from(own.iter().any(|(name, _)| name == "cache_control"));
    let marks = Marks::new(of_tools + of_blocks + of_request, CACHE_MARKS_MAX);
    dropped.note_if(marks.are_short(), "cache_control");
    marks
}

#[derive(Serialize)]
struct AskOut<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<BlockOut<'a>>,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<MetadataOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Vec<BlockOut<'a>>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Serialize)]
struct MetadataOut<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct OutputOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_budget: Option<&'a RawValue>,
}

impl<'a> OutputOut<'a> {
    fn new(effort: Option<&'a str>, format: Option<&'a RawValue>, own: &'a [(String, Box<RawValue>)]) -> Option<Self> {
        let extra = |name: &str| own.iter().find(|(extra, _)| extra == name).map(|(_, raw)| &**raw);
        let kept_effort = || serde_json::from_str(extra("output_config.effort")?.get()).ok().map(Cow::Owned);
        let out = Self {
            effort: effort.map(Cow::Borrowed).or_else(kept_effort),
            format: format.map(|schema| FormatOut { kind: "json_schema", schema }),
            task_budget: extra("output_config.task_budget"),
        };
        (out.effort.is_some() || out.format.is_some() || out.task_budget.is_some()).then_some(out)
    }
}

#[derive(Serialize)]
struct FormatOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a RawValue,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolOut<'a> {
    Function(FunctionOut<'a>),
    Native(&'a RawValue),
}

impl<'a> ToolOut<'a> {
    /// Gives the tool its cache mark and the fields that were kept raw.
    fn place(&mut self, marks: &mut Marks, own: &'a [(String, Box<RawValue>)]) {
        let Self::Function(tool) = self else { return };
        tool.cache_control = marks.take(tool.mark).map(CacheOut::from);
        let prefix = format!("tools[{}].", tool.client_name);
        let fields = own.iter().filter_map(|(name, raw)| Some((name.strip_prefix(prefix.as_str())?, &**raw)));
        tool.rest.extend(fields);
    }
}

struct FunctionOut<'a> {
    client_name: &'a str,
    name: Cow<'a, str>,
    description: Option<&'a str>,
    input_schema: &'a RawValue,
    strict: Option<bool>,
    mark: Option<CacheMark>,
    cache_control: Option<CacheOut>,
    rest: Vec<(&'a str, &'a RawValue)>,
}

impl Serialize for FunctionOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        if let Some(description) = self.description {
            map.serialize_entry("description", description)?;
        }
        map.serialize_entry("input_schema", self.input_schema)?;
        if let Some(strict) = self.strict {
            map.serialize_entry("strict", &strict)?;
        }
        if let Some(cache_control) = &self.cache_control {
            map.serialize_entry("cache_control", cache_control)?;
        }
        for (name, raw) in &self.rest {
            map.serialize_entry(name, raw)?;
        }
        map.end()
    }
}
