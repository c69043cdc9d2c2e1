//! What is on record of a call of a tool: one row of the ledger beside those of models, a line of the log, metrics.

use gatehouse_tests::Dialect;
use gatehouse_tests::mcp::{McpServer, Turn};
use serde_json::json;

use super::{house, tools};

#[test]
fn a_call_of_a_tool_leaves_one_row_with_its_price() {
    let gate = house().set("/mcp_servers/demo/prices", json!({"add": 0.002})).start();
    assert_eq!(tools(&gate.client()).call("add", json!({"a": 2, "b": 3})).result()["structuredContent"]["sum"], 5);
    let rows = gate.ledger_of(1);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert_eq!((&*row.key, &*row.model, &*row.provider, &*row.status), ("test", "demo.add", "demo", "ok"), "{row:?}");
    assert!((row.cost_usd - 0.002).abs() < 1e-12 && row.input_tokens == 0, "{row:?}");
}

#[test]
fn lists_and_refused_calls_leave_no_row() {
    let gate = house()
        .set("/limits", json!([{"on": {"tool": "demo.add"}, "limits": [{"requests": 1, "per": "life"}]}]))
        .start();
    assert_eq!(tools(&gate.client()).names("tools").len(), 3);
    for _ in 0..3 {
        drop(tools(&gate.client()).call("add", json!({"a": 2, "b": 3})));
    }
    assert!(tools(&gate.client()).call("nothing", json!({})).is_refused());
    assert_eq!(gate.ledger_of(1).len(), 1);
}

#[test]
fn usage_is_broken_down_by_server_and_tool_beside_models() {
    let gate = house().set("/providers/demo", json!({"kind": "demo"})).model("fast", &["demo/demo"]).start();
    drop(tools(&gate.client()).call("add", json!({"a": 2, "b": 3})));
    drop(tools(&gate.client()).call("add", json!({"a": 2, "b": 4})));
    drop(tools(&gate.client()).request("resources/read", json!({"uri": "demo://greeting"})));
    assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    assert_eq!(gate.ledger_of(4).len(), 4);
    let mut rows: Vec<_> = gate
        .rows(&["usage", "report", "--by", "mcp_server,tool,operation"])
        .into_iter()
        .map(|row| (row["mcp_server"].clone(), row["tool"].clone(), row["operation"].clone(), row["attempts"].clone()))
        .collect();
    rows.sort_by_key(|row| format!("{row:?}"));
    let expected = [
        (json!(null), json!(null), json!("chat"), json!(1)),
        (json!("demo"), json!("demo.add"), json!("tools/call"), json!(2)),
        (json!("demo"), json!(null), json!("resources/read"), json!(1)),
    ];
    for row in expected {
        assert!(rows.contains(&row), "{row:?} in {rows:?}");
    }
}

#[test]
fn a_run_joins_calls_of_models_and_tools() {
    let gate = house().set("/providers/demo", json!({"kind": "demo"})).model("fast", &["demo/demo"]).start();
    let client = gate.client().header("x-gatehouse-run", "nightly-7");
    drop(tools(&client).call("add", json!({"a": 2, "b": 3})));
    assert_eq!(client.ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    assert_eq!(gate.ledger_of(2).len(), 2);
    let rows = gate.rows(&["usage", "report", "--by", "dialect", "--run", "nightly-7"]);
    let mut dialects: Vec<&str> = rows.iter().filter_map(|row| row["dialect"].as_str()).collect();
    dialects.sort_unstable();
    assert_eq!(dialects, ["mcp", "openai_chat"]);
}

#[test]
fn the_log_names_server_and_tool_and_none_of_the_arguments() {
    let gate = house().start();
    drop(tools(&gate.client()).call("echo", json!({"text": "a secret of mine"})));
    let line = gate.wait_for_log("the call", |line| line["dialect"] == "mcp" && line["op"] == "tools/call");
    assert_eq!((&line["model_requested"], &line["provider"]), (&json!("demo.echo"), &json!("demo")), "{line}");
    assert!(!gate.logs().contains("a secret of mine"));
}

#[test]
fn a_server_that_fails_is_on_record_as_failed() {
    let server = McpServer::modern();
    let gate = house().set("/mcp_servers/s", json!({"url": server.url(), "pins": "allow_new"})).start();
    let mut client = gatehouse_tests::mcp::Mcp::modern(&gate.client(), "/mcp/servers/s");
    assert_eq!(client.names("tools"), ["echo"]);
    server.on("tools/call", Turn::status(500, "no"));
    assert!(client.call("echo", json!({"text": "x"})).is_refused());
    let rows = gate.ledger_of(1);
    assert_eq!((&*rows[0].provider, &*rows[0].status), ("s", "failed"), "{rows:?}");
}

#[test]
fn metrics_know_servers_and_tools_by_name() {
    let gate = house().start();
    drop(tools(&gate.client()).call("echo", json!({"text": "x"})));
    drop(gate.wait_for_log("the call", |line| line["op"] == "tools/call"));
    let metrics = gate.admin().get("/metrics").text();
    assert!(metrics.contains(r#"gatehouse_attempts_total{provider="demo",model="echo",status="ok"} 1"#), "{metrics}");
}
