//! JSON Schema to Gemini's `Schema` (a subset of OpenAPI 3.0) and back.
//!
//! Gemini's `parameters` and `responseSchema` know neither `$ref` nor `allOf`, `const`, type arrays or
//! `additionalProperties`. What can be said in the subset is rewritten; what cannot (a schema that contains itself) goes
//! out raw in `parametersJsonSchema` / `responseJsonSchema`, which newer models take.

mod back;
mod node;
mod tree;

use serde_json::value::RawValue;

pub(super) use back::from_gemini;
use node::{finish, kind, merge, values};
use tree::{Json, find, set};

type Members = Vec<(String, Json)>;

/// Most nodes a rewritten schema may have: `$ref` can square its size with every step.
const NODES_MAX: usize = 10_000;
/// Deepest nesting, references included.
const DEPTH_MAX: usize = 64;

/// Keywords that mean the same on both sides.
const SHARED: &[&str] = &[
    "title",
    "description",
    "default",
    "example",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];

/// What to write for a JSON Schema.
pub(super) enum Said {
    /// Gemini's subset.
    Subset(Box<RawValue>),
    /// An object without properties: says nothing, and older models refuse it.
    Empty,
    /// Cannot be said in the subset: write the schema raw, in the field that takes JSON Schema.
    Unsayable,
}

/// Rewrites a JSON Schema in Gemini's subset. `ordered` also fixes the order of properties, for answers.
pub(super) fn to_gemini(schema: &RawValue, ordered: bool) -> Said {
    let Ok(root) = serde_json::from_str::<Json>(schema.get()) else { return Said::Unsayable };
    let mut rewriter = Rewriter { root: &root, ordered, nodes: 0, open: Vec::new() };
    let Ok(members) = rewriter.node(&root, 0) else { return Said::Unsayable };
    let no_properties = !matches!(find(&members, "properties"), Some(Json::Object(list)) if !list.is_empty());
    if find(&members, "type") == Some(&Json::string("OBJECT")) && no_properties {
        return Said::Empty;
    }
    serde_json::value::to_raw_value(&Json::Object(members)).map_or(Said::Unsayable, Said::Subset)
}

/// The schema cannot be said in the subset.
struct Unsayable;

struct Rewriter<'a> {
    root: &'a Json,
    ordered: bool,
    nodes: usize,
    /// References being followed right now: meeting one again means recursion.
    open: Vec<&'a str>,
}

