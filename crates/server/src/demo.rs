//! The demo provider: a small, deterministic simulator of a model that speaks OpenAI Chat and embeddings, so that a first
//! call works with no account anywhere. It streams, calls tools, keeps to a schema and reports usage. It is an upstream
//! like any other, on a loopback port of its own; nothing of the call path knows that it is ours.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http_body::Frame;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// Deepest schema that is followed when arguments are made up.
const SCHEMA_DEPTH_MAX: u32 = 8;

/// Starts the demo provider on a free loopback port, as a task of the current runtime.
///
/// # Errors
/// When no loopback port can be bound.
pub async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/v1/chat/completions", post(chat)).route("/v1/embeddings", post(embeddings));
    tokio::spawn(serve(listener, TowerToHyperService::new(router)));
    Ok(address)
}

/// HTTP/1.1 alone: nobody but the gateway calls.
async fn serve(listener: TcpListener, service: TowerToHyperService<Router>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let some calls finish before the next try.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        // How a connection ended is its calls' business.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn chat(Json(request): Json<Value>) -> Response {
    let said = Said::to(&request);
    if request["stream"] == Value::Bool(true) { said.stream(&request) } else { Json(said.whole()).into_response() }
}

async fn embeddings(Json(request): Json<Value>) -> Response {
    let inputs = match &request["input"] {
        Value::Array(inputs) => inputs.clone(),
        one => vec![one.clone()],
    };
    let length = usize::try_from(request["dimensions"].as_u64().unwrap_or(8)).unwrap_or(8).clamp(1, 1024);
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| json!({"object": "embedding", "index": index, "embedding": vector(&input.to_string(), length)}))
        .collect();
    let tokens: usize = inputs.iter().map(|input| words(&input.to_string())).sum();
    Json(json!({"object": "list", "model": "demo", "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}))
        .into_response()
}

/// A unit vector that depends on the text only, and is near for texts that share words.
fn vector(text: &str, length: usize) -> Vec<f64> {
    let mut sums = vec![0.0f64; length];
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word.bytes().fold(2_166_136_261_u32, |hash, byte| {
            (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(16_777_619)
        });
        sums[hash as usize % length] += 1.0;
    }
    let norm = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt().max(1.0);
    sums.iter().map(|sum| sum / norm).collect()
}

fn words(text: &str) -> usize {
    text.split_whitespace().count().max(1)
}

/// What the demo model answers to one request.
struct Said {
    id: String,
    text: String,
    /// Name and arguments of the tools it calls.
    calls: Vec<(String, String)>,
    prompt_tokens: usize,
}

impl Said {
    fn to(request: &Value) -> Self {
        let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let last = messages.last().cloned().unwrap_or_default();
        let asked = text_of(&last["content"]);
        let prompt_tokens = words(&request["messages"].to_string());
        let calls = if last["role"] == "tool" { Vec::new() } else { calls(request, &asked) };
        let text = if !calls.is_empty() {
            String::new()
        } else if last["role"] == "tool" {
            format!("The tool answered: {asked}")
        } else if let Some(schema) = request.pointer("/response_format/json_schema/schema") {
            example(schema, 0).to_string()
        } else if request["response_format"]["type"] == "json_object" {
            json!({"you_said": asked}).to_string()
        } else {
            format!("This is the demo model of Gatehouse. You said: {asked}")
        };
        let id = format!("chatcmpl-demo-{:08x}", prompt_tokens * 31 + text.len());
        Self { id, text, calls, prompt_tokens }
    }

    fn finish(&self) -> &'static str {
        if self.calls.is_empty() { "stop" } else { "tool_calls" }
    }

    fn usage(&self) -> Value {
        let arguments: usize = self.calls.iter().map(|(name, arguments)| words(name) + words(arguments)).sum();
        let completion = if self.calls.is_empty() { words(&self.text) } else { arguments };
        json!({"prompt_tokens": self.prompt_tokens, "completion_tokens": completion, "total_tokens": self.prompt_tokens + completion})
    }

    fn whole(&self) -> Value {
        let content = if self.calls.is_empty() { Value::from(self.text.as_str()) } else { Value::Null };
        let mut message = json!({"role": "assistant", "content": content});
        if !self.calls.is_empty() {
            let calls = self.calls.iter().enumerate().map(|(index, call)| tool_call(index, call));
            message["tool_calls"] = calls.collect();
        }
        json!({
            "id": self.id, "object": "chat.completion", "created": 0, "model": "demo",
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish()}],
            "usage": self.usage(),
        })
    }

    fn stream(&self, request: &Value) -> Response {
        let chunk = |choices: Value| json!({"id": self.id, "object": "chat.completion.chunk", "created": 0, "model": "demo", "choices": choices});
        let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
        let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}))];
        chunks.extend(self.text.split_inclusive(' ').map(|word| delta(json!({"content": word}))));
        for (index, call) in self.calls.iter().enumerate() {
            let mut call = tool_call(index, call);
            call["index"] = index.into();
            chunks.push(delta(json!({"tool_calls": [call]})));
        }
        chunks.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": self.finish()}])));
        if request["stream_options"]["include_usage"] == Value::Bool(true) {
            let mut last = chunk(json!([]));
            last["usage"] = self.usage();
            chunks.push(last);
        }
        let events = chunks
            .into_iter()
            .map(|chunk| format!("data: {chunk}\n\n"))
            .chain(std::iter::once("data: [DONE]\n\n".to_owned()));
        let body = Body::new(Events(events.collect::<Vec<_>>().into_iter()));
        ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
    }
}

