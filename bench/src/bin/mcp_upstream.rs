//! `bench-mcp-upstream --port N`: an MCP server that costs next to nothing: `/modern` speaks 2026-07-28, `/legacy` 2025-11-25.
//! Answers are rendered once; a call costs a search for the method and the id.

use std::collections::HashMap;
use std::rc::Rc;

use gatehouse_bench::Error;
use gatehouse_bench::arguments::Arguments;
use gatehouse_bench::mcp::{Era, SESSION, result};
use gatehouse_bench::wire::{Progress, body_start, message_end};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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

type Answers = HashMap<(&'static str, &'static str), String>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let listener = TcpListener::bind(("127.0.0.1", Arguments::of_process().or("port", 0)?)).await?;
    let answers: Answers = Era::ALL
        .iter()
        .flat_map(|era| {
            METHODS.iter().filter_map(|method| Some(((era.name(), *method), result(*era, method)?.to_string())))
        })
        .collect();
    let answers = Rc::new(answers);
    tokio::task::LocalSet::new()
        .run_until(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::task::spawn_local(serve(stream, Rc::clone(&answers)));
            }
        })
        .await
}

/// One connection. A peer that goes away ends it; that is no error.
async fn serve(mut stream: TcpStream, answers: Rc<Answers>) {
    let mut buffer = Vec::with_capacity(4 << 10);
    loop {
        match message_end(&buffer) {
            Progress::Whole(end) => {
                if stream.write_all(&answer(&buffer[..end], &answers)).await.is_err() {
                    return;
                }
                buffer.drain(..end);
            }
            Progress::Partial => match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            Progress::Broken => return,
        }
    }
}

fn answer(request: &[u8], answers: &Answers) -> Vec<u8> {
    let era =
        if memmem::find(&request[..request.len().min(64)], b"/legacy").is_some() { Era::Legacy } else { Era::Modern };
    let body = &request[body_start(request).unwrap_or(request.len())..];
    if request.starts_with(b"GET ") {
        // An event stream that says nothing.
        return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    }
    let Some(id) = id(body) else { return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec() };
    if memmem::find(body, b"subscriptions/listen").is_some() {
        let taken = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{{\"_meta\":\
             {{\"io.modelcontextprotocol/subscriptionId\":{id}}},\"notifications\":{{\"toolsListChanged\":true}}}}}}"
        );
        let event = format!("data: {taken}\n\n");
        return format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n",
            event.len()
        )
        .into_bytes();
    }
    let known = METHODS.iter().find(|method| memmem::find(body, format!("\"{method}\"").as_bytes()).is_some());
    let (status, message) = match known.and_then(|method| answers.get(&(era.name(), *method))) {
        Some(result) => ("200 OK", format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}")),
        None => {
            let error = "{\"code\":-32000,\"message\":\"Bad Request\"}";
            ("400 Bad Request", format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}"))
        }
    };
    let session = if known == Some(&"initialize") { format!("mcp-session-id: {SESSION}\r\n") } else { String::new() };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{session}content-length: {}\r\n\r\n{message}",
        message.len()
    )
    .into_bytes()
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
