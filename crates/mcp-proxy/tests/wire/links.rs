//! Who has which link.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::Raw;
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_proxy::link::{Client, Link};
use gatehouse_upstream::Egress;
use serde_json::{Value, json};

use crate::people::{House, client, house, outgoing, over_http, somebody};
use crate::script::{Script, Step, answer, result, serve, stream_head};

/// A server of the older era that says in each result which session asked.
async fn stateful() -> Script {
    let opened = AtomicUsize::new(0);
    serve(move |asked| match asked.method() {
        "server/discover" => answer(404, &[], ""),
        "initialize" => {
            let session = format!("s{}", opened.fetch_add(1, Ordering::SeqCst) + 1);
            let said = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}});
            let body = json!({"jsonrpc": "2.0", "id": asked.id(), "result": said}).to_string();
            answer(200, &[("content-type", "application/json"), ("mcp-session-id", &session)], &body)
        }
        "tools/call" if asked.body["params"]["name"] == "slow" => vec![Step::Send(stream_head()), Step::Hang],
        "tools/call" => result(asked, &json!({"session": asked.header("mcp-session-id")})),
        _ => answer(202, &[], ""),
    })
    .await
}

async fn session(house: &House, link: Arc<dyn Link>) -> String {
    let mut exchange = link.ask(&house.pool, outgoing(1, "tools/call", json!({"name": "t"}))).await.unwrap();
    crate::people::next(&mut exchange).await["result"]["session"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_principals_with_equal_credentials_have_two_sessions() {
    let script = stateful().await;
    let house = house(vec![over_http(script.url())]);
    let ann = session(&house, house.link("ann")).await;
    let bob = session(&house, house.link("bob")).await;
    assert_ne!(ann, bob);
    assert_eq!(session(&house, house.link("ann")).await, ann);
}

#[tokio::test]
async fn a_server_that_is_declared_shared_has_one_and_is_told_of_no_client_s_capabilities() {
    let script = stateful().await;
    let server = Server { shared: true, ..over_http(script.url()) };
    let house = house(vec![server]);
    assert_eq!(session(&house, house.link("ann")).await, session(&house, house.link("bob")).await);
    let initialize = script.until(|asked| asked.method() == "initialize").await;
    assert_eq!(initialize.body["params"]["capabilities"], json!({}));
}

#[tokio::test]
async fn sessions_of_a_client_and_clients_of_other_capabilities_are_kept_apart() {
    let script = stateful().await;
    let house = house(vec![over_http(script.url())]);
    let ann = somebody("ann");
    let more = Client { capabilities: Raw::of(&json!({"sampling": {}})), ..client() };
    let own: Arc<str> = "a-session".into();
    let links = [(None, client()), (None, more), (Some(&own), client())];
    let mut sessions = Vec::new();
    for (of, client) in links {
        sessions.push(session(&house, house.links.of("it", &ann, of, &client).unwrap()).await);
    }
    sessions.dedup();
    assert_eq!(sessions.len(), 3);
    house.links.end_session("a-session");
    let ended = script.until(|asked| asked.verb == "DELETE").await;
    assert_eq!(ended.header("mcp-session-id"), Some(&*sessions[2]));
}

#[tokio::test]
async fn a_reload_keeps_links_to_what_did_not_change_and_closes_the_others() {
    let script = stateful().await;
    let server = over_http(script.url());
    let house = house(vec![server.clone()]);
    let before = session(&house, house.link("ann")).await;
    house.links.load([(Arc::new(server.clone()), Egress::Trusted)]);
    assert_eq!(session(&house, house.link("ann")).await, before);
    house.links.load([(Arc::new(Server { trusted: true, ..server }), Egress::Trusted)]);
    script.until(|asked| asked.verb == "DELETE").await;
    assert_ne!(session(&house, house.link("ann")).await, before);
    house.links.load([]);
    assert_eq!(house.try_link("ann").err().unwrap().fault.code, Code::NotFound);
}

#[tokio::test]
async fn a_call_under_way_outlives_the_configuration_it_began_in() {
    let script = stateful().await;
    let house = house(vec![over_http(script.url())]);
    let call = house.ask("tools/call", json!({"name": "slow"})).await.unwrap();
    house.links.load([]);
    let ended = script.until(|asked| asked.verb == "DELETE");
    assert!(tokio::time::timeout(Duration::from_millis(100), ended).await.is_err(), "the session ended under the call");
    drop(call);
    script.until(|asked| asked.verb == "DELETE").await;
}

#[tokio::test]
async fn what_was_found_of_a_server_is_not_asked_again_by_the_next_principal() {
    let script = stateful().await;
    let house = house(vec![over_http(script.url())]);
    session(&house, house.link("ann")).await;
    session(&house, house.link("bob")).await;
    assert_eq!(script.methods().iter().filter(|method| *method == "server/discover").count(), 1);
}

#[tokio::test]
async fn an_address_that_only_may_be_public_is_not_called_on_this_machine() {
    let script = stateful().await;
    let house = house(Vec::new());
    house.links.load([(Arc::new(over_http(script.url())), Egress::Public)]);
    let failure = house.call("tools/call", Value::Null).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamUnreachable);
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn how_servers_stand_is_told_by_name() {
    let script = stateful().await;
    let house = house(vec![over_http(script.url())]);
    session(&house, house.link("ann")).await;
    let standing = &house.links.standing()[0];
    assert_eq!((&*standing.server, standing.under_way), ("it", 0));
    assert_eq!(standing.links[0].0.as_deref(), Some("ann"));
    assert_eq!(standing.links[0].1.revision.as_deref(), Some("2025-11-25"));
}

#[tokio::test]
async fn a_server_that_needs_no_session_has_one_link_for_all_clients_of_a_principal() {
    let script = serve(|asked| match asked.method() {
        "server/discover" => result(asked, &json!({"supportedVersions": ["2026-07-28"], "capabilities": {}})),
        _ => result(asked, &json!({"content": []})),
    })
    .await;
    let house = house(vec![over_http(script.url())]);
    let more = Client { capabilities: Raw::of(&json!({"sampling": {}})), ..client() };
    for client in [client(), more] {
        let link = house.links.of("it", &somebody("ann"), None, &client).unwrap();
        let mut exchange = link.ask(&house.pool, outgoing(1, "tools/call", json!({"name": "t"}))).await.unwrap();
        crate::people::next(&mut exchange).await;
    }
    assert_eq!(script.methods(), ["server/discover", "tools/call", "tools/call"]);
}
