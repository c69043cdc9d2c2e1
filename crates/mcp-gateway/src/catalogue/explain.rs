//! Why a caller sees a tool, or does not: the same questions a list asks, in the same order, with the first that says no.

use std::sync::Arc;

use super::fetched::State;
use super::finding::{Finding, Kind};
use super::offer::{Found, Route};
use super::toolset::matches;
use super::{Catalogue, Entry};
use crate::blueprint::Blueprint;

/// The first question that was answered with no, or the answer yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is offered.
    Visible,
    /// There is no such endpoint.
    NoSuchEndpoint,
    /// The tool's server is not configured.
    NoSuchServer,
    /// The server has never answered, so nobody knows its tools.
    ServerNeverSeen,
    /// The server's tools are each user's own.
    PerUser,
    /// The server was asked and has no such tool.
    NoSuchTool,
    /// The server lists it in a way that cannot be offered.
    LeftOut,
    /// It waits for approval, or was held back.
    Held,
    /// No pattern of the toolset matches it.
    NotInToolset,
    /// The key may not use the server or toolset.
    Key,
    /// A policy forbids it, or none permits it.
    Policy,
}

impl Why {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::NoSuchEndpoint => "no_such_endpoint",
            Self::NoSuchServer => "no_such_server",
            Self::ServerNeverSeen => "server_never_seen",
            Self::PerUser => "per_user",
            Self::NoSuchTool => "no_such_tool",
            Self::LeftOut => "left_out",
            Self::Held => "held",
            Self::NotInToolset => "not_in_toolset",
            Self::Key => "key",
            Self::Policy => "policy",
        }
    }
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Why.
    pub why: Why,
    /// `server.tool`, if it is known.
    pub canonical: Option<Arc<str>>,
    /// The name it has on this endpoint, if it has one.
    pub exposed: Option<Arc<str>>,
    /// Whether its server can be reached now; a tool of one that cannot is offered all the same.
    pub server_state: Option<State>,
    /// In a sentence, with what to do.
    pub message: String,
    /// What else is known of it.
    pub findings: Vec<Finding>,
}

/// What the caller's rights say of a tool: asked only when nothing else stands in its way.
pub type Rights<'a> = &'a dyn Fn(&Entry) -> Result<(), (Why, String)>;

impl Catalogue {
    /// Explains. `tool` is an exposed name or `server.tool`.
    #[must_use]
    pub fn explain(&self, blueprint: &Blueprint, route: &Route, tool: &str, rights: Rights<'_>) -> Explained {
        let Some(offer) = self.offer(route) else {
            return self.answer(Why::NoSuchEndpoint, None, "There is no such server or toolset.".to_owned());
        };
        let by_canonical = |wanted: &Entry| &*wanted.canonical == tool;
        let listed = offer.entries(Kind::Tool).iter().find(|entry| by_canonical(entry)).map(Found::Offered);
        let found = listed.unwrap_or_else(|| match offer.find(Kind::Tool, tool) {
            Found::Unknown => {
                offer.held(Kind::Tool).find(|entry| by_canonical(entry)).map_or(Found::Unknown, Found::Held)
            }
            found => found,
        });
        match found {
            Found::Offered(entry) => match rights(entry) {
                Ok(()) => self.answer(Why::Visible, Some(entry), format!("It is offered as {}.", entry.exposed)),
                Err((why, message)) => self.answer(why, Some(entry), message),
            },
            Found::Held(entry) => {
                let message = format!(
                    "It is held back until somebody approves this version: `gatehouse mcp pins diff tool {}` shows what it is.",
                    entry.canonical
                );
                self.answer(Why::Held, Some(entry), message)
            }
            Found::Unknown => self.missing(blueprint, route, tool),
        }
    }

    /// Why a name leads to nothing.
    fn missing(&self, blueprint: &Blueprint, route: &Route, tool: &str) -> Explained {
        // Not found here, perhaps elsewhere: by its canonical name, else as any server calls it.
        let server = blueprint
            .servers
            .iter()
            .find(|each| tool.strip_prefix(&*each.name).is_some_and(|rest| rest.starts_with('.')));
        if let Route::Toolset(name) = route
            && let Some(entry) = self.anywhere(tool)
            && let Some(set) = blueprint.toolsets.iter().find(|set| set.name == *name)
            && !set.tools.iter().any(|pattern| matches(pattern, &entry.canonical))
        {
            let message =
                format!("No pattern of the toolset {name} matches {}. Add one to its `tools`.", entry.canonical);
            return self.answer(Why::NotInToolset, Some(entry), message);
        }
        let Some(server) = server else {
            let message =
                "No server is called so. Give the tool as `server.tool`, or by the name it has here.".to_owned();
            return self.answer(Why::NoSuchServer, None, message);
        };
        let real = tool.get(server.name.len() + 1..).unwrap_or_default();
        let mut explained = match self.server(&server.name) {
            Some(view) if view.standing.state == State::PerUser => {
                let message =
                    "This server's tools are each user's own; they are fetched when that user asks.".to_owned();
                self.answer(Why::PerUser, None, message)
            }
            Some(view) if view.fetched.is_some() => {
                let left_out = self.findings.iter().find(|finding| {
                    finding.server == server.name && finding.kind == Kind::Tool && &*finding.item == real
                });
                let message = left_out.map_or_else(
                    || format!("The server {} has no tool {real}.", server.name),
                    |finding| finding.message.clone(),
                );
                let why = if left_out.is_some() { Why::LeftOut } else { Why::NoSuchTool };
                self.answer(why, None, message)
            }
            other => {
                let error = other.and_then(|view| view.standing.last_error.clone());
                let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
                let message =
                    format!("The server {} has not answered yet{error}, so its tools are not known.", server.name);
                self.answer(Why::ServerNeverSeen, None, message)
            }
        };
        explained.server_state = self.server(&server.name).map(|view| view.standing.state);
        explained.findings = self.findings_of(&server.name, real);
        explained
    }

    /// A tool of any endpoint, by its canonical or exposed name.
    fn anywhere(&self, tool: &str) -> Option<&Arc<Entry>> {
        let offer = self.offer(&Route::All)?;
        let named = |entry: &&Arc<Entry>| &*entry.canonical == tool || &*entry.exposed == tool;
        offer.entries(Kind::Tool).iter().find(named).or_else(|| offer.held(Kind::Tool).find(named))
    }

    fn findings_of(&self, server: &str, real: &str) -> Vec<Finding> {
        let about =
            |finding: &&Finding| &*finding.server == server && &*finding.item == real && finding.kind == Kind::Tool;
        self.findings.iter().filter(about).cloned().collect()
    }

    fn answer(&self, why: Why, entry: Option<&Arc<Entry>>, message: String) -> Explained {
        Explained {
            why,
            canonical: entry.map(|entry| Arc::clone(&entry.canonical)),
            exposed: entry.filter(|_| !matches!(why, Why::NotInToolset)).map(|entry| Arc::clone(&entry.exposed)),
            server_state: entry.and_then(|entry| self.server(&entry.server)).map(|view| view.standing.state),
            message,
            findings: entry.map(|entry| self.findings_of(&entry.server, &entry.real)).unwrap_or_default(),
        }
    }
}
