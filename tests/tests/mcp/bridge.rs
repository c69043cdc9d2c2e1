//! The four cells: a client of either era before a server of either era, and everything the protocol has goes through.

use gatehouse_tests::mcp::{Mcp, McpServer, Seen, Turn};
use serde_json::{Value, json};

use super::{ONE, before, house, legacy_one, modern_one};

/// One test per server of one era, for a client of each.
fn each_cell(test: impl Fn(&McpServer, &mut Mcp)) {
    for server in [McpServer::modern(), McpServer::legacy(), McpServer::sse()] {
        let gate = before(&server);
        test(&server, &mut modern_one(&gate));
        test(&server, &mut legacy_one(&gate));
    }
}

#[test]
fn a_tool_is_listed_and_called_on_every_crossing() {
    each_cell(|_, client| {
        assert_eq!(client.names("tools"), ["echo"]);
        assert_eq!(client.call("echo", json!({"text": "hello"})).said(), "hello");
    });
}

#[test]
fn prompts_resources_templates_and_completion_come_through_on_every_crossing() {
    each_cell(|_, client| {
        assert_eq!(client.names("prompts"), ["greet"]);
        assert_eq!(client.names("resources"), ["test://note"]);
        let prompt = client.request("prompts/get", json!({"name": "greet"})).result();
        assert_eq!(prompt["messages"][0]["content"]["text"], "Hello!");
        let read = client.request("resources/read", json!({"uri": "test://notes/1"})).result();
        assert_eq!(read["contents"][0], json!({"uri": "test://notes/1", "mimeType": "text/plain", "text": "A note."}));
        let templates = client.request("resources/templates/list", json!({})).result();
        assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "test://notes/{id}");
        let asked = json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "a", "value": "o"}});
        assert_eq!(
            client.request("completion/complete", asked).result()["completion"]["values"],
            json!(["one", "two"])
        );
    });
}

#[test]
fn progress_comes_back_under_the_token_of_the_caller() {
    each_cell(|server, client| {
        server.on_call("echo", Turn::text("done").after_progress(2.0).after_progress(1.0));
        let params = json!({"name": "echo", "arguments": {}, "_meta": {"progressToken": "mine"}});
        let answer = client.request("tools/call", params);
        let progress = answer.notifications("notifications/progress");
        let told: Vec<&Value> = progress.iter().map(|message| &message["params"]["progress"]).collect();
        assert_eq!(told, [&json!(1.0), &json!(2.0)], "{}", answer.text);
        assert!(progress.iter().all(|message| message["params"]["progressToken"] == "mine"));
        assert_eq!(answer.said(), "done");
    });
}

#[test]
fn members_nobody_knows_survive_in_both_directions() {
    each_cell(|server, client| {
        let odd = json!({"content": [{"type": "text", "text": "x", "annotations": {"odd": [1, null]}}],
            "structuredContent": {"n": 1.5e300, "big": 12_345_678_901_234_567_890_u64}, "future": {"a": [true]},
            "_meta": {"com.example/kept": "yes"}});
        server.on_call("echo", Turn::result(odd.clone()));
        let params = json!({"name": "echo", "arguments": {"odd": {"deep": [1, 2]}}, "_meta": {"com.example/sent": 1}});
        let result = client.request("tools/call", params).result();
        for member in ["content", "structuredContent", "future"] {
            assert_eq!(result[member], odd[member], "{result}");
        }
        assert_eq!(result["_meta"]["com.example/kept"], "yes");
        let seen = server.seen_of("tools/call").pop().unwrap();
        assert_eq!(seen.body["params"]["arguments"], json!({"odd": {"deep": [1, 2]}}));
        assert_eq!(seen.body["params"]["_meta"]["com.example/sent"], 1);
    });
}

