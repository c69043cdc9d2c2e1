use std::time::{Duration, SystemTime};

use gatehouse_domain::{Actor, Money};

use super::*;
use crate::{Cost, Reservation, Rule, Window, reserve};

fn at(unix_ms: u64) -> Now {
    Now(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn once() -> Terms {
    Terms { rules: vec![Rule::requests(1, Window::LIFE)] }
}

fn one(kind: PayerKind, name: &str) -> On {
    On::One(Payer::new(kind, name))
}

fn tree(nodes: Vec<On>) -> Tree {
    Tree::new(nodes.into_iter().map(|on| (on, once())), &Meters::default(), at(0))
}

fn names<'a>(meters: impl IntoIterator<Item = &'a Arc<Meter>>) -> Vec<String> {
    meters.into_iter().map(|meter| meter.payer().to_string()).collect()
}

fn agent() -> Principal {
    Principal {
        organisation: "acme".into(),
        team: Some("support".into()),
        user: Some("ada".into()),
        agent: Some("billing".into()),
        act: [
            Actor { kind: PrincipalKind::Agent, name: "billing".into() },
            Actor { kind: PrincipalKind::Agent, name: "desk".into() },
        ]
        .into(),
        ..Principal::bare(PrincipalKind::Agent, "key-1", "ci")
    }
}

#[test]
fn a_caller_touches_all_it_belongs_to_from_the_widest_to_the_narrowest() {
    let nodes = vec![
        one(PayerKind::Key, "key-1"),
        one(PayerKind::Agent, "desk"),
        one(PayerKind::Agent, "billing"),
        one(PayerKind::User, "ada"),
        one(PayerKind::Team, "support"),
        one(PayerKind::Team, "other"),
        one(PayerKind::Organisation, "acme"),
    ];
    let expected = ["organisation:acme", "team:support", "user:ada", "agent:billing", "agent:desk", "key:key-1"];
    assert_eq!(names(&*tree(nodes).of_caller(&agent(), at(0))), expected);
}

#[test]
fn a_service_account_is_a_payer_of_its_own() {
    let tree = tree(vec![one(PayerKind::ServiceAccount, "nightly")]);
    let bare = Principal::bare(PrincipalKind::Service, "key-2", "nightly");
    let who = Principal { service_account: Some("nightly".into()), ..bare };
    assert_eq!(names(&*tree.of_caller(&who, at(0))), ["service_account:nightly"]);
    assert!(tree.of_caller(&agent(), at(0)).is_empty());
}

#[test]
fn a_call_touches_its_model_each_of_its_tags_and_its_run() {
    let tree = tree(vec![
        one(PayerKind::Model, "fast"),
        one(PayerKind::Tag, "env=prod"),
        On::EachTag("customer".into()),
        On::Each(PayerKind::Run),
    ]);
    let touched = tree.of_call((Action::CallModel, "fast"), Some("customer=acme,env=prod,job=x"), Some("run-1"), at(0));
    assert_eq!(names(&touched), ["model:fast", "tag:customer=acme", "tag:env=prod", "run:run-1"]);
    assert!(tree.of_call((Action::CallModel, "slow"), Some("env=dev"), None, at(0)).is_empty());
}

#[test]
fn a_model_is_found_by_its_name_then_by_the_longest_pattern() {
    let tree = tree(vec![
        one(PayerKind::Model, "openai/*"),
        one(PayerKind::Model, "openai/gpt-*"),
        one(PayerKind::Model, "openai/gpt-5"),
    ]);
    let found = |model| names(&tree.of_call((Action::CallModel, model), None, None, at(0)));
    assert_eq!(found("openai/gpt-5"), ["model:openai/gpt-5"]);
    assert_eq!(found("openai/gpt-4"), ["model:openai/gpt-*"]);
    assert_eq!(found("openai/o3"), ["model:openai/*"]);
}

#[test]
fn a_tool_touches_its_server_itself_and_every_family_it_is_in() {
    let tree = tree(vec![
        one(PayerKind::McpServer, "github"),
        one(PayerKind::Tool, "github.*"),
        one(PayerKind::Tool, "github.search_*"),
        one(PayerKind::Tool, "github.search_code"),
        one(PayerKind::Model, "github.search_code"),
    ]);
    let found = |action, name| names(&tree.of_call((action, name), None, None, at(0)));
    assert_eq!(
        found(Action::CallTool, "github.search_code"),
        ["mcp_server:github", "tool:github.search_code", "tool:github.search_*", "tool:github.*"]
    );
    assert_eq!(found(Action::ReadResource, "github.repo://a.b"), ["mcp_server:github"]);
    assert!(found(Action::CallTool, "time.now").is_empty());
}

#[test]
fn each_server_can_have_a_limit_of_its_own() {
    let tree = tree(vec![On::Each(PayerKind::McpServer)]);
    let found = |name| names(&tree.of_call((Action::CallTool, name), None, None, at(0)));
    assert_eq!(
        (found("time.now"), found("demo.add")),
        (vec!["mcp_server:time".into()], vec!["mcp_server:demo".into()])
    );
}

#[test]
fn one_that_is_named_holds_to_its_own_terms_and_to_those_of_each() {
    let two = Terms { rules: vec![Rule::concurrent(2)] };
    let terms = [(one(PayerKind::User, "ada"), two), (On::Each(PayerKind::User), once())];
    let tree = Tree::new(terms, &Meters::default(), at(0));
    let ada = &tree.of_caller(&agent(), at(0))[0];
    assert_eq!(ada.stands(at(0)).len(), 2);
}

#[test]
fn a_new_tree_over_the_same_meters_keeps_what_was_used() {
    let meters = Meters::default();
    let built = |max| {
        let rule = Rule::money(Money::from_usd(max), Window::LIFE);
        Tree::new([(one(PayerKind::Team, "support"), Terms { rules: vec![rule] })], &meters, at(0))
    };
    let spend = |tree: &Tree, usd| {
        let cost = Cost { tokens: 0, ceiling: Some(Money::from_usd(usd)) };
        let held: Option<Reservation> = reserve(&*tree.of_caller(&agent(), at(0)), at(0), cost).ok();
        held.map(|held| held.settle(at(0), 0, Money::from_usd(usd), |_| {})).is_some()
    };
    assert!(spend(&built(1.0), 0.9));
    let raised = built(2.0);
    assert!(!spend(&raised, 1.2) && spend(&raised, 1.1));
}

#[test]
fn meters_nobody_names_any_more_are_forgotten_once_no_call_holds_them() {
    let meters = Meters::default();
    let tree = Tree::new([(one(PayerKind::Team, "support"), once())], &meters, at(0));
    let held = reserve(&*tree.of_caller(&agent(), at(0)), at(0), Cost::default()).unwrap();
    drop(tree);
    meters.forget_unused();
    assert_eq!(meters.all().len(), 1, "a call still holds it");
    drop(held);
    meters.forget_unused();
    assert!(meters.all().is_empty());
}
