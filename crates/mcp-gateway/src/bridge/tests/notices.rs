//! Notifications, subscriptions, tasks and tools.

use serde_json::{Value, json};

use super::{LEGACY, MODERN, OLD, raw};
use crate::bridge::listen::{self, Filter, NAMED_MAX};
use crate::bridge::notices::{self, Notice};
use crate::bridge::tasks;
use crate::bridge::tools::tool;
use crate::era::meta::key;
use crate::era::{LogLevel, Method};
use crate::wire::{Id, Notification, Raw, code};

fn notification(method: &str, params: Value) -> Notification {
    Notification::new(method, Some(raw(&params)))
}

#[test]
fn notifications_are_told_apart() {
    let of = |method: &str, params: Value| Notice::of(&notification(method, params));
    assert_eq!(of("notifications/progress", json!({ "progressToken": 1.0 })), Notice::Progress(Id::Number(1)));
    assert_eq!(of("notifications/message", json!({ "level": "error" })), Notice::Log(LogLevel::Error));
    assert_eq!(of("notifications/cancelled", json!({ "requestId": "r" })), Notice::Cancelled(Id::Text("r".into())));
    assert_eq!(of("notifications/resources/updated", json!({ "uri": "a:b" })), Notice::Updated("a:b".into()));
    assert_eq!(of("notifications/progress", json!({})), Notice::Other);
    assert!(Notice::ElicitationComplete.is_known_to(LEGACY) && !Notice::ElicitationComplete.is_known_to(MODERN));
    assert!(!Notice::RootsChanged.is_known_to(MODERN) && !Notice::Acknowledged.is_known_to(LEGACY));
    assert!(!Notice::TaskStatus("t".into()).is_known_to(MODERN) && !Notice::Task("t".into()).is_known_to(LEGACY));
}

