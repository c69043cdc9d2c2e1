//! A scripted MCP server on standard input and output: `mcp-stdio-script SCRIPT`, where SCRIPT is JSON.
//!
//! | habit | what |
//! |---|---|
//! | `era` | `legacy` or `modern` |
//! | `record` | the file that everything it receives is appended to |
//! | `garbage` | text it writes to standard output before each answer |
//! | `complaint` | text it writes to standard error at its start |
//! | `results` | results of tools by name |
//! | `environment` | the tool of this name tells its environment |
//! | `ask` | before a tool's result, this request to the client (`{"method": …, "params": …}`) |
//! | `silent` | a method it never answers |
//! | `dies_on` | a method at which it exits with status 3 |
//! | `grandchild` | starts a child of its own that outlives it, unless its group is ended |
//! | `deaf` | goes on when its input ends |
//! | `endless_line` | a method that it answers with a line without end |
//! | `drip` | likewise, a byte every 20 ms |
#![allow(clippy::print_stdout, reason = "standard output is its wire")]

use std::io::{BufRead as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use gatehouse_tests::mcp::{Era, Offer};
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned());
    let script: Value = serde_json::from_str(&text)?;
    let era = if script["era"] == "modern" { Era::Modern } else { Era::Legacy };
    let child = Scripted { offer: Offer::new(era), script };
    child.record(&json!({"pid": std::process::id(), "started": true}))?;
    if let Some(complaint) = child.script["complaint"].as_str() {
        writeln!(std::io::stderr(), "{complaint}")?;
    }
    if child.script["grandchild"] == true {
        child.beget(&text)?;
    }
    let mut input = std::io::stdin().lock();
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let message: Value = serde_json::from_str(&line).unwrap_or_default();
        child.record(&json!({"pid": std::process::id(), "line": message}))?;
        child.take(&message, &mut input)?;
        line.clear();
    }
    if child.script["deaf"] == true {
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

struct Scripted {
    offer: Offer,
    script: Value,
}

impl Scripted {
    fn record(&self, fact: &Value) -> std::io::Result<()> {
        let Some(path) = self.script["record"].as_str() else { return Ok(()) };
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
        // One write per line: several children share the file.
        file.write_all(format!("{fact}\n").as_bytes())
    }

    /// A child of this child that hears of nothing.
    fn beget(&self, script: &str) -> std::io::Result<()> {
        if self.script["is_grandchild"] == true {
            return Ok(());
        }
        let mut script: Value = serde_json::from_str(script)?;
        script["is_grandchild"] = json!(true);
        script["deaf"] = json!(true);
        let program = std::env::current_exe()?;
        Command::new(program).arg(script.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).spawn().map(drop)
    }

    fn take(&self, message: &Value, input: &mut impl std::io::BufRead) -> std::io::Result<()> {
        let Some(method) = message["method"].as_str() else { return Ok(()) };
        if self.script["dies_on"] == method {
            std::process::exit(3);
        }
        if message["id"].is_null() || self.script["silent"] == method {
            return Ok(());
        }
        if self.script["endless_line"] == method {
            let piece = [b'x'; 64 << 10];
            while std::io::stdout().write_all(&piece).is_ok() {}
            return Ok(());
        }
        if self.script["drip"] == method {
            let mut out = std::io::stdout().lock();
            while out.write_all(b"x").and_then(|()| out.flush()).is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
            return Ok(());
        }
        if let Some(garbage) = self.script["garbage"].as_str() {
            self.write(garbage)?;
        }
        let asks = &self.script["ask"];
        if method == "tools/call" && asks.is_object() {
            let mut question = asks.clone();
            question["jsonrpc"] = json!("2.0");
            question["id"] = json!(7001);
            self.write(&question.to_string())?;
            let mut answer = String::new();
            input.read_line(&mut answer)?;
            self.record(&json!({"pid": std::process::id(), "line": serde_json::from_str::<Value>(&answer)?}))?;
        }
        self.write(&self.answer(method, message).to_string())
    }

    fn answer(&self, method: &str, message: &Value) -> Value {
        let params = &message["params"];
        let tool = if method == "tools/call" { params["name"].as_str() } else { None };
        let own = tool.and_then(|tool| {
            if self.script["environment"] == tool {
                let names: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
                return Some(
                    json!({"content": [{"type": "text", "text": names.join("\n")}], "resultType": "complete"}),
                );
            }
            self.script["results"].get(tool).cloned()
        });
        let outcome = own.map_or_else(|| self.offer.answer(method, params), Ok);
        match outcome {
            Ok(result) => json!({"jsonrpc": "2.0", "id": message["id"], "result": result}),
            Err((code, text)) => {
                json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": text}})
            }
        }
    }

    fn write(&self, line: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }
}
