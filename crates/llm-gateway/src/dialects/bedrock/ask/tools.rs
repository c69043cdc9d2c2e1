//! Tools of a Converse request: the configuration that must be there whenever the conversation speaks of tools.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::TOOL_NAMES;
use super::super::blocks_out::CachePointOut;
use crate::dialects::shared::json_tool::{JSON_TOOL, JSON_TOOL_DESCRIPTION, any_object};
use crate::dialects::shared::marks::Marks;
use crate::dialects::shared::turns::Group;
use crate::form::{Ask, Content, Dropped, Format, Tool, ToolChoice};

/// Tools, which must also be there when only the history has calls; `none` is not known and means no tools.
pub(super) fn tool_config<'a>(
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
        ToolChoice::Tool(name) => ChoiceOut::Tool { name: TOOL_NAMES.fit(name) },
    })
}

/// Names of the tools the history speaks of, each once.
fn called_tools<'a>(groups: &[Group<'a>]) -> Vec<&'a str> {
    let mut seen = HashSet::new();
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfigOut<'a> {
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
            name: TOOL_NAMES.fit(name),
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

impl ToolConfigOut<'_> {
    /// Must a tool be called?
    pub(super) fn forces_a_call(&self) -> bool {
        matches!(self.tool_choice, Some(ChoiceOut::Any {} | ChoiceOut::Tool { .. }))
    }
}
