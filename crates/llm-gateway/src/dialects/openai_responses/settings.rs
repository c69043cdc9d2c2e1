//! Tools, tool choice, text shape and reasoning as this dialect writes them: in requests, and echoed in answers.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::NAME;
use crate::dialects::openai_shared::TOOL_NAMES;
use crate::form::{Ask, Dropped, Effort, Format, Thinking, Tool, ToolChoice};

/// A tool definition.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum ToolOut<'a> {
    Function {
        r#type: &'static str,
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        /// The API wants both fields, null or not.
        parameters: Option<&'a RawValue>,
        strict: Option<bool>,
    },
    Native(&'a RawValue),
}

/// The tools of a request. Those of other dialects are named in `dropped`.
pub(crate) fn tools<'a>(ask: &'a Ask, dropped: &mut Dropped) -> Vec<ToolOut<'a>> {
    let mut out = Vec::with_capacity(ask.tools.len());
    for tool in &ask.tools {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                dropped.note_if(cache.is_some(), "cache_control");
                out.push(ToolOut::Function {
                    r#type: "function",
                    name: TOOL_NAMES.fit(name),
                    description: description.as_deref(),
                    parameters: parameters.as_deref(),
                    // Left open, the API would make schemas strict that were not written for it.
                    strict: if ask.origin == NAME { *strict } else { Some(strict.unwrap_or(false)) },
                });
            }
            Tool::Native { dialect: NAME, raw, .. } => out.push(ToolOut::Native(raw)),
            Tool::Native { kind, .. } => dropped.note(format!("tools[{kind}]")),
        }
    }
    out
}

/// `tool_choice`.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum ChoiceOut<'a> {
    Word(&'static str),
    Function { r#type: &'static str, name: Cow<'a, str> },
    Allowed { r#type: &'static str, mode: &'static str, tools: Vec<ChoiceOut<'a>> },
    Raw(&'a RawValue),
}

/// The choice among the tools of a request.
pub(crate) fn tool_choice(ask: &Ask) -> Option<ChoiceOut<'_>> {
    let one = |name| ChoiceOut::Function { r#type: "function", name: TOOL_NAMES.fit(name) };
    let Some(choice) = &ask.tool_choice else {
        let own = ask.extras.iter().find(|(name, _)| ask.origin == NAME && name == "tool_choice");
        return own.map(|(_, raw)| ChoiceOut::Raw(raw));
    };
    Some(match choice {
        ToolChoice::None => ChoiceOut::Word("none"),
        ToolChoice::Auto => ChoiceOut::Word("auto"),
        ToolChoice::Any => ChoiceOut::Word("required"),
        ToolChoice::Tool(name) => one(name),
        ToolChoice::OneOf { names, required } => ChoiceOut::Allowed {
            r#type: "allowed_tools",
            mode: if *required { "required" } else { "auto" },
            tools: names.iter().map(|name| one(name)).collect(),
        },
    })
}

/// `text`: the shape of the output, and its verbosity.
#[derive(Serialize)]
pub(crate) struct TextOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<FormatOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verbosity: Option<&'a str>,
}

/// `text.format`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FormatOut<'a> {
    Text,
    JsonObject,
    JsonSchema {
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

/// The shape asked for, if any.
pub(crate) fn text(ask: &Ask) -> TextOut<'_> {
    let format = ask.format.as_ref().map(|format| match format {
        Format::Text => FormatOut::Text,
        Format::Json => FormatOut::JsonObject,
        Format::Schema { name, description, schema, strict } => FormatOut::JsonSchema {
            // The API takes here what it takes for functions.
            name: TOOL_NAMES.fit(name.as_deref().unwrap_or("response")),
            description: description.as_deref(),
            schema,
            strict: *strict,
        },
    });
    TextOut { format, verbosity: ask.verbosity.as_deref() }
}

/// The effort asked for, by word, by budget or by refusal to think.
pub(crate) fn effort(ask: &Ask) -> Option<Effort> {
    let reasoning = ask.reasoning.as_ref()?;
    match reasoning.thinking {
        Thinking::Off => Some(Effort::None),
        _ => reasoning.effort.or(reasoning.budget.map(Effort::from_budget)),
    }
}

/// The summary asked for.
pub(crate) fn summary(ask: &Ask) -> Option<&str> {
    ask.reasoning.as_ref()?.summary.as_deref().filter(|word| *word != "none")
}
