//! Results and errors.

use serde_json::{Value, json};

use super::{LEGACY, MODERN, OLD, dress, raw};
use crate::bridge::answers::{Dress, ResultType, cache_hint, dressed, outcome, result_type};
use crate::era::meta::key;
use crate::era::{Method, Revision};
use crate::wire::{Raw, RpcError, code};

/// What a client of `to` gets of this result of a server of `from`.
fn given(from: Revision, to: Revision, method: Method, result: Value) -> Value {
    outcome(from, to, method, Ok(raw(&result)), &dress()).unwrap().value()
}

/// What a client of `to` gets of this error of a server of `from`.
fn error(from: Revision, to: Revision, method: Method, number: i64, data: Option<Value>) -> Result<Raw, RpcError> {
    let error = RpcError { code: number, message: "said so".into(), data: data.as_ref().map(raw) };
    outcome(from, to, method, Err(error), &dress())
}

fn number(from: Revision, to: Revision, method: Method, number: i64) -> i64 {
    error(from, to, method, number, None).unwrap_err().code
}

#[test]
fn a_legacy_result_is_dressed_for_a_modern_client() {
    let read = given(LEGACY, MODERN, Method::ResourcesRead, json!({ "contents": [], "_meta": { "com.example/x": 1 } }));
    assert_eq!(
        read,
        json!({
            "contents": [],
            "_meta": { "com.example/x": 1, key::SERVER_INFO: { "name": "gatehouse", "version": "1" } },
            "resultType": "complete", "ttlMs": 5000, "cacheScope": "private",
        })
    );
    let called = given(LEGACY, MODERN, Method::ToolsCall, json!({ "content": [], "resultType": "surprise" }));
    assert_eq!((&called["resultType"], called.get("ttlMs")), (&json!("complete"), None));
}

#[test]
fn a_modern_result_is_undressed_for_a_legacy_client() {
    let info = json!({ key::SERVER_INFO: { "name": "inner", "version": "9" } });
    let list = json!({ "resources": [], "resultType": "complete", "ttlMs": 1, "cacheScope": "public", "_meta": info, "nextCursor": "c" });
    assert_eq!(given(MODERN, LEGACY, Method::ResourcesList, list), json!({ "resources": [], "nextCursor": "c" }));
    let called = json!({ "content": [], "resultType": "complete", "ttlMs": "its own", "isError": true });
    assert_eq!(
        given(MODERN, LEGACY, Method::ToolsCall, called),
        json!({ "content": [], "ttlMs": "its own", "isError": true })
    );
}

#[test]
fn the_server_behind_is_not_named_to_a_modern_client() {
    let info = json!({ key::SERVER_INFO: { "name": "inner", "version": "9" } });
    let called =
        given(MODERN, MODERN, Method::ToolsCall, json!({ "content": [], "resultType": "complete", "_meta": info }));
    assert_eq!(called["_meta"][key::SERVER_INFO]["name"], "gatehouse");
}

#[test]
fn what_passes_within_an_era_is_not_touched() {
    let text = r#"{ "content":[{"type":"text","text":"caf\u00e9","annotations":{"x":1.0}}], "structuredContent":{"b":1,"a":[ ]}, "x-new":null }"#;
    let result = Raw::read(text.into()).unwrap();
    let passed = outcome(LEGACY, LEGACY, Method::ToolsCall, Ok(result), &dress()).unwrap();
    assert_eq!(passed.as_json(), text);
}

#[test]
fn structured_content_fits_the_client() {
    let called = |to, content: Value| {
        given(
            MODERN,
            to,
            Method::ToolsCall,
            json!({ "content": [], "structuredContent": content, "resultType": "complete" }),
        )
    };
    for content in [json!([1]), json!("text"), json!(null), json!(7)] {
        assert_eq!(called(LEGACY, content.clone()), json!({ "content": [] }), "{content}");
        assert_eq!(called(MODERN, content.clone())["structuredContent"], content);
    }
    assert_eq!(called(LEGACY, json!({ "a": 1 })), json!({ "content": [], "structuredContent": { "a": 1 } }));
    assert_eq!(called(OLD, json!({ "a": 1 })), json!({ "content": [] }));
}

