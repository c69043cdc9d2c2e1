//! `mcp`, `mcp_servers`, `toolsets`: exactly one way to each server, settings that go with it, and tools that can be there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::Money;
use serde_json::Value;

use super::address::{endpoint, seconds, stays_near};
use super::limits;
use super::providers::{given, headers, secret};
use crate::check::{Check, nth};
use crate::load::Surroundings;
use crate::mcp::{
    McpAuth, McpClient, McpGrant, McpIdentityProvider, McpServer, McpTransport, Pins, ToolOverride, Toolset,
};
use crate::pattern::{self, Names};
use crate::shape::untyped;
use crate::written::{self, File, Model, SecretText};
use crate::yaml;

/// Letters of a server's or toolset's name: it stands in paths, and before the name of each of its tools.
const NAME_MAX: usize = 64;
/// A tool that costs more than this a call is priced in another currency.
const USD_PER_CALL_MAX: f64 = 1_000.0;
/// Messages are held in memory whole.
const MESSAGE_BYTES_MAX: u64 = 256 << 20;
const CONCURRENT_MAX: u32 = 100_000;

/// The servers of a file.
pub(super) fn servers(
    written: BTreeMap<String, written::McpServer>,
    defaults: &written::Mcp,
    models: &Names<'_, Model>,
    around: &Surroundings<'_>,
    check: &mut Check,
) -> BTreeMap<Arc<str>, McpServer> {
    let defaults = Defaults::of(defaults, check);
    let mut servers = BTreeMap::new();
    for (name, written) in written {
        let path = format!("mcp_servers.{name}");
        plain_name(&path, &name, check);
        let sampling_model = written.sampling_model.as_deref();
        if let Some(model) = sampling_model.filter(|model| models.serving(model).is_none()) {
            let hint = check.near(model, models.all());
            check.error_at(&format!("{path}.sampling_model"), format!("there is no model `{model}`"), hint);
        }
        if let Some(server) = server(&path, written, &defaults, models, around, check) {
            servers.insert(name.into(), server);
        }
    }
    servers
}

fn server(
    path: &str,
    mut written: written::McpServer,
    defaults: &Defaults,
    models: &Names<'_, Model>,
    around: &Surroundings<'_>,
    check: &mut Check,
) -> Option<McpServer> {
    strangers(path, &written, check);
    let auth = auth(path, written.auth.take(), check);
    let transport = transport(path, &mut written, around, check);
    shared_by_many(path, &written, &auth, check);
    if let Some(McpTransport::Http { url, .. }) = &transport
        && !url.origin.tls
        && !stays_near(&url.origin.host)
        && !matches!(auth, McpAuth::None)
    {
        let hint = Some("use https://".to_owned());
        check.warn(&format!("{path}.url"), "its credentials travel unencrypted", hint);
    }
    let [connect, idle, total] = timers(path, &written.timeouts, &defaults.timers, check);
    let (message_bytes, result_bytes, concurrent) = sizes(path, &written.sizes, defaults.sizes, check);
    let terms = limits::terms(path, written.limits, written.budgets, models, check);
    limits::of_tools(path, &terms, check);
    Some(McpServer {
        transport: transport?,
        auth,
        trusted: written.trusted,
        pins: written.pins.unwrap_or(defaults.pins),
        park: written.park,
        sampling_model: written.sampling_model.map(Arc::from),
        shared: written.shared,
        connect,
        idle,
        total,
        message_bytes,
        result_bytes,
        concurrent,
        prices: prices(path, &written.prices, check),
        terms,
    })
}

/// Settings that belong to another transport than the one that is written.
fn strangers(path: &str, written: &written::McpServer, check: &mut Check) {
    let settings = [
        ("env", !written.env.is_empty(), "command", written.command.is_some()),
        ("cwd", written.cwd.is_some(), "command", written.command.is_some()),
        ("base_url", written.base_url.is_some(), "openapi", written.openapi.is_some()),
    ];
    for (setting, there, of, fits) in settings {
        if there && !fits {
            check.error_at(&format!("{path}.{setting}"), format!("belongs to `{of}`"), Some("remove it".to_owned()));
        }
    }
    let over_http = written.url.is_some() || written.openapi.is_some();
    for (setting, there) in [("headers", !written.headers.is_empty()), ("auth", written.auth.is_some())] {
        if there && !over_http {
            let hint = if written.command.is_some() { "give the program what it needs in `env`" } else { "remove it" };
            let message = "belongs to `url` and `openapi`";
            check.error_at(&format!("{path}.{setting}"), message, Some(hint.to_owned()));
        }
    }
}

