//! The question policies answer: who, what, to which, under which circumstances.

use gatehouse_domain::{Actor, Principal, PrincipalKind};

use super::circumstances::Circumstances;
use super::words::{Kind, Named};

/// Who calls, as policies see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The id of the key the call was made with; empty for a caller who is asked about without one, and for one who came
    /// without any credential.
    pub key: &'a str,
    /// The name people gave it.
    pub name: &'a str,
    /// The organisation everything belongs to.
    pub organisation: Option<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// The person the call is made by or for.
    pub user: Option<&'a str>,
    /// The service account.
    pub service: Option<&'a str>,
    /// The agent that calls.
    pub agent: Option<&'a str>,
    /// Who acts for whom, outermost first.
    pub act: &'a [Actor],
    /// Tags of the call: `name=value`, by commas.
    pub tags: Option<&'a str>,
}

impl<'a> From<&'a Principal> for Caller<'a> {
    fn from(principal: &'a Principal) -> Self {
        let anonymous = principal.kind == PrincipalKind::Anonymous;
        Self {
            key: if anonymous { "" } else { &principal.key },
            name: &principal.name,
            organisation: Some(&principal.organisation),
            team: principal.team.as_deref(),
            user: principal.user.as_deref(),
            service: principal.service_account.as_deref(),
            agent: principal.agent.as_deref(),
            act: &principal.act,
            tags: principal.tags.as_deref(),
        }
    }
}

impl Caller<'_> {
    /// The principal of the question: the key, or without one whoever is named most closely.
    #[must_use]
    pub fn who(&self) -> Named {
        if !self.key.is_empty() {
            return Named::new(Kind::Key, self.key);
        }
        match (self.agent, self.service, self.user) {
            (Some(agent), _, _) => Named::new(Kind::Agent, agent),
            (None, Some(service), _) => Named::new(Kind::ServiceAccount, service),
            (None, None, Some(user)) => Named::new(Kind::User, user),
            (None, None, None) => Named::new(Kind::Anonymous, "anonymous"),
        }
    }
}

/// What is asked of the policies.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who.
    pub caller: Caller<'a>,
    /// What: one of [`super::ACTIONS`].
    pub action: &'a str,
    /// To what kind of thing.
    pub kind: Kind,
    /// To which one.
    pub resource: &'a str,
    /// When, from where, with what.
    pub circumstances: Circumstances<'a>,
}

impl Question<'_> {
    /// The resource as policies name it.
    #[must_use]
    pub fn resource(&self) -> Named {
        Named::new(self.kind, self.resource)
    }
}
