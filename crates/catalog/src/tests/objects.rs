use gatehouse_domain::Secret;
use serde_json::{Value, json};

use super::{KNOWN, bad, read};
use crate::{Declared, KINDS, Kind, Loaded, OpenSecrets, Problems, Secrets, Surroundings, load_with, read_objects};

const FILE: &str = "providers: {openai: {kind: openai, api_key: sk-0123456789abcdef}}\n";

pub(super) fn with(file: &str, objects: &[(&str, &str, Value)]) -> Result<Loaded, Problems> {
    of("default", file, objects)
}

/// The same with objects of another organisation.
fn of(organisation: &str, file: &str, objects: &[(&str, &str, Value)]) -> Result<Loaded, Problems> {
    let declared = objects.iter().map(|(kind, name, body)| Declared {
        organisation,
        kind: Kind::named(kind).unwrap(),
        name,
        body,
    });
    let declared: Vec<_> = declared.collect();
    let folder = std::path::Path::new("/etc/gatehouse");
    let none = |_: &str| None;
    let nothing = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let no_names = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let mut open = OpenSecrets::default();
    open.insert("default", "openai".to_owned(), Ok(Secret::new("sk-0123456789abcdef")));
    open.insert("acme", "acme/hook".to_owned(), Ok(Secret::new("the-hook-of-acme")));
    open.insert("default", "torn".to_owned(), Err("its master key is gone".to_owned()));
    let around = Surroundings {
        file_name: "gatehouse.yaml",
        folder,
        env: &none,
        read: &nothing,
        list: &no_names,
        secrets: Secrets::Open(&open),
        known: KNOWN,
    };
    load_with(file.as_bytes(), &declared, &around)
}

fn fast() -> (&'static str, &'static str, Value) {
    ("models", "gpt-4.1", json!({"targets": [{"provider": "openai", "model": "gpt-4.1"}]}))
}

#[test]
fn what_the_database_declares_stands_beside_what_the_file_declares() {
    let loaded = with(FILE, &[fast(), ("prices", "openai/gpt-4.1", json!({"input": 1.0, "output": 2.0}))]).unwrap();
    assert!(loaded.config.models.contains_key("gpt-4.1"));
    assert_eq!(loaded.config.prices["openai/gpt-4.1"].output, 2.0);
    let shown: Vec<_> = loaded.objects.iter().map(|object| (&*object.name, object.of_file)).collect();
    assert_eq!(shown, [("gpt-4.1", false), ("openai/gpt-4.1", false), ("openai", true)]);
}

#[test]
fn objects_in_force_show_no_secret() {
    let loaded = with(FILE, &[]).unwrap();
    assert_eq!(loaded.objects[0].body["api_key"], json!({"secret": true, "last4": "cdef"}));
}

#[test]
fn a_problem_of_an_object_points_into_its_body() {
    let body = json!({"targets": [{"provider": "opnai", "model": "x"}]});
    let problems = with(FILE, &[("models", "gpt-4.1", body)]).unwrap_err();
    let belongs = problems.0[0].belongs.as_ref().unwrap();
    assert_eq!((belongs.kind, &*belongs.name, &*belongs.pointer), ("models", "gpt-4.1", "/targets/0/provider"));
    assert!(problems.to_string().starts_with("database: models.gpt-4.1.targets[0].provider: there is no provider"));
}

#[test]
fn where_both_declare_a_name_the_files_is_used() {
    let loaded = with(FILE, &[("providers", "openai", json!({"kind": "demo"}))]).unwrap();
    assert_eq!(loaded.config.providers["openai"].kind, "openai");
    assert!(loaded.warnings[0].to_string().contains("the database declares it, too"));
}

#[test]
fn only_the_file_may_refer_to_the_environment() {
    let body = json!({"kind": "openai", "api_key": "${OPENAI_API_KEY}"});
    let problems = with("", &[("providers", "spy", body)]).unwrap_err();
    assert_eq!(problems.0[0].belongs.as_ref().unwrap().pointer, "/api_key");
}

#[test]
fn an_object_that_is_no_mapping_is_refused_and_not_lost() {
    for body in [json!([]), json!("x"), json!(1), json!({"kind": "openai", "modle": 1})] {
        assert!(with("", &[("providers", "x", body.clone())]).is_err(), "{body}");
    }
}

#[test]
fn a_section_of_the_wrong_form_is_told_with_objects_as_without() {
    let file = "providers: 7\n";
    assert_eq!(with(file, &[("providers", "x", json!({"kind": "demo"}))]).unwrap_err().to_string(), bad(file));
}

#[test]
fn secrets_are_found_wherever_the_schema_has_them() {
    let mut body = json!({"kind": "openai", "api_key": "a", "headers": {"x/y": "b"}, "region": "c"});
    let mut found = Vec::new();
    Kind::named("providers").unwrap().secrets(&mut body, &mut |at, _| found.push(at.to_owned()));
    assert_eq!(found, ["/api_key", "/headers/x~1y"]);
}

#[test]
fn every_kind_is_a_section_of_the_file() {
    for kind in KINDS {
        let schema = kind.schema();
        assert!(schema["$defs"][schema["$ref"].as_str().unwrap().trim_start_matches("#/$defs/")].is_object());
        let mut file = String::from(if kind.list { "[]" } else { "{}" });
        for step in kind.section.rsplit('.') {
            file = format!("{{{step}: {file}}}");
        }
        assert!(read(&file).is_ok(), "{file}");
    }
}

