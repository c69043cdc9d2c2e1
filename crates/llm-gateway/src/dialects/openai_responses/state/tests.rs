//! Kept responses, from end to end and from none.

use std::sync::Arc;

use gatehouse_domain::Code;

use super::super::DIALECT;
use super::*;
use crate::form::{Answer, Choice, Content, Issuer, Role, Stop, ToolCall};

const FIRST: &str =
    r#"{"model":"m","instructions":"Old rules","input":"Time?","tools":[{"type":"function","name":"now"}]}"#;

fn listener(body: &str, id: &str) -> Listener {
    let ask = Arc::new(ask::read(body.as_bytes()).unwrap());
    Listener { ask, id: id.to_owned(), created: 7, issuer: Issuer::Anthropic, input_estimate: 0 }
}

/// The record of a request that was answered with a call of `now`.
fn called() -> Record {
    let call =
        ToolCall { id: "call_1".to_owned(), name: "now".to_owned(), arguments: "{}".to_owned(), signature: None };
    let blocks = vec![Block::text("Let me look."), Block::new(Content::ToolCall(call))];
    let answer =
        Answer { choices: vec![Choice { blocks, stop: Stop::ToolUse, ..Choice::default() }], ..Answer::default() };
    let response = (DIALECT.write_answer)(&answer, &listener(FIRST, "a"));
    record(FIRST.as_bytes(), &response).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_continued_request_holds_the_whole_conversation() {
    let next = r#"{"instructions":"New rules","previous_response_id":"resp_a",
        "input":[{"role":"developer","content":"Rhyme."},{"type":"function_call_output","call_id":"call_1","output":"noon"}]}"#;
    let ask = join(next.as_bytes(), &[called()]).unwrap();
    assert_eq!(ask.system, [Block::text("New rules")]);
    let roles: Vec<_> = ask.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::System, Role::User]);
    assert_eq!(ask.turns[1].blocks.len(), 2);
    let Content::ToolResult(result) = &ask.turns[3].blocks[0].content else { panic!("a result") };
    assert_eq!(result.name.as_deref(), Some("now"));
    assert_eq!(ask.previous, None);
}

#[test]
fn a_request_without_history_reads_as_it_is() {
    let ask = join(FIRST.as_bytes(), &[]).unwrap();
    assert_eq!((ask.system.len(), ask.turns.len()), (1, 1));
}

