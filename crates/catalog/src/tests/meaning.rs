//! What a configuration may mean.

use std::time::Duration;

use gatehouse_domain::Money;

use super::{bad, good, refused, warnings};
use crate::{Counted, Period};

/// One provider `d` and whatever else.
fn with_demo(rest: &str) -> String {
    format!("providers: {{d: {{kind: demo}}}}\n{rest}")
}

fn key(fields: &str) -> String {
    with_demo(&format!(
        "models: {{m: {{targets: [{{provider: d, model: x}}]}}, open/*: {{targets: [{{provider: d, model: \
         '*'}}]}}}}\nkeys: [{{name: a, secret: 0123456789abcdef, {fields}}}]\n"
    ))
}

#[test]
fn prompts_and_answers_are_not_recorded_and_a_file_that_wants_them_to_be_is_told() {
    good("telemetry: {content: off}\n");
    let told = bad("telemetry: {content: on}\n");
    assert!(told.contains("telemetry.content: this release has no way to record prompts and answers"), "{told}");
}

#[test]
fn the_example_of_the_contract_is_understood() {
    let config = good(
        "listen: 127.0.0.1:8080\nproviders:\n  openai: {kind: openai, api_key: \"${OPENAI_API_KEY}\"}\n  local: {kind: \
         openai-compatible, base_url: \"http://127.0.0.1:8000/v1\"}\nmodels:\n  fast:\n    strategy: weighted\n    \
         targets:\n      - {provider: openai, model: gpt-5-mini, weight: 8}\n      - {provider: local, model: qwen3, \
         weight: 2}\n    fallbacks: [backup]\n  backup: {targets: [{provider: local, model: qwen3}]}\nkeys:\n  - \
         {name: ci, secret: 0123456789abcdef, team: support, models: [fast], expires: 2027-01-01, limits: [{requests: \
         600, per: minute}, {tokens: 200000, per: minute}, {concurrent: 50}], budgets: [{usd: 100, per: \
         month}]}\nprices: {overrides: {local/qwen3: {input: 0.1, output: 0.3}}}\ntelemetry: {otlp: \"\", log: json, \
         content: off}\n",
    );
    let local = config.providers["local"].base_url.as_ref().expect("a base URL");
    assert_eq!((&*local.origin.host, local.origin.port, local.path.as_str()), ("127.0.0.1", 8000, "/v1"));
    assert_eq!(config.models["fast"].targets[0].weight, 8);
    let ci = &config.keys[0];
    assert_eq!(ci.expires.expect("a date").to_string(), "2027-01-01T00:00:00Z");
    let counted: Vec<_> = ci.terms.rules.iter().map(|rule| (rule.counted, rule.window.per)).collect();
    assert_eq!(counted[0], (Counted::Requests(600), Period::Minute));
    assert_eq!(counted[3], (Counted::Money(Money::from_usd(100.0)), Period::Month));
    assert_eq!(config.database.to_str(), Some("/etc/gatehouse/gatehouse-data/gatehouse.db"));
}

#[test]
fn without_a_strategy_weights_decide_over_it() {
    let strategy = |targets: &str| {
        good(&with_demo(&format!("models: {{m: {{targets: [{targets}]}}}}\n"))).models["m"].strategy.clone()
    };
    assert_eq!(strategy("{provider: d, model: x}"), "priority");
    assert_eq!(strategy("{provider: d, model: x, weight: 1}"), "weighted");
}

#[test]
fn a_model_without_targets_or_with_no_weight_is_refused() {
    assert!(bad("models: {m: {targets: []}}\n").contains("models.m.targets: a model needs a target"));
    let zero = with_demo("models: {m: {targets: [{provider: d, model: x, weight: 0}]}}\n");
    assert!(bad(zero).contains("all weights are 0"));
}

#[test]
fn fallbacks_in_a_circle_are_refused_once() {
    let target = "targets: [{provider: d, model: x}]";
    refused(
        &with_demo(&format!(
            "models:\n  a: {{{target}, fallbacks: [b]}}\n  b: {{{target}, fallbacks: [c]}}\n  c: {{{target}, \
             fallbacks: [b]}}\n"
        )),
        &["gatehouse.yaml:5:55: models.c.fallbacks[0]: fallbacks lead in a circle: b → c → b (remove one of them)"],
    );
}

