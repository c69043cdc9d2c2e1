//! Anthropic Messages: `mcp_servers` in (and `mcp_toolset` tools, of the connector's newer form), `mcp_tool_use` and
//! `mcp_tool_result` blocks out. What the model sees is client tools, their uses and their results.

use gatehouse_domain::Fault;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::own::{self, Home, Server, wrong};
use super::table::Table;
use super::{Got, Said, Wanted, add, endpoint};

/// A request, and how far it is answered.
pub(super) struct Messages {
    /// The request but for its messages, as it is sent every round.
    body: Map<String, Value>,
    /// Which tool must be used, as the caller wrote it.
    choice: Option<Value>,
    /// What the model is shown.
    messages: Vec<Value>,
    /// What the caller is told.
    content: Vec<Value>,
    usage: Value,
    last: Map<String, Value>,
    pub(super) stream: bool,
    /// The head of the last answer.
    pub(super) headers: HeaderMap,
    /// Did the model use tools of the caller's?
    pub(super) callers: bool,
}

impl Messages {
    /// Reads a request; `None` if no server of it is an endpoint of ours.
    ///
    /// # Errors
    /// When one that is asks for what is not served.
    pub(super) fn read(mut body: Map<String, Value>, home: &Home) -> Result<Option<(Self, Vec<Server>)>, Fault> {
        let mut servers: Vec<Server> = Vec::new();
        let mut foreign = Vec::new();
        for written in body.get("mcp_servers").and_then(Value::as_array).into_iter().flatten() {
            match server(written, home)? {
                Some(server) if servers.iter().any(|known| known.label == server.label) => {
                    return Err(wrong("mcp_servers", format!("two servers have the name `{}`", server.label)));
                }
                Some(server) => servers.push(server),
                None => foreign.push(written.clone()),
            }
        }
        if servers.is_empty() {
            return Ok(None);
        }
        if foreign.is_empty() {
            body.remove("mcp_servers");
        } else {
            body.insert("mcp_servers".to_owned(), Value::Array(foreign));
        }
        let tools = body.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
        let (sets, rest): (Vec<Value>, Vec<Value>) = tools.into_iter().partition(|tool| {
            let of = tool["mcp_server_name"].as_str().filter(|_| tool["type"] == "mcp_toolset");
            of.is_some_and(|of| servers.iter().any(|server| server.label == of))
        });
        sets.iter().for_each(|set| configure(set, &mut servers));
        body.insert("tools".to_owned(), Value::Array(rest));
        let stream = body.remove("stream") == Some(Value::Bool(true));
        let messages = match body.remove("messages") {
            Some(Value::Array(messages)) => messages,
            _ => Vec::new(),
        };
        let choice = body.remove("tool_choice");
        let (headers, last) = (HeaderMap::new(), Map::new());
        let (content, usage) = (Vec::new(), Value::Null);
        Ok(Some((Self { body, choice, messages, content, usage, last, stream, headers, callers: false }, servers)))
    }

    pub(super) fn callers_tools(&self) -> Vec<String> {
        let tools = self.body["tools"].as_array().into_iter().flatten();
        tools.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
    }

    /// Puts client tools in the place of servers: among the tools, and in what was said before.
    pub(super) fn begin(&mut self, table: &Table) {
        if let Some(Value::Array(tools)) = self.body.get_mut("tools") {
            tools.extend(table.all().map(|(name, tool)| {
                let description = tool["description"].as_str().unwrap_or_default();
                json!({ "name": name, "description": description, "input_schema": tool["inputSchema"] })
            }));
        }
        let messages = std::mem::take(&mut self.messages);
        self.messages = messages.into_iter().flat_map(|message| before(message, table)).collect();
    }

    /// The request of a round. A tool that must be used was used in the first one.
    pub(super) fn body(&self, round: u32) -> Value {
        let mut body = self.body.clone();
        let kept = |choice: &&Value| round == 1 || matches!(choice["type"].as_str(), Some("auto" | "none"));
        if let Some(choice) = self.choice.as_ref().filter(kept) {
            body.insert("tool_choice".to_owned(), choice.clone());
        }
        body.insert("messages".to_owned(), Value::Array(self.messages.clone()));
        Value::Object(body)
    }

    /// Takes the model's answer.
    pub(super) fn said(&mut self, whole: Map<String, Value>, table: &Table) -> Said {
        let mut said = Said { wanted: Vec::new(), callers: false };
        let content = whole.get("content").and_then(Value::as_array).cloned().unwrap_or_default();
        for block in &content {
            let is_use = block["type"] == "tool_use";
            let tool = block["name"].as_str().filter(|_| is_use).and_then(|name| table.find(name));
            match tool {
                Some(tool) => said.wanted.push(Wanted {
                    id: block["id"].as_str().unwrap_or_default().to_owned(),
                    tool,
                    arguments: if block["input"].is_object() { block["input"].clone() } else { json!({}) },
                }),
                None => self.content.push(block.clone()),
            }
            said.callers |= is_use && tool.is_none();
        }
        self.messages.push(json!({ "role": "assistant", "content": content }));
        add(&mut self.usage, whole.get("usage").unwrap_or(&Value::Null));
        self.last = whole;
        said
    }

