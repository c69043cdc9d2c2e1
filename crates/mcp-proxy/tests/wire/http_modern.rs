//! Streamable HTTP of 2026-07-28.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gatehouse_domain::{Code, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, OAuthClient, Server};
use gatehouse_mcp_proxy::link::Remedy;
use serde_json::{Value, json};

use crate::people::{House, Tokens, house, house_with, next, outgoing, over_http};
use crate::script::{Asked, Script, Step, answer, chunk, error, event, json, result, serve, stream, stream_head};

/// A modern server that answers everything but `server/discover` with `steps`.
async fn modern(steps: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Script {
    serve(move |asked| if asked.method() == "server/discover" { discovered(asked) } else { steps(asked) }).await
}

fn discovered(asked: &Asked) -> Vec<Step> {
    let said = json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
        "instructions": "be nice", "ttlMs": 0, "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "9"}},
    });
    result(asked, &said)
}

fn of(script: &Script) -> House {
    house(vec![over_http(script.url())])
}

fn quick(script: &Script) -> Server {
    let mut server = over_http(script.url());
    server.caps.idle = Duration::from_millis(150);
    server.caps.total = Duration::from_millis(400);
    server
}

fn progress(asked: &Asked) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/progress",
           "params": {"progressToken": asked.body["params"]["_meta"]["progressToken"], "progress": 1}})
}

fn response(asked: &Asked) -> Value {
    json!({"jsonrpc": "2.0", "id": asked.id(), "result": {"resultType": "complete", "content": []}})
}

#[tokio::test]
async fn a_request_says_everything_itself_in_body_and_headers() {
    let script = modern(|asked| result(asked, &json!({"resultType": "complete", "content": []}))).await;
    let house = of(&script);
    house.call("tools/call", json!({"name": "grüße", "arguments": {}})).await.unwrap();
    let call = script.until(|asked| asked.method() == "tools/call").await;
    let meta = &call.body["params"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({"elicitation": {}}));
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "c");
    assert_eq!(call.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(call.header("mcp-method"), Some("tools/call"));
    assert_eq!(call.header("mcp-name"), Some("=?base64?Z3LDvMOfZQ==?="));
    assert_eq!(call.header("accept"), Some("application/json, text/event-stream"));
    assert_eq!(call.header("x-of-config"), Some("yes"));
    assert_eq!(call.header("x-gatehouse-hop"), Some("this-gateway"));
    assert_eq!(call.header("mcp-session-id"), None);
}

#[tokio::test]
async fn hello_tells_what_the_server_said_of_itself() {
    let script = modern(|asked| error(404, asked, -32601)).await;
    let house = of(&script);
    let link = house.link("ann");
    let hello = link.hello(&house.pool, &crate::people::client()).await.map_err(|failure| failure.fault).unwrap();
    assert!(hello.modern && &*hello.revision == "2026-07-28" && hello.incarnation == 1);
    assert_eq!(hello.instructions.as_deref(), Some("be nice"));
    assert_eq!(hello.server_info.as_ref().unwrap().text_at(&["version"]).as_deref(), Some("9"));
    assert_eq!(link.state().revision.as_deref(), Some("2026-07-28"));
    assert!(link.overhear(&house.pool, &crate::people::client()).await.ok().flatten().is_none());
}

#[tokio::test]
async fn a_stream_is_read_the_same_wherever_its_bytes_are_cut() {
    let script = modern(|asked| vec![Step::Drip(stream(&[progress(asked), response(asked)]))]).await;
    let house = of(&script);
    let params = json!({"name": "t", "_meta": {"progressToken": "p"}});
    let mut exchange = house.ask("tools/call", params).await.unwrap();
    assert_eq!(next(&mut exchange).await["params"]["progressToken"], "p");
    assert_eq!(next(&mut exchange).await["id"], 1);
    assert!(exchange.next().await.is_none());
}

