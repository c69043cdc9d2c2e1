//! `gatehouse export` and `apply`, which undo each other, and the audit log as a file that anybody can verify.

use gatehouse_tests::{Dialect, House, KEY_OF_ADMIN, Upstream, run_cli};
use serde_json::json;

/// One object of each kind that can be made without a server of its own.
const OBJECTS: &str = r#"
organisations: {acme: {tags: {cost: "7"}}}
teams: {support: {organisation: acme, members: [ann]}}
users: {ann: {email: ann@example.com, organisation: acme}}
service_accounts: {nightly: {team: support}}
agents: {billing: {team: support, owner: ann}}
providers: {lab: {kind: openai, api_key: "${secret:openai}"}}
models: {lab-fast: {targets: [{provider: lab, model: gpt-5-mini}]}}
prices: {overrides: {lab/gpt-5-mini: {input: 1, output: 2, tiers: [{above: 1000, input: 2}], changes: [{from: 2027-01-01, input: 2, output: 3}]}}}
policies: [{name: open, text: "permit (principal, action, resource);"}]
limits: [{name: runs, on: run, limits: [{requests: 1000, per: day}]}]
guardrails: [{name: watch, on: [request], detect: webhook, action: block, fail: open, url: "https://hook.example.com", token: a-token-of-the-webhook}]
mcp_servers: {git: {url: "http://127.0.0.1:9/mcp", auth: {bearer: "${secret:openai}"}}}
toolsets: {work: {tools: ["git.*"]}}
"#;

#[test]
fn an_export_of_every_kind_applied_again_changes_nothing() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let _set = gate.run(&["secrets", "set", "openai"], "sk-the-secret-of-the-test");
    gate.write("objects.yaml", OBJECTS);
    let by_url = |arguments: &[&str]| {
        let url = gate.url();
        let place = ["--url", &*url, "--key", KEY_OF_ADMIN];
        let output = run_cli(&[arguments, &place[..]].concat());
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    };
    let file = |name: &str| gate.folder().join(name).display().to_string();
    let dry = by_url(&["apply", "-f", &file("objects.yaml"), "--dry-run"]);
    assert_eq!(dry.matches("created").count(), 13, "{dry}");
    assert_eq!(gate.admin().get("/api/v1/teams/support").status, 404, "it was dry");
    by_url(&["apply", "-f", &file("objects.yaml")]);
    let exported = by_url(&["export"]);
    for shown in ["${secret:openai}", "organisation: acme", "name: watch", "2027-01-01"] {
        assert!(exported.contains(shown), "{shown} in {exported}");
    }
    for secret in ["sk-the-secret", "a-token-of"] {
        assert!(!exported.contains(secret) && !by_url(&["export", "--all"]).contains(secret), "{exported}");
    }
    gate.write("exported.yaml", &exported);
    let again = by_url(&["apply", "-f", &file("exported.yaml"), "--prune"]);
    assert_eq!((again.matches("unchanged").count(), again.lines().count()), (13, 13), "{again}");
    gate.write("fewer.yaml", "policies: [{name: open, text: \"permit (principal, action, resource);\"}]");
    let pruned = by_url(&["apply", "-f", &file("fewer.yaml"), "--prune", "--dry-run"]);
    assert_eq!(pruned.matches("deleted").count(), 12, "{pruned}");
    by_url(&["apply", "-f", &file("fewer.yaml"), "--prune"]);
    assert_eq!(gate.admin().get("/api/v1/guardrails").json()["rows"], json!([]));
}

#[test]
fn the_audit_log_is_exported_through_a_gateway_and_verified_from_the_file() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    drop(gate.admin().put("/api/v1/teams/support", &json!({})));
    let url = gate.url();
    let key = ["--url", &*url, "--key", KEY_OF_ADMIN];
    let export = run_cli(&[&["audit", "export"][..], &key[..]].concat());
    assert!(export.status.success());
    let text = String::from_utf8(export.stdout).expect("text");
    assert!(text.contains("teams.put"), "{text}");
    gate.write("export.jsonl", &text);
    let file = gate.folder().join("export.jsonl").display().to_string();
    assert!(run_cli(&["audit", "verify", "--file", &file]).status.success());
    gate.write("export.jsonl", &text.replacen("teams.put", "teams.get", 1));
    assert!(!run_cli(&["audit", "verify", "--file", &file]).status.success());
}
