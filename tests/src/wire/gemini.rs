//! Gemini `generateContent`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Seen, data_frame, each, text};

pub(super) fn request(prompt: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]})
}

pub(super) fn error_status(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

fn chunk(model: &str, answer: &Answer, parts: Vec<Value>, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({
        "candidates": [candidate], "modelVersion": model, "responseId": "scripted",
        "usageMetadata": {
            "promptTokenCount": answer.input_tokens, "candidatesTokenCount": answer.output_tokens,
            "totalTokenCount": answer.input_tokens + answer.output_tokens,
        },
    })
}

fn thought_parts(answer: &Answer) -> Vec<Value> {
    answer.reasoning.iter().map(|(thought, _)| json!({"text": thought, "thought": true})).collect()
}

/// Calls; the first one carries the thought's signature, as Gemini 3 does.
fn call_parts(answer: &Answer) -> Vec<Value> {
    let mut signature = answer.reasoning.as_ref().map(|(_, signature)| signature);
    answer
        .calls
        .iter()
        .map(|(id, name, arguments)| {
            let mut part = json!({"functionCall": {"id": id, "name": name, "args": arguments}});
            if let Some(signature) = signature.take() {
                part["thoughtSignature"] = json!(signature);
            }
            part
        })
        .collect()
}

pub(super) fn unary(model: &str, answer: &Answer) -> Value {
    let mut parts = thought_parts(answer);
    if !answer.text.is_empty() {
        let mut part = json!({"text": answer.whole_text()});
        if let (Some((_, signature)), true) = (&answer.reasoning, answer.calls.is_empty()) {
            part["thoughtSignature"] = json!(signature);
        }
        parts.push(part);
    }
    parts.extend(call_parts(answer));
    chunk(model, answer, parts, Some("STOP"))
}

pub(super) fn frames(model: &str, answer: &Answer) -> Vec<Bytes> {
    let mut chunks: Vec<Vec<Value>> = thought_parts(answer).into_iter().map(|part| vec![part]).collect();
    chunks.extend(answer.text.iter().map(|piece| vec![json!({"text": piece})]));
    if !answer.calls.is_empty() {
        chunks.push(call_parts(answer));
    } else if let Some((_, signature)) = &answer.reasoning {
        chunks.push(vec![json!({"text": "", "thoughtSignature": signature})]);
    }
    let last = chunks.len().saturating_sub(1);
    chunks
        .into_iter()
        .enumerate()
        .map(|(at, parts)| data_frame(&chunk(model, answer, parts, (at == last).then_some("STOP"))))
        .collect()
}

pub(super) fn texts(body: &Value) -> Vec<&str> {
    each(&body["candidates"][0]["content"]["parts"])
        .filter(|part| part["thought"] != json!(true))
        .filter_map(|part| part["text"].as_str())
        .collect()
}

pub(super) fn see(request: &Value) -> Seen {
    let mut seen = Seen::default();
    seen.texts.extend(each(&request["systemInstruction"]["parts"]).map(|part| text(&part["text"])));
    for part in each(&request["contents"]).flat_map(|content| each(&content["parts"])) {
        see_part(part, &mut seen);
    }
    for tool in each(&request["tools"]).flat_map(|tool| each(&tool["functionDeclarations"])) {
        let schema = if tool["parameters"].is_object() { &tool["parameters"] } else { &tool["parametersJsonSchema"] };
        seen.tools.push((text(&tool["name"]), schema.clone()));
    }
    let config = &request["generationConfig"];
    seen.schema =
        ["responseSchema", "responseJsonSchema"].iter().map(|name| config[name].clone()).find(Value::is_object);
    seen.reasoning = config["thinkingConfig"].is_object();
    seen
}

fn see_part(part: &Value, seen: &mut Seen) {
    if let Some(signature) = part["thoughtSignature"].as_str() {
        seen.thoughts.push(signature.to_owned());
    }
    if part["functionCall"].is_object() {
        let call = &part["functionCall"];
        seen.calls.push((text(&call["id"]), text(&call["name"])));
    } else if part["functionResponse"].is_object() {
        let response = &part["functionResponse"];
        let id = response["id"].as_str().or(response["name"].as_str()).unwrap_or_default();
        seen.results.push((id.to_owned(), response["response"].to_string()));
    } else if part["inlineData"].is_object() {
        let data = &part["inlineData"];
        // Google's own SDK writes the proto's name inside and the JSON name outside; both are proto JSON.
        let mime = data["mimeType"].as_str().or(data["mime_type"].as_str()).unwrap_or_default();
        // It also writes base64 in the URL-safe alphabet; Google takes either, nobody else does.
        let standard = text(&data["data"]).replace('-', "+").replace('_', "/");
        seen.images.push((mime.to_owned(), standard));
    } else if part["thought"] != json!(true) {
        seen.texts.push(text(&part["text"]));
    }
}