#[tokio::test]
async fn the_connection_of_an_answered_stream_is_used_again() {
    let script = modern(|asked| vec![Step::Send(stream(&[response(asked)]))]).await;
    let house = of(&script);
    for _ in 0..5 {
        let mut exchange = house.ask("tools/call", json!({"name": "t"})).await.unwrap();
        next(&mut exchange).await;
        // As if the answer were passed on.
        tokio::task::yield_now().await;
    }
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn events_that_carry_no_message_are_passed_over() {
    let script = modern(|asked| {
        let mut bytes = stream_head();
        bytes.extend(chunk(": alive\n\n"));
        bytes.extend(chunk("id: 7\ndata:\n\n"));
        bytes.extend(chunk("event: ping\ndata: not json\n\n"));
        bytes.extend(event(&json!({"jsonrpc": "2.0", "id": "another's", "result": {}})));
        bytes.extend(event(&response(asked)));
        vec![Step::Send(bytes), Step::Hang]
    })
    .await;
    assert_eq!(of(&script).call("tools/call", json!({"name": "t"})).await.unwrap()["id"], 1);
}

#[tokio::test]
async fn who_drops_the_exchange_closes_the_stream_and_says_nothing_more() {
    let script = modern(|_| vec![Step::Send(stream_head()), Step::Hang]).await;
    let house = of(&script);
    let exchange = house.ask("tools/call", json!({"name": "t"})).await.unwrap();
    drop(exchange);
    script.until_left(1).await;
    assert_eq!(script.methods(), ["server/discover", "tools/call"]);
}

#[tokio::test]
async fn an_error_of_the_protocol_is_the_response_whatever_its_status() {
    for (status, code) in [(404, -32601), (400, -32020), (400, -32602), (200, -32603), (500, -32603)] {
        let script = modern(move |asked| error(status, asked, code)).await;
        let answered = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap();
        assert_eq!(answered["error"]["code"], code, "{status}");
        assert_eq!(answered["id"], 1);
    }
}

#[tokio::test]
async fn a_status_without_a_message_is_a_failure_with_the_right_code() {
    for (status, code) in [(429, Code::UpstreamLimited), (503, Code::UpstreamOverloaded), (500, Code::UpstreamBroken)] {
        let script = modern(move |_| answer(status, &[("retry-after", "7")], "<html>")).await;
        let failure = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap_err();
        assert_eq!((failure.fault.code, failure.fault.retry_after_secs), (code, Some(7)), "{status}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_and_not_a_hang() {
    let bodies = [
        "",
        "{",
        "[]",
        "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"result\":{}}",
    ];
    for body in bodies {
        let script = modern(move |_| answer(200, &[("content-type", "application/json")], body)).await;
        let failure = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap_err();
        assert_eq!(failure.fault.code, Code::UpstreamBroken, "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_a_failure() {
    let script = modern(|asked| {
        let mut bytes = stream_head();
        bytes.extend(event(&progress(asked)));
        vec![Step::Send(bytes), Step::Close]
    })
    .await;
    let failure = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamBroken);
}

#[tokio::test]
async fn an_answer_longer_than_a_message_may_be_is_refused_in_either_shape() {
    let long = "x".repeat(5000);
    let whole = long.clone();
    let as_json = modern(move |asked| result(asked, &json!({"text": whole}))).await;
    let as_event = modern(move |asked| {
        vec![Step::Send(stream(&[json!({"jsonrpc": "2.0", "id": asked.id(), "result": {"text": long}})])), Step::Hang]
    })
    .await;
    for script in [as_json, as_event] {
        let mut server = over_http(script.url());
        server.caps.message_bytes = 2000;
        let failure = house(vec![server]).call("tools/call", json!({"name": "t"})).await.unwrap_err();
        assert_eq!(failure.fault.code, Code::UpstreamBroken);
    }
}

#[tokio::test]
async fn a_silent_server_is_waited_for_no_longer_than_configured_and_is_told_by_the_close() {
    let script = modern(|_| vec![Step::Send(stream_head()), Step::Hang]).await;
    let failure = house(vec![quick(&script)]).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamTimeout);
    script.until_left(1).await;
}

#[tokio::test]
async fn endless_progress_ends_with_the_total_time() {
    let script = modern(|asked| {
        let mut bytes = stream_head();
        (0..50).for_each(|_| bytes.extend(event(&progress(asked))));
        let mut steps = vec![Step::Send(bytes)];
        steps.extend((0..20_000).map(|_| Step::Drip(event(&progress(asked)))));
        steps
    })
    .await;
    let failure = house(vec![quick(&script)]).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamTimeout);
}

#[tokio::test]
async fn a_server_that_became_older_is_found_out_again_and_the_call_goes_through() {
    let downgraded = std::sync::atomic::AtomicBool::new(false);
    let script = serve(move |asked| match asked.method() {
        "server/discover" if !downgraded.load(Ordering::SeqCst) => discovered(asked),
        "tools/list" => result(asked, &json!({"tools": []})),
        "initialize" => result(
            asked,
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "8"}}),
        ),
        "notifications/initialized" => answer(202, &[], ""),
        "tools/call" if asked.header("mcp-method").is_some() => {
            downgraded.store(true, Ordering::SeqCst);
            answer(400, &[], "what is this?")
        }
        "tools/call" => result(asked, &json!({"content": []})),
        _ => answer(400, &[], "Bad Request: Server not initialized"),
    })
    .await;
    let house = of(&script);
    assert!(house.call("tools/call", json!({"name": "t"})).await.unwrap()["result"].is_object());
    let order =
        ["server/discover", "tools/call", "server/discover", "initialize", "notifications/initialized", "tools/call"];
    assert_eq!(script.methods(), order);
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_once_and_remembered() {
    let script = serve(|asked| match &*asked.path {
        "/mcp" => answer(307, &[("location", "/mcp/")], ""),
        _ if asked.method() == "server/discover" => discovered(asked),
        _ => result(asked, &json!({"content": []})),
    })
    .await;
    let house = of(&script);
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    let paths: Vec<_> = script.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/mcp", "/mcp/", "/mcp/"]);
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_refused_and_nothing_is_shown_there() {
    let other = serve(discovered).await;
    let target = other.url();
    let script = serve(move |_| answer(307, &[("location", &target)], "")).await;
    let mut server = over_http(script.url());
    server.auth = Auth::Bearer(Secret::new("for-this-server-only"));
    let failure = house(vec![server]).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamBroken);
    assert!(other.asked().is_empty() && script.asked()[0].header("authorization").is_some());
}

