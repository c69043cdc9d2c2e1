//! What one endpoint offers, before it is asked who may use it: `/mcp` offers every server, `/mcp/servers/{name}` one with its
//! own names, `/mcp/toolsets/{name}` a choice. Lists come from here as ready text, names are looked up here.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::HashMap;
use gatehouse_domain::{Code, Fault};

use super::entry::Entry;
use super::finding::Kind;
use super::listing::{Listing, Page};
use super::ready::{Ready, Seen};
use super::uris::Uris;
use crate::era::Revision;
use crate::search::{Index, definitions};
use crate::wire::Raw;

/// Where a call came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// `/mcp`
    All,
    /// `/mcp/servers/{name}`
    Server(Arc<str>),
    /// `/mcp/toolsets/{name}`
    Toolset(Arc<str>),
}

/// One endpoint's items. Immutable; made by [`super::Catalogue::compose`].
#[derive(Debug, Default)]
pub struct Offer {
    pub(crate) entries: [Vec<Arc<Entry>>; 4],
    /// Of each kind that is listed, where its names lead.
    pub(crate) by_name: [HashMap<Arc<str>, Slot>; 4],
    pub(crate) uris: Uris,
    pub(crate) servers: BTreeSet<Arc<str>>,
    pub(crate) resources_offered: bool,
    pub(crate) search: Option<Arc<Index>>,
    pub(crate) ttl_ms: u64,
    pub(crate) public: bool,
    pub(crate) ready: Ready,
}

/// Where a name leads.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// To an item that is listed, at this place of its list.
    Offered(usize),
    /// To one that waits for approval.
    Held(Arc<Entry>),
}

/// What a name was found to be.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// An item that is offered here; whether to this caller, policies say.
    Offered(&'a Arc<Entry>),
    /// One that waits for approval: say so to those who may use it, to others that there is none.
    Held(&'a Arc<Entry>),
    /// Nothing.
    Unknown,
}

/// A resource's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The server that has it.
    pub server: Arc<str>,
    /// What that server calls it.
    pub uri: Arc<str>,
}

