//! Gemini's `Schema` as JSON Schema.

use serde_json::value::RawValue;

use super::Members;
use super::tree::{Json, find};

/// Rewrites Gemini's subset as JSON Schema: small type words, `nullable` as a type, numbers as numbers.
pub(in crate::dialects::gemini) fn from_gemini(schema: &RawValue) -> Option<Box<RawValue>> {
    let root: Json = serde_json::from_str(schema.get()).ok()?;
    serde_json::value::to_raw_value(&standard(root)).ok()
}

fn standard(schema: Json) -> Json {
    let Json::Object(members) = schema else { return schema };
    let nullable = find(&members, "nullable") == Some(&Json::Bool(true));
    let mut out = Members::with_capacity(members.len());
    for (key, value) in members {
        let value = match (key.as_str(), value) {
            ("nullable" | "propertyOrdering" | "property_ordering", _) => continue,
            ("type", Json::String(word)) => {
                let word = Json::String(word.to_ascii_lowercase());
                if nullable { Json::Array(vec![word, Json::string("null")]) } else { word }
            }
            ("properties" | "$defs" | "defs", Json::Object(list)) => {
                Json::Object(list.into_iter().map(|(name, value)| (name, standard(value))).collect())
            }
            ("anyOf" | "any_of", Json::Array(list)) => Json::Array(list.into_iter().map(standard).collect()),
            ("items", value) => standard(value),
            ("format", Json::String(word)) if word == "enum" => continue,
            ("enum", Json::Array(mut list)) if nullable => {
                list.push(Json::Null);
                Json::Array(list)
            }
            (name, Json::String(text)) if counts(name) => {
                text.parse::<u64>().map_or(Json::String(text), |number| Json::Number(number.into()))
            }
            (_, value) => value,
        };
        let key = match key.as_str() {
            "any_of" => "anyOf",
            "example" => "examples",
            other => other,
        };
        let value =
            if key == "examples" && !matches!(value, Json::Array(_)) { Json::Array(vec![value]) } else { value };
        out.push((key.to_owned(), value));
    }
    Json::Object(out)
}

/// Keywords that Google's JSON may write as strings, because they are 64-bit integers.
fn counts(key: &str) -> bool {
    matches!(key, "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties")
}
