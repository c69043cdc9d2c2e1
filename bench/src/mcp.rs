//! Messages of the MCP lanes: what the generator sends, and what the scripted server answers with, rendered as bytes.

use gatehouse_tests::mcp::{LEGACY, META, MODERN, echo_tool};
use serde_json::{Value, json};

/// Name of the tool that is called.
pub const TOOL: &str = "echo";
/// Tools of a server, the one that is called among them.
pub const TOOLS: usize = 200;
/// The session of a server that has but one.
pub const SESSION: &str = "bench-session";
/// Text of a call's argument: about what a small tool call carries.
const TEXT: &str = "The quick brown fox jumps over the lazy dog.";

/// An era, by the path the scripted server speaks it at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28.
    Modern,
    /// 2025-11-25.
    Legacy,
}

impl Era {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Modern, Self::Legacy];

    /// Its name: the server's in the configuration, and its path at the scripted server.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        }
    }
}

/// A request of this era: lines of its head, and its body.
#[must_use]
pub fn request(era: Era, method: &str, mut params: Value, session: Option<&str>) -> (String, Vec<u8>) {
    let mut lines = "host: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n".to_owned();
    match era {
        Era::Modern => {
            params["_meta"] = json!({
                format!("{META}protocolVersion"): MODERN,
                format!("{META}clientInfo"): {"name": "bench", "version": "1"},
                format!("{META}clientCapabilities"): {},
            });
            lines.push_str(&format!("mcp-protocol-version: {MODERN}\r\nmcp-method: {method}\r\n"));
            if let Some(name) = params["name"].as_str() {
                lines.push_str(&format!("mcp-name: {name}\r\n"));
            }
        }
        Era::Legacy => {
            if let Some(session) = session {
                lines.push_str(&format!("mcp-protocol-version: {LEGACY}\r\nmcp-session-id: {session}\r\n"));
            }
        }
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    (lines, body.to_string().into_bytes())
}

/// The call that is measured.
#[must_use]
pub fn call(era: Era, session: Option<&str>) -> (String, Vec<u8>) {
    request(era, "tools/call", json!({"name": TOOL, "arguments": {"text": TEXT}}), session)
}

/// The opening of a session.
#[must_use]
pub fn initialize() -> (String, Vec<u8>) {
    let info = json!({"name": "bench", "version": "1"});
    let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info});
    request(Era::Legacy, "initialize", params, None)
}

/// The result of a method, without its envelope: the server puts the id around it.
#[must_use]
pub fn result(era: Era, method: &str) -> Option<Value> {
    let capabilities = json!({"tools": {"listChanged": true}});
    let content = json!([{"type": "text", "text": TEXT}]);
    let mut result = match (era, method) {
        (Era::Modern, "server/discover") => json!({"supportedVersions": [MODERN], "capabilities": capabilities}),
        (Era::Legacy, "initialize") => json!({
            "protocolVersion": LEGACY, "capabilities": capabilities, "serverInfo": {"name": "bench", "version": "1"},
        }),
        (_, "tools/list") => {
            json!({"tools": (1..TOOLS).map(tool).chain([echo_tool(TOOL)]).collect::<Vec<_>>()})
        }
        (_, "prompts/list") => json!({"prompts": []}),
        (_, "resources/list") => json!({"resources": []}),
        (_, "resources/templates/list") => json!({"resourceTemplates": []}),
        (_, "tools/call") => json!({"content": content}),
        (Era::Legacy, "ping") => json!({}),
        _ => return None,
    };
    if era == Era::Modern {
        result["resultType"] = json!("complete");
        if method != "tools/call" {
            result["ttlMs"] = json!(3_600_000);
            result["cacheScope"] = json!("private");
        }
    }
    Some(result)
}

/// A tool about as long as those of real servers: half a kilobyte.
fn tool(number: usize) -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    json!({
        "name": format!("search_records_{number}"),
        "title": format!("Search records of kind {number}"),
        "description": "Finds records by their words, newest first. Use it when the user asks for something by name or by topic.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "query": text("Words that the record must have"),
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                "since": text("The oldest day, as YYYY-MM-DD"),
            },
            "required": ["query"],
        },
        "annotations": {"readOnlyHint": true},
    })
}
