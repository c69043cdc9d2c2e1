//! Of which era, and does it say what that era wants.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::arrive::{Arrival, check_legacy, check_modern, check_modern_line, of_post};
use super::headers::{Mirror, check_params, decode, encode, mirrors, params};
use super::meta::key;
use super::probe::{Found, of_http, of_line};
use super::stamp::{self, Facts};
use super::*;
use crate::wire::{Id, Message, Notification, Raw, Request, Response, RpcError, code};

fn headers(said: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    headers
}

fn request(method: &str, params: &Value) -> Request {
    Request::new(Id::Number(1), method, Some(Raw::of(params)))
}

fn meta() -> Value {
    json!({ key::PROTOCOL_VERSION: "2026-07-28", key::CLIENT_CAPABILITIES: {} })
}

fn call(name: &str) -> Request {
    request("tools/call", &json!({ "name": name, "_meta": meta() }))
}

const MODERN: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");
const CALL: (&str, &str) = ("Mcp-Method", "tools/call");

fn arrival(said: &[(&str, &str)], message: impl Into<Message>) -> Result<Arrival, Refusal> {
    of_post(&headers(said), &message.into())
}

#[test]
fn the_body_says_the_era_before_any_header() {
    let session = ("Mcp-Session-Id", "s1");
    assert_eq!(arrival(&[session], call("a")), Ok(Arrival::Modern));
    assert_eq!(arrival(&[MODERN, session], request("initialize", &json!({}))), Ok(Arrival::Opening));
    assert_eq!(arrival(&[MODERN], request("initialize", &json!({ "_meta": meta() }))), Ok(Arrival::Modern));
    assert_eq!(arrival(&[session], request("ping", &json!({}))), Ok(Arrival::Session("s1".into())));
    assert_eq!(arrival(&[session], Response::result(Id::Number(1), Raw::empty())), Ok(Arrival::Session("s1".into())));
}

#[test]
fn a_message_that_says_nothing_is_of_the_first_revision_over_http() {
    let ping = || request("ping", &json!({}));
    assert_eq!(arrival(&[], ping()), Ok(Arrival::Sessionless(Revision::V2025_03_26)));
    let version = |version| arrival(&[("MCP-Protocol-Version", version)], ping());
    assert_eq!(version("2025-06-18"), Ok(Arrival::Sessionless(Revision::V2025_06_18)));
    assert_eq!(version("2026-07-28"), Ok(Arrival::Modern));
    assert_eq!(version("2031-01-01"), Ok(Arrival::Modern), "one to come is of the stateless family");
    for unknown in ["1900-01-01", "latest", "9999", "20310101xx"] {
        assert_eq!(version(unknown), Err(Refusal::Version { requested: unknown.into() }));
    }
}

#[test]
fn a_modern_call_repeats_itself_in_headers() {
    let checked = check_modern(&headers(&[MODERN, CALL, ("mcp-name", "  search\t")]), &call("search"));
    let (method, speaker) = checked.unwrap();
    assert_eq!((method, speaker.revision), (Method::ToolsCall, Revision::V2026_07_28));
    let encoded = encode("naïve tool");
    assert!(check_modern(&headers(&[MODERN, CALL, ("Mcp-Name", &encoded)]), &call("naïve tool")).is_ok());
}

#[test]
fn a_header_that_says_something_else_is_refused() {
    for said in [
        &[][..],
        &[MODERN, CALL],
        &[MODERN, ("Mcp-Name", "dear")],
        &[CALL, ("Mcp-Name", "dear")],
        &[MODERN, CALL, ("Mcp-Name", "cheap")],
        &[MODERN, CALL, ("Mcp-Name", "Dear")],
        &[MODERN, CALL, ("Mcp-Name", "dear"), ("Mcp-Name", "cheap")],
        &[MODERN, CALL, ("Mcp-Name", "=?base64?!?=")],
        &[MODERN, CALL, ("Mcp-Name", "de\u{e4}r")],
        &[MODERN, ("Mcp-Method", "tools/list"), ("Mcp-Name", "dear")],
        &[MODERN, ("Mcp-Method", "Tools/Call"), ("Mcp-Name", "dear")],
        &[("MCP-Protocol-Version", "2025-11-25"), CALL, ("Mcp-Name", "dear")],
    ] {
        let refusal = check_modern(&headers(said), &call("dear")).unwrap_err();
        assert_eq!((refusal.code(), refusal.status(Era::Modern)), (code::HEADER_MISMATCH, 400), "{said:?}");
    }
}

