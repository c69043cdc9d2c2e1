//! HTTP with SSE of 2024-11-05.

use std::sync::{Arc, Mutex};

use gatehouse_domain::Code;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::people::{House, client, house, next, outgoing, over_http};
use crate::script::{chunk, event, serve, stream_head};

/// What was posted.
type Posted = Arc<Mutex<Vec<Value>>>;
/// The stream that is open.
type Stream = Arc<tokio::sync::Mutex<Option<TcpStream>>>;

/// A server of two endpoints: what is posted to one is answered on the stream of the other.
struct Old {
    url: String,
    posted: Posted,
    stream: Stream,
}

/// Starts one that names `endpoint` and answers calls by `answer`.
async fn old(endpoint: &'static str, answer: fn(&Value) -> Vec<Value>) -> Old {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/old/sse", listener.local_addr().unwrap());
    let (posted, stream) = (Posted::default(), Stream::default());
    let server = Old { url, posted: Arc::clone(&posted), stream: Arc::clone(&stream) };
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (posted, stream) = (Arc::clone(&posted), Arc::clone(&stream));
            tokio::spawn(async move {
                let mut connection = BufReader::new(connection);
                while let Some((first, body)) = request(&mut connection).await {
                    if first.starts_with("GET /old/sse ") {
                        let mut connection = connection.into_inner();
                        let named = [stream_head(), chunk(&format!("event: endpoint\ndata: {endpoint}\n\n"))].concat();
                        connection.write_all(&named).await.unwrap();
                        *stream.lock().await = Some(connection);
                        return;
                    }
                    let status =
                        if first.starts_with("POST /old/messages?session=1 ") { "202 Accepted" } else { "405 No" };
                    let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    connection.get_mut().write_all(reply.as_bytes()).await.unwrap();
                    if status.starts_with("202") {
                        posted.lock().unwrap().push(body.clone());
                        for message in said(&body, answer) {
                            let mut stream = stream.lock().await;
                            stream.as_mut().unwrap().write_all(&event(&message)).await.unwrap();
                        }
                    }
                }
            });
        }
    });
    server
}

fn said(body: &Value, answer: fn(&Value) -> Vec<Value>) -> Vec<Value> {
    match body["method"].as_str() {
        Some("initialize") => vec![json!({"jsonrpc": "2.0", "id": body["id"], "result": {
            "protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {"name": "old", "version": "0"}}})],
        Some("tools/call") => answer(body),
        _ => Vec::new(),
    }
}

async fn request(connection: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let (mut first, mut length) = (String::new(), 0);
    if connection.read_line(&mut first).await.ok()? == 0 {
        return None;
    }
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await.ok()?;
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    Some((first, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn of(old: &Old) -> House {
    house(vec![over_http(old.url.clone())])
}

fn at_once(body: &Value) -> Vec<Value> {
    let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hi"}});
    vec![log, json!({"jsonrpc": "2.0", "id": body["id"], "result": {"content": []}})]
}

#[tokio::test]
async fn answers_come_on_the_stream_whatever_spelling_the_endpoint_has() {
    for endpoint in ["/old/messages?session=1", "messages?session=1"] {
        let old = old(endpoint, at_once).await;
        let house = of(&old);
        let mut exchange = house.ask("tools/call", json!({"name": "t"})).await.unwrap();
        assert_eq!(next(&mut exchange).await["method"], "notifications/message");
        assert_eq!(next(&mut exchange).await["id"], 1);
        assert_eq!(house.link("ann").state().revision.as_deref(), Some("2024-11-05"));
    }
}

#[tokio::test]
async fn an_endpoint_of_another_origin_is_refused_and_hears_nothing() {
    let foreign = serve(|_| Vec::new()).await;
    let endpoint: &'static str = Box::leak(format!("{}/messages?session=1", foreign.origin).into_boxed_str());
    let old = old(endpoint, at_once).await;
    assert!(of(&old).call("tools/call", json!({"name": "t"})).await.is_err());
    assert!(foreign.asked().is_empty());
}

#[tokio::test]
async fn the_end_of_the_stream_is_told_to_whoever_waits_and_the_next_call_opens_another() {
    let old = old(
        "/old/messages?session=1",
        |body| if body["params"]["name"] == "slow" { Vec::new() } else { at_once(body) },
    )
    .await;
    let house = of(&old);
    let mut waiting = house.ask("tools/call", json!({"name": "slow"})).await.unwrap();
    drop(old.stream.lock().await.take());
    let failure = waiting.next().await.unwrap().unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamBroken);
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(house.link("ann").state().restarts, 1);
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_by_a_notification() {
    let old = old("/old/messages?session=1", |_| Vec::new()).await;
    let house = of(&old);
    let exchange = house.link("ann").ask(&house.pool, outgoing(5, "tools/call", json!({"name": "t"}))).await.unwrap();
    drop(exchange);
    let cancelled = async {
        while !old.posted.lock().unwrap().iter().any(|body| body["params"]["requestId"] == 5) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), cancelled).await.expect("a cancellation");
}

#[tokio::test]
async fn what_the_server_says_unasked_is_overheard() {
    let old = old("/old/messages?session=1", at_once).await;
    let house = of(&old);
    let mut overheard = house.link("ann").overhear(&house.pool, &client()).await.unwrap().unwrap();
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    old.stream.lock().await.as_mut().unwrap().write_all(&event(&changed)).await.unwrap();
    assert_eq!(next(&mut overheard).await["method"], "notifications/tools/list_changed");
}
