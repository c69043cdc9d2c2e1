//! What the authorization server writes into the audit log: who logged in, which client registered, what was granted and what
//! was revoked. Before it is done; what cannot be written is not done.

use std::net::IpAddr;

use gatehouse_domain::{DEFAULT_ORGANISATION, Principal};
use gatehouse_oauth::server::Oops;
use gatehouse_store::audit::{Actor, AuditEvent, AuditOutcome};

use super::{Server, now_ms, stored};
use crate::admin::append_audit;

/// Who does it, and from where.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) who: Option<&'a Principal>,
    pub(super) client: Option<&'a str>,
    pub(super) address: IpAddr,
}

impl Server {
    /// Writes one entry.
    pub(super) async fn note(
        &self,
        by: By<'_>,
        action: &str,
        object: (&str, &str),
        refused: Option<&'static str>,
    ) -> Result<(), Oops> {
        let organisation = by.who.map_or(DEFAULT_ORGANISATION, |who| &who.organisation);
        let name = by.who.map(|who| who.user.as_ref().unwrap_or(&who.name).to_string());
        let actor = Actor {
            who: name.or_else(|| by.client.map(str::to_owned)).unwrap_or_default(),
            key: by.who.map(|who| who.key.to_string()),
            role: None,
            address: Some(by.address.to_string()),
        };
        let event = AuditEvent::new(now_ms(), organisation, actor, action).on(object.0, object.1);
        let outcome = if refused.is_some() { AuditOutcome::Refused } else { AuditOutcome::Done };
        append_audit(&self.control.store, event.ended(outcome, refused)).await.map_err(stored)
    }
}
