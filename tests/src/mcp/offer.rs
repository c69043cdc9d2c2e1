//! What a scripted server has, and what a well-behaved one answers: the same over HTTP and over a pipe.

use serde_json::{Value, json};

use super::META;

/// The newest revision of the era of sessions.
pub const LEGACY: &str = "2025-11-25";
/// The first revision of the stateless era.
pub const MODERN: &str = "2026-07-28";

/// How a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// `initialize`, sessions, requests to the client.
    Legacy,
    /// Stateless: everything in the request.
    Modern,
    /// HTTP with SSE of 2024-11-05: one stream for all answers.
    Sse,
}

/// Everything a server offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// How it speaks.
    pub era: Era,
    /// The `capabilities` object.
    pub capabilities: Value,
    /// Instructions.
    pub instructions: Option<String>,
    /// Tools, as they stand in the list.
    pub tools: Vec<Value>,
    /// Prompts.
    pub prompts: Vec<Value>,
    /// Resources.
    pub resources: Vec<Value>,
    /// Templates of resources.
    pub templates: Vec<Value>,
    /// `cacheScope` of everything that has one.
    pub cache_scope: &'static str,
    /// Where a client of 2024-11-05 is told to post, if not here.
    pub endpoint: Option<String>,
}

/// A tool that answers with its argument `text`.
#[must_use]
pub fn echo_tool(name: &str) -> Value {
    json!({
        "name": name, "description": "Answers with what it is given",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
    })
}

impl Offer {
    /// A server with the tool `echo`, the prompt `greet`, the resource `test://note`, and a template.
    #[must_use]
    pub fn new(era: Era) -> Self {
        Self {
            era,
            capabilities: json!({
                "tools": {"listChanged": true}, "prompts": {"listChanged": true}, "completions": {},
                "resources": {"listChanged": true, "subscribe": true}, "logging": {},
            }),
            instructions: None,
            tools: vec![echo_tool("echo")],
            prompts: vec![json!({"name": "greet", "description": "Says hello"})],
            resources: vec![json!({"uri": "test://note", "name": "note", "mimeType": "text/plain"})],
            templates: vec![json!({"uriTemplate": "test://notes/{id}", "name": "notes"})],
            cache_scope: "private",
            endpoint: None,
        }
    }

    /// The result a well-behaved server gives, or code and message of its error.
    ///
    /// # Errors
    /// As the protocol has it: an unknown method, name or resource.
    pub fn answer(&self, method: &str, params: &Value) -> Result<Value, (i64, String)> {
        let unknown = |what: &str, name: &Value| (-32602, format!("Unknown {what}: {name}"));
        let named = |list: &[Value], key: &str| list.iter().any(|entry| entry[key] == params[key]);
        let result = match (method, self.era) {
            ("initialize", Era::Legacy | Era::Sse) => return Ok(self.hello()),
            ("ping", Era::Legacy | Era::Sse)
            | ("logging/setLevel" | "resources/subscribe" | "resources/unsubscribe", Era::Legacy | Era::Sse) => {
                json!({})
            }
            ("server/discover", Era::Modern) => self.cached(self.discovery()),
            ("tools/list", _) => self.cached(json!({"tools": self.tools})),
            ("prompts/list", _) => self.cached(json!({"prompts": self.prompts})),
            ("resources/list", _) => self.cached(json!({"resources": self.resources})),
            ("resources/templates/list", _) => self.cached(json!({"resourceTemplates": self.templates})),
            ("tools/call", _) if named(&self.tools, "name") => {
                let text = params["arguments"]["text"].as_str().unwrap_or("nothing");
                json!({"content": [{"type": "text", "text": text}]})
            }
            ("prompts/get", _) if named(&self.prompts, "name") => {
                json!({"messages": [{"role": "user", "content": {"type": "text", "text": "Hello!"}}]})
            }
            ("resources/read", _) => {
                self.cached(json!({"contents": [{"uri": params["uri"], "mimeType": "text/plain", "text": "A note."}]}))
            }
            ("completion/complete", _) => json!({"completion": {"values": ["one", "two"], "hasMore": false}}),
            ("tools/call", _) => return Err(unknown("tool", &params["name"])),
            ("prompts/get", _) => return Err(unknown("prompt", &params["name"])),
            _ => return Err((-32601, format!("Method not found: {method}"))),
        };
        Ok(self.of_era(result))
    }

    fn hello(&self) -> Value {
        let revision = if self.era == Era::Sse { "2024-11-05" } else { LEGACY };
        let mut hello = json!({"protocolVersion": revision, "capabilities": self.capabilities,
            "serverInfo": {"name": "scripted", "version": "1"}});
        if let Some(instructions) = &self.instructions {
            hello["instructions"] = json!(instructions);
        }
        hello
    }

    fn discovery(&self) -> Value {
        let mut discovery = json!({"supportedVersions": [MODERN], "capabilities": self.capabilities});
        if let Some(instructions) = &self.instructions {
            discovery["instructions"] = json!(instructions);
        }
        discovery
    }

    fn cached(&self, mut result: Value) -> Value {
        if self.era == Era::Modern {
            result["ttlMs"] = json!(60_000);
            result["cacheScope"] = json!(self.cache_scope);
        }
        result
    }

    /// What every result of the era carries.
    pub(super) fn of_era(&self, mut result: Value) -> Value {
        if self.era == Era::Modern && result.is_object() {
            if result["resultType"].is_null() {
                result["resultType"] = json!("complete");
            }
            result["_meta"][format!("{META}serverInfo")] = json!({"name": "scripted", "version": "1"});
        }
        result
    }
}
