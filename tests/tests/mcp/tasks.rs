//! Tasks that cross between the eras: those a server of 2025-11-25 makes of calls, for stateless clients that declare the tasks
//! extension and for clients that know no tasks; those of a stateless server, for clients with a session.

use gatehouse_tests::mcp::{Era, Mcp, McpServer, Offer, Turn};
use gatehouse_tests::{Gate, Raw};
use serde_json::{Value, json};

use super::{ONE, before, house, legacy_one, modern_one, other};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const RELATED: &str = "io.modelcontextprotocol/related-task";

/// A server of 2025-11-25 whose tool `echo` says this of tasks, and whose one task stands like this and comes to this.
fn server_with(support: &str, status: &'static str, end: Turn) -> McpServer {
    let server = McpServer::start(offer(support));
    stands(&server, status, end);
    server
}

fn offer(support: &str) -> Offer {
    let mut offer = Offer::new(Era::Legacy);
    offer.capabilities["tasks"] = json!({"cancel": {}, "requests": {"tools": {"call": {}}}});
    offer.tools[0]["execution"] = json!({"taskSupport": support});
    offer
}

/// From now on the task stands like this, and comes to this.
fn stands(server: &McpServer, status: &'static str, end: Turn) {
    server.script(move |seen| {
        let params = &seen.body["params"];
        match seen.method() {
            "tools/call" if params["task"].is_object() => Some(Turn::result(json!({"task": task("working")}))),
            method if method.starts_with("tasks/") && params["taskId"] != "t1" => Some(Turn::error(-32602, "no task")),
            "tasks/get" => Some(Turn::result(task(status))),
            "tasks/result" => Some(end.clone()),
            "tasks/cancel" if status == "completed" => Some(Turn::error(-32602, "it has ended")),
            "tasks/cancel" => Some(Turn::result(task("cancelled"))),
            _ => None,
        }
    });
}

/// A task as 2025-11-25 has it.
fn task(status: &str) -> Value {
    json!({"taskId": "t1", "status": status, "createdAt": "2026-11-23T08:00:00Z", "lastUpdatedAt": "2026-11-23T08:00:01Z",
        "ttl": 60_000, "pollInterval": 100})
}

/// What a call comes to, with the task it is of.
fn done() -> Turn {
    Turn::result(
        json!({"content": [{"type": "text", "text": "done"}], "_meta": {RELATED: {"taskId": "t1"}, "kept": 1}}),
    )
}

/// A stateless client of the server `s` that declares the extension.
fn client_of(gate: &Gate) -> Mcp {
    Mcp::modern_with(&gate.client(), ONE, json!({"extensions": {EXTENSION: {}}}))
}

/// The id of the task that a call becomes.
fn called(client: &mut Mcp) -> Value {
    client.call("echo", json!({"text": "x"})).result()["taskId"].clone()
}

/// How a task stands.
fn shown(client: &mut Mcp, id: &Value) -> Value {
    client.request("tasks/get", json!({"taskId": id})).result()
}

#[test]
fn a_call_becomes_a_task_in_the_words_of_the_extension() {
    for support in ["optional", "required"] {
        let server = server_with(support, "working", done());
        let gate = before(&server);
        let created = client_of(&gate).call("echo", json!({"text": "x"})).result();
        assert_eq!(server.wait_for("tools/call", 1).body["params"]["task"], json!({}), "{support}");
        assert_eq!((&created["resultType"], &created["status"]), (&json!("task"), &json!("working")));
        assert_eq!((&created["ttlMs"], &created["pollIntervalMs"]), (&json!(60_000), &json!(100)));
        assert_eq!(created["createdAt"], "2026-11-23T08:00:00Z");
        assert!(created["taskId"].as_str().is_some_and(|id| id.len() > 40), "an id of the gateway's own: {created}");
        for gone in ["task", "ttl", "pollInterval", "content"] {
            assert!(created[gone].is_null(), "{gone} in {created}");
        }
    }
}

#[test]
fn a_task_that_has_ended_has_its_result_in_it() {
    let server = server_with("optional", "completed", done());
    let gate = before(&server);
    let mut client = client_of(&gate);
    let id = called(&mut client);
    let ended = shown(&mut client, &id);
    assert_eq!(
        (&ended["status"], &ended["taskId"], &ended["resultType"]),
        (&json!("completed"), &id, &json!("complete"))
    );
    assert_eq!(ended["result"]["content"][0]["text"], "done");
    assert_eq!(ended["result"]["_meta"]["kept"], 1);
    assert!(ended["result"]["_meta"][RELATED].is_null(), "{ended}");
    assert_eq!(server.wait_for("tasks/result", 1).body["params"]["taskId"], "t1");
}

