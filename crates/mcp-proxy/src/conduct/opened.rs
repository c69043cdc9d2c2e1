//! Ids of sessions that were opened lately. An id is a sealed token, and to open it costs as much as everything else that is done
//! with a small message; a session sends the same one with each.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use gatehouse_mcp_gateway::gateway::Session;

/// Ids of one generation: when there are so many, those that were not used since the generation before are forgotten.
const GENERATION_MAX: usize = 4096;

/// What was found in ids. Whose a session is and until when, is asked of it each time: here is only what the token says.
#[derive(Default)]
pub(super) struct Opened(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Arc<str>, Session>,
    old: HashMap<Arc<str>, Session>,
}

impl Opened {
    /// What this token holds, if it is known and good at this time; else what `open` finds in it.
    pub(super) fn get(&self, token: &str, now: u64, open: impl FnOnce() -> Option<Session>) -> Option<Session> {
        if let Some(known) = self.generations().find(token) {
            return (known.expires > now).then_some(known);
        }
        let session = open()?;
        self.generations().keep(token.into(), session.clone());
        Some(session)
    }

    fn generations(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn find(&mut self, token: &str) -> Option<Session> {
        if let Some(known) = self.young.get(token) {
            return Some(known.clone());
        }
        let (token, known) = self.old.remove_entry(token)?;
        self.keep(token, known.clone());
        Some(known)
    }

    fn keep(&mut self, token: Arc<str>, session: Session) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, session);
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_mcp_gateway::Raw;
    use gatehouse_mcp_gateway::era::Revision;

    use super::*;

    fn session(expires: u64) -> Session {
        Session {
            id: "s".into(),
            principal: "ada".into(),
            route: "/mcp".into(),
            revision: Revision::V2025_11_25,
            capabilities: Raw::empty(),
            info: None,
            policy_epoch: 0,
            expires,
        }
    }

    #[test]
    fn an_id_is_opened_once_and_none_that_does_not_open_is_kept() {
        let opened = Opened::default();
        assert_eq!(opened.get("bad", 1, || None), None);
        assert_eq!(opened.get("bad", 1, || Some(session(9))), Some(session(9)));
        assert_eq!(opened.get("bad", 1, || None), Some(session(9)));
    }

    #[test]
    fn a_known_id_is_no_good_after_its_time() {
        let opened = Opened::default();
        assert!(opened.get("t", 1, || Some(session(9))).is_some());
        assert_eq!(opened.get("t", 9, || Some(session(9))), None);
    }

    #[test]
    fn who_is_not_heard_of_makes_room_and_who_is_stays() {
        let opened = Opened::default();
        for n in 0..=3 * GENERATION_MAX {
            assert!(opened.get(&n.to_string(), 1, || Some(session(9))).is_some());
            assert!(opened.get("steady", 1, || (n == 0).then(|| session(9))).is_some(), "after {n}");
        }
        let generations = opened.generations();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION_MAX);
        drop(generations);
        assert_eq!(opened.get("0", 1, || None), None);
    }
}
