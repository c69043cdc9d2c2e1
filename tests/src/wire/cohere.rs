//! Cohere v2 chat.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Seen, each, halves, named_frame, split_data_url, text};

pub(super) fn request(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

fn finish(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() { "COMPLETE" } else { "TOOL_CALL" }
}

fn usage(answer: &Answer) -> Value {
    let tokens = json!({"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens});
    json!({"billed_units": tokens, "tokens": tokens})
}

pub(super) fn unary(answer: &Answer) -> Value {
    let mut content = Vec::new();
    if let Some((thought, _)) = &answer.reasoning {
        content.push(json!({"type": "thinking", "thinking": thought}));
    }
    if !answer.text.is_empty() {
        content.push(json!({"type": "text", "text": answer.whole_text()}));
    }
    let mut message = json!({"role": "assistant", "content": content});
    if !answer.calls.is_empty() {
        message["tool_calls"] = answer
            .calls
            .iter()
            .map(|(id, name, arguments)| {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}})
            })
            .collect();
    }
    json!({"id": "scripted", "finish_reason": finish(answer), "message": message, "usage": usage(answer)})
}

pub(super) fn frames(answer: &Answer) -> Vec<Bytes> {
    let opening = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let mut frames =
        vec![named_frame(&json!({"type": "message-start", "id": "scripted", "delta": {"message": opening}}))];
    let mut index = 0;
    let mut content = |kind: &str, pieces: &[String]| {
        let event = |name: &str, content: Value| {
            named_frame(&json!({"type": name, "index": index, "delta": {"message": {"content": content}}}))
        };
        frames.push(event("content-start", json!({"type": kind, kind: ""})));
        frames.extend(pieces.iter().map(|piece| event("content-delta", json!({kind: piece}))));
        frames.push(named_frame(&json!({"type": "content-end", "index": index})));
        index += 1;
    };
    if let Some((thought, _)) = &answer.reasoning {
        content("thinking", std::slice::from_ref(thought));
    }
    if !answer.text.is_empty() {
        content("text", &answer.text);
    }
    for (index, (id, name, arguments)) in answer.calls.iter().enumerate() {
        let event = |kind: &str, calls: Value| {
            named_frame(&json!({"type": kind, "index": index, "delta": {"message": {"tool_calls": calls}}}))
        };
        let function = json!({"name": name, "arguments": ""});
        frames.push(event("tool-call-start", json!({"id": id, "type": "function", "function": function})));
        for half in halves(arguments) {
            frames.push(event("tool-call-delta", json!({"function": {"arguments": half}})));
        }
        frames.push(named_frame(&json!({"type": "tool-call-end", "index": index})));
    }
    let delta = json!({"finish_reason": finish(answer), "usage": usage(answer)});
    frames.push(named_frame(&json!({"type": "message-end", "delta": delta})));
    frames
}

pub(super) fn see(request: &Value) -> Seen {
    let mut seen = Seen::default();
    for message in each(&request["messages"]) {
        see_message(message, &mut seen);
    }
    for tool in each(&request["tools"]) {
        seen.tools.push((text(&tool["function"]["name"]), tool["function"]["parameters"].clone()));
    }
    let format = &request["response_format"];
    seen.schema = ["json_schema", "schema"].iter().map(|name| format[name].clone()).find(Value::is_object);
    seen.reasoning = request["thinking"].is_object() && request["thinking"]["type"] != json!("disabled");
    seen
}

fn see_message(message: &Value, seen: &mut Seen) {
    if message["role"] == json!("tool") {
        let result = message["content"].as_str().map_or_else(
            || {
                each(&message["content"])
                    .map(|part| {
                        part["text"].as_str().map_or_else(|| part["document"]["data"].to_string(), str::to_owned)
                    })
                    .collect::<String>()
            },
            str::to_owned,
        );
        seen.results.push((text(&message["tool_call_id"]), result));
        return;
    }
    seen.texts.extend(message["content"].as_str().map(str::to_owned));
    for part in each(&message["content"]) {
        match part["type"].as_str() {
            Some("image_url") => seen.images.extend(part["image_url"]["url"].as_str().and_then(split_data_url)),
            Some("thinking") => seen.thoughts.push(text(&part["thinking"])),
            _ => seen.texts.push(text(&part["text"])),
        }
    }
    for call in each(&message["tool_calls"]) {
        seen.calls.push((text(&call["id"]), text(&call["function"]["name"])));
    }
}
