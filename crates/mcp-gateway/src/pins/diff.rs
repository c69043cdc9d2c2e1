//! What changed between two versions, member by member, and how much it matters to who calls: a schema that takes less than it
//! did breaks callers, one that takes more does not, and a text only changes what a model thinks.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::catalogue::Kind;

/// How much a change matters; the larger, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Texts, icons, `_meta`.
    Text,
    /// More is possible than before: a new optional argument, a wider type, a hint that says it may do more.
    Widened,
    /// What fitted before may not fit now.
    Breaking,
}

/// One member that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where, as a JSON Pointer (RFC 6901).
    pub path: String,
    /// What stood there; absent if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there; absent if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// How much it matters.
    pub class: Class,
}

/// Everything that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The worst of the changes; `None` if there is none.
    pub class: Option<Class>,
    /// The changes, in the order of the members' names.
    pub changes: Vec<Change>,
}

/// The most changes that are listed.
const CHANGES: usize = 500;

/// Compares two versions as they are stored.
#[must_use]
pub fn diff(kind: Kind, before: &str, after: &str) -> Diff {
    let read = |text: &str| match kind {
        Kind::Instructions => Value::from(text),
        _ => serde_json::from_str(text).unwrap_or(Value::Null),
    };
    let mut walk = Walk { changes: Vec::new() };
    walk.value(&mut Vec::new(), Some(&read(before)), Some(&read(after)), Place::Outside);
    Diff { class: walk.changes.iter().map(|change| change.class).max(), changes: walk.changes }
}

/// What a value stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The item itself, or a member that is only text.
    Outside,
    /// A schema; of what callers send (`true`: narrower is breaking) or of what they get (wider is).
    Schema(bool),
    /// A keyword of a schema.
    Keyword(bool),
    /// The members of `properties`.
    Properties(bool),
    /// The hints of a tool.
    Hints,
    /// The arguments of a prompt.
    Arguments,
}

struct Walk {
    changes: Vec<Change>,
}

impl Walk {
    fn value(&mut self, path: &mut Vec<String>, before: Option<&Value>, after: Option<&Value>, place: Place) {
        if before == after || self.changes.len() >= CHANGES {
            return;
        }
        if let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) {
            return self.members(path, before, after, place);
        }
        if place == Place::Arguments
            && let (Some(Value::Array(before)), Some(Value::Array(after))) = (before, after)
        {
            return self.arguments(path, before, after);
        }
        let class = classify(place, path.last().map_or("", String::as_str), before, after);
        let pointer: String =
            path.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect();
        self.changes.push(Change { path: pointer, before: before.cloned(), after: after.cloned(), class });
    }

    fn members(
        &mut self,
        path: &mut Vec<String>,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
        place: Place,
    ) {
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            path.push(name.clone());
            self.value(path, before.get(name), after.get(name), inner(place, name, path.len()));
            path.pop();
        }
    }

    /// Arguments of a prompt are a list of named things: compared by name.
    fn arguments(&mut self, path: &mut Vec<String>, before: &[Value], after: &[Value]) {
        let name = |value: &Value| value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut names: Vec<String> = before.iter().chain(after).map(name).collect();
        names.sort_unstable();
        names.dedup();
        for each in names {
            let find = |list: &[Value]| list.iter().find(|value| name(value) == each).cloned();
            path.push(each.clone());
            self.value(path, find(before).as_ref(), find(after).as_ref(), Place::Arguments);
            path.pop();
        }
    }
}

fn inner(place: Place, name: &str, depth: usize) -> Place {
    match (place, name) {
        (Place::Outside, "inputSchema") if depth == 1 => Place::Schema(true),
        (Place::Outside, "outputSchema") if depth == 1 => Place::Schema(false),
        (Place::Outside, "annotations") if depth == 1 => Place::Hints,
        (Place::Outside, "arguments") if depth == 1 => Place::Arguments,
        (
            Place::Schema(input) | Place::Keyword(input),
            "properties" | "$defs" | "definitions" | "patternProperties",
        ) => Place::Properties(input),
        (Place::Schema(input) | Place::Keyword(input), _) => Place::Keyword(input),
        (Place::Properties(input), _) => Place::Schema(input),
        (other, _) => other,
    }
}

