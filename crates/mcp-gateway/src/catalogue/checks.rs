//! What a list's item must not be: unspeakable in a header or a log, a schema that points into the network, an
//! `x-mcp-header` nobody can follow. One bad tool is left out; the others of its server stay.

use bytes::Bytes;

use super::json;
use crate::era::headers::{self, BadMirror, Mirror};
use crate::wire::Raw;

/// The longest name or URI that is offered.
pub(crate) const NAME_BYTES: usize = 2048;
/// The longest name that is repeated in a finding.
const SHOWN_CHARS: usize = 120;

/// Why a name cannot be offered, if it cannot.
pub(crate) fn name(name: &str) -> Option<String> {
    let control = name.chars().any(|character| character.is_control() || is_hidden(character));
    control.then(|| "Its name has control or invisible characters in it, and it is left out.".to_owned())
}

/// Characters that no reader sees, or that change the order in which others are seen.
pub(crate) fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A foreign text as it may stand in a finding or a log: short, one line, nothing invisible.
pub(crate) fn shown(text: &str) -> String {
    let clean = text.chars().map(|each| if each.is_control() || is_hidden(each) { '\u{fffd}' } else { each });
    clean.take(SHOWN_CHARS).collect()
}

/// No reference of a schema may lead out of the document.
pub(crate) fn references(schema: &str) -> Result<(), (&'static str, String)> {
    walk(schema, &mut |name, value| match name {
        "$ref" | "$dynamicRef" => match json::text(value) {
            Some(target) if !target.starts_with('#') => Err((
                "network_reference",
                format!("Its schema refers to {}, outside itself, and it is left out.", shown(&target)),
            )),
            _ => Ok(()),
        },
        _ => Ok(()),
    })
}

/// Visits every member of every object in a text of known depth.
fn walk<E>(text: &str, visit: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
    let mut open = vec![text];
    while let Some(text) = open.pop() {
        if let Some(members) = json::members(text) {
            for (name, value) in members {
                visit(&name, value)?;
                open.push(value);
            }
        } else if let Some(elements) = json::elements(text) {
            open.extend(elements);
        }
    }
    Ok(())
}

/// The headers a schema asks for.
pub(crate) fn param_headers(schema: &str) -> Result<Vec<Mirror>, (&'static str, String)> {
    let schema = Raw::trusted(Bytes::copy_from_slice(schema.as_bytes()));
    let bad = |bad: BadMirror| format!("An `x-mcp-header` of its schema may not be ({}), and it is left out.", bad.0);
    headers::mirrors(&schema).map_err(|mirror| ("bad_param_header", bad(mirror)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_nobody_can_follow_is_said_to_be_one() {
        let schema = r#"{"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#;
        assert_eq!(param_headers(schema).unwrap_err().0, "bad_param_header");
    }

    #[test]
    fn references_stay_inside_the_schema() {
        assert!(references(r##"{"$defs":{"a":{}},"properties":{"x":{"$ref":"#/$defs/a"}}}"##).is_ok());
        let out = references(r#"{"allOf":[{"$ref":"https://example.com/schema.json"}]}"#).unwrap_err();
        assert_eq!(out.0, "network_reference");
    }

    #[test]
    fn names_nobody_can_see_are_refused() {
        assert!(name("read_\u{200b}file").is_some() && name("a\r\nb").is_some() && name("naïve.tool").is_none());
    }
}
