//! Walks `golden/embeddings/`: requests and answers of each embedding dialect in the words of the other two.
//!
//! `UPDATE_GOLDEN=1` rewrites the outputs in place of comparing them.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test, like the tests themselves")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gatehouse_llm_gateway::dialects::embeddings::{EmbedDialect, cohere, gemini, openai};
use gatehouse_llm_gateway::form::Dropped;

static ALL: [&EmbedDialect; 3] = [&openai::DIALECT, &gemini::DIALECT, &cohere::DIALECT];

#[test]
fn embeddings_translate_as_pinned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/embeddings");
    let mut folders: Vec<PathBuf> = fs::read_dir(root).expect("cases").flatten().map(|entry| entry.path()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "golden/embeddings holds no case");
    let complaints: Vec<String> = folders.iter().flat_map(|folder| check(folder, &translate(folder))).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// File name to content, for everything one case gives.
fn translate(folder: &Path) -> BTreeMap<String, String> {
    let input = |name: &str, what: &str| fs::read(folder.join(format!("in.{name}.{what}.json"))).ok();
    let (from, request) =
        ALL.iter().find_map(|dialect| Some((dialect, input(dialect.name, "request")?))).expect("a request");
    let answer = input(from.name, "answer").expect("an answer");
    let ask = (from.read_ask)(&request).expect("the request reads");
    let answer = (from.read_answer)(&answer).expect("the answer reads");
    let mut outputs = BTreeMap::new();
    for to in ALL {
        let mut dropped = Dropped::default();
        let body = match (to.write_ask)(&ask, "target-model", &mut dropped) {
            Ok(body) => text(body),
            Err(fault) => format!("{fault}\n"),
        };
        outputs.insert(format!("out.{}.request.json", to.name), body);
        if !dropped.is_empty() {
            outputs.insert(format!("dropped.{}.txt", to.name), dropped.names().join("\n") + "\n");
        }
    }
    outputs.insert(format!("out.{}.answer.json", from.name), text((from.write_answer)(&answer, &ask)));
    for to in ALL.iter().filter(|to| to.name != from.name) {
        outputs.insert(format!("out.{}.answer.json", to.name), text((to.write_answer)(&answer, &ask)));
    }
    outputs
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).expect("UTF-8") + "\n"
}

fn check(folder: &Path, outputs: &BTreeMap<String, String>) -> Vec<String> {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut complaints = Vec::new();
    for (name, made) in outputs {
        let path = folder.join(name);
        if update {
            fs::write(&path, made).expect("an output can be written");
        } else if fs::read_to_string(&path).unwrap_or_default() != *made {
            complaints.push(format!("{} differs; made:\n{made}", path.display()));
        }
    }
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("in.") && !outputs.contains_key(&name) {
            complaints.push(format!("{} is no longer made", entry.path().display()));
        }
    }
    complaints
}
