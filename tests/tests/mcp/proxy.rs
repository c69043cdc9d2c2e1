//! `gatehouse mcp proxy`: one server for one client, and nothing left behind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use gatehouse_tests::PATIENCE;
use gatehouse_tests::mcp::StdioScript;
use serde_json::{Value, json};

/// A proxy before a program, and its client's end of the streams.
struct Proxy {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Proxy {
    /// Starts it; what it keeps for a while goes into this folder.
    fn start(program: &StdioScript, folder: &Path) -> Self {
        let command = program.command();
        let words: Vec<&str> = command.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let mut child = Command::new(gatehouse_tests::binary())
            .args(["mcp", "proxy", "--stdio", "--command"])
            .args(words)
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Sends a message; of a request, waits for the answer.
    fn say(&mut self, message: &Value) -> Value {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
        let mut line = String::new();
        while !message["id"].is_null() {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the proxy ended");
            let said: Value = serde_json::from_str(&line).unwrap();
            if said["id"] == message["id"] {
                return said;
            }
        }
        Value::Null
    }

    /// Opens a session and calls a tool in it.
    fn call(&mut self, text: &str) -> Value {
        let hello =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        drop(self.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})));
        drop(self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})));
        let params = json!({"name": "echo", "arguments": {"text": text}});
        self.say(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}))["result"]["content"][0]
            ["text"]
            .clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The folders of proxies in a folder.
fn folders(home: &Path) -> usize {
    let entries = std::fs::read_dir(home).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("gatehouse-proxy-")).count()
}

#[test]
fn a_program_behind_a_proxy_runs_once_for_its_client() {
    for era in ["legacy", "modern"] {
        let (program, home) = (StdioScript::new(era), tempfile::tempdir().unwrap());
        let mut proxy = Proxy::start(&program, home.path());
        assert_eq!(proxy.call("through"), "through");
        let deadline = Instant::now() + PATIENCE;
        while program.living().len() != 1 {
            assert!(Instant::now() < deadline, "{era}: {:?} live", program.living());
        }
        assert_eq!(proxy.say(&json!({"jsonrpc": "2.0", "id": 3, "method": "ping"}))["id"], 3);
    }
}

#[test]
fn a_proxy_whose_client_leaves_ends_and_leaves_nothing() {
    let (program, home) = (StdioScript::new("legacy"), tempfile::tempdir().unwrap());
    let mut proxy = Proxy::start(&program, home.path());
    assert_eq!(proxy.call("through"), "through");
    assert_eq!(folders(home.path()), 1);
    drop(proxy.input.take());
    assert!(proxy.child.wait().unwrap().success());
    program.wait_for_no_process();
    assert_eq!(folders(home.path()), 0);
}

#[test]
fn what_a_killed_proxy_left_goes_when_the_next_one_starts_and_a_living_ones_folder_stays() {
    let (program, home) = (StdioScript::new("modern"), tempfile::tempdir().unwrap());
    let mut killed = Proxy::start(&program, home.path());
    assert_eq!(killed.call("through"), "through");
    killed.child.kill().unwrap();
    drop(killed.child.wait());
    let mut living = Proxy::start(&program, home.path());
    assert_eq!(living.call("through"), "through");
    assert_eq!(folders(home.path()), 2, "a folder so young may only just be coming into use");
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for entry in std::fs::read_dir(home.path()).unwrap().flatten() {
        std::fs::File::open(entry.path()).unwrap().set_modified(an_hour_ago).unwrap();
    }
    let mut next = Proxy::start(&program, home.path());
    assert_eq!(next.call("through"), "through");
    assert_eq!(folders(home.path()), 2, "the living one's and the new one's");
    assert_eq!(living.say(&json!({"jsonrpc": "2.0", "id": 9, "method": "ping"}))["id"], 9);
}
