//! The catalogue: what every server lists, composed into what every endpoint offers. Immutable; a new one takes the place of
//! the old one whenever a server, a pin, a name or the configuration changes. A dead server never breaks a list: its lists
//! are the last that were complete, and its state is told.
//!
//! ```text
//! Fetched ─▶ Sheet (read, hashed, scanned) ─┐
//!                        NameBook, PinBook ─┴▶ Catalogue ─▶ Offer of a Route ─▶ Listing, Found, Place
//! ```

mod checks;
mod compose;
mod entry;
mod explain;
mod face;
mod fetched;
mod finding;
pub(crate) mod json;
mod listing;
mod names;
mod offer;
mod ready;
mod sheet;
mod toolset;
mod uris;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use foldhash::HashMap;

pub(crate) use checks::{is_hidden, shown};
pub use compose::{Composed, Parts};
#[cfg(test)]
pub(crate) use entry::Origin;
pub(crate) use entry::raw_text;
pub use entry::{Annotations, Entry, TaskSupport, ToolFacts};
pub use explain::{Explained, Rights, Why};
pub use fetched::{Fetched, Standing, State};
pub use finding::{Finding, Kind, Severity};
pub use listing::{Listing, PAGE_BYTES, PAGE_ITEMS, Page};
pub use names::{NAME_CHARS, NameBook, Named};
pub use offer::{Found, Offer, Place, Route, held_fault};
pub use ready::Seen;
pub use sheet::{ITEM_BYTES, ITEMS, Sheet};
pub use toolset::matches;
pub use uris::{OWN, Uris};

use crate::search::Index;

/// Everything that is offered, at one moment.
#[derive(Debug, Default)]
pub struct Catalogue {
    pub(crate) generation: u64,
    pub(crate) offers: HashMap<Route, Offer>,
    pub(crate) servers: BTreeMap<Arc<str>, ServerView>,
    pub(crate) findings: Vec<Finding>,
    /// Made when it is first asked for.
    pub(crate) search: OnceLock<Index>,
}

/// What is told of one server.
#[derive(Clone, Debug)]
pub struct ServerView {
    /// Whether it can be reached.
    pub standing: Standing,
    pub(crate) counts: [usize; 4],
    /// How many items wait for approval.
    pub held: usize,
    /// Tokens its offered tools take in a model's context, about.
    pub weight: u32,
    /// Its instructions, if they are approved.
    pub instructions: Option<Arc<str>>,
    /// Its lists as it gave them.
    pub fetched: Option<Arc<Fetched>>,
}

impl Catalogue {
    /// Another one whenever something that is offered has changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The same under another number.
    #[must_use]
    pub fn numbered(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// What an endpoint offers; `None` if there is no such server or toolset.
    #[must_use]
    pub fn offer(&self, route: &Route) -> Option<&Offer> {
        self.offers.get(route)
    }

    /// Every configured server, by name.
    pub fn servers(&self) -> impl Iterator<Item = &ServerView> {
        self.servers.values()
    }

    /// One server.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&ServerView> {
        self.servers.get(name)
    }

    /// Every tool that is offered somewhere, ready to be searched: under the name it has on `/mcp`, or, of servers that are not
    /// there, on their own path. The first to ask waits until thousands of descriptions are read.
    #[must_use]
    pub fn search(&self) -> &Index {
        self.search.get_or_init(|| {
            let all = self.offer(&Route::All);
            let joined = |server: &Arc<str>| all.is_some_and(|all| all.servers.contains(server));
            let apart = self.servers.keys().filter(|server| !joined(server));
            let apart = apart.filter_map(|server| self.offer(&Route::Server(Arc::clone(server))));
            let tools = all.into_iter().chain(apart).flat_map(|offer| offer.entries(Kind::Tool));
            Index::new(&tools.cloned().collect::<Vec<_>>())
        })
    }

    /// Everything a person should know, worst last.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}