/// A body of events, each in a chunk of its own.
struct Events(std::vec::IntoIter<String>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|event| Ok(Frame::data(event.into()))))
    }
}

fn tool_call(index: usize, (name, arguments): &(String, String)) -> Value {
    json!({"id": format!("call_demo_{index}"), "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

/// The tools it calls: one it must call, or every one whose name the user's words mention.
fn calls(request: &Value, asked: &str) -> Vec<(String, String)> {
    let Some(tools) = request["tools"].as_array() else { return Vec::new() };
    let choice = &request["tool_choice"];
    let named = choice.pointer("/function/name").and_then(Value::as_str);
    let asked = asked.to_lowercase();
    let mentioned =
        |name: &str| name.to_lowercase().split(['_', '-', '.']).any(|word| word.len() > 2 && asked.contains(word));
    let functions = tools.iter().map(|tool| &tool["function"]);
    let call = |function: &Value| {
        let name = function["name"].as_str().unwrap_or_default().to_owned();
        (name, example(&function["parameters"], 0).to_string())
    };
    if choice == "none" {
        return Vec::new();
    }
    if let Some(named) = named {
        return functions.filter(|function| function["name"] == named).map(call).collect();
    }
    let called: Vec<_> =
        functions.clone().filter(|function| function["name"].as_str().is_some_and(mentioned)).map(call).collect();
    if called.is_empty() && choice == "required" { functions.take(1).map(call).collect() } else { called }
}

/// A value that fits a JSON Schema, as far as the demo goes.
fn example(schema: &Value, depth: u32) -> Value {
    if let Some(value) = schema["enum"].as_array().and_then(|values| values.first()) {
        return value.clone();
    }
    if depth >= SCHEMA_DEPTH_MAX {
        return Value::Null;
    }
    match schema["type"].as_str() {
        Some("string") => "demo".into(),
        Some("integer" | "number") => 1.into(),
        Some("boolean") => true.into(),
        Some("array") => Value::Array(vec![example(&schema["items"], depth + 1)]),
        _ => {
            let properties = schema["properties"].as_object().map(|fields| fields.iter());
            let fields = properties.into_iter().flatten();
            Value::Object(fields.map(|(name, field)| (name.clone(), example(field, depth + 1))).collect::<Map<_, _>>())
        }
    }
}
