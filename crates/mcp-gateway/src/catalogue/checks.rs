//! What a list's item must not be: unspeakable in a header or a log, a schema that points into the network, an
//! `x-mcp-header` nobody can follow. One bad tool is left out; the others of its server stay.

use std::sync::Arc;

use super::json;

/// The longest name or URI that is offered.
pub(crate) const NAME_BYTES: usize = 2048;
/// The longest name that is repeated in a finding.
const SHOWN_CHARS: usize = 120;

/// An argument that a modern server wants mirrored in a header (2026-07-28, transports: custom headers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    /// The header without `Mcp-Param-`.
    pub header: Arc<str>,
    /// Where the argument stands, member by member.
    pub path: Vec<Arc<str>>,
}

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
pub(crate) fn param_headers(schema: &str) -> Result<Vec<ParamHeader>, (&'static str, String)> {
    let mut all = 0_usize;
    walk(schema, &mut |name, _| {
        all += usize::from(name == "x-mcp-header");
        Ok::<_, (&'static str, String)>(())
    })?;
    let mut found = Vec::new();
    if all > 0 {
        collect(schema, &mut Vec::new(), &mut found)?;
    }
    // One that is not reached through `properties` alone has no place an argument could be taken from.
    if found.len() != all {
        return Err(bad_header("stands where no argument is".to_owned()));
    }
    Ok(found)
}

fn collect(schema: &str, path: &mut Vec<Arc<str>>, found: &mut Vec<ParamHeader>) -> Result<(), (&'static str, String)> {
    let Some(properties) = json::member(schema, "properties").and_then(json::members) else { return Ok(()) };
    for (name, property) in properties {
        path.push(Arc::from(&*name));
        if let Some(header) = json::member(property, "x-mcp-header") {
            let header = json::text(header).filter(|header| is_token(header));
            let Some(header) = header else { return Err(bad_header("is no header name".to_owned())) };
            let kind = json::member(property, "type").and_then(json::text);
            if !matches!(kind.as_deref(), Some("string" | "integer" | "boolean")) {
                return Err(bad_header(format!("is on `{}`, which is no string, integer or boolean", shown(&name))));
            }
            if found.iter().any(|other| other.header.eq_ignore_ascii_case(&header)) {
                return Err(bad_header(format!("`{}` stands there twice", shown(&header))));
            }
            found.push(ParamHeader { header: Arc::from(&*header), path: path.clone() });
        }
        collect(property, path, found)?;
        path.pop();
    }
    Ok(())
}

fn bad_header(why: String) -> (&'static str, String) {
    ("bad_param_header", format!("An `x-mcp-header` of its schema {why}, and it is left out."))
}

/// A token of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_through_properties() {
        let schema = r#"{"type":"object","properties":{"where":{"type":"object","properties":{"region":
            {"type":"string","x-mcp-header":"Region"}}}}}"#;
        let found = param_headers(schema).unwrap();
        assert_eq!(found, [ParamHeader { header: "Region".into(), path: vec!["where".into(), "region".into()] }]);
    }

    #[test]
    fn headers_nobody_can_follow_are_refused() {
        for property in [
            r#""a":{"type":"number","x-mcp-header":"A"}"#,
            r#""a":{"type":"string","x-mcp-header":"A B"}"#,
            r#""a":{"type":"string","x-mcp-header":""}"#,
            r#""a":{"type":"string","x-mcp-header":1}"#,
            r#""a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}"#,
            r#""a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}"#,
            r#""a":{"anyOf":[{"type":"string","x-mcp-header":"A"}]}"#,
        ] {
            let schema = format!(r#"{{"type":"object","properties":{{{property}}}}}"#);
            assert_eq!(param_headers(&schema).unwrap_err().0, "bad_param_header", "{property}");
        }
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