#[test]
fn native_items_of_a_kept_conversation_survive() {
    let body = r#"{"input":[{"type":"custom_tool_call","call_id":"c","name":"p","input":"x"},{"role":"user","content":"Go"}]}"#;
    let kept =
        record(body.as_bytes(), br#"{"id":"resp_b","output":[{"type":"web_search_call","id":"ws_1"}]}"#).unwrap();
    let ask = join(br#"{"input":"More"}"#, &[kept]).unwrap();
    let natives = ask.turns.iter().flat_map(|turn| &turn.blocks);
    let kinds: Vec<_> = natives
        .filter_map(|block| match &block.content {
            Content::Native { kind, raw, .. } => Some((kind.as_str(), raw.0.get().contains(kind.as_str()))),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [("custom_tool_call", true), ("web_search_call", true)]);
}

#[test]
fn kept_input_items_have_types_and_ids() {
    let body = r#"{"input":[{"role":"user","content":"Hi"},{"role":"user","content":[]},{"type":"reasoning","id":"rs_9","summary":[]},{"type":"function_call_output","call_id":"c","output":"x"}]}"#;
    let kept = record(body.as_bytes(), br#"{"id":"resp_b","output":[]}"#).unwrap();
    let items: Vec<_> = kept.input.iter().map(|raw| raw.get()).collect();
    assert_eq!(
        items[0],
        r#"{"id":"msg_b_in0","type":"message","status":"completed","role":"user","content":[{"type":"input_text","text":"Hi"}]}"#
    );
    assert_eq!(items[1], r#"{"id":"msg_b_in1","type":"message","role":"user","content":[]}"#);
    assert!(items[2].starts_with(r#"{"type":"reasoning","id":"rs_9""#));
    assert!(items[3].starts_with(r#"{"id":"fco_b_in3","type":"function_call_output""#));
}

#[test]
fn input_items_come_in_pages_newest_first() {
    let items: Vec<_> = (0..5).map(|at| format!(r#"{{"role":"user","id":"i{at}","content":[]}}"#)).collect();
    let body = format!(r#"{{"input":[{}]}}"#, items.join(","));
    let kept = record(body.as_bytes(), br#"{"id":"resp_b","output":[]}"#).unwrap();
    let page = |query: &[(&'static str, &'static str)]| {
        let page = Page::read(query.iter().copied())?;
        input_items_page(&kept, &page).map(|out| text(&out).to_owned())
    };
    let first = page(&[("limit", "2")]).unwrap();
    assert!(first.ends_with(r#""first_id":"i4","last_id":"i3","has_more":true}"#), "{first}");
    let last = page(&[("limit", "9"), ("after", "i3"), ("order", "asc")]).unwrap();
    assert!(last.ends_with(r#""first_id":"i4","last_id":"i4","has_more":false}"#), "{last}");
    for (query, param) in [(("limit", "0"), "limit"), (("order", "up"), "order"), (("after", "i9"), "after")] {
        assert_eq!(page(&[query]).unwrap_err().param.as_deref(), Some(param));
    }
}

#[test]
fn a_record_survives_being_stored() {
    let kept = called();
    let stored = serde_json::to_vec(&kept).unwrap();
    let loaded: Record = serde_json::from_slice(&stored).unwrap();
    assert_eq!(retrieved(&loaded), retrieved(&kept));
    assert!(text(retrieved(&loaded)).starts_with(r#"{"id":"resp_a","object":"response""#));
}

#[test]
fn a_background_response_says_how_far_it_is() {
    let listener = listener(r#"{"input":"x","background":true}"#, "a");
    for (state, word) in
        [(Pending::Queued, "queued"), (Pending::InProgress, "in_progress"), (Pending::Cancelled, "cancelled")]
    {
        let object = pending(&listener, state);
        let object = text(&object);
        assert!(object.contains(&format!(r#""status":"{word}","background":true"#)), "{object}");
        assert!(object.ends_with(r#""usage":null,"output":[]}"#), "{object}");
    }
}

#[test]
fn a_deleted_response_is_acknowledged() {
    assert_eq!(text(&deleted("resp_a")), r#"{"id":"resp_a","object":"response.deleted","deleted":true}"#);
}

#[test]
fn what_is_no_response_is_not_kept() {
    assert_eq!(record(b"{}", b"[]").unwrap_err().code, Code::Internal);
    assert_eq!(record(b"[", br#"{"id":"resp_a"}"#).unwrap_err().code, Code::InvalidJson);
}

#[test]
fn a_streamed_response_is_kept_as_its_last_event_has_it() {
    let listener = listener(r#"{"input":"x","stream":true}"#, "a");
    let mut encoder = (DIALECT.encoder)(&listener);
    let mut event = Vec::new();
    encoder.event(&crate::form::Event::End, &mut event);
    let response = last_response(&event).unwrap();
    assert_eq!(record(br#"{"input":"x"}"#, response).unwrap().id, "resp_a");
}

#[test]
fn the_id_of_a_forwarded_stream_is_found_as_soon_as_it_has_come() {
    let event = "event: response.created\ndata: {\"type\":\"response.created\",\"response\": {\"id\": \"resp_up\",\"object\":\"response\"";
    let end = event.find("resp_up").unwrap() + "resp_up\"".len();
    for cut in 0..event.len() {
        assert_eq!(id_of_stream(&event.as_bytes()[..cut]).as_deref(), (cut >= end).then_some("resp_up"), "{cut}");
    }
}
