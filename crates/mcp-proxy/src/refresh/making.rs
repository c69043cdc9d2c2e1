//! What a catalogue is made of, and what is remembered of its making. One at a time: whoever holds this composes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatehouse_domain::Now;
use gatehouse_mcp_gateway::blueprint::{Blueprint, Server, Transport};
use gatehouse_mcp_gateway::catalogue::{
    Catalogue, Composed, Fetched, Kind, NameBook, Named, Parts, Route, Sheet, Standing, State,
};
use gatehouse_mcp_gateway::pins::{PinBook, PinState, Sighting, hash_text};
use gatehouse_store::{ListsRow, NameRow, PinRow, Store, StoreError};

use super::{Waits, is_personal};

/// Servers' lists with how the servers stand.
type Sheets = BTreeMap<Arc<str>, (Standing, Option<Arc<Sheet>>)>;

/// Everything a catalogue is made of.
pub(super) struct Making {
    blueprint: Arc<Blueprint>,
    sheets: Sheets,
    names: NameBook,
    pub(super) pins: PinBook,
    generation: u64,
    /// Are names given for good? Not while servers have not been asked the first time, because then the first to answer would
    /// get the short names.
    settled: bool,
    /// Lists from before this start, with the fingerprint of where they came from.
    before: BTreeMap<Arc<str>, (String, Arc<Fetched>)>,
    /// What the database has not taken yet.
    unsaved_pins: Vec<PinRow>,
    unsaved_names: Vec<NameRow>,
}

impl Making {
    /// What is remembered.
    pub(super) async fn remembered(store: &Store) -> Result<Self, StoreError> {
        let mut names = NameBook::default();
        for row in store.mcp_names().await? {
            if let Some(kind) = Kind::named(&row.kind) {
                names.insert((kind, row.server.into(), row.real.into()), row.exposed.into());
            }
        }
        let mut pins = PinBook::default();
        for row in store.mcp_pins().await? {
            let known = (Kind::named(&row.kind), row.hash.parse(), PinState::named(&row.state));
            if let (Some(kind), Ok(hash), Some(state)) = known {
                pins.insert(row.server.into(), kind, row.name.into(), hash, state, row.decided_by.is_some());
            }
        }
        let mut before = BTreeMap::new();
        for row in store.mcp_lists().await? {
            let at = Now(SystemTime::UNIX_EPOCH + Duration::from_millis(row.fetched_unix_ms));
            let server: Arc<str> = row.server.into();
            if let Some(fetched) = Fetched::read(Arc::clone(&server), row.body, at) {
                before.insert(server, (row.source, Arc::new(fetched)));
            }
        }
        Ok(Self {
            blueprint: Arc::default(),
            sheets: BTreeMap::new(),
            names,
            pins,
            generation: 0,
            settled: false,
            before,
            unsaved_pins: Vec::new(),
            unsaved_names: Vec::new(),
        })
    }

    /// Takes over a configuration. Servers that are the same keep their lists, others get what is remembered of them.
    pub(super) fn configure(&mut self, blueprint: Arc<Blueprint>) {
        let old = std::mem::replace(&mut self.blueprint, Arc::clone(&blueprint));
        let mut kept = std::mem::take(&mut self.sheets);
        for server in &blueprint.servers {
            let same = old.servers.iter().any(|before| before.name == server.name && source(before) == source(server));
            let entry =
                kept.remove(&server.name).filter(|_| same).unwrap_or_else(|| (unasked(server), self.before(server)));
            self.sheets.insert(Arc::clone(&server.name), entry);
        }
    }

    /// The lists a server had before this start, if they were fetched from where it is now.
    fn before(&mut self, server: &Server) -> Option<Arc<Sheet>> {
        let (from, fetched) = self.before.remove(&server.name)?;
        let usable = from == source(server) && !is_personal(server);
        usable.then(|| Arc::new(Sheet::read(fetched)))
    }

    /// From now on names are given for good.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }

    /// Are these lists others than those that are known?
    pub(super) fn takes(&self, fetched: &Fetched) -> bool {
        let known = self.sheets.get(&fetched.server).and_then(|(_, sheet)| sheet.as_ref());
        known.is_none_or(|sheet| !sheet.fetched.is_same(fetched))
    }

    /// A server answered with these lists.
    pub(super) fn fetched(&mut self, server: &Server, sheet: Arc<Sheet>) {
        if let Some((_, known)) = self.sheets.get_mut(&server.name) {
            *known = Some(sheet);
        }
    }

    /// How it stands with a server.
    pub(super) fn stands(&mut self, server: &Server, state: State, error: Option<&str>) {
        if let Some((standing, _)) = self.sheets.get_mut(&server.name) {
            standing.state = state;
            standing.last_error = error.map(Arc::from);
        }
        let waits = |(standing, _): &(Standing, _)| standing.state == State::Unasked;
        self.settled |= !self.sheets.values().any(waits);
    }

    /// A catalogue of what there is, and whether it offers anything else than the one before.
    pub(super) fn compose(&mut self, before: &Catalogue) -> (Catalogue, bool) {
        let standings: Vec<_> = self.sheets.values().cloned().collect();
        let catalogue = self.compose_of(&standings);
        let changed = self.offers_otherwise(before, &catalogue);
        self.generation += u64::from(changed);
        (catalogue.numbered(self.generation), changed)
    }

