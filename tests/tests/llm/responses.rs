//! Stored responses: what the gateway keeps where the provider keeps none, and what it passes on where the provider does.

use std::time::{Duration, Instant};

use gatehouse_tests::{Answer, Client, Dialect, Gate, House, PATIENCE, Reply, Upstream};
use serde_json::{Value, json};

const RESPONSES: Dialect = Dialect::OpenAiResponses;
const OTHER_KEY: &str = "gk_test_other_8d2f6c1b94e07a35";
const SAID: &str = "Hello from the provider.";

/// A gateway in front of a provider that keeps nothing.
fn forgetful(upstream: &Upstream) -> House {
    House::with_one(Dialect::Anthropic, upstream).key(json!({"name": "other", "secret": OTHER_KEY}))
}

fn make(client: &Client, more: Value) -> Value {
    let mut request = json!({"model": "fast", "input": "My name is Ada."});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = client.post("/v1/responses", &request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn made(gate: &Gate) -> String {
    id(&make(&gate.client(), json!({})))
}

fn id(response: &Value) -> String {
    response["id"].as_str().unwrap_or_else(|| panic!("an id in {response}")).to_owned()
}

fn at(id: &str) -> String {
    format!("/v1/responses/{id}")
}

/// Polls a response until it is in this status.
fn wait_for(gate: &Gate, id: &str, status: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = gate.client().get(&at(id)).json();
        if response["status"] == status {
            return response;
        }
        assert!(Instant::now() < deadline, "waited for {status}: {response}");
    }
}

#[test]
fn a_response_is_found_as_its_caller_got_it() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    let whole = make(&gate.client(), json!({"metadata": {"a": "b"}}));
    assert_eq!(gate.client().get(&at(&id(&whole))).json(), whole);
    let streamed = gate.client().ask_stream(RESPONSES, "fast", "Hello?").events();
    let last = &streamed.last().unwrap()["response"];
    assert_eq!(&gate.client().get(&at(&id(last))).json(), last);
    assert_eq!(upstream.served(), 2, "reading asks nobody");
}

#[test]
fn a_response_can_be_read_the_moment_its_last_event_is_there() {
    let upstream = Upstream::start();
    // The provider says its last word and does not hang up.
    upstream.reply(Reply::text("one").stall_after_frames(7));
    let gate = forgetful(&upstream).start();
    let mut stream = gate.client().ask_stream(RESPONSES, "fast", "Hello?");
    let last = loop {
        let event = stream.next_event().expect("a last event");
        if event["type"] == "response.completed" {
            break event;
        }
    };
    assert_eq!(gate.client().get(&at(&id(&last["response"]))).status, 200);
}

#[test]
fn a_conversation_goes_on_over_turns_and_tool_calls() {
    let upstream = Upstream::start();
    upstream.replies(
        "upstream-model",
        [
            Reply::answer(Answer::silent().call("toolu_1", "now", json!({"zone": "UTC"}))),
            Reply::text("Noon."),
            Reply::text("Ada."),
        ],
    );
    let gate = forgetful(&upstream).start();
    let tools = json!([{"type": "function", "name": "now", "parameters": {"type": "object"}}]);
    let called = make(&gate.client(), json!({"tools": tools}));
    let output =
        json!([{"type": "function_call_output", "call_id": called["output"][0]["call_id"], "output": "12:00"}]);
    let told = make(&gate.client(), json!({"tools": tools, "previous_response_id": id(&called), "input": output}));
    let last = make(&gate.client(), json!({"previous_response_id": id(&told), "input": "And my name?"}));
    assert_eq!(last["previous_response_id"], told["id"]);
    let seen = Dialect::Anthropic.see(&upstream.wait_for_request(3).json());
    assert_eq!(seen.texts, ["My name is Ada.", "Noon.", "And my name?"]);
    assert_eq!(seen.calls, [("toolu_1".to_owned(), "now".to_owned())]);
    assert_eq!(seen.results, [("toolu_1".to_owned(), "12:00".to_owned())]);
}

