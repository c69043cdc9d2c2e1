//! Which attributes of the context a set of policies reads. A decision may be kept for as long as those do not change.

use cedar_policy::Policy;
use serde_json::Value;

use super::circumstances::Attribute;

/// Every attribute that one of the policies reads. What cannot be told apart counts as read.
pub(super) fn attributes<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Vec<Attribute> {
    let mut read = Read::default();
    for policy in policies {
        match policy.to_json() {
            Ok(tree) => read.walk(&tree),
            Err(_) => read.everything = true,
        }
    }
    let known = |attribute: &Attribute| read.everything || read.names.iter().any(|name| name == attribute.as_str());
    Attribute::ALL.into_iter().filter(known).collect()
}

#[derive(Default)]
struct Read {
    names: Vec<String>,
    everything: bool,
}

impl Read {
    /// Looks for `context.name` and `context has name`; `context` anywhere else may be read whole.
    fn walk(&mut self, tree: &Value) {
        let mut open = vec![tree];
        while let Some(node) = open.pop() {
            match node {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) if is_context(node) => self.everything |= !fields.is_empty(),
                Value::Object(fields) => match (fields.get("left"), fields.get("attr")) {
                    (Some(left), Some(Value::String(name))) if is_context(left) => self.names.push(name.clone()),
                    _ => open.extend(fields.values()),
                },
                _ => {}
            }
        }
    }
}

fn is_context(node: &Value) -> bool {
    node.get("Var").and_then(Value::as_str) == Some("context")
}