#[test]
fn an_error_of_the_tool_is_a_result_and_an_error_of_the_protocol_is_a_failure() {
    let failed = Turn::result(json!({"content": [{"type": "text", "text": "no"}], "isError": true}));
    for (end, status) in [(failed, "completed"), (Turn::error(-32603, "it broke"), "failed")] {
        let server = server_with("optional", "failed", end);
        let gate = before(&server);
        let mut client = client_of(&gate);
        let id = called(&mut client);
        let ended = shown(&mut client, &id);
        assert_eq!(ended["status"], status);
        assert_eq!(ended["result"]["isError"], if status == "completed" { json!(true) } else { Value::Null });
        assert_eq!(ended["error"]["message"], if status == "failed" { json!("it broke") } else { Value::Null });
    }
}

#[test]
fn a_task_that_goes_on_is_cancelled_and_one_that_has_ended_may_be() {
    for status in ["working", "completed"] {
        let server = server_with("optional", status, done());
        let gate = before(&server);
        let mut client = client_of(&gate);
        let id = called(&mut client);
        let ack = client.request("tasks/cancel", json!({"taskId": id})).result();
        assert_eq!(
            (&ack["resultType"], &ack["status"], &ack["taskId"]),
            (&json!("complete"), &Value::Null, &Value::Null)
        );
        assert_eq!(server.wait_for("tasks/cancel", 1).body["params"]["taskId"], "t1");
    }
}

#[test]
fn a_task_is_its_owners_and_its_servers_name_for_it_is_nobodys() {
    let server = server_with("optional", "working", done());
    let gate = before(&server);
    let mut client = client_of(&gate);
    let id = called(&mut client);
    let mut thief = client.clone().calling_as(&other(&gate));
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(thief.request(method, json!({"taskId": id, "inputResponses": {}})).code(), -32602, "{method}");
        assert_eq!(client.request(method, json!({"taskId": "t1", "inputResponses": {}})).code(), -32602, "{method}");
    }
    assert!(server.seen().iter().all(|seen| !seen.method().starts_with("tasks/")));
}

#[test]
fn a_header_that_names_another_task_is_refused() {
    let server = server_with("optional", "working", done());
    let gate = before(&server);
    let mut client = client_of(&gate);
    let id = called(&mut client);
    let (mut headers, body) = client.message(Some(9), "tasks/get", json!({"taskId": id}));
    let asked = |headers: &[(String, String)]| {
        let caller = headers.iter().fold(gate.client(), |caller, (name, value)| caller.header(name, value));
        caller.post(ONE, &body)
    };
    assert_eq!(asked(&headers).status, 200);
    headers.iter_mut().filter(|(name, _)| name == "mcp-name").for_each(|(_, value)| *value = "another".to_owned());
    let refused = asked(&headers);
    assert!(refused.status == 400 && refused.text().contains("-32020"), "{}", refused.text());
}

#[test]
fn the_methods_of_tasks_are_for_who_declares_the_extension() {
    let server = server_with("optional", "working", done());
    let gate = before(&server);
    let mut client = client_of(&gate);
    let id = called(&mut client);
    let mut silent = modern_one(&gate);
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(silent.request(method, json!({"taskId": id, "inputResponses": {}})).code(), -32021, "{method}");
    }
    let listening = silent.request("subscriptions/listen", json!({"notifications": {"taskIds": [id]}}));
    assert_eq!((listening.status, listening.code()), (400, -32021), "{}", listening.text);
    assert_eq!(client.request("tasks/result", json!({"taskId": id})).code(), -32601);
}

#[test]
fn the_extension_is_offered_where_a_server_makes_tasks_and_nowhere_else() {
    let (with, without, old) = (server_with("optional", "working", done()), McpServer::legacy(), McpServer::sse());
    let gate = house(&[("with", &with), ("without", &without), ("old", &old)]).start();
    let offered = |path: &str| {
        let hello = Mcp::modern(&gate.client(), path).hello().result();
        assert!(hello["capabilities"]["tasks"].is_null(), "{hello}");
        !hello["capabilities"]["extensions"][EXTENSION].is_null()
    };
    assert!(offered("/mcp") && offered("/mcp/servers/with"));
    assert!(!offered("/mcp/servers/without") && !offered("/mcp/servers/old"));
}

