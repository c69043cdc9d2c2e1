//! Standard streams as the client's side, in front of a scripted endpoint.

use gatehouse_domain::{Origin, Secret};
use gatehouse_mcp_proxy::relay::{Door, relay};
use gatehouse_upstream::{Pool, PoolLimits, tls_config};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::task::JoinHandle;

use crate::script::{Script, Step, answer, event, json as as_json, result, serve, stream, stream_head};

/// A client that has started us as its server.
struct Parent {
    input: WriteHalf<DuplexStream>,
    output: BufReader<ReadHalf<DuplexStream>>,
    running: JoinHandle<std::io::Result<()>>,
}

fn parent(script: &Script) -> Parent {
    let (ours, theirs) = duplex(64 << 10);
    let ((output, input), (reads, writes)) = (split(ours), split(theirs));
    let pool = Pool::new(tls_config(None).unwrap(), PoolLimits::default());
    let port = script.origin.rsplit_once(':').unwrap().1.parse().unwrap();
    let origin = Origin { tls: false, host: "127.0.0.1".into(), port };
    let door = Door { origin, path: "/mcp".parse().unwrap(), key: Some(Secret::new("k")) };
    let running = tokio::spawn(relay(pool, door, reads, writes));
    Parent { input, output: BufReader::new(output), running }
}

impl Parent {
    async fn write(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).expect("a line of JSON")
    }

    async fn ask(&mut self, message: &Value) -> Value {
        self.write(message).await;
        self.read().await
    }

    async fn leave(mut self) {
        self.input.shutdown().await.unwrap();
        self.running.await.unwrap().unwrap();
    }
}

fn request(id: i64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

#[tokio::test]
async fn a_session_of_the_older_era_is_named_listened_to_and_ended() {
    let script = serve(|asked| match (&*asked.verb, asked.method()) {
        ("GET", _) => {
            let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
            vec![Step::Send([stream_head(), event(&changed)].concat()), Step::Hang]
        }
        (_, "initialize") => {
            let said = json!({"jsonrpc": "2.0", "id": asked.id(), "result": {"protocolVersion": "2025-11-25", "capabilities": {}}});
            answer(200, &[("content-type", "application/json"), ("mcp-session-id", "s")], &said.to_string())
        }
        (_, "tools/call") => result(asked, &json!({"content": []})),
        _ => answer(202, &[], ""),
    })
    .await;
    let mut parent = parent(&script);
    parent.ask(&request(1, "initialize", json!({"protocolVersion": "2025-11-25"}))).await;
    parent.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    assert_eq!(parent.read().await["method"], "notifications/tools/list_changed");
    assert_eq!(parent.ask(&request(2, "tools/call", json!({"name": "t"}))).await["id"], 2);
    parent.leave().await;
    let asked = script.asked();
    assert_eq!(asked.last().unwrap().verb, "DELETE");
    assert!(asked[1..].iter().all(|asked| asked.header("mcp-session-id") == Some("s")));
    assert!(asked[1..].iter().all(|asked| asked.header("mcp-protocol-version") == Some("2025-11-25")));
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("Bearer k")));
}

#[tokio::test]
async fn headers_of_the_newer_era_repeat_the_body_and_the_arguments_a_list_has_named() {
    let script = serve(|asked| match asked.method() {
        "tools/list" => {
            let schema =
                json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
            result(asked, &json!({"tools": [{"name": "t", "inputSchema": schema}]}))
        }
        _ => result(asked, &json!({"content": []})),
    })
    .await;
    let mut parent = parent(&script);
    parent.ask(&request(1, "tools/list", modern(json!({})))).await;
    parent.ask(&request(2, "tools/call", modern(json!({"name": "t", "arguments": {"region": "eu"}})))).await;
    let call = script.until(|asked| asked.method() == "tools/call").await;
    assert_eq!(call.header("mcp-method"), Some("tools/call"));
    assert_eq!(call.header("mcp-name"), Some("t"));
    assert_eq!(call.header("mcp-param-region"), Some("eu"));
    parent.leave().await;
}

#[tokio::test]
async fn streams_become_lines_and_a_cancellation_closes_the_stream() {
    let script = serve(|asked| {
        let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "two\nlines"}});
        match &asked.body["params"]["name"] {
            name if name == "slow" => vec![Step::Send(stream_head()), Step::Hang],
            _ => vec![Step::Send(stream(&[log, json!({"jsonrpc": "2.0", "id": asked.id(), "result": {}})]))],
        }
    })
    .await;
    let mut parent = parent(&script);
    assert_eq!(
        parent.ask(&request(1, "tools/call", modern(json!({"name": "t"})))).await["method"],
        "notifications/message"
    );
    assert_eq!(parent.read().await["id"], 1);
    parent.write(&request(2, "tools/call", modern(json!({"name": "slow"})))).await;
    script.until(|asked| asked.body["params"]["name"] == "slow").await;
    parent.write(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}})).await;
    script.until_left(1).await;
    parent.leave().await;
}

#[tokio::test]
async fn every_request_gets_an_answer_whatever_the_endpoint_does() {
    let script = serve(|asked| match asked.body["params"]["name"].as_str() {
        Some("cut") => vec![Step::Send(stream_head()), Step::Close],
        Some("html") => answer(502, &[("content-type", "text/html")], "<html>"),
        Some("error") => {
            as_json(404, &json!({"jsonrpc": "2.0", "id": asked.id(), "error": {"code": -32601, "message": "no"}}))
        }
        _ => vec![Step::Close],
    })
    .await;
    let mut parent = parent(&script);
    for (id, name) in ["cut", "html", "error", "silence"].into_iter().enumerate() {
        let answered = parent.ask(&request(id as i64, "tools/call", modern(json!({"name": name})))).await;
        assert_eq!(answered["id"], id);
        assert!(answered["error"]["code"].is_i64(), "{name}: {answered}");
    }
    parent.input.write_all(b"not json\n").await.unwrap();
    assert_eq!(parent.read().await["error"]["code"], -32700);
    parent.leave().await;
}

#[tokio::test]
async fn what_was_asked_before_the_client_closed_its_side_is_still_answered() {
    let script =
        serve(|asked| vec![Step::Drip(stream(&[json!({"jsonrpc": "2.0", "id": asked.id(), "result": {}})]))]).await;
    let mut parent = parent(&script);
    parent.write(&request(1, "tools/call", modern(json!({"name": "t"})))).await;
    parent.input.shutdown().await.unwrap();
    assert_eq!(parent.read().await["id"], 1);
    parent.running.await.unwrap().unwrap();
}