impl Offer {
    /// The servers this endpoint can lead to, whether they have anything now or not.
    pub fn servers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.servers.iter()
    }

    /// Can it lead to this server?
    #[must_use]
    pub fn leads_to(&self, server: &str) -> bool {
        self.servers.contains(server)
    }

    /// Its items of a kind, in the order of its lists.
    #[must_use]
    pub fn entries(&self, kind: Kind) -> &[Arc<Entry>] {
        index_of(kind).and_then(|index| self.entries.get(index)).map_or(&[], Vec::as_slice)
    }

    /// One page of a list, of what the caller may use. Where the endpoint searches, its tools are the two of [`crate::search`].
    ///
    /// # Errors
    /// `InvalidRequest` when the page asked for starts behind an item that is no longer there.
    pub fn list(&self, kind: Kind, allowed: &dyn Fn(&Entry) -> bool, page: &Page<'_>) -> Result<Listing, Fault> {
        if kind == Kind::Tool && self.search.is_some() {
            return Ok(definitions());
        }
        let entries = self.entries(kind);
        let start = match page.after {
            None => 0,
            Some(name) => match self.slot(kind, name) {
                Some(Slot::Offered(index)) => index + 1,
                _ => return Err(unknown_cursor()),
            },
        };
        Ok(Listing::of(kind, entries.get(start..).unwrap_or_default(), allowed, page, (self.ttl_ms, self.public)))
    }

    /// Which items of a kind the caller sees.
    #[must_use]
    pub fn seen(&self, kind: Kind, allowed: &dyn Fn(&Entry) -> bool) -> Seen {
        Seen::of(self.entries(kind).iter().map(|entry| allowed(entry)))
    }

    /// The whole list of these items as the result of a client's request, if one of its revision was told it before.
    #[must_use]
    pub fn told(&self, kind: Kind, to: Revision, seen: &Seen) -> Option<Raw> {
        self.ready.get(kind, to, seen)
    }

    /// Keeps that result for the next who sees the same.
    pub fn keep(&self, kind: Kind, to: Revision, seen: Seen, result: &Raw) {
        self.ready.keep(kind, to, seen, result);
    }

    /// What a name leads to.
    #[must_use]
    pub fn find(&self, kind: Kind, exposed: &str) -> Found<'_> {
        match self.slot(kind, exposed) {
            Some(Slot::Offered(index)) => self.entries(kind).get(*index).map_or(Found::Unknown, Found::Offered),
            Some(Slot::Held(entry)) => Found::Held(entry),
            None => Found::Unknown,
        }
    }

    fn slot(&self, kind: Kind, name: &str) -> Option<&Slot> {
        index_of(kind).and_then(|index| self.by_name.get(index)?.get(name))
    }

    /// Where a resource is, listed or not: servers have resources beyond their lists, by template or by link.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<Place> {
        if !self.resources_offered {
            return None;
        }
        if let Some((server, uri)) = self.uris.resolve(uri) {
            return Some(Place { server, uri: Arc::from(&*uri) });
        }
        // A client that kept a URI from when there was one server only, or read it out of a text.
        let mut listed = self.entries(Kind::Resource).iter().filter(|entry| &*entry.real == uri);
        match (listed.next(), listed.next()) {
            (Some(only), None) => Some(Place { server: Arc::clone(&only.server), uri: Arc::clone(&only.real) }),
            _ => None,
        }
    }

    /// What records call a resource: its URI where it is listed, else the template it is made by, else [`OTHER`]. Who reads one
    /// writes its URI as they please, and a record's names are kept for good.
    #[must_use]
    pub fn filed(&self, exposed: &str, place: &Place) -> Arc<str> {
        if let Found::Offered(entry) = self.find(Kind::Resource, exposed) {
            return Arc::clone(&entry.real);
        }
        let fits =
            |entry: &&Arc<Entry>| entry.server == place.server && super::matches(&any_values(&entry.real), &place.uri);
        let template = self.entries(Kind::Template).iter().find(fits);
        template.map_or_else(|| OTHER.into(), |entry| Arc::clone(&entry.real))
    }

    /// The items of a kind that wait for approval, in no order.
    pub fn held(&self, kind: Kind) -> impl Iterator<Item = &Arc<Entry>> {
        let names = index_of(kind).and_then(|index| self.by_name.get(index));
        names.into_iter().flat_map(HashMap::values).filter_map(|slot| match slot {
            Slot::Held(entry) => Some(entry),
            Slot::Offered(_) => None,
        })
    }

    /// A number that is another when this list is: what the change of a list is told by. It is the same after a restart.
    #[must_use]
    pub fn stamp(&self, kind: Kind) -> u64 {
        let mut hasher = DefaultHasher::new();
        for entry in self.entries(kind) {
            entry.canonical.hash(&mut hasher);
            entry.json.bytes().hash(&mut hasher);
        }
        hasher.finish()
    }

    /// How URIs of servers are written for clients of this endpoint, and read back.
    #[must_use]
    pub fn uris(&self) -> &Uris {
        &self.uris
    }

    /// The index of its tools, where it offers `find_tools` and `call_tool` in place of its list.
    #[must_use]
    pub fn search(&self) -> Option<&Arc<Index>> {
        self.search.as_ref()
    }
}

/// What a client hears that calls a tool, or asks for a prompt, that waits for approval.
#[must_use]
pub fn held_fault(entry: &Entry) -> Fault {
    let message = format!(
        "The {} {} is held back: it is new or has changed and nobody has approved it yet. Whoever runs the gateway sees what \
         changed with `gatehouse mcp pins diff {} {}` and lets it through with `gatehouse mcp pins approve`.",
        entry.kind, entry.exposed, entry.kind, entry.canonical
    );
    Fault::new(Code::NotAllowed, message).at("params.name")
}

/// What records call everything that nobody lists.
const OTHER: &str = "other";

/// A URI template (RFC 6570) as a pattern: whatever its expressions become.
fn any_values(template: &str) -> String {
    let mut pattern = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, inside)) = rest.split_once('{') {
        pattern.push_str(before);
        pattern.push('*');
        rest = inside.split_once('}').map_or("", |(_, after)| after);
    }
    pattern.push_str(rest);
    pattern
}

fn unknown_cursor() -> Fault {
    let message = "The list has changed since this cursor was given. Ask for the list from its beginning.";
    Fault::new(Code::InvalidRequest, message).at("params.cursor")
}

pub(crate) const fn index_of(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Tool => Some(0),
        Kind::Prompt => Some(1),
        Kind::Resource => Some(2),
        Kind::Template => Some(3),
        Kind::Instructions => None,
    }
}
