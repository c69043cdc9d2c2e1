//! The Responses API: `mcp` tools in, `mcp_list_tools` and `mcp_call` items out. What the model sees is function tools, their
//! calls and their outputs.

use gatehouse_domain::Fault;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::own::{self, Home, Server, wrong};
use super::table::Table;
use super::{Got, Said, Wanted, add, endpoint};

/// A request, and how far it is answered.
pub(super) struct Responses {
    /// The request but for its input, as it is sent every round.
    body: Map<String, Value>,
    /// The tools as the caller wrote them.
    tools: Value,
    /// Which tool must be used, as the caller wrote it.
    choice: Option<Value>,
    /// What the model is shown.
    input: Vec<Value>,
    /// What the caller is told.
    output: Vec<Value>,
    usage: Value,
    last: Map<String, Value>,
    pub(super) stream: bool,
    /// The head of the last answer.
    pub(super) headers: HeaderMap,
    /// Did the model call tools of the caller's?
    pub(super) callers: bool,
}

impl Responses {
    /// Reads a request; `None` if no tool of it is an endpoint of ours.
    ///
    /// # Errors
    /// When one that is asks for what is not served.
    pub(super) fn read(mut body: Map<String, Value>, home: &Home) -> Result<Option<(Self, Vec<Server>)>, Fault> {
        let tools = body.get("tools").cloned().unwrap_or_default();
        let mut servers: Vec<Server> = Vec::new();
        let mut rest = Vec::new();
        for tool in tools.as_array().into_iter().flatten() {
            match server(tool, home)? {
                Some(server) if servers.iter().any(|known| known.label == server.label) => {
                    return Err(wrong("tools", format!("two `mcp` tools have the `server_label` `{}`", server.label)));
                }
                Some(server) => servers.push(server),
                None => rest.push(tool.clone()),
            }
        }
        if servers.is_empty() {
            return Ok(None);
        }
        if body.get("background") == Some(&Value::Bool(true)) {
            let message =
                "a response in the background cannot use the gateway's own MCP tools; send `background: false`";
            return Err(wrong("background", message));
        }
        let stream = body.remove("stream") == Some(Value::Bool(true));
        body.remove("stream_options");
        let input = match body.remove("input") {
            Some(Value::Array(items)) => items,
            Some(Value::String(text)) => vec![json!({ "role": "user", "content": text })],
            _ => Vec::new(),
        };
        let choice = body.remove("tool_choice");
        // Rounds are no answers: what is kept for the caller would not be what it was told.
        body.insert("store".to_owned(), false.into());
        body.insert("tools".to_owned(), Value::Array(rest));
        let (headers, last) = (HeaderMap::new(), Map::new());
        let (output, usage) = (Vec::new(), Value::Null);
        Ok(Some((Self { body, tools, choice, input, output, usage, last, stream, headers, callers: false }, servers)))
    }

    pub(super) fn callers_tools(&self) -> Vec<String> {
        let tools = self.body["tools"].as_array().into_iter().flatten();
        tools.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
    }

    /// Puts functions in the place of endpoints: among the tools, in the choice of one, and in what was said before.
    pub(super) fn begin(&mut self, table: &Table) {
        if let Some(Value::Array(tools)) = self.body.get_mut("tools") {
            tools.extend(table.all().map(|(name, tool)| {
                let mut function =
                    json!({ "type": "function", "name": name, "parameters": tool["inputSchema"], "strict": false });
                if !tool["description"].is_null() {
                    function["description"] = tool["description"].clone();
                }
                function
            }));
        }
        self.choice = self.choice.take().map(|choice| chosen(choice, table));
        let items = std::mem::take(&mut self.input);
        self.input = items.into_iter().flat_map(|item| before(item, table)).collect();
        self.output = table.servers.iter().map(listed).collect();
    }

    /// The request of a round. A tool that must be used was used in the first one.
    pub(super) fn body(&self, round: u32) -> Value {
        let mut body = self.body.clone();
        if let Some(choice) = self.choice.as_ref().filter(|choice| round == 1 || *choice == "none") {
            body.insert("tool_choice".to_owned(), choice.clone());
        }
        body.insert("input".to_owned(), Value::Array(self.input.clone()));
        Value::Object(body)
    }

    /// Takes the model's answer.
    pub(super) fn said(&mut self, whole: Map<String, Value>, table: &Table) -> Said {
        let mut said = Said { wanted: Vec::new(), callers: false };
        for item in whole.get("output").and_then(Value::as_array).into_iter().flatten() {
            let is_call = item["type"] == "function_call";
            let tool = item["name"].as_str().filter(|_| is_call).and_then(|name| table.find(name));
            match tool {
                Some(tool) => said.wanted.push(Wanted {
                    id: item["call_id"].as_str().unwrap_or_default().to_owned(),
                    tool,
                    arguments: endpoint::arguments(item["arguments"].as_str().unwrap_or_default()),
                }),
                None => self.output.push(item.clone()),
            }
            said.callers |= is_call && tool.is_none();
            // A thought that was kept nowhere cannot be shown again but by its provider's own seal.
            if item["type"] != "reasoning" || item["encrypted_content"].is_string() {
                self.input.push(item.clone());
            }
        }
        add(&mut self.usage, whole.get("usage").unwrap_or(&Value::Null));
        self.last = whole;
        said
    }

