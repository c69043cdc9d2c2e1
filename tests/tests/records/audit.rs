//! The audit log, from the act to the proof that nobody changed it.

use gatehouse_tests::{Dialect, House, Upstream, run_cli};
use serde_json::{Value, json};

use super::rows;

#[test]
fn a_refused_call_is_an_entry_and_a_flood_of_them_is_ten_and_a_count() {
    let upstream = Upstream::start();
    let mut gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    for _ in 0..50 {
        assert_eq!(gate.stranger().key("nobodys-key").ask(Dialect::OpenAiChat, "fast", "Hello?").status, 401);
    }
    let entries = rows(&gate, "/api/v1/audit?action=call.*", 10);
    assert_eq!((&entries[0]["code"], &entries[0]["outcome"]), (&json!("unknown_key"), &json!("refused")));
    gate.terminate();
    assert!(gate.wait_for_exit().success());
    let entries = gate.rows(&["audit", "list", "--action", "call.*"]);
    let counted: u64 = entries.iter().map(|entry| entry["count"].as_u64().unwrap_or(1)).sum();
    // The fifty may have crossed the border of a minute.
    assert!(counted == 50 && entries.len() <= 22, "{counted} in {} entries", entries.len());
}

#[test]
fn a_key_made_by_the_api_and_one_made_by_the_command_line_are_both_audited() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    assert_eq!(gate.admin().post("/api/v1/keys", &json!({"name": "by-api"})).status, 201);
    let made = gate.rows(&["keys", "create", "by-cli"]);
    let entries = rows(&gate, "/api/v1/audit?action=keys.create&outcome=done", 2);
    assert_eq!(entries[0]["object"]["name"], made[0]["id"]);
    assert_eq!((&entries[0]["actor"]["address"], &entries[1]["actor"]["who"]), (&json!("cli"), &json!("admin_key")));
}

#[test]
fn start_stop_and_a_changed_file_are_acts() {
    let upstream = Upstream::start();
    let house = House::with_one(Dialect::OpenAiChat, &upstream);
    let mut gate = house.start();
    gate.rewrite_config("not: [a, configuration");
    rows(&gate, "/api/v1/audit?action=config.reload&outcome=failed", 1);
    gate.rewrite_config(&house.file());
    rows(&gate, "/api/v1/audit?action=config.reload&outcome=done", 1);
    gate.terminate();
    assert!(gate.wait_for_exit().success());
    let actions: Vec<Value> =
        gate.rows(&["audit", "list", "--actor", "gateway"]).into_iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!((&actions[0], &actions[actions.len() - 1]), (&json!("gateway.stop"), &json!("gateway.start")));
}

#[test]
fn a_log_that_was_tampered_with_is_found_out_in_the_folder_and_in_the_export() {
    let upstream = Upstream::start();
    let mut gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    for name in ["a", "b", "c"] {
        assert_eq!(gate.admin().post("/api/v1/keys", &json!({"name": name})).status, 201);
    }
    gate.kill9();
    let report = gate.rows(&["audit", "verify"]);
    assert_eq!((&report[0]["sound"], &report[0]["signed_to"]), (&json!(true), &report[0]["last"]), "{report:?}");
    let export = gate.run(&["audit", "export", "--output", "json"], "");
    let file = gate.folder().join("export.jsonl");
    let verify = |text: &str, key: &str| {
        std::fs::write(&file, text).expect("written");
        run_cli(&["audit", "verify", "--file", file.to_str().expect("a path"), "--public-key", key]).status.success()
    };
    let key = report[0]["public_key"].as_str().expect("a key");
    assert!(verify(&export, key));
    assert!(!verify(&export.replacen("admin_key", "somebody", 1), key), "a changed entry");
    let without = |n: usize| {
        export.lines().enumerate().filter(|(at, _)| *at != n).map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    assert!(!verify(&without(export.lines().count() - 1), key), "an entry cut off");
    assert!(!verify(&without(export.lines().count() - 3), key), "an entry removed");
    assert!(!verify(&export, &"0".repeat(64)), "another installation's key");
}
