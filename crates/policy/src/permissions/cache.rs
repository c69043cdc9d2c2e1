//! Decisions kept by what they depend on. One cache belongs to one core; it holds for one value of [`Permissions`] and
//! starts anew with the next.

use std::sync::Arc;

use foldhash::HashMap;

use super::decision::{Decision, Permissions};
use super::question::Question;

/// The most decisions kept. A full cache is emptied: what is asked often comes back with its next question.
const ENTRIES_MAX: usize = 4_096;
/// Questions longer than this (the URI of a resource) are decided anew each time.
const KEY_BYTES_MAX: usize = 2_048;

/// Decisions of one core.
#[derive(Debug, Default)]
pub struct DecisionCache {
    /// What the entries are decisions of.
    of: Option<Arc<Permissions>>,
    entries: HashMap<Box<[u8]>, Arc<Decision>>,
    /// The key under construction, kept for its room.
    key: Vec<u8>,
}

impl DecisionCache {
    /// The decision, from the cache if the same was asked before.
    pub fn decide(&mut self, permissions: &Arc<Permissions>, question: &Question<'_>) -> Arc<Decision> {
        if !self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, permissions)) {
            self.entries.clear();
            self.of = Some(Arc::clone(permissions));
        }
        // Hardly two calls have the same arguments: kept, their decisions would drive out those that are asked again.
        if permissions.policies.reads_arguments() && question.circumstances.arguments.is_some() {
            return Arc::new(permissions.decide(question));
        }
        self.write_key(permissions, question);
        if let Some(known) = self.entries.get(self.key.as_slice()) {
            return Arc::clone(known);
        }
        let decision = Arc::new(permissions.decide(question));
        if self.key.len() <= KEY_BYTES_MAX {
            if self.entries.len() >= ENTRIES_MAX {
                self.entries.clear();
            }
            self.entries.insert(self.key.as_slice().into(), Arc::clone(&decision));
        }
        decision
    }

    /// Everything the decision depends on, each part with its length so that no two questions share a key.
    fn write_key(&mut self, permissions: &Permissions, question: &Question<'_>) {
        let caller = &question.caller;
        self.key.clear();
        for part in [question.action, question.kind.as_str(), question.resource, caller.key, caller.name] {
            self.part(part);
        }
        for part in [caller.organisation, caller.team, caller.user, caller.service, caller.agent] {
            self.key.push(part.is_some().into());
            self.part(part.unwrap_or_default());
        }
        self.part(caller.tags.unwrap_or_default());
        self.key.extend_from_slice(&caller.act.len().to_le_bytes());
        for actor in caller.act {
            self.part(actor.kind.as_str());
            self.part(&actor.name);
        }
        for attribute in &permissions.policies.read {
            attribute.write_key(&question.circumstances, &mut self.key);
        }
    }

    fn part(&mut self, text: &str) {
        self.key.extend_from_slice(&text.len().to_le_bytes());
        self.key.extend_from_slice(text.as_bytes());
    }
}
