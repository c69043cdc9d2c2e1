//! What a `$ref` means: a place in the same document, found within bounds. Another document, on the network or on the disk, is
//! never looked for.

use serde_json::Value;

/// References that may lead to references.
const HOPS_MAX: usize = 16;

/// The object a value stands for: itself, or what its `$ref` leads to.
pub(super) fn follow<'a>(document: &'a Value, value: &'a Value) -> Option<&'a Value> {
    let mut place = value;
    for _ in 0..HOPS_MAX {
        match place.get("$ref") {
            None => return Some(place),
            Some(reference) => place = find(document, reference.as_str()?)?,
        }
    }
    None
}

/// The place a local reference names (RFC 6901 in a fragment).
pub(super) fn find<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    document.pointer(&unescape(pointer)?)
}

/// A fragment's percent escapes, taken off.
fn unescape(fragment: &str) -> Option<String> {
    if !fragment.contains('%') {
        return Some(fragment.to_owned());
    }
    super::path::decode(fragment)
}
