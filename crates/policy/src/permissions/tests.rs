//! What policies decide, as those who write them see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_domain::{Actor, Code, PrincipalKind};

use super::*;

fn set(text: &str) -> PolicySet {
    PolicySet::load(&[("policies/p.cedar", text)]).unwrap_or_else(|problems| panic!("refused:\n{problems}"))
}

fn problems(text: &str) -> String {
    PolicySet::load(&[("policies/p.cedar", text)]).err().map_or_else(|| panic!("accepted"), |found| found.to_string())
}

/// `fast` reaches openai, `big` reaches openai and claude, and `open/…` is a family.
fn permissions(text: &str) -> Arc<Permissions> {
    let mut directory = Directory::default();
    for (name, providers) in [("fast", &["openai"][..]), ("big", &["openai", "claude"]), ("open/*", &["openai"])] {
        let parents = providers.iter().map(|name| Named::new(Kind::Provider, *name)).collect();
        let names = Fact::Texts(providers.iter().map(|name| (*name).to_owned()).collect());
        directory.insert(Named::new(Kind::Model, name), Thing { parents, facts: [("providers", names)].into() });
    }
    Arc::new(Permissions { policies: set(text).into(), directory })
}

const ANN: Caller<'static> = Caller {
    key: "k1",
    name: "laptop",
    organisation: Some("acme"),
    team: Some("support"),
    user: Some("ann"),
    service: None,
    agent: None,
    act: &[],
    tags: Some("env=prod,job=nightly"),
};

/// 2026-11-22, a Sunday, 19:30 UTC.
const SUNDAY_EVENING: u64 = 1_795_375_800;

fn call(model: &str) -> Question<'_> {
    let circumstances = Circumstances { unix_secs: SUNDAY_EVENING, input_tokens: 100, ..Circumstances::default() };
    Question { caller: ANN, action: "call_model", kind: Kind::Model, resource: model, circumstances }
}

fn allows(policies: &str, question: &Question<'_>) -> bool {
    permissions(policies).decide(question).allow
}

const ALL: &str = "permit (principal, action, resource is Model);";

#[test]
fn without_any_policy_everything_passes_and_says_so() {
    let decision = Permissions::default().decide(&call("fast"));
    assert_eq!((decision.allow, decision.basis, decision.ids()), (true, Basis::Ungoverned, None));
}

#[test]
fn once_a_policy_can_apply_to_a_kind_the_rest_of_that_kind_is_refused() {
    let only_fast = r#"permit (principal, action, resource == Model::"fast");"#;
    assert!(allows(only_fast, &call("fast")));
    let decision = permissions(only_fast).decide(&call("big"));
    assert_eq!((decision.allow, decision.basis), (false, Basis::NotPermitted));
    let tool = Question { action: "call_tool", kind: Kind::Tool, ..call("fast") };
    assert!(allows(only_fast, &tool), "no policy can apply to tools");
}

#[test]
fn a_forbid_wins_over_any_permit_and_is_named() {
    let policies = format!("{ALL}\n@id(\"no-big\") forbid (principal, action, resource == Model::\"big\");");
    let decision = permissions(&policies).decide(&call("big"));
    assert_eq!((decision.allow, decision.ids().as_deref()), (false, Some("no-big")));
    let fault = decision.fault(&call("big")).unwrap();
    assert_eq!((fault.code, fault.status), (Code::PolicyDenied, 403));
    assert!(fault.message.contains("`no-big`"), "{}", fault.message);
    assert!(allows(&policies, &call("fast")));
}

#[test]
fn a_caller_is_in_its_key_user_team_and_organisation() {
    for principal in [
        r#"== Key::"k1""#,
        r#"in User::"ann""#,
        r#"in Team::"support""#,
        r#"in Organisation::"acme""#,
        "is Key",
        r#"is Key in Team::"support""#,
    ] {
        assert!(
            allows(&format!("permit (principal {principal}, action, resource is Model);"), &call("fast")),
            "{principal}"
        );
    }
    for principal in [r#"== Key::"k2""#, r#"in User::"bob""#, r#"in Team::"sales""#, "is Anonymous"] {
        assert!(
            !allows(&format!("permit (principal {principal}, action, resource is Model);"), &call("fast")),
            "{principal}"
        );
    }
}

#[test]
fn a_caller_without_a_key_is_anonymous() {
    let policy = "permit (principal is Anonymous, action, resource is Model);";
    assert!(allows(policy, &Question { caller: Caller::default(), ..call("fast") }));
}

