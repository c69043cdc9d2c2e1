//! Servers that are child processes.

use std::time::Duration;

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::{Id, Raw, Response};
use serde_json::{Value, json};

use crate::people::{House, child, client, house, next, outgoing};

/// A child that begins with `prelude`, answers `server/discover` as `era` says, and each call with what `handle(m)` prints.
fn script(era: &str, prelude: &str, handle: &str) -> Server {
    let handle = handle.replace('\n', "\n    ");
    let program = format!(
        r#"
import json, os, sys, time
def say(m): print(json.dumps(m)); sys.stdout.flush()
def result(m, r): say({{"jsonrpc": "2.0", "id": m["id"], "result": r}})
def error(m, code): say({{"jsonrpc": "2.0", "id": m["id"], "error": {{"code": code, "message": "no"}}}})
{prelude}
def handle(m):
    {handle}
for line in sys.stdin:
    m = json.loads(line)
    method = m.get("method")
    if method == "server/discover":
        if "{era}" == "modern": result(m, {{"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {{}}}})
        elif "{era}" == "fragile": sys.exit(3)
        elif "{era}" != "mute": error(m, -32601)
    elif method == "initialize": result(m, {{"protocolVersion": "2025-06-18", "capabilities": {{}}, "serverInfo": {{"name": "c", "version": "1"}}}})
    elif method != "notifications/initialized": handle(m)
"#
    );
    child(&["python3", "-u", "-c", &program])
}

const ECHO: &str = r#"result(m, {"content": [], "said": m.get("params")})"#;

async fn hello(house: &House) -> String {
    house.link("ann").hello(&house.pool, &client()).await.map_err(|failure| failure.fault).unwrap().revision.to_string()
}

#[tokio::test]
async fn a_modern_child_is_known_by_its_answer_and_told_everything_each_time() {
    let house = house(vec![script("modern", "", ECHO)]);
    assert_eq!(hello(&house).await, "2026-07-28");
    let said = house.call("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(said["result"]["said"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
}

#[tokio::test]
async fn a_child_that_refuses_dies_of_or_ignores_the_first_question_is_of_the_older_era() {
    for era in ["legacy", "fragile", "mute"] {
        let house = house(vec![script(era, "", ECHO)]);
        assert_eq!(hello(&house).await, "2025-06-18", "{era}");
        let said = house.call("tools/call", json!({"name": "t"})).await.unwrap();
        assert!(said["result"]["said"]["_meta"].is_null(), "{era}");
    }
}

#[tokio::test]
async fn answers_find_their_calls_in_any_order() {
    let later = "held = globals().setdefault('held', [])\nheld.append(m)\nif len(held) == 2:\n    for h in reversed(held): result(h, {'name': h['params']['name']})";
    let house = house(vec![script("legacy", "", later)]);
    let link = house.link("ann");
    let mut first = link.ask(&house.pool, outgoing(1, "tools/call", json!({"name": "one"}))).await.unwrap();
    let mut second = link.ask(&house.pool, outgoing(2, "tools/call", json!({"name": "two"}))).await.unwrap();
    assert_eq!(next(&mut first).await["result"]["name"], "one");
    assert_eq!(next(&mut second).await["result"]["name"], "two");
}

#[tokio::test]
async fn garbage_is_counted_and_passed_over_and_standard_error_is_kept() {
    let prelude =
        "print('Starting up...'); print('{\"half\":'); print('[]', flush=True); print('oh dear', file=sys.stderr)";
    let house = house(vec![script("legacy", prelude, ECHO)]);
    house.call("tools/call", json!({"name": "t"})).await.unwrap();
    let state = house.link("ann").state();
    assert_eq!(state.garbage, 3);
    assert!(state.stderr.iter().any(|line| line == "oh dear"), "{:?}", state.stderr);
}

#[tokio::test]
async fn a_line_longer_than_a_message_may_be_fails_the_call_it_was_for_and_no_other() {
    let long = r#"result(m, {"text": "x" * (50000 if m["params"]["name"] == "long" else 5)})"#;
    let mut server = script("legacy", "", long);
    server.caps.message_bytes = 10_000;
    let house = house(vec![server]);
    let failure = house.call("tools/call", json!({"name": "long"})).await.unwrap_err();
    assert!(failure.fault.message.contains("10000 bytes"), "{}", failure.fault.message);
    house.call("tools/call", json!({"name": "short"})).await.unwrap();
}

#[tokio::test]
async fn a_child_that_ends_in_the_middle_fails_the_call_and_is_started_again_by_the_next() {
    let house = house(vec![script(
        "legacy",
        "",
        "if m['params']['name'] == 'crash': os._exit(9)\nresult(m, {'pid': os.getpid()})",
    )]);
    let first = house.call("tools/call", json!({"name": "t"})).await.unwrap();
    let failure = house.call("tools/call", json!({"name": "crash"})).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamBroken);
    let second = house.call("tools/call", json!({"name": "t"})).await.unwrap();
    assert_ne!(first["result"]["pid"], second["result"]["pid"]);
    assert_eq!(house.link("ann").state().restarts, 1);
}

#[tokio::test]
async fn a_child_that_ends_at_once_is_started_ever_later() {
    let house = house(vec![child(&["sh", "-c", "echo broken >&2; exit 1"])]);
    for _ in 0..2 {
        assert_eq!(house.call("tools/call", Value::Null).await.unwrap_err().fault.code, Code::UpstreamBroken);
    }
    let failure = house.call("tools/call", Value::Null).await.unwrap_err();
    assert!(failure.fault.retry_after_secs.is_some(), "{}", failure.fault.message);
    assert!(house.link("ann").state().stderr.contains(&"broken".to_owned()));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named_as_such() {
    let failure = house(vec![child(&["/no/such/program"])]).call("tools/call", Value::Null).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamUnreachable);
    assert!(failure.fault.message.contains("no such program"));
}

#[tokio::test]
async fn a_child_that_never_answers_is_given_up_in_time() {
    let mut server = child(&["sleep", "1000"]);
    server.caps.connect = Duration::from_millis(300);
    let failure = house(vec![server]).call("tools/call", Value::Null).await.unwrap_err();
    assert_eq!(failure.fault.code, Code::UpstreamTimeout);
}

#[tokio::test]
async fn who_drops_the_exchange_tells_the_child_so_in_either_era() {
    for era in ["legacy", "modern"] {
        let note = "seen = globals().setdefault('seen', [])\nif 'id' not in m: seen.append(m)\nelif m['params']['name'] == 'seen': result(m, {'seen': seen})";
        let house = house(vec![script(era, "", note)]);
        drop(house.ask("tools/call", json!({"name": "slow"})).await.unwrap());
        let seen = house.call("tools/call", json!({"name": "seen"})).await.unwrap();
        assert_eq!(seen["result"]["seen"][0]["method"], "notifications/cancelled", "{era}");
        assert_eq!(seen["result"]["seen"][0]["params"]["requestId"], 1);
    }
}

#[tokio::test]
async fn questions_go_to_the_call_under_way_and_their_answers_back_to_the_child() {
    let ask = "if m.get('method'): globals()['call'] = m; say({'jsonrpc': '2.0', 'id': 'q', 'method': 'roots/list'})\nelse: result(call, m['result'])";
    let house = house(vec![script("legacy", "", ask)]);
    let mut exchange = house.ask("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(next(&mut exchange).await["method"], "roots/list");
    let roots = Response::result(Id::Text("q".into()), Raw::of(&json!({"roots": []})));
    house.link("ann").answer(&house.pool, &client(), roots).await.unwrap();
    assert_eq!(next(&mut exchange).await["result"], json!({"roots": []}));
}

#[tokio::test]
async fn a_child_is_given_its_environment_and_inherits_none() {
    let house = house(vec![script("legacy", "", "result(m, dict(os.environ))")]);
    let seen = house.call("tools/call", json!({"name": "t"})).await.unwrap();
    let seen = seen["result"].as_object().unwrap();
    assert_eq!(seen["GIVEN"], "given");
    // The tests themselves run with plenty of these.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")));
    assert!(!seen.keys().any(|name| name.starts_with("CARGO")), "{seen:?}");
}

#[tokio::test]
async fn to_close_a_link_ends_the_child_and_everything_it_started_however_stubborn() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let stubborn = format!(
        "import signal, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nc = subprocess.Popen(['sleep', '1000'])\nopen({file:?}, 'w').write(f'{{os.getpid()}} {{c.pid}}')"
    );
    let house = house(vec![script("legacy", &stubborn, "time.sleep(1000)")]);
    assert_eq!(hello(&house).await, "2025-06-18");
    let stuck = house.ask("tools/call", json!({"name": "t"})).await.unwrap();
    house.links.close().await;
    drop(stuck);
    let pids = std::fs::read_to_string(&file).unwrap();
    let alive = || pids.split(' ').filter(|pid| running(pid)).count();
    let gone = async {
        while alive() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("children are left");
}

/// Does this process run, and not merely wait to be taken leave of?
fn running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
