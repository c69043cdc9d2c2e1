//! The four cells of the bridge, at the level of values.

use serde_json::{Value, json};

use super::answers::{Dress, ResultType, cache_hint, dressed, outcome, result_type};
use super::capabilities::{of_client, of_server};
use super::hello::{ServerHello, initialize_params};
use super::listen::{self, Filter, NAMED_MAX};
use super::notices::{self, Notice};
use super::questions::{Answers, Ask, BadQuestion, InputRequired, Question, bare};
use super::tasks;
use super::tools::tool;
use crate::era::meta::key;
use crate::era::{LogLevel, Method, Revision};
use crate::wire::{Id, Notification, Raw, Request, Response, RpcError, code};

const MODERN: Revision = Revision::V2026_07_28;
const LEGACY: Revision = Revision::V2025_11_25;
const OLD: Revision = Revision::V2025_03_26;

fn raw(value: &Value) -> Raw {
    Raw::of(value)
}

fn dress() -> Dress {
    Dress { server_info: Some(raw(&json!({ "name": "gatehouse", "version": "1" }))), ttl_ms: 5000, public: false }
}

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
    let all = json!({ "roots": { "listChanged": true }, "sampling": { "tools": {} }, "elicitation": { "form": {}, "url": {} }, "tasks": {} });
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
    let again = ServerHello::of_discover(&discovered).unwrap();
    assert_eq!(
        (again.revision, again.server_info, again.capabilities),
        (MODERN, hello.server_info, hello.capabilities)
    );
}

#[test]
fn an_introduction_that_cannot_be_used_says_why() {
    for bad in [
        json!({}),
        json!({ "protocolVersion": "2026-07-28", "capabilities": {} }),
        json!({ "protocolVersion": "2025-06-18", "capabilities": 1 }),
    ] {
        assert!(ServerHello::of_initialize(&raw(&bad)).is_err(), "{bad}");
    }
    for bad in [
        json!({}),
        json!({ "supportedVersions": ["2025-11-25"], "capabilities": {} }),
        json!({ "supportedVersions": ["2026-07-28"] }),
    ] {
        assert!(ServerHello::of_discover(&raw(&bad)).is_err(), "{bad}");
    }
    let params = initialize_params(LEGACY, &Raw::empty(), &raw(&json!({ "name": "g", "version": "1" })));
    assert_eq!(
        params.as_json(),
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"g","version":"1"}}"#
    );
}

fn form() -> Value {
    json!({ "mode": "form", "message": "Who?", "requestedSchema": { "type": "object", "properties": {} } })
}

fn by_url() -> Value {
    json!({ "mode": "url", "message": "Log in", "url": "https://a.example" })
}

fn question(ask: Ask, params: &Value) -> Question {
    Question { key: "q".into(), ask, params: Some(raw(params)) }
}

#[test]
fn questions_of_a_modern_server_become_requests_to_a_legacy_client() {
    let result = raw(&json!({ "resultType": "input_required", "requestState": "st", "inputRequests": {
        "b": { "method": "elicitation/create", "params": form() },
        "a": { "method": "roots/list" },
    }}));
    let asked = InputRequired::read(Method::ToolsCall, &result).unwrap().unwrap();
    assert_eq!((asked.state.as_deref(), asked.questions.len()), (Some("st"), 2));
    let elicitation = asked.questions.iter().find(|question| &*question.key == "b").unwrap();
    let request = elicitation.request(Id::Number(5), LEGACY, "unused");
    assert_eq!((&*request.method, request.params.unwrap().value()), ("elicitation/create", form()));
    assert_eq!(InputRequired::read(Method::ToolsCall, &asked.write()).unwrap().unwrap(), asked);
}

#[test]
fn a_question_with_a_url_has_an_id_where_the_revision_wants_one() {
    let request = question(Ask::Elicitation, &by_url()).request(Id::Number(1), LEGACY, "e-7");
    assert_eq!(request.params.as_ref().unwrap().text_at(&["elicitationId"]).as_deref(), Some("e-7"));
    let back = Question::of_request("q", &request).unwrap();
    assert_eq!(back.params.unwrap().value(), by_url());
    let old = question(Ask::Elicitation, &form()).request(Id::Number(1), Revision::V2025_06_18, "");
    assert!(!old.params.unwrap().has(&["mode"]));
}

