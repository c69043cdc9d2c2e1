//! The demo MCP server: a few tools, a resource and a prompt to try a gateway, a client or a policy with. Deterministic but for
//! the clock, which it is told.

use std::sync::Arc;

use gatehouse_domain::Now;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Raw, Request, RpcError};
use gatehouse_mcp_proxy::builtin::Answers;
use gatehouse_mcp_proxy::link::{Doing, Hello};
use gatehouse_pipeline::Visit;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The revision it speaks.
const REVISION: &str = "2026-07-28";
/// For how long what it lists may be kept, in milliseconds: it changes with the binary only.
const TTL_MS: u64 = 3_600_000;
const GREETING: &str = "demo://greeting";
const INSTRUCTIONS: &str =
    "Tools to try a gateway with: `echo` says what it is told, `add` adds, `clock` tells the time.";

/// The server.
pub(crate) struct Demo;

impl Answers for Demo {
    fn hello(&self) -> Hello {
        Hello {
            revision: REVISION.into(),
            modern: true,
            capabilities: Raw::of(&capabilities()),
            server_info: Some(Raw::of(&server_info())),
            instructions: Some(Arc::from(INSTRUCTIONS)),
            incarnation: 1,
        }
    }

    fn answer<'a>(&'a self, request: &'a Request, _: Option<&'a Visit>, now: Now) -> Doing<'a, Result<Raw, RpcError>> {
        Box::pin(std::future::ready(said(request, now)))
    }
}

fn said(request: &Request, now: Now) -> Result<Raw, RpcError> {
    let params = request.params.as_ref().map(Raw::value).unwrap_or_default();
    let result = match &*request.method {
        "server/discover" => listed(json!({
            "supportedVersions": [REVISION],
            "capabilities": capabilities(),
            "instructions": INSTRUCTIONS,
        })),
        "tools/list" => listed(json!({ "tools": tools() })),
        "tools/call" => call(&params, now)?,
        "resources/list" => listed(json!({ "resources": [greeting_resource()] })),
        "resources/templates/list" => listed(json!({ "resourceTemplates": [] })),
        "resources/read" => read(&params)?,
        "prompts/list" => listed(json!({ "prompts": [greet_prompt()] })),
        "prompts/get" => prompt(&params)?,
        method => return Err(RpcError::new(code::METHOD_NOT_FOUND, format!("The demo server has no `{method}`."))),
    };
    Ok(Raw::of(&result))
}

fn capabilities() -> Value {
    json!({ "tools": {}, "resources": {}, "prompts": {} })
}

fn server_info() -> Value {
    json!({ "name": "gatehouse-demo", "title": "Demo", "version": env!("CARGO_PKG_VERSION") })
}

/// A result that may be kept.
fn listed(mut result: Value) -> Value {
    result["ttlMs"] = TTL_MS.into();
    result["cacheScope"] = "public".into();
    complete(result)
}

fn complete(mut result: Value) -> Value {
    result["resultType"] = "complete".into();
    result
}

