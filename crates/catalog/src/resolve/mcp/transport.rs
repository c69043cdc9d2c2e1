//! The one way to an MCP server: an address, a program, a document, or none because it is part of the gateway.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::check::{Check, nth};
use crate::load::Surroundings;
use crate::mcp::McpTransport;
use crate::resolve::address::endpoint;
use crate::resolve::providers::headers;
use crate::shape::untyped;
use crate::{written, yaml};

/// The one way to the server.
pub(super) fn transport(
    path: &str,
    written: &mut written::McpServer,
    around: &Surroundings<'_>,
    check: &mut Check,
) -> Option<McpTransport> {
    let ways = [
        ("url", written.url.is_some()),
        ("command", written.command.is_some()),
        ("openapi", written.openapi.is_some()),
        ("builtin", written.builtin.is_some()),
    ];
    let mut said = ways.into_iter().filter(|(_, there)| *there).map(|(way, _)| way);
    let (way, another) = (said.next(), said.next());
    if let (Some(one), Some(another)) = (way, another) {
        let message = format!("`{one}` leads to the server already");
        check.error_at(&format!("{path}.{another}"), message, Some("keep one of them".to_owned()));
    }
    match way {
        Some("url") => {
            let headers = headers(path, std::mem::take(&mut written.headers), check);
            let url = endpoint(&format!("{path}.url"), written.url.as_deref()?, check)?;
            Some(McpTransport::Http { url, headers })
        }
        Some("command") => stdio(path, written, around, check),
        Some("openapi") => {
            let headers = headers(path, std::mem::take(&mut written.headers), check);
            let document = document(path, written.openapi.take()?, around, check);
            let Some(base_url) = written.base_url.as_deref() else {
                let hint = "add `base_url: https://api.example.com`".to_owned();
                check.error_at(path, "`base_url` is missing: where is the API?", Some(hint));
                return None;
            };
            let base_url = endpoint(&format!("{path}.base_url"), base_url, check)?;
            Some(McpTransport::OpenApi { document: Arc::new(document?), base_url, headers })
        }
        Some(_) => Some(McpTransport::Builtin(written.builtin?)),
        None => {
            let hint = "write `url: https://example.com/mcp`, `command: [program, argument]` or `openapi: file.yaml`";
            check.error_at(path, "nothing leads to this server", Some(hint.to_owned()));
            None
        }
    }
}

fn stdio(
    path: &str,
    written: &mut written::McpServer,
    around: &Surroundings<'_>,
    check: &mut Check,
) -> Option<McpTransport> {
    let command = written.command.take()?;
    if command.first().is_none_or(String::is_empty) {
        let hint = "write the program and its arguments as a list: [uvx, mcp-server-time]".to_owned();
        check.error_at(&format!("{path}.command"), "empty", Some(hint));
        return None;
    }
    for (n, word) in command.iter().enumerate().filter(|(_, word)| word.contains('\0')) {
        check.error_at(&nth(&format!("{path}.command"), n), format!("`{}` has a NUL in it", word.escape_debug()), None);
    }
    if let [one] = command.as_slice()
        && one.contains(' ')
    {
        let words: Vec<&str> = one.split_whitespace().collect();
        let hint = format!("no shell reads it: write [{}]", words.join(", "));
        check.warn(&format!("{path}.command"), "one program whose name has spaces", Some(hint));
    }
    let mut env = BTreeMap::new();
    for (name, value) in std::mem::take(&mut written.env) {
        if name.is_empty() || name.contains(['=', '\0']) || value.0.reveal().contains('\0') {
            check.error_at(&format!("{path}.env.{name}"), "no variable of an environment", None);
        }
        env.insert(name, value.0);
    }
    let cwd: Option<PathBuf> = written.cwd.take().filter(|cwd| !cwd.is_empty()).map(|cwd| around.folder.join(cwd));
    Some(McpTransport::Stdio { command, env, cwd })
}

/// An OpenAPI document, out of its file or as it stands there.
fn document(path: &str, written: Value, around: &Surroundings<'_>, check: &mut Check) -> Option<Value> {
    let path = format!("{path}.openapi");
    let document = match written {
        Value::String(file) => {
            if file.starts_with("https://") || file.starts_with("http://") {
                let hint = "download it and give the file: what it offers then changes only when you change it";
                check.error_at(&path, "a URL is not read here", Some(hint.to_owned()));
                return None;
            }
            // Without its `.` components, because people read this path.
            let file: PathBuf = around.folder.join(file).components().collect();
            let text = match (around.read)(&file) {
                Ok(text) => text,
                Err(error) => {
                    let hint = "check that it exists and is readable; paths start at the folder of this file";
                    check.error_at(&path, format!("cannot read {}: {error}", file.display()), Some(hint.to_owned()));
                    return None;
                }
            };
            // JSON is read as such: it may be larger than a configuration.
            let read = serde_json::from_str(&text);
            match read.or_else(|_| yaml::parse(text.as_bytes()).map(|node| untyped(&node.value))) {
                Ok(read) => read,
                Err(_) if text.trim_start().starts_with('{') => {
                    check.error_at(&path, format!("{} is not JSON", file.display()), None);
                    return None;
                }
                Err(reason) => {
                    let line = reason.at.line;
                    let message = format!("{}, line {line}: {}", file.display(), reason.message);
                    check.error_at(&path, message, reason.hint);
                    return None;
                }
            }
        }
        written => written,
    };
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") || !document.get("paths").is_some_and(Value::is_object) {
        let hint = "it has `openapi: 3.…` and `paths`; convert one of version 2 (swagger) first".to_owned();
        check.error_at(&path, "not an OpenAPI 3 document", Some(hint));
        return None;
    }
    Some(document)
}
