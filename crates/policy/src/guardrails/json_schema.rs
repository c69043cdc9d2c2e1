//! Answers that must be JSON of a given form.
//!
//! A text is judged when it is whole: on a stream it is held back until it ends. Schemas come from the operator, texts do not:
//! the number of values in a text is bounded, patterns in schemas run in linear time, and references never leave the schema.

use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::{BuildError, Detector, Finding, View};

const LABEL: &str = "[REDACTED:json_schema]";
/// The most values (objects, arrays and what is in them) a text may have.
const MAX_NODES: usize = 100_000;
/// The most a schema may have.
const MAX_SCHEMA_NODES: usize = 10_000;
/// The longest place in a schema that a finding names.
const MAX_PLACE: usize = 200;

/// Finds texts that are not JSON of a schema.
pub(super) struct JsonSchema {
    validator: Validator,
}

impl JsonSchema {
    pub(super) fn new(schema: &Value) -> Result<Self, BuildError> {
        if nodes(schema, MAX_SCHEMA_NODES).is_none() {
            return Err(BuildError::new(format!(
                "The schema has more than {MAX_SCHEMA_NODES} parts. Use a smaller one."
            )));
        }
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
            .offline()
            .build(schema)
            .map_err(|error| BuildError::new(format!("The JSON schema cannot be used: {error}")))?;
        Ok(Self { validator })
    }

    /// What is wrong with the text, as a rule's name. It names places of the schema, never of the text.
    fn problem(&self, text: &str) -> Option<Arc<str>> {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return Some("not_json".into()) };
        if nodes(&value, MAX_NODES).is_none() {
            return Some("too_large".into());
        }
        let error = self.validator.validate(&value).err()?;
        let place = error.schema_path().as_str();
        Some(place.get(..place.floor_char_boundary(MAX_PLACE)).unwrap_or(place).into())
    }
}

/// How many values there are; `None` if more than `most`.
fn nodes(value: &Value, most: usize) -> Option<usize> {
    let mut left = most.checked_sub(1)?;
    let children: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => return Some(1),
    };
    for child in children {
        left -= nodes(child, left)?;
    }
    Some(most - left)
}

impl Detector for JsonSchema {
    fn kind(&self) -> &'static str {
        "json_schema"
    }

    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        if !view.last {
            return view.from;
        }
        if let Some(rule) = self.problem(view.text) {
            found.push(Finding { span: 0..view.text.len(), rule, label: LABEL });
        }
        view.text.len()
    }

    fn reach(&self) -> usize {
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(schema: &Value, text: &str) -> Option<String> {
        let mut found = Vec::new();
        JsonSchema::new(schema).unwrap().find(text, &mut found);
        found.first().map(|finding| finding.rule.to_string())
    }

    #[test]
    fn a_text_of_the_schema_is_no_finding_and_another_names_the_place_in_the_schema() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        assert_eq!(rule(&schema, r#"{"n": 1}"#), None);
        assert_eq!(rule(&schema, r#"{"n": "my secret"}"#).as_deref(), Some("/properties/n/type"));
        assert_eq!(rule(&schema, "Sure! Here it is").as_deref(), Some("not_json"));
    }

    #[test]
    fn a_text_with_too_many_values_is_not_looked_at() {
        let text = format!("[{}1]", "1,".repeat(MAX_NODES));
        assert_eq!(rule(&json!({}), &text).as_deref(), Some("too_large"));
    }

    #[test]
    fn a_reference_to_elsewhere_is_refused() {
        assert!(JsonSchema::new(&json!({"$ref": "https://example.com/other.json"})).is_err());
        assert!(JsonSchema::new(&json!({"type": 7})).is_err());
    }
}
