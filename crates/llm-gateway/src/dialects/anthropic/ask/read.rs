//! Reads a Messages request. The top level is walked by hand, so that fields nobody here knows are kept raw, in order,
//! without a tree of the body.

use std::fmt;

use gatehouse_domain::Fault;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::blocks_in::{read_content, type_of};
use super::super::content_in::{ContentIn, RawContent};
use super::super::tools_in::{ToolIn, read_tool};
use crate::dialects::shared::place::{read_request, wrong};
use crate::dialects::shared::turns::name_results;
use crate::form::{Ask, Effort, Format, ReasoningAsk, Role, Thinking, ToolChoice, Turn};

/// Reads a request.
///
/// # Errors
/// `InvalidJson`, or `InvalidRequest` with `param` naming the field.
pub(in super::super) fn read_ask(body: &[u8]) -> Result<Ask, Fault> {
    let mut read: Body = read_request(body)?;
    let mut raws = Raws { body, read: None };
    let mut ask = Ask { origin: NAME, model: read.model, stream: read.stream, extras: read.extras, ..Ask::default() };
    if let Some(system) = read.system {
        ask.system = read_content(system, &mut Vec::new)
            .map_err(|fault| wrong(fault.path.replacen("content", "system", 1), fault.why))?;
    }
    ask.turns = read_turns(read.messages.ok_or_else(|| wrong("messages", "`messages` is required"))?, &mut raws)?;
    for (index, tool) in read.tools.into_iter().enumerate() {
        let tool = read_tool(tool, || raws.tool(index), &mut ask.extras)
            .map_err(|(field, why)| wrong(format!("tools[{index}]{field}"), why))?;
        ask.tools.push(tool);
    }
    if let Some(choice) = read.tool_choice {
        ask.parallel_tools = choice.disable_parallel_tool_use.map(|disabled| !disabled);
        ask.tool_choice = Some(read_choice(choice)?);
    }
    ask.reasoning = read_reasoning(read.thinking, read.output.effort.take(), &mut ask.extras)?;
    ask.format = match read.output.format.take().or(read.output_format) {
        Some(format) => Some(format.read()?),
        None => None,
    };
    if let Some(budget) = read.output.task_budget {
        ask.extras.push(("output_config.task_budget".to_owned(), budget));
    }
    ask.output_cap = read.max_tokens;
    ask.stop = read.stop_sequences;
    ask.temperature = read.temperature;
    ask.top_p = read.top_p;
    ask.top_k = read.top_k;
    ask.user = read.user;
    ask.service_tier = read.service_tier;
    Ok(ask)
}

fn read_turns(messages: Vec<MessageIn>, raws: &mut Raws<'_>) -> Result<Vec<Turn>, Fault> {
    if messages.is_empty() {
        return Err(wrong("messages", "`messages` must hold at least one message"));
    }
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        let role = match message.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(wrong(format!("messages[{index}].role"), "role must be user, assistant or system")),
        };
        let blocks = read_content(message.content, &mut || raws.message(index))
            .map_err(|fault| wrong(format!("messages[{index}].{}", fault.path), fault.why))?;
        turns.push(Turn { role, blocks });
    }
    name_results(&mut turns);
    Ok(turns)
}

fn read_choice(choice: ChoiceIn) -> Result<ToolChoice, Fault> {
    Ok(match choice.kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Any,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool(
            choice.name.ok_or_else(|| wrong("tool_choice.name", "a choice of type tool needs `name`"))?,
        ),
        _ => return Err(wrong("tool_choice.type", "tool_choice.type must be auto, any, tool or none")),
    })
}

