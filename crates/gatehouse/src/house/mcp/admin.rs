//! What operators see of MCP and decide about it: how servers stand, what is odd, which versions are offered, and why somebody
//! does not see a tool.

use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_catalog::mcp::OWN_SERVER;
use gatehouse_domain::Now;
use gatehouse_mcp_gateway::catalogue::{Catalogue, Entry, Explained, Finding, Kind, Route, ServerView, Severity, Why};
use gatehouse_mcp_gateway::pins::{self, Class, PinState};
use gatehouse_server::control::{
    McpChange, McpChanges, McpDecision, McpExplanation, McpFinding, McpQuestion, McpServerStanding, PolicyQuestion,
    PolicyRefusal,
};
use gatehouse_store::StoreError;

use super::{Room, blueprint, itself};
use crate::house::House;

impl Room {
    /// How every server stands.
    pub(crate) fn standings(&self) -> Vec<McpServerStanding> {
        let catalogue = self.now();
        catalogue.servers().map(|view| standing(&catalogue, view)).collect()
    }

    /// What somebody should know.
    pub(crate) fn findings(&self) -> Vec<McpFinding> {
        let catalogue = self.now();
        let mut findings: Vec<&Finding> = catalogue.findings().iter().collect();
        findings.sort_by(|one, other| (&one.server, other.severity).cmp(&(&other.server, one.severity)));
        findings.into_iter().map(finding).collect()
    }

    /// Asks a server for its lists now.
    pub(crate) fn ask_again(&self, server: &str) -> bool {
        self.refresher.ask_again(server)
    }

    /// Puts a decision in force.
    pub(crate) async fn decide(&self, decision: &McpDecision) -> Result<bool, StoreError> {
        let (Some(kind), Ok(hash)) = (Kind::named(&decision.kind), decision.hash.parse()) else { return Ok(false) };
        let state = if decision.approved { PinState::Approved } else { PinState::Held };
        let now = Now(SystemTime::now()).unix_ms();
        self.refresher.decide((&decision.server, kind, &decision.name), hash, state, &decision.by, now).await
    }

    fn now(&self) -> Arc<Catalogue> {
        Arc::clone(&self.refresher.catalogue().borrow())
    }
}

impl House {
    /// Why a caller sees a tool, or does not.
    pub(crate) fn explain_tool(&self, question: &McpQuestion) -> Result<McpExplanation, PolicyRefusal> {
        let Some(route) = endpoint(question.endpoint.as_deref().unwrap_or("/mcp")) else {
            let hint = "Name /mcp, /mcp/servers/NAME or /mcp/toolsets/NAME.";
            return Err(PolicyRefusal::new("There is no such endpoint.", hint));
        };
        let about = |resource: &str| PolicyQuestion {
            key: question.key.clone(),
            action: "call_tool".to_owned(),
            resource: resource.to_owned(),
            ..PolicyQuestion::default()
        };
        // A key that nobody knows is told as such, not as one that may nothing.
        self.explain(&about("server.tool"))?;
        let rights = |entry: &Entry| {
            if !self.role_opens(question.key.as_deref(), entry) {
                let message = format!(
                    "The role of this key does not open {}: docs/admin-api.md lists what each role may do.",
                    entry.canonical
                );
                return Err((Why::Key, message));
            }
            let answer = self.explain(&about(&entry.canonical)).map_err(|refused| (Why::Policy, refused.message))?;
            if answer.key_permits == Some(false) {
                let message = format!(
                    "The key may not use the server {}: add it to the key's `mcp_servers`, or a toolset with this tool to its \
                     `toolsets`.",
                    entry.server
                );
                return Err((Why::Key, message));
            }
            if answer.allow { Ok(()) } else { Err((Why::Policy, answer.reason)) }
        };
        let plan = self.config(blueprint).unwrap_or_default();
        let explained = self.mcp.now().explain(&plan, &route, &question.tool, &rights);
        let barred = question.key.as_deref().and_then(|key| self.barred(&route, key));
        Ok(explanation(match barred {
            Some(message) if explained.why != Why::NoSuchEndpoint => {
                Explained { why: Why::Key, exposed: None, message, ..explained }
            }
            _ => explained,
        }))
    }

