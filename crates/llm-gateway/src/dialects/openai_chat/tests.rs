//! What goldens do not reach: deviating targets, hostile input, broken streams, counting.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault};

use super::DIALECT;
use crate::dialects::{Counted, Listener, Quirks, Speaker, ThinkingStyle};
use crate::form::{Ask, Content, Delta, Dropped, Event, Issuer, Stop};

fn speaker(quirks: Quirks) -> Speaker<'static> {
    Speaker {
        model: "m",
        stream: true,
        issuer: Issuer::Other,
        default_output_cap: 0,
        thinking: ThinkingStyle::Unknown,
        quirks,
    }
}

fn write(ask: &str, speaker: &Speaker<'_>) -> (String, Vec<String>) {
    let ask = (DIALECT.read_ask)(ask.as_bytes()).unwrap();
    let mut dropped = Dropped::default();
    let body = (DIALECT.write_ask)(&ask, speaker, &mut dropped).unwrap();
    (String::from_utf8(body).unwrap(), dropped.names().to_vec())
}

fn events(stream: &str) -> (Vec<Event>, Result<(), Fault>) {
    let mut decoder = (DIALECT.decoder)();
    let mut out = Vec::new();
    let result = decoder.feed(stream.as_bytes(), &mut out).and_then(|()| decoder.end(&mut out));
    (out, result)
}

fn tally(chunks: &[&str]) -> Counted {
    let mut tally = (DIALECT.tally)();
    for chunk in chunks {
        tally.feed(&Bytes::copy_from_slice(chunk.as_bytes()));
    }
    tally.counted()
}

const HI: &str = r#"{"role":"user","content":"Hi"}"#;