#[test]
fn a_tool_that_cannot_be_a_task_is_called_plainly_whatever_its_client_says() {
    let server = server_with("forbidden", "working", done());
    let gate = before(&server);
    let params = json!({"name": "echo", "arguments": {"text": "plain"}, "task": {"ttl": 5}});
    assert_eq!(client_of(&gate).request("tools/call", params).said(), "plain");
    assert!(server.wait_for("tools/call", 1).body["params"]["task"].is_null());
}

#[test]
fn a_tool_that_can_be_a_task_is_called_plainly_for_who_knows_no_tasks() {
    let server = server_with("optional", "working", done());
    let gate = before(&server);
    assert_eq!(modern_one(&gate).call("echo", json!({"text": "plain"})).said(), "plain");
    assert!(server.wait_for("tools/call", 1).body["params"]["task"].is_null());
}

fn question() -> Value {
    json!({"mode": "form", "message": "Sure?", "_meta": {RELATED: {"taskId": "t1"}},
        "requestedSchema": {"type": "object", "properties": {"sure": {"type": "boolean"}}}})
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"sure": true}})
}

/// A gateway whose server may ask, and a client of it that can be asked.
fn asking_house(server: &McpServer, extensions: &Value) -> (Gate, Mcp) {
    let gate = house(&[("s", server)]).set("/mcp_servers/s/park", json!(true)).start();
    let can = json!({"elicitation": {"form": {}}, "extensions": extensions});
    let client = Mcp::modern_with(&gate.client(), ONE, can);
    (gate, client)
}

#[test]
fn what_a_task_asks_is_shown_in_it_and_answered_by_an_update() {
    let asks = done().after_asking("elicitation/create", question());
    let server = server_with("required", "input_required", asks);
    let (_gate, mut client) = asking_house(&server, &json!({EXTENSION: {}}));
    let id = called(&mut client);
    let first = shown(&mut client, &id);
    let (key, asked) = first["inputRequests"].as_object().and_then(|all| all.iter().next()).expect("a question");
    assert_eq!((&first["status"], &asked["method"]), (&json!("input_required"), &json!("elicitation/create")));
    assert_eq!((&asked["params"]["message"], &asked["params"]["_meta"][RELATED]), (&json!("Sure?"), &Value::Null));
    assert_eq!(shown(&mut client, &id)["inputRequests"], first["inputRequests"], "the same key each time");
    let update = |answers: Value| json!({"taskId": id, "inputResponses": answers});
    let unknown = client.request("tasks/update", update(json!({"nobody-asked": yes()}))).result();
    assert_eq!((&unknown["resultType"], &unknown["status"]), (&json!("complete"), &Value::Null));
    drop(client.request("tasks/update", update(json!({key.clone(): yes()}))).result());
    assert_eq!(server.wait_for_answer()["result"], yes());
    stands(&server, "completed", done());
    assert_eq!(shown(&mut client, &id)["result"]["content"][0]["text"], "done");
    assert_eq!(server.seen_of("initialize").len(), 2, "one session for the lists, one for the client");
}

#[test]
fn what_a_task_asks_on_the_stream_of_its_session_is_shown_in_it_too() {
    let server = server_with("required", "input_required", Turn::silence());
    let (_gate, mut client) = asking_house(&server, &json!({EXTENSION: {}}));
    let id = called(&mut client);
    server.wait_for_listeners(2);
    server.ask_in_the_session_of("tools/call", "elicitation/create", &question());
    let asked = shown(&mut client, &id)["inputRequests"].clone();
    let (key, _) = asked.as_object().and_then(|all| all.iter().next()).expect("a question");
    drop(client.request("tasks/update", json!({"taskId": id, "inputResponses": {key.clone(): yes()}})).result());
    assert_eq!(server.wait_for_answer()["result"], yes());
}

#[test]
fn what_a_task_asks_on_the_stream_of_another_call_is_shown_in_it_too() {
    let server = McpServer::start(offer("optional"));
    server.script(|seen| match (seen.method(), seen.body["params"]["task"].is_object()) {
        ("tools/call", true) => Some(Turn::result(json!({"task": task("working")}))),
        ("tools/call", false) => Some(Turn::text("plain").after_asking("elicitation/create", question())),
        ("tasks/get", _) => Some(Turn::result(task("input_required"))),
        ("tasks/result", _) => Some(Turn::silence()),
        _ => None,
    });
    let (gate, mut client) = asking_house(&server, &json!({EXTENSION: {}}));
    let id = called(&mut client);
    let call = begun(&gate, &Mcp::modern_with(&gate.client(), ONE, json!({"elicitation": {"form": {}}})));
    drop(server.wait_for("tools/call", 2));
    let asked = shown(&mut client, &id)["inputRequests"].clone();
    let (key, _) = asked.as_object().and_then(|all| all.iter().next()).expect("a question");
    drop(client.request("tasks/update", json!({"taskId": id, "inputResponses": {key.clone(): yes()}})).result());
    assert!(call.response().text().contains("plain"));
}

