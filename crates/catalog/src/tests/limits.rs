//! What limits and budgets may say.

use gatehouse_domain::{On, Payer, PayerKind};

use super::{bad, good, refused};
use crate::{Budget, Counted, Limit, Period, Terms};

fn house(rest: &str) -> String {
    format!("providers: {{d: {{kind: demo}}}}\nmodels: {{fast: {{targets: [{{provider: d, model: x}}]}}}}\n{rest}")
}

fn key(fields: &str) -> String {
    house(&format!("keys: [{{name: a, secret: 0123456789abcdef, {fields}}}]\n"))
}

#[test]
fn limits_are_one_thing_each_and_budgets_are_amounts() {
    let limit = |text: &str| bad(key(&format!("limits: [{text}]")));
    assert!(limit("{requests: 1}").contains("`per` is missing"));
    assert!(limit("{concurrent: 1, per: minute}").contains("`concurrent` has no window"));
    assert!(limit("{requests: 1, tokens: 1, per: minute}").contains("exactly one of"));
    assert!(limit("{requests: 0, per: minute}").contains("refuse every call"));
    assert!(limit("{requests: -1, per: minute}").contains("whole number"));
    assert!(limit("{requests: 1, per: minutes}").contains("did you mean `minute`?"));
    assert!(bad(key("budgets: [{usd: -1, per: day}]")).contains("not an amount"));
    assert!(bad(key("budgets: [{usd: 1, per: fortnight}]")).contains("known here: second, minute, hour, day, week"));
}

#[test]
fn a_budget_that_is_no_budget_is_refused_at_its_place_with_a_way_out() {
    for (budget, problem) in [
        (
            "{usd: -1, per: day}",
            "29: teams.t.budgets[0].usd: -1 is not an amount of more than 0 and at most 1000000000 USD",
        ),
        ("{usd: 0, per: day}", "(to let nothing pass, remove the key or the model)"),
        (
            "{usd: 1, per: day, zone: Europe/Berln}",
            "there is no time zone `Europe/Berln` (did you mean `Europe/Berlin`?)",
        ),
        ("{usd: 1, per: day, zone: berlin}", "(did you mean `Europe/Berlin`?)"),
        ("{usd: 1, per: day, zone: Xyzzyq}", "(write a name of the IANA list"),
        ("{usd: 1, per: day, zone: Asia/Tokyo, rolling: true}", "a rolling window keeps no calendar"),
        ("{usd: 1, per: life, rolling: true}", "`life` does not roll"),
        ("{usd: 1, per: day, warn_at: [80]}", "80 is not a share from 0.001 to 1 (shares, not percent: write 0.8)"),
        ("{usd: 1, per: day, warn_at: [-0.5]}", "-0.5 is not a share"),
        ("{usd: 1, per: day, on_exhaust: {downgrade: fats}}", "there is no model `fats` (did you mean `fast`?)"),
        ("{usd: 1, per: day, on_exhaust: {downgrad: fast}}", "did you mean `downgrade`?"),
        ("{usd: 1, per: day, on_exhaust: allow}", "`allow` is not a known value"),
    ] {
        let said = bad(house(&format!("teams: {{t: {{budgets: [{budget}]}}}}\n")));
        assert!(said.starts_with("gatehouse.yaml:3:") && said.contains(problem), "{budget}: {said}");
    }
}

#[test]
fn windows_keep_the_calendar_of_a_zone_or_roll() {
    let config = good(&house(
        "teams: {t: {limits: [{requests: 9, per: hour, rolling: true}], budgets: [{usd: 1, per: month, zone: \
         Europe/Berlin, warn_at: [0.8, 0.5, 0.8], on_exhaust: {downgrade: fast}}]}}\n",
    ));
    let [limit, budget] = &config.principals.teams["t"].means.terms.rules[..] else { panic!("two rules") };
    assert_eq!((limit.counted, limit.window.rolling), (Counted::Requests(9), true));
    assert_eq!((budget.window.per, budget.window.zone.iana_name()), (Period::Month, Some("Europe/Berlin")));
    assert_eq!((&budget.warn_at[..], budget.downgrade.as_deref()), (&[0.5, 0.8][..], Some("fast")));
}

#[test]
fn the_section_limits_is_for_tags_runs_and_each_of_a_kind() {
    let config = good(&house(
        "limits:\n  - {on: run, budgets: [{usd: 2, per: life}]}\n  - {on: {tag: env=prod}, limits: [{requests: 6, per: \
         minute}]}\n  - {on: {tag: \"customer=*\"}, budgets: [{usd: 5, per: day}]}\n  - {on: {user: \"*\"}, budgets: \
         [{usd: 5, per: day, on_exhaust: refuse}]}\n  - {on: {model: \"fa*\"}, limits: [{concurrent: 3}]}\n",
    ));
    let on: Vec<String> = config.limits.iter().map(|(on, _)| on.to_string()).collect();
    assert_eq!(on, ["run:*", "tag:env=prod", "tag:customer=*", "user:*", "model:fa*"]);
    assert_eq!(config.limits[4].0, On::One(Payer::new(PayerKind::Model, "fa*")));
}

#[test]
fn whom_a_limit_is_for_is_exactly_one() {
    let on = |text: &str| bad(house(&format!("limits: [{{on: {text}, budgets: [{{usd: 1, per: day}}]}}]\n")));
    assert!(on("{}").contains("limits[0].on: exactly one kind is needed"));
    assert!(on("{team: a, user: b}").contains("exactly one kind is needed"));
    assert!(on("{tean: a}").contains("did you mean `team`?"));
    assert!(on("runs").contains("did you mean `run`?"));
    assert!(on("{tag: env}").contains("`env` is not a tag"));
    assert!(on("{tag: \"a b=*\"}").contains("is not a tag"));
    assert!(on("{model: fsat}").contains("did you mean `fast`?"));
    refused(
        "limits:\n  - on: run\n",
        &[
            "gatehouse.yaml:2:5: limits[0]: neither limits nor budgets (add `limits: [{requests: 600, per: minute}]` or \
           `budgets: [{usd: 10, per: day}]`)",
        ],
    );
}

#[test]
fn a_model_is_not_downgraded_to_itself() {
    let said = bad(
        "providers: {d: {kind: demo}}\nmodels: {m: {targets: [{provider: d, model: x}], budgets: [{usd: 1, per: day, \
         on_exhaust: {downgrade: m}}]}}\n",
    );
    assert!(said.contains("models.m: what is spent is downgraded to itself"), "{said}");
}

#[test]
fn terms_are_written_back_as_they_were_read() {
    let written = r#"[{"requests":600,"per":"minute"},{"tokens":5,"per":"week","rolling":true},{"concurrent":50}]"#;
    let limits: Vec<Limit> = serde_json::from_str(written).unwrap();
    assert_eq!(serde_json::to_string(&limits).unwrap(), written);
    let written = r#"[{"usd":1.5,"per":"day","zone":"Asia/Tokyo","warn_at":[0.5],"on_exhaust":{"downgrade":"m"}}]"#;
    let budgets: Vec<Budget> = serde_json::from_str(written).unwrap();
    assert_eq!(serde_json::to_string(&budgets).unwrap(), written);
    assert_eq!(Terms::of(limits, budgets).unwrap().downgrades().collect::<Vec<_>>(), ["m"]);
}