#[test]
fn a_kept_conversation_can_go_on_in_a_stream() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    let request = json!({"model": "fast", "stream": true, "previous_response_id": made(&gate), "input": "And now?"});
    let stream = gate.client().send("POST", "/v1/responses", request.to_string().as_bytes()).head(RESPONSES);
    assert_eq!(stream.outcome().text, SAID);
    let seen = Dialect::Anthropic.see(&upstream.wait_for_request(2).json());
    assert_eq!(seen.texts, ["My name is Ada.", SAID, "And now?"]);
}

#[test]
fn another_key_sees_nothing_of_it() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    let id = made(&gate);
    let other = gate.stranger().key(OTHER_KEY);
    let missing = other.get(&at("resp_none")).text().to_owned();
    assert_eq!(other.get(&at(&id)).status, 404);
    assert_eq!(other.get(&at(&id)).text(), missing);
    assert_eq!(other.get(&format!("{}/input_items", at(&id))).status, 404);
    assert_eq!(other.post(&format!("{}/cancel", at(&id)), &json!({})).status, 404);
    assert_eq!(other.send("DELETE", &at(&id), b"").response().status, 404);
    let stolen = json!({"model": "fast", "previous_response_id": id, "input": "What was said?"});
    let refused = other.post("/v1/responses", &stolen);
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (404, &json!("previous_response_not_found")));
    assert_eq!(gate.client().get(&at(&id)).status, 200);
    assert_eq!(upstream.served(), 1);
}

#[test]
fn its_input_items_come_in_pages() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    let says = |text: &str| json!({"role": "user", "content": text});
    let id = id(&make(&gate.client(), json!({"input": [says("one"), says("two"), says("three")]})));
    let page = |query: &str| gate.client().get(&format!("{}/input_items{query}", at(&id))).json();
    let first = page("?limit=2&order=asc");
    assert_eq!((first["data"].as_array().map(Vec::len), &first["has_more"]), (Some(2), &json!(true)), "{first}");
    let rest = page(&format!("?order=asc&after={}", first["last_id"].as_str().unwrap()));
    assert_eq!(rest["data"][0]["content"][0]["text"], "three", "{rest}");
    assert_eq!(page("")["data"][0]["content"][0]["text"], "three", "newest first");
}

#[test]
fn a_deleted_response_is_gone_for_good() {
    let upstream = Upstream::start();
    let mut gate = forgetful(&upstream).start();
    let id = made(&gate);
    let gone = gate.client().send("DELETE", &at(&id), b"").response().json();
    assert_eq!((&gone["id"], &gone["deleted"]), (&json!(id), &json!(true)));
    assert_eq!(gate.client().get(&at(&id)).status, 404);
    assert_eq!(gate.client().send("DELETE", &at(&id), b"").response().status, 404);
    gate.terminate();
    gate.wait_for_exit();
    gate.restart();
    assert_eq!(gate.client().get(&at(&id)).status, 404);
}

#[test]
fn what_shall_not_be_stored_is_not() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    let response = make(&gate.client(), json!({"store": false}));
    assert_eq!(response["store"], false);
    assert_eq!(gate.client().get(&at(&id(&response))).status, 404);
}

#[test]
fn an_operator_can_have_nothing_stored_and_callers_are_told() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).set("/server", json!({"responses_store": false})).start();
    let answer = gate.client().ask(RESPONSES, "fast", "Hello?");
    assert_eq!(answer.header("x-gatehouse-dropped"), Some("store"));
    assert_eq!(answer.json()["store"], false);
    assert_eq!(gate.client().get(&at(&id(&answer.json()))).status, 404);
    let background = json!({"model": "fast", "input": "Later.", "background": true});
    assert!(gate.client().post("/v1/responses", &background).refused(RESPONSES, 400).contains("background"));
    assert_eq!(upstream.served(), 1);
}

#[test]
fn what_is_too_large_is_answered_but_not_stored() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    let answer = gate.client().ask(RESPONSES, "fast", &"long ".repeat(300_000));
    assert_eq!((answer.status, answer.header("x-gatehouse-dropped")), (200, Some("store")));
    upstream.reply(Reply::text(&"long ".repeat(300_000)));
    let answer = gate.client().ask(RESPONSES, "fast", "Talk.");
    assert_eq!((answer.status, answer.header("x-gatehouse-dropped")), (200, Some("store")));
    assert_eq!(gate.client().get(&at(&id(&answer.json()))).status, 404);
}

