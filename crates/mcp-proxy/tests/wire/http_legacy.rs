//! Streamable HTTP of 2025-03-26 to 2025-11-25.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::{Id, Raw, Response};
use gatehouse_mcp_proxy::link::Remedy;
use serde_json::{Value, json};

use crate::people::{House, client, house, next, outgoing, over_http};
use crate::script::{
    Asked, Script, Step, answer, chunk, error, event, json, result, serve, stream, stream_end, stream_head,
};

/// A server that opens sessions `s1`, `s2`, … of a revision and answers everything else with `steps`, if the session is the last one.
async fn legacy(revision: &'static str, steps: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Script {
    let opened = AtomicUsize::new(0);
    serve(move |asked| match asked.method() {
        "server/discover" => answer(400, &[], "Bad Request: no valid session ID provided"),
        "initialize" => {
            let session = format!("s{}", opened.fetch_add(1, Ordering::SeqCst) + 1);
            let said = json!({"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}});
            let body = json!({"jsonrpc": "2.0", "id": asked.id(), "result": said}).to_string();
            answer(200, &[("content-type", "application/json"), ("mcp-session-id", &session)], &body)
        }
        method if method.starts_with("notifications/") => answer(202, &[], ""),
        _ => steps(asked),
    })
    .await
}

fn of(script: &Script) -> House {
    house(vec![over_http(script.url())])
}

fn called(asked: &Asked) -> Vec<Step> {
    result(asked, &json!({"content": []}))
}

fn response(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": {"content": []}})
}

#[tokio::test]
async fn a_session_is_opened_once_and_named_ever_after() {
    let script = legacy("2025-06-18", called).await;
    let house = of(&script);
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    let order = ["server/discover", "initialize", "notifications/initialized", "tools/call", "tools/call"];
    assert_eq!(script.methods(), order);
    let asked = script.asked();
    assert_eq!(asked[1].body["params"]["capabilities"], json!({"elicitation": {}}));
    assert_eq!((asked[1].header("mcp-session-id"), asked[1].header("mcp-protocol-version")), (None, None));
    for asked in &asked[2..] {
        assert_eq!(asked.header("mcp-session-id"), Some("s1"));
        assert_eq!(asked.header("mcp-protocol-version"), Some("2025-06-18"));
        assert_eq!(asked.header("mcp-method"), None);
    }
    assert!(asked[3].body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].is_null());
}

#[tokio::test]
async fn the_oldest_of_these_revisions_has_no_version_header() {
    let script = legacy("2025-03-26", called).await;
    of(&script).call("tools/call", json!({"name": "t"})).await.unwrap();
    assert!(script.asked().iter().skip(1).all(|asked| asked.header("mcp-protocol-version").is_none()));
}

#[tokio::test]
async fn a_revision_that_nobody_knows_is_a_clear_failure() {
    let script = legacy("1999-12-31", called).await;
    let failure = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert!(failure.fault.message.contains("1999-12-31"), "{}", failure.fault.message);
}

#[tokio::test]
async fn initialize_may_be_answered_by_a_stream_that_begins_with_something_else() {
    let script = serve(|asked| match asked.method() {
        "server/discover" => error(200, asked, -32601),
        "initialize" => {
            let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hi"}});
            let said = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}});
            vec![Step::Drip(stream(&[log, json!({"jsonrpc": "2.0", "id": asked.id(), "result": said})]))]
        }
        "tools/call" => called(asked),
        _ => answer(202, &[], ""),
    })
    .await;
    of(&script).call("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(
        script.asked().last().unwrap().header("mcp-session-id"),
        None,
        "a server without state gives no session"
    );
}

/// Forgets its first session after the first call, with this refusal.
async fn forgetful(refusal: impl Fn() -> Vec<Step> + Send + Sync + 'static) -> Script {
    let calls = AtomicUsize::new(0);
    legacy("2025-11-25", move |asked| match (asked.header("mcp-session-id"), calls.fetch_add(1, Ordering::SeqCst)) {
        (Some("s1"), calls) if calls > 0 => refusal(),
        _ => called(asked),
    })
    .await
}

