//! Tools, the choice among them, and the shape of the output, as they are read.

use gatehouse_domain::Fault;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::NAME;
use crate::dialects::openai_shared::wire::{CacheControl, invalid, raw_elements};
use crate::form::{Format, Tool, ToolChoice};

/// A tool definition.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolIn {
    r#type: String,
    function: Option<FunctionIn>,
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionIn {
    name: String,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
    strict: Option<bool>,
    cache_control: Option<CacheControl>,
}

/// The tools of a request. A kind only this dialect knows is kept as it stands in `body`.
pub(super) fn tools(list: Vec<ToolIn>, body: &[u8]) -> Result<Vec<Tool>, Fault> {
    let mut raws = None;
    let mut tools = Vec::with_capacity(list.len());
    for (index, tool) in list.into_iter().enumerate() {
        if let Some(function) = tool.function {
            if function.name.is_empty() {
                return Err(invalid(format!("tools[{index}].function.name"), "is missing"));
            }
            tools.push(Tool::Function {
                name: function.name,
                description: function.description,
                parameters: function.parameters,
                strict: function.strict,
                cache: tool.cache_control.or(function.cache_control).map(|cache| cache.mark()),
            });
        } else if tool.r#type == "function" || tool.r#type.is_empty() {
            return Err(invalid(format!("tools[{index}].function"), "is missing"));
        } else if let Some(raw) = raws.get_or_insert_with(|| raw_elements(body, "tools")).get(index) {
            tools.push(Tool::Native { dialect: NAME, kind: tool.r#type, raw: raw.clone() });
        }
    }
    Ok(tools)
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Allowed {
    mode: Option<String>,
    tools: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    r#type: String,
    function: Option<Named>,
    allowed_tools: Option<Allowed>,
}

/// `tool_choice`; `None` for a form only this dialect knows.
pub(super) fn tool_choice(raw: &RawValue) -> Result<Option<ToolChoice>, Fault> {
    let bad = |_| invalid("tool_choice", "is neither `none`, `auto`, `required` nor a choice object");
    if raw.get().starts_with('"') {
        let word: String = serde_json::from_str(raw.get()).map_err(bad)?;
        return Ok(Some(match word.as_str() {
            "none" => ToolChoice::None,
            "auto" => ToolChoice::Auto,
            "required" | "any" => ToolChoice::Any,
            _ => return Err(invalid("tool_choice", "is neither `none`, `auto` nor `required`")),
        }));
    }
    let choice: Choice = serde_json::from_str(raw.get()).map_err(bad)?;
    Ok(match (choice.r#type.as_str(), choice.function, choice.allowed_tools) {
        ("function", Some(named), _) => Some(ToolChoice::Tool(named.name)),
        ("allowed_tools", _, Some(allowed)) => Some(ToolChoice::OneOf {
            names: allowed.tools.into_iter().filter_map(|tool| tool.function).map(|named| named.name).collect(),
            required: allowed.mode.as_deref() == Some("required"),
        }),
        ("function", ..) => return Err(invalid("tool_choice.function", "is missing")),
        ("allowed_tools", ..) => return Err(invalid("tool_choice.allowed_tools", "is missing")),
        _ => None,
    })
}

/// `response_format`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FormatIn {
    r#type: String,
    json_schema: Option<SchemaIn>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SchemaIn {
    name: Option<String>,
    description: Option<String>,
    schema: Option<Box<RawValue>>,
    strict: Option<bool>,
}

impl FormatIn {
    /// The shape in the words of the form.
    pub(super) fn format(self) -> Result<Format, Fault> {
        match self.r#type.as_str() {
            "text" => Ok(Format::Text),
            "json_object" => Ok(Format::Json),
            "json_schema" => {
                let SchemaIn { name, description, schema, strict } =
                    self.json_schema.ok_or_else(|| invalid("response_format.json_schema", "is missing"))?;
                Ok(match schema {
                    Some(schema) => Format::Schema { name, description, schema, strict },
                    None => Format::Json,
                })
            }
            _ => Err(invalid("response_format.type", "is neither `text`, `json_object` nor `json_schema`")),
        }
    }
}
