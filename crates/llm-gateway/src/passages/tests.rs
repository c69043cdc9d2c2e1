use gatehouse_domain::{ENCODED, Point};
use proptest::prelude::*;
use proptest::sample::select;

use super::review;

/// Everything that is shown, as `point tool? text`, in order.
fn shown(body: &str, side: Point) -> Vec<String> {
    let mut seen = Vec::new();
    let look: &mut gatehouse_domain::Look<'_> = &mut |passage| {
        let place = passage.place;
        let json = if place.json { " json" } else { "" };
        seen.push(format!("{}{json} {}: {}", place.point.word(), place.tool.unwrap_or("-"), passage.text));
        Ok(None)
    };
    review(body.as_bytes(), side, look).unwrap();
    seen
}

fn request(body: &str) -> Vec<String> {
    shown(body, Point::Request)
}

#[test]
fn chat_shows_what_is_said_and_not_how_it_is_said() {
    let body = r#"{"model":"m","messages":[{"role":"system","content":"be kind"},
        {"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"q\":1}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"found"}],
        "tools":[{"type":"function","function":{"name":"look","description":"Looks","parameters":{"type":"object","properties":{"q":{"type":"string","description":"what"}},"required":["q"]}}}],
        "user":"u1","stream":true}"#;
    assert_eq!(
        request(body),
        [
            "request -: be kind",
            "request -: hi",
            "request -: https://x/y.png",
            "tool_args json look: {\"q\":1}",
            "tool_result look: found",
            "request -: Looks",
            "request -: what",
            "request -: u1",
        ]
    );
}

#[test]
fn anthropic_shows_blocks_documents_and_arguments() {
    let body = r#"{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[
        {"role":"user","content":[{"type":"document","title":"t","source":{"type":"text","media_type":"text/plain","data":"plain"}},
          {"type":"document","source":{"type":"base64","media_type":"text/plain","data":"c2VjcmV0"}},
          {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"zzz"},{"type":"redacted_thinking","data":"abc"},
          {"type":"tool_use","id":"t1","name":"look","input":{"q":"x"}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"found"}]}]}]}"#;
    assert_eq!(
        request(body),
        [
            "request -: s",
            "request -: t",
            "request -: plain",
            "request -: secret",
            "request -: hm",
            "tool_args json look: {\"q\":\"x\"}",
            "tool_result look: found",
        ]
    );
}

#[test]
fn responses_shows_items_and_the_answer_not_what_it_repeats() {
    let body = r#"{"model":"m","instructions":"i","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"},
        {"type":"input_file","filename":"f.txt","file_data":"data:text/plain;base64,c2VjcmV0"}]},
        {"type":"function_call","call_id":"c","name":"look","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"found"}],
        "text":{"format":{"type":"json_schema","name":"n","schema":{"description":"d"}}}}"#;
    let seen = ["request -: i", "request -: hi", "request -: f.txt", "request -: secret"];
    let calls = ["tool_args json look: {}", "tool_result look: found", "request -: d"];
    assert_eq!(request(body), [&seen[..], &calls[..]].concat());
    let answer = r#"{"id":"resp_1","status":"completed","instructions":"i","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"x"},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes","logprobs":[]}]}],"tools":[{"description":"d"}]}"#;
    assert_eq!(shown(answer, Point::Response), ["response -: hm", "response -: yes"]);
}

#[test]
fn gemini_bedrock_and_cohere_show_theirs() {
    let gemini = r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"text/plain","data":"c2VjcmV0"}}]},
        {"role":"model","parts":[{"functionCall":{"name":"look","args":{"q":1}},"thoughtSignature":"x"}]},
        {"role":"user","parts":[{"functionResponse":{"name":"look","response":{"r":"found"}}}]}],
        "generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"STRING","description":"d"}}}"#;
    assert_eq!(
        request(gemini),
        [
            "request -: s",
            "request -: hi",
            "request -: secret",
            "tool_args json look: {\"q\":1}",
            "tool_result json look: {\"r\":\"found\"}",
            "request -: d",
        ]
    );
    let bedrock = r#"{"system":[{"text":"s"}],"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"look","input":{"q":1}}}]},
        {"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"found"},{"json":{"r":2}}]}},
        {"document":{"name":"n","format":"txt","source":{"bytes":"c2VjcmV0"}}}]}],"toolConfig":{"tools":[{"toolSpec":{"description":"d"}}]}}"#;
    assert_eq!(
        request(bedrock),
        [
            "request -: s",
            "tool_args json look: {\"q\":1}",
            "tool_result look: found",
            "tool_result json look: {\"r\":2}",
            "request -: secret",
            "request -: d",
        ]
    );
    let cohere = r#"{"messages":[{"role":"tool","tool_call_id":"t","content":[{"type":"document","document":{"id":"1","data":"found"}}]}],"documents":["doc",{"id":"d","data":{"text":"words"}}]}"#;
    assert_eq!(request(cohere), ["tool_result -: found", "request -: doc", "request -: words"]);
}

#[test]
fn embeddings_show_their_inputs() {
    assert_eq!(request(r#"{"model":"m","input":["a","b"]}"#), ["request -: a", "request -: b"]);
    assert_eq!(request(r#"{"texts":["a"],"input_type":"x","embedding_types":["float"]}"#), ["request -: a"]);
    assert_eq!(request(r#"{"requests":[{"model":"m","content":{"parts":[{"text":"a"}]}}]}"#), ["request -: a"]);
}

#[test]
fn what_is_replaced_is_replaced_in_place_and_nothing_else_moves() {
    let body = r#"{ "messages" : [ {"role":"user","content":"a \u0041 secret"} ], "temperature":1.0,
        "file":{"file_data":"data:text/plain;base64,c2VjcmV0"} }"#;
    let look: &mut gatehouse_domain::Look<'_> =
        &mut |passage| Ok(passage.text.contains("secret").then(|| passage.text.replace("secret", "[X]")));
    let changed = review(body.as_bytes(), Point::Request, look).unwrap().unwrap();
    let expected = body.replace(r"a \u0041 secret", "a A [X]").replace("c2VjcmV0", "W1hd");
    assert_eq!(String::from_utf8(changed).unwrap(), expected);
}

#[test]
fn likelihoods_go_with_the_text_they_spell() {
    let body = r#"{"choices":[{"message":{"content":"secret"},"logprobs":{"content":[{"token":"secret"}]}}]}"#;
    let look: &mut gatehouse_domain::Look<'_> = &mut |_| Ok(Some("[X]".to_owned()));
    let changed = review(body.as_bytes(), Point::Response, look).unwrap().unwrap();
    assert_eq!(String::from_utf8(changed).unwrap(), r#"{"choices":[{"message":{"content":"[X]"},"logprobs":null}]}"#);
}

proptest! {
    #[test]
    fn a_text_that_does_not_stand_in_the_body_as_it_is_written_is_announced(
        members in proptest::collection::vec((
            select(vec!["data", "bytes", "file_data", "fileData", "url", "image_url", "type", "media_type", "mimeType", "mime_type", "text"]),
            select(vec!["c2VjcmV0", "data:text/plain;base64,c2VjcmV0", "base64", "text", "text/plain"]),
        ), 1..5),
    ) {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("{name:?}:{value:?}")).collect();
        let body = format!(r#"{{"messages":[{{"content":[{{{}}}]}}]}}"#, members.join(","));
        let decoded = request(&body).iter().any(|shown| shown.ends_with(": secret"));
        let announced = ENCODED.iter().any(|word| body.to_ascii_lowercase().contains(word));
        prop_assert!(announced || !decoded, "{}", body);
    }
}
