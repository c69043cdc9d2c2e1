//! How the gateway's own MCP endpoints are spoken to: as a client of the older era without a session, which can be asked nothing
//! and needs no handshake.

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, InnerCall, Reply};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::Got;
use super::own::{Server, wrong};

const REVISION: &str = "2025-11-25";
/// Pages of one list, and tools of one endpoint: more would not fit a request to a model.
const PAGES_MAX: u32 = 20;
const TOOLS_MAX: usize = 512;

/// What is left of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// Nothing.
    All,
    /// Another page.
    More,
}

/// Asks for the tools of an endpoint, or for their next page.
pub(super) fn list(server: &Server) -> InnerCall {
    let params = server.cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
    request(server, "tools/list", &params)
}

/// Takes a page of the list.
///
/// # Errors
/// When the endpoint gives none: what it said.
pub(super) fn listed(server: &mut Server, reply: &Reply) -> Result<Listed, Fault> {
    let result = result(reply).map_err(|refused| unlisted(server, reply.status, &refused))?;
    let page = result["tools"].as_array().cloned().unwrap_or_default();
    let takes = |tool: &Value| tool["name"].as_str().is_some_and(|name| server.takes(name));
    let page: Vec<Value> = page.into_iter().filter(takes).collect();
    server.tools.extend(page);
    server.tools.truncate(TOOLS_MAX);
    server.pages += 1;
    server.cursor = result["nextCursor"].as_str().map(str::to_owned);
    Ok(if server.cursor.is_some() && server.pages < PAGES_MAX { Listed::More } else { Listed::All })
}

fn unlisted(server: &Server, status: StatusCode, refused: &str) -> Fault {
    let code = match status.as_u16() {
        403 => Code::NotAllowed,
        429 => Code::RateLimited,
        503 => Code::Overloaded,
        _ => Code::InvalidRequest,
    };
    let message = format!("the tools of `{}` (`{}`) cannot be listed: {refused}", server.label, server.path);
    Fault::new(code, message).at("tools")
}

/// Calls a tool by the name its endpoint gives it.
pub(super) fn call(server: &Server, tool: &str, arguments: &Value) -> InnerCall {
    request(server, "tools/call", &json!({ "name": tool, "arguments": arguments }))
}

/// What came of a call, as a model is told. A refusal is told it too: it may do without, or say why it cannot.
pub(super) fn called(reply: &Reply) -> Got {
    match result(reply) {
        Ok(result) => Got { text: text(&result), failed: result["isError"] == true },
        Err(refused) => Got { text: refused, failed: true },
    }
}

fn request(server: &Server, method: &str, params: &Value) -> InnerCall {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("mcp-protocol-version"), HeaderValue::from_static(REVISION));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    // The names of endpoints were looked at when the request was read.
    let path = PathAndQuery::try_from(&*server.path).unwrap_or_else(|_| PathAndQuery::from_static("/mcp"));
    InnerCall { method: Method::POST, path, headers, body: Bytes::from(body) }
}

/// The result of a request, or the message of its error.
fn result(reply: &Reply) -> Result<Value, String> {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    match (said.get("result"), said["error"]["message"].as_str()) {
        (Some(result), _) => Ok(result.clone()),
        (None, Some(message)) => Err(message.to_owned()),
        (None, None) => Err(format!("the endpoint answered with status {}", reply.status.as_u16())),
    }
}

/// The content of a result as text. What is none is named, so that the model knows that there was more.
fn text(result: &Value) -> String {
    let blocks = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut parts: Vec<String> = blocks.iter().map(block).collect();
    if parts.is_empty() && !result["structuredContent"].is_null() {
        parts.push(result["structuredContent"].to_string());
    }
    parts.join("\n")
}

fn block(block: &Value) -> String {
    let kind = block["type"].as_str().unwrap_or("content");
    let named = |what: &Value| what["mimeType"].as_str().unwrap_or("unknown type").to_owned();
    match kind {
        "text" => block["text"].as_str().unwrap_or_default().to_owned(),
        "resource" => match block["resource"]["text"].as_str() {
            Some(text) => text.to_owned(),
            None => format!(
                "[resource {}: {}]",
                block["resource"]["uri"].as_str().unwrap_or_default(),
                named(&block["resource"])
            ),
        },
        "resource_link" => format!("[resource {}]", block["uri"].as_str().unwrap_or_default()),
        _ => format!("[{kind}: {}]", named(block)),
    }
}

/// An argument of a call as a model writes it: JSON in a string. What is no object is nobody's argument.
pub(super) fn arguments(written: &str) -> Value {
    let read: Option<Value> = serde_json::from_str(written).ok();
    read.filter(Value::is_object).unwrap_or_else(|| json!({}))
}

/// A label of a request: what its items are marked with.
///
/// # Errors
/// When there is none.
pub(super) fn label(of: &Value, name: &str, param: &str) -> Result<String, Fault> {
    match of[name].as_str() {
        Some(label) if (1..=64).contains(&label.len()) => Ok(label.to_owned()),
        _ => Err(wrong(param, format!("`{param}` must be a name of up to 64 letters"))),
    }
}
