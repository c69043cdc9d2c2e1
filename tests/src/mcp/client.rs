//! An MCP client: blocking, of either era, showing every message as it came.

use std::time::Instant;

use serde_json::{Value, json};

use super::META;
use super::offer::{LEGACY, MODERN};
use crate::client::{Client, Response, Stream};
use crate::wire::Dialect;

const SESSION: &str = "mcp-session-id";

/// A client of one endpoint.
#[derive(Clone, Debug)]
pub struct Mcp {
    client: Client,
    path: String,
    modern: bool,
    capabilities: Value,
    session: Option<String>,
    next: i64,
}

impl Mcp {
    /// A stateless client that can do nothing but call.
    #[must_use]
    pub fn modern(client: &Client, path: &str) -> Self {
        Self::modern_with(client, path, json!({}))
    }

    /// A stateless client with these capabilities.
    #[must_use]
    pub fn modern_with(client: &Client, path: &str, capabilities: Value) -> Self {
        Self { client: client.clone(), path: path.to_owned(), modern: true, capabilities, session: None, next: 0 }
    }

    /// A client that opens a session and can do nothing but call.
    #[must_use]
    #[track_caller]
    pub fn legacy(client: &Client, path: &str) -> Self {
        Self::legacy_with(client, path, json!({}))
    }

    /// A client with these capabilities that opens a session.
    #[must_use]
    #[track_caller]
    pub fn legacy_with(client: &Client, path: &str, capabilities: Value) -> Self {
        let mut mcp = Self { modern: false, ..Self::modern_with(client, path, capabilities) };
        let hello = mcp.hello();
        mcp.session = hello.header(SESSION).map(str::to_owned);
        drop(hello.result());
        assert_eq!(mcp.notify("notifications/initialized", json!({})).status, 202);
        mcp
    }

    /// The session it has.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The same client with this session, whosever it is.
    #[must_use]
    pub fn with_session(mut self, session: &str) -> Self {
        self.session = Some(session.to_owned());
        self
    }

    /// The same client at another endpoint.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The same client with another caller's key.
    #[must_use]
    pub fn calling_as(mut self, client: &Client) -> Self {
        self.client = client.clone();
        self
    }

    /// `initialize` or `server/discover`, whole.
    #[must_use]
    pub fn hello(&mut self) -> Answer {
        if self.modern {
            return self.request("server/discover", json!({}));
        }
        let info = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": LEGACY, "capabilities": self.capabilities, "clientInfo": info});
        self.request("initialize", params)
    }

    /// Sends a request and reads everything that comes of it.
    #[must_use]
    pub fn request(&mut self, method: &str, params: Value) -> Answer {
        let id = self.next_id();
        let (headers, body) = self.message(Some(id), method, params);
        Answer::read(id, &self.with(&headers).post(&self.path, &body))
    }

    /// Sends a request and reads it message by message.
    #[must_use]
    pub fn open(&mut self, method: &str, params: Value) -> Live {
        let id = self.next_id();
        let (headers, body) = self.message(Some(id), method, params);
        let raw = self.with(&headers).send("POST", &self.path, body.to_string().as_bytes());
        Live { id, stream: raw.head(Dialect::OpenAiChat), whole: None }
    }

    /// The `GET` stream of the older era.
    #[must_use]
    pub fn overhear(&self) -> Live {
        let raw = self.with(&self.headers("", &Value::Null)).send("GET", &self.path, b"");
        Live { id: 0, stream: raw.head(Dialect::OpenAiChat), whole: None }
    }

    /// Sends a notification.
    #[must_use]
    pub fn notify(&self, method: &str, params: Value) -> Response {
        let (headers, body) = self.message(None, method, params);
        self.with(&headers).post(&self.path, &body)
    }

    /// Answers a request of the server's.
    #[must_use]
    pub fn answer(&self, question: &Value, result: &Value) -> Response {
        let body = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
        self.with(&self.headers("", &Value::Null)).post(&self.path, &body)
    }

    /// Ends the session.
    #[must_use]
    pub fn leave(&self) -> Response {
        self.with(&self.headers("", &Value::Null)).send("DELETE", &self.path, b"").response()
    }

    /// Posts these bytes with the headers of such a request: for what no client would write.
    #[must_use]
    pub fn post_bytes(&self, method: &str, name: &str, body: &[u8]) -> Response {
        self.with(&self.headers(method, &json!({"name": name}))).post_bytes(&self.path, body)
    }

    /// The message such a request is, and its headers.
    #[must_use]
    pub fn message(&self, id: Option<i64>, method: &str, mut params: Value) -> (Vec<(String, String)>, Value) {
        if self.modern {
            params["_meta"][format!("{META}protocolVersion")] = json!(MODERN);
            params["_meta"][format!("{META}clientInfo")] = json!({"name": "test", "version": "1"});
            params["_meta"][format!("{META}clientCapabilities")] = self.capabilities.clone();
        }
        let headers = self.headers(method, &params);
        let mut body = json!({"jsonrpc": "2.0", "method": method, "params": params});
        if let Some(id) = id {
            body["id"] = json!(id);
        }
        (headers, body)
    }

    /// Calls a tool.
    #[must_use]
    pub fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The names in a list (`tools`, `prompts`, `resources`), of every page.
    ///
    /// # Panics
    /// When there is no list.
    #[must_use]
    #[track_caller]
    pub fn names(&mut self, kind: &str) -> Vec<String> {
        let key = if kind == "resources" { "uri" } else { "name" };
        self.list(kind).iter().map(|entry| entry[key].as_str().expect("a name").to_owned()).collect()
    }

