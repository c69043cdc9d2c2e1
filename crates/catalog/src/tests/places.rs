//! Every problem carries its line, its column, its path and a way out.

use serde_json::Value;

use super::{KNOWN, bad, good, read, refused};
use crate::{DEFAULT_YAML, schema};

#[test]
fn an_unknown_key_is_refused_where_it_stands() {
    refused(
        "listen: 127.0.0.1:1\nprovders: {}\n",
        &["gatehouse.yaml:2:1: provders: unknown key (did you mean `providers`?)"],
    );
}

#[test]
fn a_misspelt_provider_kind_is_refused_with_the_near_one() {
    refused(
        "providers:\n  a:\n    kind: opnai\n",
        &["gatehouse.yaml:3:11: providers.a.kind: `opnai` is not a known value (did you mean `openai`?)"],
    );
}

#[test]
fn a_misspelt_strategy_is_refused_with_the_near_one() {
    refused(
        "providers: {d: {kind: demo}}\nmodels:\n  m: {strategy: wieghted, targets: [{provider: d, model: x}]}\n",
        &["gatehouse.yaml:3:17: models.m.strategy: `wieghted` is not a known value (did you mean `weighted`?)"],
    );
}

#[test]
fn references_between_sections_are_checked_where_they_stand() {
    refused(
        "providers:\n  openai: {kind: openai}\nmodels:\n  fast:\n    targets:\n      - {provider: opnai, model: x}\n    \
         fallbacks: [bakup]\n  backup: {targets: [{provider: openai, model: y}]}\nkeys:\n  - {name: a, secret: \
         0123456789abcdef, models: [fsat]}\n",
        &[
            "gatehouse.yaml:6:20: models.fast.targets[0].provider: there is no provider `opnai` (did you mean `openai`?)",
            "gatehouse.yaml:7:17: models.fast.fallbacks[0]: there is no model `bakup` (did you mean `backup`?)",
            "gatehouse.yaml:10:50: keys[0].models[0]: there is no model `fsat` (did you mean `fast`?)",
        ],
    );
}

#[test]
fn problems_of_shape_and_of_meaning_are_reported_together() {
    refused(
        "listen: nowhere\nserver: {workers: many}\ntelemetry: {log: jsn}\nkeys: [{name: a}]\n",
        &[
            "gatehouse.yaml:1:9: listen: `nowhere` is not an address to listen on (write an IP address and a port: \
             127.0.0.1:8080)",
            "gatehouse.yaml:2:19: server.workers: expected a whole number, found text",
            "gatehouse.yaml:3:18: telemetry.log: `jsn` is not a known value (did you mean `json`?)",
            "gatehouse.yaml:4:8: keys[0]: `secret` is missing (add `secret: …`)",
        ],
    );
}

#[test]
fn a_wrong_provider_is_not_reported_again_by_the_models_that_use_it() {
    let problems = bad("providers: {a: {kind: nope}}\nmodels: {m: {targets: [{provider: a, model: x}]}}\n");
    assert_eq!(problems.lines().count(), 1, "{problems}");
}

#[test]
fn every_repeated_key_is_reported() {
    refused(
        "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\nserver: {workers: 1, workers: 2}\n",
        &[
            "gatehouse.yaml:2:1: listen: written twice; another one is in line 1 (keep one)",
            "gatehouse.yaml:3:22: server.workers: written twice; another one is in line 3 (keep one)",
        ],
    );
}

#[test]
fn sections_of_later_releases_are_named_as_such() {
    refused("registry: {}\n", &["gatehouse.yaml:1:1: registry: this section comes with a later release (remove it)"]);
}

#[test]
fn databases_of_later_releases_are_named_as_such() {
    refused(
        "storage:\n  database: postgres://u@h/db\n  shared: redis://h:6379\n",
        &[
            "gatehouse.yaml:2:13: storage.database: this release keeps its tables in SQLite only; Postgres comes with \
             a later release (write `sqlite:gatehouse.db`)",
            "gatehouse.yaml:3:11: storage.shared: this release keeps shared counters in memory only; Redis comes with \
             a later release (write `memory` and run one replica)",
        ],
    );
}

#[test]
fn a_database_under_another_name_is_refused_rather_than_ignored() {
    let problems = bad("storage: {database: \"sqlite:other.db\"}\n");
    assert!(problems.contains("names the file gatehouse.db"), "{problems}");
}

#[test]
fn a_later_builder_reports_at_the_right_place() {
    let loaded = read("providers:\n  aws:\n    kind: bedrock\n    region: mars\n").expect("good");
    let at = |path: &str| loaded.problem_at(path, "no", None).to_string();
    assert_eq!(at("providers.aws.region"), "gatehouse.yaml:4:13: providers.aws.region: no");
    assert_eq!(at("providers.aws.access_key_id"), "gatehouse.yaml:2:3: providers.aws.access_key_id: no");
    assert_eq!(at("nothing"), "gatehouse.yaml:1:1: nothing: no");
}

#[test]
fn a_number_where_text_is_expected_says_how_to_write_it() {
    refused(
        "providers: {a: {kind: openai, api_key: 12345}}\n",
        &["gatehouse.yaml:1:40: providers.a.api_key: expected text, found a number (put it in quotes)"],
    );
}

#[test]
fn an_empty_file_and_empty_sections_are_all_defaults() {
    for text in ["", "# nothing\n", "providers:\nmodels:\nkeys:\nserver:\n"] {
        assert_eq!(good(text).listen.to_string(), "127.0.0.1:8080");
    }
}

#[test]
fn the_default_file_is_what_an_empty_file_means_plus_the_demo() {
    let (written, empty) = (good(DEFAULT_YAML), good(""));
    assert_eq!(written.models["demo"].targets[0].model, "demo");
    assert_eq!(&*written.models["demo"].targets[0].provider, "demo");
    assert!(!written.auth.anonymous && written.mcp.servers.contains_key("demo"));
    let rest = |config: crate::Config| {
        let (providers, models, mcp) = Default::default();
        format!("{:?}", crate::Config { providers, models, mcp, ..config })
    };
    assert_eq!(rest(written), rest(empty));
}

#[test]
fn every_key_in_the_schema_has_a_description() {
    let schema = schema(KNOWN);
    let defs = schema["$defs"].as_object().expect("defs").values();
    for object in defs.chain([&schema]) {
        for (name, property) in object["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name} has none");
        }
    }
}

#[test]
fn the_schema_lists_kinds_and_strategies_and_allows_references() {
    let schema = schema(KNOWN);
    let kind = &schema["$defs"]["Provider"]["properties"]["kind"];
    assert_eq!(kind["anyOf"][0]["enum"][0], "openai");
    assert_eq!(kind["anyOf"][1]["type"], "string");
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
}
