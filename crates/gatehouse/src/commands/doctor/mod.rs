//! `gatehouse doctor`: looks at everything a gateway needs and says what is wrong with it and what to do.

mod reach;

use std::path::Path;

use gatehouse_store::{DataDir, Pepper, Store};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::admin_client::AdminClient;
use crate::cli::{Output, PlaceArguments};
use crate::config_file;
use crate::failure::Failure;
use crate::output::Listing;

/// One thing that was looked at.
struct Finding {
    check: String,
    /// `ok`, `warning` or `problem`.
    status: &'static str,
    detail: String,
    next: String,
}

/// Looks, prints what was found, and fails if anything of it is a problem.
pub(crate) async fn run(place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let findings = match place.gateway() {
        Some(client) => gateway(&client).await,
        None => folder(place.config.as_deref()).await,
    };
    let problems = findings.iter().filter(|finding| finding.status == "problem").count();
    let rows = findings.into_iter().map(Finding::row).collect();
    let listing = Listing::new(["check", "status", "detail", "next"], rows);
    listing.write(output.output, &mut std::io::stdout().lock())?;
    if problems == 0 { Ok(()) } else { Err(Failure::problem(format!("problems: {problems}"), "see the column `next`")) }
}

impl Finding {
    fn ok(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check: check.into(), status: "ok", detail: detail.into(), next: String::new() }
    }

    fn warning(check: impl Into<String>, detail: impl ToString, next: impl Into<String>) -> Self {
        Self { check: check.into(), status: "warning", detail: detail.to_string(), next: next.into() }
    }

    fn problem(check: impl Into<String>, detail: impl ToString, next: impl Into<String>) -> Self {
        Self { check: check.into(), status: "problem", detail: detail.to_string(), next: next.into() }
    }

    fn row(self) -> Map<String, Value> {
        let Self { check, status, detail, next } = self;
        let row = json!({ "check": check, "status": status, "detail": detail, "next": next });
        row.as_object().cloned().unwrap_or_default()
    }
}

/// A running gateway, from outside.
async fn gateway(client: &AdminClient) -> Vec<Finding> {
    let mut findings = Vec::new();
    match client.call(Method::GET, "/readyz", None).await {
        Ok(answer) if answer.status.is_success() => findings.push(Finding::ok("gateway", "ready")),
        Ok(answer) => {
            let next = "wait, or see the health below and the gateway's log";
            findings.push(Finding::problem("gateway", format!("not ready: {}", answer.status), next));
        }
        Err(_) => {
            let next = "start it, or correct the URL";
            findings.push(Finding::problem("gateway", format!("cannot reach {}", client.url()), next));
            return findings;
        }
    }
    match client.call(Method::GET, "/api/v1/health", None).await {
        Ok(answer) if answer.status.is_success() => findings.extend(health(&answer.body)),
        Ok(answer) if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            let next = "give an admin key with --key or GATEHOUSE_ADMIN_KEY to see more";
            findings.push(Finding::warning("admin API", "the key is not an admin key", next));
        }
        Ok(answer) => {
            findings.push(Finding::problem("admin API", answer.status, "with admin_listen it has its own URL"))
        }
        Err(failure) => findings.push(Finding::problem("admin API", failure, "try again")),
    }
    findings
}

/// What the gateway says of itself.
fn health(body: &Value) -> Vec<Finding> {
    let version = body["version"].as_str().unwrap_or("unknown");
    let mut findings = vec![Finding::ok("admin API", format!("version {version}"))];
    match body["database_problem"].as_str() {
        Some(problem) => findings.push(Finding::problem("database", problem, "check the disk and the data folder")),
        None => findings.push(Finding::ok("database", "readable")),
    }
    for target in body["held_back"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        findings.push(Finding::warning("target", format!("{target} is held back"), "look at the provider's status"));
    }
    findings
}

/// A configuration and its data folder, from inside.
async fn folder(file: Option<&Path>) -> Vec<Finding> {
    let name = file.map_or_else(|| "built-in default".to_owned(), |file| file.display().to_string());
    let loaded = match config_file::load(file) {
        Ok(loaded) => loaded,
        Err(failure) => {
            return vec![Finding::problem("configuration", failure, "gatehouse check FILE shows every line")];
        }
    };
    let mut findings = vec![Finding::ok("configuration", name)];
    for warning in &loaded.warnings {
        findings.push(Finding::warning("configuration", warning, ""));
    }
    let config = &loaded.config;
    if config.data_dir.is_dir() {
        findings.extend(data_folder(&config.data_dir).await);
    } else {
        let detail = format!("{} is not there yet", config.data_dir.display());
        findings.push(Finding::ok("data folder", detail));
    }
    findings.push(reach::listener(config).await);
    findings.extend(reach::providers(config).await);
    findings.extend(reach::mcp_servers(config).await);
    findings
}

async fn data_folder(path: &Path) -> Vec<Finding> {
    let check = "data folder";
    let dir = match DataDir::create(path) {
        Ok(dir) => dir,
        Err(error) => return vec![Finding::problem(check, error, "give it to the user the gateway runs as")],
    };
    let held = match dir.lock() {
        Ok(_) => "no gateway uses it right now",
        Err(_) => "a gateway uses it right now",
    };
    let mut findings = vec![Finding::ok(check, format!("{}: {held}", path.display()))];
    if let Err(error) = Pepper::load(&dir) {
        findings.push(Finding::problem("key pepper", error, "restore the data folder from a backup"));
    }
    match Store::open(&dir).await {
        Ok(store) => {
            match store.integrity().await {
                Ok(lines) if lines.is_empty() => findings.push(Finding::ok("database", "whole")),
                Ok(lines) => {
                    findings.push(Finding::problem("database", lines.join("; "), "restore it from a backup"));
                }
                Err(error) => findings.push(Finding::problem("database", error, "check the disk")),
            }
            store.close().await;
        }
        Err(error) => findings.push(Finding::problem("database", error, "check the disk and who may write there")),
    }
    findings
}