#[test]
fn a_request_of_a_legacy_server_becomes_an_entry() {
    let params = json!({ "messages": [], "maxTokens": 9, "task": {}, "_meta": { "progressToken": 1, "x/y": 2 } });
    let question =
        Question::of_request("s1", &Request::new(Id::Number(3), "sampling/createMessage", Some(raw(&params)))).unwrap();
    let written = InputRequired { questions: vec![question], state: Some("sealed".into()) }.write().value();
    assert_eq!(
        written["inputRequests"]["s1"],
        json!({
            "method": "sampling/createMessage", "params": { "messages": [], "maxTokens": 9, "_meta": { "x/y": 2 } },
        })
    );
    let ping = Request::new(Id::Number(4), "ping", None);
    assert_eq!(Question::of_request("p", &ping), Err(BadQuestion::Unknown("ping".into())));
}

#[test]
fn questions_that_cannot_be_read_are_refused() {
    for bad in [
        json!({}),
        json!({ "inputRequests": [] }),
        json!({ "inputRequests": { "a": {} } }),
        json!({ "inputRequests": { "a": { "method": "tools/call", "params": {} } } }),
        json!({ "inputRequests": { "a": { "method": "elicitation/create" } } }),
        json!({ "inputRequests": { "a": { "method": "elicitation/create", "params": [] } } }),
        json!({ "requestState": 7 }),
        json!({ "inputRequests": (0..100).map(|at| (at.to_string(), json!({ "method": "roots/list" }))).collect::<serde_json::Map<_, _>>() }),
    ] {
        let result = raw(&bad).with(&["resultType"], &Raw::text("input_required"));
        assert!(InputRequired::read(Method::ToolsCall, &result).is_err(), "{bad}");
    }
    let misplaced = raw(&json!({ "resultType": "input_required", "requestState": "s" }));
    assert_eq!(InputRequired::read(Method::ToolsList, &misplaced), Err(BadQuestion::Misplaced(Method::ToolsList)));
}

#[test]
fn a_client_is_asked_only_what_it_declared() {
    let may = |question: &Question, capabilities: Value| question.is_for(&raw(&capabilities));
    let form = question(Ask::Elicitation, &form());
    assert!(
        may(&form, json!({ "elicitation": {} })) && may(&form, json!({ "elicitation": { "form": {}, "url": {} } }))
    );
    assert!(!may(&form, json!({})) && !may(&form, json!({ "elicitation": { "url": {} } })));
    let url = question(Ask::Elicitation, &by_url());
    assert!(may(&url, json!({ "elicitation": { "url": {} } })) && !may(&url, json!({ "elicitation": {} })));
    assert_eq!(url.needs().value(), json!({ "elicitation": { "url": {} } }));
    let tools = question(Ask::Sampling, &json!({ "messages": [], "tools": [] }));
    assert!(may(&tools, json!({ "sampling": { "tools": {} } })) && !may(&tools, json!({ "sampling": {} })));
    assert!(!may(&question(Ask::Roots, &json!({})), json!({ "roots": true })), "a capability is an object");
    assert!(may(&tools, tools.needs().value()), "what is needed is enough");
}

#[test]
fn answers_go_back_under_their_keys() {
    let params = raw(&json!({ "name": "t", "arguments": {}, "requestState": "forged", "inputResponses": { "x": {} } }));
    let answers =
        Answers { answers: vec![("q".into(), raw(&json!({ "action": "accept" })))], state: Some("st".into()) };
    let repeated = answers.on(Some(&params));
    assert_eq!(
        repeated.value(),
        json!({ "name": "t", "arguments": {}, "inputResponses": { "q": { "action": "accept" } }, "requestState": "st" })
    );
    assert_eq!(Answers::read(Some(&repeated)).unwrap(), answers);
    assert_eq!(bare(&repeated).value(), json!({ "name": "t", "arguments": {} }));
    assert!(Answers::read(None).unwrap().is_empty());
    for bad in
        [json!({ "requestState": 1 }), json!({ "inputResponses": [] }), json!({ "inputResponses": { "q": "yes" } })]
    {
        assert_eq!(Answers::read(Some(&raw(&bad))).unwrap_err().code, code::INVALID_PARAMS);
    }
}

#[test]
fn a_client_that_refuses_to_elicit_has_cancelled() {
    let no = Response::error(Some(Id::Number(1)), RpcError::new(-1, "User rejected"));
    assert_eq!(question(Ask::Elicitation, &form()).answer(&no).unwrap().value(), json!({ "action": "cancel" }));
    assert_eq!(question(Ask::Sampling, &json!({})).answer(&no).unwrap_err().code, -1);
    let silence = question(Ask::Elicitation, &form()).response(Id::Number(9), None);
    assert_eq!(silence.outcome.unwrap().value(), json!({ "action": "cancel" }));
    assert!(question(Ask::Roots, &json!({})).response(Id::Number(9), None).outcome.is_err());
}

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
    assert_eq!(
        notices::with_request_id(&cancelled, &Id::Number(5)).params.unwrap().value(),
        json!({ "requestId": 5, "reason": "late" })
    );
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
