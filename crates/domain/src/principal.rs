//! Who calls.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Access;

/// The id of a key: a short public name that may be logged. Never the key itself.
pub type KeyId = Arc<str>;

/// The organisation of everything that names none.
pub const DEFAULT_ORGANISATION: &str = "default";

/// The kinds of caller the vocabulary knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A service account, or a key that belongs to nobody in particular.
    #[default]
    Service,
    /// A person.
    User,
    /// An agent, perhaps on behalf of a person.
    Agent,
    /// A caller without any credential, where the configuration lets those in.
    Anonymous,
}

impl PrincipalKind {
    /// The word used in policies, tables and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service_account",
            Self::User => "user",
            Self::Agent => "agent",
            Self::Anonymous => "anonymous",
        }
    }
}

/// What somebody may do in the admin API. Ordered by nothing: what each may do is the table of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, other owners included.
    Owner,
    /// Everything but owners and the instance itself.
    Admin,
    /// Reads everything, changes nothing.
    Auditor,
    /// Keys, budgets and usage of the own team.
    TeamLead,
    /// Own keys and own usage.
    Developer,
    /// Reads the catalogue.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [Self::Owner, Self::Admin, Self::Auditor, Self::TeamLead, Self::Developer, Self::Viewer];

    /// The word used in the configuration, the API and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::TeamLead => "team_lead",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; there are owner, admin, auditor, team_lead, developer and viewer")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// One link of a delegation chain (`act`, RFC 8693 §4.1): somebody who acts for the one before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// What kind of actor.
    pub kind: PrincipalKind,
    /// Its name.
    pub name: Arc<str>,
}

/// Who calls, as the authenticate stage established it. Shared: a key's principal is built with the snapshot.
#[derive(Clone, Debug)]
pub struct Principal {
    /// What kind of caller.
    pub kind: PrincipalKind,
    /// The key's id; `anonymous` for keyless callers; for a bearer token, the issuer's name for its subject.
    pub key: KeyId,
    /// The key's name as people wrote it.
    pub name: Arc<str>,
    /// The organisation everything of this caller belongs to.
    pub organisation: Arc<str>,
    /// The team that pays, if any.
    pub team: Option<Arc<str>>,
    /// The person it is, or acts for.
    pub user: Option<Arc<str>>,
    /// The service account it is.
    pub service_account: Option<Arc<str>>,
    /// The agent it is.
    pub agent: Option<Arc<str>>,
    /// Who acts for whom, outermost first: empty when the caller acts for itself.
    pub act: Arc<[Actor]>,
    /// Tags its usage is counted under, as [`tags`](crate::tags) writes them.
    pub tags: Option<Arc<str>>,
    /// What it may do in the admin API; `None`: nothing.
    pub role: Option<Role>,
    /// What its access token is bound to; `None` for everybody who came with something else.
    pub access: Option<Arc<Access>>,
}

impl Principal {
    /// A caller that is nothing but a key: of the default organisation, without team, user or role.
    #[must_use]
    pub fn bare(kind: PrincipalKind, key: impl Into<KeyId>, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            key: key.into(),
            name: name.into(),
            organisation: DEFAULT_ORGANISATION.into(),
            team: None,
            user: None,
            service_account: None,
            agent: None,
            act: Arc::default(),
            tags: None,
            role: None,
            access: None,
        }
    }
}