/// `thinking` and `output_config.effort`. A kind of thinking or a word for effort that is not known here stays raw.
fn read_reasoning(
    thinking: Option<Box<RawValue>>,
    effort: Option<String>,
    extras: &mut Vec<(String, Box<RawValue>)>,
) -> Result<Option<ReasoningAsk>, Fault> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ThinkingIn {
        budget_tokens: Option<u64>,
        display: Option<String>,
    }
    let mut asked = ReasoningAsk::default();
    if let Some(word) = effort {
        asked.effort = Effort::parse(&word);
        if asked.effort.is_none()
            && let Ok(raw) = serde_json::value::to_raw_value(&word)
        {
            extras.push(("output_config.effort".to_owned(), raw));
        }
    }
    if let Some(raw) = thinking {
        asked.thinking = match type_of(&raw).as_deref() {
            Some("enabled") => Thinking::On,
            Some("adaptive") => Thinking::Adaptive,
            Some("disabled") => Thinking::Off,
            Some(_) => {
                extras.push(("thinking".to_owned(), raw.clone()));
                Thinking::Unsaid
            }
            None => return Err(wrong("thinking.type", "`thinking` needs a type")),
        };
        let read: ThinkingIn = serde_json::from_str(raw.get())
            .map_err(|_| wrong("thinking.budget_tokens", "budget_tokens must be a number of tokens"))?;
        asked.budget = read.budget_tokens;
        asked.summary = read.display.map(|display| (if display == "omitted" { "none" } else { "auto" }).to_owned());
    }
    Ok((asked != ReasoningAsk::default()).then_some(asked))
}

/// The body's blocks and tools as raw JSON, read when the first of them must be kept raw.
struct Raws<'a> {
    body: &'a [u8],
    read: Option<RawBody<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawBody<'a> {
    #[serde(borrow)]
    messages: Vec<RawContent<'a>>,
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
}

impl<'a> Raws<'a> {
    fn body(&mut self) -> &mut RawBody<'a> {
        self.read.get_or_insert_with(|| serde_json::from_slice(self.body).unwrap_or_default())
    }
    fn message(&mut self, index: usize) -> Vec<&'a RawValue> {
        self.body().messages.get_mut(index).map_or_else(Vec::new, |raw| std::mem::take(&mut raw.content.0))
    }
    fn tool(&mut self, index: usize) -> Option<&'a RawValue> {
        self.body().tools.get(index).copied()
    }
}

#[derive(Default)]
struct Body {
    model: String,
    stream: bool,
    system: Option<ContentIn>,
    messages: Option<Vec<MessageIn>>,
    tools: Vec<ToolIn>,
    tool_choice: Option<ChoiceIn>,
    max_tokens: Option<u64>,
    stop_sequences: Vec<String>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    thinking: Option<Box<RawValue>>,
    output: OutputIn,
    output_format: Option<FormatIn>,
    user: Option<String>,
    service_tier: Option<String>,
    extras: Vec<(String, Box<RawValue>)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageIn {
    role: String,
    content: ContentIn,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputIn {
    effort: Option<String>,
    format: Option<FormatIn>,
    task_budget: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FormatIn {
    #[serde(rename = "type")]
    kind: String,
    schema: Option<Box<RawValue>>,
}

impl FormatIn {
    fn read(self) -> Result<Format, Fault> {
        match (self.kind.as_str(), self.schema) {
            ("json_schema", Some(schema)) => Ok(Format::Schema { name: None, description: None, schema, strict: None }),
            ("json_schema", None) => Err(wrong("output_config.format.schema", "a json_schema format needs `schema`")),
            _ => Err(wrong("output_config.format.type", "output_config.format.type must be json_schema")),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MetadataIn {
    user_id: Option<String>,
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Body;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Messages request")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
                let mut body = Body::default();
                while let Some(name) = map.next_key::<String>()? {
                    body.field(name, &mut map)?;
                }
                Ok(body)
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

impl Body {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        match name.as_str() {
            "model" => self.model = map.next_value()?,
            "stream" => self.stream = map.next_value::<Option<bool>>()?.unwrap_or(false),
            "system" => self.system = map.next_value()?,
            "messages" => self.messages = map.next_value()?,
            "tools" => self.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "tool_choice" => self.tool_choice = map.next_value()?,
            "max_tokens" => self.max_tokens = map.next_value()?,
            "stop_sequences" => self.stop_sequences = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "temperature" => self.temperature = map.next_value()?,
            "top_p" => self.top_p = map.next_value()?,
            "top_k" => self.top_k = map.next_value()?,
            "thinking" => self.thinking = map.next_value()?,
            "output_config" => self.output = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "output_format" => self.output_format = map.next_value()?,
            "metadata" => self.user = map.next_value::<Option<MetadataIn>>()?.and_then(|metadata| metadata.user_id),
            "service_tier" => self.service_tier = map.next_value()?,
            _ => {
                if let Some(raw) = map.next_value::<Option<Box<RawValue>>>()? {
                    self.extras.push((name, raw));
                }
            }
        }
        Ok(())
    }
}
