//! What servers and clients say of themselves, and what they can.

use serde_json::{Value, json};

use super::{LEGACY, MODERN, OLD, dress, raw};
use crate::bridge::answers::cache_hint;
use crate::bridge::capabilities::{of_client, of_server};
use crate::bridge::hello::{ServerHello, initialize_params};
use crate::era::Revision;
use crate::wire::Raw;

#[test]
fn capabilities_are_told_in_the_words_of_each_revision() {
    let server =
        raw(&json!({ "tools": { "listChanged": true }, "completions": {}, "tasks": { "list": {} }, "com.x": 1,
        "extensions": { "io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": {} } }));
    assert_eq!(
        of_server(&server, LEGACY, MODERN).value(),
        json!({ "tools": { "listChanged": true }, "completions": {}, "com.x": 1, "extensions": { "io.modelcontextprotocol/ui": {} } })
    );
    assert_eq!(of_server(&server, LEGACY, LEGACY).value()["tasks"], json!({ "list": {} }));
    assert!(of_server(&server, MODERN, MODERN).has(&["extensions", "io.modelcontextprotocol/tasks"]));
    assert!(!of_server(&server, LEGACY, Revision::V2024_11_05).has(&["completions"]));
}

#[test]
fn a_client_is_never_said_to_do_more_than_it_declared() {
    let told = |client: Value, from, to| of_client(&raw(&client), from, to).value();
    assert_eq!(told(json!({}), MODERN, LEGACY), json!({}));
    let all = json!({ "roots": { "listChanged": true }, "sampling": { "tools": {} }, "elicitation": { "form": {}, "url": {} } });
    assert_eq!(told(all.clone(), LEGACY, LEGACY), all);
    assert_eq!(
        told(all.clone(), LEGACY, MODERN),
        json!({ "roots": {}, "sampling": { "tools": {} }, "elicitation": { "form": {}, "url": {} } })
    );
    assert_eq!(
        told(all.clone(), LEGACY, Revision::V2025_06_18),
        json!({ "roots": { "listChanged": true }, "sampling": {}, "elicitation": {} })
    );
    assert_eq!(told(all, LEGACY, OLD), json!({ "roots": { "listChanged": true }, "sampling": {} }));
    assert_eq!(
        told(json!({ "tasks": {}, "experimental": { "x": {} } }), LEGACY, LEGACY),
        json!({ "experimental": { "x": {} } })
    );
    let url_only = json!({ "elicitation": { "url": {} } });
    assert_eq!(told(url_only, MODERN, Revision::V2025_06_18), json!({}), "the empty object would say forms");
}

#[test]
fn servers_introduce_themselves_in_both_ways() {
    let initialize = raw(
        &json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" }, "instructions": "i" }),
    );
    let hello = ServerHello::of_initialize(&initialize).unwrap();
    assert_eq!((hello.revision, hello.instructions.as_deref()), (Revision::V2025_06_18, Some("i")));
    assert_eq!(hello.initialize_result().value(), initialize.value());
    let discovered = hello.discover_result(&dress());
    assert_eq!(discovered.value()["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(cache_hint(&discovered), (5000, false));
    let again = ServerHello::of_discover(MODERN, &discovered);
    assert_eq!(
        (again.revision, again.server_info, again.capabilities),
        (MODERN, hello.server_info, hello.capabilities)
    );
}

#[test]
fn a_server_that_speaks_otherwise_is_told_apart() {
    for bad in
        [json!({}), json!({ "protocolVersion": "2026-07-28", "capabilities": {} }), json!({ "protocolVersion": 7 })]
    {
        assert!(ServerHello::of_initialize(&raw(&bad)).is_err(), "{bad}");
    }
    let strange = ServerHello::of_initialize(&raw(&json!({ "protocolVersion": "x\n" }))).unwrap_err();
    assert_eq!(strange.to_string(), r"it wants to speak revision `x\n`, which is not spoken here");
}

#[test]
fn what_a_server_leaves_out_it_has_not() {
    let long = "é".repeat(50_000);
    let hello = ServerHello::of_initialize(&raw(
        &json!({ "protocolVersion": "2025-06-18", "capabilities": 1, "serverInfo": "s", "instructions": long }),
    ))
    .unwrap();
    assert_eq!((hello.capabilities, hello.server_info), (Raw::empty(), None));
    assert!(hello.instructions.unwrap().len() <= 64 << 10);
}

#[test]
fn a_session_is_asked_for_in_the_words_of_its_revision() {
    let params = initialize_params(LEGACY, &Raw::empty(), &raw(&json!({ "name": "g", "version": "1" })));
    assert_eq!(
        params.as_json(),
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"g","version":"1"}}"#
    );
}
