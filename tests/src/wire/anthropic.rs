//! Anthropic Messages.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Seen, each, halves, named_frame, text};

pub(super) fn request(model: &str, prompt: &str) -> Value {
    json!({"model": model, "max_tokens": 1024, "messages": [{"role": "user", "content": prompt}]})
}

pub(super) fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

fn stop_reason(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() { "end_turn" } else { "tool_use" }
}

fn usage(answer: &Answer) -> Value {
    json!({
        "input_tokens": answer.input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": answer.output_tokens,
    })
}

pub(super) fn unary(model: &str, answer: &Answer) -> Value {
    let mut content = Vec::new();
    if let Some((thought, signature)) = &answer.reasoning {
        content.push(json!({"type": "thinking", "thinking": thought, "signature": signature}));
    }
    if !answer.text.is_empty() {
        content.push(json!({"type": "text", "text": answer.whole_text()}));
    }
    for (id, name, arguments) in &answer.calls {
        content.push(json!({"type": "tool_use", "id": id, "name": name, "input": arguments}));
    }
    json!({
        "id": "msg_scripted", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop_reason(answer), "stop_sequence": null, "usage": usage(answer),
    })
}

pub(super) fn frames(model: &str, answer: &Answer) -> Vec<Bytes> {
    let mut opening = unary(model, &Answer { output_tokens: 1, ..answer.clone() });
    opening["content"] = json!([]);
    opening["stop_reason"] = Value::Null;
    let mut frames =
        vec![named_frame(&json!({"type": "message_start", "message": opening})), named_frame(&json!({"type": "ping"}))];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        frames.push(named_frame(&json!({"type": "content_block_start", "index": index, "content_block": start})));
        for delta in deltas {
            frames.push(named_frame(&json!({"type": "content_block_delta", "index": index, "delta": delta})));
        }
        frames.push(named_frame(&json!({"type": "content_block_stop", "index": index})));
        index += 1;
    };
    if let Some((thought, signature)) = &answer.reasoning {
        block(
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            vec![
                json!({"type": "thinking_delta", "thinking": thought}),
                json!({"type": "signature_delta", "signature": signature}),
            ],
        );
    }
    if !answer.text.is_empty() {
        let deltas = answer.text.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
        block(json!({"type": "text", "text": ""}), deltas);
    }
    for (id, name, arguments) in &answer.calls {
        let deltas = halves(arguments).map(|half| json!({"type": "input_json_delta", "partial_json": half}));
        block(json!({"type": "tool_use", "id": id, "name": name, "input": {}}), deltas.to_vec());
    }
    frames.push(named_frame(&json!({
        "type": "message_delta", "delta": {"stop_reason": stop_reason(answer), "stop_sequence": null},
        "usage": {"output_tokens": answer.output_tokens},
    })));
    frames.push(named_frame(&json!({"type": "message_stop"})));
    frames
}

pub(super) fn see(request: &Value) -> Seen {
    let mut seen = Seen::default();
    seen.texts.extend(request["system"].as_str().map(str::to_owned));
    seen.texts.extend(each(&request["system"]).map(|block| text(&block["text"])));
    for message in each(&request["messages"]) {
        seen.texts.extend(message["content"].as_str().map(str::to_owned));
        for block in each(&message["content"]) {
            see_block(block, &mut seen);
        }
    }
    for tool in each(&request["tools"]) {
        seen.tools.push((text(&tool["name"]), tool["input_schema"].clone()));
    }
    let schema = &request["output_config"]["format"]["schema"];
    seen.schema = schema.is_object().then(|| schema.clone());
    seen.reasoning = request["thinking"].is_object() && request["thinking"]["type"] != json!("disabled");
    seen
}

fn see_block(block: &Value, seen: &mut Seen) {
    match block["type"].as_str() {
        Some("image") => {
            seen.images.push((text(&block["source"]["media_type"]), text(&block["source"]["data"])));
        }
        Some("tool_use") => seen.calls.push((text(&block["id"]), text(&block["name"]))),
        Some("tool_result") => {
            let result = block["content"].as_str().map_or_else(
                || each(&block["content"]).map(|part| text(&part["text"])).collect::<String>(),
                str::to_owned,
            );
            seen.results.push((text(&block["tool_use_id"]), result));
        }
        Some("thinking") => seen.thoughts.push(text(&block["signature"])),
        _ => seen.texts.push(text(&block["text"])),
    }
}
