//! Texts as JSON strings: for `#[serde(serialize_with = …)]` on what people and models have written.
//!
//! serde_json looks at each byte of a string by itself, and a long text costs more than all the rest of a body. Here it is
//! copied from one byte that must be escaped to the next, and handed over as JSON that is done.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::scan::plain_words;

/// Bytes of a text up to which serde_json is as fast.
const SHORT: usize = 64;

/// Writes a text.
pub(in crate::dialects) fn text<S: Serializer>(text: &impl AsRef<str>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = text.as_ref();
    if text.len() <= SHORT {
        return serializer.serialize_str(text);
    }
    RawValue::from_string(quoted(text)).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

/// Writes a text, or null.
pub(in crate::dialects) fn optional<S: Serializer>(
    optional: &Option<impl AsRef<str>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match optional {
        Some(written) => text(written, serializer),
        None => serializer.serialize_none(),
    }
}

/// The text with its quotes, escaped as serde_json does it.
fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    let mut from = 0;
    loop {
        let to = plain_words(text.as_bytes(), from);
        json.push_str(&text[from..to]);
        match text.as_bytes().get(to) {
            None => break,
            Some(b'"') => json.push_str("\\\""),
            Some(b'\\') => json.push_str("\\\\"),
            Some(b'\n') => json.push_str("\\n"),
            Some(b'\r') => json.push_str("\\r"),
            Some(b'\t') => json.push_str("\\t"),
            Some(0x08) => json.push_str("\\b"),
            Some(0x0c) => json.push_str("\\f"),
            // Writing to a string cannot fail.
            Some(control) => _ = write!(json, "\\u{control:04x}"),
        }
        from = to + 1;
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize)]
    struct Message {
        #[serde(serialize_with = "text")]
        text: String,
        #[serde(serialize_with = "optional")]
        other: Option<String>,
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "([ -~é\u{1F600}]{0,20}[\u{0}-\u{1f}\u{7f}\"\\\\]?){0,9}") {
            let (plain, other) = (serde_json::to_string(&text).unwrap(), text.clone());
            let expected = format!("{{\"text\":{plain},\"other\":{plain}}}");
            prop_assert_eq!(serde_json::to_string(&Message { text, other: Some(other) }).unwrap(), expected);
        }
    }

    #[test]
    fn nothing_is_null() {
        let message = Message { text: String::new(), other: None };
        assert_eq!(serde_json::to_string(&message).unwrap(), r#"{"text":"","other":null}"#);
    }
}
