//! JSON with comments, edited as text: only the value that is set changes, and the order, layout and comments of the
//! rest stay as their owner wrote them.

use serde_json::{Value, json};

/// Sets the value at a path of object keys, making what is missing on the way.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, String> {
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    let start = Scan(text.as_bytes()).space(0);
    set_in(text, start, path, value)
}

fn set_in(text: &str, start: usize, path: &[&str], value: &Value) -> Result<String, String> {
    let Some((key, rest)) = path.split_first() else { return Ok(text.to_owned()) };
    let members = Scan(text.as_bytes()).members(start, b'{')?;
    let known = members.items.iter().find(|item| item.key.as_deref() == Some(*key));
    match known {
        Some(item) if rest.is_empty() => Ok(replaced(text, item, value)),
        Some(item) => set_in(text, item.start, rest, value).map_err(|reason| format!("`{key}`: {reason}")),
        None => {
            let nested = rest.iter().rev().fold(value.clone(), |inner, key| json!({ *key: inner }));
            Ok(added(text, start, &members, Some(key), &nested))
        }
    }
}

/// Sets the entry of a list that has the same `field`, or adds it.
pub(super) fn set_entry(text: &str, field: &str, entry: &Value) -> Result<String, String> {
    let text = if text.trim().is_empty() { "[]\n" } else { text };
    let scan = Scan(text.as_bytes());
    let start = scan.space(0);
    let list = scan.members(start, b'[')?;
    for item in &list.items {
        if text.as_bytes().get(item.start) != Some(&b'{') {
            continue;
        }
        let fields = scan.members(item.start, b'{')?;
        let name = fields.items.iter().find(|member| member.key.as_deref() == Some(field));
        let same = name.is_some_and(|member| {
            serde_json::from_str::<Value>(&text[member.start..member.end]).is_ok_and(|value| value == entry[field])
        });
        if same {
            return Ok(replaced(text, item, entry));
        }
    }
    Ok(added(text, start, &list, None, entry))
}

fn replaced(text: &str, item: &Item, value: &Value) -> String {
    let indent = indent_of(text, item.start);
    format!("{}{}{}", &text[..item.start], pretty(value, &indent), &text[item.end..])
}

/// Adds a member after the last one, in the layout the others have.
fn added(text: &str, start: usize, members: &Members, key: Option<&str>, value: &Value) -> String {
    let outer = indent_of(text, start);
    let indent = match members.items.first() {
        Some(first) => indent_of(text, first.line_start),
        None => format!("{outer}  "),
    };
    let one_line = !text[start..members.close].contains('\n') && !members.items.is_empty();
    let value = if one_line { value.to_string() } else { pretty(value, &indent) };
    let member = match key {
        Some(key) => format!("{}: {value}", json!(key)),
        None => value,
    };
    let Some(last) = members.items.last() else {
        return format!("{}\n{indent}{member}\n{outer}{}", &text[..=start], &text[members.close..]);
    };
    // Behind the last value, or behind the comma that JSON with comments allows after it.
    let (at, comma) = match members.trailing_comma {
        Some(comma) => (comma + 1, ""),
        None => (last.end, ","),
    };
    let gap = if one_line { " ".to_owned() } else { format!("\n{indent}") };
    format!("{}{comma}{gap}{member}{}", &text[..at], &text[at..])
}

fn pretty(value: &Value, indent: &str) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.replace('\n', &format!("\n{indent}"))
}

/// The white space at the start of the line a place is in.
fn indent_of(text: &str, at: usize) -> String {
    let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
    text[line..].chars().take_while(|c| *c == ' ' || *c == '\t').collect()
}

/// A member of an object, or an item of a list.
struct Item {
    key: Option<String>,
    /// Where the key, or the item without one, begins.
    line_start: usize,
    /// The value: from here
    start: usize,
    /// to here.
    end: usize,
}

struct Members {
    items: Vec<Item>,
    /// Where the closing bracket stands.
    close: usize,
    trailing_comma: Option<usize>,
}