#[test]
fn guardrails_of_a_tool_look_at_what_its_task_has_come_to() {
    let server = server_with("optional", "completed", Turn::text("canary 7f3a9c sings"));
    for (action, said) in [("redact", "[REDACTED:regex]"), ("block", "")] {
        let guardrails = json!([{"name": "canaries", "on": ["tool_result"], "detect": "regex", "action": action,
            "tools": ["s.echo"], "patterns": [{"name": "canary", "regex": "canary [0-9a-f]{6} sings"}]}]);
        let gate = house(&[("s", &server)]).set("/guardrails", guardrails).start();
        let mut client = client_of(&gate);
        let id = called(&mut client);
        let ended = shown(&mut client, &id);
        assert_eq!(ended["result"]["content"][0]["text"].as_str().unwrap_or_default(), said, "{ended}");
        assert_eq!(ended["status"], if action == "block" { "failed" } else { "completed" });
    }
}

#[test]
fn a_tool_that_must_be_a_task_is_waited_for_where_the_client_knows_none() {
    let server = server_with("required", "working", done());
    let gate = before(&server);
    let answer = modern_one(&gate).call("echo", json!({}));
    assert_eq!((answer.said(), &answer.result()["resultType"]), ("done".to_owned(), &json!("complete")));
    assert_eq!(server.wait_for("tools/call", 1).body["params"]["task"], json!({"ttl": 900_000}));
    assert_eq!(server.wait_for("tasks/result", 1).body["params"]["taskId"], "t1");
    assert!(server.seen_of("tasks/cancel").is_empty());
}

/// A call of `echo` under way, of which nobody reads the answer.
fn begun(gate: &Gate, client: &Mcp) -> Raw {
    let (headers, body) = client.message(Some(77), "tools/call", json!({"name": "echo", "arguments": {}}));
    let caller = headers.iter().fold(gate.client(), |caller, (name, value)| caller.header(name, value));
    caller.send("POST", ONE, body.to_string().as_bytes())
}

#[test]
fn who_stops_waiting_for_a_task_cancels_it() {
    let server = server_with("required", "working", Turn::silence());
    let gate = before(&server);
    let call = begun(&gate, &modern_one(&gate));
    drop(server.wait_for("tasks/result", 1));
    call.leave();
    assert_eq!(server.wait_for("tasks/cancel", 1).body["params"]["taskId"], "t1");
}

#[test]
fn a_task_is_waited_for_no_longer_than_its_tool_may_take() {
    let server = server_with("required", "working", Turn::silence());
    let gate = house(&[("s", &server)]).set("/mcp_servers/s/tool_timeouts", json!({"echo": 1})).start();
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.complaint().contains("within 1 s"), "{}", answer.text);
    drop(server.wait_for("tasks/cancel", 1));
}

#[test]
fn a_task_that_is_waited_for_may_ask_and_the_call_is_parked() {
    let asks = done().after_asking("elicitation/create", question());
    let server = server_with("required", "working", asks);
    let (_gate, mut client) = asking_house(&server, &json!({}));
    let first = client.call("echo", json!({})).result();
    assert_eq!(first["resultType"], "input_required");
    let key = first["inputRequests"].as_object().and_then(|all| all.keys().next()).expect("a question").clone();
    let again =
        json!({"name": "echo", "arguments": {}, "inputResponses": {key: yes()}, "requestState": first["requestState"]});
    assert_eq!(client.request("tools/call", again).said(), "done");
    assert_eq!((server.seen_of("tools/call").len(), server.seen_of("tasks/cancel").len()), (1, 0));
}

