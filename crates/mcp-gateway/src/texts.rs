//! Where the texts of a call stand: what guardrails are shown of arguments and results, and how what they give back is put in
//! its place. Everything else keeps its bytes. What stands in a result twice, as a structure and as its text, is shown once
//! and replaced in both places.

use std::collections::BTreeMap;

use bytes::Bytes;
use gatehouse_domain::{Fault, Look, Passage, Place, Point};

use crate::wire::{Kind, Raw};

/// Arguments beyond this are judged by policies as far as they were read.
const ARGUMENTS_MAX: usize = 256;

/// The arguments of a tool call for policies: top level, each as text. A string is its content; everything else is its JSON.
#[must_use]
pub fn arguments(arguments: &Raw) -> BTreeMap<String, String> {
    let text = |value: &Raw| value.as_text().map_or_else(|| value.as_json().to_owned(), |text| text.into_owned());
    arguments.members().take(ARGUMENTS_MAX).map(|(name, value)| (name.into_owned(), text(&value))).collect()
}

/// Shows the arguments of a tool, whole and as JSON. `Some` is what shall be sent in their place.
///
/// # Errors
/// What `look` returns.
pub fn review_arguments(arguments: &Raw, tool: &str, look: &mut Look<'_>) -> Result<Option<Raw>, Fault> {
    let place = Place { side: Point::Request, point: Point::ToolArgs, tool: Some(tool), spoken: false, json: true };
    let instead = look(&Passage { place, text: arguments.as_json().into() })?;
    // A guardrail that was asked for JSON and gives something else back has nothing a tool could be called with.
    Ok(instead.map(|text| Raw::read(Bytes::from(text)).unwrap_or_else(|_| Raw::empty())))
}

/// A text of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The text, unescaped.
    pub text: String,
    /// Is it JSON? What stands in its place must then be JSON, too.
    pub json: bool,
}

/// Every text of a result: of its contents, messages and structure.
#[must_use]
pub fn of_result(result: &Raw) -> Vec<Shown> {
    let mut texts = Vec::new();
    walk(result, &mut |shown| {
        texts.push(shown);
        None
    });
    texts
}

/// The result with these in the places [`of_result`] took them from, in the same order.
#[must_use]
pub fn put_back(result: &Raw, texts: impl IntoIterator<Item = String>) -> Raw {
    let mut texts = texts.into_iter();
    walk(result, &mut |shown| texts.next().filter(|text| *text != shown.text)).unwrap_or_else(|| result.clone())
}

/// Takes a text and says what shall stand there instead.
type Take<'a> = dyn FnMut(Shown) -> Option<String> + 'a;

/// Walks the texts of a result. `Some` is the result with what was given back, if anything was.
fn walk(result: &Raw, take: &mut Take<'_>) -> Option<Raw> {
    let mut changed = None;
    let structure = result.get(&["structuredContent"]);
    let mut structured = None;
    if let Some(structure) = &structure {
        structured = as_json(structure, take);
        if let Some(instead) = &structured {
            changed = Some(result.with(&["structuredContent"], instead));
        }
    }
    let same = |text: &str| structure.as_ref().is_some_and(|structure| says_the_same(text, structure));
    for (list, inner) in LISTS {
        let Some(items) = result.get(&[list]).filter(|items| items.kind() == Kind::Array) else { continue };
        let mut any = false;
        let items = items.each(|item| {
            let before = inner.iter().try_fold(item.clone(), |at, step| at.get(&[step]));
            // A message has one content, or since sampling with tools a list of them.
            let after = before.as_ref().and_then(|content| match content.kind() {
                Kind::Array => {
                    let mut touched = false;
                    let each = content.each(|one| {
                        let instead = one_content(&one, take, &same, structured.as_ref());
                        touched |= instead.is_some();
                        Some(instead.unwrap_or(one))
                    });
                    touched.then_some(each)
                }
                _ => one_content(content, take, &same, structured.as_ref()),
            });
            any |= after.is_some();
            Some(after.map_or_else(|| item.clone(), |after| item.with(inner, &after)))
        });
        if any {
            changed = Some(changed.unwrap_or_else(|| result.clone()).with(&[list], &items));
        }
    }
    changed
}

/// Lists of a result that hold contents, and where in an item the content is: of `tools/call`, of `resources/read`, of
/// `prompts/get`.
const LISTS: [(&str, &[&str]); 3] = [("content", &[]), ("contents", &[]), ("messages", &["content"])];

/// A content: its text, or that of the resource in it. Pictures and sounds have none.
fn one_content(
    content: &Raw,
    take: &mut Take<'_>,
    same: &dyn Fn(&str) -> bool,
    structured: Option<&Raw>,
) -> Option<Raw> {
    const PLACES: [&[&str]; 2] = [&["text"], &["resource", "text"]];
    let mut changed = None;
    for place in PLACES {
        let Some(text) = content.text_at(place) else { continue };
        if same(&text) {
            // It was shown as the structure it is the text of.
            let instead = structured.map(|structured| Raw::text(structured.as_json()));
            changed = instead.map(|instead| changed.as_ref().unwrap_or(content).with(place, &instead)).or(changed);
            continue;
        }
        let json = looks_like_json(&text);
        if let Some(instead) = take(Shown { text, json }) {
            changed = Some(changed.as_ref().unwrap_or(content).with(place, &Raw::text(&instead)));
        }
    }
    changed
}

