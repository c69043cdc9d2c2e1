//! Reading JSON without taking it apart: the members of an object in their order, each value as a slice of the text it stands
//! in, and changes as cuts of that text. What nobody asked for stays byte for byte.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::wire::{unquote, walk};

/// The deepest nesting that is looked into; what is deeper is not read at all.
pub(crate) const DEPTH: usize = 64;

/// The members of an object in their order; `None` if the text is no object.
pub(crate) fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let all = || walk::members(text.as_bytes()).map(|place| (place.name(), &text[place.value])).collect();
    text.trim_start().starts_with('{').then(all)
}

/// The elements of an array; `None` if the text is none.
pub(crate) fn elements(text: &str) -> Option<Vec<&str>> {
    text.trim_start().starts_with('[').then(|| walk::elements(text.as_bytes()).map(|place| &text[place]).collect())
}

/// A member of an object, by its exact name.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    walk::members(text.as_bytes()).find(|place| place.is(name)).map(|place| &text[place.value])
}

/// A value reached through members of objects.
pub(crate) fn reach<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(text, |inner, name| member(inner, name))
}

/// A JSON string as text.
pub(crate) fn text(value: &str) -> Option<Cow<'_, str>> {
    unquote(value.trim())
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// How deep a JSON text nests.
pub(crate) fn depth(text: &str) -> usize {
    let (mut now, mut deepest, mut inside, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !inside => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Changes to a text, as cuts: what stands in a range is replaced.
#[derive(Debug)]
pub(crate) struct Cuts<'a> {
    text: &'a str,
    cuts: Vec<(Range<usize>, String)>,
}

impl<'a> Cuts<'a> {
    /// None yet.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, cuts: Vec::new() }
    }

    /// Replaces a value that was read out of this very text.
    pub(crate) fn replace(&mut self, value: &str, with: String) {
        let start = (value.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let range = start..start.wrapping_add(value.len());
        if self.text.get(range.clone()) == Some(value) {
            self.cuts.push((range, with));
        }
    }

    /// Adds a member in front of the others of an object that was read out of this very text.
    pub(crate) fn add(&mut self, object: &str, name: &str, value: &str) {
        let start = (object.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let inner = object.strip_prefix('{').map(str::trim_start);
        let Some(inner) = inner.filter(|_| self.text.get(start..start.wrapping_add(object.len())) == Some(object))
        else {
            return;
        };
        let comma = if inner.starts_with('}') { "" } else { "," };
        self.cuts.push((start + 1..start + 1, format!("{}:{value}{comma}", quoted(name))));
    }

    /// Is there anything to change?
    pub(crate) fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The changed text.
    pub(crate) fn apply(mut self) -> Bytes {
        self.cuts.sort_by_key(|(range, _)| range.start);
        let grown: usize = self.cuts.iter().map(|(_, with)| with.len()).sum();
        let mut out = String::with_capacity(self.text.len() + grown);
        let mut at = 0;
        for (range, with) in &self.cuts {
            if range.start < at {
                continue;
            }
            out.push_str(self.text.get(at..range.start).unwrap_or_default());
            out.push_str(with);
            at = range.end;
        }
        out.push_str(self.text.get(at..).unwrap_or_default());
        Bytes::from(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_text() {
        let read = members(r#"{"b": 1.0, "a":{"x":[ 1 ]}}"#).unwrap();
        assert_eq!(read, [(Cow::from("b"), "1.0"), (Cow::from("a"), r#"{"x":[ 1 ]}"#)]);
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        assert_eq!(members("[1]"), None);
        assert_eq!(reach(r#"{"a":3}"#, &["a", "b"]), None);
    }

    #[test]
    fn cuts_change_what_they_name_and_nothing_else() {
        let text = r#"{"name":"a" , "x":{ "name":"b"}}"#;
        let mut cuts = Cuts::of(text);
        cuts.replace(reach(text, &["x", "name"]).unwrap(), quoted("c\""));
        cuts.add(text, "y", "1");
        assert_eq!(cuts.apply(), r#"{"y":1,"name":"a" , "x":{ "name":"c\""}}"#);
    }

    #[test]
    fn a_value_of_another_text_is_not_cut() {
        let mut cuts = Cuts::of(r#"{"a":1}"#);
        cuts.replace("1", "2".to_owned());
        assert_eq!(cuts.apply(), r#"{"a":1}"#);
    }

    #[test]
    fn brackets_in_texts_do_not_nest() {
        assert_eq!(depth(r#"{"a":"[[[\"[","b":[{}]}"#), 3);
    }
}