    /// A list, of every page.
    ///
    /// # Panics
    /// When there is no list.
    #[must_use]
    #[track_caller]
    pub fn list(&mut self, kind: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let params = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
            let page = self.request(&format!("{kind}/list"), params).result();
            all.extend(page[kind].as_array().unwrap_or_else(|| panic!("{kind} in {page}")).iter().cloned());
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                return all;
            }
        }
    }

    fn next_id(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    fn headers(&self, method: &str, params: &Value) -> Vec<(String, String)> {
        let mut headers = vec![("accept".to_owned(), "application/json, text/event-stream".to_owned())];
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        if let Some(session) = &self.session {
            add(SESSION, session);
        }
        if self.modern {
            add("mcp-protocol-version", MODERN);
            add("mcp-method", method);
            let key = match method {
                "tools/call" | "prompts/get" => "name",
                "resources/read" => "uri",
                _ => "taskId",
            };
            if let Some(name) = params[key].as_str() {
                add("mcp-name", name);
            }
        } else if self.session.is_some() {
            add("mcp-protocol-version", LEGACY);
        }
        headers
    }

    fn with(&self, headers: &[(String, String)]) -> Client {
        headers.iter().fold(self.client.clone(), |client, (name, value)| client.header(name, value))
    }
}

/// Everything that came of one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Every message, the response among them.
    pub messages: Vec<Value>,
    /// The body as text.
    pub text: String,
    id: i64,
}

impl Answer {
    fn read(id: i64, response: &Response) -> Self {
        let text = response.text();
        let streamed = response.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let messages = if streamed {
            text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?.trim()).ok()).collect()
        } else {
            serde_json::from_str(&text).into_iter().collect()
        };
        Self { status: response.status, headers: response.headers.clone(), messages, text, id }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The response itself.
    #[must_use]
    pub fn response(&self) -> Option<&Value> {
        self.messages.iter().find(|message| message["method"].is_null() && message["id"] == self.id)
    }

    /// The result.
    ///
    /// # Panics
    /// When there is none.
    #[must_use = "an answer that is not looked at proves nothing"]
    #[track_caller]
    pub fn result(&self) -> Value {
        match self.response() {
            Some(response) if response["error"].is_null() => response["result"].clone(),
            _ => panic!("a result, not {} {}", self.status, self.text),
        }
    }

    /// The text of a tool's result.
    #[must_use]
    #[track_caller]
    pub fn said(&self) -> String {
        self.result()["content"][0]["text"].as_str().unwrap_or_default().to_owned()
    }

    /// The code of the error; 0 if there is none.
    #[must_use]
    pub fn code(&self) -> i64 {
        self.messages.iter().find_map(|message| message["error"]["code"].as_i64()).unwrap_or(0)
    }

    /// The error's sentence; of a tool's own error, its text.
    #[must_use]
    pub fn complaint(&self) -> String {
        let error = self.messages.iter().find_map(|message| message["error"]["message"].as_str());
        let of_tool = || {
            let response = self.response().filter(|response| response["result"]["isError"] == true)?;
            response["result"]["content"][0]["text"].as_str()
        };
        error.or_else(of_tool).unwrap_or_default().to_owned()
    }

    /// Was it refused, in whatever way the protocol has: HTTP status, error, or a tool's error?
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.status >= 400 || !self.complaint().is_empty()
    }

    /// Notifications of this method.
    #[must_use]
    pub fn notifications(&self, method: &str) -> Vec<&Value> {
        self.messages.iter().filter(|message| message["method"] == method).collect()
    }
}

/// A request under way, or a `GET` stream.
#[derive(Debug)]
pub struct Live {
    /// The id of the request.
    pub id: i64,
    stream: Stream,
    whole: Option<Vec<u8>>,
}

impl Live {
    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.stream.status
    }

    /// The next message; `None` at the end.
    #[allow(clippy::should_implement_trait, reason = "a test says `next`, and no more of an iterator is wanted")]
    pub fn next(&mut self) -> Option<Value> {
        let streamed = self.stream.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !streamed {
            if self.whole.is_some() {
                return None;
            }
            let body = self.stream.rest();
            let message = serde_json::from_slice(&body).ok();
            self.whole = Some(body);
            return message;
        }
        // An event that only primes or keeps alive is no message.
        std::iter::from_fn(|| self.stream.next_event()).find(Value::is_object)
    }

    /// The next message of this method, whatever comes before it.
    ///
    /// # Panics
    /// When the stream ends first.
    #[must_use]
    #[track_caller]
    pub fn wait_for(&mut self, method: &str) -> Value {
        std::iter::from_fn(|| self.next())
            .find(|message| message["method"] == method)
            .unwrap_or_else(|| panic!("{method} before the end of the stream"))
    }

    /// The response, whatever comes before it.
    ///
    /// # Panics
    /// When the stream ends first.
    #[must_use]
    #[track_caller]
    pub fn response(&mut self) -> Value {
        let id = self.id;
        std::iter::from_fn(|| self.next())
            .find(|message| message["method"].is_null() && message["id"] == id)
            .expect("a response before the end of the stream")
    }

    /// Goes away; returns when that was.
    pub fn leave(self) -> Instant {
        self.stream.leave()
    }
}
