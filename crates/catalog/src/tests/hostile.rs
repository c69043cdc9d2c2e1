//! Files that want to hurt.

use std::fmt::Write;

use proptest::prelude::*;

use super::{bad, read};
use crate::DEFAULT_YAML;

#[test]
fn deep_nesting_is_refused() {
    assert!(bad("[".repeat(10_000)).starts_with("gatehouse.yaml:1:"));
    assert!(bad("- ".repeat(10_000)).starts_with("gatehouse.yaml:1:"));
    assert!(bad("{a: ".repeat(10_000)).starts_with("gatehouse.yaml:1:"));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let last = n - 1;
        writeln!(bomb, "a{n}: &a{n} [{}]", vec![format!("*a{last}"); 9].join(", ")).expect("a string");
    }
    assert!(bad(&bomb).contains("not readable as YAML"));
}

#[test]
fn bytes_that_are_not_text_are_refused_where_they_stand() {
    assert!(bad(b"listen: a\nx: \xff\n").starts_with("gatehouse.yaml:2:4: this byte is not UTF-8"));
}

#[test]
fn a_tab_is_refused_with_advice() {
    let problems = bad("server:\n\tworkers: 1\n");
    assert!(problems.contains(":2:") && problems.contains("indent with spaces"), "{problems}");
}

#[test]
fn a_bare_reference_in_braces_is_refused_with_advice() {
    let problems = bad("providers:\n  a: {kind: openai, api_key: ${OPENAI_API_KEY}}\n");
    assert!(problems.contains("in quotes"), "{problems}");
}

#[test]
fn a_second_document_a_list_and_a_word_are_refused() {
    assert!(bad("a: 1\n---\nb: 2\n").contains("not readable as YAML"));
    assert!(bad("- a\n").contains("expected a mapping of sections, found a list"));
    assert!(bad("word\n").contains("expected a mapping of sections, found text"));
}

#[test]
fn thousands_of_mistakes_are_cut_short() {
    let mut text = String::new();
    for n in 0..20_000 {
        writeln!(text, "wrong{n}: 1").expect("a string");
    }
    assert_eq!(bad(&text).lines().count(), 100);
}

#[test]
fn a_file_beyond_its_size_is_refused() {
    assert!(bad("#".repeat(5 * 1024 * 1024)).contains("are allowed"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_edit_of_a_good_file_makes_the_loader_panic(
        edits in prop::collection::vec((0_usize..2_000, any::<u8>(), 0_usize..40), 1..8)
    ) {
        let mut bytes = DEFAULT_YAML.as_bytes().to_vec();
        for (at, byte, cut) in edits {
            let at = at % bytes.len().max(1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, [byte]);
        }
        if let Err(problems) = read(&bytes) {
            prop_assert!(!problems.0.is_empty());
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "[ -~\\n{}\\[\\]:$&*!|>\\-\u{e9}]{0,200}") {
        if let Err(problems) = read(&text) {
            prop_assert!(!problems.0.is_empty());
        }
    }
}
