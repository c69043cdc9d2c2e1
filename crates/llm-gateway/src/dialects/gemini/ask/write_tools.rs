//! Writing `tools` and `toolConfig`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::write::extra;
use crate::dialects::gemini::schema::{self, Said};
use crate::dialects::gemini::{NAME, TOOL_NAMES};
use crate::form::{Ask, Dropped, Tool, ToolChoice};

/// The part of `toolConfig` that only Gemini knows.
pub(super) const RETRIEVAL: &str = "toolConfig.retrievalConfig";

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ToolOut<'a> {
    Functions {
        #[serde(rename = "functionDeclarations")]
        functions: Vec<DeclarationOut<'a>>,
    },
    Native(&'a RawValue),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeclarationOut<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfigOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_calling_config: Option<CallingOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retrieval_config: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallingOut<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<Cow<'a, str>>,
}

/// All functions in one element, Google's own tools behind it.
pub(super) fn tools<'a>(ask: &'a Ask, dropped: &mut Dropped) -> Vec<ToolOut<'a>> {
    let mut functions = Vec::new();
    let mut native = Vec::new();
    for tool in &ask.tools {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                dropped.note_if(*strict == Some(true), "tools[].strict");
                dropped.note_if(cache.is_some(), "cache_control");
                let (subset, raw) = said(parameters.as_deref());
                functions.push(DeclarationOut {
                    name: TOOL_NAMES.fit(name),
                    description: description.as_deref(),
                    parameters: subset,
                    parameters_json_schema: raw,
                });
            }
            Tool::Native { dialect, raw, .. } if *dialect == NAME => native.push(ToolOut::Native(raw)),
            Tool::Native { kind, .. } => dropped.note(format!("tools[{kind}]")),
        }
    }
    let mut tools = Vec::with_capacity(native.len() + 1);
    if !functions.is_empty() {
        tools.push(ToolOut::Functions { functions });
    }
    tools.extend(native);
    tools
}

fn said(parameters: Option<&RawValue>) -> (Option<Box<RawValue>>, Option<&RawValue>) {
    match parameters.map(|schema| (schema::to_gemini(schema, false), schema)) {
        None | Some((Said::Empty, _)) => (None, None),
        Some((Said::Subset(subset), _)) => (Some(subset), None),
        Some((Said::Unsayable, schema)) => (None, Some(schema)),
    }
}

/// Which functions to call. Without functions the field is refused, so it is left out.
pub(super) fn tool_config(ask: &Ask) -> Option<ToolConfigOut<'_>> {
    let has_functions = ask.tools.iter().any(|tool| matches!(tool, Tool::Function { .. }));
    let calling = ask.tool_choice.as_ref().filter(|_| has_functions).map(|choice| {
        let (mode, names) = match choice {
            ToolChoice::None => ("NONE", Vec::new()),
            ToolChoice::Auto => ("AUTO", Vec::new()),
            ToolChoice::Any => ("ANY", Vec::new()),
            ToolChoice::Tool(name) => ("ANY", vec![TOOL_NAMES.fit(name)]),
            ToolChoice::OneOf { names, required } => {
                // Names are taken with ANY and VALIDATED only.
                let mode = if *required { "ANY" } else { "VALIDATED" };
                (mode, names.iter().map(|name| TOOL_NAMES.fit(name)).collect())
            }
        };
        CallingOut { mode, allowed_function_names: names }
    });
    let retrieval = extra(ask, RETRIEVAL);
    (calling.is_some() || retrieval.is_some())
        .then_some(ToolConfigOut { function_calling_config: calling, retrieval_config: retrieval })
}
