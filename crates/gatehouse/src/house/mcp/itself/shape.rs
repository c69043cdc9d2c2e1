//! How the gateway's own tools look in a list, and what their results and refusals are.

use gatehouse_domain::Code;
use gatehouse_server::admin::Answered;
use serde_json::{Map, Value, json};

/// What a tool came to: an object, or why not.
pub(super) type Outcome = Result<Value, Refused>;

/// Why a tool did not do what was asked, as the admin API words it: `{"error": {"code", "message", "hint"}}`.
#[derive(Clone, Debug)]
pub(super) struct Refused(String);

/// What a call may do: what a policy or a client decides by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// Nothing changes.
    Reads,
    /// Something is added.
    Adds,
    /// Something becomes another; the same call again changes nothing more.
    Replaces,
    /// Something is made anew and what was there is gone.
    Renews,
}

/// A tool in a list.
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) effect: Effect,
    /// Schemas of the arguments by name, each with: must it be there?
    pub(super) arguments: Vec<(&'static str, bool, Value)>,
    pub(super) output: Value,
}

impl Shown {
    /// As `tools/list` has it.
    pub(super) fn definition(self) -> Value {
        let [reads, destroys, repeats] = match self.effect {
            Effect::Reads => [true, false, true],
            Effect::Adds => [false, false, false],
            Effect::Replaces => [false, true, true],
            Effect::Renews => [false, true, false],
        };
        let required: Vec<_> =
            self.arguments.iter().filter(|(_, required, _)| *required).map(|(name, ..)| *name).collect();
        let properties: Map<String, Value> =
            self.arguments.into_iter().map(|(name, _, schema)| (name.to_owned(), schema)).collect();
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {
                "type": "object", "properties": properties, "required": required, "additionalProperties": false
            },
            "outputSchema": self.output,
            "annotations": {
                "readOnlyHint": reads, "destructiveHint": destroys, "idempotentHint": repeats, "openWorldHint": false
            },
        })
    }
}

/// The schema of a listing.
pub(super) fn rows() -> Value {
    json!({
        "type": "object",
        "properties": {
            "rows": { "type": "array", "items": { "type": "object" } },
            "next_cursor": { "type": "string", "description": "Pass it as `cursor`; absent on the last page." },
        },
        "required": ["rows"],
    })
}

/// Are all arguments there that must be, and none that mean nothing?
pub(super) fn check(tool: &Value, arguments: &Map<String, Value>) -> Result<(), Refused> {
    let schema = &tool["inputSchema"];
    let name = &tool["name"];
    if let Some(stranger) = arguments.keys().find(|name| schema["properties"].get(*name).is_none()) {
        let stranger: String = stranger.chars().take(64).collect();
        return Err(Refused::arguments(format!("{name} has no argument `{stranger}`.")));
    }
    let missing = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match missing.into_iter().find(|name| arguments.get(*name).is_none_or(Value::is_null)) {
        Some(missing) => Err(Refused::arguments(format!("{name} wants the argument `{missing}`."))),
        None => Ok(()),
    }
}

/// The result of a call: data for programs, the same as text for models. A refusal has the text alone, as it is no output.
pub(super) fn result(outcome: Outcome) -> Value {
    match outcome {
        Ok(value) => json!({
            "content": [{ "type": "text", "text": value.to_string() }],
            "structuredContent": value, "isError": false, "resultType": "complete",
        }),
        Err(Refused(text)) => {
            json!({ "content": [{ "type": "text", "text": text }], "isError": true, "resultType": "complete" })
        }
    }
}

impl Refused {
    /// A refusal: a code of docs/errors.md, what happened, what to do.
    pub(super) fn new(code: Code, message: &str, hint: &str) -> Self {
        Self(json!({ "error": { "code": code.as_str(), "message": message, "hint": hint } }).to_string())
    }

    /// For want of arguments that make sense.
    pub(super) fn arguments(message: impl AsRef<str>) -> Self {
        Self::new(Code::InvalidRequest, message.as_ref(), "The tool's input schema lists what it takes.")
    }
}

/// The answer of the admin API as an outcome.
pub(super) fn outcome(answered: &Answered) -> Outcome {
    let text = String::from_utf8_lossy(&answered.body);
    if !answered.status.is_success() {
        return Err(Refused(text.into_owned()));
    }
    match serde_json::from_str(&text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(Refused::new(Code::Internal, "The answer is no object.", "This is a defect; please report it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Value {
        let text = || json!({ "type": "string" });
        let arguments = vec![("kind", true, text()), ("cursor", false, text())];
        let (name, title, description) = ("list", "List", "Lists.");
        Shown { name, title, description, effect: Effect::Reads, arguments, output: rows() }.definition()
    }

    fn checked(arguments: &Value) -> Result<(), String> {
        check(&tool(), arguments.as_object().unwrap()).map_err(|Refused(text)| text)
    }

    #[test]
    fn an_argument_that_is_missing_or_none_of_the_tools_is_told_by_its_name() {
        assert!(checked(&json!({ "kind": "models" })).is_ok());
        assert!(checked(&json!({})).unwrap_err().contains("wants the argument `kind`"));
        assert!(checked(&json!({ "kind": null })).unwrap_err().contains("wants the argument `kind`"));
        assert!(checked(&json!({ "kind": "models", "page": 1 })).unwrap_err().contains("no argument `page`"));
    }

    #[test]
    fn a_refusal_is_text_with_a_code_and_a_way_out() {
        let result = result(Err(Refused::arguments("No.")));
        let told: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!((&result["isError"], &told["error"]["code"]), (&json!(true), &json!("invalid_request")));
        assert!(result.get("structuredContent").is_none() && told["error"]["hint"].is_string());
    }
}
