//! Bedrock Converse.

use bytes::Bytes;
use serde_json::{Value, json};

use super::event_stream::message;
use super::{Answer, Seen, each, halves, text};

pub(super) fn request(prompt: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": prompt}]}]})
}

fn stop_reason(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() { "end_turn" } else { "tool_use" }
}

fn usage(answer: &Answer) -> Value {
    json!({
        "inputTokens": answer.input_tokens, "outputTokens": answer.output_tokens,
        "totalTokens": answer.input_tokens + answer.output_tokens,
    })
}

pub(super) fn unary(answer: &Answer) -> Value {
    let mut content = Vec::new();
    if let Some((thought, signature)) = &answer.reasoning {
        content.push(json!({"reasoningContent": {"reasoningText": {"text": thought, "signature": signature}}}));
    }
    if !answer.text.is_empty() {
        content.push(json!({"text": answer.whole_text()}));
    }
    for (id, name, arguments) in &answer.calls {
        content.push(json!({"toolUse": {"toolUseId": id, "name": name, "input": arguments}}));
    }
    json!({
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop_reason(answer),
        "usage": usage(answer), "metrics": {"latencyMs": 1},
    })
}

pub(super) fn frames(answer: &Answer) -> Vec<Bytes> {
    let mut frames = vec![message("messageStart", &json!({"role": "assistant"}))];
    let mut index = 0;
    let mut block = |start: Option<Value>, deltas: Vec<Value>| {
        // Only tool calls have a start event.
        if let Some(start) = start {
            frames.push(message("contentBlockStart", &json!({"contentBlockIndex": index, "start": start})));
        }
        for delta in deltas {
            frames.push(message("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta})));
        }
        frames.push(message("contentBlockStop", &json!({"contentBlockIndex": index})));
        index += 1;
    };
    if let Some((thought, signature)) = &answer.reasoning {
        block(
            None,
            vec![json!({"reasoningContent": {"text": thought}}), json!({"reasoningContent": {"signature": signature}})],
        );
    }
    if !answer.text.is_empty() {
        block(None, answer.text.iter().map(|piece| json!({"text": piece})).collect());
    }
    for (id, name, arguments) in &answer.calls {
        let deltas = halves(arguments).iter().map(|half| json!({"toolUse": {"input": half}})).collect();
        block(Some(json!({"toolUse": {"toolUseId": id, "name": name}})), deltas);
    }
    frames.push(message("messageStop", &json!({"stopReason": stop_reason(answer)})));
    frames.push(message("metadata", &json!({"usage": usage(answer), "metrics": {"latencyMs": 1}})));
    frames
}

pub(super) fn see(request: &Value) -> Seen {
    let mut seen = Seen::default();
    seen.texts.extend(each(&request["system"]).filter_map(|block| block["text"].as_str().map(str::to_owned)));
    for block in each(&request["messages"]).flat_map(|message| each(&message["content"])) {
        see_block(block, &mut seen);
    }
    for tool in each(&request["toolConfig"]["tools"]) {
        let spec = &tool["toolSpec"];
        if spec.is_object() {
            seen.tools.push((text(&spec["name"]), spec["inputSchema"]["json"].clone()));
        }
    }
    // Bedrock takes the schema as JSON text.
    let format = &request["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    seen.schema = format.as_str().and_then(|schema| serde_json::from_str(schema).ok());
    let more = &request["additionalModelRequestFields"];
    seen.reasoning = more["thinking"].is_object()
        || more["reasoning_config"].is_object()
        || request["outputConfig"]["effort"].is_string();
    seen
}

fn see_block(block: &Value, seen: &mut Seen) {
    if block["image"].is_object() {
        let image = &block["image"];
        seen.images.push((format!("image/{}", text(&image["format"])), text(&image["source"]["bytes"])));
    } else if block["toolUse"].is_object() {
        seen.calls.push((text(&block["toolUse"]["toolUseId"]), text(&block["toolUse"]["name"])));
    } else if block["toolResult"].is_object() {
        let result = &block["toolResult"];
        let content = each(&result["content"])
            .map(|part| part["text"].as_str().map_or_else(|| part["json"].to_string(), str::to_owned));
        seen.results.push((text(&result["toolUseId"]), content.collect()));
    } else if block["reasoningContent"].is_object() {
        seen.thoughts.push(text(&block["reasoningContent"]["reasoningText"]["signature"]));
    } else if let Some(content) = block["text"].as_str() {
        seen.texts.push(content.to_owned());
    }
}