#[test]
fn an_agent_for_a_user_shows_both_and_the_chain() {
    let act = [Actor { kind: PrincipalKind::Agent, name: "billing".into() }];
    let caller = Caller { agent: Some("billing"), act: &act, ..ANN };
    let question = Question { caller, ..call("fast") };
    let both =
        r#"principal in Agent::"billing" && context.user == User::"ann" && context.act.contains("agent:billing")"#;
    let policy = format!("permit (principal, action, resource is Model) when {{ context has user && {both} }};");
    assert!(allows(&policy, &question));
    assert!(!allows(&policy, &call("fast")));
}

#[test]
fn tags_time_stream_and_tokens_are_circumstances() {
    for condition in [
        r#"context.tags.contains("env=prod")"#,
        "context.hour == 19",
        r#"context.weekday == "sunday""#,
        r#"context.now < datetime("2027-01-01")"#,
        "context.time > 1795000000",
        "!context.stream",
        "context.input_tokens <= 100",
        "!(context has output_cap)",
        "!(context has address)",
        r#"context has team && context.team == Team::"support""#,
    ] {
        assert!(
            allows(&format!("permit (principal, action, resource is Model) when {{ {condition} }};"), &call("fast")),
            "{condition}"
        );
        assert!(
            !allows(&format!("permit (principal, action, resource is Model) unless {{ {condition} }};"), &call("fast")),
            "{condition}"
        );
    }
}

#[test]
fn an_address_is_held_against_a_range_in_either_form() {
    let policy = r#"permit (principal, action, resource is Model) when { context has address && context.address.isInRange(ip("10.0.0.0/8")) };"#;
    for (address, inside) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("11.0.0.1", false), ("::1", false)] {
        let mut question = call("fast");
        question.circumstances.address = Some(address.parse().unwrap());
        assert_eq!(allows(policy, &question), inside, "{address}");
    }
}

#[test]
fn a_model_is_in_every_provider_it_may_reach() {
    let policies = format!("{ALL}\nforbid (principal, action, resource in Provider::\"claude\");");
    assert!(allows(&policies, &call("fast")) && !allows(&policies, &call("big")));
    let only = r#"permit (principal, action, resource is Model) when { ["openai"].containsAll(resource.providers) };"#;
    assert!(allows(only, &call("open/gpt-5")) && !allows(only, &call("big")));
}

#[test]
fn the_arguments_of_a_tool_are_seen() {
    let policy = r#"permit (principal, action == Action::"call_tool", resource in McpServer::"files")
        when { context has arguments && context.arguments.hasTag("path") && context.arguments.getTag("path") like "/srv/*" };"#;
    let permissions = Permissions { policies: set(policy).into(), directory: Directory::default() };
    let ask = |path: &str| {
        let arguments: BTreeMap<String, String> = [("path".to_owned(), path.to_owned())].into();
        let circumstances = Circumstances { arguments: Some(&arguments), ..call("").circumstances };
        permissions
            .decide(&Question {
                action: "call_tool",
                kind: Kind::Tool,
                resource: "files.read",
                circumstances,
                caller: ANN,
            })
            .allow
    };
    assert!(ask("/srv/report") && !ask("/etc/passwd"));
}

/// A question about a tool, without arguments.
fn tool(name: &str) -> Question<'_> {
    Question { action: "call_tool", kind: Kind::Tool, resource: name, ..call("") }
}

#[test]
fn a_tool_is_in_its_server_and_in_the_toolsets_that_offer_it() {
    let mut directory = Directory::default();
    directory.insert_toolset("support", &["time.*", "github.search_*"], false);
    let policy = r#"permit (principal, action, resource in Toolset::"support");
        permit (principal, action, resource in McpServer::"demo");
        permit (principal, action == Action::"read_resource", resource) when { resource.server == "files" };"#;
    let permissions = Permissions { policies: set(policy).into(), directory };
    let allowed = |name| permissions.decide(&tool(name)).allow;
    assert!(allowed("time.now") && allowed("github.search_code") && allowed("demo.echo"));
    assert!(!allowed("github.delete") && !allowed("demos.echo"));
    let read = |name| Question { action: "read_resource", kind: Kind::Resource, resource: name, ..call("") };
    assert!(
        permissions.decide(&read("files.file:///a.b")).allow && !permissions.decide(&read("other.file:///a")).allow
    );
}