#[test]
fn two_ways_to_one_fallback_are_no_circle() {
    let target = "targets: [{provider: d, model: x}]";
    good(&with_demo(&format!(
        "models:\n  a: {{{target}, fallbacks: [b, c]}}\n  b: {{{target}, fallbacks: [c]}}\n  c: {{{target}}}\n"
    )));
}

#[test]
fn a_star_needs_a_star_to_stand_for() {
    let config = good(&with_demo("models: {openai/*: {targets: [{provider: d, model: '*'}]}}\n"));
    assert_eq!(config.models["openai/*"].targets[0].model, "*");
    let alone = with_demo("models: {m: {targets: [{provider: d, model: '*'}]}}\n");
    assert!(bad(alone).contains("no matched part"));
    let inside = with_demo("models: {'a*b': {targets: [{provider: d, model: x}]}}\n");
    assert!(bad(inside).contains("one `*`, at its end"));
}

#[test]
fn keys_name_models_or_patterns_that_reach_one() {
    for models in ["[m]", "['*']", "[open/gpt-5]", "['open/gpt-*']", "['op*']", "[]"] {
        good(&key(&format!("models: {models}")));
    }
    for models in ["[x]", "['x*']", "[m, x]"] {
        assert!(bad(key(&format!("models: {models}"))).contains("there is no model `x"));
    }
}

#[test]
fn two_keys_share_neither_name_nor_secret() {
    let problems = bad("keys:\n- {name: a, secret: 0123456789abcdef}\n- {name: a, secret: 0123456789abcdef}\n");
    assert!(problems.contains("keys[1].name: keys[0] has the name `a` already"));
    assert!(problems.contains("keys[1].secret: the same secret as keys[0]"));
    assert!(!problems.contains("0123456789abcdef"));
}

#[test]
fn a_weak_secret_is_refused() {
    assert!(bad("keys: [{name: a, secret: short}]\n").contains("shorter than 16"));
    assert!(bad("auth: {admin_key: short}\n").contains("shorter than 16"));
}

#[test]
fn dates_are_dates() {
    let expires = |text: &str| good(&key(&format!("expires: {text}"))).keys[0].expires.expect("a date").to_string();
    assert_eq!(expires("2027-01-01"), "2027-01-01T00:00:00Z");
    assert_eq!(expires("2027-01-01T12:00:00+02:00"), "2027-01-01T10:00:00Z");
    for text in ["2027-13-01", "soon", "2027-01-01T12:00:00"] {
        assert!(bad(key(&format!("expires: {text}"))).contains("is not a date"), "{text}");
    }
}

#[test]
fn an_inner_timer_does_not_outlast_the_one_around_it() {
    let provider = |timeouts: &str| format!("providers: {{a: {{kind: demo, timeouts: {{{timeouts}}}}}}}\n");
    assert!(
        bad(provider("connect: 10, total: 5")).contains("providers.a.timeouts.connect: 10 s is longer than `total`")
    );
    assert!(bad(provider("total: 0")).contains("not a time"));
    let fitted = good(&provider("total: 20")).providers["a"].timeouts;
    assert_eq!(fitted.first_byte, Duration::from_secs(20));
    assert_eq!(fitted.connect, Duration::from_secs(5));
}

#[test]
fn a_models_timers_come_before_its_providers() {
    let config = good(
        "providers: {a: {kind: demo, timeouts: {total: 20, connect: 1}}}\nmodels: {m: {timeouts: {total: 40}, targets: \
         [{provider: a, model: x}]}}\n",
    );
    let timeouts = config.models["m"].targets[0].timeouts;
    assert_eq!((timeouts.connect, timeouts.total), (Duration::from_secs(1), Duration::from_secs(40)));
}

#[test]
fn addresses_are_checked() {
    assert!(bad("listen: localhost:8080\n").contains("write an IP address and a port: 127.0.0.1:8080"));
    assert!(bad("admin_listen: 127.0.0.1:8080\n").contains("the same address as `listen`"));
    assert!(bad("public_url: ftp://x\n").contains("starts with https://"));
    let url = |url: &str| format!("providers: {{a: {{kind: openai, base_url: \"{url}\"}}}}\n");
    assert!(bad(url("https://h/v1?key=1")).contains("query string"));
    assert!(bad(url("https://h:99999")).contains("base_url"));
    let problems = bad(url("https://user:hunter2@h/"));
    assert!(problems.contains("user and password") && !problems.contains("hunter2"));
}

