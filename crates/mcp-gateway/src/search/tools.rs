//! The two tools a searching toolset offers: what they look like, what they are asked, what they answer.

use std::borrow::Cow;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault};
use serde_json::json;

use super::index::Hit;
use crate::catalogue::{Entry, Kind, Listing, json as raw, raw_text};
use crate::wire::Raw;

/// The tool that finds tools.
pub const FIND: &str = "find_tools";
/// The tool that calls one that was found.
pub const CALL: &str = "call_tool";

/// Results where nothing else is asked for, and the most.
const RESULTS: usize = 5;
const RESULTS_MAX: usize = 20;

/// Both as a list.
#[must_use]
pub fn definitions() -> Listing {
    let find = json!({
        "name": FIND,
        "title": "Find tools",
        "description": "Finds tools by what they do. Say in a few words what you want to do; the answer has the names, \
                        descriptions and input schemas of the tools that fit best. Call one of them with call_tool.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What the tool should do, in a few words."},
                "limit": {"type": "integer", "minimum": 1, "maximum": RESULTS_MAX, "default": RESULTS}
            },
            "required": ["query"]
        },
        "annotations": {"readOnlyHint": true, "idempotentHint": true, "openWorldHint": false}
    });
    let call = json!({
        "name": CALL,
        "title": "Call a tool",
        "description": "Calls a tool that find_tools found, with arguments that fit its input schema. The answer is that tool's.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "The tool's name as find_tools gave it."},
                "arguments": {"type": "object", "description": "What its input schema asks for."}
            },
            "required": ["name"]
        }
    });
    Listing::fixed(Kind::Tool, &[find, call].map(|tool| Raw::trusted(Bytes::from(tool.to_string()))))
}

/// The query and the number of results asked for.
///
/// # Errors
/// `InvalidRequest` when there is no query.
pub fn find_arguments(arguments: Option<&Raw>) -> Result<(Cow<'_, str>, usize), Fault> {
    let text = arguments.map_or("{}", raw_text);
    let query = raw::member(text, "query").and_then(raw::text).filter(|query| !query.trim().is_empty());
    let Some(query) = query else {
        let message = "find_tools wants a `query`: say in a few words what the tool should do.";
        return Err(Fault::new(Code::InvalidRequest, message).at("params.arguments.query"));
    };
    let limit = raw::member(text, "limit").and_then(|limit| limit.parse().ok()).unwrap_or(RESULTS);
    Ok((query, limit.clamp(1, RESULTS_MAX)))
}

/// The tool to be called, and the arguments it is called with.
///
/// # Errors
/// `InvalidRequest` when there is no name, or the arguments are no object.
pub fn call_arguments(arguments: Option<&Raw>) -> Result<(Cow<'_, str>, Raw), Fault> {
    let text = arguments.map_or("{}", raw_text);
    let Some(name) = raw::member(text, "name").and_then(raw::text) else {
        let message = "call_tool wants the `name` of a tool, as find_tools gave it.";
        return Err(Fault::new(Code::InvalidRequest, message).at("params.arguments.name"));
    };
    let inner = raw::member(text, "arguments").unwrap_or("{}");
    if !inner.starts_with('{') {
        let message = "The `arguments` of call_tool are an object that fits the tool's input schema.";
        return Err(Fault::new(Code::InvalidRequest, message).at("params.arguments.arguments"));
    }
    Ok((name, Raw::trusted(Bytes::copy_from_slice(inner.as_bytes()))))
}

/// The result of `find_tools`: the tools as data, and the same as text for models that read only that.
#[must_use]
pub fn find_result(hits: &[Hit]) -> Raw {
    let tools: Vec<String> = hits.iter().map(|hit| brief(&hit.tool)).collect();
    let found = format!(r#"{{"tools":[{}]}}"#, tools.join(","));
    let text = if hits.is_empty() {
        "No tool fits. Say it in other words, or ask for something more general.".to_owned()
    } else {
        found.clone()
    };
    let result = format!(
        r#"{{"content":[{{"type":"text","text":{}}}],"structuredContent":{found},"isError":false}}"#,
        raw::quoted(&text)
    );
    Raw::trusted(Bytes::from(result))
}

/// What a model needs to call a tool, and no more.
fn brief(tool: &Entry) -> String {
    let text = raw_text(&tool.json);
    let keep = ["name", "description", "inputSchema"];
    let members = raw::members(text).unwrap_or_default();
    let kept = members.iter().filter(|(name, _)| keep.contains(&&**name));
    let kept: Vec<String> = kept.map(|(name, value)| format!("{}:{value}", raw::quoted(name))).collect();
    format!("{{{}}}", kept.join(","))
}