#[test]
fn content_that_a_client_does_not_know_is_put_into_words() {
    let link = json!({ "type": "resource_link", "name": "log", "uri": "file:///log" });
    let audio = json!({ "type": "audio", "mimeType": "audio/wav", "data": "AA==" });
    let called = json!({ "content": [link, audio, { "type": "text", "text": "t" }] });
    let words = json!({ "type": "text", "text": "log: file:///log" });
    assert_eq!(given(LEGACY, LEGACY, Method::ToolsCall, called.clone()), called);
    assert_eq!(
        given(LEGACY, OLD, Method::ToolsCall, called.clone())["content"],
        json!([words, audio, { "type": "text", "text": "t" }])
    );
    assert_eq!(given(LEGACY, Revision::V2024_11_05, Method::ToolsCall, called)["content"][1]["type"], "text");
    let prompt = given(LEGACY, OLD, Method::PromptsGet, json!({ "messages": [{ "role": "user", "content": link }] }));
    assert_eq!(prompt["messages"][0]["content"], words);
}

#[test]
fn a_missing_resource_has_the_number_of_the_client() {
    assert_eq!(number(LEGACY, MODERN, Method::ResourcesRead, code::RESOURCE_NOT_FOUND), code::INVALID_PARAMS);
    assert_eq!(number(MODERN, LEGACY, Method::ResourcesRead, code::INVALID_PARAMS), code::RESOURCE_NOT_FOUND);
    assert_eq!(number(MODERN, LEGACY, Method::ToolsCall, code::INVALID_PARAMS), code::INVALID_PARAMS);
    assert_eq!(number(LEGACY, LEGACY, Method::ResourcesRead, code::RESOURCE_NOT_FOUND), code::RESOURCE_NOT_FOUND);
}

#[test]
fn reserved_numbers_come_from_nobody_but_the_protocol() {
    for foreign in [-32020, -32022, -32029, -32042, -32099] {
        assert_eq!(number(LEGACY, MODERN, Method::ToolsCall, foreign), code::INTERNAL, "{foreign}");
    }
    let kept = error(LEGACY, MODERN, Method::ToolsCall, -32029, Some(json!({ "retry": 1 }))).unwrap_err();
    assert_eq!(kept.data.unwrap().value(), json!({ "retry": 1, "upstreamCode": -32029 }));
    assert_eq!(number(MODERN, MODERN, Method::ToolsCall, code::MISSING_CAPABILITY), code::MISSING_CAPABILITY);
    assert_eq!(number(MODERN, LEGACY, Method::ToolsCall, code::MISSING_CAPABILITY), code::INVALID_REQUEST);
    let named = json!({ "requiredCapabilities": { "sampling": {} } });
    let missing = |data| error(LEGACY, MODERN, Method::ToolsCall, code::MISSING_CAPABILITY, data).unwrap_err();
    assert_eq!(missing(Some(named)).code, code::MISSING_CAPABILITY);
    assert_eq!(missing(None).code, code::INTERNAL, "what names no capability is no error of the protocol");
    assert_eq!(number(MODERN, LEGACY, Method::ToolsCall, -1), -1, "a server's own numbers pass");
}