    /// A catalogue with one principal's own lists in it.
    pub(super) fn compose_with(&mut self, own: &[Arc<Sheet>]) -> Catalogue {
        let mut sheets = self.sheets.clone();
        for sheet in own {
            if let Some((standing, known)) = sheets.get_mut(sheet.server()) {
                standing.state = State::Up;
                *known = Some(Arc::clone(sheet));
            }
        }
        let standings: Vec<_> = sheets.into_values().collect();
        self.compose_of(&standings)
    }

    fn compose_of(&mut self, standings: &[(Standing, Option<Arc<Sheet>>)]) -> Catalogue {
        let parts = Parts { blueprint: &self.blueprint, standings, pins: &self.pins, generation: self.generation };
        if !self.settled {
            let composed = Catalogue::compose(&parts, &mut self.names.clone());
            self.note_sightings(composed.sightings);
            return composed.catalogue;
        }
        let Composed { catalogue, named, sightings } = Catalogue::compose(&parts, &mut self.names);
        self.note_names(&named);
        self.note_sightings(sightings);
        catalogue
    }

    fn note_names(&mut self, named: &[Named]) {
        let row = |(kind, server, real): &Named| {
            let exposed = self.names.name(*kind, server, real)?;
            Some(NameRow {
                kind: kind.as_str().to_owned(),
                server: server.to_string(),
                real: real.to_string(),
                exposed: exposed.to_string(),
            })
        };
        self.unsaved_names.extend(named.iter().filter_map(row));
    }

    fn note_sightings(&mut self, sightings: Vec<Sighting>) {
        for seen in sightings {
            let server = Arc::clone(&seen.server);
            self.pins.insert(server, seen.kind, Arc::clone(&seen.name), seen.hash, seen.state, false);
            self.unsaved_pins.push(PinRow {
                server: seen.server.to_string(),
                kind: seen.kind.as_str().to_owned(),
                name: seen.name.to_string(),
                hash: seen.hash.to_string(),
                state: seen.state.as_str().to_owned(),
                document: seen.document.to_string(),
                seen_unix_ms: seen.at.unix_ms(),
                decided_unix_ms: None,
                decided_by: None,
            });
        }
    }

    /// Writes down what is new. What the database does not take is tried again with the next.
    pub(super) async fn remember(&mut self, store: &Store, waits: &Waits) {
        if !self.unsaved_pins.is_empty() {
            match store.mcp_pins_seen(&self.unsaved_pins).await {
                Ok(()) => tell_what_waits(&std::mem::take(&mut self.unsaved_pins), waits),
                Err(error) => tracing::warn!(%error, "versions of MCP tools are not written down yet"),
            }
        }
        if !self.unsaved_names.is_empty() {
            match store.mcp_names_given(&self.unsaved_names, Now(SystemTime::now()).unix_ms()).await {
                Ok(()) => self.unsaved_names.clear(),
                Err(error) => tracing::warn!(%error, "names of MCP tools are not written down yet"),
            }
        }
    }

    /// Keeps a server's lists for the next start.
    pub(super) async fn remember_lists(&self, store: &Store, server: &Server, fetched: &Fetched) {
        let row = ListsRow {
            server: server.name.to_string(),
            source: source(server),
            body: String::from_utf8_lossy(fetched.write().bytes()).into_owned(),
            fetched_unix_ms: fetched.at.unix_ms(),
        };
        if let Err(error) = store.mcp_lists_fetched(&row).await {
            tracing::warn!(server = &*server.name, %error, "the lists of an MCP server are not written down");
        }
    }

    /// Does a catalogue offer anything else than another, on any endpoint?
    fn offers_otherwise(&self, one: &Catalogue, other: &Catalogue) -> bool {
        let servers = self.blueprint.servers.iter().map(|server| Route::Server(Arc::clone(&server.name)));
        let toolsets = self.blueprint.toolsets.iter().map(|set| Route::Toolset(Arc::clone(&set.name)));
        let mut routes = std::iter::once(Route::All).chain(servers).chain(toolsets);
        routes.any(|route| match (one.offer(&route), other.offer(&route)) {
            (Some(one), Some(other)) => Kind::LISTED.iter().any(|kind| one.stamp(*kind) != other.stamp(*kind)),
            (one, other) => one.is_some() != other.is_some(),
        })
    }
}

fn unasked(server: &Server) -> Standing {
    let state = if is_personal(server) { State::PerUser } else { State::Unasked };
    Standing { server: Arc::clone(&server.name), state, last_error: None }
}

/// A fingerprint of where a server is.
fn source(server: &Server) -> String {
    let place = match &server.transport {
        Transport::Http { url, .. } => format!("http {url}"),
        Transport::Stdio { command, cwd, .. } => format!("stdio {command:?} {cwd:?}"),
        Transport::OpenApi { document, base_url, .. } => format!("openapi {base_url} {document}"),
        Transport::Builtin => "builtin".to_owned(),
        Transport::Gatehouse(_) => "gatehouse".to_owned(),
    };
    hash_text(&place).to_string()
}

/// A server at a time, however much of it waits.
fn tell_what_waits(rows: &[PinRow], waits: &Waits) {
    let mut waiting: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state == PinState::Pending.as_str()) {
        waiting.entry(&row.server).or_default().push(format!("{} {}", row.kind, row.name).trim_end().to_owned());
    }
    waiting.iter().for_each(|(server, items)| waits(server, items));
}
