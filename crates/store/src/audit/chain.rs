//! How entries hang together: `hash = SHA-256(hash of the entry before ‖ canonical JSON of the event)`.
//!
//! Canonical JSON is RFC 8785, so that anybody can check an export with a few lines in any language. Before the first entry
//! stands a hash of zeros. The event names its organisation and its number, so that an entry fits no other place.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

/// A SHA-256 hash.
pub(crate) type Hash = [u8; 32];

/// What stands before the first entry of a chain.
pub(crate) const BEGINNING: Hash = [0; 32];

/// The hash of an entry.
pub(crate) fn next(previous: &Hash, event: &Value) -> Hash {
    sha256(&[previous, canonical(event).as_bytes()])
}

/// Canonical JSON. A [`Value`] holds nothing it could fail on; if it ever did, the text would match no hash.
pub(crate) fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = BEGINNING;
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hex::{hex, unhex};

    #[test]
    fn canonical_json_is_that_of_rfc_8785() {
        let value =
            json!({"\u{20ac}": 1, "\r": 2, "b": {"z": [true, null], "a": 333_333_333.333_333_3}, "1": "é\u{f}"});
        assert_eq!(
            canonical(&value),
            "{\"\\r\":2,\"1\":\"é\\u000f\",\"b\":{\"a\":333333333.3333333,\"z\":[true,null]},\"€\":1}"
        );
    }

    #[test]
    fn the_hash_is_sha_256_of_the_hash_before_and_the_event() {
        // printf '%064d' 0 | xxd -r -p | cat - <(printf '{"a":1}') | sha256sum
        let hash = hex(&next(&BEGINNING, &json!({"a": 1})));
        assert_eq!(hash, EXPECTED);
        assert_eq!(unhex::<32>(&hash), Some(next(&BEGINNING, &json!({"a": 1}))));
    }

    const EXPECTED: &str = "b06a229070741292512e8760f470dd7a4c46ccfdf253df781d88dabe58c1ccb1";
}