#[test]
fn what_is_wrong_is_said_in_order() {
    let sent = headers(&[MODERN, CALL, ("Mcp-Name", "a")]);
    let refused = |meta: Value| check_modern(&sent, &request("tools/call", &json!({ "name": "a", "_meta": meta })));
    for meta in [
        json!({ key::PROTOCOL_VERSION: "2026-07-28" }),
        json!({ key::CLIENT_CAPABILITIES: {} }),
        json!({ key::PROTOCOL_VERSION: 7, key::CLIENT_CAPABILITIES: {} }),
        json!({ key::PROTOCOL_VERSION: "2026-07-28", key::CLIENT_CAPABILITIES: [] }),
        json!({ key::PROTOCOL_VERSION: "2026-07-28", key::CLIENT_CAPABILITIES: {}, key::CLIENT_INFO: "me" }),
        json!({ key::PROTOCOL_VERSION: "2026-07-28", key::CLIENT_CAPABILITIES: {}, key::LOG_LEVEL: "loud" }),
        json!({ key::PROTOCOL_VERSION: "2026-07-28", key::CLIENT_CAPABILITIES: {}, "progressToken": {} }),
        json!({ key::PROTOCOL_VERSION: "2026-07-28", key::CLIENT_CAPABILITIES: {}, "io.modelcontextprotocol/clientcapabilities": {} }),
        json!("none"),
    ] {
        let refusal = refused(meta.clone()).unwrap_err();
        assert_eq!((refusal.code(), refusal.status(Era::Modern)), (code::INVALID_PARAMS, 400), "{meta}");
    }
    let method = request("ping", &json!({ "_meta": meta() }));
    let refusal = check_modern(&headers(&[MODERN, ("Mcp-Method", "ping")]), &method).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.status(Era::Modern), refusal.status(Era::Legacy)),
        (code::METHOD_NOT_FOUND, 404, 200)
    );
    let nameless = request("tools/call", &json!({ "_meta": meta() }));
    assert_eq!(check_modern_line(&nameless).unwrap_err().code(), code::INVALID_PARAMS);
}

#[test]
fn a_revision_nobody_speaks_is_answered_with_those_that_are() {
    let version = json!({ key::PROTOCOL_VERSION: "1900-01-01", key::CLIENT_CAPABILITIES: {} });
    let asked = request("tools/list", &json!({ "_meta": version }));
    let sent = headers(&[("MCP-Protocol-Version", "1900-01-01"), ("Mcp-Method", "tools/list")]);
    let refusal = check_modern(&sent, &asked).unwrap_err();
    let error = refusal.rpc();
    assert_eq!((error.code, refusal.status(Era::Modern)), (code::UNSUPPORTED_VERSION, 400));
    assert_eq!(error.data.unwrap().value()["supported"][0], "2026-07-28");
}

#[test]
fn what_a_server_answers_is_no_failure_of_http() {
    let status = |number, era| RpcError::new(number, "").status(era);
    for number in [code::INVALID_REQUEST, code::INVALID_PARAMS, code::INTERNAL, code::RESOURCE_NOT_FOUND, -1, 7] {
        assert_eq!((status(number, Era::Legacy), status(number, Era::Modern)), (200, 200), "{number}");
    }
    assert_eq!((status(code::METHOD_NOT_FOUND, Era::Legacy), status(code::METHOD_NOT_FOUND, Era::Modern)), (200, 404));
    assert_eq!(
        (status(code::MISSING_CAPABILITY, Era::Legacy), status(code::MISSING_CAPABILITY, Era::Modern)),
        (200, 400)
    );
}

