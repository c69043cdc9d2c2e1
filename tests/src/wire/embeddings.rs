//! Embeddings in the three dialects that have them.

use bytes::Bytes;
use serde_json::{Value, json};

/// The vector every text gets.
pub const VECTOR: [f32; 3] = [0.25, -0.5, 1.0];

/// A provider's answer to an embedding request at this path, if it is one.
#[must_use]
pub fn answer(path: &str, request: &Value) -> Option<Bytes> {
    let count = |field: &Value| field.as_array().map_or(1, Vec::len);
    let body = if path.ends_with("/embeddings") {
        let data: Vec<Value> = (0..count(&request["input"]))
            .map(|index| json!({"object": "embedding", "index": index, "embedding": VECTOR}))
            .collect();
        json!({
            "object": "list", "data": data, "model": request["model"],
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        })
    } else if path.ends_with(":embedContent") {
        json!({"embedding": {"values": VECTOR}, "usageMetadata": {"promptTokenCount": 5}})
    } else if path.ends_with(":batchEmbedContents") {
        let each: Vec<Value> = (0..count(&request["requests"])).map(|_| json!({"values": VECTOR})).collect();
        json!({"embeddings": each, "usageMetadata": {"promptTokenCount": 5}})
    } else if path.ends_with("/embed") {
        let each: Vec<_> = (0..count(&request["texts"])).map(|_| VECTOR).collect();
        json!({
            "id": "scripted", "embeddings": {"float": each}, "texts": request["texts"],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 5}},
        })
    } else {
        return None;
    };
    Some(Bytes::from(body.to_string()))
}