#[test]
fn what_a_trusted_server_says_of_a_tool_counts_and_an_unknown_tool_says_nothing() {
    let mut directory = Directory::default();
    let facts = [("read_only", Fact::Flag(true))].into();
    directory.insert(Named::new(Kind::Tool, "files.read"), Thing { facts, ..Thing::default() });
    let policy = "permit (principal, action, resource is Tool) when { resource has read_only && resource.read_only };";
    let permissions = Permissions { policies: set(policy).into(), directory };
    assert!(permissions.decide(&tool("files.read")).allow);
    assert!(!permissions.decide(&tool("files.write")).allow);
}

#[test]
fn toolsets_with_resources_offer_those_of_the_servers_they_have_tools_of() {
    let mut directory = Directory::default();
    directory.insert_toolset("all", &["files.*"], true);
    directory.insert_toolset("tools", &["files.read"], false);
    let of = |kind, name| directory.toolsets_of(kind, name).collect::<Vec<_>>();
    assert_eq!(of(Kind::Tool, "files.read"), ["all", "tools"]);
    assert_eq!(of(Kind::Resource, "files.file:///x"), ["all"]);
    assert!(of(Kind::Prompt, "other.x").is_empty());
}

#[test]
fn a_permit_that_fails_is_left_out_and_told() {
    let policies = format!(
        "{ALL}\n@id(\"overflow\") permit (principal, action, resource is Model) when {{ context.time * 9223372036854775807 > 0 }};"
    );
    let decision = permissions(&policies).decide(&call("fast"));
    assert!(decision.allow);
    assert_eq!(&*decision.errors[0].policy, "overflow");
    assert!(decision.reason(&call("fast")).contains("`overflow` failed"));
}

#[test]
fn a_forbid_that_fails_refuses() {
    let policies = format!(
        "{ALL}\n@id(\"overflow\") forbid (principal, action, resource is Model) when {{ context.time * 9223372036854775807 > 0 }};"
    );
    let decision = permissions(&policies).decide(&call("fast"));
    assert_eq!((decision.allow, decision.basis), (false, Basis::Failed));
    assert_eq!(decision.ids().as_deref(), Some("overflow"));
}