#[test]
fn each_revision_has_its_methods() {
    let has = |revision, method: &str| check_legacy(None, revision, &request(method, &json!({}))).is_ok();
    assert!(has(Revision::V2025_11_25, "tasks/result") && !has(Revision::V2025_06_18, "tasks/result"));
    assert!(has(Revision::V2025_03_26, "completion/complete") && !has(Revision::V2024_11_05, "completion/complete"));
    assert!(!has(Revision::V2025_11_25, "server/discover") && !has(Revision::V2025_11_25, "TOOLS/LIST"));
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/list", "tasks/result"] {
        assert!(Method::of(method).is_some_and(|method| !method.is_of(Revision::V2026_07_28)), "{method}");
    }
}

#[test]
fn a_legacy_session_takes_no_modern_version() {
    let version = |version| {
        check_legacy(
            Some(&headers(&[("MCP-Protocol-Version", version)])),
            Revision::V2025_06_18,
            &request("ping", &json!({})),
        )
    };
    assert!(version("2025-06-18").is_ok() && version("2025-11-25").is_ok());
    assert!(version("2026-07-28").is_err() && version("nonsense").is_err());
}

#[test]
fn proposals_are_answered_from_our_own_list() {
    assert_eq!(Revision::negotiate("2025-03-26"), Revision::V2025_03_26);
    for other in ["2026-07-28", "2030-01-01", "", "x"] {
        assert_eq!(Revision::negotiate(other), Revision::V2025_11_25, "{other}");
    }
}

#[test]
fn what_a_session_keeps_of_its_client_fits_a_header() {
    let opened = |capabilities: Value, info: Value| {
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": capabilities, "clientInfo": info });
        Speaker::of_initialize(Some(&Raw::of(&params)))
    };
    let plain = json!({ "name": "n", "version": "1", "icons": [] });
    assert_eq!(opened(json!({ "roots": {} }), plain.clone()).unwrap().info.unwrap().value(), plain);
    let long = "x".repeat(9000);
    let kept = opened(json!({ "roots": {}, "experimental": { "x": long } }), json!({ "name": long, "icons": [long] }))
        .unwrap();
    assert_eq!(kept.capabilities.value(), json!({ "roots": {} }));
    assert!(kept.info.unwrap().bytes().len() < 300);
    assert_eq!(opened(json!({ "roots": { "x": long } }), plain).unwrap_err().code(), code::INVALID_PARAMS);
    for bad in
        [json!({}), json!({ "protocolVersion": 1, "capabilities": {} }), json!({ "protocolVersion": "2025-06-18" })]
    {
        assert!(Speaker::of_initialize(Some(&Raw::of(&bad))).is_err(), "{bad}");
    }
}

fn annotated(property: Value) -> Raw {
    Raw::of(&json!({ "type": "object", "properties": { "a": property } }))
}

#[test]
fn annotations_say_which_arguments_go_into_headers() {
    let schema = Raw::of(&json!({ "type": "object", "properties": {
        "region": { "type": "string", "x-mcp-header": "Region" },
        "where": { "type": "object", "properties": { "zone": { "type": ["integer", "null"], "x-mcp-header": "Zone-Id" } } },
        "x-mcp-header": { "type": "string", "default": { "x-mcp-header": "data" } },
    }}));
    let mut found = mirrors(&schema).unwrap();
    found.sort_by(|one, other| one.header.cmp(&other.header));
    assert_eq!(
        found,
        [
            Mirror { header: "mcp-param-region".into(), path: vec!["region".into()] },
            Mirror { header: "mcp-param-zone-id".into(), path: vec!["where".into(), "zone".into()] },
        ]
    );
}

