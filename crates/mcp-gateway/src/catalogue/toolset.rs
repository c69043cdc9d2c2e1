//! Patterns of toolsets, and the names tools have in one: aliases win over names that were given, and what they would hide is
//! shown under its server's name instead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::Entry;
use super::finding::{Finding, Kind, Severity};
use crate::blueprint::Toolset;

/// Does a pattern match? `*` is any run of characters, also none; everything else is itself.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here, mut star, mut resume) = (0, 0, None, 0);
    while here < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                (star, resume) = (Some(at), here);
                at += 1;
            }
            Some(byte) if text.get(here) == Some(byte) => (at, here) = (at + 1, here + 1),
            _ => match star {
                Some(star) => {
                    resume += 1;
                    (at, here) = (star + 1, resume);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// Can a pattern match a tool of this server?
#[must_use]
pub(super) fn reaches(pattern: &str, server: &str) -> bool {
    let literal = pattern.split('*').next().unwrap_or_default();
    let prefix = format!("{server}.");
    if literal.len() < pattern.len() && literal.len() <= prefix.len() {
        prefix.starts_with(literal)
    } else {
        literal.starts_with(&prefix)
    }
}

impl Toolset {
    /// May there be tools of this server in it?
    #[must_use]
    pub fn reaches(&self, server: &str) -> bool {
        self.tools.iter().any(|pattern| reaches(pattern, server))
    }

    /// Are prompts and resources of this server offered in it?
    #[must_use]
    pub fn offers_resources_of(&self, server: &str) -> bool {
        self.resources && self.reaches(server)
    }

    /// Would this name lead to a tool of this server, as far as can be told while nobody knows the server's tools?
    #[must_use]
    pub fn names_a_tool_of(&self, server: &str, name: &str) -> bool {
        let real =
            |canonical: &str| canonical.strip_prefix(server).is_some_and(|rest| rest.strip_prefix('.') == Some(name));
        let alias = |(canonical, shown): (&Arc<str>, &crate::blueprint::Override)| {
            shown.name.as_deref() == Some(name)
                && canonical.strip_prefix(server).is_some_and(|rest| rest.starts_with('.'))
        };
        self.tools.iter().any(|pattern| real(pattern)) || self.overrides.iter().any(alias)
    }
}

/// Does a pattern name this server, rather than take it in with others?
#[must_use]
pub(super) fn names(pattern: &str, server: &str) -> bool {
    pattern.strip_prefix(server).is_some_and(|rest| rest.starts_with('.'))
}

/// The tools of a toolset under the names they have there.
pub(super) fn choose<'a>(
    toolset: &Toolset,
    tools: impl Iterator<Item = &'a Arc<Entry>>,
    findings: &mut Vec<Finding>,
) -> Vec<Arc<Entry>> {
    let chosen: Vec<&Arc<Entry>> =
        tools.filter(|tool| toolset.tools.iter().any(|pattern| matches(pattern, &tool.canonical))).collect();
    let mut aliases: BTreeMap<&Arc<str>, Vec<&Arc<str>>> = BTreeMap::new();
    for (canonical, over) in &toolset.overrides {
        if let Some(name) = &over.name {
            aliases.entry(name).or_default().push(canonical);
        }
    }
    let mut used: BTreeSet<Arc<str>> = aliases.keys().map(|alias| Arc::clone(alias)).collect();
    let mut out = Vec::with_capacity(chosen.len());
    for tool in chosen {
        let over = toolset.overrides.get(&tool.canonical);
        let description = over.and_then(|over| over.description.as_deref());
        let alias = over.and_then(|over| over.name.as_ref());
        let ours = alias.filter(|alias| aliases.get(alias).is_some_and(|owners| owners.len() == 1));
        if let (Some(alias), None) = (alias, ours) {
            findings.push(clash(tool, toolset, alias, "two tools have this alias, so neither is called by it"));
        }
        let name = match ours {
            Some(alias) => Arc::clone(alias),
            None if used.insert(Arc::clone(&tool.exposed)) => Arc::clone(&tool.exposed),
            None => {
                let longer: Arc<str> = Arc::from(format!("{}__{}", tool.server, tool.exposed));
                let fits = longer.len() <= super::names::NAME_CHARS && used.insert(Arc::clone(&longer));
                let why = if fits { "it is shown with its server in front" } else { "it is left out" };
                findings.push(clash(tool, toolset, &tool.exposed, why));
                if !fits {
                    continue;
                }
                longer
            }
        };
        out.push(Arc::new(tool.renamed(&name, description)));
    }
    out
}

fn clash(tool: &Entry, toolset: &Toolset, name: &str, why: &str) -> Finding {
    Finding {
        severity: Severity::Medium,
        code: "alias_collision",
        server: Arc::clone(&tool.server),
        kind: Kind::Tool,
        item: Arc::clone(&tool.real),
        message: format!("In toolset {} the name {name} is taken: {why}. Choose another alias.", toolset.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters() {
        assert!(matches("time.*", "time.now") && matches("*.search_*", "git.search_code") && matches("*", ""));
        assert!(!matches("time.*", "timer.now") && !matches("a.b", "a.bc") && matches("a*b*c", "aXbYbc"));
    }

    #[test]
    fn hostile_patterns_take_no_time() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(190)));
    }

    #[test]
    fn a_pattern_reaches_the_servers_it_could_match() {
        assert!(
            reaches("time.*", "time") && reaches("time.now", "time") && reaches("*", "time") && reaches("ti*", "time")
        );
        assert!(!reaches("time.*", "tim") && !reaches("git.*", "time") && !reaches("time", "time"));
        assert!(names("time.*", "time") && !names("t*", "time") && !names("*", "time") && !names("times.*", "time"));
    }
}
