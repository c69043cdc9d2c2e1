//! A whole answer as the stream its caller asked for. It is all there already, so each part is one delta.

use serde_json::{Value, json};

/// Server-sent events, each named by its type.
#[derive(Default)]
struct Stream {
    text: String,
    number: u64,
    numbered: bool,
}

impl Stream {
    fn say(&mut self, kind: &str, mut event: Value) {
        event["type"] = kind.into();
        if self.numbered {
            event["sequence_number"] = self.number.into();
            self.number += 1;
        }
        self.text.push_str("event: ");
        self.text.push_str(kind);
        self.text.push_str("\ndata: ");
        self.text.push_str(&event.to_string());
        self.text.push_str("\n\n");
    }
}

/// The events of a response.
pub(super) fn responses(whole: &Value) -> String {
    let mut stream = Stream { numbered: true, ..Stream::default() };
    let mut begun = whole.clone();
    (begun["status"], begun["output"], begun["usage"]) = ("in_progress".into(), json!([]), Value::Null);
    stream.say("response.created", json!({ "response": begun }));
    stream.say("response.in_progress", json!({ "response": begun }));
    for (index, item) in whole["output"].as_array().into_iter().flatten().enumerate() {
        output_item(&mut stream, index, item);
    }
    let end = if whole["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };
    stream.say(end, json!({ "response": whole }));
    stream.text
}

fn output_item(stream: &mut Stream, index: usize, item: &Value) {
    let at = |more: Value| {
        let mut event = json!({ "output_index": index, "item_id": item["id"] });
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        event
    };
    let kind = item["type"].as_str().unwrap_or_default();
    let mut begun = item.clone();
    for (name, empty) in [("content", json!([])), ("arguments", "".into()), ("output", Value::Null)] {
        if begun.get(name).is_some() {
            begun[name] = empty;
        }
    }
    if begun.get("status").is_some() {
        begun["status"] = "in_progress".into();
    }
    stream.say("response.output_item.added", json!({ "output_index": index, "item": begun }));
    match kind {
        "message" => {
            for (place, part) in item["content"].as_array().into_iter().flatten().enumerate() {
                content_part(stream, &at, place, part);
            }
        }
        "function_call" | "mcp_call" => {
            let family = if kind == "mcp_call" { "response.mcp_call" } else { "response.function_call" };
            if kind == "mcp_call" {
                stream.say("response.mcp_call.in_progress", at(json!({})));
            }
            stream.say(&format!("{family}_arguments.delta"), at(json!({ "delta": item["arguments"] })));
            stream.say(&format!("{family}_arguments.done"), at(json!({ "arguments": item["arguments"] })));
            if kind == "mcp_call" {
                let end = if item["error"].is_null() { "completed" } else { "failed" };
                stream.say(&format!("response.mcp_call.{end}"), at(json!({})));
            }
        }
        "mcp_list_tools" => {
            stream.say("response.mcp_list_tools.in_progress", at(json!({})));
            stream.say("response.mcp_list_tools.completed", at(json!({})));
        }
        _ => {}
    }
    stream.say("response.output_item.done", json!({ "output_index": index, "item": item }));
}

fn content_part(stream: &mut Stream, at: &dyn Fn(Value) -> Value, place: usize, part: &Value) {
    let (name, kind) = if part["type"] == "refusal" { ("refusal", "refusal") } else { ("text", "output_text") };
    let mut begun = part.clone();
    begun[name] = "".into();
    stream.say("response.content_part.added", at(json!({ "content_index": place, "part": begun })));
    stream.say(&format!("response.{kind}.delta"), at(json!({ "content_index": place, "delta": part[name] })));
    stream.say(&format!("response.{kind}.done"), at(json!({ "content_index": place, name: part[name] })));
    stream.say("response.content_part.done", at(json!({ "content_index": place, "part": part })));
}

/// A refusal as the last event of a response that has not begun.
pub(super) fn response_refused(refusal: &Value) -> String {
    let error = &refusal["error"];
    let mut stream = Stream { numbered: true, ..Stream::default() };
    let code = if error["code"].is_null() { &error["type"] } else { &error["code"] };
    stream.say("error", json!({ "code": code, "message": error["message"], "param": error["param"] }));
    stream.text
}

/// The same of a message.
pub(super) fn message_refused(refusal: &Value) -> String {
    let mut stream = Stream::default();
    stream.say("error", json!({ "error": refusal["error"] }));
    stream.text
}

/// The events of a message.
pub(super) fn messages(whole: &Value) -> String {
    let mut stream = Stream::default();
    let mut begun = whole.clone();
    (begun["content"], begun["stop_reason"], begun["stop_sequence"]) = (json!([]), Value::Null, Value::Null);
    begun["usage"]["output_tokens"] = 0.into();
    stream.say("message_start", json!({ "message": begun }));
    for (index, block) in whole["content"].as_array().into_iter().flatten().enumerate() {
        content_block(&mut stream, index, block);
    }
    let delta = json!({ "stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"] });
    stream.say("message_delta", json!({ "delta": delta, "usage": whole["usage"] }));
    stream.say("message_stop", json!({}));
    stream.text
}

fn content_block(stream: &mut Stream, index: usize, block: &Value) {
    let mut begun = block.clone();
    let mut deltas = Vec::new();
    match block["type"].as_str().unwrap_or_default() {
        "text" => {
            begun["text"] = "".into();
            deltas.push(json!({ "type": "text_delta", "text": block["text"] }));
        }
        "thinking" => {
            (begun["thinking"], begun["signature"]) = ("".into(), "".into());
            deltas.push(json!({ "type": "thinking_delta", "thinking": block["thinking"] }));
            deltas.push(json!({ "type": "signature_delta", "signature": block["signature"] }));
        }
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            begun["input"] = json!({});
            deltas.push(json!({ "type": "input_json_delta", "partial_json": block["input"].to_string() }));
        }
        _ => {}
    }
    stream.say("content_block_start", json!({ "index": index, "content_block": begun }));
    for delta in deltas {
        stream.say("content_block_delta", json!({ "index": index, "delta": delta }));
    }
    stream.say("content_block_stop", json!({ "index": index }));
}
