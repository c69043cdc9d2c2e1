//! Policies in Cedar: who may call what, under which circumstances, and how they are told.

use std::time::Instant;

use gatehouse_tests::{Dialect, Gate, House, PATIENCE, Response, Upstream, run_cli};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;
const ALL: &str = "permit (principal, action, resource is Model);";
const SUPPORT: &str = "gk_test_support_00000000000000000";

/// Two models, a key of nobody and one of the team `support`, and these policies besides one that permits all models.
fn house(upstream: &Upstream, dialect: Dialect, policies: &[&str]) -> House {
    let policies: Vec<&str> = [ALL].iter().chain(policies).copied().collect();
    House::with_one(dialect, upstream)
        .model("big", &["only/big-model"])
        .key(json!({"name": "support-bot", "secret": SUPPORT, "team": "support"}))
        .set("/policies", json!(policies))
}

const NO_BIG_FOR_SUPPORT: &str =
    r#"@id("no-big-for-support") forbid (principal in Team::"support", action, resource == Model::"big");"#;

each_dialect!(a_forbid_by_team_is_told_in_the_callers_dialect_with_the_policys_name, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, dialect, &[NO_BIG_FOR_SUPPORT]).start();
    let support = gate.stranger().key(SUPPORT);
    let told = support.ask(dialect, "big", "Hello?").refused(dialect, 403);
    assert!(told.contains("`no-big-for-support`"), "{told}");
    assert_eq!(support.ask(dialect, "fast", "Hello?").status, 200);
    assert_eq!(gate.client().ask(dialect, "big", "Hello?").status, 200);
    assert_eq!(upstream.served(), 2);
});

#[test]
fn a_forbid_by_tag_looks_at_the_tags_of_the_call() {
    let upstream = Upstream::start();
    let policy = r#"@id("no-batch") forbid (principal, action, resource) when { context.tags.contains("job=batch") };"#;
    let gate = house(&upstream, CHAT, &[policy]).start();
    let told = gate.client().header("x-gatehouse-tags", "env=prod,job=batch").ask(CHAT, "fast", "Hello?");
    assert!(told.refused(CHAT, 403).contains("`no-batch`"));
    assert_eq!(gate.client().header("x-gatehouse-tags", "job=live").ask(CHAT, "fast", "Hello?").status, 200);
}

#[test]
fn a_forbid_by_time_holds_in_its_time_and_no_longer() {
    let upstream = Upstream::start();
    let over =
        r#"forbid (principal, action, resource == Model::"fast") when { context.now < datetime("2020-01-01") };"#;
    let begun = r#"@id("closed") forbid (principal, action, resource == Model::"big") when { context.now >= datetime("2020-01-01") };"#;
    let gate = house(&upstream, CHAT, &[over, begun]).start();
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    assert!(gate.client().ask(CHAT, "big", "Hello?").refused(CHAT, 403).contains("`closed`"));
}

#[test]
fn once_policies_name_models_what_none_permits_is_refused() {
    let upstream = Upstream::start();
    let only = r#"permit (principal, action, resource == Model::"fast");"#;
    let gate = house(&upstream, CHAT, &[]).set("/policies", json!([only])).start();
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    let told = gate.client().ask(CHAT, "big", "Hello?");
    assert_eq!(told.json()["error"]["code"], "policy_denied", "{}", told.text());
    assert!(told.refused(CHAT, 403).contains("No policy permits"));
}

#[test]
fn a_policy_widens_nothing_that_the_key_does_not_permit() {
    let upstream = Upstream::start();
    let narrow = json!({"name": "narrow", "secret": "gk_test_narrow_000000000000000000", "models": ["fast"]});
    let gate = house(&upstream, CHAT, &[]).key(narrow).start();
    let caller = gate.stranger().key("gk_test_narrow_000000000000000000");
    assert_eq!(caller.ask(CHAT, "big", "Hello?").json()["error"]["code"], "not_allowed");
}

