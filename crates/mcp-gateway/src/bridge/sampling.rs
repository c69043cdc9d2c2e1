//! Sampling as a call of a model: what a server asks a client's model (`sampling/createMessage`), in the words of Anthropic's
//! Messages, which every model of the gateway can be asked in, and its answer back.

use serde_json::{Value, json};

use crate::wire::{Raw, RpcError, code};

/// The path at which a model is asked.
pub const PATH: &str = "/v1/messages";
/// The most tokens a server gets that names no bound.
const TOKENS: u64 = 1_024;

/// The request to a model.
///
/// # Errors
/// `-32602` when the server asks for what was not offered: tools, content that no message has.
pub fn ask(params: Option<&Raw>, model: &str) -> Result<Value, RpcError> {
    let params = params.map(Raw::value).unwrap_or_default();
    if params.get("tools").is_some() || params.get("toolChoice").is_some() {
        return Err(wrong("tools in sampling were not offered"));
    }
    let messages = params["messages"].as_array().ok_or_else(|| wrong("`messages` is no list"))?;
    let messages = messages.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let mut body = json!({
        "model": model,
        "max_tokens": params["maxTokens"].as_u64().unwrap_or(TOKENS).max(1),
        "messages": messages,
    });
    let same = [("systemPrompt", "system"), ("temperature", "temperature"), ("stopSequences", "stop_sequences")];
    for (theirs, ours) in same {
        if let Some(value) = params.get(theirs).filter(|value| !value.is_null()) {
            body[ours] = value.clone();
        }
    }
    Ok(body)
}

fn message(of: &Value) -> Result<Value, RpcError> {
    let Some(role @ ("user" | "assistant")) = of["role"].as_str() else {
        return Err(wrong("the `role` of a message is `user` or `assistant`"));
    };
    let blocks = match &of["content"] {
        Value::Array(blocks) => blocks.iter().map(block).collect::<Result<Vec<_>, _>>()?,
        one => vec![block(one)?],
    };
    Ok(json!({ "role": role, "content": blocks }))
}

fn block(of: &Value) -> Result<Value, RpcError> {
    match of["type"].as_str() {
        Some("text") => Ok(json!({ "type": "text", "text": of["text"].as_str().unwrap_or_default() })),
        Some("image") => Ok(json!({
            "type": "image",
            "source": { "type": "base64", "media_type": of["mimeType"], "data": of["data"] },
        })),
        _ => Err(wrong("a message is text or an image")),
    }
}

/// The result for the server, out of what the gateway answered.
///
/// # Errors
/// When it was refused: what the caller would be told.
pub fn answer(success: bool, body: &[u8]) -> Result<Raw, RpcError> {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(content) = said["content"].as_array().filter(|_| success) else {
        let message = said["error"]["message"].as_str().unwrap_or("the model gave no answer");
        return Err(RpcError::new(code::INTERNAL, format!("Sampling was refused: {message}")));
    };
    let text: String = content.iter().filter_map(|block| block["text"].as_str()).collect();
    let stop = match said["stop_reason"].as_str() {
        Some("max_tokens") => "maxTokens",
        Some("stop_sequence") => "stopSequence",
        _ => "endTurn",
    };
    Ok(Raw::of(&json!({
        "role": "assistant",
        "content": { "type": "text", "text": text },
        "model": said["model"],
        "stopReason": stop,
    })))
}

fn wrong(what: &str) -> RpcError {
    RpcError::new(code::INVALID_PARAMS, format!("Invalid params: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_to_a_client_is_a_question_to_a_model() {
        let params = Raw::of(&json!({
            "messages": [{ "role": "user", "content": { "type": "text", "text": "Hi" } }],
            "systemPrompt": "Be brief.", "maxTokens": 5,
        }));
        let body = ask(Some(&params), "small").unwrap();
        assert_eq!(
            (&body["model"], &body["max_tokens"], &body["system"]),
            (&json!("small"), &json!(5), &json!("Be brief."))
        );
        assert_eq!(body["messages"][0]["content"][0]["text"], "Hi");
    }

    #[test]
    fn what_was_not_offered_is_refused() {
        for params in [json!({ "messages": [], "tools": [] }), json!({ "messages": [{ "role": "system" }] }), json!({})]
        {
            assert_eq!(ask(Some(&Raw::of(&params)), "m").unwrap_err().code, code::INVALID_PARAMS, "{params}");
        }
    }

    #[test]
    fn a_refusal_says_why() {
        let refused = answer(false, br#"{"error":{"message":"the budget is spent"}}"#).unwrap_err();
        assert!(refused.message.contains("the budget is spent"));
    }
}