fn not_found() -> Vec<Step> {
    answer(404, &[], "")
}

#[tokio::test]
async fn what_was_refused_for_want_of_a_session_is_sent_again_in_a_new_one() {
    let script = forgetful(not_found).await;
    let house = of(&script);
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(script.asked().last().unwrap().header("mcp-session-id"), Some("s2"));
    let hello = house.link("ann").hello(&house.pool, &client()).await.unwrap();
    assert_eq!(hello.incarnation, 2);
}

#[tokio::test]
async fn a_server_that_forgets_every_session_makes_the_client_start_anew() {
    let script = legacy("2025-11-25", |_| not_found()).await;
    let failure = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.remedy, Remedy::StartAnew);
    assert_eq!(script.methods().iter().filter(|method| *method == "tools/call").count(), 2);
}

/// Breaks the connection at the first request after the handshake.
async fn breaking() -> Script {
    let calls = AtomicUsize::new(0);
    legacy("2025-11-25", move |asked| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => vec![Step::Close],
        _ => called(asked),
    })
    .await
}

#[tokio::test]
async fn what_only_reads_is_sent_again_when_the_connection_breaks() {
    of(&breaking().await).call("tools/list", Value::Null).await.unwrap();
}

#[tokio::test]
async fn a_call_is_not_unless_somebody_trusted_says_that_it_may_be_repeated() {
    let failure = of(&breaking().await).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamBroken);
    let house = of(&breaking().await);
    let mut again = outgoing(2, "tools/call", json!({"name": "t"}));
    again.repeatable = true;
    assert!(house.link("ann").ask(&house.pool, again).await.is_ok());
}

#[tokio::test]
async fn servers_that_say_a_lost_session_in_words_are_understood() {
    let lost = || {
        answer(
            400,
            &[],
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"Session not found\"}}",
        )
    };
    let script = forgetful(lost).await;
    let house = of(&script);
    house.call("tools/list", Value::Null).await.unwrap();
    house.call("tools/list", Value::Null).await.unwrap();
    assert_eq!(script.asked().last().unwrap().header("mcp-session-id"), Some("s2"));
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_after_its_last_event_when_the_server_says() {
    let id = Arc::new(std::sync::Mutex::new(Value::Null));
    let kept = Arc::clone(&id);
    let script = legacy("2025-11-25", move |asked| {
        if asked.verb == "GET" {
            return vec![Step::Send(stream(&[response(&kept.lock().unwrap())]))];
        }
        *kept.lock().unwrap() = asked.id().clone();
        let mut bytes = stream_head();
        bytes.extend(chunk("id: stream-1/5\nretry: 300\ndata:\n\n"));
        vec![Step::Send(bytes), Step::Close]
    })
    .await;
    let began = Instant::now();
    of(&script).call("tools/call", json!({"name": "t"})).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
    let get = script.until(|asked| asked.verb == "GET").await;
    assert_eq!(get.header("last-event-id"), Some("stream-1/5"));
    assert_eq!(get.header("mcp-session-id"), Some("s1"));
    assert_eq!(get.header("accept"), Some("text/event-stream"));
}

#[tokio::test]
async fn a_broken_stream_without_ids_is_a_failure() {
    let script = legacy("2025-11-25", |_| vec![Step::Send(stream_head()), Step::Close]).await;
    let failure = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamBroken);
}

