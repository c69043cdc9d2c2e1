//! Tools of this gateway in calls of models: the gateway calls them, for the caller, until the model has its answer.

use gatehouse_tests::{Answer, Client, Dialect, House, Reply, Response, Upstream};
use serde_json::{Value, json};

use super::house;

/// A provider whose model adds two numbers, then has the sum said, then answers with what it was told.
fn adder(dialect: Dialect) -> Upstream {
    Upstream::start_with(0, move |received| {
        // A provider that speaks two dialects is asked in the one that fits the caller's better.
        let results = received.dialect.unwrap_or(dialect).see(&received.json()).results;
        match results.len() {
            0 => Reply::answer(Answer::silent().call("call_1", "add", json!({"a": 2, "b": 3}))),
            1 => Reply::answer(Answer::silent().call("call_2", "echo", json!({"text": "said"}))),
            _ => Reply::text(&results.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ")),
        }
    })
}

fn before(upstream: &Upstream, dialect: Dialect) -> House {
    house().provider("only", dialect, upstream).model("fast", &["only/upstream-model"])
}

fn tool() -> Value {
    json!({"type": "mcp", "server_label": "desk", "server_url": "/mcp/servers/demo", "require_approval": "never"})
}

fn respond(client: &Client, tool: Value) -> Response {
    client.post("/v1/responses", &json!({"model": "fast", "input": "Add.", "tools": [tool]}))
}

fn message(stream: bool) -> Value {
    json!({"model": "fast", "max_tokens": 100, "stream": stream, "messages": [{"role": "user", "content": "Add."}],
        "mcp_servers": [{"type": "url", "url": "/mcp/servers/demo", "name": "desk"}]})
}

fn kinds(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap_or_else(|| panic!("a list, not {list}"))
        .iter()
        .filter_map(|item| item["type"].as_str())
        .collect()
}

/// A model that wants to add for ever.
fn tireless() -> Upstream {
    let upstream = Upstream::start();
    upstream.reply(Reply::answer(Answer::silent().call("call_1", "add", json!({"a": 2, "b": 3}))));
    upstream
}

each_dialect!(a_response_has_what_was_called_and_what_it_gave, |dialect: Dialect| {
    let upstream = adder(dialect);
    let gate = before(&upstream, dialect).start();
    let answer = respond(&gate.client(), tool());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let whole = answer.json();
    assert_eq!(kinds(&whole["output"]), ["mcp_list_tools", "mcp_call", "mcp_call", "message"], "{whole}");
    assert_eq!((&whole["output"][1]["name"], &whole["output"][1]["output"]), (&json!("add"), &json!(r#"{"sum":5}"#)));
    let said = answer.said(Dialect::OpenAiResponses);
    assert!(said.contains(r#""sum":5"#) && said.contains("said"), "{whole}");
    assert_eq!((upstream.served(), &whole["usage"]["input_tokens"]), (3, &json!(33)));
    assert_eq!(gate.ledger_of(5).len(), 5, "three rows of the model, two of tools");
});

each_dialect!(a_message_has_what_was_used_and_what_it_gave, |dialect: Dialect| {
    let upstream = adder(dialect);
    let gate = before(&upstream, dialect).start();
    let answer = gate.client().post("/v1/messages", &message(false));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let whole = answer.json();
    let expected = ["mcp_tool_use", "mcp_tool_result", "mcp_tool_use", "mcp_tool_result", "text"];
    assert_eq!(kinds(&whole["content"]), expected, "{whole}");
    assert_eq!((&whole["stop_reason"], &whole["usage"]["input_tokens"]), (&json!("end_turn"), &json!(33)));
});

#[test]
fn who_wants_a_stream_gets_one() {
    let upstream = adder(Dialect::Anthropic);
    let gate = before(&upstream, Dialect::Anthropic).start();
    let message = gate.client().post("/v1/messages", &message(true));
    assert_eq!(message.header("content-type"), Some("text/event-stream"));
    for event in ["message_start", "mcp_tool_use", "mcp_tool_result", "text_delta", "message_stop"] {
        assert!(message.text().contains(event), "{event} in {}", message.text());
    }
    let body = json!({"model": "fast", "input": "Add.", "stream": true, "tools": [tool()]});
    let response = gate.client().post("/v1/responses", &body);
    for event in ["response.created", "response.mcp_call.completed", "response.output_text.delta", "response.completed"]
    {
        assert!(response.text().contains(event), "{event} in {}", response.text());
    }
}

#[test]
fn all_of_it_is_one_run() {
    let upstream = adder(Dialect::OpenAiChat);
    let gate = before(&upstream, Dialect::OpenAiChat).start();
    let answer = respond(&gate.client().header("x-gatehouse-run", "job-7"), tool());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(gate.ledger_of(5).len(), 5);
    let rows = gate.admin().get("/api/v1/attempts?limit=10").json();
    let runs: Vec<&Value> = rows["rows"].as_array().unwrap().iter().map(|row| &row["run"]).collect();
    assert!(runs.iter().all(|run| **run == "job-7"), "{runs:?}");
}

#[test]
fn a_tool_that_a_policy_forbids_is_not_offered_and_not_called() {
    let forbid = r#"forbid (principal, action, resource == Tool::"demo.add");"#;
    let upstream = tireless();
    let gate = before(&upstream, Dialect::OpenAiChat)
        .set("/policies", json!(["permit (principal, action, resource is Tool);", forbid]))
        .start();
    let whole = respond(&gate.client(), tool()).json();
    let offered: Vec<&Value> =
        whole["output"][0]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(offered, ["clock", "echo"], "{whole}");
    assert_eq!(kinds(&whole["output"]), ["mcp_list_tools", "function_call"], "what nobody offered is the caller's");
}

#[test]
fn a_spent_limit_of_a_tool_is_told_to_the_model() {
    let upstream = adder(Dialect::OpenAiChat);
    let limits = json!([{"on": {"tool": "demo.echo"}, "limits": [{"requests": 1, "per": "life"}]}]);
    let gate = before(&upstream, Dialect::OpenAiChat).set("/limits", limits).start();
    assert_eq!(respond(&gate.client(), tool()).status, 200);
    let whole = respond(&gate.client(), tool()).json();
    assert_eq!(whole["output"][2]["status"], "failed", "{whole}");
    assert!(whole["output"][2]["error"].as_str().unwrap().contains("demo.echo"), "{whole}");
}

#[test]
fn a_spent_limit_of_the_caller_ends_the_rounds() {
    let upstream = adder(Dialect::OpenAiChat);
    let limit = json!([{"requests": 2, "per": "life"}]);
    let gate = before(&upstream, Dialect::OpenAiChat).set("/keys/0/limits", limit).start();
    assert_eq!(respond(&gate.client(), tool()).status, 429);
    assert_eq!(upstream.served(), 1, "the model once, the tool once, and no more");
}

#[test]
fn a_model_that_never_stops_is_stopped_after_ten_rounds() {
    let upstream = tireless();
    let gate = before(&upstream, Dialect::OpenAiChat).start();
    let whole = respond(&gate.client(), tool()).json();
    assert_eq!((&whole["status"], upstream.served()), (&json!("incomplete"), 10), "{whole}");
    let message = gate.client().post("/v1/messages", &message(false)).json();
    assert_eq!(message["stop_reason"], "pause_turn", "{message}");
}

#[test]
fn what_the_gateway_cannot_do_is_refused_with_a_way_out() {
    let upstream = tireless();
    let gate = before(&upstream, Dialect::OpenAiChat).start();
    let mut of = tool();
    of["require_approval"] = json!("always");
    let refused = respond(&gate.client(), of).refused(Dialect::OpenAiResponses, 400);
    assert!(refused.contains("require_approval"), "{refused}");
    let mut of = tool();
    of["server_url"] = json!("/mcp/servers/nothing");
    let refused = respond(&gate.client(), of).refused(Dialect::OpenAiResponses, 400);
    assert!(refused.contains("desk"), "{refused}");
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_tool_elsewhere_is_passed_on_as_it_is() {
    let upstream = Upstream::start();
    let gate = before(&upstream, Dialect::OpenAiResponses).start();
    let mut of = tool();
    of["server_url"] = json!("https://elsewhere.example.com/mcp");
    assert_eq!(respond(&gate.client(), of.clone()).status, 200);
    assert_eq!(upstream.wait_for_request(1).json()["tools"], json!([of]));
}

#[test]
fn what_is_called_inside_is_not_counted_twice() {
    let upstream = adder(Dialect::OpenAiChat);
    let gate = before(&upstream, Dialect::OpenAiChat).set("/server/in_flight_max", json!(1)).start();
    assert_eq!(respond(&gate.client(), tool()).status, 200);
}

/// A model that asks for a tool at once, and says nothing more until the test lets it.
fn thoughtful(dialect: Dialect, end: Reply) -> Upstream {
    Upstream::start_with(0, move |received| {
        match received.dialect.unwrap_or(dialect).see(&received.json()).results.len() {
            0 => Reply::answer(Answer::silent().call("call_1", "add", json!({"a": 2, "b": 3}))),
            _ => end.clone(),
        }
    })
}

#[test]
fn a_stream_that_is_long_in_coming_begins_and_says_that_it_is_there() {
    let upstream = thoughtful(Dialect::Anthropic, Reply::text("Five.").held());
    let gate = before(&upstream, Dialect::Anthropic).start();
    let raw = gate.client().send("POST", "/v1/messages", message(true).to_string().as_bytes());
    let stream = raw.head(Dialect::Anthropic);
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    upstream.step();
    let rest = String::from_utf8(stream.bytes()).unwrap();
    assert!(rest.starts_with(": keep-alive\n\n"), "{rest}");
    assert!(rest.contains("mcp_tool_result") && rest.contains("Five.") && rest.contains("message_stop"), "{rest}");
}

#[test]
fn a_stream_that_began_says_in_it_what_went_wrong() {
    for (path, body, dialect) in [
        ("/v1/messages", message(true), Dialect::Anthropic),
        (
            "/v1/responses",
            json!({"model": "fast", "input": "Add.", "stream": true, "tools": [tool()]}),
            Dialect::OpenAiResponses,
        ),
    ] {
        let upstream = thoughtful(dialect, Reply::error(400, "no such thing").held());
        let gate = before(&upstream, dialect).start();
        let stream = gate.client().send("POST", path, body.to_string().as_bytes()).head(dialect);
        assert_eq!(stream.status, 200);
        upstream.step();
        let rest = String::from_utf8(stream.bytes()).unwrap();
        let end = rest.split("\n\n").filter(|event| !event.is_empty()).last().unwrap();
        assert!(end.starts_with("event: error\n") && end.contains("\"message\""), "{rest}");
    }
}
