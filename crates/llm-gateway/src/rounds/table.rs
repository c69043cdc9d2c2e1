//! Tools of several endpoints under the names a model knows: looked up here, never taken apart.

use std::collections::BTreeMap;

use gatehouse_domain::Fault;
use serde_json::Value;

use super::own::{Server, wrong};

/// The longest name that every dialect takes for a function.
const NAME_MAX: usize = 64;
/// Tools of one request.
const TOOLS_MAX: usize = 1_024;

/// The table.
pub(super) struct Table {
    pub(super) servers: Vec<Server>,
    tools: Vec<Tool>,
    by_name: BTreeMap<String, usize>,
}

struct Tool {
    /// What the model calls it.
    name: String,
    server: usize,
    /// Its place among the server's tools.
    place: usize,
}

impl Table {
    pub(super) fn new(servers: Vec<Server>) -> Self {
        Self { servers, tools: Vec::new(), by_name: BTreeMap::new() }
    }

    /// Names every tool that was listed. Those of the caller's own keep theirs.
    ///
    /// # Errors
    /// When there are too many for any model.
    pub(super) fn fill(&mut self, callers: &[String]) -> Result<(), Fault> {
        for (server, of) in self.servers.iter().enumerate() {
            for (place, tool) in of.tools.iter().enumerate() {
                let real = plain(tool["name"].as_str().unwrap_or_default());
                let free = |name: &String| !callers.contains(name) && !self.by_name.contains_key(name);
                let prefixed = plain(&format!("{}_{real}", of.label));
                let numbered = (2..).map(|number: usize| {
                    let stem: String = prefixed.chars().take(NAME_MAX - 5).collect();
                    format!("{stem}_{number}")
                });
                let names = [real, prefixed.clone()].into_iter().chain(numbered).take(TOOLS_MAX);
                let Some(name) = names.into_iter().find(free) else { return Err(too_many()) };
                self.by_name.insert(name.clone(), self.tools.len());
                self.tools.push(Tool { name, server, place });
            }
        }
        if self.tools.len() > TOOLS_MAX { Err(too_many()) } else { Ok(()) }
    }

    /// The tool that a model calls by this name, if it is one of these.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The name of a tool of an endpoint, if the model has it.
    pub(super) fn shown(&self, label: &str, real: &str) -> Option<&str> {
        let is = |tool: &&Tool| self.servers[tool.server].label == label && self.real(tool) == real;
        self.tools.iter().find(is).map(|tool| &*tool.name)
    }

    /// Has the request an endpoint of this label?
    pub(super) fn has(&self, label: &str) -> bool {
        self.servers.iter().any(|server| server.label == label)
    }

    /// Where a tool is, and what it is called there.
    pub(super) fn of(&self, tool: usize) -> (&Server, &str) {
        let tool = &self.tools[tool];
        (&self.servers[tool.server], self.real(tool))
    }

    /// Every tool: the name the model knows, and what its endpoint says of it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.tools.iter().map(|tool| (&*tool.name, &self.servers[tool.server].tools[tool.place]))
    }

    fn real(&self, tool: &Tool) -> &str {
        self.servers[tool.server].tools[tool.place]["name"].as_str().unwrap_or_default()
    }
}

/// A name in the letters that every dialect takes.
fn plain(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let name: String = name.chars().map(letter).take(NAME_MAX).collect();
    if name.is_empty() { "tool".to_owned() } else { name }
}

fn too_many() -> Fault {
    wrong(
        "tools",
        format!("these endpoints offer more than {TOOLS_MAX} tools; name fewer with `allowed_tools`, or a toolset"),
    )
}
