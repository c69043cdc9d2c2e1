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
mod sheet;
mod toolset;
mod uris;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(crate) use checks::{is_hidden, shown};
pub use compose::{Composed, Parts};
pub(crate) use entry::raw_text;
pub use entry::{Annotations, Entry, ToolFacts};
pub use explain::{Explained, Rights, Why};
pub use fetched::{Fetched, Standing, State};
pub use finding::{Finding, Kind, Severity};
pub use listing::{Listing, PAGE_BYTES, PAGE_ITEMS, Page};
pub use names::{NAME_CHARS, NameBook, Named};
pub use offer::{Found, Offer, Place, Route, held_fault};
pub use sheet::{ITEM_BYTES, ITEMS, Sheet};
pub use toolset::matches;
pub use uris::{OWN, Uris};

/// Everything that is offered, at one moment.
#[derive(Debug, Default)]
pub struct Catalogue {
    pub(crate) generation: u64,
    pub(crate) offers: HashMap<Route, Offer>,
    pub(crate) servers: BTreeMap<Arc<str>, ServerView>,
    pub(crate) findings: Vec<Finding>,
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

    /// Everything a person should know, worst last.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}
