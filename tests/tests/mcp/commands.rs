//! Programs that serve MCP: only the configuration file may name one, no shell ever reads its arguments, and none outlives the
//! gateway.

use gatehouse_tests::mcp::StdioScript;
use gatehouse_tests::{Gate, House};
use serde_json::{Value, json};

use super::{modern_one, other};

/// A house with this child as server `s`.
fn with_child(child: &StdioScript) -> House {
    House::new()
        .key(json!({"name": "other", "secret": super::OTHER_KEY}))
        .set("/mcp_servers/s", json!({"command": child.command(), "pins": "allow_new"}))
}

/// Row 1.
#[test]
fn no_api_starts_a_program() {
    let gate = House::new().start();
    let canary = gate.folder().join("canary");
    let server = json!({"command": ["touch", canary]});
    let whole = json!({"mcp_servers": {"evil": server}});
    for caller in [gate.stranger(), gate.client(), gate.admin()] {
        let attempts = [
            caller.send("PUT", "/api/v1/mcp_servers/evil", server.to_string().as_bytes()).response(),
            caller.send("PUT", "/api/v1/mcp_servers/evil?dry_run=true", server.to_string().as_bytes()).response(),
            caller
                .post("/api/v1/apply", &json!({"objects": [{"kind": "mcp_servers", "name": "evil", "body": server}]})),
            caller.post("/api/v1/apply?dry_run=true", &whole),
        ];
        for answer in attempts {
            assert!(answer.status >= 400, "{} {}", answer.status, answer.text());
        }
    }
    assert!(modern_one(&gate).at("/mcp/servers/evil").call("x", json!({})).is_refused());
    assert!(!canary.exists());
}

/// Row 2.
#[test]
fn no_shell_reads_what_a_program_is_started_with() {
    let child = StdioScript::new("modern");
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary");
    let mut command = child.command();
    command.as_array_mut().unwrap().push(json!(format!("$(touch {0}) ; touch {0} & `touch {0}`", canary.display())));
    let gate = House::new().set("/mcp_servers/s", json!({"command": command, "pins": "allow_new"})).start();
    assert_eq!(modern_one(&gate).call("echo", json!({"text": "started"})).said(), "started");
    assert!(!canary.exists());
}

/// Row 2.
#[test]
fn a_program_that_is_not_there_is_an_error_and_no_end() {
    let gate = House::new().set("/mcp_servers/s", json!({"command": ["no-such-program-anywhere"]})).start();
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.is_refused(), "{}", answer.text);
    assert_eq!(gate.client().get("/healthz").status, 200);
}

/// Row 2: what is in the gateway's environment is not in the child's.
#[test]
fn a_child_has_the_environment_it_was_given_and_no_other() {
    let child = StdioScript::new("modern").with("environment", json!("echo"));
    let gate = with_child(&child).set("/mcp_servers/s/env", json!({"TOKEN": "for-the-child"})).start();
    let environment = modern_one(&gate).call("echo", json!({})).said();
    let names: Vec<&str> = environment.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name)).collect();
    assert!(names.contains(&"TOKEN"), "{names:?}");
    let allowed = ["PATH", "HOME", "LANG", "TMPDIR", "TOKEN"];
    assert!(names.iter().all(|name| allowed.contains(name)), "{names:?}");
}

#[test]
fn a_child_of_each_era_serves_a_client_of_each_era() {
    for era in ["legacy", "modern"] {
        let child = StdioScript::new(era);
        let gate = with_child(&child).start();
        assert_eq!(modern_one(&gate).call("echo", json!({"text": era})).said(), era);
        assert_eq!(super::legacy_one(&gate).call("echo", json!({"text": era})).said(), era);
    }
}

#[test]
fn a_child_that_writes_nonsense_is_heard_all_the_same() {
    let child =
        StdioScript::new("legacy").with("garbage", json!("DEBUG: starting up")).with("complaint", json!("hello"));
    let gate = with_child(&child).start();
    assert_eq!(modern_one(&gate).call("echo", json!({"text": "through"})).said(), "through");
}

#[test]
fn a_child_that_dies_in_a_call_is_an_error_and_is_started_anew() {
    let child = StdioScript::new("legacy").with("dies_on", json!("prompts/get"));
    let gate = with_child(&child).start();
    let answer = modern_one(&gate).request("prompts/get", json!({"name": "greet"}));
    assert!(answer.is_refused(), "{}", answer.text);
    assert_eq!(modern_one(&gate).call("echo", json!({"text": "again"})).said(), "again");
    assert!(child.pids().len() >= 2);
}

/// Row 8, for children: the process of a server with sessions is one caller's.
#[test]
fn two_callers_never_share_a_child_that_keeps_sessions() {
    let child = StdioScript::new("legacy");
    let gate = with_child(&child).start();
    for client in [gate.client(), other(&gate)] {
        assert_eq!(modern_one(&gate).calling_as(&client).call("echo", json!({"text": "me"})).said(), "me");
    }
    let calls: Vec<Value> = child.seen().into_iter().filter(|line| line["line"]["method"] == "tools/call").collect();
    assert_ne!(calls[0]["pid"], calls[1]["pid"]);
}

/// No child outlives the gateway, however it ends; nor does a child's own child.
#[test]
fn no_child_outlives_the_gateway() {
    let end: [fn(&mut Gate); 2] = [Gate::kill9, |gate| {
        gate.terminate();
        gate.wait_for_exit();
    }];
    for end in end {
        let child = StdioScript::new("legacy").with("deaf", json!(true));
        let mut gate = with_child(&child).start();
        assert_eq!(modern_one(&gate).call("echo", json!({"text": "here"})).said(), "here");
        assert!(!child.living().is_empty());
        end(&mut gate);
        child.wait_for_no_process();
    }
}

#[test]
fn a_childs_child_ends_with_it() {
    let child = StdioScript::new("legacy").with("grandchild", json!(true));
    let mut gate = with_child(&child).start();
    assert_eq!(modern_one(&gate).call("echo", json!({"text": "here"})).said(), "here");
    assert!(child.living().len() >= 2);
    gate.terminate();
    gate.wait_for_exit();
    child.wait_for_no_process();
}