const LISTS: &str = "
guardrails: [{name: no-secrets, on: [request], detect: secrets, action: block}]
limits: [{on: run, limits: [{requests: 5, per: day}]}]
policies: [\"permit (principal, action, resource);\", {name: open, text: \"permit (principal, action, resource);\"}]
";

#[test]
fn items_of_a_list_go_by_their_name_or_their_place() {
    let shown = with(LISTS, &[]).unwrap().objects;
    let names: Vec<_> = shown.iter().map(|object| (object.kind.name, &*object.name)).collect();
    let expected =
        [("guardrails", "no-secrets"), ("limits", "limits[0]"), ("policies", "open"), ("policies", "policies[0]")];
    assert_eq!(names, expected);
    assert!(shown.iter().all(|object| object.of_file && object.body.get("name").is_none()));
    assert_eq!(shown[3].body, json!({"text": "permit (principal, action, resource);"}));
}

#[test]
fn the_database_adds_to_a_list_and_its_problems_point_into_the_body() {
    let limit = json!({"on": "run", "budgets": [{"usd": 1.0, "per": "day"}]});
    let loaded = with(LISTS, &[("limits", "cheap-runs", limit)]).unwrap();
    assert_eq!(loaded.config.limits.len(), 2);
    let problems = with(LISTS, &[("limits", "none", json!({"on": "run", "budgets": [{"usd": -1.0, "per": "day"}]}))]);
    let belongs = problems.unwrap_err().0[0].belongs.clone().unwrap();
    assert_eq!((belongs.kind, &*belongs.name, &*belongs.pointer), ("limits", "none", "/budgets/0/usd"));
    let taken = with(LISTS, &[("guardrails", "no-secrets", json!({}))]).unwrap();
    assert!(taken.warnings[0].to_string().contains("the file's is used"));
}

#[test]
fn a_text_of_the_database_names_no_file() {
    for body in [json!("policies/*.cedar"), json!({"text": 1})] {
        assert!(with("", &[("policies", "sly", body.clone())]).is_err(), "{body}");
    }
    assert!(with("", &[("policies", "a.cedar", json!({"text": "permit (principal, action, resource);"}))]).is_err());
}

#[test]
fn a_file_of_objects_names_each_of_them() {
    let folder = std::path::Path::new("/etc");
    let none = |_: &str| Some("a ${b}".to_owned());
    let nothing = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let no_names = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let around = Surroundings {
        file_name: "objects.yaml",
        folder,
        env: &none,
        read: &nothing,
        list: &no_names,
        secrets: Secrets::NotOpen,
        known: KNOWN,
    };
    let objects = |text: &str| read_objects(text.as_bytes(), &around);
    assert!(objects("limits: [{on: run}]").unwrap_err().to_string().contains("an object needs a name"));
    assert!(objects("policies: [a.cedar]").unwrap_err().to_string().contains("an object needs a name"));
    let read = objects("providers: {a: {kind: \"$${x}\", region: \"${X}\", api_key: \"${secret:openai}\"}}").unwrap();
    let expected = json!({"kind": "$${x}", "region": "a $${b}", "api_key": "${secret:openai}"});
    assert_eq!(read[0].body, expected, "text as the admin API takes it");
}

#[test]
fn a_reference_to_a_secret_is_followed_in_its_own_organisation_alone() {
    let body = |name: &str| json!({"kind": "openai", "api_key": format!("${{secret:{name}}}")});
    let loaded = with("", &[("providers", "mine", body("openai"))]).unwrap();
    assert_eq!(loaded.config.providers["mine"].api_key.as_ref().unwrap().reveal(), "sk-0123456789abcdef");
    let theirs = of("acme", "", &[("providers", "theirs", body("acme/hook"))]).unwrap();
    assert_eq!(theirs.config.providers["theirs"].api_key.as_ref().unwrap().reveal(), "the-hook-of-acme");
    for (organisation, name) in [("acme", "openai"), ("default", "acme/hook")] {
        let problem = of(organisation, "", &[("providers", "x", body(name))]).unwrap_err().to_string();
        assert!(problem.contains(&format!("there is no secret `{name}`")), "{problem}");
    }
}

#[test]
fn organisations_declare_nobody_but_their_own() {
    let file = "organisations: {acme: {}, other: {}}\nteams: {ours: {organisation: acme}, theirs: {organisation: \
                other}}\nusers: {ann: {organisation: acme}, root: {role: owner}}\n";
    let good = [
        ("teams", json!({"organisation": "acme", "members": ["ann"]})),
        ("users", json!({"team": "ours"})),
        ("agents", json!({"organisation": "acme"})),
        ("service_accounts", json!({"team": "ours", "organisation": "acme"})),
    ];
    for (kind, body) in good {
        assert!(of("acme", file, &[(kind, "x", body.clone())]).is_ok(), "{kind} {body}");
    }
    let bad = [
        ("teams", json!({"organisation": "other"})),
        ("teams", json!({})),
        ("teams", json!({"organisation": "acme", "members": ["root"]})),
        ("users", json!({"team": "theirs"})),
        ("users", json!({"role": "owner"})),
        ("agents", json!({})),
        ("service_accounts", json!({"team": "theirs"})),
        ("organisations", json!({})),
        ("policies", json!({"text": "permit (principal, action, resource);"})),
        ("limits", json!({"on": "run", "limits": [{"concurrent": 1}]})),
        ("guardrails", json!({"on": ["request"], "detect": "secrets", "action": "block"})),
    ];
    for (kind, body) in bad {
        assert!(of("acme", file, &[(kind, "x", body.clone())]).is_err(), "{kind} {body}");
        assert!(with(file, &[(kind, "x", body.clone())]).is_ok(), "{kind} {body} of the organisation that runs it");
    }
}
