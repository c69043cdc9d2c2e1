//! Stored secrets by reference: `${secret:NAME}` in the file and in objects.

use std::time::Instant;

use gatehouse_tests::{Dialect, Gate, House, KEY_OF_ADMIN, PATIENCE, Upstream, run_cli};
use serde_json::json;

const CHAT: Dialect = Dialect::OpenAiChat;

/// A house whose provider's key is a stored secret.
fn house(upstream: &Upstream) -> House {
    let provider = json!({
        "kind": "openai-compatible", "base_url": format!("{}/v1", upstream.url()), "api_key": "${secret:provider-key}",
    });
    House::with_one(CHAT, upstream).set("/providers/mine", provider).model("slow", &["mine/some-model"])
}

fn secrets(gate: &Gate, action: &[&str], input: &str) -> String {
    gate.run(&[&["secrets"][..], action].concat(), input)
}

fn key_of_the_last_call(gate: &Gate, upstream: &Upstream) -> String {
    assert_eq!(gate.client().ask(CHAT, "slow", "Hello?").status, 200);
    let requests = upstream.requests();
    requests.last().expect("a request").header("authorization").expect("a key").to_owned()
}

#[test]
fn a_stored_secret_is_used_is_replaced_while_the_gateway_runs_and_is_never_told() {
    const VALUES: [&str; 3] = ["sk-first-0123456789", "sk-second-0123456789", "sk-third-0123456789"];
    let upstream = Upstream::start();
    let plain = House::with_one(CHAT, &upstream);
    let mut gate = plain.start();
    let _set = secrets(&gate, &["set", "provider-key"], VALUES[0]);
    gate.rewrite_config(&house(&upstream).file());
    let deadline = Instant::now() + PATIENCE;
    while gate.admin().get("/api/v1/providers/mine").status != 200 {
        assert!(Instant::now() < deadline, "the new file is in force");
    }
    assert_eq!(key_of_the_last_call(&gate, &upstream), format!("Bearer {}", VALUES[0]));
    let put = gate.admin().put("/api/v1/secrets/provider-key", &json!({"value": VALUES[1]}));
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(key_of_the_last_call(&gate, &upstream), format!("Bearer {}", VALUES[1]), "with the answer");
    gate.terminate();
    assert!(gate.wait_for_exit().success());
    gate.restart();
    assert_eq!(key_of_the_last_call(&gate, &upstream), format!("Bearer {}", VALUES[1]), "after a restart");
    let told = [
        gate.logs(),
        gate.admin().get("/api/v1/providers").text(),
        gate.admin().get("/api/v1/secrets").text(),
        gate.admin().get("/api/v1/audit").text(),
    ];
    assert!(!told.iter().any(|text| VALUES.iter().any(|value| text.contains(value))), "{told:?}");
    let refused = gate.admin().delete("/api/v1/secrets/provider-key");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &json!("still_referenced")));
}

#[test]
fn a_secret_nobody_stored_is_told_by_check_and_by_reload_with_its_place() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let _set = secrets(&gate, &["set", "provider-kee"], "sk-first-0123456789");
    gate.rewrite_config(&house(&upstream).file());
    let problem = gate.wait_for_log("a refusal", |line| line["level"] == "error" || line["level"] == "ERROR");
    let told = problem.to_string();
    assert!(
        told.contains("there is no secret `provider-key`") && told.contains("did you mean `provider-kee`"),
        "{told}"
    );
    let file = gate.folder().join("gatehouse.yaml").display().to_string();
    let check = run_cli(&["check", &file]);
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(!check.status.success() && told.contains("there is no secret `provider-key`"), "{told}");
    let _set = secrets(&gate, &["set", "provider-key"], "sk-first-0123456789");
    assert!(run_cli(&["check", &file]).status.success());
}

#[test]
fn secrets_are_kept_through_a_gateway_as_on_its_folder() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let url = gate.url();
    let place = ["--url", &*url, "--key", KEY_OF_ADMIN, "--output", "json"];
    gate.write("value.txt", "sk-from-a-file-0123\n");
    let file = gate.folder().join("value.txt").display().to_string();
    let run = |arguments: &[&str]| {
        let output = run_cli(&[arguments, &place[..]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(run(&["secrets", "set", "mine", "--from-file", &file]).contains("0123"));
    let listed = run(&["secrets", "list"]);
    assert!(listed.contains("\"mine\"") && !listed.contains("sk-from"), "{listed}");
    assert!(run(&["secrets", "rotate"]).contains("rewrapped"));
    assert!(!run(&["secrets", "delete", "mine"]).contains("\"mine\""));
}