/// The one way to the server.
fn transport(
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

fn auth(path: &str, written: Option<written::McpAuth>, check: &mut Check) -> McpAuth {
    let Some(written) = written else { return McpAuth::None };
    let path = format!("{path}.auth");
    let said = [
        written.bearer.is_some(),
        written.client_credentials.is_some(),
        written.per_user.is_some(),
        written.exchange.is_some(),
    ];
    if said.iter().filter(|there| **there).count() != 1 {
        let hint = "write one of {bearer: …}, {client_credentials: …}, {per_user: {}} and {exchange: …}".to_owned();
        check.error_at(&path, "exactly one kind is needed", Some(hint));
    }
    let mut client = |kind: &str, written| client(&format!("{path}.{kind}"), kind == "exchange", written, check);
    if let Some(written) = written.client_credentials {
        McpAuth::ClientCredentials(client("client_credentials", written))
    } else if let Some(written) = written.per_user {
        McpAuth::PerUser(client("per_user", written))
    } else if let Some(written) = written.exchange {
        McpAuth::Exchange(client("exchange", written))
    } else {
        // A token that resolves to nothing was not given: the server is then shown nothing, and says what it wants.
        written
            .bearer
            .map(|SecretText(token)| token)
            .filter(|token| !token.is_empty())
            .map_or(McpAuth::None, McpAuth::Bearer)
    }
}

/// What the gateway is to an authorization server.
fn client(path: &str, exchanges: bool, written: written::McpClient, check: &mut Check) -> McpClient {
    let proofs = [("client_secret", written.client_secret.is_some()), ("private_key", written.private_key.is_some())];
    if let Some((proof, _)) = proofs.iter().find(|(_, there)| *there && written.client_id.is_none()) {
        check.error_at(&format!("{path}.{proof}"), "of no client", Some("add `client_id: …`".to_owned()));
    }
    if proofs.iter().all(|(_, there)| *there) {
        let hint = Some("keep one of them".to_owned());
        check.error_at(&format!("{path}.private_key"), "`client_secret` shows who the gateway is already", hint);
    }
    if let Some(issuer) = written.issuer.as_deref() {
        endpoint(&format!("{path}.issuer"), issuer, check);
    }
    let of_exchange = [
        ("grant", written.grant != McpGrant::default()),
        ("identity_provider", written.identity_provider.is_some()),
        ("subject_token", written.subject_token.is_some()),
    ];
    for (setting, _) in of_exchange.iter().filter(|(_, there)| *there && !exchanges) {
        let hint = Some("remove it".to_owned());
        check.error_at(&format!("{path}.{setting}"), "belongs to `exchange`", hint);
    }
    let identity_provider = written.identity_provider.and_then(|written| {
        let path = format!("{path}.identity_provider");
        if written.client_id.is_empty() {
            check.error_at(&path, "`client_id` is missing", Some("add `client_id: …`".to_owned()));
        }
        endpoint(&format!("{path}.token_url"), &written.token_url, check)?;
        let client_secret = secret(written.client_secret);
        Some(McpIdentityProvider { token_url: written.token_url, client_id: written.client_id, client_secret })
    });
    McpClient {
        client_id: given(written.client_id),
        client_secret: secret(written.client_secret),
        issuer: given(written.issuer),
        scopes: written.scopes,
        private_key: secret(written.private_key),
        private_key_id: given(written.private_key_id),
        allow_private: written.allow_private,
        grant: written.grant,
        identity_provider,
        subject_token: secret(written.subject_token),
    }
}

/// Where a copy of the gateway's document is: what it is known by must be `https`, and it is known by that.
pub(super) fn client_document(written: Option<&str>, check: &mut Check) -> Option<String> {
    let written = written.filter(|written| !written.is_empty())?;
    let url = endpoint("mcp.client_document", written, check)?;
    if !url.origin.tls {
        check.error_at("mcp.client_document", "not https", Some("use https://".to_owned()));
    }
    Some(written.to_owned())
}

/// One session for all callers cannot be where each has credentials of its own.
fn shared_by_many(path: &str, written: &written::McpServer, auth: &McpAuth, check: &mut Check) {
    if written.shared && matches!(auth, McpAuth::PerUser(_) | McpAuth::Exchange(_)) {
        let hint = "remove `shared`: each caller has a session of its own then".to_owned();
        let message = "callers with credentials of their own cannot share a session";
        check.error_at(&format!("{path}.shared"), message, Some(hint));
    }
}

/// What holds for servers that do not say.
struct Defaults {
    pins: Pins,
    timers: [Duration; 3],
    sizes: (usize, usize, usize),
}

impl Defaults {
    fn of(written: &written::Mcp, check: &mut Check) -> Self {
        let timers = [10, 120, 900].map(Duration::from_secs);
        Self {
            pins: written.pins.unwrap_or_default(),
            timers: self::timers("mcp", &written.timeouts, &timers, check),
            sizes: sizes("mcp", &written.sizes, (16 << 20, 1 << 20, 256), check),
        }
    }
}

/// Connect, idle and total. Those that are not written shrink to fit into the total.
fn timers(path: &str, written: &written::McpTimeouts, outer: &[Duration; 3], check: &mut Check) -> [Duration; 3] {
    let mut read =
        |name: &str, secs: Option<f64>| secs.and_then(|secs| seconds(&format!("{path}.timeouts.{name}"), secs, check));
    let (connect, idle, total) =
        (read("connect", written.connect), read("idle", written.idle), read("total", written.total));
    let longest = [connect, idle].into_iter().flatten().max().unwrap_or_default();
    if total.is_some_and(|total| longest > total) {
        let hint = "a timer around others is the longest one: raise `total`".to_owned();
        check.error_at(&format!("{path}.timeouts.total"), "shorter than a timer inside it", Some(hint));
    }
    let total = total.unwrap_or(outer[2].max(longest));
    [connect.unwrap_or(outer[0].min(total)), idle.unwrap_or(outer[1].min(total)), total]
}

/// Message, result and calls at once.
fn sizes(
    path: &str,
    written: &written::McpSizes,
    outer: (usize, usize, usize),
    check: &mut Check,
) -> (usize, usize, usize) {
    let mut size = |name: &str, bytes: Option<u64>, outer: usize| {
        let Some(bytes) = bytes else { return outer };
        if bytes == 0 || bytes > MESSAGE_BYTES_MAX {
            let message = format!("not a size from 1 to {MESSAGE_BYTES_MAX} bytes");
            check.error_at(&format!("{path}.sizes.{name}"), message, None);
        }
        usize::try_from(bytes).unwrap_or(outer)
    };
    let message = size("message_bytes", written.message_bytes, outer.0);
    let result = size("result_bytes", written.result_bytes, outer.1.min(message));
    if result > message {
        let hint = "a result is part of a message: raise `message_bytes`".to_owned();
        check.error_at(&format!("{path}.sizes.result_bytes"), "larger than `message_bytes`", Some(hint));
    }
    if written.concurrent.is_some_and(|calls| calls == 0 || calls > CONCURRENT_MAX) {
        let message = format!("not a number from 1 to {CONCURRENT_MAX}");
        check.error_at(&format!("{path}.sizes.concurrent"), message, None);
    }
    (message, result, written.concurrent.map_or(outer.2, |calls| calls as usize))
}

/// Prices by pattern, the most exact first.
fn prices(path: &str, written: &BTreeMap<String, f64>, check: &mut Check) -> Vec<(Arc<str>, Money)> {
    let mut prices: Vec<(Arc<str>, Money)> = Vec::with_capacity(written.len());
    for (pattern, usd) in written {
        let at = format!("{path}.prices.{pattern}");
        if !(0.0..=USD_PER_CALL_MAX).contains(usd) {
            check.error_at(&at, format!("{usd} is not a price from 0 to {USD_PER_CALL_MAX} USD a call"), None);
        }
        if star_inside(pattern) {
            check.error_at(&at, "`*` may only stand at the end", None);
        }
        prices.push((Arc::from(pattern.as_str()), Money::from_usd(*usd)));
    }
    prices.sort_by_key(|(pattern, _)| (pattern.ends_with('*'), std::cmp::Reverse(pattern.len())));
    prices
}

/// The toolsets of a file.
pub(super) fn toolsets(
    written: BTreeMap<String, written::Toolset>,
    servers: &Servers,
    check: &mut Check,
) -> BTreeMap<Arc<str>, Toolset> {
    let mut toolsets = BTreeMap::new();
    for (name, written) in written {
        let path = format!("toolsets.{name}");
        plain_name(&path, &name, check);
        if written.tools.is_empty() {
            let hint = "write `tools: [\"time.*\"]`".to_owned();
            check.error_at(&format!("{path}.tools"), "empty: it would offer nothing", Some(hint));
        }
        for (n, pattern) in written.tools.iter().enumerate() {
            servers.tool(&nth(&format!("{path}.tools"), n), pattern, check);
        }
        let overrides = overrides(&path, written.overrides, &written.tools, servers, check);
        let tools = written.tools.into_iter().map(Arc::from).collect();
        toolsets
            .insert(name.into(), Toolset { tools, overrides, search: written.search, resources: written.resources });
    }
    toolsets
}

fn overrides(
    path: &str,
    written: BTreeMap<String, written::ToolOverride>,
    tools: &[String],
    servers: &Servers,
    check: &mut Check,
) -> BTreeMap<Arc<str>, ToolOverride> {
    let mut overrides = BTreeMap::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (tool, shown) in written {
        let at = format!("{path}.overrides.{tool}");
        if tool.contains('*') {
            check.error_at(&at, "one tool has one name: no `*` here", None);
        } else {
            servers.tool(&at, &tool, check);
            if !tools.iter().any(|pattern| pattern::matched(pattern, &tool).is_some()) {
                let hint = Some(format!("add it to `{path}.tools`"));
                check.warn(&at, "the toolset does not offer this tool", hint);
            }
        }
        if let Some(name) = &shown.name {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
                let message = format!("not a name of 1 to {NAME_MAX} letters, digits, `_` and `-`");
                let hint = "model providers take no others".to_owned();
                check.error_at(&format!("{at}.name"), message, Some(hint));
            } else if let Some(first) = names.insert(name.clone(), tool.clone()) {
                check.error_at(&format!("{at}.name"), format!("`{first}` has this name already"), None);
            }
        }
        let shown = ToolOverride { name: shown.name.map(Arc::from), description: shown.description.map(Arc::from) };
        overrides.insert(tool.into(), shown);
    }
    overrides
}