    /// Takes what tools gave. Is the caller next?
    pub(super) fn got(&mut self, got: &[(Wanted, Got)], table: &Table) -> bool {
        for (wanted, got) in got {
            self.input.push(json!({ "type": "function_call_output", "call_id": wanted.id, "output": got.text }));
            let (server, tool) = table.of(wanted.tool);
            let (output, error) = if got.failed {
                (Value::Null, got.text.as_str().into())
            } else {
                (got.text.as_str().into(), Value::Null)
            };
            // Before the caller's own calls, which are what the caller goes on from.
            let callers = self.output.iter().rev().take_while(|item| item["type"] == "function_call").count();
            self.output.insert(
                self.output.len() - callers,
                json!({
                    "id": format!("mcp_{}", wanted.id),
                    "type": "mcp_call",
                    "server_label": server.label,
                    "name": tool,
                    "arguments": wanted.arguments.to_string(),
                    "output": output,
                    "error": error,
                    "status": if got.failed { "failed" } else { "completed" },
                    "approval_request_id": null,
                }),
            );
        }
        self.callers
    }

    /// The answer: the last round's, with what all of them said and used.
    pub(super) fn finish(&mut self, cut: bool) -> Value {
        let mut whole = std::mem::take(&mut self.last);
        whole.insert("output".to_owned(), Value::Array(std::mem::take(&mut self.output)));
        whole.insert("tools".to_owned(), self.tools.take());
        whole.insert("usage".to_owned(), self.usage.take());
        if cut {
            whole.insert("status".to_owned(), "incomplete".into());
            whole.insert("incomplete_details".to_owned(), json!({ "reason": "max_tool_calls" }));
        }
        Value::Object(whole)
    }
}

/// The endpoint of a tool, if it is one of ours.
fn server(tool: &Value, home: &Home) -> Result<Option<Server>, Fault> {
    if tool["type"] != "mcp" {
        return Ok(None);
    }
    let path = match (tool["toolset"].as_str(), tool["server_url"].as_str()) {
        (Some(name), _) => home.path(&own::toolset(name)),
        (None, Some(url)) => match home.path(url) {
            Some(path) => Some(path),
            None => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    let path =
        path.ok_or_else(|| wrong("tools", "`toolset` of an `mcp` tool is the name of a toolset of this gateway"))?;
    let mut server = Server::new(&endpoint::label(tool, "server_label", "server_label")?, path);
    if tool["require_approval"] != "never" {
        let message = format!(
            "the tools of `{}` are called by the gateway, which asks nobody for approval; send `require_approval: \"never\"` and \
             name the tools that may be called in `allowed_tools`, or have a policy forbid those that may not",
            server.label
        );
        return Err(wrong("require_approval", message));
    }
    server.allowed = match &tool["allowed_tools"] {
        Value::Null => None,
        of => {
            let named = own::names(of).or_else(|| own::names(&of["tool_names"]));
            let message = "`allowed_tools` of a tool of this gateway is a list of names";
            Some(named.ok_or_else(|| wrong("allowed_tools", message))?)
        }
    };
    Ok(Some(server))
}

/// `tool_choice` in terms of functions.
fn chosen(choice: Value, table: &Table) -> Value {
    if choice["type"] != "mcp" {
        return choice;
    }
    let label = choice["server_label"].as_str().unwrap_or_default();
    match choice["name"].as_str().and_then(|name| table.shown(label, name)) {
        Some(name) => json!({ "type": "function", "name": name }),
        None => "required".into(),
    }
}

/// An item of an earlier answer as the model saw it.
fn before(item: Value, table: &Table) -> Vec<Value> {
    let label = item["server_label"].as_str().unwrap_or_default();
    match item["type"].as_str() {
        Some("mcp_list_tools") if table.has(label) => Vec::new(),
        Some("mcp_call") if table.has(label) => {
            let real = item["name"].as_str().unwrap_or_default();
            let name = table.shown(label, real).unwrap_or(real);
            let output = if item["output"].is_string() { &item["output"] } else { &item["error"] };
            vec![
                json!({ "type": "function_call", "call_id": item["id"], "name": name, "arguments": item["arguments"] }),
                json!({ "type": "function_call_output", "call_id": item["id"], "output": output.as_str().unwrap_or_default() }),
            ]
        }
        _ => vec![item],
    }
}

/// What an endpoint offered.
fn listed(server: &Server) -> Value {
    let tools = server.tools.iter().map(|tool| {
        json!({
            "name": tool["name"],
            "description": tool["description"],
            "input_schema": tool["inputSchema"],
            "annotations": tool["annotations"],
        })
    });
    json!({
        "id": format!("mcpl_{}", server.label),
        "type": "mcp_list_tools",
        "server_label": server.label,
        "tools": tools.collect::<Vec<_>>(),
        "error": null,
    })
}
