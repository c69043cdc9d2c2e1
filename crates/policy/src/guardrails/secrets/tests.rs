//! What is a secret and what is not. Samples are put together here, so that nobody's scanner takes this file for a leak.

use aho_corasick::AhoCorasick;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::anchors::{Anchors, Literal};
use super::*;

/// Random-looking letters and digits, the same ones every time.
fn token(length: usize) -> String {
    let alphabet = b"q7Zt2KmX9cVb4NrW8yHs3DfG6jLp5TvA";
    (0..length).map(|n| char::from(alphabet[(n * 7 + n / 5 * 3) % alphabet.len()])).collect()
}

fn rules(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    Secrets::new().find(text, &mut found);
    found.iter().map(|finding| finding.rule.to_string()).collect()
}

fn redacted(text: &str) -> String {
    let mut found = Vec::new();
    Secrets::new().find(text, &mut found);
    super::super::redact(text, &found)
}

#[test]
fn a_token_is_known_by_its_prefix() {
    let pat = format!("{}_{}", "ghp", token(36));
    assert_eq!(redacted(&format!("use {pat} please")), "use [REDACTED:github-pat] please");
    assert_eq!(rules(&format!("ghp_{}", "x".repeat(36))), [""; 0]);
}

#[test]
fn of_an_assignment_only_the_value_is_redacted() {
    let text = format!("db_password = \"{}\"", token(24));
    assert_eq!(redacted(&text), "db_password = \"[REDACTED:generic-api-key]\"");
}

#[test]
fn names_that_only_sound_like_secrets_are_left() {
    for name in ["foreign_key", "tokenFile", "accessibilityId", "monkey", "api_version"] {
        assert!(rules(&format!("{name} = \"{}\"", token(24))).is_empty(), "{name}");
    }
}

#[test]
fn values_that_are_made_up_left_out_or_public_are_no_secrets() {
    for value in ["0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "eyJhbGciOiJIUzI1NiIs...", "a8xxxxxxxxxxxxxxxx7Kq2"] {
        assert!(rules(&format!("token = \"{value}\"")).is_empty(), "{value}");
    }
}

#[test]
fn a_private_key_is_found_whole_and_cut_off() {
    let body = format!("{}\n{}\n", token(64), token(64));
    let begin = format!("-----BEGIN {} KEY-----\n", "PRIVATE");
    let end = format!("-----END {} KEY-----", "PRIVATE");
    assert_eq!(redacted(&format!("a {begin}{body}{end} b")), "a [REDACTED:private-key] b");
    assert!(redacted(&format!("a {begin}{body}")).starts_with("a [REDACTED:private-key]"));
}

#[test]
fn a_password_in_an_address_is_found_and_a_place_for_one_is_not() {
    assert_eq!(redacted("postgres://app:s3cr3tpw@db/x"), "postgres://app:[REDACTED:basic-auth-url]@db/x");
    assert!(rules("postgres://app:${PASSWORD}@db/x https://host:8080/@x").is_empty());
}

#[test]
fn a_jwt_needs_a_header_that_is_one() {
    let part = |json: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
    };
    let jwt = |header: &str| format!("{}.{}.{}", part(header), part(r#"{"sub":"1234567890","name":"A"}"#), token(43));
    assert_eq!(rules(&jwt(r#"{"alg":"HS256","typ":"JWT"}"#)), ["jwt"]);
    assert!(rules(&jwt(r#"{"alg":"HS256","typ":"JWT"!"#)).is_empty());
}

#[test]
fn prose_about_keys_and_tokens_holds_no_secret() {
    let prose = "The access token: it is a secret key, and the password = the thing you know. API keys, tokens, auth.";
    assert!(rules(prose).is_empty());
}

/// Texts of anchors, of what may stand between them and values, and of values that are random or not.
fn dense_with_anchors() -> impl Strategy<Value = String> {
    let anchors: Vec<String> = RULES.anchors.iter().flat_map(Anchors::literals).map(|one| one.text.clone()).collect();
    let value = (8..80_usize).prop_map(token);
    let between =
        select(vec!["", " ", "=", ": ", "\"", "_", "x", "é", "\n", ":", "@", "://", "."]).prop_map(str::to_owned);
    let anchor = (select(anchors), any::<bool>());
    let anchor = anchor.prop_map(|(text, upper)| if upper { text.to_ascii_uppercase() } else { text });
    proptest::collection::vec(prop_oneof![anchor, between, value], 1..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_found_is_what_an_automaton_over_all_anchors_leads_to(text in dense_with_anchors(), last in any::<bool>()) {
        static AUTOMATON: std::sync::LazyLock<AhoCorasick> = std::sync::LazyLock::new(|| {
            let literals = RULES.anchors.iter().flat_map(Anchors::literals).map(|one: &Literal| &one.text);
            AhoCorasick::builder().ascii_case_insensitive(true).build(literals).unwrap()
        });
        let (secrets, view) = (Secrets::new(), View { last, ..View::whole(&text) });
        let hits = AUTOMATON.find_overlapping_iter(&text);
        let anchors = hits.map(|hit| (RULES.rules_of[hit.pattern().as_usize()].as_slice(), hit.start()));
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let settled = secrets.try_at(anchors, view, &mut expected);
        prop_assert_eq!(secrets.scan(view, &mut found), settled);
        prop_assert_eq!(found, expected);
    }
}
