//! Sheets, names and pins become a catalogue. Everything is decided here, once, so that a list is a matter of copying and a
//! call of looking up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use foldhash::HashMap;

use super::entry::{Entry, naming_member, raw_text};
use super::fetched::Standing;
use super::finding::{Finding, Kind, Severity};
use super::json::{self, Cuts};
use super::names::{NameBook, Named};
use super::offer::{Offer, Route, Slot, index_of};
use super::sheet::{Item, Sheet};
use super::toolset;
use super::uris::Uris;
use super::{Catalogue, ServerView};
use crate::blueprint::{Blueprint, PinPolicy, Toolset};
use crate::pins::{PinBook, PinState, Sighting};
use crate::poison;
use crate::search::Index;

/// What a catalogue is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Servers and toolsets as configured.
    pub blueprint: &'a Blueprint,
    /// How it stands with each server; those that are not in the blueprint do not count.
    pub standings: &'a [(Standing, Option<Arc<Sheet>>)],
    /// What was approved, and what was not.
    pub pins: &'a PinBook,
    /// The number of this catalogue.
    pub generation: u64,
}

/// A catalogue, and what is to be remembered of its making.
#[derive(Debug)]
pub struct Composed {
    /// The catalogue.
    pub catalogue: Catalogue,
    /// Names that were given in this making; in the book already, to be stored.
    pub named: Vec<Named>,
    /// Versions of items that were never seen before, with what became of them; to be stored.
    pub sightings: Vec<Sighting>,
}

/// One item and whether it is held.
struct Judged<'a> {
    item: &'a Item,
    held: bool,
}

impl Catalogue {
    /// Puts a catalogue together. `names` gains the names that are given.
    #[must_use]
    pub fn compose(parts: &Parts<'_>, names: &mut NameBook) -> Composed {
        let configured: BTreeSet<Arc<str>> =
            parts.blueprint.servers.iter().map(|each| Arc::clone(&each.name)).collect();
        let apart: BTreeSet<Arc<str>> =
            parts.blueprint.servers.iter().filter(|each| each.is_apart()).map(|each| Arc::clone(&each.name)).collect();
        let sheets: Vec<&Arc<Sheet>> = parts
            .standings
            .iter()
            .filter(|(standing, _)| configured.contains(&standing.server))
            .filter_map(|(_, sheet)| sheet.as_ref())
            .collect();
        names.keep(&configured);
        let mut findings: Vec<Finding> = sheets.iter().flat_map(|sheet| sheet.findings.iter().cloned()).collect();
        let own = |sheet: &&&Arc<Sheet>| is_own(parts, sheet.server());
        let foreign: Vec<&Arc<Sheet>> = sheets.iter().filter(|sheet| !own(sheet)).copied().collect();
        findings.extend(shadows(&foreign));
        let mut sightings = Vec::new();
        let (judged, instructions) = judge(parts, &sheets, &findings, &mut sightings);
        let wanted: BTreeSet<Named> = judged
            .iter()
            .map(|each| &each.item.entry)
            .filter(|entry| matches!(entry.kind, Kind::Tool | Kind::Prompt) && !apart.contains(&entry.server))
            .map(|entry| (entry.kind, Arc::clone(&entry.server), Arc::clone(&entry.real)))
            .collect();
        let named = names.give(&wanted, configured.len() - apart.len() > 1, &mut findings);
        let offers = offers(parts, &Servers { configured: &configured, apart: &apart }, &judged, names, &mut findings);
        findings.sort();
        findings.dedup();
        let servers = views(parts, &configured, &judged, &instructions);
        let search = OnceLock::new();
        let catalogue = Catalogue { generation: parts.generation, offers, servers, findings, search };
        Composed { catalogue, named, sightings }
    }
}

/// The configured servers, and those of them that are only where they are named.
#[derive(Clone, Copy)]
struct Servers<'a> {
    configured: &'a BTreeSet<Arc<str>>,
    apart: &'a BTreeSet<Arc<str>>,
}

/// Is it the gateway's own? Its texts are the program's: there is nothing to approve and nobody to mistrust.
fn is_own(parts: &Parts<'_>, server: &Arc<str>) -> bool {
    parts.blueprint.servers.iter().any(|each| each.name == *server && each.own().is_some())
}

/// Who speaks of whose tools.
fn shadows(sheets: &[&Arc<Sheet>]) -> Vec<Finding> {
    let mut owners: HashMap<&str, BTreeSet<&Arc<str>>> = HashMap::default();
    for item in sheets.iter().flat_map(|sheet| &sheet.items) {
        if item.entry.kind == Kind::Tool {
            owners.entry(&item.entry.real).or_default().insert(&item.entry.server);
        }
    }
    let other = |word: &str, server: &Arc<str>| -> Option<Arc<str>> {
        let owners = owners.get(word)?;
        if owners.contains(server) { None } else { owners.first().map(|owner| Arc::clone(owner)) }
    };
    let mut found = Vec::new();
    for sheet in sheets {
        let server = sheet.server();
        for item in &sheet.items {
            if item.entry.kind == Kind::Tool {
                let sharing = owners.get(&*item.entry.real).into_iter().flatten().find(|owner| **owner != server);
                found.extend(sharing.map(|owner| shared_name(&item.entry, owner)));
            }
            found.extend(poison::shadowing(&item.scan, server, item.entry.kind, &item.entry.real, &other));
        }
        if let Some(instructions) = &sheet.instructions {
            found.extend(poison::shadowing(&instructions.scan, server, Kind::Instructions, "", &other));
        }
    }
    found
}

