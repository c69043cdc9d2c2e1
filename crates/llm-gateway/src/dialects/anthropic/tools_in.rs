//! Tool definitions as they come. Fields of a client tool that only Anthropic knows (`defer_loading`, `allowed_callers`,
//! `input_examples`, …) become extras named `tools[{name}].{field}`.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::NAME;
use super::blocks_in::CacheIn;
use crate::form::Tool;

/// A tool of any kind.
#[derive(Default)]
pub(super) struct ToolIn {
    kind: Option<String>,
    name: Option<String>,
    description: Option<String>,
    input_schema: Option<Box<RawValue>>,
    strict: Option<bool>,
    cache_control: Option<CacheIn>,
    rest: Vec<(String, Box<RawValue>)>,
}

/// Reads one tool. `raw` gives its definition as it came; it is asked only for tools of Anthropic's own.
pub(super) fn read_tool<'a>(
    tool: ToolIn,
    raw: impl FnOnce() -> Option<&'a RawValue>,
    extras: &mut Vec<(String, Box<RawValue>)>,
) -> Result<Tool, (&'static str, &'static str)> {
    if let Some(kind) = tool.kind.filter(|kind| kind != "custom") {
        let raw = raw().ok_or(("", "the tool cannot be read"))?.to_owned();
        return Ok(Tool::Native { dialect: NAME, kind, raw });
    }
    let name = tool.name.filter(|name| !name.is_empty()).ok_or((".name", "a tool needs `name`"))?;
    extras.extend(tool.rest.into_iter().map(|(field, raw)| (format!("tools[{name}].{field}"), raw)));
    Ok(Tool::Function {
        name,
        description: tool.description,
        parameters: tool.input_schema,
        strict: tool.strict,
        cache: tool.cache_control.as_ref().map(CacheIn::mark),
    })
}

impl<'de> Deserialize<'de> for ToolIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = ToolIn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tool")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ToolIn, A::Error> {
                let mut tool = ToolIn::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "type" => tool.kind = map.next_value()?,
                        "name" => tool.name = map.next_value()?,
                        "description" => tool.description = map.next_value()?,
                        "input_schema" => tool.input_schema = map.next_value()?,
                        "strict" => tool.strict = map.next_value()?,
                        "cache_control" => tool.cache_control = map.next_value()?,
                        _ => {
                            if let Some(raw) = map.next_value::<Option<Box<RawValue>>>()? {
                                tool.rest.push((name, raw));
                            }
                        }
                    }
                }
                Ok(tool)
            }
        }
        deserializer.deserialize_map(Seen)
    }
}
