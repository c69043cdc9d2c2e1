//! The floors of the house: what ARCHITECTURE.md says about who may know whom, as a test that fails when it stops being
//! true. The tables at the top are the rules; everything below reads the tree and `cargo metadata` and compares.
//!
//! Changing a table is a decision about the shape of the house: change ARCHITECTURE.md with it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a floor that cannot be read is a floor that does not hold"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may know whom. A crate that is not listed may not exist; `*` is the roof, which knows everything.
const MAY_KNOW: &[(&str, &[&str])] = &[
    // A tool of builds, and the way back from what it packed.
    ("packed", &[]),
    // The thinking wing.
    ("domain", &[]),
    ("catalog", &["domain", "packed"]),
    ("policy", &["domain"]),
    ("llm-router", &["domain"]),
    ("llm-gateway", &["domain", "packed", "llm-router"]),
    ("mcp-gateway", &["domain"]),
    ("oauth", &["domain"]),
    // The moving wing.
    ("mapped", &[]),
    ("cork", &[]),
    ("upstream", &["domain", "cork"]),
    ("store", &["domain", "mapped"]),
    ("pipeline", &["domain", "policy", "upstream", "store"]),
    ("server", &["domain", "packed", "mapped", "cork", "catalog", "oauth", "store", "pipeline"]),
    ("mcp-proxy", &["domain", "policy", "mcp-gateway", "oauth", "upstream", "store", "pipeline"]),
    // The roof.
    ("telemetry", &["domain", "upstream"]),
    ("gatehouse", &["*"]),
    // Outside the house: they talk to it over the wire.
    ("tests", &[]),
    ("bench", &["domain", "tests"]),
];

/// The crates that think: bytes and facts in, values out.
const THINKING: &[&str] = &["domain", "catalog", "policy", "llm-gateway", "llm-router", "mcp-gateway", "oauth"];

/// What a thinking crate may not touch: sockets, tasks, tables, and the diagnostics of those who have them.
const MOVES: &[&str] =
    &["tokio", "hyper", "hyper-util", "axum", "tower", "sqlx", "reqwest", "rustls", "tracing", "socket2"];

/// What a thinking crate may not do with the standard library alone.
const DOES: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
];