fn shared_name(tool: &Entry, other: &str) -> Finding {
    Finding {
        severity: Severity::Low,
        code: "shared_name",
        server: Arc::clone(&tool.server),
        kind: Kind::Tool,
        item: Arc::clone(&tool.real),
        message: format!("The server {other} has a tool of this name, too. Each keeps the name it was given."),
    }
}

/// Asks the pins about each item, and about the instructions.
fn judge<'a>(
    parts: &Parts<'_>,
    sheets: &[&'a Arc<Sheet>],
    findings: &[Finding],
    sightings: &mut Vec<Sighting>,
) -> (Vec<Judged<'a>>, BTreeMap<Arc<str>, Arc<str>>) {
    let poisoned: BTreeSet<(&Arc<str>, Kind, &Arc<str>)> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::High)
        .map(|finding| (&finding.server, finding.kind, &finding.item))
        .collect();
    let policy = |server: &Arc<str>| {
        let configured = parts.blueprint.servers.iter().find(|each| each.name == *server);
        configured.map_or_else(PinPolicy::default, |each| each.pins)
    };
    let (mut judged, mut instructions) = (Vec::new(), BTreeMap::new());
    let nothing: Arc<str> = Arc::from("");
    for sheet in sheets {
        let (server, policy) = (sheet.server(), policy(sheet.server()));
        if is_own(parts, server) {
            judged.extend(sheet.items.iter().map(|item| Judged { item, held: false }));
            let text = sheet.instructions.iter().map(|text| (Arc::clone(server), Arc::clone(&text.text)));
            instructions.extend(text);
            continue;
        }
        for item in &sheet.items {
            let (kind, name) = (item.entry.kind, &item.entry.real);
            let bad = poisoned.contains(&(server, kind, name));
            let Some(hash) = item.pin else {
                judged.push(Judged { item, held: bad });
                continue;
            };
            let state = parts.pins.judge(policy, server, kind, name, hash, bad);
            if let Some(state) = state.unseen() {
                sightings.push(Sighting::of_item(&item.entry, hash, state, sheet.fetched.at));
            }
            judged.push(Judged { item, held: state.state() != PinState::Approved });
        }
        if let Some(text) = &sheet.instructions {
            let bad = poisoned.contains(&(server, Kind::Instructions, &nothing));
            let state = parts.pins.judge(policy, server, Kind::Instructions, &nothing, text.pin, bad);
            if let Some(state) = state.unseen() {
                sightings.push(Sighting::of_instructions(server, &text.text, text.pin, state, sheet.fetched.at));
            }
            if state.state() == PinState::Approved {
                instructions.insert(Arc::clone(server), Arc::clone(&text.text));
            }
        }
    }
    (judged, instructions)
}

