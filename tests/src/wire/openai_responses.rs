//! OpenAI Responses.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Seen, each, halves, named_frame, split_data_url, text};

pub(super) fn request(model: &str, prompt: &str) -> Value {
    json!({"model": model, "input": prompt})
}

fn usage(answer: &Answer) -> Value {
    json!({
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    })
}

fn items(answer: &Answer) -> Vec<Value> {
    let mut items = Vec::new();
    if let Some((thought, signature)) = &answer.reasoning {
        items.push(json!({
            "type": "reasoning", "id": "rs_scripted", "status": "completed",
            "summary": [{"type": "summary_text", "text": thought}], "encrypted_content": signature,
        }));
    }
    if !answer.text.is_empty() {
        items.push(json!({
            "type": "message", "id": "msg_scripted", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": answer.whole_text(), "annotations": [], "logprobs": []}],
        }));
    }
    for (id, name, arguments) in &answer.calls {
        items.push(json!({
            "type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "status": "completed",
            "arguments": arguments.to_string(),
        }));
    }
    items
}

fn response(model: &str, status: &str, output: Vec<Value>, usage: Value) -> Value {
    json!({
        "id": "resp_scripted", "object": "response", "created_at": 1_790_000_000, "status": status, "model": model,
        "error": null, "incomplete_details": null, "instructions": null, "output": output,
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "usage": usage, "metadata": {},
    })
}

pub(super) fn unary(model: &str, answer: &Answer) -> Value {
    response(model, "completed", items(answer), usage(answer))
}

pub(super) fn frames(model: &str, answer: &Answer) -> Vec<Bytes> {
    let mut events = vec![
        json!({"type": "response.created", "response": response(model, "in_progress", Vec::new(), Value::Null)}),
        json!({"type": "response.in_progress", "response": response(model, "in_progress", Vec::new(), Value::Null)}),
    ];
    for (index, item) in items(answer).iter().enumerate() {
        item_events(index, item, answer, &mut events);
    }
    events.push(json!({"type": "response.completed", "response": unary(model, answer)}));
    events
        .into_iter()
        .enumerate()
        .map(|(sequence, mut event)| {
            event["sequence_number"] = json!(sequence);
            named_frame(&event)
        })
        .collect()
}

fn item_events(index: usize, item: &Value, answer: &Answer, events: &mut Vec<Value>) {
    let id = &item["id"];
    let mut event = |kind: &str, more: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "output_index": index});
        if !kind.starts_with("output_item") {
            event["item_id"] = id.clone();
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        events.push(event);
    };
    let mut empty = item.clone();
    empty["status"] = json!("in_progress");
    match item["type"].as_str() {
        Some("reasoning") => {
            empty["summary"] = json!([]);
            event("output_item.added", json!({"item": empty}));
            let part = &item["summary"][0];
            event(
                "reasoning_summary_part.added",
                json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
            );
            event("reasoning_summary_text.delta", json!({"summary_index": 0, "delta": part["text"]}));
            event("reasoning_summary_text.done", json!({"summary_index": 0, "text": part["text"]}));
            event("reasoning_summary_part.done", json!({"summary_index": 0, "part": part}));
        }
        Some("message") => {
            empty["content"] = json!([]);
            event("output_item.added", json!({"item": empty}));
            let part = &item["content"][0];
            let blank = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
            event("content_part.added", json!({"content_index": 0, "part": blank}));
            for piece in &answer.text {
                event("output_text.delta", json!({"content_index": 0, "delta": piece, "logprobs": []}));
            }
            event("output_text.done", json!({"content_index": 0, "text": part["text"], "logprobs": []}));
            event("content_part.done", json!({"content_index": 0, "part": part}));
        }
        _ => {
            empty["arguments"] = json!("");
            event("output_item.added", json!({"item": empty}));
            let arguments = serde_json::from_str(item["arguments"].as_str().unwrap_or("{}")).unwrap_or_default();
            for half in halves(&arguments) {
                event("function_call_arguments.delta", json!({"delta": half}));
            }
            event("function_call_arguments.done", json!({"name": item["name"], "arguments": item["arguments"]}));
        }
    }
    event("output_item.done", json!({"item": item}));
}

pub(super) fn texts(body: &Value) -> Vec<&str> {
    each(&body["output"]).flat_map(|item| each(&item["content"])).filter_map(|part| part["text"].as_str()).collect()
}

pub(super) fn see(request: &Value) -> Seen {
    let mut seen = Seen::default();
    seen.texts.extend(request["instructions"].as_str().map(str::to_owned));
    seen.texts.extend(request["input"].as_str().map(str::to_owned));
    for item in each(&request["input"]) {
        see_item(item, &mut seen);
    }
    for tool in each(&request["tools"]) {
        seen.tools.push((text(&tool["name"]), tool["parameters"].clone()));
    }
    let schema = &request["text"]["format"]["schema"];
    seen.schema = schema.is_object().then(|| schema.clone());
    seen.reasoning = request["reasoning"].is_object();
    seen
}

fn see_item(item: &Value, seen: &mut Seen) {
    match item["type"].as_str() {
        Some("function_call") => seen.calls.push((text(&item["call_id"]), text(&item["name"]))),
        Some("function_call_output") => {
            let output = item["output"].as_str().map_or_else(
                || each(&item["output"]).map(|part| text(&part["text"])).collect::<String>(),
                str::to_owned,
            );
            seen.results.push((text(&item["call_id"]), output));
        }
        Some("reasoning") => seen.thoughts.push(text(&item["encrypted_content"])),
        _ => {
            seen.texts.extend(item["content"].as_str().map(str::to_owned));
            for part in each(&item["content"]) {
                match part["type"].as_str() {
                    Some("input_image") => seen.images.extend(part["image_url"].as_str().and_then(split_data_url)),
                    _ => seen.texts.push(text(&part["text"])),
                }
            }
        }
    }
}
