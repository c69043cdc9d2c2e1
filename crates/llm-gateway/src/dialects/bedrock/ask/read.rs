//! Reads a Converse request. The top level is walked by hand, so that fields nobody here knows are kept raw, in order,
//! without a tree of the body.

use std::fmt;

use gatehouse_domain::Fault;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::blocks_in::{BlockIn, CachePointIn, collect};
use crate::dialects::shared::place::{read_request, wrong};
use crate::dialects::shared::turns::name_results;
use crate::form::{Ask, Effort, Format, ReasoningAsk, Role, Thinking, Tool, ToolChoice, Turn};

/// Reads a request. The model is in the path, so `ask.model` stays empty.
///
/// # Errors
/// `InvalidJson`, or `InvalidRequest` with `param` naming the field.
pub(in super::super) fn read_ask(body: &[u8]) -> Result<Ask, Fault> {
    let read: Body = read_request(body)?;
    let mut ask = Ask { origin: NAME, extras: read.extras, ..Ask::default() };
    ask.system = collect(read.system);
    ask.turns = read_turns(read.messages)?;
    ask.output_cap = read.inference.max_tokens;
    ask.temperature = read.inference.temperature;
    ask.top_p = read.inference.top_p;
    ask.stop = read.inference.stop_sequences.unwrap_or_default();
    ask.service_tier = read.service_tier.map(|tier| tier.kind);
    for (index, tool) in read.tools.tools.into_iter().enumerate() {
        read_tool(tool, index, &mut ask.tools)?;
    }
    ask.tool_choice = read.tools.tool_choice.and_then(ChoiceIn::read);
    let mut reasoning = ReasoningAsk::default();
    read_additional(read.additional, &mut ask, &mut reasoning)?;
    if let Some(word) = read.output.effort {
        reasoning.effort = Effort::parse(&word);
        if reasoning.effort.is_none() {
            return Err(wrong("outputConfig.effort", "effort must be low, medium, high, xhigh or max"));
        }
    }
    ask.reasoning = (reasoning != ReasoningAsk::default()).then_some(reasoning);
    ask.format = read.output.text_format.map(TextFormatIn::read).transpose()?;
    Ok(ask)
}

fn read_turns(messages: Vec<MessageIn>) -> Result<Vec<Turn>, Fault> {
    if messages.is_empty() {
        return Err(wrong("messages", "`messages` must hold at least one message"));
    }
    let mut turns = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        let role = match message.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(wrong(format!("messages[{index}].role"), "role must be user, assistant or system")),
        };
        turns.push(Turn { role, blocks: collect(message.content) });
    }
    name_results(&mut turns);
    Ok(turns)
}

fn read_tool(tool: ToolIn, index: usize, tools: &mut Vec<Tool>) -> Result<(), Fault> {
    if let Some(point) = tool.cache_point {
        if let Some(Tool::Function { cache, .. }) = tools.last_mut() {
            *cache = Some(point.mark());
        }
    } else if let Some(spec) = tool.tool_spec {
        if spec.name.is_empty() {
            return Err(wrong(format!("toolConfig.tools[{index}].toolSpec.name"), "a tool needs a name"));
        }
        tools.push(Tool::Function {
            name: spec.name,
            description: spec.description,
            parameters: spec.input_schema.and_then(|schema| schema.json),
            strict: spec.strict,
            cache: None,
        });
    } else if let Some(raw) = tool.system_tool {
        let raw = RawValue::from_string(format!("{{\"systemTool\":{}}}", raw.get())).unwrap_or(raw);
        tools.push(Tool::Native { dialect: NAME, kind: "systemTool".to_owned(), raw });
    } else {
        let path = format!("toolConfig.tools[{index}]");
        return Err(wrong(path, "a tool must be a toolSpec, a systemTool or a cachePoint"));
    }
    Ok(())
}

