//! `bench-mcp-upstream --port N`: an MCP server that costs next to nothing: `/modern` speaks 2026-07-28 and answers in JSON,
//! `/events` the same with calls answered as a stream, `/legacy` 2025-11-25. Answers are rendered once; a call costs a search for
//! the method and the id.

use std::collections::HashMap;

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::mcp::{Era, SESSION, result};
use gatehouse_bench::server::serve;
use gatehouse_bench::wire::body_start;
use memchr::memmem;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Methods that have an answer; the longer name before the one it contains.
const METHODS: [&str; 8] = [
    "server/discover",
    "initialize",
    "tools/list",
    "tools/call",
    "prompts/list",
    "resources/templates/list",
    "resources/list",
    "ping",
];

/// An event stream, its events still to come.
const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

type Answers = HashMap<(&'static str, &'static str), String>;

fn main() -> Result<(), Error> {
    let answers: Answers = Era::ALL
        .iter()
        .flat_map(|era| {
            METHODS.iter().filter_map(|method| Some(((era.name(), *method), result(*era, method)?.to_string())))
        })
        .collect();
    serve(Arguments::of_process().or("port", 0)?, async move |stream: &mut TcpStream, request: &[u8]| {
        stream.write_all(answer(request, &answers).as_bytes()).await
    })
}

fn answer(request: &[u8], answers: &Answers) -> String {
    let line = &request[..request.len().min(64)];
    let era = if memmem::find(line, b"/legacy").is_some() { Era::Legacy } else { Era::Modern };
    let body = &request[body_start(request).unwrap_or(request.len())..];
    if request.starts_with(b"GET ") {
        // An event stream that says nothing.
        return EVENTS.to_owned();
    }
    let Some(id) = id(body) else { return "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned() };
    if memmem::find(body, b"subscriptions/listen").is_some() {
        let taken = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{{\"_meta\":\
             {{\"io.modelcontextprotocol/subscriptionId\":{id}}},\"notifications\":{{\"toolsListChanged\":true}}}}}}"
        );
        return format!("{EVENTS}{}", event(&taken));
    }
    let known = METHODS.iter().find(|method| memmem::find(body, format!("\"{method}\"").as_bytes()).is_some());
    let (status, message) = match known.and_then(|method| answers.get(&(era.name(), *method))) {
        Some(result) => ("200 OK", format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}")),
        None => {
            let error = "{\"code\":-32000,\"message\":\"Bad Request\"}";
            ("400 Bad Request", format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}"))
        }
    };
    if known == Some(&"tools/call") && memmem::find(line, b"/events").is_some() {
        return format!("{EVENTS}{}0\r\n\r\n", event(&message));
    }
    let session = if known == Some(&"initialize") { format!("mcp-session-id: {SESSION}\r\n") } else { String::new() };
    let length = message.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{session}content-length: {length}\r\n\r\n{message}")
}

/// One event, as one chunk.
fn event(message: &str) -> String {
    let event = format!("data: {message}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// The text of the id: a number or a string without escapes, which is all a gateway sends.
fn id(body: &[u8]) -> Option<&str> {
    let start = memmem::find(body, b"\"id\":")? + 5;
    let rest = std::str::from_utf8(&body[start..]).ok()?;
    let end = match rest.strip_prefix('"') {
        Some(text) => text.find('"')? + 2,
        None => rest.find([',', '}'])?,
    };
    Some(rest[..end].trim())
}