    /// Takes what tools gave. Is the caller next?
    pub(super) fn got(&mut self, got: &[(Wanted, Got)], table: &Table) -> bool {
        let mut results = Vec::with_capacity(got.len());
        for (wanted, got) in got {
            results.push(json!({
                "type": "tool_result", "tool_use_id": wanted.id, "content": got.text, "is_error": got.failed,
            }));
            let (server, tool) = table.of(wanted.tool);
            let id = format!("mcp{}", wanted.id);
            let told = [
                json!({ "type": "mcp_tool_use", "id": id, "name": tool, "server_name": server.label, "input": wanted.arguments }),
                json!({
                    "type": "mcp_tool_result", "tool_use_id": id, "is_error": got.failed,
                    "content": [{ "type": "text", "text": got.text }],
                }),
            ];
            // Before the caller's own uses, which are what the caller goes on from.
            let callers = self.content.iter().rev().take_while(|block| block["type"] == "tool_use").count();
            let at = self.content.len() - callers;
            self.content.splice(at..at, told);
        }
        self.messages.push(json!({ "role": "user", "content": results }));
        self.callers
    }

    /// The answer: the last round's, with what all of them said and used. One that was cut can be gone on with: the client
    /// sends it back (`pause_turn`).
    pub(super) fn finish(&mut self, cut: bool) -> Value {
        let mut whole = std::mem::take(&mut self.last);
        whole.insert("content".to_owned(), Value::Array(std::mem::take(&mut self.content)));
        whole.insert("usage".to_owned(), self.usage.take());
        if cut {
            whole.insert("stop_reason".to_owned(), "pause_turn".into());
        }
        Value::Object(whole)
    }
}

/// The endpoint of a server, if it is one of ours.
fn server(written: &Value, home: &Home) -> Result<Option<Server>, Fault> {
    let path = match (written["toolset"].as_str(), written["url"].as_str()) {
        (Some(name), _) => {
            let message = "`toolset` of a server is the name of a toolset of this gateway";
            Some(home.path(&own::toolset(name)).ok_or_else(|| wrong("mcp_servers", message))?)
        }
        (None, url) => url.and_then(|url| home.path(url)),
    };
    let Some(path) = path else { return Ok(None) };
    let mut server = Server::new(&endpoint::label(written, "name", "mcp_servers")?, path);
    let configuration = &written["tool_configuration"];
    if !configuration["allowed_tools"].is_null() {
        let message = "`allowed_tools` of a server of this gateway is a list of names";
        server.allowed =
            Some(own::names(&configuration["allowed_tools"]).ok_or_else(|| wrong("mcp_servers", message))?);
    }
    if configuration["enabled"] == false {
        server.allowed = Some(Vec::new());
    }
    Ok(Some(server))
}

/// Which tools of a server may be used, as an `mcp_toolset` says it: all but those that are disabled, or none but those that are
/// enabled.
fn configure(set: &Value, servers: &mut [Server]) {
    let Some(server) = servers.iter_mut().find(|server| set["mcp_server_name"] == server.label.as_str()) else {
        return;
    };
    let enabled = |is: bool| {
        let tools = set["configs"].as_object().into_iter().flatten();
        tools.filter(move |(_, of)| of["enabled"] == is).map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    server.denied = enabled(false);
    if set["default_config"]["enabled"] == false {
        server.allowed = Some(enabled(true));
    }
}

/// A message of before as the model saw it: what a tool of ours gave was said by the user then.
fn before(message: Value, table: &Table) -> Vec<Value> {
    let is_ours = |block: &Value| block["server_name"].as_str().is_some_and(|name| table.has(name));
    let uses = |block: &Value| block["type"] == "mcp_tool_use" && is_ours(block);
    let Some(content) = message["content"].as_array().filter(|content| content.iter().any(uses)) else {
        return vec![message];
    };
    let mut told: Vec<Value> = Vec::new();
    let mut ours: Vec<&Value> = Vec::new();
    for block in content {
        let is_result = block["type"] == "mcp_tool_result" && ours.contains(&&block["tool_use_id"]);
        let (role, block) = if uses(block) {
            ours.push(&block["id"]);
            let (label, real) =
                (block["server_name"].as_str().unwrap_or_default(), block["name"].as_str().unwrap_or_default());
            let name = table.shown(label, real).unwrap_or(real);
            ("assistant", json!({ "type": "tool_use", "id": block["id"], "name": name, "input": block["input"] }))
        } else if is_result {
            let result = json!({
                "type": "tool_result", "tool_use_id": block["tool_use_id"], "content": block["content"], "is_error": block["is_error"],
            });
            ("user", result)
        } else {
            ("assistant", block.clone())
        };
        match told.last_mut().filter(|last| last["role"] == role) {
            Some(last) => {
                if let Some(Value::Array(content)) = last.get_mut("content") {
                    content.push(block);
                }
            }
            None => told.push(json!({ "role": role, "content": [block] })),
        }
    }
    told
}
