//! What a gateway of this configuration would have to reach: its own address, providers, MCP servers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_catalog::mcp::McpTransport;
use gatehouse_catalog::{Config, Endpoint};
use tokio::net::TcpStream;

use super::Finding;

/// How long anybody may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Can the gateway listen where it is told to, or does something answer there already?
pub(super) async fn listener(config: &Config) -> Finding {
    let check = format!("listen {}", config.listen);
    match tokio::net::TcpListener::bind(config.listen).await {
        Ok(_) => Finding::ok(check, "free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let next = format!(
                "if it is not the gateway, stop it; if it is: gatehouse doctor --url {}",
                config.public_url.text
            );
            Finding::warning(check, "something listens there", next)
        }
        Err(error) => Finding::problem(check, error, "choose another address or port for `listen`"),
    }
}

/// Can the providers with an address of their own be reached?
pub(super) async fn providers(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, provider) in &config.providers {
        if let Some(url) = &provider.base_url {
            findings.push(connects(format!("provider {name}"), url, "base_url").await);
        }
    }
    findings
}

/// Is there a way to each MCP server: an address that accepts connections, a program that can be started?
pub(super) async fn mcp_servers(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, server) in &config.mcp.servers {
        let check = format!("MCP server {name}");
        findings.push(match &server.transport {
            McpTransport::Http { url, .. } => connects(check, url, "url").await,
            McpTransport::OpenApi { base_url, .. } => connects(check, base_url, "base_url").await,
            McpTransport::Stdio { command, cwd, .. } => can_start(check, command, cwd.as_deref()),
            McpTransport::Builtin(_) => Finding::ok(check, "part of the gateway"),
        });
    }
    findings
}

async fn connects(check: String, url: &Endpoint, field: &str) -> Finding {
    let connecting = TcpStream::connect((&*url.origin.host, url.origin.port));
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(_)) => Finding::ok(check, format!("{} accepts connections", url.text)),
        Ok(Err(error)) => {
            Finding::problem(check, format!("{}: {error}", url.text), format!("check {field}, DNS and firewall"))
        }
        Err(_) => {
            let detail = format!("{} did not answer within {} s", url.text, CONNECT.as_secs());
            Finding::problem(check, detail, format!("check {field} and firewall"))
        }
    }
}

/// Looks for the program of a command where the system would, and starts nothing.
fn can_start(check: String, command: &[String], cwd: Option<&Path>) -> Finding {
    let program = command.first().map_or("", String::as_str);
    if let Some(folder) = cwd.filter(|folder| !folder.is_dir()) {
        return Finding::problem(check, format!("there is no folder {}", folder.display()), "check `cwd`");
    }
    match found(program, cwd) {
        Some(path) => Finding::ok(check, format!("{} can be started", path.display())),
        None => {
            let detail = format!("there is no program `{program}`");
            Finding::problem(check, detail, "install it, or write its whole path in `command`")
        }
    }
}

fn found(program: &str, cwd: Option<&Path>) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(cwd.unwrap_or(Path::new("")).join(program)).filter(runs);
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(runs)
}
