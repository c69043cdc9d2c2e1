//! Choices of tools, each under a path of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{NAME_MAX, Servers, plain_name};
use crate::check::{Check, nth};
use crate::mcp::{ToolOverride, Toolset};
use crate::pattern;
use crate::written;

/// The toolsets of a file.
pub(in crate::resolve) fn toolsets(
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