#[test]
fn tokens_and_ids_are_changed_in_place() {
    let progress = Raw::trusted(r#"{"progress":0.50, "progressToken":1}"#.into());
    let progress = Notification::new("notifications/progress", Some(progress));
    let renamed = notices::with_token(&progress, &Id::Text("p".into()));
    assert_eq!(renamed.params.unwrap().as_json(), r#"{"progress":0.50, "progressToken":"p"}"#);
    let cancelled = notices::cancelled(&Id::Number(4), Some("late"));
    assert_eq!(cancelled.params.unwrap().value(), json!({ "requestId": 4, "reason": "late" }));
    let updated =
        notices::with_uri(&notification("notifications/resources/updated", json!({ "uri": "a:b", "x": 1 })), "c:d");
    assert_eq!(updated.params.unwrap().value(), json!({ "uri": "c:d", "x": 1 }));
}

#[test]
fn a_notification_belongs_to_its_subscription() {
    let changed = Notification::new("notifications/tools/list_changed", None);
    let tagged = notices::with_subscription(&changed, &Id::Text("l1".into()));
    assert_eq!(notices::subscription(&tagged), Some(Id::Text("l1".into())));
    assert_eq!(notices::subscription(&notices::without_subscription(&tagged)), None);
}

#[test]
fn a_filter_gets_what_it_asked_for_and_no_more() {
    let wanted = json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": false, "resourceSubscriptions": ["a:b"], "new": 1 } });
    let filter = Filter::read(Some(&raw(&wanted))).unwrap();
    assert!(filter.wants(&Notice::ToolsChanged) && !filter.wants(&Notice::PromptsChanged));
    assert!(filter.wants(&Notice::Updated("a:b".into())) && !filter.wants(&Notice::Updated("a:B".into())));
    let server = raw(&json!({ "tools": { "listChanged": true }, "resources": { "subscribe": false } }));
    let honoured = filter.honoured_by(&server);
    assert_eq!(honoured.write().as_json(), r#"{"toolsListChanged":true}"#);
    let acknowledged = honoured.acknowledged(&Id::Number(1)).params.unwrap().value();
    assert_eq!(
        acknowledged,
        json!({ "notifications": { "toolsListChanged": true }, "_meta": { key::SUBSCRIPTION_ID: 1 } })
    );
    assert_eq!(Filter::read(Some(&listen::params(&filter))).unwrap(), filter);
    assert!(Filter::default().is_empty() && !Filter::of_session().is_empty());
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    let many: Vec<String> = (0..=NAMED_MAX).map(|at| format!("a:{at}")).collect();
    for bad in [
        json!({}),
        json!({ "notifications": [] }),
        json!({ "notifications": { "toolsListChanged": "yes" } }),
        json!({ "notifications": { "resourceSubscriptions": "a:b" } }),
        json!({ "notifications": { "resourceSubscriptions": [1] } }),
        json!({ "notifications": { "resourceSubscriptions": many } }),
    ] {
        assert_eq!(Filter::read(Some(&raw(&bad))).unwrap_err().code(), code::INVALID_PARAMS);
    }
}

#[test]
fn a_subscription_ends_with_its_id() {
    let ended = listen::ended(&Id::Text("l".into()), None);
    assert_eq!(ended.as_json(), r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}"#);
}

#[test]
fn task_ids_are_renamed_wherever_they_stand() {
    let renamed = |revision, method, result: Value| {
        tasks::rename_in_result(revision, method, &raw(&result), &mut |id| {
            (id != "theirs").then(|| format!("ours-{id}"))
        })
        .value()
    };
    assert_eq!(
        renamed(LEGACY, Method::ToolsCall, json!({ "task": { "taskId": "1", "ttl": null } })),
        json!({ "task": { "taskId": "ours-1", "ttl": null } })
    );
    assert_eq!(
        renamed(MODERN, Method::ToolsCall, json!({ "resultType": "task", "taskId": "1" })),
        json!({ "resultType": "task", "taskId": "ours-1" })
    );
    let listed = json!({ "tasks": [{ "taskId": "1" }, { "taskId": "theirs" }, {}] });
    assert_eq!(renamed(LEGACY, Method::TasksList, listed), json!({ "tasks": [{ "taskId": "ours-1" }] }));
    let related = json!({ "_meta": { key::RELATED_TASK: { "taskId": "1" } }, "taskId": "a tool's own", "structuredContent": { "taskId": "1" } });
    let expected = json!({ "_meta": { key::RELATED_TASK: { "taskId": "ours-1" } }, "taskId": "a tool's own", "structuredContent": { "taskId": "1" } });
    assert_eq!(renamed(LEGACY, Method::TasksResult, related), expected);
    let params = tasks::rename_in_params(&raw(&json!({ "taskId": "1", "x": 1 })), &mut |_| Some("2".into()));
    assert_eq!(params.value(), json!({ "taskId": "2", "x": 1 }));
}

#[test]
fn tools_are_shown_as_the_client_can_take_them() {
    let shown = |from, to, schema: Value| {
        tool(from, to, &raw(&json!({ "name": "t", "outputSchema": schema, "execution": {}, "x": 1 }))).value()
    };
    assert_eq!(shown(MODERN, LEGACY, json!({ "type": "array" })), json!({ "name": "t", "x": 1 }));
    assert_eq!(
        shown(MODERN, LEGACY, json!({ "type": "object" })),
        json!({ "name": "t", "outputSchema": { "type": "object" }, "x": 1 })
    );
    assert_eq!(shown(LEGACY, LEGACY, json!({ "type": "object" }))["execution"], json!({}));
    assert_eq!(shown(LEGACY, OLD, json!({ "type": "object" })), json!({ "name": "t", "x": 1 }));
    assert_eq!(
        shown(LEGACY, MODERN, json!({ "type": "array" })),
        json!({ "name": "t", "outputSchema": { "type": "array" }, "x": 1 })
    );
}
