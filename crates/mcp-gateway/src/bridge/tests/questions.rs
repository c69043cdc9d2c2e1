//! What servers ask their clients.

use serde_json::{Value, json};

use super::{LEGACY, raw};
use crate::bridge::questions::{Answers, Ask, BadQuestion, InputRequired, Question, bare};
use crate::era::{Method, Revision};
use crate::wire::{Id, Raw, Request, Response, RpcError, code};

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
fn choices_with_titles_are_two_lists_to_an_older_client() {
    let property = json!({ "type": "string", "oneOf": [{ "const": "g", "title": "Gram" }, { "const": "kg", "title": "Kilo" }], "default": "g" });
    let params = json!({ "message": "Unit?", "requestedSchema": { "type": "object", "properties": { "u": property, "n": { "type": "number" } } } });
    let asked =
        |revision| question(Ask::Elicitation, &params).request(Id::Number(1), revision, "").params.unwrap().value();
    assert_eq!(asked(LEGACY), params);
    let lists = json!({ "type": "string", "enum": ["g", "kg"], "enumNames": ["Gram", "Kilo"], "default": "g" });
    assert_eq!(
        asked(Revision::V2025_06_18)["requestedSchema"]["properties"],
        json!({ "u": lists, "n": { "type": "number" } })
    );
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