impl<'a> Rewriter<'a> {
    fn node(&mut self, schema: &'a Json, depth: usize) -> Result<Members, Unsayable> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth > DEPTH_MAX {
            return Err(Unsayable);
        }
        let Json::Object(members) = schema else { return Ok(vec![kind("STRING")]) };
        let mut out = Members::new();
        if let Some(Json::String(reference)) = find(members, "$ref") {
            out = self.reference(reference, depth)?;
        }
        if let Some(Json::Array(parts)) = find(members, "allOf") {
            for part in parts {
                let part = self.node(part, depth + 1)?;
                merge(&mut out, part);
            }
        }
        for key in SHARED {
            if let Some(value) = find(members, key) {
                set(&mut out, key, value.clone());
            }
        }
        self.types(members, &mut out, depth)?;
        self.children(members, &mut out, depth)?;
        self.alternatives(members, &mut out, depth)?;
        values(members, &mut out);
        finish(members, &mut out);
        Ok(out)
    }

    fn reference(&mut self, reference: &'a str, depth: usize) -> Result<Members, Unsayable> {
        if self.open.contains(&reference) {
            return Err(Unsayable);
        }
        let target = resolve(self.root, reference).ok_or(Unsayable)?;
        self.open.push(reference);
        let members = self.node(target, depth + 1);
        self.open.pop();
        members
    }

    fn types(&mut self, members: &'a Members, out: &mut Members, depth: usize) -> Result<(), Unsayable> {
        match find(members, "type") {
            Some(Json::String(word)) => set(out, "type", Json::String(word.to_ascii_uppercase())),
            Some(Json::Array(words)) => {
                let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
                if words.contains(&"null") {
                    set(out, "nullable", Json::Bool(true));
                }
                let rest: Vec<&str> = words.into_iter().filter(|word| *word != "null").collect();
                match rest.as_slice() {
                    [] => set(out, "type", Json::string("NULL")),
                    [one] => set(out, "type", Json::String(one.to_ascii_uppercase())),
                    many => {
                        let mut each = Vec::with_capacity(many.len());
                        for word in many {
                            let mut one = vec![kind(&word.to_ascii_uppercase())];
                            match *word {
                                "array" => self.items(members, &mut one, depth)?,
                                "object" => self.properties(members, &mut one, depth)?,
                                _ => {}
                            }
                            each.push(Json::Object(one));
                        }
                        set(out, "anyOf", Json::Array(each));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn children(&mut self, members: &'a Members, out: &mut Members, depth: usize) -> Result<(), Unsayable> {
        if find(out, "anyOf").is_some() {
            return Ok(());
        }
        if find(members, "properties").is_some() {
            self.properties(members, out, depth)?;
        }
        let is_array = find(out, "type") == Some(&Json::string("ARRAY"));
        if is_array && find(out, "items").is_none()
            || find(members, "items").is_some()
            || find(members, "prefixItems").is_some()
        {
            self.items(members, out, depth)?;
        }
        Ok(())
    }

    fn properties(&mut self, members: &'a Members, out: &mut Members, depth: usize) -> Result<(), Unsayable> {
        let Some(Json::Object(properties)) = find(members, "properties") else { return Ok(()) };
        let mut own = Members::with_capacity(properties.len());
        for (name, schema) in properties {
            own.push((name.clone(), Json::Object(self.node(schema, depth + 1)?)));
        }
        merge(out, vec![("properties".to_owned(), Json::Object(own))]);
        if self.ordered && properties.len() > 1 {
            let names = properties.iter().map(|(name, _)| Json::String(name.clone())).collect();
            set(out, "propertyOrdering", Json::Array(names));
        }
        Ok(())
    }

    fn items(&mut self, members: &'a Members, out: &mut Members, depth: usize) -> Result<(), Unsayable> {
        let first = match find(members, "prefixItems") {
            Some(Json::Array(list)) => list.first(),
            _ => None,
        };
        let items = match find(members, "items").filter(|items| matches!(items, Json::Object(_))).or(first) {
            Some(items) => self.node(items, depth + 1)?,
            None => vec![kind("STRING")],
        };
        set(out, "items", Json::Object(items));
        Ok(())
    }

    fn alternatives(&mut self, members: &'a Members, out: &mut Members, depth: usize) -> Result<(), Unsayable> {
        for key in ["anyOf", "oneOf"] {
            let Some(Json::Array(list)) = find(members, key) else { continue };
            let mut each = Vec::new();
            for schema in list {
                if schema.get("type") == Some(&Json::string("null")) {
                    set(out, "nullable", Json::Bool(true));
                } else {
                    each.push(self.node(schema, depth + 1)?);
                }
            }
            if each.len() == 1 {
                merge(out, each.swap_remove(0));
            } else if !each.is_empty() {
                set(out, "anyOf", Json::Array(each.into_iter().map(Json::Object).collect()));
            }
        }
        Ok(())
    }
}

/// Follows a JSON pointer within the document (`#/$defs/Item`).
fn resolve<'a>(root: &'a Json, reference: &str) -> Option<&'a Json> {
    let pointer = reference.strip_prefix('#')?;
    let mut at = root;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        at = match at {
            Json::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => at.get(&step)?,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }
    fn subset(text: &str) -> String {
        match to_gemini(&raw(text), false) {
            Said::Subset(schema) => schema.get().to_owned(),
            Said::Empty => "empty".to_owned(),
            Said::Unsayable => "unsayable".to_owned(),
        }
    }

    #[test]
    fn references_are_written_out() {
        let schema = r##"{"type":"object","properties":{"z":{"$ref":"#/$defs/P"},"a":{"$ref":"#/$defs/P","description":"A"}},"$defs":{"P":{"type":"integer","minimum":1}}}"##;
        assert_eq!(
            subset(schema),
            r#"{"type":"OBJECT","properties":{"z":{"minimum":1,"type":"INTEGER"},"a":{"minimum":1,"type":"INTEGER","description":"A"}}}"#
        );
    }

    #[test]
    fn a_schema_that_contains_itself_cannot_be_said() {
        let schema =
            r##"{"$ref":"#/$defs/T","$defs":{"T":{"type":"object","properties":{"next":{"$ref":"#/$defs/T"}}}}}"##;
        assert_eq!(subset(schema), "unsayable");
    }

    #[test]
    fn references_that_square_the_size_are_not_followed_to_the_end() {
        let mut defs = r#""D0":{"type":"string"}"#.to_owned();
        for level in 1..40 {
            let below = level - 1;
            defs.push_str(&format!(
                r##","D{level}":{{"type":"object","properties":{{"a":{{"$ref":"#/$defs/D{below}"}},"b":{{"$ref":"#/$defs/D{below}"}}}}}}"##
            ));
        }
        assert_eq!(subset(&format!(r##"{{"$ref":"#/$defs/D39","$defs":{{{defs}}}}}"##)), "unsayable");
    }

    #[test]
    fn all_of_is_flattened() {
        let schema = r#"{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"number"}},"required":["b","ghost"]}]}"#;
        assert_eq!(
            subset(schema),
            r#"{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"NUMBER"}},"required":["a","b"]}"#
        );
    }

    #[test]
    fn null_among_types_becomes_nullable() {
        assert_eq!(subset(r#"{"type":["string","null"]}"#), r#"{"nullable":true,"type":"STRING"}"#);
        assert_eq!(
            subset(r#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#),
            r#"{"nullable":true,"type":"INTEGER"}"#
        );
    }

    #[test]
    fn constants_become_enumerations_and_other_values_are_told_in_words() {
        assert_eq!(subset(r#"{"const":"x"}"#), r#"{"type":"STRING","enum":["x"]}"#);
        assert_eq!(subset(r#"{"type":"integer","enum":[1,2]}"#), r#"{"type":"INTEGER","description":"One of: 1, 2."}"#);
    }

    #[test]
    fn what_the_subset_does_not_know_is_left_out_and_arrays_get_items() {
        let schema = r#"{"$schema":"x","type":"object","additionalProperties":false,"properties":{"l":{"type":"array","uniqueItems":true}}}"#;
        assert_eq!(
            subset(schema),
            r#"{"type":"OBJECT","properties":{"l":{"type":"ARRAY","items":{"type":"STRING"}}}}"#
        );
    }

    #[test]
    fn an_object_without_properties_says_nothing() {
        assert_eq!(subset(r#"{"type":"object","properties":{}}"#), "empty");
    }

    #[test]
    fn a_schema_of_google_reads_as_json_schema() {
        let schema = raw(
            r#"{"type":"OBJECT","properties":{"z":{"type":"STRING","nullable":true,"format":"enum","enum":["a"]},"l":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"}},"propertyOrdering":["z","l"]}"#,
        );
        assert_eq!(
            from_gemini(&schema).map(|schema| schema.get().to_owned()).as_deref(),
            Some(
                r#"{"type":"object","properties":{"z":{"type":["string","null"],"enum":["a",null]},"l":{"type":"array","items":{"type":"integer"},"minItems":1}}}"#
            )
        );
    }
}