fn per_user(script: &Script) -> Server {
    let mut server = over_http(script.url());
    server.auth = Auth::PerUser(OAuthClient::default());
    server
}

fn wants(token: &'static str) -> impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static {
    move |asked| match asked.header("authorization") {
        Some(shown) if shown == format!("Bearer {token}") && asked.method() == "server/discover" => discovered(asked),
        Some(shown) if shown == format!("Bearer {token}") => result(asked, &json!({"content": []})),
        _ => answer(401, &[("www-authenticate", "Bearer resource_metadata=\"https://x/y\", scope=\"files\"")], ""),
    }
}

#[tokio::test]
async fn a_refused_token_is_asked_for_once_more_with_the_challenge() {
    let script = serve(wants("good")).await;
    let tokens = Tokens { first: Some("stale"), better: Some("good"), ..Tokens::default() };
    let house = house_with(vec![per_user(&script)], tokens);
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    let challenges = house.tokens.challenges.lock().unwrap();
    assert_eq!(challenges[0].status, 401);
    assert!(challenges[0].www_authenticate.contains("scope=\"files\""));
}

#[tokio::test]
async fn a_second_refusal_is_final_and_says_what_consent_is_wanted() {
    let script = serve(wants("good")).await;
    let tokens = Tokens { first: Some("stale"), better: Some("as bad"), ..Tokens::default() };
    let failure =
        house_with(vec![per_user(&script)], tokens).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    let Remedy::Consent(consent) = failure.remedy else { panic!("{:?}", failure.fault) };
    assert!(&*consent.server == "it" && consent.challenge.unwrap().www_authenticate.contains("resource_metadata"));
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn a_listen_stream_outlives_every_timer() {
    let script = modern(|asked| {
        let acknowledged =
            json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {}});
        let mut bytes = stream_head();
        bytes.extend(event(&acknowledged));
        assert_eq!(asked.header("mcp-method"), Some("subscriptions/listen"));
        vec![Step::Send(bytes), Step::Hang]
    })
    .await;
    let house = house(vec![quick(&script)]);
    let mut listen =
        house.ask("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})).await.unwrap();
    assert_eq!(next(&mut listen).await["method"], "notifications/subscriptions/acknowledged");
    let silent = tokio::time::timeout(Duration::from_millis(700), listen.next()).await;
    assert!(silent.is_err(), "the stream must stay open");
}