#[test]
fn what_is_stored_survives_a_restart() {
    let upstream = Upstream::start();
    let mut gate = forgetful(&upstream).start();
    let whole = make(&gate.client(), json!({}));
    gate.terminate();
    gate.wait_for_exit();
    gate.restart();
    assert_eq!(gate.client().get(&at(&id(&whole))).json(), whole);
    make(&gate.client(), json!({"previous_response_id": id(&whole), "input": "And my name?"}));
    let seen = Dialect::Anthropic.see(&upstream.wait_for_request(2).json());
    assert_eq!(seen.texts, ["My name is Ada.", SAID, "And my name?"]);
}

/// docs/responses.md promises 250 ms.
#[test]
fn a_kill_takes_only_what_was_answered_just_now() {
    let upstream = Upstream::start();
    let mut gate = forgetful(&upstream).start();
    let first = made(&gate);
    let answered = Instant::now();
    // Others go on being answered meanwhile: a busy gateway keeps the promise, too.
    while answered.elapsed() < Duration::from_millis(250) {
        made(&gate);
    }
    gate.kill9();
    gate.restart();
    assert_eq!(gate.client().get(&at(&first)).status, 200);
}

#[test]
fn a_response_in_the_background_is_told_at_once_and_found_later() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("Later.").held());
    let gate = forgetful(&upstream).start();
    let queued = make(&gate.client(), json!({"background": true}));
    assert_eq!((&queued["status"], &queued["background"]), (&json!("queued"), &json!(true)));
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    assert_eq!(gate.client().get(&at(&id(&queued))).json()["status"], "in_progress");
    let early = json!({"model": "fast", "previous_response_id": id(&queued), "input": "And?"});
    assert!(gate.client().post("/v1/responses", &early).refused(RESPONSES, 400).contains("in progress"));
    upstream.run();
    let done = wait_for(&gate, &id(&queued), "completed");
    assert_eq!((&done["output"][0]["content"][0]["text"], &done["id"]), (&json!("Later."), &queued["id"]));
    let rows = gate.ledger_of(1);
    assert_eq!((rows.len(), rows[0].status.as_str(), rows[0].key.as_str()), (1, "ok", "test"), "{rows:?}");
}

#[test]
fn a_response_in_the_background_that_fails_says_so() {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(400, "No such thing."));
    let gate = forgetful(&upstream).start();
    let failed = wait_for(&gate, &id(&make(&gate.client(), json!({"background": true}))), "failed");
    assert_eq!(failed["error"]["gatehouse_code"], "upstream_rejected", "{failed}");
}

#[test]
fn a_cancelled_response_stops_its_provider_and_is_settled() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("never").stall_before_head());
    let gate = forgetful(&upstream).start();
    let id = id(&make(&gate.client(), json!({"background": true})));
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    let cancel = || gate.client().post(&format!("{}/cancel", at(&id)), &json!({})).json();
    let asked = Instant::now();
    assert_eq!(cancel()["status"], "cancelled");
    assert!(upstream.wait_for_cancel().saturating_duration_since(asked) < Duration::from_millis(250));
    assert_eq!(cancel()["status"], "cancelled", "twice is no error");
    assert_eq!(gate.client().get(&at(&id)).json()["status"], "cancelled");
    let rows = gate.ledger_of(1);
    assert_eq!((rows.len(), rows[0].status.as_str()), (1, "cancelled"), "{rows:?}");
}

#[test]
fn deleting_a_response_that_still_runs_stops_it() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("never").stall_before_head());
    let gate = forgetful(&upstream).start();
    let id = id(&make(&gate.client(), json!({"background": true})));
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    assert_eq!(gate.client().send("DELETE", &at(&id), b"").response().status, 200);
    assert!(!upstream.wait_for_cancel().elapsed().is_zero());
    assert_eq!(gate.ledger_of(1)[0].status, "cancelled");
}

#[test]
fn only_a_response_in_the_background_can_be_cancelled() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    let cancel = format!("{}/cancel", at(&made(&gate)));
    assert!(gate.client().post(&cancel, &json!({})).refused(RESPONSES, 400).contains("background"));
}

