//! A call as a server of the gateway's own hears of it: who calls, from where, and what this caller may see. No other server hears
//! more than its protocol says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use gatehouse_domain::{Action, Now};

use crate::core::Core;
use crate::snapshot::{KeyEntry, Snapshot};
use crate::stages::admit::Asker;

/// Who stands behind one call. To be asked on the core that makes the call: a core remembers its own decisions.
#[derive(Clone)]
pub struct Visit {
    pub(crate) core: Arc<Core>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) caller: Arc<KeyEntry>,
    pub(crate) tags: Option<Arc<str>>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) now: Now,
}

impl Visit {
    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> &Arc<KeyEntry> {
        &self.caller
    }

    /// From where, if that is known.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// When the call came.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// May the caller see this tool, prompt or resource in a listing, by key and policies? As [`Floor::lists`](super::Floor::lists).
    #[must_use]
    pub fn lists(&self, action: Action, resource: &str) -> bool {
        Asker::of_visit(self).may_list(action, resource)
    }

    /// The models that listings show this caller, in the order of listings.
    #[must_use]
    pub fn models(&self) -> Vec<Arc<str>> {
        let asker = Asker::of_visit(self);
        let names = self.snapshot.lanes.iter().flat_map(|lane| lane.gateway.resources());
        let shown = names.filter(|name| self.caller.permit.models.match_name(name) && asker.lists(name));
        shown.cloned().collect()
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("key", &self.caller.principal.key).finish_non_exhaustive()
    }
}