/// Finds its way over text without building a tree. Every index it returns is at an ASCII byte or the end.
#[derive(Clone, Copy)]
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// The first place from `at` on that is no white space and no comment.
    fn space(self, mut at: usize) -> usize {
        loop {
            match (self.0.get(at), self.0.get(at + 1)) {
                (Some(b' ' | b'\t' | b'\r' | b'\n'), _) => at += 1,
                // A byte order mark, as some editors write.
                (Some(0xef), Some(0xbb)) if at == 0 => at += 3,
                (Some(b'/'), Some(b'/')) => at = self.find(b"\n", at),
                (Some(b'/'), Some(b'*')) => at = self.find(b"*/", at + 2) + 2,
                _ => return at.min(self.0.len()),
            }
        }
    }

    fn find(self, what: &[u8], from: usize) -> usize {
        let rest = self.0.get(from..).unwrap_or_default();
        rest.windows(what.len()).position(|window| window == what).map_or(self.0.len(), |n| from + n)
    }

    fn members(self, start: usize, open: u8) -> Result<Members, String> {
        if self.0.get(start) != Some(&open) {
            let expected = if open == b'{' { "an object" } else { "a list" };
            return Err(format!("expected {expected} here"));
        }
        let close = if open == b'{' { b'}' } else { b']' };
        let mut members = Members { items: Vec::new(), close: 0, trailing_comma: None };
        let mut at = self.space(start + 1);
        loop {
            if self.0.get(at) == Some(&close) {
                members.close = at;
                return Ok(members);
            }
            let line_start = at;
            let key = if open == b'{' {
                let end = self.string(at)?;
                let key = serde_json::from_slice(&self.0[at..end]).map_err(|_| "a key is not a string")?;
                at = self.space(end);
                if self.0.get(at) != Some(&b':') {
                    return Err("a key without its `:`".to_owned());
                }
                at = self.space(at + 1);
                Some(key)
            } else {
                None
            };
            let end = self.value(at)?;
            members.items.push(Item { key, line_start, start: at, end });
            at = self.space(end);
            members.trailing_comma = None;
            if self.0.get(at) == Some(&b',') {
                members.trailing_comma = Some(at);
                at = self.space(at + 1);
            } else if self.0.get(at) != Some(&close) {
                return Err("a `,` is missing".to_owned());
            }
        }
    }

    /// The end of the string that starts here.
    fn string(self, start: usize) -> Result<usize, String> {
        if self.0.get(start) != Some(&b'"') {
            return Err("expected a string".to_owned());
        }
        let mut at = start + 1;
        loop {
            match self.0.get(at) {
                None => return Err("a string without its end".to_owned()),
                Some(b'\\') => at += 2,
                Some(b'"') => return Ok(at + 1),
                Some(_) => at += 1,
            }
        }
    }

    /// The end of the value that starts here.
    fn value(self, start: usize) -> Result<usize, String> {
        let mut at = start;
        let mut depth = 0_usize;
        loop {
            match self.0.get(at) {
                None => return Err("the text ends too early".to_owned()),
                Some(b'"') => at = self.string(at)?,
                Some(b'{' | b'[') => {
                    depth += 1;
                    at += 1;
                }
                Some(b'}' | b']' | b',') if depth == 0 => return Err("a value is missing".to_owned()),
                Some(b'}' | b']') => {
                    depth -= 1;
                    at += 1;
                }
                Some(b',' | b':') if depth > 0 => at += 1,
                Some(c) if c.is_ascii_alphanumeric() || b"+-.".contains(c) => {
                    let word = |c: &u8| c.is_ascii_alphanumeric() || b"+-.".contains(c);
                    at += self.0[at..].iter().take_while(|c| word(c)).count();
                }
                Some(_) => return Err("something that is no JSON".to_owned()),
            }
            if depth == 0 {
                return Ok(at);
            }
            at = self.space(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, path: &[&str]) -> String {
        set(text, path, &json!("x")).unwrap()
    }

    #[test]
    fn nothing_becomes_an_object() {
        assert_eq!(put("", &["a", "b"]), "{\n  \"a\": {\n    \"b\": \"x\"\n  }\n}\n");
    }

    #[test]
    fn a_value_is_replaced_and_all_else_stays() {
        let before = "{\n\t// mine\n\t\"z\": [1, 2],\n\t\"a\": { \"b\": \"old\", \"c\": 1 }, /* end */\n}\n";
        assert_eq!(put(before, &["a", "b"]), before.replace("\"old\"", "\"x\""));
    }

    #[test]
    fn a_member_is_added_in_the_layout_of_the_others() {
        assert_eq!(put("{\n    \"z\": 1\n}", &["a"]), "{\n    \"z\": 1,\n    \"a\": \"x\"\n}");
        assert_eq!(put("{\n  \"z\": 1, // last\n}", &["a"]), "{\n  \"z\": 1,\n  \"a\": \"x\" // last\n}");
        assert_eq!(put("{\"z\": 1}", &["a", "b"]), "{\"z\": 1, \"a\": {\"b\":\"x\"}}");
        assert_eq!(put("{\n  \"e\": {}\n}", &["e", "a"]), "{\n  \"e\": {\n    \"a\": \"x\"\n  }\n}");
    }

    #[test]
    fn keys_inside_strings_and_comments_are_no_keys() {
        let before = "{\"s\": \"\\\"a\\\": 1\", /* \"a\": 2 */ \"b\": 3}";
        assert_eq!(put(before, &["a"]), "{\"s\": \"\\\"a\\\": 1\", /* \"a\": 2 */ \"b\": 3, \"a\": \"x\"}");
    }

    #[test]
    fn an_entry_is_replaced_by_name_or_added() {
        let entry = json!({"name": "G", "n": 1});
        let once = set_entry("[\n  {\"name\": \"other\"}\n]\n", "name", &entry).unwrap();
        let again = set_entry(&once, "name", &json!({"name": "G", "n": 2})).unwrap();
        let read: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(read, json!([{"name": "other"}, {"name": "G", "n": 2}]));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["[]", "{\"a\"", "{\"a\": }", "{\"a\": 1 \"b\": 2}", "{\"a\": \"", "x", "{\"a\": {", "{é"] {
            assert!(set(text, &["q"], &json!(1)).is_err(), "{text}");
        }
        assert!(set("{\"a\": 1}", &["a", "b"], &json!(1)).is_err());
    }

    #[test]
    fn no_cut_of_a_good_text_makes_it_panic() {
        let text = "{\"a\": {\"b\": [1, \"é\\\"\", null]}, // c\n \"d\": -1.5e3}";
        for (at, _) in text.char_indices() {
            for cut in [&text[..at], &text[at..]] {
                if let Ok(edited) = set(cut, &["a", "b"], &json!(1)) {
                    assert!(edited.contains('1'));
                }
            }
        }
    }
}