#[test]
fn an_annotation_that_may_not_be_spoils_its_tool() {
    for property in [
        json!({ "type": "string", "x-mcp-header": "" }),
        json!({ "type": "string", "x-mcp-header": "a b" }),
        json!({ "type": "string", "x-mcp-header": "a\r\nb" }),
        json!({ "type": "string", "x-mcp-header": "ä" }),
        json!({ "type": "string", "x-mcp-header": 1 }),
        json!({ "type": "number", "x-mcp-header": "A" }),
        json!({ "type": "object", "x-mcp-header": "A" }),
        json!({ "type": ["string", "integer"], "x-mcp-header": "A" }),
        json!({ "x-mcp-header": "A" }),
        json!({ "type": "array", "items": { "type": "string", "x-mcp-header": "A" } }),
        json!({ "anyOf": [{ "type": "string", "x-mcp-header": "A" }] }),
        json!({ "if": { "properties": { "b": { "type": "string", "x-mcp-header": "A" } } } }),
        json!({ "type": "object", "properties": { "b": { "type": "string", "x-mcp-header": "A" }, "c": { "type": "string", "x-mcp-header": "a" } } }),
    ] {
        assert!(mirrors(&annotated(property.clone())).is_err(), "{property}");
    }
    assert!(mirrors(&Raw::of(&json!({ "type": "string", "x-mcp-header": "Root" }))).is_err());
    assert!(mirrors(&Raw::of(&json!({ "$defs": { "a": { "type": "string", "x-mcp-header": "A" } } }))).is_err());
    assert!(mirrors(&Raw::trusted((&br#"{"x-\u006dcp-header":"A","type":"string"}"#[..]).into())).is_err());
}

#[test]
fn a_schema_bomb_costs_no_more_than_its_length() {
    let deep = |levels: usize| {
        let (open, close) = (r#"{"properties":{"a":"#.repeat(levels), "}}".repeat(levels));
        Raw::trusted(
            format!(r#"{open}{{"type":"string","x-mcp-header":"A","$ref":"https://evil.example/"}}{close}"#).into(),
        )
    };
    assert_eq!(mirrors(&deep(20)).unwrap()[0].path.len(), 20);
    assert!(
        mirrors(&deep(10_000)).is_ok_and(|found| found.is_empty()),
        "too deep to be read is too deep to be mirrored"
    );
    let wide: Vec<String> =
        (0..50_000).map(|at| format!(r#""p{at}":{{"type":"string","x-mcp-header":"P{at}"}}"#)).collect();
    assert!(mirrors(&Raw::trusted(format!(r#"{{"properties":{{{}}}}}"#, wide.join(",")).into())).is_err());
    let cycle = r##"{"$ref":"#","x-mcp-no":1,"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##;
    assert_eq!(mirrors(&Raw::trusted(cycle.into())), Ok(Vec::new()));
}

#[test]
fn a_foreign_name_in_an_error_is_short_and_on_one_line() {
    let long = format!("a\r\nb\u{202e}{}", "x".repeat(10_000));
    let method = Refusal::Method(String::new());
    let refused = check_legacy(None, Revision::V2025_11_25, &request(&long, &json!({}))).unwrap_err();
    assert_eq!(refused.code(), method.code());
    let said = refused.to_string();
    assert!(said.len() < 200 && said.contains("a\\r\\nb\\u{202e}x"), "{said}");
    let header = check_modern(&headers(&[MODERN, CALL, ("Mcp-Name", "x")]), &call(&long)).unwrap_err().to_string();
    assert!(header.len() < 300 && !header.contains(['\r', '\n', '\u{202e}']), "{header}");
}

#[test]
fn mirrored_arguments_are_compared_with_the_body() {
    let mirrors = [Mirror { header: "mcp-param-a".into(), path: vec!["a".into()] }];
    let fits = |sent: &[(&str, &str)], arguments: Value| {
        check_params(&headers(sent), &mirrors, Some(&Raw::of(&arguments))).is_ok()
    };
    assert!(fits(&[("Mcp-Param-A", "us")], json!({ "a": "us" })));
    assert!(fits(&[("Mcp-Param-A", "42.0")], json!({ "a": 42 })));
    assert!(fits(&[("Mcp-Param-A", "true")], json!({ "a": true })));
    assert!(fits(&[("Mcp-Param-A", "=?base64?w6Q=?=")], json!({ "a": "ä" })));
    assert!(fits(&[], json!({ "a": null })) && fits(&[], json!({})));
    for (sent, arguments) in [
        (&[][..], json!({ "a": "us" })),
        (&[("Mcp-Param-A", "eu")], json!({ "a": "us" })),
        (&[("Mcp-Param-A", "42")], json!({ "a": "42.0" })),
        (&[("Mcp-Param-A", "True")], json!({ "a": true })),
        (&[("Mcp-Param-A", "us")], json!({})),
        (&[("Mcp-Param-A", "us"), ("Mcp-Param-A", "us")], json!({ "a": "us" })),
        (&[("Mcp-Param-A", "=?base64?w6Q?=")], json!({ "a": "ä" })),
    ] {
        assert!(!fits(sent, arguments.clone()), "{sent:?} {arguments}");
    }
}

#[test]
fn values_are_encoded_as_the_protocol_shows() {
    for (value, header) in [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
    ] {
        assert_eq!(encode(value), header);
        assert_eq!(decode(header.as_bytes()).as_deref(), Some(value));
    }
}

proptest! {
    #[test]
    fn any_value_comes_through_a_header(value in any::<String>()) {
        let encoded = encode(&value);
        prop_assert!(HeaderValue::from_str(&encoded).is_ok());
        prop_assert_eq!(decode(encoded.trim_ascii().as_bytes()), Some(value.as_str().into()));
    }

    #[test]
    fn what_we_send_is_what_we_would_take(text in any::<String>(), number in any::<i64>(), flag in any::<bool>()) {
        let mirrors = ["text", "number", "flag"].map(|name| Mirror { header: format!("mcp-param-{name}").into(), path: vec![name.into()] });
        let arguments = Raw::of(&json!({ "text": text, "number": number, "flag": flag }));
        let sent = params(&mirrors, Some(&arguments));
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (&**name, &**value)).collect();
        prop_assert_eq!(check_params(&headers(&sent), &mirrors, Some(&arguments)), Ok(()));
    }

    #[test]
    fn no_name_breaks_out_of_its_header(name in any::<String>()) {
        let request = call(&name);
        let sent = stamp::headers(Revision::LATEST, &request);
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        prop_assert!(check_modern(&headers(&sent), &request).is_ok());
    }
}

fn facts(capabilities: &Raw) -> Facts<'_> {
    Facts {
        capabilities,
        info: None,
        log_level: Some("info"),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"),
    }
}

#[test]
fn a_modern_server_is_told_the_truth_about_the_client() {
    let capabilities = Raw::of(&json!({ "roots": {} }));
    let liar = json!({ key::CLIENT_CAPABILITIES: { "sampling": {} }, key::CLIENT_INFO: { "name": "x" }, "progressToken": 5, "com.example/keep": [1] });
    let sent = stamp::body(
        Revision::LATEST,
        request("tools/list", &json!({ "_meta": liar, "cursor": "c" })),
        facts(&capabilities),
    );
    let params = sent.params.unwrap().value();
    assert_eq!(
        params["_meta"],
        json!({
            "progressToken": 5,
            "com.example/keep": [1],
            key::PROTOCOL_VERSION: "2026-07-28",
            key::CLIENT_CAPABILITIES: { "roots": {} },
            key::LOG_LEVEL: "info",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        })
    );
    assert_eq!(params["cursor"], "c");
}

#[test]
fn a_legacy_server_hears_nothing_of_the_other_era() {
    let capabilities = Raw::empty();
    let facts = Facts { traceparent: None, ..facts(&capabilities) };
    let modern = request("tools/list", &json!({ "_meta": meta() }));
    assert_eq!(stamp::body(Revision::V2025_06_18, modern, facts).params, Some(Raw::empty()));
    let bare = Request::new(Id::Number(1), "ping", None);
    assert_eq!(stamp::body(Revision::V2025_06_18, bare.clone(), facts), bare);
}

#[test]
fn headers_go_out_by_revision() {
    let names = |revision, request: &Request| {
        stamp::headers(revision, request).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(Revision::LATEST, &call("a")), ["mcp-protocol-version", "mcp-method", "mcp-name"]);
    assert_eq!(names(Revision::V2025_11_25, &call("a")), ["mcp-protocol-version"]);
    assert!(names(Revision::V2025_11_25, &request("initialize", &json!({}))).is_empty());
    assert!(names(Revision::V2025_03_26, &call("a")).is_empty());
    let task = request("tasks/get", &json!({ "taskId": "t" }));
    assert_eq!(stamp::headers(Revision::LATEST, &task)[2].1, "t");
}

#[test]
fn a_request_that_says_the_truth_goes_on_as_it_came() {
    let capabilities = Raw::empty();
    let facts = Facts { traceparent: None, log_level: None, ..facts(&capabilities) };
    let told = stamp::body(Revision::LATEST, request("tools/list", &json!({ "_meta": meta(), "cursor": "c" })), facts);
    let spaced = told.params.unwrap().as_json().replace("\"cursor\"", " \"cursor\"");
    let told = Request::new(Id::Number(1), "tools/list", Some(Raw::trusted(spaced.into())));
    assert_eq!(stamp::body(Revision::LATEST, told.clone(), facts), told, "blanks and all");
    let info = Raw::of(&json!({ "name": "x" }));
    let more = Facts { info: Some(&info), ..facts };
    assert_ne!(stamp::body(Revision::LATEST, told, more).params, None);
}

fn result(result: &Value) -> Response {
    Response::result(Id::Number(1), Raw::of(result))
}

fn error(number: i64, data: Option<Value>) -> Response {
    let error = RpcError { code: number, message: "no".into(), data: data.map(|data| Raw::of(&data)) };
    Response::error(Some(Id::Number(1)), error)
}

#[test]
fn a_server_tells_its_era_by_how_it_answers() {
    let http = |status, response: Response| of_http(status, Some(&response.into()));
    let modern = Found::Modern(Revision::V2026_07_28);
    assert_eq!(http(200, result(&json!({ "supportedVersions": ["2031-01-01", "2026-07-28"] }))), modern);
    assert_eq!(http(200, result(&json!({ "supportedVersions": ["2031-01-01"] }))), Found::Stranger);
    assert_eq!(
        http(400, error(code::UNSUPPORTED_VERSION, Some(json!({ "supported": ["2025-11-25"] })))),
        Found::Legacy
    );
    assert_eq!(http(400, error(code::UNSUPPORTED_VERSION, None)), Found::Stranger);
    assert_eq!(http(400, error(code::HEADER_MISMATCH, None)), modern);
    assert_eq!(http(400, error(-32000, None)), Found::Legacy);
    assert_eq!(http(200, error(code::METHOD_NOT_FOUND, None)), Found::Legacy);
    assert_eq!(http(200, result(&json!({ "anything": 1 }))), Found::Legacy);
    for (status, found) in [(400, Found::Legacy), (404, Found::Legacy), (405, Found::Legacy), (500, Found::Legacy)] {
        assert_eq!(of_http(status, None), found, "{status}");
    }
    for status in [401, 403, 429, 502, 503, 504] {
        assert_eq!(of_http(status, None), Found::Unsaid, "{status}");
    }
    assert_eq!(of_http(200, Some(&Notification::new("x", None).into())), Found::Legacy);
    assert_eq!(of_line(None), Found::Legacy);
    assert_eq!(of_line(Some(&error(code::INVALID_PARAMS, None))), Found::Legacy);
}
