//! The gateway under test: the built binary as a child process, with a data folder of its own.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::PATIENCE;
use crate::client::Client;
use crate::house::{KEY, KEY_OF_ADMIN};

/// The built binary: `GATEHOUSE_BIN`, or `gatehouse` beside the folder of the running test executable.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("GATEHOUSE_BIN") {
        return path.into();
    }
    let mut path = std::env::current_exe().expect("the running executable");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push("gatehouse");
    assert!(path.exists(), "no gatehouse binary at {}: build it first (`make test` does)", path.display());
    path
}

/// Runs the command line to its end.
#[must_use]
pub fn run_cli(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("the gatehouse binary runs")
}

/// A running gateway. Dropping it kills it.
pub struct Gate {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
    log: Arc<Log>,
}

impl Gate {
    /// Starts the binary with this configuration file and waits until it listens.
    ///
    /// # Panics
    /// When it does not come up; the message holds its log.
    #[must_use]
    pub fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("gatehouse.yaml"), config).expect("a written configuration");
        let log = Arc::new(Log::default());
        let child = spawn(&folder, &log);
        let mut gate = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), folder, log };
        gate.wait_until_listening();
        gate
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, for commands.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A caller with the house's key.
    #[must_use]
    pub fn client(&self) -> Client {
        self.stranger().key(KEY)
    }

    /// A caller without a key.
    #[must_use]
    pub fn stranger(&self) -> Client {
        Client::new(self.address)
    }

    /// A caller with the admin key.
    #[must_use]
    pub fn admin(&self) -> Client {
        self.stranger().key(KEY_OF_ADMIN)
    }

    /// The folder of its configuration and, in `gatehouse-data`, of everything it keeps.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command on this gateway's data folder with this on its standard input; gives what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn run(&self, arguments: &[&str], input: &str) -> String {
        let output = self.try_run(arguments, input);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// The same for a command that may fail.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn try_run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(self.config_path()).current_dir(self.folder());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads its input");
        child.wait_with_output().expect("the command ends")
    }

    /// Everything it has written to its log.
    #[must_use]
    pub fn logs(&self) -> String {
        self.log.lock().join("\n")
    }

    /// Waits for a log line that this accepts.
    #[must_use]
    pub fn wait_for_log(&self, what: &str, accepts: impl Fn(&Value) -> bool) -> Value {
        self.log.wait(what, 0, accepts)
    }

    /// Writes another configuration file in the place of the first.
    pub fn rewrite_config(&self, config: &str) {
        self.write("gatehouse.yaml", config);
    }

    /// Writes a file beside the configuration.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        // A rename is what an editor or a mounted volume does; a half-written file is never seen.
        let draft = self.folder.path().join(format!("{name}.draft"));
        std::fs::write(&draft, text).expect("a written file");
        std::fs::rename(&draft, self.folder.path().join(name)).expect("a replaced file");
    }

    /// Kills it with SIGKILL.
    pub fn kill9(&mut self) {
        self.child.kill().expect("a running child");
        drop(self.child.wait());
    }

    /// Asks it to stop (SIGTERM) and returns at once.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "SIGTERM to the gateway");
    }

    /// Waits for it to exit by itself.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`].
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // Its log ends when it exits: wait for that, not for time.
        self.log.wait_for_end(deadline);
        self.child.wait().expect("a child that can be waited for")
    }

    /// Starts it again with the same folder. Kill or stop it first.
    pub fn restart(&mut self) {
        self.log.restart();
        self.child = spawn(&self.folder, &self.log);
        self.wait_until_listening();
    }

    /// Runs a command that works on this gateway's data folder and returns its rows.
    ///
    /// # Panics
    /// When the command fails or prints anything but rows.
    #[must_use]
    pub fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let config = self.config_path();
        let config = config.to_str().expect("a UTF-8 path");
        let output = Command::new(binary())
            .args(arguments)
            .args(["--output", "json", "--config", config])
            .current_dir(self.folder.path())
            .output()
            .expect("the command runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let answer: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("JSON from {arguments:?}: {error}"));
        answer["rows"].as_array().unwrap_or_else(|| panic!("rows in {answer}")).clone()
    }

    /// The latest thousand rows of the ledger, one per attempt, as the admin API lists them.
    ///
    /// # Panics
    /// When it does not list them.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerRow> {
        let listing = self.admin().get("/api/v1/attempts?limit=1000");
        assert_eq!(listing.status, 200, "{}", listing.text());
        let listing = listing.json();
        let rows = listing["rows"].as_array().unwrap_or_else(|| panic!("rows in {listing}"));
        rows.iter().map(LedgerRow::read).collect()
    }

    /// The ledger as soon as it holds at least this many attempts: rows are shipped to the database in batches.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`].
    #[must_use]
    pub fn ledger_of(&self, attempts: usize) -> Vec<LedgerRow> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.ledger();
            if rows.len() >= attempts {
                return rows;
            }
            assert!(Instant::now() < deadline, "{attempts} attempts in the ledger, not {rows:?}");
        }
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("gatehouse.yaml")
    }

    fn wait_until_listening(&mut self) {
        let line = self.log.wait("the line that says where it listens", 0, |line| line["msg"] == "listening");
        let address = line["addr"].as_str().and_then(|address| address.parse().ok());
        self.address = address.unwrap_or_else(|| panic!("an address in {line}"));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            // The log of a gateway is the first thing to look at when a test fails.
            drop(std::fs::write(std::env::temp_dir().join(format!("gatehouse-{}.log", self.pid())), self.logs()));
        }
    }
}

