//! Reading a request.

use std::fmt;

use gatehouse_domain::Fault;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::config::{GenerationConfig, ToolConfig};
use super::read_parts::TurnReader;
use crate::dialects::gemini::wire;
use crate::dialects::gemini::{NAME, schema};
use crate::dialects::shared::place::{read_request, wrong};
use crate::form::{Ask, Role, Tool, Turn};

/// Most alternatives a client may ask for.
const CANDIDATES_MAX: u32 = 128;

/// Reads a `generateContent` body, and a `countTokens` body in either of its two forms.
///
/// # Errors
/// `InvalidJson`, or `InvalidRequest` naming the field.
pub(in crate::dialects::gemini) fn read(body: &[u8]) -> Result<Ask, Fault> {
    let request: Request = read_request(body)?;
    let request = request.inner.map_or(request.fields, |inner| inner.fields);
    let mut ask =
        Ask { origin: NAME, model: request.model.unwrap_or_default(), extras: request.extras, ..Ask::default() };
    if let Some(name) = ask.model.strip_prefix("models/") {
        ask.model = name.to_owned();
    }
    let mut reader = TurnReader::default();
    if let Some(system) = request.system {
        let (blocks, _) = reader.blocks(system.parts, "systemInstruction", &mut ask.extras)?;
        ask.system = blocks;
    }
    for (index, content) in request.contents.into_iter().enumerate() {
        let role = match content.role.as_deref() {
            None | Some("" | "user" | "function" | "tool") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => {
                return Err(wrong(format!("contents[{index}].role"), "the role must be \"user\" or \"model\""));
            }
        };
        let (blocks, _) = reader.blocks(content.parts, &format!("contents[{index}]"), &mut ask.extras)?;
        ask.turns.push(Turn { role, blocks });
    }
    for tool in request.tools {
        tool.into_form(&mut ask.tools)?;
    }
    if let Some(config) = request.tool_config {
        config.into_ask(&mut ask);
    }
    if let Some(config) = request.config {
        if config.candidates.is_some_and(|n| n == 0 || n > CANDIDATES_MAX) {
            return Err(wrong("generationConfig.candidateCount", "candidateCount must be between 1 and 128"));
        }
        config.into_ask(&mut ask);
    }
    Ok(ask)
}

#[derive(Default)]
struct Fields {
    model: Option<String>,
    contents: Vec<wire::Content>,
    system: Option<wire::Content>,
    tools: Vec<ToolDefinition>,
    tool_config: Option<ToolConfig>,
    config: Option<GenerationConfig>,
    extras: Vec<(String, Box<RawValue>)>,
}

/// A request; `countTokens` may hold the real one inside.
struct Request {
    fields: Fields,
    inner: Option<Box<Request>>,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Key {
    #[serde(rename = "model")]
    Model,
    #[serde(rename = "contents")]
    Contents,
    #[serde(rename = "systemInstruction", alias = "system_instruction")]
    System,
    #[serde(rename = "tools")]
    Tools,
    #[serde(rename = "toolConfig", alias = "tool_config")]
    ToolConfig,
    #[serde(rename = "generationConfig", alias = "generation_config")]
    Config,
    #[serde(rename = "generateContentRequest", alias = "generate_content_request")]
    Inner,
    Other(String),
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RequestVisitor;
        impl<'de> Visitor<'de> for RequestVisitor {
            type Value = Request;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a generateContent request")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
                let mut fields = Fields::default();
                let mut inner = None;
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Model => fields.model = map.next_value()?,
                        Key::Contents => fields.contents = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::System => fields.system = map.next_value()?,
                        Key::Tools => fields.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::ToolConfig => fields.tool_config = map.next_value()?,
                        Key::Config => fields.config = map.next_value()?,
                        Key::Inner => inner = map.next_value()?,
                        Key::Other(name) => {
                            let raw: Option<Box<RawValue>> = map.next_value()?;
                            fields.extras.extend(raw.map(|raw| (camel(name), raw)));
                        }
                    }
                }
                Ok(Request { fields, inner })
            }
        }
        deserializer.deserialize_map(RequestVisitor)
    }
}

/// The camel spelling of the fields that this dialect's writer gives back.
fn camel(name: String) -> String {
    match name.as_str() {
        "safety_settings" => "safetySettings".to_owned(),
        "cached_content" => "cachedContent".to_owned(),
        _ => name,
    }
}

/// One element of `tools`: declarations of functions and Google's own tools, side by side.
#[derive(Default)]
struct ToolDefinition {
    functions: Vec<Declaration>,
    native: Vec<(String, Box<RawValue>)>,
}

#[derive(Deserialize)]
struct Declaration {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Box<RawValue>>,
    #[serde(default, rename = "parametersJsonSchema", alias = "parameters_json_schema")]
    json_schema: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum ToolKey {
    #[serde(rename = "functionDeclarations", alias = "function_declarations")]
    Functions,
    Other(String),
}

impl<'de> Deserialize<'de> for ToolDefinition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ToolVisitor;
        impl<'de> Visitor<'de> for ToolVisitor {
            type Value = ToolDefinition;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tool")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ToolDefinition, A::Error> {
                let mut tool = ToolDefinition::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        ToolKey::Functions => tool.functions = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        ToolKey::Other(name) => tool.native.push((name, map.next_value()?)),
                    }
                }
                Ok(tool)
            }
        }
        deserializer.deserialize_map(ToolVisitor)
    }
}

impl ToolDefinition {
    fn into_form(self, tools: &mut Vec<Tool>) -> Result<(), Fault> {
        for function in self.functions {
            if function.name.is_empty() {
                return Err(wrong("tools.functionDeclarations.name", "every function needs a name"));
            }
            let parameters =
                function.json_schema.or_else(|| function.parameters.as_deref().and_then(schema::from_gemini));
            tools.push(Tool::Function {
                name: function.name,
                description: function.description,
                parameters,
                strict: None,
                cache: None,
            });
        }
        for member in self.native {
            let kind = member.0.clone();
            if let Some(raw) = wire::raw_object(&[member]) {
                tools.push(Tool::Native { dialect: NAME, kind, raw });
            }
        }
        Ok(())
    }
}