#[tokio::test]
async fn questions_of_the_server_come_on_the_stream_and_answers_go_back_by_post() {
    let script = legacy("2025-11-25", |asked| match (asked.method(), &asked.body["result"]) {
        ("tools/call", _) => {
            let mut bytes = stream_head();
            bytes.extend(event(&json!({"jsonrpc": "2.0", "id": "q", "method": "ping"})));
            bytes.extend(event(&json!({"jsonrpc": "2.0", "id": 8, "method": "roots/list"})));
            vec![Step::Send(bytes), Step::Hang]
        }
        _ => answer(202, &[], ""),
    })
    .await;
    let house = of(&script);
    let mut exchange = house.ask("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(next(&mut exchange).await["method"], "roots/list");
    let roots = Response::result(Id::Number(8), Raw::of(&json!({"roots": []})));
    house.link("ann").answer(&house.pool, &client(), roots).await.unwrap();
    let answered = script.until(|asked| asked.body["id"] == 8).await;
    assert_eq!((answered.body["result"]["roots"].clone(), answered.header("mcp-session-id")), (json!([]), Some("s1")));
    script.until(|asked| asked.body == json!({"jsonrpc": "2.0", "id": "q", "result": {}})).await;
}

#[tokio::test]
async fn who_drops_the_exchange_tells_the_server_so() {
    let script = legacy("2025-11-25", |_| vec![Step::Send(stream_head()), Step::Hang]).await;
    let exchange = of(&script).ask("tools/call", json!({"name": "t"})).await.unwrap();
    drop(exchange);
    let cancelled = script.until(|asked| asked.method() == "notifications/cancelled").await;
    assert_eq!(cancelled.body["params"]["requestId"], 1);
}

#[tokio::test]
async fn who_has_the_response_does_not() {
    let script = legacy("2025-11-25", called).await;
    let house = of(&script);
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    house.links.close().await;
    assert!(!script.methods().contains(&"notifications/cancelled".to_owned()));
    assert_eq!(script.asked().last().unwrap().verb, "DELETE", "the session is ended");
}

#[tokio::test]
async fn what_the_server_says_unasked_is_overheard_across_connections() {
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let gets = AtomicUsize::new(0);
    let script = legacy("2025-11-25", move |_| {
        let mut bytes = stream_head();
        bytes.extend(chunk(&format!("id: e{}\nretry: 60\ndata: {changed}\n\n", gets.fetch_add(1, Ordering::SeqCst))));
        bytes.extend(stream_end());
        vec![Step::Send(bytes)]
    })
    .await;
    let house = of(&script);
    let mut overheard = house.link("ann").overhear(&house.pool, &client()).await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(next(&mut overheard).await["method"], "notifications/tools/list_changed");
    }
    let resumed = script.until(|asked| asked.header("last-event-id") == Some("e1")).await;
    assert_eq!(resumed.verb, "GET");
}

#[tokio::test]
async fn a_server_without_such_a_stream_says_405() {
    let script = legacy("2025-11-25", |_| answer(405, &[], "")).await;
    let house = of(&script);
    assert!(house.link("ann").overhear(&house.pool, &client()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_batch_is_an_answer_too() {
    let script = legacy("2025-03-26", |asked| {
        let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}});
        json(200, &json!([log, response(asked.id())]))
    })
    .await;
    let mut exchange = of(&script).ask("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(next(&mut exchange).await["method"], "notifications/message");
    assert_eq!(next(&mut exchange).await["id"], 1);
}

#[tokio::test]
async fn a_stream_cut_anywhere_reads_the_same() {
    let script = legacy("2025-11-25", |asked| vec![Step::Drip(stream(&[response(asked.id())]))]).await;
    of(&script).call("tools/call", json!({"name": "t"})).await.unwrap();
}

#[tokio::test]
async fn a_person_may_think_longer_than_a_server_may_be_silent() {
    let script = legacy("2025-11-25", |asked| {
        let mut bytes = stream_head();
        bytes.extend(event(&json!({"jsonrpc": "2.0", "id": 8, "method": "elicitation/create", "params": {}})));
        bytes.extend(chunk("id: 1\nretry: 50\ndata:\n\n"));
        if asked.verb == "GET" {
            return vec![Step::Send(stream(&[response(&json!(1))]))];
        }
        vec![Step::Send(bytes), Step::Close]
    })
    .await;
    let mut server = over_http(script.url());
    server.caps.idle = Duration::from_millis(200);
    let mut exchange = house(vec![server]).ask("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(next(&mut exchange).await["method"], "elicitation/create");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(next(&mut exchange).await["id"], 1);
}
