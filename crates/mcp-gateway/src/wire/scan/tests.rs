//! The quick reader against the thorough one: whatever it takes, that one takes, and understands alike.

use proptest::prelude::*;

use super::super::strict;
use super::*;

const MESSAGES: &str = include_str!("../../../golden/messages.jsonl");

fn quick(text: &[u8]) -> Option<Scanned> {
    scan(text, &Keep::MESSAGE)
}

/// Where the value stands and what its index says, by the thorough reader and a walk; `None` for what that one refuses.
fn thorough(text: &[u8]) -> Option<(Range<usize>, Option<String>)> {
    let checked = strict::check(text).ok()?;
    let value = checked.trim_matches([' ', '\n', '\r', '\t']);
    let start = value.as_ptr() as usize - checked.as_ptr() as usize;
    let index = value.starts_with('{').then(|| Index::of(value.as_bytes(), &Keep::MESSAGE)).flatten();
    Some((start..start + value.len(), index.map(|index| format!("{index:?}"))))
}

/// What the quick reader takes, the thorough one takes, too, and both find the same in it.
fn agrees(text: &[u8]) {
    let Some(Scanned { value, index }) = quick(text) else { return };
    let found = (value, index.map(|index| format!("{index:?}")));
    assert_eq!(Some(found), thorough(text), "{}", String::from_utf8_lossy(text));
}

#[test]
fn messages_are_taken_at_once() {
    for line in MESSAGES.lines().filter(|line| !line.contains("\\ud")) {
        assert!(quick(line.as_bytes()).is_some(), "{line}");
        agrees(line.as_bytes());
    }
}

#[test]
fn what_is_plain_is_taken_at_once() {
    for text in [
        " {\"a\" : [1 , -0.5, true,false,null , \"\\u00e9\\n\\\"é\"] ,\r\n\t\"b\":{}} ",
        "0",
        "-0",
        "[1e2,1E-07,-1.5e+9]",
        "\"\"",
        "[]",
        "[[],{}]",
        "{\"\":{\"\":1}}",
    ] {
        assert!(quick(text.as_bytes()).is_some(), "{text}");
        agrees(text.as_bytes());
    }
}

#[test]
fn what_is_wrong_is_left_to_the_thorough_reader() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[1",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "[1 2]",
        "1 2",
        "01",
        "-",
        "-01",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "1e1.5",
        "0x1",
        "tru",
        "nulll",
        "truefalse",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\n\"",
        "\"\u{1f}\"",
        "{\"a\":1,\"a\":2}",
        "[{\"k\":1,\"k\":1}]",
        "{\"a\":1}x",
        "\u{feff}{}",
        "{\"a\":1]",
        "[1}",
        "[\u{b}1]",
        "[\u{a0}1]",
    ] {
        assert!(quick(text.as_bytes()).is_none() && thorough(text.as_bytes()).is_none(), "{text}");
    }
    assert!(quick(b"\"\xff\"").is_none() && quick(b"{\"\xc3\":1}").is_none(), "no UTF-8");
}

#[test]
fn what_is_rare_is_left_to_the_thorough_reader() {
    for text in ["1e200", "[1E-002]", "\"\\ud83d\\ude00\"", "{\"n\\u0061me\":1}", &"9".repeat(DIGITS_MAX + 1)] {
        assert!(quick(text.as_bytes()).is_none() && thorough(text.as_bytes()).is_some(), "{text}");
    }
}

#[test]
fn nesting_ends_where_it_ends_for_the_thorough_reader() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        for levels in DEPTH_MAX / 2 - 2..DEPTH_MAX + 3 {
            agrees(format!("{}1{}", open.repeat(levels), close.repeat(levels)).as_bytes());
        }
    }
    assert!(quick("[".repeat(1_000_000).as_bytes()).is_none());
}

#[test]
fn a_name_that_stands_twice_among_many_is_found() {
    for count in [1, 2, COMPARED - 1, COMPARED, COMPARED + 1, 200] {
        let names: Vec<String> = (0..count).map(|n| format!("\"n{n}\":[{{\"n0\":{n}}}]")).collect();
        let once = format!("{{{}}}", names.join(","));
        assert!(quick(once.as_bytes()).is_some());
        agrees(once.as_bytes());
        for twice in [0, count / 2, count - 1] {
            let text = format!("{{{},\"n{twice}\":1}}", names.join(","));
            assert!(quick(text.as_bytes()).is_none(), "{twice} of {count}");
        }
    }
}

/// JSON, and what nearly is: pieces in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"_meta\"",
        "\"params\"",
        "\"result\"",
        "\"a\":",
        "\"_meta\":{",
        "1",
        "-0",
        "0.5",
        "1e3",
        "01",
        "true",
        "null",
        " ",
        "\n",
        "\"\\u0061\"",
        "\"\\ud800\"",
        "\"é\"",
        "\"\\\\\"",
        "{}",
        "[]",
        "\"x",
    ]);
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn of_messages_with_something_changed_both_think_alike(
        line in 0..MESSAGES.lines().count(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, prop::sample::select(b"\"\\{}[],:0-9.eEntu \n\x00\x1f\x7f\xc3\xa9".to_vec())), 1..4),
    ) {
        let mut text = MESSAGES.lines().nth(line).unwrap_or_default().as_bytes().to_vec();
        for (at, how, byte) in changes {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => drop(text.remove(at)),
                _ => text.extend_from_within(at..),
            }
        }
        agrees(&text);
    }

    #[test]
    fn of_pieces_in_any_order_both_think_alike(text in pieces()) {
        agrees(text.as_bytes());
    }

    #[test]
    fn of_any_bytes_both_think_alike(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        agrees(&bytes);
        agrees(&[b"\"", &bytes[..], b"\""].concat());
    }
}