#[test]
fn a_target_with_every_quirk_gets_its_own_words() {
    let quirks = Quirks {
        old_max_tokens: true,
        no_developer_role: true,
        no_stream_options: true,
        no_json_schema: true,
        tool_choice_any: true,
        short_call_ids: true,
        reasoning_content_back: true,
        random_seed: true,
        ..Quirks::default()
    };
    let ask = r#"{"messages":[{"role":"developer","content":"Rules"},{"role":"user","content":"Hi"},
        {"role":"assistant","reasoning_content":"Hm","tool_calls":[{"id":"toolu_01ABC","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"toolu_01ABC","content":"ok"}],
        "max_tokens":9,"seed":7,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required",
        "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}}"#;
    let (body, dropped) = write(ask, &speaker(quirks));
    for piece in [
        r#"{"role":"system","content":"Rules"}"#,
        r#""max_tokens":9"#,
        r#""random_seed":7"#,
        r#""tool_choice":"any""#,
        r#""response_format":{"type":"json_object"}"#,
        r#""reasoning_content":"Hm""#,
    ] {
        assert!(body.contains(piece), "{piece} in {body}");
    }
    assert!(!body.contains("stream_options") && !body.contains("toolu_01ABC"), "{body}");
    assert_eq!(dropped, ["response_format.json_schema"]);
}

#[test]
fn a_shortened_call_id_still_meets_its_result() {
    let quirks = Quirks { short_call_ids: true, ..Quirks::default() };
    let ask = r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"call_1","function":{"name":"f"}}]},
        {"role":"tool","tool_call_id":"call_1","content":"ok"}]}"#;
    let (body, _) = write(ask, &speaker(quirks));
    let id = body.split(r#""tool_call_id":""#).nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(id.len(), 9);
    assert!(body.contains(&format!(r#"{{"id":"{id}""#)), "{body}");
}

#[test]
fn a_streamed_answer_is_always_asked_for_its_usage() {
    let (body, _) = write(&format!(r#"{{"messages":[{HI}]}}"#), &speaker(Quirks::default()));
    assert!(body.contains(r#""stream":true,"stream_options":{"include_usage":true}"#), "{body}");
    assert!(!body.contains("null"), "{body}");
}

#[test]
fn sampling_is_left_out_where_thinking_forbids_it_and_said_so() {
    let thinker = Speaker { issuer: Issuer::OpenAi, thinking: ThinkingStyle::Effort, ..speaker(Quirks::default()) };
    let ask = format!(r#"{{"messages":[{HI}],"temperature":0.2,"top_p":1,"reasoning_effort":"low"}}"#);
    let (body, dropped) = write(&ask, &thinker);
    assert!(!body.contains("temperature") && !body.contains("top_p"), "{body}");
    assert_eq!(dropped, ["temperature"]);
    let (body, dropped) = write(&ask.replace("low", "none"), &thinker);
    assert!(body.contains(r#""temperature":0.2"#) && dropped.is_empty(), "{body}");
}

#[test]
fn a_model_that_does_not_think_is_not_asked_to() {
    let plain = Speaker { thinking: ThinkingStyle::None, ..speaker(Quirks::default()) };
    let (body, dropped) = write(&format!(r#"{{"messages":[{HI}],"reasoning_effort":"high"}}"#), &plain);
    assert!(!body.contains("reasoning_effort"), "{body}");
    assert_eq!(dropped, ["reasoning"]);
}

#[test]
fn what_only_this_dialect_knows_is_written_back() {
    let ask =
        format!(r#"{{"messages":[{HI}],"logit_bias":{{"1": -100}},"top_k":5,"tool_choice":{{"type":"custom"}}}}"#);
    let (body, dropped) = write(&ask, &speaker(Quirks::default()));
    assert!(body.ends_with(r#","logit_bias":{"1": -100},"tool_choice":{"type":"custom"}}"#), "{body}");
    assert!(body.contains(r#""top_k":5"#) && dropped.is_empty(), "{body}");
}

#[test]
fn a_gemini_signature_goes_back_to_gemini_alone() {
    let ask =
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"call_1--gsgQ2tFPQ","function":{"name":"f"}}]}]}"#;
    let google = Speaker { issuer: Issuer::Google, ..speaker(Quirks::default()) };
    let (body, _) = write(ask, &google);
    assert!(body.contains(r#""id":"call_1""#) && body.contains(r#""thought_signature":"CkE=""#), "{body}");
    assert!(!write(ask, &speaker(Quirks::default())).0.contains("CkE="));
}

#[test]
fn a_wrong_request_names_the_field() {
    for (body, field) in [
        (r#"{"messages":"hi"}"#, "messages"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"messages":[{"role":"robot"}]}"#, "messages[0].role"),
        (r#"{"messages":[{"content":"x"}]}"#, "messages[0].role"),
        (r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#, "messages[0].content[0].text"),
        (r#"{"messages":[{"role":"user","content":[{"type":"hologram"}]}]}"#, "messages[0].content[0].type"),
        (r#"{"messages":[{"role":"user","content":7}]}"#, "messages[0].content"),
        (r#"{"messages":[{"role":"tool","content":"x"}]}"#, "messages[0].tool_call_id"),
        (r#"{"messages":[],"temperature":"hot"}"#, "temperature"),
        (r#"{"messages":[],"n":4000000000}"#, "n"),
        (r#"{"messages":[],"tools":[{"type":"function"}]}"#, "tools[0].function"),
        (r#"{"messages":[],"tool_choice":"maybe"}"#, "tool_choice"),
        (r#"{"messages":[],"reasoning_effort":"huge"}"#, "reasoning_effort"),
        (r#"{"messages":[],"response_format":{"type":"xml"}}"#, "response_format.type"),
    ] {
        let fault = (DIALECT.read_ask)(body.as_bytes()).unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::InvalidRequest, Some(field)), "{body}");
        assert!(fault.message.contains(field), "{}", fault.message);
    }
    assert_eq!((DIALECT.read_ask)(b"{").unwrap_err().code, Code::InvalidJson);
}

#[test]
fn a_huge_index_is_refused_without_making_room_for_it() {
    let choice = r#"data: {"choices":[{"index":18446744073709551615,"delta":{"content":"x"}}]}"#;
    assert_eq!(events(&format!("{choice}\n\n")).1.unwrap_err().code, Code::UpstreamBroken);
    let call = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":4294967296,"id":"c","function":{"name":"f"}}]},"finish_reason":"stop"}]}"#;
    let (events, result) = events(&format!("{call}\n\ndata: [DONE]\n\n"));
    assert!(result.is_ok());
    assert!(events.iter().any(|event| matches!(event, Event::Stop { stop: Stop::ToolUse, .. })));
}

#[test]
fn odd_chunks_of_real_providers_are_read() {
    let stream = "data: {\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n\
        data: {\"id\":\"x\",\"created\":17.5,\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"\"}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"k\":1}}}]},\"finish_reason\":\"stop\"}]}\n\n";
    let (events, result) = events(stream);
    assert!(result.is_ok());
    assert_eq!(events[0], Event::Start { id: "x".to_owned(), model: String::new(), created: 17 });
    let arguments = Delta::Arguments(r#"{"k":1}"#.to_owned());
    assert!(events.contains(&Event::Delta { choice: 0, delta: arguments }), "{events:?}");
}

#[test]
fn too_many_calls_are_refused() {
    let calls: Vec<_> = (0..200).map(|at| format!(r#"{{"index":{at},"function":{{"name":"f"}}}}"#)).collect();
    let stream =
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{}]}}}}]}}\n\n", calls.join(","));
    assert_eq!(events(&stream).1.unwrap_err().code, Code::UpstreamBroken);
}

#[test]
fn a_stream_that_never_ended_is_no_success() {
    for stream in [
        "",
        "data: [DONE]\n\n",
        ": ping\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
        "data: {nonsense\n\n",
    ] {
        let (events, result) = events(stream);
        assert_eq!(result.unwrap_err().code, Code::UpstreamBroken, "{stream}");
        assert!(!events.contains(&Event::End), "{stream}");
    }
}

#[test]
fn nothing_follows_an_error_in_band() {
    let listener = Listener {
        ask: Arc::new(Ask { stream_usage: true, ..Ask::default() }),
        id: "1".to_owned(),
        created: 1,
        issuer: Issuer::Other,
        input_estimate: 0,
    };
    let mut encoder = (DIALECT.encoder)(&listener);
    let mut out = Vec::new();
    encoder.event(&Event::Failed(Fault::new(Code::UpstreamTimeout, "too slow")), &mut out);
    encoder.event(&Event::End, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("data: {\"error\":{") && text.matches("data:").count() == 1, "{text}");
}

#[test]
fn a_tally_counts_across_any_cut() {
    let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{ [DONE]\"},\"finish_reason\":null}],\"usage\":null}\n\n\
        data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":null}\n\n\
        data: {\"choices\":[],\"usage\": {\"prompt_tokens\":9,\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":5}}}\n\n\
        data: [DONE]\n\n";
    for cut in 0..=stream.len() {
        let counted = tally(&[&stream[..cut], &stream[cut..]]);
        let usage = counted.usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (4, 5, 4), "cut at {cut}");
        assert_eq!((counted.stop, counted.complete, counted.failed), (Some(Stop::MaxTokens), true, false));
    }
}

#[test]
fn a_tally_knows_a_broken_stream() {
    let counted = tally(&[
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\ndata: {\"error\":{\"message\":\"x\"}}\n\n",
    ]);
    assert!(counted.failed && !counted.complete && counted.usage.is_none());
    assert!(counted.output_bytes > 0);
}

#[test]
fn a_whole_answer_is_counted_and_nothing_else() {
    let body = br#"{"choices":[{"finish_reason":"stop","message":{"content":null,"tool_calls":[{}]}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let counted = (DIALECT.count)(body).unwrap();
    assert_eq!((counted.stop, counted.usage.unwrap().total()), (Some(Stop::ToolUse), 5));
    assert!((DIALECT.count)(br#"{"error":{}}"#).is_none() && (DIALECT.count)(b"<html>").is_none());
}

#[test]
fn results_learn_the_name_of_their_tool() {
    let ask = (DIALECT.read_ask)(
        br#"{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f"}}]},{"role":"tool","tool_call_id":"a","content":"ok"}]}"#,
    )
    .unwrap();
    let Content::ToolResult(result) = &ask.turns[1].blocks[0].content else { panic!("a result") };
    assert_eq!(result.name.as_deref(), Some("f"));
}

#[test]
fn claude_behind_chat_gets_its_cache_marks_and_others_do_not() {
    let ask = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]}],
        "tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]}"#;
    let ask = (DIALECT.read_ask)(ask.as_bytes()).unwrap();
    let write = |issuer| {
        let speaker = Speaker {
            model: "m",
            stream: false,
            issuer,
            default_output_cap: 0,
            thinking: ThinkingStyle::Effort,
            quirks: Quirks::default(),
        };
        let mut dropped = Dropped::default();
        let body = String::from_utf8((DIALECT.write_ask)(&ask, &speaker, &mut dropped).unwrap()).unwrap();
        (body.matches("cache_control").count(), body.contains(r#""ttl":"1h""#), dropped.names().len())
    };
    assert_eq!(write(Issuer::Anthropic), (2, true, 0));
    assert_eq!(write(Issuer::Google), (0, false, 1));
}