#[test]
fn what_is_asked_before_there_is_a_task_is_answered_before_there_is_one() {
    let server = server_with("required", "completed", done());
    let created = Turn::result(json!({"task": task("working")}));
    server.script(move |seen| match seen.method() {
        "tools/call" => Some(created.clone().after_asking("elicitation/create", question())),
        "tasks/get" => Some(Turn::result(task("working"))),
        _ => None,
    });
    let (_gate, mut client) = asking_house(&server, &json!({EXTENSION: {}}));
    let first = client.call("echo", json!({})).result();
    assert_eq!((&first["resultType"], &first["taskId"]), (&json!("input_required"), &Value::Null));
    let key = first["inputRequests"].as_object().and_then(|all| all.keys().next()).expect("a question").clone();
    let again =
        json!({"name": "echo", "arguments": {}, "inputResponses": {key: yes()}, "requestState": first["requestState"]});
    let second = client.request("tools/call", again).result();
    assert_eq!((&second["resultType"], &second["requestState"]), (&json!("task"), &Value::Null));
    assert_eq!(shown(&mut client, &second["taskId"])["status"], "working");
}

/// A stateless server that does what is asked in a task alone, which stands like this one time after the other.
fn stateless(stages: Vec<Value>) -> McpServer {
    let server = McpServer::modern();
    server.change(|offer| offer.capabilities["extensions"] = json!({EXTENSION: {}}));
    let stage = std::sync::atomic::AtomicUsize::new(0);
    server.script(move |seen| {
        let declared = !seen.capabilities()["extensions"][EXTENSION].is_null();
        let mut task = json!({"taskId": "t1", "status": "working", "ttlMs": null, "pollIntervalMs": 50,
            "createdAt": "2026-11-23T08:00:00Z", "lastUpdatedAt": "2026-11-23T08:00:00Z"});
        match seen.method() {
            "tools/call" if declared => {
                task["resultType"] = json!("task");
                Some(Turn::result(task))
            }
            "tools/call" => {
                let needed = json!({"requiredCapabilities": {"extensions": {EXTENSION: {}}}});
                Some(Turn::error_with(-32021, "A task is needed", needed))
            }
            "tasks/get" => {
                let at = stage.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(stages.len() - 1);
                for (name, value) in stages[at].as_object().expect("a stage") {
                    task[name] = value.clone();
                }
                Some(Turn::result(task))
            }
            "tasks/update" | "tasks/cancel" => Some(Turn::result(json!({}))),
            _ => None,
        }
    });
    server
}

fn ended() -> Value {
    json!({"status": "completed", "result": {"content": [{"type": "text", "text": "done"}]}})
}

#[test]
fn a_client_with_a_session_gets_the_result_of_what_a_stateless_server_does_as_a_task() {
    let server = stateless(vec![json!({}), ended()]);
    let gate = before(&server);
    assert_eq!(legacy_one(&gate).call("echo", json!({})).said(), "done");
    assert_eq!(server.wait_for("tasks/get", 2).header("mcp-name"), Some("t1"));
    assert!(server.seen_of("tasks/cancel").is_empty());
}

#[test]
fn a_client_with_a_session_is_told_how_such_a_task_failed() {
    let server = stateless(vec![json!({"status": "failed", "error": {"code": -32603, "message": "it broke"}})]);
    let gate = before(&server);
    assert_eq!(legacy_one(&gate).call("echo", json!({})).complaint(), "it broke");
}

#[test]
fn a_client_with_a_session_is_asked_what_such_a_task_wants_to_know() {
    let asks = json!({"status": "input_required", "inputRequests": {"sure": {"method": "elicitation/create",
        "params": {"mode": "form", "message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}}}});
    let server = stateless(vec![asks.clone(), asks, ended()]);
    let gate = before(&server);
    let mut client = Mcp::legacy_with(&gate.client(), ONE, json!({"elicitation": {"form": {}}}));
    let mut call = client.open("tools/call", json!({"name": "echo", "arguments": {}}));
    let asked = call.wait_for("elicitation/create");
    assert_eq!(client.answer(&asked, &yes()).status, 202);
    assert_eq!(call.response()["result"]["content"][0]["text"], "done");
    let updates = server.seen_of("tasks/update");
    assert_eq!((updates.len(), &updates[0].body["params"]["inputResponses"]["sure"]), (1, &yes()));
}

#[test]
fn a_session_that_cancels_such_a_call_cancels_the_task() {
    let server = stateless(vec![json!({})]);
    let gate = before(&server);
    let client = legacy_one(&gate);
    let call = begun(&gate, &client);
    drop(server.wait_for("tasks/get", 1));
    assert_eq!(client.notify("notifications/cancelled", json!({"requestId": 77})).status, 202);
    drop(server.wait_for("tasks/cancel", 1));
    drop(call);
}
