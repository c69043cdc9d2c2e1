//! The scripted server as a child of the gateway: which command starts it, and what it saw.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::PATIENCE;

/// A scripted child. What it shall do stands in its command, what it saw in a file of its own.
#[derive(Debug)]
pub struct StdioScript {
    record: tempfile::NamedTempFile,
    script: Value,
}

impl StdioScript {
    /// A server of this era (`legacy`, `modern`) that offers what any scripted server does.
    ///
    /// # Panics
    /// When there is no place for its record.
    #[must_use]
    pub fn new(era: &str) -> Self {
        let record = tempfile::NamedTempFile::new().expect("a temporary file");
        let script = json!({"era": era, "record": record.path()});
        Self { record, script }
    }

    /// With a habit, as `bin/mcp_stdio_script.rs` lists them.
    #[must_use]
    pub fn with(mut self, habit: &str, value: Value) -> Self {
        self.script[habit] = value;
        self
    }

    /// Program and arguments.
    #[must_use]
    pub fn command(&self) -> Value {
        json!([program(), self.script.to_string()])
    }

    /// The lines every such child wrote down: `{"pid": …, "line": …}` for a message, `{"pid": …, "started": true}`.
    #[must_use]
    pub fn seen(&self) -> Vec<Value> {
        read(self.record.path())
    }

    /// Process ids of all children that were started, in order.
    #[must_use]
    pub fn pids(&self) -> Vec<u64> {
        self.seen().iter().filter(|line| line["started"] == true).filter_map(|line| line["pid"].as_u64()).collect()
    }

    /// Waits until a child has received this many messages of this method, and returns the last.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`].
    #[must_use]
    pub fn wait_for(&self, method: &str, count: usize) -> Value {
        let what = format!("{count} × {method}");
        until(&what, || {
            let seen = self.seen();
            let mut messages = seen.iter().map(|line| &line["line"]).filter(|message| message["method"] == method);
            messages.nth(count.checked_sub(1)?).cloned()
        })
    }

    /// Waits until none of its children, nor theirs, lives.
    ///
    /// # Panics
    /// When one still does after [`PATIENCE`].
    pub fn wait_for_no_process(&self) {
        let marker = self.record.path().to_str().expect("a UTF-8 path").to_owned();
        until("no child to be left", || living(&marker).is_empty().then_some(()));
    }

    /// Process ids of its children, and of theirs, that live.
    ///
    /// # Panics
    /// When the process table cannot be read.
    #[must_use]
    pub fn living(&self) -> Vec<u32> {
        living(self.record.path().to_str().expect("a UTF-8 path"))
    }

    /// Waits until none of these processes lives: one that is deaf is given time to leave before it is made to.
    pub fn wait_until_gone(&self, pids: &[u32]) {
        until("children to be gone", || self.living().iter().all(|pid| !pids.contains(pid)).then_some(()));
    }
}

/// Asks again and again: a file and the process table wake nobody.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn read(record: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(record).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Processes whose command line names this file: the record's name is in the script of the child, and the child hands it on.
fn living(marker: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("a process table");
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let names = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A zombie has no command line any more.
        String::from_utf8_lossy(&command).contains(marker)
    };
    let of_script = |pid: &u32| {
        std::fs::read_link(format!("/proc/{pid}/exe"))
            .is_ok_and(|path| path.to_string_lossy().contains("mcp-stdio-script"))
    };
    pids.filter(|pid| names(pid) && of_script(pid)).collect()
}

/// Beside the running test: it comes from the same build.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().expect("the running executable");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push("mcp-stdio-script");
    assert!(path.exists(), "no scripted child at {}: build it first (`make test` does)", path.display());
    path
}
