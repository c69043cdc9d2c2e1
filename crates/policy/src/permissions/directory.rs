//! What is known of the things policies talk about: where each stands and what is true of it.
//!
//! A tool, prompt or resource is named after its server (`server.tool`), so what it is in is known of every name there can be;
//! only what trusted servers say of their tools must be inserted.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::words::{Kind, Named};
use crate::Patterns;

/// Something a caller may ask for, with what policies may know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    /// What it is in: a model's providers, a tool's server and toolsets.
    pub parents: Vec<Named>,
    /// Its attributes besides `name`.
    pub facts: BTreeMap<&'static str, Fact>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A set of texts.
    Texts(Vec<String>),
}

/// A choice of tools, by their names.
#[derive(Clone, Debug)]
struct Toolset {
    name: Arc<str>,
    tools: Patterns,
    /// The servers whose prompts and resources it offers, too; `None`: it offers tools alone.
    resources_of: Option<Patterns>,
}

/// Things by kind and name. A name that ends in `*` stands for every name that starts so.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    exact: HashMap<Named, Thing>,
    /// Longest first.
    families: Vec<(Named, Thing)>,
    toolsets: Vec<Toolset>,
}

impl Directory {
    /// Adds a thing; what was known of that name is forgotten.
    pub fn insert(&mut self, named: Named, thing: Thing) {
        match named.name.strip_suffix('*') {
            Some(start) => {
                self.families.push((Named::new(named.kind, start), thing));
                self.families.sort_by_key(|(named, _)| std::cmp::Reverse(named.name.len()));
            }
            None => _ = self.exact.insert(named, thing),
        }
    }

    /// Adds a toolset by the patterns of its tools, with or without the prompts and resources of their servers.
    pub fn insert_toolset(&mut self, name: impl Into<Arc<str>>, tools: &[impl AsRef<str>], resources: bool) {
        // `time.*` is of the server `time`; `ti*` of every server that begins so.
        let servers =
            tools.iter().map(|tool| tool.as_ref().split_once('.').map_or(tool.as_ref(), |(server, _)| server));
        let resources_of = resources.then(|| Patterns::new(servers));
        self.toolsets.push(Toolset { name: name.into(), tools: Patterns::new(tools), resources_of });
    }

    /// The toolsets that offer a tool, or the prompts and resources of its server.
    pub fn toolsets_of<'d>(&'d self, kind: Kind, name: &'d str) -> impl Iterator<Item = &'d str> + Clone {
        let offers = move |toolset: &&Toolset| match kind {
            Kind::Tool => toolset.tools.match_name(name),
            _ => toolset.resources_of.as_ref().is_some_and(|servers| servers.match_name(server_of(name))),
        };
        self.toolsets.iter().filter(offers).map(|toolset| &*toolset.name)
    }

    /// What is known of a thing; nothing but its name if it is not in here.
    #[must_use]
    pub fn find(&self, named: &Named) -> Option<Cow<'_, Thing>> {
        let known = self.exact.get(named).or_else(|| {
            let family =
                |(start, _): &&(Named, Thing)| start.kind == named.kind && named.name.starts_with(&*start.name);
            self.families.iter().find(family).map(|(_, thing)| thing)
        });
        if !matches!(named.kind, Kind::Tool | Kind::Resource | Kind::Prompt) {
            return known.map(Cow::Borrowed);
        }
        let mut thing = known.cloned().unwrap_or_default();
        if !thing.parents.iter().any(|parent| parent.kind == Kind::McpServer) {
            thing.parents.push(Named::new(Kind::McpServer, server_of(&named.name)));
        }
        thing.facts.entry("server").or_insert_with(|| Fact::Text(server_of(&named.name).to_owned()));
        if named.kind == Kind::Tool {
            let toolsets = self.toolsets_of(Kind::Tool, &named.name).map(|name| Named::new(Kind::Toolset, name));
            thing.parents.extend(toolsets);
        }
        Some(Cow::Owned(thing))
    }

    /// The names of one kind that are known, families with their `*`.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let exact = self.exact.keys().filter(|named| named.kind == kind).map(|named| named.name.to_string());
        let families = self.families.iter().filter(|(named, _)| named.kind == kind);
        exact.chain(families.map(|(named, _)| format!("{}*", named.name))).collect()
    }
}

/// The server of a tool, prompt or resource: names of servers have no `.`.
#[must_use]
pub fn server_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(server, _)| server)
}
