//! Streams that only listen: how many there may be, and how they end.

use gatehouse_tests::mcp::{Live, Mcp, McpServer};
use gatehouse_tests::{Client, Gate};
use serde_json::{Value, json};

use super::{ONE, house, modern_one, other};

/// A gateway with room for two that listen for each caller, and for three in all.
fn narrow(server: &McpServer) -> Gate {
    house(&[("s", server)]).set("/mcp/listens", json!({"per_caller": 2, "total": 3})).start()
}

fn filter() -> Value {
    json!({"notifications": {"toolsListChanged": true}})
}

/// Listens, and is told so.
fn listen(client: &Client) -> Live {
    let mut live = Mcp::modern(client, ONE).open("subscriptions/listen", filter());
    drop(live.wait_for("notifications/subscriptions/acknowledged"));
    live
}

/// Asks to listen, and is not let.
fn refused(client: &Client) -> (u16, Value) {
    let answer = Mcp::modern(client, ONE).request("subscriptions/listen", filter());
    (answer.status, answer.messages[0]["error"].clone())
}

#[test]
fn a_caller_listens_on_as_many_streams_as_one_may_and_others_still_can() {
    let server = McpServer::modern();
    let gate = narrow(&server);
    let held = [listen(&gate.client()), listen(&gate.client())];
    let (status, error) = refused(&gate.client());
    assert_eq!((status, &error["data"]["code"]), (429, &json!("rate_limited")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("mcp.listens.per_caller"), "{error}");
    assert_eq!(modern_one(&gate).call("echo", json!({"text": "calls go on"})).said(), "calls go on");
    let of_other = listen(&other(&gate));
    let (status, error) = refused(&other(&gate));
    assert_eq!((status, &error["data"]["code"]), (503, &json!("overloaded")), "{error}");
    drop((held, of_other));
}

#[test]
fn a_stream_that_ended_makes_room_for_another() {
    let server = McpServer::modern();
    let gate = narrow(&server);
    let [first, _second] = [listen(&gate.client()), listen(&gate.client())];
    assert_eq!(refused(&gate.client()).0, 429);
    let _left = first.leave();
    while refused_or_left(&gate.client()) {}
}

/// Asks to listen until there is room, which is when the gateway has seen that a client is gone.
fn refused_or_left(client: &Client) -> bool {
    Mcp::modern(client, ONE).open("subscriptions/listen", filter()).status() == 429
}

#[test]
fn the_stream_of_a_session_counts_like_any_other() {
    let server = McpServer::legacy();
    let gate = narrow(&server);
    let sessions =
        [Mcp::legacy(&gate.client(), ONE), Mcp::legacy(&gate.client(), ONE), Mcp::legacy(&gate.client(), ONE)];
    let held = [sessions[0].overhear(), sessions[1].overhear()];
    assert_eq!(held.each_ref().map(Live::status), [200, 200]);
    assert_eq!(sessions[2].overhear().status(), 429);
}

#[test]
fn how_many_listen_is_a_metric() {
    let server = McpServer::modern();
    let gate = narrow(&server);
    let held = [listen(&gate.client()), listen(&gate.client())];
    let metrics = gate.admin().get("/metrics").text();
    assert!(metrics.lines().any(|line| line == "gatehouse_mcp_listens 2"), "{metrics}");
    drop(held);
}

#[test]
fn a_shutdown_ends_listening_in_peace_and_does_not_wait_for_it() {
    let server = McpServer::modern();
    let mut gate = house(&[("s", &server)]).start();
    let mut listening = listen(&gate.client());
    let session = super::legacy_one(&gate);
    let mut overheard = session.overhear();
    server.wait_for_listeners(1);
    gate.terminate();
    let end = listening.response();
    assert_eq!(end["id"], listening.id, "the answer to the request that listened: {end}");
    assert_eq!(listening.next(), None);
    while overheard.next().is_some() {}
    assert!(gate.wait_for_exit().success());
    gate.restart();
    let mut session = session.calling_as(&gate.client());
    assert_eq!(session.call("echo", json!({"text": "on"})).said(), "on", "the session goes on");
}