fn tools() -> Value {
    let object = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required });
    let harmless =
        json!({ "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false });
    json!([
        {
            "name": "add",
            "title": "Add",
            "description": "Adds two numbers.",
            "inputSchema": object(json!({ "a": { "type": "number" }, "b": { "type": "number" } }), &["a", "b"]),
            "outputSchema": object(json!({ "sum": { "type": "number" } }), &["sum"]),
            "annotations": harmless,
        },
        {
            "name": "clock",
            "title": "Clock",
            "description": "Tells the time, in UTC.",
            "inputSchema": object(json!({}), &[]),
            "outputSchema": object(json!({ "time": { "type": "string" }, "unix_secs": { "type": "integer" } }), &["time", "unix_secs"]),
            "annotations": harmless,
        },
        {
            "name": "echo",
            "title": "Echo",
            "description": "Says what it is told.",
            "inputSchema": object(json!({ "text": { "type": "string" } }), &["text"]),
            "annotations": harmless,
        },
    ])
}

fn call(params: &Value, now: Now) -> Result<Value, RpcError> {
    let arguments = &params["arguments"];
    match params["name"].as_str() {
        Some("echo") => Ok(match arguments["text"].as_str() {
            Some(text) => text_result(text),
            None => refused("`text` is missing: send {\"text\": \"…\"}."),
        }),
        Some("add") => Ok(match (arguments["a"].as_f64(), arguments["b"].as_f64()) {
            (Some(a), Some(b)) => structured(&json!({ "sum": sum(arguments, a + b) })),
            _ => refused("`a` and `b` are two numbers: send {\"a\": 1, \"b\": 2}."),
        }),
        Some("clock") => {
            let secs = i64::try_from(now.unix_secs()).unwrap_or(i64::MAX);
            let time = Timestamp::from_second(secs).unwrap_or(Timestamp::MAX).to_string();
            Ok(structured(&json!({ "time": time, "unix_secs": secs })))
        }
        Some(name) => Err(RpcError::new(code::INVALID_PARAMS, format!("Unknown tool: {name}"))),
        None => Err(RpcError::new(code::INVALID_PARAMS, "`name` is missing.")),
    }
}

/// Whole numbers stay whole.
fn sum(arguments: &Value, as_fraction: f64) -> Value {
    let whole = |name: &str| arguments[name].as_i64();
    let whole = whole("a").zip(whole("b")).and_then(|(a, b)| a.checked_add(b));
    whole.map_or_else(|| json!(as_fraction), |sum| json!(sum))
}

fn text_result(text: &str) -> Value {
    complete(json!({ "content": [{ "type": "text", "text": text }] }))
}

/// What went wrong, for a model to read and do better.
fn refused(why: &str) -> Value {
    complete(json!({ "content": [{ "type": "text", "text": why }], "isError": true }))
}

fn structured(value: &Value) -> Value {
    complete(json!({ "content": [{ "type": "text", "text": value.to_string() }], "structuredContent": value }))
}

fn greeting_resource() -> Value {
    json!({ "uri": GREETING, "name": "greeting", "title": "A greeting", "mimeType": "text/plain" })
}

fn read(params: &Value) -> Result<Value, RpcError> {
    match params["uri"].as_str() {
        Some(GREETING) => Ok(listed(json!({
            "contents": [{ "uri": GREETING, "mimeType": "text/plain", "text": "Hello from the demo server." }],
        }))),
        uri => {
            let uri = uri.unwrap_or_default();
            Err(RpcError::new(code::INVALID_PARAMS, format!("Unknown resource: {uri}"))
                .with_data(Raw::of(&json!({ "uri": uri }))))
        }
    }
}

fn greet_prompt() -> Value {
    json!({
        "name": "greet",
        "title": "Greet somebody",
        "description": "Asks the model for a greeting.",
        "arguments": [{ "name": "name", "description": "Whom to greet.", "required": true }],
    })
}

fn prompt(params: &Value) -> Result<Value, RpcError> {
    if params["name"].as_str() != Some("greet") {
        return Err(RpcError::new(code::INVALID_PARAMS, "Unknown prompt."));
    }
    let Some(name) = params["arguments"]["name"].as_str() else {
        return Err(RpcError::new(code::INVALID_PARAMS, "The argument `name` is missing."));
    };
    let text = format!("Greet {name} in one short sentence.");
    Ok(complete(json!({
        "description": "Asks the model for a greeting.",
        "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
    })))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use gatehouse_mcp_gateway::Id;

    use super::*;

    fn asked(method: &str, params: &Value) -> Result<Value, RpcError> {
        let request = Request::new(Id::Number(1), method, Some(Raw::of(params)));
        let now = Now(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_375_800));
        said(&request, now).map(|result| result.value())
    }

    fn called(name: &str, arguments: Value) -> Value {
        asked("tools/call", &json!({ "name": name, "arguments": arguments })).unwrap()
    }

    #[test]
    fn every_tool_that_is_listed_can_be_called() {
        for tool in asked("tools/list", &json!({})).unwrap()["tools"].as_array().unwrap() {
            let result = called(tool["name"].as_str().unwrap(), json!({ "text": "x", "a": 1, "b": 2 }));
            assert!(result.get("isError").is_none(), "{result}");
            assert_eq!(result.get("structuredContent").is_some(), tool.get("outputSchema").is_some());
        }
    }

    #[test]
    fn the_time_is_the_one_it_is_told() {
        assert_eq!(called("clock", json!({}))["structuredContent"]["time"], "2026-11-22T19:30:00Z");
    }

    #[test]
    fn whole_numbers_add_up_to_a_whole_number() {
        assert_eq!(called("add", json!({ "a": 2, "b": 3 }))["structuredContent"]["sum"], json!(5));
        assert_eq!(called("add", json!({ "a": 0.5, "b": 1 }))["structuredContent"]["sum"], json!(1.5));
    }

    #[test]
    fn wrong_arguments_are_told_to_the_model_and_wrong_names_to_the_client() {
        assert_eq!(called("echo", json!({}))["isError"], json!(true));
        assert_eq!(asked("tools/call", &json!({ "name": "nothing" })).unwrap_err().code, code::INVALID_PARAMS);
        assert_eq!(asked("resources/read", &json!({ "uri": "demo://x" })).unwrap_err().code, code::INVALID_PARAMS);
        assert_eq!(asked("no/such", &json!({})).unwrap_err().code, code::METHOD_NOT_FOUND);
    }
}