/// The question of a tool that wants a name.
fn question() -> Value {
    json!({"mode": "form", "message": "Who are you?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}})
}

fn can_elicit() -> Value {
    json!({"elicitation": {"form": {}}})
}

/// The answer of a user called Ada.
fn ada() -> Value {
    json!({"action": "accept", "content": {"name": "Ada"}})
}

/// A stateless server whose tool asks for a name before it answers.
fn asks_in_its_result() -> McpServer {
    let server = McpServer::modern();
    server.script(|seen| {
        let params = &seen.body["params"];
        let pending = json!({"resultType": "input_required", "requestState": "up-state",
            "inputRequests": {"who": {"method": "elicitation/create", "params": question()}}});
        match (seen.method(), params["inputResponses"]["who"]["content"]["name"].as_str()) {
            ("tools/call", None) => Some(Turn::result(pending)),
            ("tools/call", Some(name)) => Some(Turn::text(&format!("Hello, {name}! {}", params["requestState"]))),
            _ => None,
        }
    });
    server
}

#[test]
fn a_session_is_asked_what_a_stateless_server_wants_to_know() {
    let server = asks_in_its_result();
    let gate = before(&server);
    let mut client = Mcp::legacy_with(&gate.client(), ONE, can_elicit());
    let mut call = client.open("tools/call", json!({"name": "echo", "arguments": {}}));
    let asked = call.wait_for("elicitation/create");
    assert_eq!(asked["params"]["message"], "Who are you?");
    assert_eq!(client.answer(&asked, &ada()).status, 202);
    assert_eq!(call.response()["result"]["content"][0]["text"], "Hello, Ada! \"up-state\"");
}

#[test]
fn a_stateless_client_is_told_what_a_stateless_server_wants_to_know() {
    let server = asks_in_its_result();
    let gate = before(&server);
    let mut client = Mcp::modern_with(&gate.client(), ONE, can_elicit());
    let first = client.call("echo", json!({})).result();
    assert_eq!(
        (first["resultType"].as_str(), &first["inputRequests"]["who"]["params"]),
        (Some("input_required"), &question())
    );
    let again = json!({"name": "echo", "arguments": {}, "inputResponses": {"who": ada()}, "requestState": first["requestState"]});
    assert_eq!(client.request("tools/call", again).said(), "Hello, Ada! \"up-state\"");
}

#[test]
fn a_session_is_asked_what_a_server_with_sessions_wants_to_know() {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("thanks").after_asking("elicitation/create", question()));
    let gate = before(&server);
    let mut client = Mcp::legacy_with(&gate.client(), ONE, can_elicit());
    let mut call = client.open("tools/call", json!({"name": "echo", "arguments": {}}));
    let asked = call.wait_for("elicitation/create");
    assert_eq!(client.answer(&asked, &ada()).status, 202);
    assert_eq!(call.response()["result"]["content"][0]["text"], "thanks");
    assert!(server.seen().iter().any(|seen| seen.body["result"] == ada()));
}

/// A server with sessions that does not say which call its question belongs to.
fn asks_beside() -> McpServer {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("thanks").after_asking_beside("elicitation/create", question()).streamed());
    server
}

#[test]
fn a_question_beside_a_call_is_asked_on_the_stream_of_the_call() {
    let server = asks_beside();
    let gate = before(&server);
    let mut client = Mcp::legacy_with(&gate.client(), ONE, can_elicit());
    let mut call = client.open("tools/call", json!({"name": "echo", "arguments": {}}));
    let asked = call.wait_for("elicitation/create");
    assert_eq!(asked["params"]["message"], "Who are you?");
    assert_eq!(client.answer(&asked, &ada()).status, 202);
    assert_eq!(call.response()["result"]["content"][0]["text"], "thanks");
    assert_eq!(answer_to_question(&server).body["result"], ada());
}

