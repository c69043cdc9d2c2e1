//! `mcp`, `mcp_servers`, `toolsets`: exactly one way to each server, settings that go with it, and tools that can be there.
//!
//! [`servers`]: one server, its timers, sizes and prices · [`transport`]: the one way to it · [`auth`]: what it is shown ·
//! [`toolsets`]: choices of tools.

mod auth;
mod servers;
mod toolsets;
mod transport;

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::check::{Check, nth};
use crate::mcp::{Listens, OWN_SERVER, OwnServer};
use crate::written::{File, McpListens};

pub(super) use auth::client_document;
pub(super) use servers::servers;
pub(super) use toolsets::toolsets;

/// Letters of a server's or toolset's name: it stands in paths, and before the name of each of its tools.
const NAME_MAX: usize = 64;

/// How many may listen at once.
pub(super) fn listens(written: McpListens, check: &mut Check) -> Listens {
    let usual = Listens::default();
    for (name, count) in [("per_caller", written.per_caller), ("total", written.total)] {
        if count == Some(0) {
            let hint = "clients that listen hear of changes at once, others have to ask again and again".to_owned();
            check.error_at(&format!("mcp.listens.{name}"), "nobody could listen", Some(hint));
        }
    }
    let total = written.total.map_or(usual.total, |count| count as usize);
    let per_caller = written.per_caller.map_or(usual.per_caller.min(total), |count| count as usize);
    if per_caller > total {
        let hint = "raise `total`, or lower this".to_owned();
        check.error_at("mcp.listens.per_caller", "one caller may not have more than all together", Some(hint));
    }
    Listens { per_caller, total }
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
        let own = (file.mcp.gatehouse != OwnServer::Off).then(|| OWN_SERVER.to_owned());
        let servers = file.mcp_servers.keys().cloned().chain(own).collect();
        Self { servers, toolsets: file.toolsets.keys().cloned().collect() }
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
