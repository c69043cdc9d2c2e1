//! The pages say what is true: every example in README.md and docs/ is run against a gateway, every configuration in them
//! is checked, every link leads somewhere.
//!
//! The word after a fence's language decides: `sh run` is run against a `gatehouse up` with a fresh data folder, with
//! `GATEHOUSE_URL`, `GATEHOUSE_KEY` and `GATEHOUSE_ADMIN_KEY` set and must succeed; `yaml check` must pass `gatehouse check`
//! without a problem. Blocks without such a word are for reading.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a page that cannot be read is a page that is wrong"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use gatehouse_tests::binary;
use serde_json::Value;

/// What the admin API of the gateway under test takes.
const ADMIN_KEY: &str = "gk_docs_5b0c7e1d9a2f4c86b3e8d1f07a94c2e6";

/// How long a start or a script may take. Nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

/// Put before every script: an HTTP error is a failed example, and a client that hangs is one too.
const PRELUDE: &str = "curl() { command curl -sS --fail-with-body --max-time 15 \"$@\"; }\n";

/// Variables that examples refer to as if they were set.
const VARIABLES: &[(&str, &str)] = &[
    ("OPENAI_API_KEY", "sk-docs-0123456789abcdef"),
    ("ANTHROPIC_API_KEY", "sk-docs-0123456789abcdef"),
    ("GEMINI_API_KEY", "docs-0123456789abcdef"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "docs-0123456789abcdef"),
    ("CI_KEY", "gk_docs_0123456789abcdef"),
    ("SUPPORT_KEY", "gk_docs_fedcba9876543210"),
];

#[test]
fn every_configuration_in_the_pages_passes_check() {
    let blocks = blocks("yaml check");
    assert!(!blocks.is_empty(), "no page has a `yaml check` block any more");
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let file = folder.path().join(format!("example-{number}.yaml"));
        fs::write(&file, &block.text).expect("written");
        let mut check = Command::new(binary());
        check.arg("check").arg(&file).current_dir(folder.path()).envs(VARIABLES.iter().copied());
        let output = check.output().expect("gatehouse runs");
        if !output.status.success() {
            wrong.push(format!("{}:\n{}", block.place, String::from_utf8_lossy(&output.stdout)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_in_the_pages_works() {
    let blocks = blocks("sh run");
    assert!(!blocks.is_empty(), "no page has a `sh run` block any more");
    let gate = Gate::start();
    let wrong: Vec<String> = blocks.iter().filter_map(|block| gate.run(block).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_link_in_the_pages_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        for link in links(&page.text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.path.clone() } else { page.path.with_file_name("").join(file) };
            if !target.exists() {
                wrong.push(format!("{}: there is no {file}", page.name));
            } else if !anchor.is_empty() && !anchors(&target).contains(anchor) {
                wrong.push(format!("{}: {link} names no heading", page.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_page_can_be_found_from_the_index() {
    let index = fs::read_to_string(root().join("docs/index.md")).expect("the index");
    let listed: BTreeSet<String> = links(&index).into_iter().collect();
    let pages = pages().into_iter().filter_map(|page| page.name.strip_prefix("docs/").map(str::to_owned));
    let lost: Vec<String> = pages.filter(|name| name != "index.md" && !listed.contains(name)).collect();
    assert!(lost.is_empty(), "docs/index.md does not name {lost:?}");
}

#[test]
fn every_golden_case_the_dialect_page_names_is_there() {
    let page = fs::read_to_string(root().join("docs/dialects.md")).expect("the page");
    let named: BTreeSet<&str> = page.split('`').filter(|word| word.starts_with("*-")).collect();
    let mut cases = BTreeSet::new();
    for folder in ["requests", "answers", "streams"] {
        let folder = fs::read_dir(root().join("crates/llm-gateway/golden").join(folder)).expect("golden files");
        cases.extend(folder.map(|case| case.expect("an entry").file_name().to_string_lossy().into_owned()));
    }
    let is_there = |name: &str| {
        let (inner, open) = name[1..].strip_suffix('*').map_or((&name[1..], false), |inner| (inner, true));
        cases.iter().any(|case| if open { case.contains(inner) } else { case.ends_with(inner) })
    };
    let lost: Vec<&&str> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(!named.is_empty() && lost.is_empty(), "no golden case is called {lost:?}");
}

#[test]
fn every_test_the_promises_name_is_there() {
    let page = fs::read_to_string(root().join("docs/reliability.md")).expect("the page");
    let tests = [sources("tests/tests"), sources("crates/store/src")].concat();
    let is_there = |name: &str| {
        let (function, per_dialect) = (format!("fn {name}("), format!("each_dialect!({name},"));
        tests.iter().any(|(_, text)| text.contains(&function) || text.contains(&per_dialect))
    };
    let tests_named = code(&page).filter(|word| word.contains('_') && !word.contains('/'));
    let names = tests_named.map(|word| word.trim_end_matches("::*").rsplit("::").next().unwrap_or_default());
    let lost: Vec<&str> = names.filter(|name| *name != "broken_providers" && !is_there(name)).collect();
    assert!(lost.is_empty(), "no test is called {lost:#?}");
}

#[test]
fn every_file_and_name_the_architecture_points_at_is_there() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page");
    let tree = [sources("crates"), sources("tests")].concat();
    let is_file = |name: &str| tree.iter().any(|(path, _)| path.ends_with(&format!("/{name}")));
    let is_word = |word: &str| tree.iter().any(|(_, text)| text.contains(word));
    let mut lost = Vec::new();
    for name in code(&page).filter(|name| !name.contains(' ')) {
        let mut parts = name.split("::");
        let first = parts.next().unwrap_or_default();
        let item = parts.last().map_or("", |item| item.trim_end_matches([']', ')', '(']));
        if (first.ends_with(".rs") && !is_file(first)) || !is_word(item) {
            lost.push(name);
        }
    }
    assert!(lost.is_empty(), "ARCHITECTURE.md names what is not there: {lost:#?}");
}

#[test]
fn every_path_and_header_of_the_code_is_on_its_page() {
    let [paths, headers] =
        ["paths", "headers"].map(|name| fs::read_to_string(root().join(format!("docs/{name}.md"))).expect("the page"));
    let doors = fs::read_to_string(root().join("crates/llm-gateway/src/gateway/doors.rs")).expect("the doors");
    let doors = doors.split("#[cfg(test)]").next().expect("code");
    let mut lost: Vec<String> =
        doors.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/')).map(str::to_owned).collect();
    lost.retain(|path| !paths.contains(path.trim_end_matches('/')));
    for (_, text) in sources("crates") {
        let sent = text.split("\"x-gatehouse-").skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned));
        lost.extend(sent.map(|name| format!("x-gatehouse-{name}")).filter(|name| !headers.contains(name.as_str())));
    }
    assert!(lost.is_empty(), "no page names {lost:?}");
}

/// What stands between single backticks.
fn code(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n```").step_by(2).flat_map(|outside| outside.split('`').skip(1).step_by(2))
}

/// The Rust files of a folder, by their path from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files(&root().join(folder), "rs", &mut paths);
    let read =
        |path: PathBuf| (path.to_string_lossy().replace('\\', "/"), fs::read_to_string(&path).expect("a source file"));
    paths.into_iter().map(read).collect()
}

/// One page of prose.
struct Page {
    /// From the root, with `/`.
    name: String,
    path: PathBuf,
    text: String,
}

/// The pages at the root and those under `docs/`.
fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "SECURITY.md"].iter().map(|name| root().join(name)).collect();
    files(&root().join("docs"), "md", &mut paths);
    let page = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("inside").to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Page { name, path, text }
    };
    paths.into_iter().map(page).collect()
}

fn files(folder: &Path, wanted: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, wanted, found);
        } else if path.extension().is_some_and(|extension| extension == wanted) {
            found.push(path);
        }
    }
}