#[test]
fn a_refused_model_is_neither_listed_nor_suggested() {
    let upstream = Upstream::start();
    let gate = house(&upstream, CHAT, &[NO_BIG_FOR_SUPPORT]).start();
    let support = gate.stranger().key(SUPPORT);
    assert_eq!(listed(&support.get("/v1/models")), ["fast"]);
    assert_eq!(listed(&gate.client().get("/v1/models")), ["big", "fast"]);
    let told = support.ask(CHAT, "bigg", "Hello?").refused(CHAT, 404);
    assert!(!told.contains("`big`"), "{told}");
    assert!(gate.client().ask(CHAT, "bigg", "Hello?").refused(CHAT, 404).contains("`big`"));
}

fn listed(answer: &Response) -> Vec<String> {
    let listing = answer.json();
    let models = listing["data"].as_array().unwrap_or_else(|| panic!("models in {listing}"));
    let mut names: Vec<String> = models.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_deciding_policy_stands_in_the_request_log() {
    let upstream = Upstream::start();
    let gate = house(&upstream, CHAT, &[NO_BIG_FOR_SUPPORT]).start();
    assert_eq!(gate.stranger().key(SUPPORT).ask(CHAT, "big", "Hello?").status, 403);
    let line = gate.wait_for_log("the refused call", |line| line["error_type"] == "policy_denied");
    assert!(line.to_string().contains("no-big-for-support"), "{line}");
}

#[test]
fn check_names_the_line_and_column_of_a_bad_policy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.yaml");
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(&file, "policies: [policies/*.cedar]\n").unwrap();
    let text = format!("{ALL}\nforbid (principal, action == Action::\"call_modle\", resource);\n");
    std::fs::write(folder.path().join("policies/teams.cedar"), text).unwrap();
    let output = run_cli(&["check", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("policies/teams.cedar:2:") && said.contains("call_model"), "{said}");
}

#[test]
fn a_policy_file_that_changes_is_read_again_and_a_bad_one_leaves_the_last_good_one() {
    let upstream = Upstream::start();
    let mut gate = house(&upstream, CHAT, &[]).set("/policies", json!(["*.cedar"])).start();
    gate.write("teams.cedar", &format!("{ALL}\n{NO_BIG_FOR_SUPPORT}"));
    wait_for(&gate, "big", 403);
    gate.write("teams.cedar", "permit (principal, action resource);");
    let line = gate.wait_for_log("the reason of the refusal", |line| line.to_string().contains("teams.cedar:1:"));
    assert!(line.to_string().contains("last good"), "{line}");
    wait_for(&gate, "big", 403);
    gate.kill9();
    gate.restart();
    wait_for(&gate, "big", 403);
    gate.write("teams.cedar", ALL);
    wait_for(&gate, "big", 200);
}

/// Calls as the team `support` until this model answers with this status.
#[track_caller]
fn wait_for(gate: &Gate, model: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while gate.stranger().key(SUPPORT).ask(CHAT, model, "Hello?").status != status {
        assert!(Instant::now() < deadline, "{model} never answered {status}:\n{}", gate.logs());
    }
}

#[test]
fn explain_says_which_policy_decided_through_the_api_and_on_the_command_line() {
    let upstream = Upstream::start();
    let gate = house(&upstream, CHAT, &[NO_BIG_FOR_SUPPORT]).start();
    let asked = json!({"key": "support-bot", "action": "call_model", "resource": "big"});
    let answer = gate.admin().post("/api/v1/policy/explain", &asked).json();
    assert_eq!((&answer["allow"], &answer["basis"]), (&json!(false), &json!("forbidden")), "{answer}");
    assert_eq!(answer["deciding"][0]["id"], "no-big-for-support");
    assert_eq!(answer["principal"], "Key::\"support-bot\"");
    let rows = gate.rows(&["policy", "explain", "--team", "support", "--resource", "big"]);
    assert_eq!(rows[0]["deciding"][0]["id"], "no-big-for-support", "{rows:?}");
    let rows = gate.rows(&["policy", "explain", "--key-id", "test", "--resource", "big"]);
    assert_eq!(rows[0]["allow"], json!(true), "{rows:?}");
}

#[test]
fn a_replay_lists_what_a_new_set_would_have_changed() {
    let upstream = Upstream::start();
    let gate = house(&upstream, CHAT, &[]).start();
    for (key, model) in [(SUPPORT, "big"), (SUPPORT, "big"), (SUPPORT, "fast"), (gatehouse_tests::KEY, "big")] {
        assert_eq!(gate.stranger().key(key).ask(CHAT, model, "Hello?").status, 200);
    }
    assert_eq!(gate.ledger_of(4).len(), 4);
    let policies = json!([{"name": "new.cedar", "text": format!("{ALL}\n{NO_BIG_FOR_SUPPORT}")}]);
    let report = gate.admin().post("/api/v1/policy/replay", &json!({"policies": policies, "since": "1h"})).json();
    let counts = ["calls", "unchanged", "allow_to_deny", "deny_to_allow"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [4, 2, 2, 0], "{report}");
    let change = &report["changes"][0];
    assert_eq!((&change["calls"], &change["key"], &change["model"]), (&json!(2), &json!("support-bot"), &json!("big")));
    assert_eq!(change["after"], json!(["no-big-for-support"]));
    gate.write("new.txt.cedar", &format!("{ALL}\n{NO_BIG_FOR_SUPPORT}"));
    let rows = gate.rows(&["policy", "replay", "--policies", "new.txt.cedar", "--since", "1h"]);
    assert_eq!(rows[0]["calls"], json!(2), "{rows:?}");
    let wrong = json!({"policies": [{"name": "new.cedar", "text": "permit ("}]});
    let told = gate.admin().post("/api/v1/policy/replay", &wrong);
    assert!(told.status == 400 && told.text().contains("new.cedar:1:"), "{}", told.text());
}

const TESTS: &str = r#"
policies: ["*.cedar"]
models:
  big: {targets: [claude/claude-opus-4-5]}
principals:
  ann: {user: ann, team: support}
cases:
  - {name: ann may not, principal: ann, action: call_model, resource: big, expect: deny, by: no-big-for-support}
  - {name: sales may, principal: {team: sales}, action: call_model, resource: big, expect: allow}
"#;

#[test]
fn policy_tests_pass_and_fail_with_the_exit_code_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.cedar"), format!("{ALL}\n{NO_BIG_FOR_SUPPORT}")).unwrap();
    let tests = folder.path().join("tests.yaml");
    let run = |text: &str| {
        std::fs::write(&tests, text).unwrap();
        run_cli(&["policy", "test", tests.to_str().unwrap(), "--output", "json"])
    };
    let passed = run(TESTS);
    assert!(passed.status.success(), "{}", String::from_utf8_lossy(&passed.stderr));
    let failed = run(&TESTS.replace("expect: allow", "expect: deny"));
    assert_eq!(failed.status.code(), Some(1));
    let rows: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!((&rows["rows"][0]["result"], &rows["rows"][1]["result"]), (&json!("ok"), &json!("FAILED")));
    let other = run(&TESTS.replace("by: no-big-for-support", "by: another"));
    assert_eq!(other.status.code(), Some(1), "the right decision for the wrong reason is a failure");
}

#[test]
fn a_wrong_case_of_a_policy_test_is_named_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let tests = folder.path().join("tests.yaml");
    std::fs::write(&tests, TESTS.replace("expect: allow", "expects: allow")).unwrap();
    let refused = run_cli(&["policy", "test", tests.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("case 2: unknown field `expects`"), "{told}");
}

#[test]
fn a_policy_test_without_cases_is_refused_and_an_empty_file_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let tests = folder.path().join("tests.yaml");
    for text in ["", "# nothing yet\n", "cases: []\n"] {
        std::fs::write(&tests, text).unwrap();
        let refused = run_cli(&["policy", "test", tests.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && told.contains("has no cases"), "{text:?}: {told}");
    }
}

#[test]
fn the_schema_is_printed_as_it_is_published() {
    let output = run_cli(&["policy", "schema"]);
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("entity Team in [Organisation]")
    );
}