#[tokio::test]
async fn calls_beyond_the_cap_are_refused_at_once_and_who_only_waits_takes_no_place() {
    let script = modern(|_| vec![Step::Send(stream_head()), Step::Hang]).await;
    let mut server = over_http(script.url());
    server.caps.concurrent = 1;
    let house = house(vec![server]);
    let link = house.link("ann");
    let listening = link.ask(&house.pool, outgoing(1, "subscriptions/listen", json!({}))).await;
    let waiting = link.ask(&house.pool, outgoing(5, "tasks/result", json!({"taskId": "t"}))).await;
    let first = link.ask(&house.pool, outgoing(2, "tools/call", json!({"name": "t"}))).await;
    assert!(listening.is_ok() && waiting.is_ok() && first.is_ok());
    let Err(second) = link.ask(&house.pool, outgoing(3, "tools/call", json!({"name": "t"}))).await else { panic!() };
    assert_eq!(second.fault.code, Code::Overloaded);
    drop(first);
    assert!(link.ask(&house.pool, outgoing(4, "tools/call", json!({"name": "t"}))).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_not_there_opens_the_breaker() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let house = house(vec![over_http(format!("http://{gone}/mcp"))]);
    for _ in 0..5 {
        let failure = house.call("tools/call", json!({"name": "t"})).await.unwrap_err();
        assert_eq!(failure.fault.code, Code::UpstreamUnreachable);
    }
    let failure = house.call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::NoTarget);
    assert!(failure.fault.retry_after_secs.is_some());
    house.links.reset("it");
    assert_eq!(house.call("ping", Value::Null).await.unwrap_err().fault.code, Code::UpstreamUnreachable);
}

#[tokio::test]
async fn a_server_of_newer_revisions_only_is_named_as_such() {
    let script = serve(|asked| {
        json(
            400,
            &json!({"jsonrpc": "2.0", "id": asked.id(), "error": {
            "code": -32022, "message": "no", "data": {"supported": ["2099-01-01"], "requested": "2026-07-28"}}}),
        )
    })
    .await;
    let failure = of(&script).call("tools/call", json!({"name": "t"})).await.unwrap_err();
    assert!(failure.fault.message.contains("newer revisions"), "{}", failure.fault.message);
}

#[tokio::test]
async fn a_hello_from_memory_does_not_make_a_failing_server_look_well() {
    let script = modern(|_| vec![Step::Close]).await;
    let house = of(&script);
    for _ in 0..5 {
        house.link("ann").hello(&house.pool, &crate::people::client()).await.unwrap();
        assert_eq!(house.call("tools/call", json!({"name": "t"})).await.unwrap_err().fault.code, Code::UpstreamBroken);
    }
    assert_eq!(house.call("tools/call", json!({"name": "t"})).await.unwrap_err().fault.code, Code::NoTarget);
}
