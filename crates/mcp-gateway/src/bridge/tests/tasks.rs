//! Tasks of 2025-11-25 in the words of the extension.

use serde_json::{Value, json};

use super::raw;
use crate::bridge::questions::{Ask, Question};
use crate::bridge::tasks::{self, Inlined, Status};
use crate::era::meta::key;
use crate::wire::{RpcError, code};

fn task(status: &str) -> Value {
    json!({ "taskId": "1", "status": status, "createdAt": "c", "lastUpdatedAt": "u", "ttl": 60_000, "pollInterval": 5 })
}

fn detailed(status: &str, inlined: Inlined) -> Value {
    tasks::detailed(&raw(&task(status)), "ours", inlined).value()
}

#[test]
fn a_call_asks_for_a_task_that_is_kept_for_as_long_as_is_said() {
    let params = raw(&json!({ "name": "t" }));
    assert_eq!(tasks::asking(&params, None).value(), json!({ "name": "t", "task": {} }));
    assert_eq!(tasks::asking(&params, Some(9)).value()["task"], json!({ "ttl": 9 }));
}

#[test]
fn what_a_call_became_is_flat_and_its_times_say_their_unit() {
    let meta = json!({ "x/y": 1 });
    let created = tasks::created(&raw(&json!({ "task": task("working"), "_meta": meta, "resultType": "complete" })));
    let expected = json!({ "taskId": "1", "status": "working", "createdAt": "c", "lastUpdatedAt": "u", "ttlMs": 60_000,
        "pollIntervalMs": 5, "resultType": "task", "_meta": meta });
    assert_eq!(created.value(), expected);
    let plain = raw(&json!({ "content": [], "task": "a word" }));
    assert_eq!(tasks::created(&plain), plain, "a result that is no task");
}

#[test]
fn a_task_without_a_time_is_kept_without_end_and_what_is_no_whole_time_is_none() {
    let told = |ttl: Value, pause: Value| {
        let task = json!({ "taskId": "1", "ttl": ttl, "pollInterval": pause, "requestState": "s", "error": 1 });
        tasks::created(&raw(&json!({ "task": task }))).value()
    };
    for ttl in [json!(null), json!(0.5), json!(-1)] {
        assert_eq!(told(ttl, json!(0)), json!({ "taskId": "1", "ttlMs": null, "resultType": "task" }));
    }
    assert_eq!(told(json!(1e3), json!(2.0))["ttlMs"], 1000);
}

#[test]
fn what_a_task_has_come_to_is_in_it() {
    let related = json!({ key::RELATED_TASK: { "taskId": "1" } });
    let result = |meta: Value| Inlined::End(Ok(raw(&json!({ "content": [], "_meta": meta }))));
    let ended = detailed("failed", result(related));
    assert_eq!((&ended["status"], &ended["result"]), (&json!("completed"), &json!({ "content": [] })));
    assert_eq!(ended["taskId"], "ours");
    let kept = detailed("completed", result(json!({ "a": 1, key::RELATED_TASK: {} })));
    assert_eq!(kept["result"]["_meta"], json!({ "a": 1 }));
    let failed = detailed("failed", Inlined::End(Err(RpcError::new(code::INTERNAL, "no"))));
    assert_eq!((&failed["status"], &failed["error"]["message"]), (&json!("failed"), &json!("no")));
    assert_eq!(detailed("cancelled", Inlined::Nothing)["status"], "cancelled");
}

#[test]
fn a_task_waits_for_answers_only_where_somebody_is_asked() {
    let question = Question { key: "k".into(), ask: Ask::Roots, params: None };
    let asked = detailed("input_required", Inlined::Questions(vec![question]));
    assert_eq!(
        (&asked["status"], &asked["inputRequests"]["k"]["method"]),
        (&json!("input_required"), &json!("roots/list"))
    );
    let silent = detailed("input_required", Inlined::Questions(Vec::new()));
    assert_eq!((&silent["status"], &silent["inputRequests"]), (&json!("working"), &Value::Null));
}

#[test]
fn the_end_of_a_task_of_the_extension_is_its_result_or_its_error() {
    let end = |task: Value| tasks::end(&raw(&task));
    assert_eq!(end(json!({ "status": "working" })), None);
    assert_eq!(
        end(json!({ "status": "completed", "result": { "a": 1 } })).unwrap().unwrap().value(),
        json!({ "a": 1 })
    );
    let error = json!({ "code": 7, "message": "no", "data": [1] });
    assert_eq!(end(json!({ "status": "failed", "error": error })).unwrap().unwrap_err().raw().value(), error);
    assert!(end(json!({ "status": "cancelled" })).unwrap().is_err());
    assert_eq!(end(json!({ "status": "completed" })), None, "and no end without either");
}

#[test]
fn only_what_lacks_the_extension_alone_is_called_again_with_it() {
    let lacks = |required: Value| {
        let data = raw(&json!({ "requiredCapabilities": required }));
        tasks::is_all_that_lacks(&RpcError::new(code::MISSING_CAPABILITY, "m").with_data(data))
    };
    assert!(lacks(json!({ "extensions": { tasks::EXTENSION: {} } })));
    assert!(!lacks(json!({ "extensions": { tasks::EXTENSION: {}, "x/y": {} } })));
    assert!(!lacks(json!({ "extensions": { tasks::EXTENSION: {} }, "sampling": {} })));
    assert!(!lacks(json!({})));
}

#[test]
fn the_words_for_how_a_task_stands_are_those_of_both_eras() {
    for word in ["working", "input_required", "completed", "failed", "cancelled"] {
        assert_eq!(Status::of(&raw(&json!({ "status": word }))).map(Status::as_str), Some(word));
    }
    assert_eq!(Status::of(&raw(&json!({ "status": "Working" }))), None);
}
