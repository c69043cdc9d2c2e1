//! `${NAME}`, `${NAME:-default}`, `${file:/path}`.

use super::{bad, good, refused};

fn api_key(reference: &str) -> Option<String> {
    let config = good(&format!("providers: {{a: {{kind: openai, api_key: \"{reference}\"}}}}\n"));
    config.providers["a"].api_key.as_ref().map(|key| key.reveal().to_owned())
}

#[test]
fn variables_defaults_and_files_are_filled_in() {
    assert_eq!(api_key("${OPENAI_API_KEY}").as_deref(), Some("sk-from-the-environment"));
    assert_eq!(api_key("${NOT_SET:-other}").as_deref(), Some("other"));
    assert_eq!(api_key("${EMPTY:-other}").as_deref(), Some("other"));
    assert_eq!(api_key("${file:/run/secrets/key}").as_deref(), Some("sk-from-a-file"));
    assert_eq!(api_key("a-${PORT}-$${PORT}-$5").as_deref(), Some("a-9000-${PORT}-$5"));
}

#[test]
fn a_stored_secret_is_filled_in_where_a_secret_belongs_and_nowhere_else() {
    assert_eq!(api_key("${secret:openai}").as_deref(), Some("sk-from-the-vault"));
    assert_eq!(api_key("a ${secret:openai}").as_deref(), Some("a sk-from-the-vault"));
    for (field, place) in [
        ("providers: {a: {kind: openai, region: \"${secret:openai}\"}}\n", "providers.a.region"),
        ("providers: {\n a: {kind: \"${secret:openai}\"}}\n", "providers.a.kind"),
        ("server: {in_flight_max: \"${secret:openai}\"}\n", "server.in_flight_max"),
        (
            "guardrails: [{name: g, on: [response], detect: json_schema, action: block, schema: {const: \"${secret:openai}\"}}]\n",
            "guardrails[0].schema",
        ),
    ] {
        let problems = bad(field);
        assert!(problems.contains(&format!("{place}: a stored secret may not stand here")), "{problems}");
        assert!(!problems.contains("sk-from"), "{problems}");
    }
}

#[test]
fn a_stored_secret_that_cannot_be_had_is_told_with_its_place() {
    let problems = bad("providers:\n  a: {kind: openai, api_key: \"${secret:opnai}\"}\n");
    let expected = "gatehouse.yaml:2:30: providers.a.api_key: there is no secret `opnai` (did you mean `openai`?)";
    assert_eq!(problems, expected);
    assert!(bad("auth: {admin_key: \"${secret:torn}\"}\n").contains("its master key is gone"));
    assert!(bad("auth: {admin_key: \"${secret:a b}\"}\n").contains("names no secret"));
    assert!(bad("storage: {master_key: \"${secret:openai}\"}\n").contains("what opens the vault"));
}

#[test]
fn an_empty_secret_is_no_secret() {
    assert_eq!(api_key("${NOT_SET:-}"), None);
    assert_eq!(api_key("${EMPTY}"), None);
}

#[test]
fn an_unset_variable_is_refused_with_its_place() {
    refused(
        "providers:\n  a: {kind: openai, api_key: \"${NOT_SET}\"}\n",
        &["gatehouse.yaml:2:30: providers.a.api_key: environment variable NOT_SET is not set (set it, or write \
           ${NOT_SET:-default})"],
    );
}

#[test]
fn an_unreadable_file_is_refused_with_its_place() {
    let problems = bad("auth: {admin_key: \"${file:/nowhere}\"}\n");
    assert!(problems.starts_with("gatehouse.yaml:1:19: auth.admin_key: cannot read /nowhere"), "{problems}");
}

#[test]
fn a_reference_may_stand_for_a_number() {
    assert_eq!(good("server: {in_flight_max: \"${PORT}\"}\n").server.in_flight_max, 9000);
    assert_eq!(good("server: {workers: \"${NOT_SET:-}\"}\n").server.workers, None);
    let problems = bad("server: {in_flight_max: \"${OPENAI_API_KEY}\"}\n");
    assert!(!problems.contains("sk-"), "{problems}");
}

#[test]
fn a_variable_cannot_add_yaml() {
    let config = good("providers: {a: {kind: openai, region: \"${YAML}\"}}\n");
    assert_eq!(config.providers["a"].region.as_deref(), Some("x, listen: 0.0.0.0:1"));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn what_is_not_a_reference_is_refused() {
    assert!(bad("data_dir: \"${A B}\"\n").contains("is not a reference"));
    assert!(bad("data_dir: \"${A\"\n").contains("without its `}`"));
}

#[test]
fn no_secret_shows_in_a_debug_print() {
    let config = good(
        "auth: {admin_key: 5b0c7e1d9a2f4c86}\nproviders: {a: {kind: openai, api_key: \"${OPENAI_API_KEY}\", headers: \
         {x-a: hidden-value}}}\nkeys: [{name: k, secret: fedcba9876543210}]\n",
    );
    let shown = format!("{config:?}");
    for secret in ["5b0c7e1d9a2f4c86", "sk-from", "hidden-value", "fedcba"] {
        assert!(!shown.contains(secret), "{secret} shows");
    }
}