/// A fenced block and where it stands.
struct Block {
    /// `docs/routing.md:12`.
    place: String,
    text: String,
}

/// Every block of the pages whose fence says this.
fn blocks(info: &str) -> Vec<Block> {
    let mut found = Vec::new();
    for page in pages() {
        let mut open: Option<Block> = None;
        for (number, line) in page.text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(said)) if said.trim() == info => {
                    open = Some(Block { place: format!("{}:{}", page.name, number + 1), text: String::new() });
                }
                // Another kind of block: its lines must not be taken for fences of ours.
                (None, Some(_)) => open = Some(Block { place: String::new(), text: String::new() }),
                (Some(_), Some(_)) => found.extend(open.take().filter(|block| !block.place.is_empty())),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{} has a fence that does not close", page.name);
    }
    found
}

/// The page without its fenced blocks and `code`: what is in those is no link and no heading.
fn prose(text: &str) -> String {
    let outside = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    outside.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// Targets of links within the repository.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).map(str::to_owned).collect()
}

/// The anchors of a page's headings, as code hosts make them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).expect("a page");
    let outside = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    let headings = outside.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
        })
        .collect()
}

/// A gateway as `gatehouse up` makes it on a fresh machine. Dropping it kills it.
struct Gate {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
    key: String,
}

impl Gate {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(binary())
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .env("GATEHOUSE_ADMIN_KEY", ADMIN_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gatehouse binary starts");
        let banner = lines(child.stdout.take().expect("piped"));
        let log = lines(child.stderr.take().expect("piped"));
        // From here on a failed expectation drops the gate, and with it the child.
        let mut gate = Self { child, folder, url: String::new(), key: String::new() };
        gate.url = wait_for(&log, "the line that says where it listens", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let address = line["addr"].as_str().filter(|_| line["msg"] == "listening")?;
            Some(format!("http://{address}"))
        });
        gate.key = wait_for(&banner, "the key in the banner", |line| {
            Some(line.trim().strip_prefix("key ")?.split_whitespace().next()?.to_owned())
        });
        // The pipes are read on, or a full one would stop the gateway.
        std::thread::spawn(move || (banner.iter().count(), log.iter().count()));
        gate
    }

    /// Runs a script; the error says which and what it said.
    fn run(&self, block: &Block) -> Result<(), String> {
        let folder = binary().parent().expect("a folder").to_path_buf();
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-eu", "-c", &format!("{PRELUDE}{}", block.text)])
            .current_dir(self.folder.path())
            .envs(VARIABLES.iter().copied())
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("GATEHOUSE_URL", &self.url)
            .env("GATEHOUSE_KEY", &self.key)
            .env("GATEHOUSE_ADMIN_KEY", ADMIN_KEY)
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("sh runs");
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Err(format!("{}: {}\n{said}", block.place, output.status))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The lines of a pipe, read as they come.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn wait_for(lines: &Receiver<String>, what: &str, reads: impl Fn(&str) -> Option<String>) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Some(found) = reads(&line) {
            return found;
        }
        seen.push(line);
    }
    panic!("{what} did not come; the gateway wrote:\n{}", seen.join("\n"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}