#[test]
fn a_question_outside_any_call_is_asked_on_the_stream_of_the_session() {
    let server = McpServer::legacy();
    let gate = before(&server);
    let mut client = Mcp::legacy_with(&gate.client(), ONE, can_elicit());
    let mut overheard = client.overhear();
    let _named = client.call("echo", json!({}));
    server.ask_in_the_session_of("tools/call", "elicitation/create", &question());
    let asked = overheard.wait_for("elicitation/create");
    assert_eq!(client.answer(&asked, &ada()).status, 202);
    assert_eq!(server.wait_for_answer()["result"], ada());
}

#[test]
fn a_question_nobody_can_be_asked_is_refused_to_the_server_at_once() {
    for capabilities in [can_elicit(), json!({})] {
        let server = McpServer::legacy();
        let gate = before(&server);
        let mut client = Mcp::legacy_with(&gate.client(), ONE, capabilities);
        let _named = client.call("echo", json!({}));
        server.ask_in_the_session_of("tools/call", "elicitation/create", &question());
        assert!(server.wait_for_answer()["error"].is_object());
    }
}

#[test]
fn a_capability_a_server_with_sessions_misses_is_said_as_the_newer_era_says_it() {
    let server = McpServer::legacy();
    let needed = json!({"requiredCapabilities": {"sampling": {}}});
    server.on_call("echo", Turn::error_with(-32021, "Sampling is needed", needed.clone()));
    let gate = before(&server);
    let answer = modern_one(&gate).call("echo", json!({}));
    assert_eq!((answer.status, answer.code()), (400, -32021), "{}", answer.text);
    assert_eq!(answer.messages[0]["error"]["data"], needed);
}

#[test]
fn a_call_is_parked_while_a_stateless_client_is_asked_for_a_server_with_sessions() {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("thanks").after_asking("elicitation/create", question()));
    let gate = house(&[("s", &server)]).set("/mcp_servers/s/park", json!(true)).start();
    let mut client = Mcp::modern_with(&gate.client(), ONE, can_elicit());
    let first = client.call("echo", json!({})).result();
    let (key, asked) = first["inputRequests"].as_object().and_then(|all| all.iter().next()).expect("a question");
    assert_eq!(asked["params"]["message"], "Who are you?");
    let answers = json!({key.clone(): ada()});
    let again =
        json!({"name": "echo", "arguments": {}, "inputResponses": answers, "requestState": first["requestState"]});
    assert_eq!(client.request("tools/call", again).said(), "thanks");
    assert_eq!(server.seen_of("tools/call").len(), 1, "one call, that waited");
}

#[test]
fn a_question_in_a_call_that_may_not_be_parked_is_refused_to_the_server() {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("then without").after_asking("elicitation/create", question()));
    let gate = before(&server);
    let mut client = Mcp::modern_with(&gate.client(), ONE, can_elicit());
    let answer = client.call("echo", json!({}));
    assert!(answer.is_refused() || answer.said() == "then without", "{}", answer.text);
    assert!(answer_to_question(&server).body["error"].is_object());
}

/// What the server got in answer to its question.
fn answer_to_question(server: &McpServer) -> Seen {
    server.seen().into_iter().find(|seen| seen.method().is_empty() && seen.body["id"].as_i64() > Some(7000)).unwrap()
}

/// Row 21.
#[test]
fn a_server_hears_exactly_what_its_client_can() {
    for (capabilities, of_era) in
        [(json!({}), "nothing"), (json!({"elicitation": {"form": {}}, "sampling": {}}), "two")]
    {
        let (up_modern, up_legacy) = (McpServer::modern(), McpServer::legacy());
        let gate = house(&[("s", &up_modern), ("l", &up_legacy)]).set("/mcp_servers/l/park", json!(true)).start();
        drop(Mcp::modern_with(&gate.client(), ONE, capabilities.clone()).call("echo", json!({})).result());
        assert_eq!(up_modern.wait_for("tools/call", 1).capabilities(), &capabilities, "{of_era}");
        let mut client = Mcp::modern_with(&gate.client(), "/mcp/servers/l", capabilities.clone());
        drop(client.call("echo", json!({})).result());
        let session = up_legacy.wait_for("tools/call", 1).header("mcp-session-id").map(str::to_owned);
        assert!(session.is_some());
        let said = up_legacy.seen_of("initialize").pop().unwrap().body["params"]["capabilities"].clone();
        assert_eq!(said, capabilities, "{of_era}");
    }
}