#[test]
fn what_the_background_does_not_do_is_refused_before_it_costs_anything() {
    let upstream = Upstream::start();
    let gate = forgetful(&upstream).start();
    for (more, status) in [(json!({"store": false}), 400), (json!({"stream": true}), 501)] {
        let mut request = json!({"model": "fast", "input": "Later.", "background": true});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(gate.client().post("/v1/responses", &request).status, status);
    }
    assert_eq!(gate.client().get("/v1/responses/resp_1?stream=true").status, 501);
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_gateway_that_stops_lets_the_background_finish() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("Later.").held());
    let mut gate = forgetful(&upstream).start();
    let id = id(&make(&gate.client(), json!({"background": true})));
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    gate.terminate();
    drop(
        gate.wait_for_log("the drain", |line| line["message"] == "draining" || line["fields"]["message"] == "draining"),
    );
    upstream.run();
    assert_eq!(gate.wait_for_exit().code(), Some(0), "{}", gate.logs());
    gate.restart();
    assert_eq!(wait_for(&gate, &id, "completed")["output"][0]["content"][0]["text"], "Later.");
}

#[test]
fn a_response_whose_gateway_died_is_found_as_failed() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("never").stall_before_head());
    let mut gate = forgetful(&upstream).start();
    let id = id(&make(&gate.client(), json!({"background": true})));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(250) {
        assert_eq!(gate.client().get(&at(&id)).json()["status"], "in_progress");
    }
    gate.kill9();
    gate.restart();
    let lost = gate.client().get(&at(&id)).json();
    assert_eq!((&lost["status"], &lost["id"]), (&json!("failed"), &json!(id)));
    assert!(lost["error"]["message"].as_str().is_some_and(|why| why.contains("stopped")), "{lost}");
    assert_eq!(gate.ledger_of(1)[0].status, "interrupted");
}

#[test]
fn a_call_in_the_background_holds_its_place_and_its_budget() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("never").stall_before_head());
    let gate = forgetful(&upstream).set("/keys/0/limits", json!([{"concurrent": 1}])).start();
    let id = id(&make(&gate.client(), json!({"background": true})));
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    assert_eq!(gate.client().ask(RESPONSES, "fast", "Hello?").status, 429);
    assert_eq!(gate.client().post(&format!("{}/cancel", at(&id)), &json!({})).status, 200);
    assert_eq!(gate.ledger_of(1)[0].status, "cancelled");
    upstream.reply(Reply::text("next"));
    assert_eq!(gate.client().ask(RESPONSES, "fast", "Hello?").said(RESPONSES), "next");
}

/// Two providers that keep their own responses, the model `fast` in front of both.
fn remembering(first: &Upstream, second: &Upstream) -> House {
    let house = House::new().provider("first", RESPONSES, first).provider("second", RESPONSES, second);
    let house = house.key(json!({"name": "other", "secret": OTHER_KEY}));
    house.model("fast", &["first/upstream-model", "second/upstream-model"])
}

fn named(id: &str) -> Reply {
    let answer = json!({"id": id, "object": "response", "status": "completed", "output": [], "usage": {"input_tokens": 1, "output_tokens": 1}});
    Reply::raw("application/json", answer.to_string())
}

#[test]
fn what_a_provider_keeps_is_continued_and_read_there() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.reply(Reply::error(500, "Down."));
    second.reply(named("resp_theirs"));
    let gate = remembering(&first, &second).without_retries("first").start();
    assert_eq!(made(&gate), "resp_theirs");
    first.reply(named("resp_wrong"));
    let follow_up = json!({"model": "fast", "previous_response_id": "resp_theirs", "input": "And?"});
    assert_eq!(gate.client().post("/v1/responses", &follow_up).status, 200);
    assert_eq!(second.wait_for_request(2).json()["previous_response_id"], "resp_theirs");
    assert_eq!(gate.client().get("/v1/responses/resp_theirs?include=usage").status, 200);
    let read = second.wait_for_request(3);
    assert_eq!(
        (read.method.as_str(), read.path.as_str(), read.query.as_str()),
        ("GET", "/v1/responses/resp_theirs", "include=usage")
    );
    assert_eq!(gate.client().get("/v1/responses/resp_theirs/input_items").status, 200);
    assert_eq!(second.wait_for_request(4).path, "/v1/responses/resp_theirs/input_items");
    assert_eq!(first.served(), 1, "only the call that failed");
}

