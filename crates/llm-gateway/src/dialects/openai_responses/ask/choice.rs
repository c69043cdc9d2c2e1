//! Tools, the choice among them, and the shape of the output, as they are read.

use gatehouse_domain::Fault;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::NAME;
use crate::dialects::openai_shared::wire::{invalid, raw_elements};
use crate::form::{Format, Tool, ToolChoice};

/// A tool definition. Only functions are looked into.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolIn {
    r#type: String,
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
    strict: Option<bool>,
}

/// The tools of a request. A kind only this dialect knows is kept as it stands in `body`.
pub(super) fn tools(list: Vec<ToolIn>, body: &[u8]) -> Result<Vec<Tool>, Fault> {
    let mut raws = None;
    let mut tools = Vec::with_capacity(list.len());
    for (index, tool) in list.into_iter().enumerate() {
        match tool.r#type.as_str() {
            "" => return Err(invalid(format!("tools[{index}].type"), "is missing")),
            "function" => tools.push(Tool::Function {
                name: tool
                    .name
                    .filter(|name| !name.is_empty())
                    .ok_or_else(|| invalid(format!("tools[{index}].name"), "is missing"))?,
                description: tool.description,
                parameters: tool.parameters,
                strict: tool.strict,
                cache: None,
            }),
            _ => {
                if let Some(raw) = raws.get_or_insert_with(|| raw_elements(body, "tools")).get(index) {
                    tools.push(Tool::Native { dialect: NAME, kind: tool.r#type, raw: raw.clone() });
                }
            }
        }
    }
    Ok(tools)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    r#type: String,
    name: Option<String>,
    mode: Option<String>,
    tools: Option<Vec<Choice>>,
}

/// `tool_choice`; `None` for a form only this dialect knows.
pub(super) fn tool_choice(raw: &RawValue) -> Result<Option<ToolChoice>, Fault> {
    let bad = |_| invalid("tool_choice", "is neither `none`, `auto`, `required` nor a choice object");
    if raw.get().starts_with('"') {
        let word: String = serde_json::from_str(raw.get()).map_err(bad)?;
        return Ok(Some(match word.as_str() {
            "none" => ToolChoice::None,
            "auto" => ToolChoice::Auto,
            "required" => ToolChoice::Any,
            _ => return Err(invalid("tool_choice", "is neither `none`, `auto` nor `required`")),
        }));
    }
    let choice: Choice = serde_json::from_str(raw.get()).map_err(bad)?;
    Ok(match (choice.r#type.as_str(), choice.name, choice.tools) {
        ("function", Some(name), _) => Some(ToolChoice::Tool(name)),
        ("function", None, _) => return Err(invalid("tool_choice.name", "is missing")),
        ("allowed_tools", _, Some(tools)) if tools.iter().all(|tool| tool.r#type == "function") => {
            Some(ToolChoice::OneOf {
                names: tools.into_iter().filter_map(|tool| tool.name).collect(),
                required: choice.mode.as_deref() == Some("required"),
            })
        }
        _ => None,
    })
}

/// `text`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TextIn {
    format: Option<FormatIn>,
    pub(super) verbosity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FormatIn {
    r#type: String,
    name: Option<String>,
    description: Option<String>,
    schema: Option<Box<RawValue>>,
    strict: Option<bool>,
}

impl TextIn {
    /// The shape in the words of the form.
    pub(super) fn format(&mut self) -> Result<Option<Format>, Fault> {
        let Some(format) = self.format.take() else { return Ok(None) };
        Ok(Some(match (format.r#type.as_str(), format.schema) {
            ("text", _) => Format::Text,
            ("json_object", _) => Format::Json,
            ("json_schema", Some(schema)) => {
                Format::Schema { name: format.name, description: format.description, schema, strict: format.strict }
            }
            ("json_schema", None) => return Err(invalid("text.format.schema", "is missing")),
            _ => return Err(invalid("text.format.type", "is neither `text`, `json_object` nor `json_schema`")),
        }))
    }
}