/// The hosts of the section `mcp`.
pub(super) fn hosts(written: &[String], check: &mut Check) -> Vec<Arc<str>> {
    let mut hosts = Vec::with_capacity(written.len());
    for (n, host) in written.iter().enumerate() {
        let is_authority = host.parse::<http::uri::Authority>().is_ok() && !host.contains('@');
        if !is_authority {
            let hint = "write a host, or a host and a port: mcp.example.com:8443".to_owned();
            check.error_at(&nth("mcp.allowed_hosts", n), format!("`{host}` is not a host"), Some(hint));
        }
        hosts.push(host.to_ascii_lowercase().into());
    }
    hosts
}

fn plain_name(path: &str, name: &str, check: &mut Check) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        let message = format!("not a name of 1 to {NAME_MAX} letters, digits, `_` and `-`");
        check.error_at(path, message, Some("it stands in paths and before names of tools".to_owned()));
    }
}

fn star_inside(pattern: &str) -> bool {
    pattern.strip_suffix('*').unwrap_or(pattern).contains('*')
}

/// The names of servers and toolsets of a file, for whoever refers to them.
pub(super) struct Servers {
    servers: BTreeSet<String>,
    toolsets: BTreeSet<String>,
}

impl Servers {
    pub(super) fn of(file: &File) -> Self {
        Self { servers: file.mcp_servers.keys().cloned().collect(), toolsets: file.toolsets.keys().cloned().collect() }
    }