#[test]
fn what_is_forbidden_to_use_is_not_listed() {
    let policies = format!(
        "{ALL}\nforbid (principal, action == Action::\"call_model\", resource == Model::\"big\");
        forbid (principal, action == Action::\"list_models\", resource == Model::\"fast\");"
    );
    let permissions = permissions(&policies);
    let listed = |model| {
        let list = Question { action: "list_models", ..call(model) };
        permissions.lists(&list, "call_model", |question| Arc::new(permissions.decide(question)))
    };
    assert!(!listed("big") && !listed("fast") && listed("open/x"));
}

#[test]
fn what_may_be_called_is_listed_though_no_policy_speaks_of_listing() {
    let permissions = permissions(r#"permit (principal, action == Action::"call_model", resource == Model::"fast");"#);
    let listed = |model| {
        let list = Question { action: "list_models", ..call(model) };
        permissions.lists(&list, "call_model", |question| Arc::new(permissions.decide(question)))
    };
    assert!(listed("fast") && !listed("big"));
}

#[test]
fn a_policy_that_does_not_parse_has_its_place() {
    let told = problems("permit (principal, action, resource);\n\nforbid (principal, action resource);");
    assert!(told.starts_with("policies/p.cedar:3:27: "), "{told}");
}

#[test]
fn a_policy_that_does_not_fit_the_schema_has_its_place_and_what_to_do() {
    let told = problems("permit (principal, action == Action::\"call_modle\", resource);");
    assert!(told.starts_with("policies/p.cedar:1:") && told.contains("call_model"), "{told}");
    let told = problems("permit (principal, action, resource)\nwhen { context.tags == \"x\" };");
    assert!(told.starts_with("policies/p.cedar:2:"), "{told}");
    let told = problems("permit (principal, action, resource)\n  when { context.colour == \"red\" };");
    assert!(told.starts_with("policies/p.cedar:2:10:") && told.contains("colour"), "{told}");
}

#[test]
fn two_policies_of_one_id_are_refused_at_the_second() {
    let told = problems(
        "@id(\"a\") permit (principal, action, resource is Model);\n@id(\"a\") forbid (principal, action, resource is Tool);",
    );
    assert!(told.starts_with("policies/p.cedar:2:1: the id `a` is that of the policy at policies/p.cedar:1"), "{told}");
}

#[test]
fn templates_are_refused() {
    assert!(problems("permit (principal == ?principal, action, resource);").contains("templates are not served"));
}

#[test]
fn a_policy_without_an_id_is_named_by_its_file_and_number() {
    let decision = permissions(ALL).decide(&call("fast"));
    assert_eq!(decision.ids().as_deref(), Some("p.cedar#1"));
    assert_eq!(permissions(ALL).policies.place("p.cedar#1"), Some(("policies/p.cedar", 1)));
}

#[test]
fn only_forbidding_is_warned_of() {
    let set = set("forbid (principal in Team::\"x\", action, resource is Model);");
    assert!(set.warnings()[0].to_string().contains("no policy permits anything on a Model"), "{:?}", set.warnings());
}

#[test]
fn what_a_policy_names_is_told_with_its_place() {
    let set = set("permit (principal in Team::\"suport\", action,\n  resource == Model::\"fast\");");
    let places: Vec<_> =
        set.literals().iter().map(|found| (found.named.to_string(), found.line, found.column)).collect();
    assert_eq!(places, [("Team::\"suport\"".to_owned(), 1, 22), ("Model::\"fast\"".to_owned(), 2, 15)]);
}

#[test]
fn every_word_is_in_the_schema() {
    let (fragment, _) = cedar_policy::Schema::from_cedarschema_str(SCHEMA).unwrap();
    for kind in Kind::ALL {
        assert!(fragment.entity_types().any(|known| known.basename() == kind.as_str()), "{kind}");
        assert!(super::entities::uid(kind, "x").is_some());
    }
    let known: Vec<String> = fragment.actions().map(|action| action.id().unescaped().to_owned()).collect();
    assert_eq!(known.len(), ACTIONS.len());
    assert!(ACTIONS.iter().all(|(name, _)| known.iter().any(|known| known == name)), "{known:?}");
}

#[test]
fn a_cached_decision_is_the_same_until_what_it_reads_changes() {
    let permissions =
        permissions(&format!("{ALL}\nforbid (principal, action, resource is Model) when {{ context.hour == 19 }};"));
    let mut cache = DecisionCache::default();
    let mut at = |secs: u64| {
        let mut question = call("fast");
        question.circumstances.unix_secs = SUNDAY_EVENING + secs;
        cache.decide(&permissions, &question)
    };
    let first = at(0);
    assert!(!first.allow && Arc::ptr_eq(&first, &at(60)), "the same hour is the same question");
    assert!(at(3600).allow, "another hour is another question");
}

#[test]
fn a_cache_never_answers_for_another_caller_model_or_set() {
    let support = permissions("permit (principal in Team::\"support\", action, resource == Model::\"fast\");");
    let sales = permissions("permit (principal in Team::\"sales\", action, resource is Model);");
    let mut cache = DecisionCache::default();
    assert!(cache.decide(&support, &call("fast")).allow);
    let stranger = Question { caller: Caller { team: Some("sales"), ..ANN }, ..call("fast") };
    assert!(!cache.decide(&support, &stranger).allow);
    assert!(!cache.decide(&support, &call("big")).allow);
    assert!(!cache.decide(&sales, &call("fast")).allow);
}

#[test]
fn what_no_policy_reads_makes_no_new_question() {
    let permissions = permissions(ALL);
    let mut cache = DecisionCache::default();
    let first = cache.decide(&permissions, &call("fast"));
    let mut later = call("fast");
    later.circumstances.unix_secs += 1;
    later.circumstances.input_tokens = 7;
    assert!(Arc::ptr_eq(&first, &cache.decide(&permissions, &later)));
}

#[test]
fn decisions_by_arguments_are_made_anew_each_time() {
    let reads = r#"permit (principal, action == Action::"call_tool", resource)
        when { context has arguments && context.arguments.hasTag("a") && context.arguments.getTag("a") == "1" };"#;
    let (reads, plain) = (permissions(reads), permissions("permit (principal, action, resource is Tool);"));
    let (one, two) = ([("a".to_owned(), "1".to_owned())].into(), [("a".to_owned(), "2".to_owned())].into());
    let with = |arguments| Question {
        circumstances: Circumstances { arguments: Some(arguments), ..call("").circumstances },
        ..tool("demo.echo")
    };
    let mut cache = DecisionCache::default();
    assert!(cache.decide(&reads, &with(&one)).allow && !cache.decide(&reads, &with(&two)).allow);
    let first = cache.decide(&plain, &with(&one));
    assert!(Arc::ptr_eq(&first, &cache.decide(&plain, &with(&two))), "nobody reads them: one question");
}

#[test]
fn hostile_texts_are_refused_and_nothing_else() {
    for text in [
        "(".repeat(100_000),
        "permit".repeat(10_000),
        "\u{0}".into(),
        format!("permit (principal, action, resource) when {{ {} }};", "!".repeat(50_000)),
    ] {
        drop(PolicySet::load(&[("x.cedar", text)]));
    }
}