#[test]
fn every_network_is_a_warning_and_so_is_a_key_in_the_clear() {
    assert_eq!(
        warnings("listen: 0.0.0.0:8080\n"),
        ["gatehouse.yaml:1:9: warning: listen: listens on every network of this machine (behind a firewall or in a \
          container this is fine; else write one address, such as 127.0.0.1)"]
    );
    let clear = "providers: {a: {kind: openai, api_key: k, base_url: \"http://api.example.com\"}}\n";
    assert!(warnings(clear)[0].contains("unencrypted"));
    assert!(warnings("auth: {anonymous: true}\n").is_empty());
    assert!(warnings("listen: 10.0.0.1:80\nauth: {anonymous: true}\n")[0].contains("anyone"));
}

#[test]
fn headers_are_headers() {
    let headers = |text: &str| bad(format!("providers: {{a: {{kind: demo, headers: {{{text}}}}}}}\n"));
    assert!(headers("'a b': x").contains("not a header name"));
    assert!(headers("Host: x").contains("sets this header itself"));
    assert!(headers("x-a: \"a\\nb\"").contains("cannot carry"));
    assert!(headers("x-a: a, X-A: b").contains("different case"));
}

#[test]
fn prices_are_prices_of_targets() {
    let prices = |text: &str| format!("prices: {{overrides: {{{text}}}}}\n");
    assert!(bad(prices("gpt: {input: 1, output: 1}")).contains("belongs to `provider/model`"));
    assert!(bad(prices("a/b: {input: -1, output: 1}")).contains("prices.overrides.a/b.input"));
    assert!(bad(prices("a/b: {input: 1}")).contains("`output` is missing"));
    assert!(warnings(&prices("a/b: {input: 1, output: 1}"))[0].contains("there is no provider `a`"));
}

#[test]
fn a_price_may_have_days_edges_classes_and_hours() {
    let prices = |text: &str| format!("providers: {{a: {{kind: demo}}}}\nprices: {{overrides: {{a/b: {{{text}}}}}}}\n");
    let whole = "input: 1, output: 2, tiers: [{above: 100, input: 2}], classes: {flex: {input: 0.5}}, off_peak: {from: \
                 \"22:30\", until: \"06:00\", output: 1}, changes: [{from: 2026-12-01, input: 2, output: 4}]";
    let price = good(&prices(whole)).prices.remove("a/b").unwrap();
    let days: Vec<_> = price.periods().map(|period| period.from).collect();
    assert_eq!((days, price.off_peak.as_ref().unwrap().minutes()), (vec![None, Some("2026-12-01")], Some((1350, 360))));
    for (wrong, told) in [
        ("input: 1, output: 2, from: 2026-13-01", "from: `2026-13-01` is not a day"),
        (
            "input: 1, output: 2, changes: [{from: 2026-12-01, input: -1, output: 4}]",
            "changes[0].input: -1 is not a price",
        ),
        (
            "input: 1, output: 2, from: 2026-12-01, changes: [{from: 2026-12-01, input: 1, output: 4}]",
            "changes[0].from: not after the day before it",
        ),
        ("input: 1, output: 2, tiers: [{above: 5}, {above: 5}]", "tiers[1].above: 5 is not above 5"),
        ("input: 1, output: 2, classes: {flexx: {}}", "there is no class `flexx` (did you mean `flex`?)"),
        ("input: 1, output: 2, off_peak: {from: \"25:00\", until: \"6\"}", "`25:00` is not a time of the day"),
        ("input: 1, output: 2, off_peak: {from: \"06:00\", until: \"06:00\"}", "these hours are over when they begin"),
        ("input: 1, output: 2, changes: [{input: 1, output: 4}]", "changes[0]: `from` is missing"),
    ] {
        let problems = bad(prices(wrong));
        assert!(problems.contains(told), "{wrong}: {problems}");
    }
}

#[test]
fn a_price_file_is_held_to_the_same_rules() {
    let read = |text: &str| crate::load_prices(text.as_bytes(), "prices.yaml");
    let prices = read("overrides: {a/b: {input: 1, output: 2}}\n").expect("good");
    assert!((prices["a/b"].output - 2.0).abs() < f64::EPSILON);
    let problems = read("overides: {}\n").expect_err("misspelt").to_string();
    assert_eq!(problems, "prices.yaml:1:1: overides: unknown key (did you mean `overrides`?)");
    assert!(
        read("overrides:\n  b: {input: 1, output: -2}\n").expect_err("wrong").to_string().contains("prices.yaml:2:")
    );
}

