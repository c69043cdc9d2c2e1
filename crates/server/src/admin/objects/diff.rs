//! What a change changes: one line for each value that is added, removed or replaced.

use serde::Serialize;
use serde_json::Value;

/// Lines of a difference. More are not read, and the object itself is in the answer.
const LINES_MAX: usize = 200;

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Line {
    /// JSON pointer into the body; empty for the body as a whole.
    pointer: String,
    /// What is there now; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// What will be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

/// The difference of two bodies.
pub(super) fn between(before: Option<&Value>, after: Option<&Value>) -> Vec<Line> {
    let mut lines = Vec::new();
    walk(before, after, &mut String::new(), &mut lines);
    lines
}

fn walk(before: Option<&Value>, after: Option<&Value>, at: &mut String, lines: &mut Vec<Line>) {
    if before == after || lines.len() >= LINES_MAX {
        return;
    }
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) else {
        lines.push(Line { pointer: at.clone(), before: before.cloned(), after: after.cloned() });
        return;
    };
    let added = new.keys().filter(|name| !old.contains_key(*name));
    let length = at.len();
    for name in old.keys().chain(added) {
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        walk(old.get(name), new.get(name), at, lines);
        at.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_value_that_differs_is_one_line() {
        let (before, after) = (json!({"a": 1, "b": {"c/d": 2}, "e": [1]}), json!({"b": {"c/d": 3}, "e": [1], "f": 4}));
        let lines = serde_json::to_value(between(Some(&before), Some(&after))).unwrap();
        let expected = json!([
            {"pointer": "/a", "before": 1},
            {"pointer": "/b/c~1d", "before": 2, "after": 3},
            {"pointer": "/f", "after": 4},
        ]);
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_same_has_no_lines_and_a_new_body_has_one() {
        let body = json!({"a": 1});
        assert_eq!(between(Some(&body), Some(&body)), []);
        assert_eq!(between(None, Some(&body)).len(), 1);
    }
}