fn classify(place: Place, name: &str, before: Option<&Value>, after: Option<&Value>) -> Class {
    match place {
        Place::Outside => Class::Text,
        Place::Hints => hint(name, after),
        Place::Arguments => argument(name, before, after),
        // A new one: whether it must be there is said by `required`, which is a change of its own.
        Place::Schema(_) | Place::Properties(_) if before.is_none() => Class::Widened,
        Place::Schema(_) | Place::Properties(_) => Class::Breaking,
        Place::Keyword(true) => keyword(name, before, after),
        Place::Keyword(false) => match keyword(name, before, after) {
            Class::Breaking => Class::Widened,
            Class::Widened => Class::Breaking,
            Class::Text => Class::Text,
        },
    }
}

/// A hint that says the tool does more than it said before.
fn hint(name: &str, after: Option<&Value>) -> Class {
    let now = after.and_then(Value::as_bool);
    match (name, now) {
        ("readOnlyHint" | "idempotentHint", Some(true)) | ("destructiveHint" | "openWorldHint", Some(false)) => {
            Class::Text
        }
        ("readOnlyHint" | "idempotentHint" | "destructiveHint" | "openWorldHint", _) => Class::Widened,
        _ => Class::Text,
    }
}

fn argument(name: &str, before: Option<&Value>, after: Option<&Value>) -> Class {
    let required = |value: &Value| value.get("required").and_then(Value::as_bool) == Some(true);
    match (name, before, after) {
        ("required", _, after) if after.and_then(Value::as_bool) == Some(true) => Class::Breaking,
        ("required", ..) => Class::Widened,
        ("title" | "description" | "_meta", ..) => Class::Text,
        (_, None, Some(new)) if !required(new) => Class::Widened,
        _ => Class::Breaking,
    }
}

/// A keyword of a schema of what is sent.
fn keyword(name: &str, before: Option<&Value>, after: Option<&Value>) -> Class {
    match name {
        "title" | "description" | "default" | "examples" | "$comment" | "$schema" | "$id" | "deprecated"
        | "readOnly" | "writeOnly" | "format" | "x-mcp-header" => Class::Text,
        "required" => lists(after, before),
        "enum" | "type" => match (before, after) {
            (None, _) => Class::Breaking,
            (_, None) => Class::Widened,
            _ => lists(before, after),
        },
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => bound(before, after),
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => bound(after, before),
        "additionalProperties" | "unevaluatedProperties" => match after {
            None | Some(Value::Bool(true)) => Class::Widened,
            _ => Class::Breaking,
        },
        // A constraint that goes widens; one that comes or is another one may narrow.
        _ if after.is_none() => Class::Widened,
        _ => Class::Breaking,
    }
}