/// Row 21.
#[test]
fn a_question_the_client_cannot_answer_never_reaches_it() {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("done").after_asking("elicitation/create", question()));
    let gate = before(&server);
    let mut call = legacy_one(&gate).open("tools/call", json!({"name": "echo", "arguments": {}}));
    while let Some(message) = call.next() {
        assert_ne!(message["method"], "elicitation/create");
    }
    assert!(answer_to_question(&server).body["error"].is_object());
}

#[test]
fn a_stateless_client_that_leaves_cancels_and_a_session_that_leaves_does_not() {
    let server = McpServer::modern();
    server.on_call("echo", Turn::silence());
    let gate = before(&server);
    let client = modern_one(&gate);
    let (headers, body) = client.message(Some(1), "tools/call", json!({"name": "echo", "arguments": {}}));
    let caller = headers.iter().fold(gate.client(), |caller, (name, value)| caller.header(name, value));
    let call = caller.send("POST", ONE, body.to_string().as_bytes());
    drop(server.wait_for("tools/call", 1));
    let left = call.leave();
    assert!(server.wait_for_cancel().saturating_duration_since(left).as_millis() < 1000);
}

#[test]
fn a_session_that_cancels_a_call_cancels_it_at_the_server() {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("late").after_pause().streamed());
    let gate = before(&server);
    let client = legacy_one(&gate);
    let (headers, body) = client.message(Some(77), "tools/call", json!({"name": "echo", "arguments": {}}));
    let caller = headers.iter().fold(gate.client(), |caller, (name, value)| caller.header(name, value));
    let call = caller.send("POST", ONE, body.to_string().as_bytes());
    let up_id = server.wait_for("tools/call", 1).body["id"].clone();
    assert_eq!(client.notify("notifications/cancelled", json!({"requestId": 77})).status, 202);
    assert_eq!(server.wait_for("notifications/cancelled", 1).body["params"]["requestId"], up_id);
    drop(call);
}

#[test]
fn a_change_of_a_servers_tools_is_heard_on_every_crossing() {
    for server in [McpServer::modern(), McpServer::legacy()] {
        let gate = before(&server);
        let filter = json!({"notifications": {"toolsListChanged": true}});
        let mut listen = modern_one(&gate).open("subscriptions/listen", filter);
        let taken = listen.wait_for("notifications/subscriptions/acknowledged");
        assert_eq!(taken["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], listen.id);
        let mut overheard = legacy_one(&gate).overhear();
        server.wait_for_listeners(1);
        server.change_tools(vec![gatehouse_tests::mcp::echo_tool("renamed")]);
        let heard = listen.wait_for("notifications/tools/list_changed");
        assert_eq!(heard["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], listen.id);
        drop(overheard.wait_for("notifications/tools/list_changed"));
        assert_eq!(modern_one(&gate).names("tools"), ["renamed"]);
    }
}

#[test]
fn log_messages_reach_who_asked_for_them_and_nobody_else() {
    let server = McpServer::legacy();
    let message = json!({"level": "info", "data": "working"});
    server.on_call("echo", Turn::text("done").after("notifications/message", message));
    let gate = before(&server);
    let mut client = legacy_one(&gate);
    drop(client.request("logging/setLevel", json!({"level": "info"})).result());
    assert_eq!(client.call("echo", json!({})).notifications("notifications/message").len(), 1);
    let mut quiet = modern_one(&gate);
    assert!(quiet.call("echo", json!({})).notifications("notifications/message").is_empty());
}