    /// The lists of somebody who may use only some.
    pub(super) fn known(&self, path: &str, servers: &[String], toolsets: &[String], check: &mut Check) {
        for (n, name) in servers.iter().enumerate() {
            self.server(&nth(&format!("{path}.mcp_servers"), n), name, check);
        }
        for (n, name) in toolsets.iter().enumerate() {
            if !meets(&self.toolsets, name) && !check.positions.has(&format!("toolsets.{name}")) {
                let hint = check.near(name, self.toolsets.iter().map(String::as_str));
                check.error_at(&nth(&format!("{path}.toolsets"), n), format!("there is no toolset `{name}`"), hint);
            }
        }
    }

    /// A server, or a pattern of servers.
    pub(super) fn server(&self, path: &str, name: &str, check: &mut Check) {
        if !meets(&self.servers, name) && !check.positions.has(&format!("mcp_servers.{name}")) {
            let hint = check.near(name, self.servers.iter().map(String::as_str));
            check.error_at(path, format!("there is no MCP server `{name}`"), hint);
        }
    }

    /// A tool, or a pattern of tools: is there such a server?
    pub(super) fn tool(&self, path: &str, pattern: &str, check: &mut Check) {
        let hint = || Some("write `server.tool`, or `server.*` for all of a server".to_owned());
        if star_inside(pattern) {
            return check.error_at(path, "`*` may only stand at the end", hint());
        }
        let (server, tool) = match pattern.split_once('.') {
            Some((server, tool)) => (server, tool),
            // `git*` takes in every tool of every server that starts so.
            None if pattern.ends_with('*') => (pattern, "*"),
            None => return check.error_at(path, format!("`{pattern}` names no tool of a server"), hint()),
        };
        if tool.is_empty() {
            return check.error_at(path, format!("`{pattern}` names no tool"), hint());
        }
        self.server(path, server, check);
    }
}

/// Is there something of this name, or that begins like the pattern?
fn meets(names: &BTreeSet<String>, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => names.contains(pattern),
        Some(start) => names
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .next()
            .is_some_and(|name| name.starts_with(start)),
    }
}
