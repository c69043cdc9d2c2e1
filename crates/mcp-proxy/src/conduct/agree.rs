//! Who was shown a page to agree on, and hears when that has been done: a client of 2025-11-25 by
//! `notifications/elicitation/complete`, every client that listens by the lists that are there now. It is remembered by the
//! replica that showed the page; a client that hears nothing calls again, as it was told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use gatehouse_domain::Principal;
use gatehouse_mcp_gateway::{Notification, Raw};

use super::desk::Desk;
use super::memory::Mailbox;
use crate::auth::{Connected, owner};

/// Pages that are remembered; a new one takes the place of the oldest.
const SHOWN_MAX: usize = 10_000;
/// Every page that was shown lately.
#[derive(Default)]
pub(super) struct Agreeing(Mutex<VecDeque<Shown>>);

/// One page.
pub(super) struct Shown {
    /// The server that is to be used in somebody's name.
    pub(super) server: Arc<str>,
    /// Who was shown it.
    pub(super) principal: Arc<Principal>,
    /// Where its end is told and what the page was called there, if its client wants to hear of it.
    pub(super) told: Option<(Arc<Mailbox>, Arc<str>)>,
}

impl Agreeing {
    /// A page is shown.
    pub(super) fn show(&self, shown: Shown) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SHOWN_MAX {
            all.pop_front();
        }
        all.push_back(shown);
    }

    /// Takes out whatever was shown to whose connection this is.
    fn take(&self, connected: &Connected) -> Vec<Shown> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_theirs = |shown: &Shown| {
            shown.server == connected.server
                && shown.principal.organisation == connected.organisation
                && owner(&shown.principal) == *connected.owner
        };
        let (theirs, others) = std::mem::take(&mut *all).into_iter().partition::<Vec<_>, _>(is_theirs);
        *all = others.into();
        theirs
    }
}

/// Tells all who wait for it.
pub(super) async fn heard(desk: &Arc<Desk>, connected: &Connected) {
    let mut asked_for: Vec<Arc<Principal>> = Vec::new();
    for shown in desk.agreeing.take(connected) {
        if let Some((mail, page)) = shown.told {
            let params = Raw::object([("elicitationId", Raw::text(&page))]);
            mail.put(Notification::new("notifications/elicitation/complete", Some(params)));
        }
        if asked_for.iter().all(|known| known.key != shown.principal.key) {
            asked_for.push(shown.principal);
        }
    }
    for principal in &asked_for {
        drop(desk.refresher.catalogue_of(principal).await);
    }
    desk.stir();
}