/// A structure, shown as its JSON. What is given back and is no JSON becomes a string.
fn as_json(structure: &Raw, take: &mut Take<'_>) -> Option<Raw> {
    if structure.kind() == Kind::Text {
        let text = structure.as_text()?.into_owned();
        return take(Shown { text, json: false }).map(|text| Raw::text(&text));
    }
    let instead = take(Shown { text: structure.as_json().to_owned(), json: true })?;
    let text = Bytes::from(instead);
    Some(Raw::read(text.clone()).unwrap_or_else(|_| Raw::text(&String::from_utf8_lossy(&text))))
}

/// Is it the text of an object or array?
fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Is a text the JSON of a structure, however it is laid out?
fn says_the_same(text: &str, structure: &Raw) -> bool {
    let same_start = text.trim_start().as_bytes().first() == structure.bytes().first();
    same_start && serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value == structure.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::read(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn shouted(result: &str) -> String {
        let result = raw(result);
        let loud = of_result(&result).into_iter().map(|shown| shown.text.replace("secret", "******"));
        put_back(&result, loud.collect::<Vec<_>>()).as_json().to_owned()
    }

    #[test]
    fn arguments_are_texts_by_name_for_policies() {
        let all = arguments(&raw(r#"{"path": "/srv/\u0061", "n": 1.50, "deep": {"a": [1]}}"#));
        let pairs: Vec<_> = all.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(pairs, [("deep", r#"{"a": [1]}"#), ("n", "1.50"), ("path", "/srv/a")]);
    }

    #[test]
    fn arguments_are_shown_whole_and_as_json() {
        let mut seen = Vec::new();
        let instead = review_arguments(&raw(r#"{"key":"secret"}"#), "demo.echo", &mut |passage| {
            seen.push((passage.place.point, passage.place.tool.map(str::to_owned), passage.place.json));
            Ok(Some(passage.text.replace("secret", "******")))
        });
        assert_eq!(instead.unwrap().unwrap().as_json(), r#"{"key":"******"}"#);
        assert_eq!(seen, [(Point::ToolArgs, Some("demo.echo".to_owned()), true)]);
    }

    #[test]
    fn every_text_of_a_result_is_shown_and_pictures_are_not() {
        let result = raw(
            r#"{"content":[{"type":"text","text":"a"},{"type":"image","data":"secret"},{"type":"resource","resource":{"uri":"x:y","text":"b"}}],"structuredContent":{"c":1},"_meta":{"d":"secret"}}"#,
        );
        let shown: Vec<_> = of_result(&result).into_iter().map(|shown| (shown.text, shown.json)).collect();
        assert_eq!(shown, [(r#"{"c":1}"#.to_owned(), true), ("a".to_owned(), false), ("b".to_owned(), false)]);
    }

    #[test]
    fn what_is_not_touched_keeps_its_bytes() {
        let result = r#"{ "content" : [ {"type":"text","text":"\u0061"} ], "x-unknown": 1.0 }"#;
        assert_eq!(shouted(result), result);
    }

    #[test]
    fn structure_and_text_of_one_value_stay_the_same_value() {
        let out = shouted(
            r#"{"content":[{"type":"text","text":"{\n \"k\": \"secret\"}"}],"structuredContent":{"k":"secret"}}"#,
        );
        let (structure, text) = (raw(&out).get(&["structuredContent"]).unwrap(), raw(&out).get(&["content"]).unwrap());
        let text = text.elements()[0].text_at(&["text"]).unwrap();
        assert_eq!((structure.as_json(), &*text), (r#"{"k":"******"}"#, r#"{"k":"******"}"#));
    }

    #[test]
    fn a_text_that_says_something_else_is_shown_beside_the_structure() {
        let out = shouted(r#"{"content":[{"type":"text","text":"the secret"}],"structuredContent":{"k":1}}"#);
        assert_eq!(out, r#"{"content":[{"type":"text","text":"the ******"}],"structuredContent":{"k":1}}"#);
    }

    #[test]
    fn prompts_and_resources_are_results_too() {
        let prompt = shouted(r#"{"messages":[{"role":"user","content":{"type":"text","text":"secret"}}]}"#);
        assert_eq!(prompt, r#"{"messages":[{"role":"user","content":{"type":"text","text":"******"}}]}"#);
        let resource = shouted(r#"{"contents":[{"uri":"a:b","text":"secret"},{"uri":"a:c","blob":"c2VjcmV0"}]}"#);
        assert_eq!(resource, r#"{"contents":[{"uri":"a:b","text":"******"},{"uri":"a:c","blob":"c2VjcmV0"}]}"#);
    }

    #[test]
    fn a_result_of_another_shape_has_no_texts() {
        for odd in ["{}", r#"{"content":"secret"}"#, r#"{"content":[1,null,"x"]}"#, r#"{"content":[{"text":1}]}"#] {
            assert_eq!(shouted(odd), odd);
        }
    }
}