/// `additionalModelRequestFields`: the model's own parameters. Anthropic's are understood, the rest stays raw.
fn read_additional(fields: Fields, ask: &mut Ask, reasoning: &mut ReasoningAsk) -> Result<(), Fault> {
    const AT: &str = "additionalModelRequestFields";
    for (name, raw) in fields.0 {
        match name.as_str() {
            "top_k" => {
                let top_k = serde_json::from_str(raw.get());
                ask.top_k = Some(top_k.map_err(|_| wrong(format!("{AT}.top_k"), "top_k must be a number"))?);
            }
            "thinking" | "reasoning_config" => {
                let thinking: ThinkingIn = serde_json::from_str(raw.get())
                    .map_err(|_| wrong(format!("{AT}.{name}"), "thinking needs a type and takes budget_tokens"))?;
                reasoning.thinking = match thinking.kind.as_str() {
                    "enabled" => Thinking::On,
                    "adaptive" => Thinking::Adaptive,
                    "disabled" => Thinking::Off,
                    _ => {
                        ask.extras.push((format!("{AT}.{name}"), raw));
                        continue;
                    }
                };
                reasoning.budget = thinking.budget_tokens;
                reasoning.summary =
                    thinking.display.map(|display| (if display == "omitted" { "none" } else { "auto" }).to_owned());
            }
            _ => ask.extras.push((format!("{AT}.{name}"), raw)),
        }
    }
    Ok(())
}

#[derive(Default)]
struct Body {
    system: Vec<BlockIn>,
    messages: Vec<MessageIn>,
    inference: InferenceIn,
    tools: ToolConfigIn,
    additional: Fields,
    output: OutputIn,
    service_tier: Option<TierIn>,
    extras: Vec<(String, Box<RawValue>)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageIn {
    role: String,
    content: Vec<BlockIn>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct InferenceIn {
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    stop_sequences: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolConfigIn {
    tools: Vec<ToolIn>,
    tool_choice: Option<ChoiceIn>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolIn {
    tool_spec: Option<ToolSpecIn>,
    system_tool: Option<Box<RawValue>>,
    cache_point: Option<CachePointIn>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolSpecIn {
    name: String,
    description: Option<String>,
    input_schema: Option<SchemaIn>,
    strict: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SchemaIn {
    json: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn {
    auto: Option<IgnoredAny>,
    any: Option<IgnoredAny>,
    tool: Option<NamedIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamedIn {
    name: String,
}

impl ChoiceIn {
    fn read(self) -> Option<ToolChoice> {
        match (self.tool, self.any, self.auto) {
            (Some(tool), _, _) => Some(ToolChoice::Tool(tool.name)),
            (None, Some(_), _) => Some(ToolChoice::Any),
            (None, None, Some(_)) => Some(ToolChoice::Auto),
            (None, None, None) => None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ThinkingIn {
    #[serde(rename = "type")]
    kind: String,
    budget_tokens: Option<u64>,
    display: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TierIn {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OutputIn {
    text_format: Option<TextFormatIn>,
    effort: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TextFormatIn {
    structure: StructureIn,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StructureIn {
    json_schema: JsonSchemaIn,
}

/// The schema travels as a string.
#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonSchemaIn {
    schema: String,
    name: Option<String>,
    description: Option<String>,
}

impl TextFormatIn {
    fn read(self) -> Result<Format, Fault> {
        let JsonSchemaIn { schema, name, description } = self.structure.json_schema;
        let schema = RawValue::from_string(schema).map_err(|_| {
            wrong("outputConfig.textFormat.structure.jsonSchema.schema", "the schema must be a string of JSON")
        })?;
        Ok(Format::Schema { name, description, schema, strict: None })
    }
}

/// The members of an object, raw.
#[derive(Default)]
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(field) = map.next_entry()? {
                    fields.0.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Body;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Converse request")
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
            "system" => self.system = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "messages" => self.messages = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "inferenceConfig" => self.inference = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "toolConfig" => self.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "additionalModelRequestFields" => self.additional = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "outputConfig" => self.output = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "serviceTier" => self.service_tier = map.next_value()?,
            "modelId" => drop(map.next_value::<IgnoredAny>()?),
            _ => {
                if let Some(raw) = map.next_value::<Option<Box<RawValue>>>()? {
                    self.extras.push((name, raw));
                }
            }
        }
        Ok(())
    }
}