/// The offers of every endpoint.
fn offers(
    parts: &Parts<'_>,
    servers: &Servers<'_>,
    judged: &[Judged<'_>],
    names: &NameBook,
    findings: &mut Vec<Finding>,
) -> HashMap<Route, Offer> {
    let mut offers = HashMap::default();
    for server in servers.configured {
        let own = judged.iter().filter(|each| each.item.entry.server == *server);
        let entries = own.map(|each| (Arc::clone(&each.item.entry), each.held));
        let servers = BTreeSet::from([Arc::clone(server)]);
        offers.insert(Route::Server(Arc::clone(server)), assemble(parts, servers, entries, true));
    }
    let joined: BTreeSet<Arc<str>> = servers.configured.difference(servers.apart).cloned().collect();
    let uris = Uris::new(joined.iter().cloned());
    let known = |each: &Judged<'_>, uris: &Uris| (Arc::new(exposed(&each.item.entry, names, uris)), each.held);
    let all = judged.iter().filter(|each| joined.contains(&each.item.entry.server)).map(|each| known(each, &uris));
    offers.insert(Route::All, assemble(parts, joined.clone(), all, true));
    for toolset in &parts.blueprint.toolsets {
        let offer = toolset_offer(parts, toolset, servers, judged, names, findings);
        offers.insert(Route::Toolset(Arc::clone(&toolset.name)), offer);
    }
    offers
}

fn toolset_offer(
    parts: &Parts<'_>,
    set: &Toolset,
    servers: &Servers<'_>,
    judged: &[Judged<'_>],
    names: &NameBook,
    findings: &mut Vec<Finding>,
) -> Offer {
    let apart = servers.apart;
    let reached = |server: &Arc<str>| {
        let reaches = if apart.contains(server) { toolset::names } else { toolset::reaches };
        set.tools.iter().any(|pattern| reaches(pattern, server))
    };
    // Of a server apart, what is named: a pattern that takes in every server does not take in this one.
    let taken = |entry: &Entry| {
        let named =
            |pattern: &Arc<str>| toolset::names(pattern, &entry.server) && toolset::matches(pattern, &entry.canonical);
        !apart.contains(&entry.server) || set.tools.iter().any(named)
    };
    let servers: BTreeSet<Arc<str>> = servers.configured.iter().filter(|server| reached(server)).cloned().collect();
    let uris = Uris::new(servers.iter().cloned());
    let held: HashMap<&str, bool> = judged
        .iter()
        .filter(|each| each.item.entry.kind == Kind::Tool)
        .map(|each| (&*each.item.entry.canonical, each.held))
        .collect();
    let of_set = judged.iter().filter(|each| servers.contains(&each.item.entry.server) && taken(&each.item.entry));
    let (tools, others): (Vec<_>, Vec<_>) = of_set.partition(|each| each.item.entry.kind == Kind::Tool);
    let tools: Vec<Arc<Entry>> = tools.iter().map(|each| Arc::new(exposed(&each.item.entry, names, &uris))).collect();
    let tools = toolset::choose(set, tools.iter(), findings).into_iter().map(|tool| {
        let held = held.get(&*tool.canonical).copied().unwrap_or(true);
        (tool, held)
    });
    let others = others.into_iter().filter(|_| set.resources);
    let others = others.map(|each| (Arc::new(exposed(&each.item.entry, names, &uris)), each.held));
    let mut offer = assemble(parts, servers.clone(), tools.chain(others), set.resources);
    if set.search {
        offer.search = Some(Arc::new(Index::new(offer.entries(Kind::Tool))));
    }
    offer
}

/// An item under the name and with the URIs that clients of several servers see.
fn exposed(entry: &Entry, names: &NameBook, uris: &Uris) -> Entry {
    let name: Arc<str> = match entry.kind {
        Kind::Tool | Kind::Prompt => {
            names.name(entry.kind, &entry.server, &entry.real).map_or_else(|| Arc::clone(&entry.real), Arc::clone)
        }
        _ => Arc::from(&*uris.expose(&entry.server, &entry.real)),
    };
    let text = raw_text(&entry.json);
    let mut cuts = Cuts::of(text);
    if name != entry.exposed
        && let Some(value) = json::member(text, naming_member(entry.kind))
    {
        cuts.replace(value, json::quoted(&name));
    }
    if uris.wraps()
        && let Some(meta) = json::member(text, "_meta")
    {
        uris.meta(&entry.server, meta, &mut cuts);
    }
    if cuts.is_empty() { entry.clone() } else { entry.with_json(cuts.apply(), &name) }
}

/// Items into lists and a table of names.
fn assemble(
    parts: &Parts<'_>,
    servers: BTreeSet<Arc<str>>,
    entries: impl Iterator<Item = (Arc<Entry>, bool)>,
    resources_offered: bool,
) -> Offer {
    let fetched = parts.standings.iter().filter(|(standing, _)| servers.contains(&standing.server));
    let fetched: Vec<_> = fetched.filter_map(|(_, sheet)| sheet.as_ref()).map(|sheet| &sheet.fetched).collect();
    let mut offer = Offer {
        uris: Uris::new(servers.iter().cloned()),
        ttl_ms: fetched.iter().map(|each| each.ttl_ms).min().unwrap_or(0),
        public: !fetched.is_empty() && fetched.iter().all(|each| each.public),
        servers,
        resources_offered,
        ..Offer::default()
    };
    for (entry, held) in entries {
        let Some(index) = index_of(entry.kind) else { continue };
        let (list, names) = (&mut offer.entries[index], &mut offer.by_name[index]);
        if names.contains_key(&entry.exposed) {
            continue;
        }
        let name = Arc::clone(&entry.exposed);
        let slot = if held {
            Slot::Held(entry)
        } else {
            list.push(entry);
            Slot::Offered(list.len() - 1)
        };
        names.insert(name, slot);
    }
    offer
}

/// What is told of each server.
fn views(
    parts: &Parts<'_>,
    configured: &BTreeSet<Arc<str>>,
    judged: &[Judged<'_>],
    instructions: &BTreeMap<Arc<str>, Arc<str>>,
) -> BTreeMap<Arc<str>, ServerView> {
    let mut views = BTreeMap::new();
    for (standing, sheet) in parts.standings.iter().filter(|(standing, _)| configured.contains(&standing.server)) {
        let own = || judged.iter().filter(|each| each.item.entry.server == standing.server);
        let count = |kind| own().filter(|each| each.item.entry.kind == kind && !each.held).count();
        let view = ServerView {
            standing: standing.clone(),
            counts: Kind::LISTED.map(count),
            held: own().filter(|each| each.held).count(),
            weight: own()
                .filter(|each| !each.held && each.item.entry.kind == Kind::Tool)
                .fold(0, |sum, each| each.item.entry.weight.saturating_add(sum)),
            instructions: instructions.get(&standing.server).cloned(),
            fetched: sheet.as_ref().map(|sheet| Arc::clone(&sheet.fetched)),
        };
        views.insert(Arc::clone(&standing.server), view);
    }
    views
}