/// Does everything of the smaller list stand in the larger, still? Numbers are a kind of which whole ones are a part.
fn lists(smaller: Option<&Value>, larger: Option<&Value>) -> Class {
    let items = |value: Option<&Value>| match value {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let larger = items(larger);
    let has =
        |item: &Value| larger.contains(item) || (item == "integer" && larger.iter().any(|other| other == "number"));
    if items(smaller).iter().all(has) { Class::Widened } else { Class::Breaking }
}

/// A lower bound; an upper one with its sides exchanged.
fn bound(lower: Option<&Value>, higher: Option<&Value>) -> Class {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    match (number(lower), number(higher)) {
        (Some(before), Some(after)) if after <= before => Class::Widened,
        (Some(_), None) => Class::Widened,
        _ => Class::Breaking,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(before: Value, after: Value) -> Option<Class> {
        diff(Kind::Tool, &before.to_string(), &after.to_string()).class
    }

    fn input(schema: Value) -> Value {
        json!({"name": "a", "inputSchema": schema})
    }

    #[test]
    fn the_same_is_no_change() {
        assert_eq!(class(input(json!({"type": "object"})), input(json!({"type": "object"}))), None);
    }

    #[test]
    fn texts_only_change_texts() {
        let before =
            json!({"name": "a", "description": "x", "inputSchema": {"properties": {"p": {"description": "1"}}}});
        let after =
            json!({"name": "a", "description": "y", "inputSchema": {"properties": {"p": {"description": "2"}}}});
        let diff = diff(Kind::Tool, &before.to_string(), &after.to_string());
        assert_eq!(diff.class, Some(Class::Text));
        let paths: Vec<_> = diff.changes.iter().map(|change| &*change.path).collect();
        assert_eq!(paths, ["/description", "/inputSchema/properties/p/description"]);
    }

    #[test]
    fn what_takes_less_breaks() {
        for (before, after) in [
            (json!({"properties": {"p": {}}}), json!({"properties": {}})),
            (json!({"required": ["a"]}), json!({"required": ["a", "b"]})),
            (json!({}), json!({"required": ["a"]})),
            (json!({"properties": {"p": {"enum": [1, 2]}}}), json!({"properties": {"p": {"enum": [1]}}})),
            (json!({"properties": {"p": {"type": "number"}}}), json!({"properties": {"p": {"type": "integer"}}})),
            (json!({"properties": {"p": {"maxLength": 9}}}), json!({"properties": {"p": {"maxLength": 8}}})),
            (json!({"properties": {"p": {}}}), json!({"properties": {"p": {"minimum": 1}}})),
            (json!({}), json!({"additionalProperties": false})),
            (json!({}), json!({"properties": {"p": {}}, "required": ["p"]})),
        ] {
            assert_eq!(class(input(before.clone()), input(after.clone())), Some(Class::Breaking), "{before} {after}");
        }
    }

    #[test]
    fn what_takes_more_does_not() {
        for (before, after) in [
            (json!({"properties": {}}), json!({"properties": {"p": {}}})),
            (json!({"required": ["a", "b"]}), json!({"required": ["a"]})),
            (
                json!({"properties": {"p": {"type": "integer"}}}),
                json!({"properties": {"p": {"type": ["number", "null"]}}}),
            ),
            (json!({"properties": {"p": {"minimum": 2}}}), json!({"properties": {"p": {"minimum": 1}}})),
            (json!({"additionalProperties": false}), json!({"additionalProperties": true})),
        ] {
            assert_eq!(class(input(before.clone()), input(after.clone())), Some(Class::Widened), "{before} {after}");
        }
    }

    #[test]
    fn for_what_is_answered_it_is_the_other_way_round() {
        let output = |schema: Value| json!({"name": "a", "outputSchema": schema});
        assert_eq!(class(output(json!({"required": ["a"]})), output(json!({"required": []}))), Some(Class::Breaking));
    }

    #[test]
    fn a_tool_that_no_longer_promises_to_read_only_is_more_than_a_text() {
        let hints = |read: bool| json!({"name": "a", "annotations": {"readOnlyHint": read}});
        assert_eq!(class(hints(true), hints(false)), Some(Class::Widened));
        assert_eq!(class(hints(false), hints(true)), Some(Class::Text));
    }

    #[test]
    fn arguments_of_prompts_are_compared_by_name() {
        let prompt = |arguments: Value| json!({"name": "a", "arguments": arguments}).to_string();
        let of = |before: Value, after: Value| diff(Kind::Prompt, &prompt(before), &prompt(after)).class;
        let (a, b) = (json!({"name": "a"}), json!({"name": "b", "required": true}));
        assert_eq!(of(json!([a, b]), json!([b, a])), None);
        assert_eq!(of(json!([a]), json!([a, b])), Some(Class::Breaking));
        assert_eq!(of(json!([a]), json!([a, {"name": "c"}])), Some(Class::Widened));
    }

    #[test]
    fn instructions_are_one_text() {
        assert_eq!(diff(Kind::Instructions, "a", "b").changes[0].path, "");
    }
}