#[test]
fn a_link_to_be_opened_is_said_in_each_revisions_way() {
    let open = json!({ "elicitations": [{ "mode": "url", "elicitationId": "e1", "url": "https://a.example/x", "message": "Log in" }] });
    let asked = |to, method| error(LEGACY, to, method, code::URL_ELICITATION_REQUIRED, Some(open.clone()));
    assert_eq!(asked(LEGACY, Method::ToolsCall).unwrap_err().code, code::URL_ELICITATION_REQUIRED);
    let modern = asked(MODERN, Method::ToolsCall).unwrap().value();
    assert_eq!(modern["resultType"], "input_required");
    assert_eq!(
        modern["inputRequests"],
        json!({ "url_1": {
            "method": "elicitation/create", "params": { "mode": "url", "url": "https://a.example/x", "message": "Log in" },
        }})
    );
    assert!(modern.get("ttlMs").is_none(), "questions are not kept");
    let words = asked(Revision::V2025_06_18, Method::ToolsCall).unwrap().value();
    assert_eq!(words["isError"], true);
    assert!(words["content"][0]["text"].as_str().unwrap().contains("https://a.example/x"));
    assert_eq!(asked(OLD, Method::PromptsGet).unwrap_err().code, code::INVALID_REQUEST);
    assert!(error(LEGACY, MODERN, Method::ToolsCall, code::URL_ELICITATION_REQUIRED, None).is_err());
}

#[test]
fn a_client_gets_no_question_and_no_task_that_it_cannot_take() {
    let dress = |client: Value| Dress { client: Some(raw(&client)), ..dress() };
    let data = raw(
        &json!({ "elicitations": [{ "mode": "url", "elicitationId": "e", "url": "https://a.example", "message": "m" }] }),
    );
    let link = RpcError::new(code::URL_ELICITATION_REQUIRED, "open").with_data(data);
    let given = |client| outcome(LEGACY, MODERN, Method::ToolsCall, Err(link.clone()), &dress(client)).unwrap();
    assert_eq!(result_type(&given(json!({ "elicitation": { "url": {} } }))), ResultType::InputRequired);
    let words = given(json!({ "elicitation": {} }));
    assert!(result_type(&words) == ResultType::Complete && words.has(&["isError"]), "{words:?}");

    let task = raw(&json!({ "resultType": "task", "taskId": "t" }));
    let given = |client| outcome(MODERN, MODERN, Method::ToolsCall, Ok(task.clone()), &dress(client));
    assert!(given(json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } })).is_ok());
    assert_eq!(given(json!({})).unwrap_err().code, code::INTERNAL);
}

#[test]
fn a_result_of_unknown_type_is_none() {
    let strange = raw(&json!({ "resultType": "later" }));
    assert_eq!(result_type(&strange), ResultType::Unknown);
    for to in [MODERN, LEGACY] {
        let refused = outcome(MODERN, to, Method::ToolsCall, Ok(strange.clone()), &dress());
        assert_eq!(refused.unwrap_err().code, code::INTERNAL);
    }
}

#[test]
fn questions_that_were_not_carried_out_reach_no_legacy_client() {
    let asks = raw(&json!({ "resultType": "input_required", "requestState": "s" }));
    assert!(outcome(MODERN, LEGACY, Method::ToolsCall, Ok(asks.clone()), &dress()).is_err());
    let passed = outcome(MODERN, MODERN, Method::ToolsCall, Ok(asks), &dress()).unwrap();
    assert_eq!(result_type(&passed), ResultType::InputRequired);
}

#[test]
fn a_cache_hint_that_is_nonsense_is_none() {
    assert_eq!(cache_hint(&raw(&json!({ "ttlMs": 60000, "cacheScope": "public" }))), (60000, true));
    for nonsense in [json!({}), json!({ "ttlMs": -1 }), json!({ "ttlMs": "1", "cacheScope": "Public" })] {
        assert_eq!(cache_hint(&raw(&nonsense)), (0, false));
    }
}

#[test]
fn going_over_the_bridge_and_back_changes_nothing() {
    for (method, result) in [
        (Method::ToolsList, json!({ "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] })),
        (Method::ToolsCall, json!({ "content": [{ "type": "text", "text": "x" }], "structuredContent": { "a": 1 } })),
        (Method::ResourcesRead, json!({ "contents": [{ "uri": "a:b", "blob": "AA==" }], "_meta": { "x/y": 1 } })),
        (Method::Complete, json!({ "completion": { "values": ["a"], "hasMore": false } })),
    ] {
        let there = dressed(MODERN, method, &raw(&result), &dress());
        assert_eq!(dressed(LEGACY, method, &there, &dress()).value(), result);
    }
}
