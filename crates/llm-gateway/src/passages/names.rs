//! What the names of JSON members say about the strings below them. One table for all dialects: where two of them use a
//! name, they mean the same by it.

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    /// Something people, models or tools have written.
    Words,
    /// Ids, kinds, switches, counts, proofs: nothing anybody has written.
    Nothing,
    /// Definitions of tools, schemas of outputs: only what describes them was written.
    Definitions,
    /// What a tool is called with: JSON, or JSON in a string.
    Arguments,
    /// The same if the object is a call, words if not.
    Input,
    /// The answer of a tool.
    Result,
    /// A JSON answer of a tool, if it is one.
    Payload,
    /// The bytes of a file, perhaps of a text.
    File,
    /// How likely each token was, which spells the text out.
    Likelihood,
}

/// What stands under a name, anywhere in a body.
pub(super) fn under(name: &str) -> Under {
    match name {
        "id"
        | "type"
        | "role"
        | "object"
        | "model"
        | "name"
        | "status"
        | "index"
        | "created"
        | "created_at"
        | "signature"
        | "thoughtSignature"
        | "thought_signature"
        | "encrypted_content"
        | "encrypted_index"
        | "redactedContent"
        | "redacted_content"
        | "call_id"
        | "tool_call_id"
        | "tool_call_ids"
        | "tool_use_id"
        | "toolUseId"
        | "item_id"
        | "file_id"
        | "container_id"
        | "previous_response_id"
        | "conversation"
        | "mimeType"
        | "mime_type"
        | "media_type"
        | "format"
        | "detail"
        | "cache_control"
        | "cachePoint"
        | "cachedContent"
        | "stop_reason"
        | "stopReason"
        | "finish_reason"
        | "finishReason"
        | "service_tier"
        | "serviceTier"
        | "system_fingerprint"
        | "modelVersion"
        | "responseId"
        | "createTime"
        | "usage"
        | "usageMetadata"
        | "mcp_servers"
        | "safetyRatings"
        | "safetySettings"
        | "obfuscation"
        | "phase" => Under::Nothing,
        "tools" | "functions" | "toolConfig" | "tool_config" | "response_format" | "responseFormat"
        | "output_format" | "output_config" | "generationConfig" | "generation_config" | "inferenceConfig"
        | "outputConfig" => Under::Definitions,
        "arguments" | "args" => Under::Arguments,
        "input" => Under::Input,
        "toolResult" | "functionResponse" | "function_response" => Under::Result,
        "response" | "json" => Under::Payload,
        "data" | "bytes" | "file_data" | "fileData" | "url" | "image_url" => Under::File,
        "logprobs" | "logprobsResult" | "avgLogprobs" => Under::Likelihood,
        _ => Under::Words,
    }
}

/// Switches of a request, known by name only where they stand at its top.
pub(super) fn is_switch(name: &str) -> bool {
    matches!(
        name,
        "stream"
            | "stream_options"
            | "tool_choice"
            | "toolChoice"
            | "encoding_format"
            | "truncate"
            | "truncation"
            | "input_type"
            | "taskType"
            | "embedding_types"
            | "reasoning"
            | "reasoning_effort"
            | "thinking"
            | "verbosity"
            | "include"
            | "modalities"
            | "audio"
            | "performanceConfig"
            | "guardrailConfig"
            | "prompt_cache_retention"
            | "speed"
    )
}

/// What an answer of the Responses API repeats of its request.
pub(super) fn is_echo(name: &str) -> bool {
    matches!(name, "instructions" | "tools" | "metadata" | "user" | "prompt" | "prompt_cache_key" | "safety_identifier")
        || is_switch(name)
}

/// In definitions: what was written to be read by a model.
pub(super) fn describes(name: &str) -> bool {
    matches!(name, "description" | "title" | "default" | "const" | "enum" | "example" | "examples" | "stopSequences")
}

/// Is what stands under this name, or in an object of this `type`, what a model thought?
pub(super) fn is_thought(name: &str) -> bool {
    name.starts_with("reasoning") || name == "thinking"
}

/// Is an object of this `type` what a tool answered?
pub(super) fn is_result(kind: &str) -> bool {
    kind.ends_with("_result") || kind.ends_with("_call_output")
}

/// Is an object of this `type` a call of a tool?
pub(super) fn is_call(kind: &str) -> bool {
    kind.ends_with("tool_use") || kind.ends_with("_call")
}
