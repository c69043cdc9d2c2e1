//! Limits, budgets and prices of tools.

use gatehouse_tests::mcp::Mcp;
use gatehouse_tests::{Gate, House};
use serde_json::{Value, json};

use super::{house, tools};

fn add(gate: &Gate) -> gatehouse_tests::mcp::Answer {
    tools(&gate.client()).call("add", json!({"a": 2, "b": 3}))
}

fn limited(on: Value, terms: Value) -> House {
    let mut entry = json!({"on": on});
    entry.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    house().set("/limits", json!([entry]))
}

#[test]
fn a_limit_of_a_tool_stops_that_tool_and_no_other() {
    let gate = limited(json!({"tool": "demo.add"}), json!({"limits": [{"requests": 2, "per": "life"}]})).start();
    assert!(!add(&gate).is_refused() && !add(&gate).is_refused());
    let refused = add(&gate);
    assert!(refused.is_refused() && refused.complaint().contains("the tool `demo.add`"), "{}", refused.text);
    assert!(!tools(&gate.client()).call("clock", json!({})).is_refused());
}

#[test]
fn a_pattern_is_one_limit_for_all_tools_that_match() {
    let gate = limited(json!({"tool": "demo.*"}), json!({"limits": [{"requests": 1, "per": "life"}]})).start();
    assert!(!add(&gate).is_refused());
    assert!(tools(&gate.client()).call("clock", json!({})).is_refused());
}

#[test]
fn a_limit_of_a_server_counts_whatever_is_asked_of_it() {
    let gate = house()
        .set("/mcp_servers/demo/limits", json!([{"requests": 2, "per": "life"}]))
        .set("/mcp_servers/other", json!({"builtin": "demo"}))
        .start();
    let mut demo = Mcp::modern(&gate.client(), "/mcp/servers/demo");
    assert!(!demo.call("clock", json!({})).is_refused());
    assert!(!demo.request("resources/read", json!({"uri": "demo://greeting"})).is_refused());
    assert!(demo.call("clock", json!({})).is_refused());
    assert!(!Mcp::modern(&gate.client(), "/mcp/servers/other").call("clock", json!({})).is_refused());
}

#[test]
fn a_budget_is_spent_by_the_price_of_each_call() {
    let gate = limited(json!({"tool": "demo.*"}), json!({"budgets": [{"usd": 0.005, "per": "life"}]}))
        .set("/mcp_servers/demo/prices", json!({"*": 0, "add": 0.002}))
        .start();
    assert!(!add(&gate).is_refused() && !add(&gate).is_refused());
    let refused = add(&gate);
    assert!(refused.complaint().contains("$0.001 left"), "{}", refused.text);
    assert!(!tools(&gate.client()).call("clock", json!({})).is_refused(), "what costs nothing fits always");
}

#[test]
fn lists_cost_nothing_and_count_for_no_limit() {
    let gate = limited(json!({"mcp_server": "demo"}), json!({"limits": [{"requests": 1, "per": "life"}]})).start();
    for _ in 0..3 {
        assert_eq!(tools(&gate.client()).names("tools").len(), 3);
    }
    assert!(!add(&gate).is_refused());
}

#[test]
fn a_spent_limit_stays_spent_over_a_restart() {
    let mut gate = limited(json!({"tool": "demo.add"}), json!({"limits": [{"requests": 1, "per": "life"}]})).start();
    assert!(!add(&gate).is_refused());
    assert_eq!(gate.ledger_of(1).len(), 1);
    gate.kill9();
    gate.restart();
    assert!(add(&gate).is_refused());
}

#[test]
fn models_and_tools_are_paid_from_one_budget() {
    let gate = house()
        .set("/providers/demo", json!({"kind": "demo"}))
        .model("fast", &["demo/demo"])
        .set("/mcp_servers/demo/prices", json!({"add": 0.01}))
        .set("/prices", json!({"overrides": {"demo/demo": {"input": 1000, "output": 1000}}}))
        .set("/keys/0/budgets", json!([{"usd": 0.01, "per": "life"}]))
        .start();
    assert!(!add(&gate).is_refused());
    assert_eq!(gate.client().ask(gatehouse_tests::Dialect::OpenAiChat, "fast", "Hello?").status, 402);
}
