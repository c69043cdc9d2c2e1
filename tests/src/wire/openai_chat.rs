//! OpenAI Chat Completions.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Seen, data_frame, each, halves, split_data_url, text};

pub(super) fn request(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

pub(super) fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

fn finish(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() { "stop" } else { "tool_calls" }
}

fn usage(answer: &Answer) -> Value {
    json!({
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

pub(super) fn unary(model: &str, answer: &Answer) -> Value {
    let whole = answer.whole_text();
    let mut message = json!({"role": "assistant", "content": whole, "refusal": null});
    if whole.is_empty() {
        message["content"] = Value::Null;
    }
    if let Some((thought, _)) = &answer.reasoning {
        message["reasoning_content"] = json!(thought);
    }
    if !answer.calls.is_empty() {
        message["tool_calls"] = answer
            .calls
            .iter()
            .map(|(id, name, arguments)| {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}})
            })
            .collect();
    }
    json!({
        "id": "chatcmpl-scripted", "object": "chat.completion", "created": 1_790_000_000, "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(answer)}],
        "usage": usage(answer),
    })
}

pub(super) fn frames(model: &str, answer: &Answer, request: &Value) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Value| {
        data_frame(&json!({
            "id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": model,
            "choices": choices, "usage": usage,
        }))
    };
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null);
    let mut frames = vec![delta(json!({"role": "assistant", "content": ""}))];
    if let Some((thought, _)) = &answer.reasoning {
        frames.push(delta(json!({"reasoning_content": thought})));
    }
    frames.extend(answer.text.iter().map(|piece| delta(json!({"content": piece}))));
    for (index, (id, name, arguments)) in answer.calls.iter().enumerate() {
        frames.push(delta(json!({"tool_calls": [
            {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]})));
        for half in halves(arguments) {
            frames.push(delta(json!({"tool_calls": [{"index": index, "function": {"arguments": half}}]})));
        }
    }
    frames.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish(answer)}]), Value::Null));
    if request["stream_options"]["include_usage"] == json!(true) {
        frames.push(chunk(json!([]), usage(answer)));
    }
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
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
    let schema = &request["response_format"]["json_schema"]["schema"];
    seen.schema = schema.is_object().then(|| schema.clone());
    seen.reasoning = request["reasoning_effort"].is_string();
    seen
}

fn see_message(message: &Value, seen: &mut Seen) {
    if message["role"] == json!("tool") {
        let result = message["content"].as_str().map_or_else(
            || each(&message["content"]).map(|part| text(&part["text"])).collect::<String>(),
            str::to_owned,
        );
        seen.results.push((text(&message["tool_call_id"]), result));
        return;
    }
    if let Some(content) = message["content"].as_str() {
        seen.texts.push(content.to_owned());
    }
    for part in each(&message["content"]) {
        match part["type"].as_str() {
            Some("image_url") => seen.images.extend(part["image_url"]["url"].as_str().and_then(split_data_url)),
            _ => seen.texts.push(text(&part["text"])),
        }
    }
    for call in each(&message["tool_calls"]) {
        seen.calls.push((text(&call["id"]), text(&call["function"]["name"])));
    }
    if let Some(thought) = message["reasoning_content"].as_str() {
        seen.thoughts.push(thought.to_owned());
    }
}