/// Heavy dependencies and the crates that own them. `bench` and `tests` stand outside and are not asked.
const OWNERS: &[(&str, &[&str])] = &[
    ("axum", &["server"]),
    ("tower", &["server"]),
    ("utoipa", &["server"]),
    ("utoipa-axum", &["server"]),
    ("socket2", &["server"]),
    ("hyper", &["upstream", "pipeline", "server", "gatehouse"]),
    ("hyper-util", &["upstream", "server", "gatehouse"]),
    ("rustls", &["upstream", "server", "gatehouse"]),
    ("tokio-rustls", &["upstream", "server", "gatehouse"]),
    ("webpki-roots", &["upstream", "gatehouse"]),
    ("sqlx", &["store"]),
    ("memmap2", &["mapped"]),
    ("rustix", &["mapped", "store", "upstream"]),
    ("blake3", &["store", "pipeline"]),
    ("regex-automata", &["policy"]),
    ("aho-corasick", &["policy"]),
    ("jsonschema", &["policy"]),
    ("flate2", &["packed", "pipeline", "gatehouse"]),
    ("prometheus-client", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry-otlp", &["telemetry"]),
    ("tracing-subscriber", &["telemetry"]),
    ("cedar-policy", &["policy"]),
    ("miette", &["policy"]),
    ("schemars", &["catalog"]),
    ("serde-saphyr", &["catalog", "gatehouse"]),
    ("aws-sigv4", &["llm-gateway"]),
    ("aws-smithy-eventstream", &["llm-gateway"]),
    ("fearless_simd", &["llm-gateway"]),
    ("simdutf8", &["llm-gateway"]),
    ("jsonwebtoken", &["llm-gateway", "policy", "oauth"]),
    ("clap", &["gatehouse"]),
    ("clap_complete", &["gatehouse"]),
    ("comfy-table", &["gatehouse"]),
    ("toml_edit", &["gatehouse"]),
    ("notify", &["gatehouse"]),
    ("mimalloc", &["gatehouse"]),
    ("libmimalloc-sys", &["mapped"]),
];

/// What may not be in the tree at all: a second HTTP client, a second TLS stack, a second async runtime.
const NEVER: &[&str] = &["reqwest", "openssl", "openssl-sys", "native-tls", "async-std"];

/// The one file that may say it.
const UNSAFE_FILE: &str = "crates/mapped/src/raw.rs";

/// Licences that oblige nobody who runs or ships the binary to more than naming the authors.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The longest a source file may be, and those that are longer because they are tables.
const LINES_MAX: usize = 700;
const TABLES: &[&str] = &[];

/// Folders that are made, not written.
const MADE: &[&str] = &["target", "node_modules", ".venv", "__pycache__", "gatehouse-data", ".git"];

#[test]
fn no_crate_knows_one_it_may_not() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    let mut wrong = Vec::new();
    for member in members() {
        let Some(known) = allowed.get(&*member.name) else {
            wrong.push(format!("{} stands on no floor: give it a line in MAY_KNOW", member.name));
            continue;
        };
        let inside = member.needs.iter().filter_map(|need| need.strip_prefix("gatehouse-"));
        let strangers = inside.filter(|other| !known.contains(&"*") && !known.contains(other));
        wrong.extend(strangers.map(|other| format!("{} may not know {other}", member.name)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_crate_asks_for_one_it_does_not_use() {
    let mut idle = Vec::new();
    for member in members() {
        let folder = if matches!(&*member.name, "tests" | "bench") {
            member.name.clone()
        } else {
            format!("crates/{}", member.name)
        };
        let sources = sources(&folder);
        let unused =
            member.needs.iter().filter(|need| !sources.iter().any(|file| file.text.contains(&need.replace('-', "_"))));
        idle.extend(unused.map(|need| format!("{} depends on {need} and never names it", member.name)));
    }
    assert!(idle.is_empty(), "{idle:#?}");
}

#[test]
fn no_thinking_crate_has_a_socket_a_task_or_a_table() {
    let mut wrong = Vec::new();
    for member in members().into_iter().filter(|member| THINKING.contains(&&*member.name)) {
        let moves = member.needs.iter().filter(|need| MOVES.contains(&need.as_str()));
        wrong.extend(moves.map(|need| format!("{} depends on {need}", member.name)));
    }
    let thinks = |name: &str| THINKING.iter().any(|thinking| name.starts_with(&format!("crates/{thinking}/src/")));
    for file in sources("crates").into_iter().filter(|file| thinks(&file.name) && !file.is_test()) {
        let said = DOES.iter().filter(|word| file.code().any(|line| line.contains(**word)));
        wrong.extend(said.map(|word| format!("{} says {word}", file.name)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_heavy_dependency_has_its_owner_and_no_other() {
    let owners: BTreeMap<&str, &[&str]> = OWNERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for member in members().into_iter().filter(|member| !matches!(&*member.name, "tests" | "bench")) {
        for need in &member.needs {
            if owners.get(need.as_str()).is_some_and(|owners| !owners.contains(&&*member.name)) {
                wrong.push(format!("{} depends on {need}, which belongs to {:?}", member.name, owners[need.as_str()]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn there_is_one_unsafe_file() {
    // Spelt in two halves, so that this file is not found by its own search.
    let words = [concat!("un", "safe"), concat!("un", "safe_code")];
    let says = |line: &str| {
        line.split(|letter: char| !letter.is_alphanumeric() && !"_-".contains(letter)).any(|word| words.contains(&word))
    };
    let found: Vec<String> = ["crates", "tests", "bench"]
        .into_iter()
        .flat_map(sources)
        .filter(|file| file.code().any(says))
        .map(|file| file.name)
        .collect();
    assert!(found.iter().all(|name| name == UNSAFE_FILE), "{found:#?}");
}

#[test]
fn everything_comes_from_the_public_registry() {
    let lock = read("Cargo.lock");
    let sources: BTreeSet<&str> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert_eq!(sources, BTreeSet::from(["\"registry+https://github.com/rust-lang/crates.io-index\""]));
    let names: BTreeSet<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    let unwanted: Vec<_> = NEVER.iter().filter(|name| names.contains(*name)).collect();
    assert!(unwanted.is_empty(), "{unwanted:?} in Cargo.lock");
    let lock = read("conformance/sdk/package-lock.json");
    let elsewhere: Vec<&str> = lock
        .lines()
        .filter(|line| line.contains("\"resolved\": ") && !line.contains("\"https://registry.npmjs.org/"))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

#[test]
fn every_licence_is_one_we_accept() {
    let metadata = metadata(&["--filter-platform", &host()]);
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let licence = package["license"].as_str().unwrap_or("none named");
        if !accepts(licence) {
            wrong.push(format!("{} {}: {licence}", package["name"], package["version"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    for (expression, good) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND ISC", true),
        ("GPL-3.0 AND MIT OR ISC", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-2.0 WITH Classpath-exception-2.0", false),
        ("MIT / Apache-2.0", true),
        ("", false),
    ] {
        assert_eq!(accepts(expression), good, "{expression}");
    }
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let manifest = read("Cargo.toml");
    let section = manifest
        .split("[workspace.dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("the section");
    let silent: Vec<&str> = section
        .lines()
        .filter(|line| line.contains('=') && !line.starts_with('#') && !line.starts_with("gatehouse-"))
        .filter(|line| line.split_once(" # ").is_none_or(|(_, reason)| reason.trim().len() < 5))
        .collect();
    assert!(silent.is_empty(), "no reason given for:\n{}", silent.join("\n"));
}

#[test]
fn no_source_file_is_longer_than_one_story() {
    let long: Vec<String> = sources("crates")
        .into_iter()
        .filter(|file| file.text.lines().count() > LINES_MAX && !TABLES.contains(&&*file.name))
        .map(|file| format!("{}: {} lines", file.name, file.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> = ["crates", "tests", "bench"]
        .into_iter()
        .flat_map(sources)
        .filter(|file| !file.text.starts_with("//! ") && !file.is_test())
        .map(|file| file.name)
        .collect();
    assert!(silent.is_empty(), "no `//!` head in {silent:#?}");
}

#[test]
fn nothing_of_one_machine_is_committed() {
    let mut files = Vec::new();
    walk(&root(), &mut files);
    let needles = [concat!("/", "work/"), concat!("/", "root/"), concat!("index", "-url"), concat!("replace", "-with")];
    let mut found = Vec::new();
    for path in files {
        // Whoever is not text has no paths to read.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = relative(&path);
        let hits = needles.iter().filter(|needle| text.match_indices(**needle).any(|(at, _)| stands_alone(&text, at)));
        found.extend(hits.map(|needle| format!("{name}: {needle}")));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// A path begins here: it is not the end of a longer one or of an address.
fn stands_alone(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && !"-_.~".contains(before))
}

/// A member of the workspace and what it depends on directly, development and build dependencies included.
struct Member {
    /// Its folder's name: the crate's without `gatehouse-`.
    name: String,
    needs: Vec<String>,
}

fn members() -> Vec<Member> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("packages");
    let member = |package: &Value| {
        let name = package["name"].as_str().expect("a name");
        let needs = package["dependencies"].as_array().expect("dependencies");
        Member {
            name: name.strip_prefix("gatehouse-").unwrap_or(name).to_owned(),
            needs: needs.iter().filter_map(|need| need["name"].as_str().map(str::to_owned)).collect(),
        }
    };
    packages.iter().map(member).collect()
}

fn metadata(arguments: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The platform this runs on: only its dependencies are sure to be on this machine.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

/// Is one way through the expression made of accepted licences only? `AND` binds stronger than `OR`; the older `/` is `OR`.
fn accepts(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(&words, &mut at) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize) -> bool {
    let mut good = all_of(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= all_of(words, at);
    }
    good
}

fn all_of(words: &[&str], at: &mut usize) -> bool {
    let mut good = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        good &= one(words, at);
    }
    good
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let good = any_of(words, at);
        *at += 1;
        return good;
    }
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
        return LICENCES.contains(&words[*at - 3..*at].join(" ").as_str());
    }
    LICENCES.contains(word)
}

/// A Rust file of ours.
struct Source {
    /// Its path from the root, with `/`.
    name: String,
    text: String,
}

impl Source {
    /// The second half of the module it lies beside.
    fn is_test(&self) -> bool {
        self.name.ends_with("/tests.rs") || (self.name.contains("/src/") && self.name.contains("/tests/"))
    }

    /// Its lines without those that are only comment, up to its tests.
    fn code(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        lines.filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    walk(&root().join(folder), &mut files);
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| Source { name: relative(&path), text: fs::read_to_string(&path).expect("UTF-8") }).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if MADE.contains(&&*name) || path.is_symlink() {
            continue;
        }
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a file of the workspace")
}
