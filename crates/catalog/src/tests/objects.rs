use serde_json::{Value, json};

use super::{KNOWN, bad, read};
use crate::{Declared, KINDS, Kind, Loaded, Problems, Surroundings, load_with};

const FILE: &str = "providers: {openai: {kind: openai, api_key: sk-0123456789abcdef}}\n";

pub(super) fn with(file: &str, objects: &[(&str, &str, Value)]) -> Result<Loaded, Problems> {
    let declared: Vec<_> =
        objects.iter().map(|(kind, name, body)| Declared { kind: Kind::named(kind).unwrap(), name, body }).collect();
    let folder = std::path::Path::new("/etc/gatehouse");
    let none = |_: &str| None;
    let nothing = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let no_names = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let around =
        Surroundings { file_name: "gatehouse.yaml", folder, env: &none, read: &nothing, list: &no_names, known: KNOWN };
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
        let mut file = String::from("{}");
        for step in kind.section.rsplit('.') {
            file = format!("{{{step}: {file}}}");
        }
        assert!(read(&file).is_ok(), "{file}");
    }
}