fn spawn(folder: &tempfile::TempDir, log: &Arc<Log>) -> Child {
    let mut child = Command::new(binary())
        .args(["serve", "--config", "gatehouse.yaml"])
        .env("GATEHOUSE_DATA_DIR", folder.path().join("data"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gatehouse binary starts");
    log.follow(child.stdout.take().expect("piped"));
    log.follow(child.stderr.take().expect("piped"));
    child
}

/// One attempt, as the ledger has it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerRow {
    /// The attempt's id.
    pub id: String,
    /// The key's id.
    pub key: String,
    /// The model as the client named it.
    pub model: String,
    /// The provider's name.
    pub provider: String,
    /// How it ended.
    pub status: String,
    /// Was there a price?
    pub priced: bool,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Cost in US dollars.
    pub cost_usd: f64,
}

impl LedgerRow {
    fn read(row: &Value) -> Self {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let count = |name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name} in {row}"));
        Self {
            id: text("id"),
            key: text("key"),
            model: text("model"),
            provider: text("provider"),
            status: text("status"),
            priced: row["priced"] == Value::Bool(true),
            input_tokens: count("input_tokens"),
            output_tokens: count("output_tokens"),
            cost_usd: row["cost_usd"].as_f64().unwrap_or_else(|| panic!("cost_usd in {row}")),
        }
    }
}

/// The child's output, line by line, with everyone who waits for a line woken.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    following: Mutex<u32>,
    changed: Condvar,
    ended: Condvar,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().expect("the log")
    }

    fn follow(self: &Arc<Self>, pipe: impl Read + Send + 'static) {
        *self.following.lock().expect("the log") += 1;
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                log.lock().push(line);
                log.changed.notify_all();
            }
            *log.following.lock().expect("the log") -= 1;
            log.changed.notify_all();
            log.ended.notify_all();
        });
    }

    fn restart(&self) {
        self.lock().clear();
    }

    fn wait(&self, what: &str, from: usize, accepts: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lock();
        loop {
            let found =
                lines.iter().skip(from).filter_map(|line| serde_json::from_str(line).ok()).find(|line| accepts(line));
            if let Some(line) = found {
                return line;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO || *self.following.lock().expect("the log") == 0 {
                let written = lines.join("\n");
                drop(lines);
                panic!("waited for {what}; the gateway wrote:\n{written}");
            }
            lines = self.changed.wait_timeout(lines, left).expect("the log").0;
        }
    }

    fn wait_for_end(&self, deadline: Instant) {
        let mut following = self.following.lock().expect("the log");
        while *following > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "the gateway did not exit");
            following = self.ended.wait_timeout(following, left).expect("the log").0;
        }
    }
}