#[test]
fn what_a_provider_keeps_is_its_callers_alone() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.reply(named("resp_theirs"));
    let gate = remembering(&first, &second).start();
    assert_eq!(made(&gate), "resp_theirs");
    let other = gate.stranger().key(OTHER_KEY);
    assert_eq!(other.get("/v1/responses/resp_theirs").status, 404);
    assert_eq!(other.send("DELETE", "/v1/responses/resp_theirs", b"").response().status, 404);
    let stolen = json!({"model": "fast", "previous_response_id": "resp_theirs", "input": "What was said?"});
    assert_eq!(other.post("/v1/responses", &stolen).status, 404);
    assert_eq!(first.served(), 1);
}

#[test]
fn what_a_provider_deleted_is_forgotten_here() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.reply(named("resp_theirs"));
    let gate = remembering(&first, &second).start();
    assert_eq!(made(&gate), "resp_theirs");
    assert_eq!(gate.client().send("DELETE", "/v1/responses/resp_theirs", b"").response().status, 200);
    assert_eq!(first.wait_for_request(2).method, "DELETE");
    assert_eq!(gate.client().get("/v1/responses/resp_theirs").status, 404);
    assert_eq!(first.served(), 2);
}

#[test]
fn a_stream_of_a_provider_that_keeps_it_can_be_continued() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let gate = remembering(&first, &second).start();
    let events = gate.client().ask_stream(RESPONSES, "fast", "Hello?").events();
    let id = id(&events[0]["response"]);
    let follow_up = json!({"model": "fast", "previous_response_id": id, "input": "And?"});
    assert_eq!(gate.client().post("/v1/responses", &follow_up).status, 200);
    assert_eq!(first.wait_for_request(2).json()["previous_response_id"], json!(id));
}

#[test]
fn a_conversation_kept_here_goes_on_at_a_provider_that_keeps_its_own() {
    let (forgets, keeps) = (Upstream::start(), Upstream::start());
    let house = House::new().provider("a", Dialect::Anthropic, &forgets).provider("b", RESPONSES, &keeps);
    let gate = house.model("fast", &["a/upstream-model"]).model("slow", &["b/upstream-model"]).start();
    let follow_up = json!({"model": "slow", "previous_response_id": made(&gate), "input": "What is my name?"});
    assert_eq!(gate.client().post("/v1/responses", &follow_up).status, 200);
    let sent = keeps.wait_for_request(1).json();
    assert_eq!(sent.get("previous_response_id"), None, "{sent}");
    assert_eq!(RESPONSES.see(&sent).texts, ["My name is Ada.", SAID, "What is my name?"]);
}

#[test]
fn a_conversation_kept_by_a_provider_does_not_go_on_at_another() {
    let (keeps, forgets) = (Upstream::start(), Upstream::start());
    keeps.reply(named("resp_theirs"));
    let house = House::new().provider("a", RESPONSES, &keeps).provider("b", Dialect::Anthropic, &forgets);
    let gate = house.model("fast", &["a/upstream-model"]).model("slow", &["b/upstream-model"]).start();
    let follow_up = json!({"model": "slow", "previous_response_id": made(&gate), "input": "And?"});
    assert!(gate.client().post("/v1/responses", &follow_up).refused(RESPONSES, 400).contains("`a`"));
    assert_eq!(forgets.served(), 0);
}

#[test]
fn the_background_of_a_provider_that_keeps_its_own_is_run_and_counted_here() {
    let upstream = Upstream::start();
    let gate = House::with_one(RESPONSES, &upstream).start();
    let queued = make(&gate.client(), json!({"background": true}));
    let done = wait_for(&gate, &id(&queued), "completed");
    assert_eq!(done["output"][0]["content"][0]["text"], SAID);
    assert_eq!(upstream.wait_for_request(1).json().get("background"), None);
    let rows = gate.ledger_of(1);
    assert!(rows[0].output_tokens > 0 && rows[0].status == "ok", "{rows:?}");
}