    /// Why a key may not even enter an endpoint, if it may not.
    fn barred(&self, route: &Route, key: &str) -> Option<String> {
        let snapshot = self.shared()?.snapshot.load();
        let permit = &snapshot.keys.entries().find(|entry| *entry.principal.key == *key)?.permit;
        match route {
            Route::Server(name) if permit.of_server(name, std::iter::empty()).is_err() => Some(format!(
                "The key may not enter /mcp/servers/{name}: add the server to its `mcp_servers`. Tools of the server that its \
                 toolsets have are at /mcp and at those toolsets."
            )),
            Route::Toolset(name) if !permit.tools.permit_toolset(name) => {
                Some(format!("The key may not enter /mcp/toolsets/{name}: add the toolset to its `toolsets`."))
            }
            _ => None,
        }
    }
}

impl House {
    /// Does the role of a key let it see a tool? All but some of the gateway's own are for every role.
    fn role_opens(&self, key: Option<&str>, entry: &Entry) -> bool {
        if *entry.server != *OWN_SERVER {
            return true;
        }
        let snapshot = self.shared().map(|shared| shared.snapshot.load_full());
        let caller = snapshot.as_ref().and_then(|snapshot| match key {
            Some(key) => snapshot.keys.by_id(key),
            None => snapshot.keys.anonymous(),
        });
        caller.is_some_and(|caller| itself::is_for(&entry.real, &caller.principal))
    }
}

/// What changed between two versions.
pub(crate) fn changes(kind: &str, before: &str, after: &str) -> McpChanges {
    let Some(kind) = Kind::named(kind) else { return McpChanges { class: None, changes: Vec::new() } };
    let diff = pins::diff(kind, before, after);
    let change = |change: pins::Change| McpChange {
        path: change.path,
        before: change.before,
        after: change.after,
        class: class(change.class),
    };
    McpChanges { class: diff.class.map(class), changes: diff.changes.into_iter().map(change).collect() }
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::Text => "text",
        Class::Widened => "widened",
        Class::Breaking => "breaking",
    }
}

fn standing(catalogue: &Catalogue, view: &ServerView) -> McpServerStanding {
    let name = &view.standing.server;
    let fetched = view.fetched.as_ref();
    McpServerStanding {
        name: name.to_string(),
        state: view.standing.state.as_str(),
        last_error: view.standing.last_error.as_deref().map(str::to_owned),
        era: fetched.map(|fetched| if fetched.modern { "modern" } else { "legacy" }),
        revision: fetched.map(|fetched| fetched.revision.to_string()),
        fetched_unix_ms: fetched.map(|fetched| fetched.at.unix_ms()),
        tools: view.count(Kind::Tool),
        prompts: view.count(Kind::Prompt),
        resources: view.count(Kind::Resource),
        templates: view.count(Kind::Template),
        held: view.held,
        tool_tokens: view.weight,
        findings: catalogue.findings().iter().filter(|finding| finding.server == *name).count(),
    }
}

fn finding(finding: &Finding) -> McpFinding {
    McpFinding {
        severity: match finding.severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        },
        code: finding.code,
        server: finding.server.to_string(),
        kind: finding.kind.as_str(),
        name: finding.item.to_string(),
        message: finding.message.clone(),
    }
}

fn explanation(explained: Explained) -> McpExplanation {
    let Explained { why, canonical, exposed, server_state, message, findings } = explained;
    McpExplanation {
        visible: why == Why::Visible,
        why: why.as_str().to_owned(),
        message,
        tool: canonical.map(|name| name.to_string()),
        exposed: exposed.map(|name| name.to_string()),
        server_state: server_state.map(gatehouse_mcp_gateway::catalogue::State::as_str),
        findings: findings.iter().map(finding).collect(),
    }
}

/// The endpoint of a path.
fn endpoint(path: &str) -> Option<Route> {
    match path.trim_end_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["", "mcp"] => Some(Route::All),
        ["", "mcp", "servers", name] => Some(Route::Server(name.into())),
        ["", "mcp", "toolsets", name] => Some(Route::Toolset(name.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_the_paths_of_the_contract() {
        assert_eq!(endpoint("/mcp"), Some(Route::All));
        assert_eq!(endpoint("/mcp/servers/git/"), Some(Route::Server("git".into())));
        assert_eq!(endpoint("/mcp/toolsets/set"), Some(Route::Toolset("set".into())));
        assert_eq!((endpoint("/mcp/servers"), endpoint("mcp"), endpoint("")), (None, None, None));
    }
}