#[test]
fn tls_files_must_hold_what_they_are_named_for() {
    let problems = bad("tls: {cert_file: cert.pem, key_file: key.pem}\n");
    assert_eq!(problems.lines().count(), 1);
    assert!(problems.contains("tls.key_file: cannot read /etc/gatehouse/key.pem"));
}

#[test]
fn later_ways_in_are_named_as_such() {
    assert!(warnings(&key("agents: [billing]"))[0].contains("has no effect yet"));
}

#[test]
fn policies_are_files_by_pattern_or_texts() {
    let config = good("policies: ['policies/*.cedar', 'forbid (principal, action, resource);']\n");
    let names: Vec<&str> = config.policies.iter().map(|policy| &*policy.name).collect();
    assert_eq!(names, ["/etc/gatehouse/policies/a.cedar", "policies[1]"]);
    assert!(config.policies[0].text.starts_with("permit"));
}

#[test]
fn policies_that_are_not_there_are_refused_where_they_are_named() {
    refused(
        "policies: [nowhere.cedar, policies.yaml]\n",
        &[
            "gatehouse.yaml:1:12: policies[0]: cannot read /etc/gatehouse/nowhere.cedar: entity not found (check that it \
             exists and is readable)",
            "gatehouse.yaml:1:27: policies[1]: `policies.yaml` is neither a `.cedar` file nor a policy (name a file or a \
             pattern such as `policies/*.cedar`, or write policies as a text)",
        ],
    );
}

#[test]
fn a_pattern_that_no_file_matches_is_warned_of() {
    assert_eq!(warnings("policies: ['policies/x*.cedar']\n").len(), 1);
}

#[test]
fn a_guardrail_that_cannot_mean_anything_is_refused_where_it_stands() {
    refused(
        "guardrails:\n  - {name: a b, on: [], detect: pii, action: block, words: [x]}\n  - {name: w, on: [response], detect: webhook, action: observe, url: \"ftp://x\"}\n  - {name: s, on: [request], detect: json_schema, action: block}\n  - {name: s, on: [nowhere], detect: size, action: block, max_chars: 1}\n",
        &[
            "gatehouse.yaml:5:20: guardrails[3].on[0]: `nowhere` is not a known value (known here: request, response, tool_args, tool_result, agent_message)",
        ],
    );
    refused(
        "guardrails:\n  - {name: a b, on: [], detect: pii, action: block, words: [x]}\n  - {name: w, on: [response], detect: webhook, action: observe, url: \"https://x\"}\n  - {name: w, on: [request], detect: json_schema, action: block, schema: {}}\n",
        &[
            "gatehouse.yaml:2:12: guardrails[0].name: not a name of 1 to 64 letters, digits and `._-` (it rides in a header: no spaces, no commas)",
            "gatehouse.yaml:2:17: guardrails[0].on: empty: it would never run (write `on: [request, response]`)",
            "gatehouse.yaml:2:53: guardrails[0].words: belongs to `detect: keywords` (remove it, or change `detect`)",
            "gatehouse.yaml:3:20: guardrails[1].on[0]: a webhook that only observes would hold every answer back for nothing (write `action: block`, or leave answers out of `on`)",
            "gatehouse.yaml:4:12: guardrails[2].name: guardrails[1] has the name `w` already (names are unique)",
            "gatehouse.yaml:4:20: guardrails[2].on[0]: a schema is for answers of models only (write `on: [response]`)",
        ],
    );
}

#[test]
fn an_admin_key_everybody_would_try_is_refused() {
    for key in ["aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababab", "Password-2026-production", "changeme-changeme"] {
        assert!(bad(format!("auth: {{admin_key: {key}}}")).contains("easily guessed"), "{key}");
    }
    good("auth: {admin_key: gk_admin_5b0c7e1d9a2f4c86}");
}

#[test]
fn another_address_moves_the_public_url_unless_the_file_names_one() {
    let address = "127.0.0.1:9999".parse().expect("an address");
    let mut derived = good("");
    derived.listen_on(address);
    assert_eq!((&*derived.public_url.text, derived.public_url.origin.port), ("http://127.0.0.1:9999", 9999));
    let mut named = good("public_url: https://gate.example.com\n");
    named.listen_on(address);
    assert_eq!(named.public_url.text, "https://gate.example.com");
}
