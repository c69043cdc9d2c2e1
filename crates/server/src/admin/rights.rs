//! Who may do what: one row per route, one column per role. A route without a row is refused to everybody, and the test that
//! walks the OpenAPI document fails.
//!
//! Rows are looked up by the route that axum matched, never by the raw path. Whatever a cell says, nobody reaches beyond
//! the own organisation; [`Granted`](super::auth::Granted) carries the reach to the handlers.

use gatehouse_domain::Role;

use super::actor::Actor;

/// How far a role reaches on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Refused.
    Nothing,
    /// What belongs to the caller.
    Own,
    /// What belongs to the caller's team.
    Team,
    /// Everything of the organisation.
    All,
}

/// Reaches by role, in the order of the columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    reach: [Reach; 6],
    /// About the instance itself: only for those of the organisation that runs it.
    pub(crate) instance: bool,
}

use Reach::{All as A, Nothing as N, Own as O, Team as T};

//                                  owner admin auditor team_lead developer viewer
const CATALOGUE: Row = Row { reach: [A, A, A, A, A, A], instance: false };
const READ: Row = Row { reach: [A, A, A, N, N, N], instance: false };
const WRITE: Row = Row { reach: [A, A, N, N, N, N], instance: false };
const READ_OWN: Row = Row { reach: [A, A, A, T, O, N], instance: false };
const WRITE_OWN: Row = Row { reach: [A, A, N, T, O, N], instance: false };
const READ_INSTANCE: Row = Row { reach: [A, A, A, N, N, N], instance: true };
const WRITE_INSTANCE: Row = Row { reach: [A, A, N, N, N, N], instance: true };
const OWNERS: Row = Row { reach: [A, N, N, N, N, N], instance: true };

/// Routes with handlers of their own.
const ROUTES: &[(&str, &str, Row)] = &[
    ("GET", "/openapi.json", CATALOGUE),
    ("GET", "/whoami", CATALOGUE),
    ("GET", "/keys", READ_OWN),
    ("POST", "/keys", WRITE_OWN),
    ("GET", "/keys/{id}", READ_OWN),
    ("DELETE", "/keys/{id}", WRITE_OWN),
    ("POST", "/keys/{id}/rotate", WRITE_OWN),
    ("GET", "/usage", READ_OWN),
    ("GET", "/requests", READ_OWN),
    ("GET", "/requests/{id}", READ_OWN),
    ("GET", "/runs/{run}", READ_OWN),
    ("GET", "/audit", READ),
    // Every chain, of every organisation.
    ("GET", "/audit/verify", READ_INSTANCE),
    ("GET", "/audit/export", READ_INSTANCE),
    ("GET", "/attempts", READ_OWN),
    // The ledger as a whole, of every organisation.
    ("GET", "/budgets", READ_INSTANCE),
    ("GET", "/usage/export", READ_INSTANCE),
    ("POST", "/usage/reprice", WRITE_INSTANCE),
    ("POST", "/apply", WRITE),
    ("GET", "/secrets", READ),
    ("GET", "/secrets/{name}", READ),
    ("PUT", "/secrets/{name}", WRITE),
    ("DELETE", "/secrets/{name}", WRITE),
    ("POST", "/master_key/rotate", WRITE_INSTANCE),
    ("GET", "/price", CATALOGUE),
    ("GET", "/breakers", READ_INSTANCE),
    ("POST", "/breakers/reset", WRITE_INSTANCE),
    ("GET", "/config", READ_INSTANCE),
    ("POST", "/config/reload", OWNERS),
    ("POST", "/policy/explain", READ_INSTANCE),
    ("POST", "/policy/replay", READ_INSTANCE),
    ("GET", "/health", READ_INSTANCE),
    ("GET", "/mcp/servers", READ_INSTANCE),
    ("POST", "/mcp/servers/{name}/refresh", WRITE_INSTANCE),
    ("GET", "/mcp/findings", READ_INSTANCE),
    ("GET", "/mcp/explain", READ_INSTANCE),
    ("GET", "/mcp/connections", READ),
    ("POST", "/mcp/connections/{id}/revoke", WRITE),
    ("GET", "/mcp/pins", READ_INSTANCE),
    ("GET", "/mcp/pins/diff", READ_INSTANCE),
    ("POST", "/mcp/pins/approve", WRITE_INSTANCE),
    ("POST", "/mcp/pins/rollback", WRITE_INSTANCE),
    // Clients are of no organisation: whoever asks people for access is known to all of them.
    ("GET", "/oauth/clients", READ_INSTANCE),
    ("POST", "/oauth/clients/{id}/revoke", WRITE_INSTANCE),
    ("GET", "/oauth/grants", READ),
    ("POST", "/oauth/grants/{id}/revoke", WRITE),
    ("POST", "/oauth/keys/rotate", WRITE_INSTANCE),
];

/// Kinds of object: who reads them, who changes them.
const KINDS: &[(&str, Row, Row)] = &[
    ("agents", READ, WRITE),
    // These look at everybody's texts, count everybody's calls and decide over everybody.
    ("guardrails", READ_INSTANCE, WRITE_INSTANCE),
    ("limits", READ_INSTANCE, WRITE_INSTANCE),
    ("mcp_servers", READ, WRITE),
    ("models", CATALOGUE, WRITE),
    ("organisations", READ_INSTANCE, WRITE_INSTANCE),
    ("policies", READ_INSTANCE, WRITE_INSTANCE),
    ("prices", CATALOGUE, WRITE),
    ("providers", READ, WRITE),
    ("service_accounts", READ, WRITE),
    ("teams", READ, WRITE),
    ("toolsets", CATALOGUE, WRITE),
    ("users", READ, WRITE),
];

/// The kinds of object there are rows for.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, ..)| *name)
}

/// The row of a route: its method, and its path with the names of its parameters.
pub(crate) fn row(method: &str, path: &str) -> Option<Row> {
    let method = if method == "HEAD" { "GET" } else { method };
    if let Some((.., row)) = ROUTES.iter().find(|(m, p, _)| (*m, *p) == (method, path)) {
        return Some(*row);
    }
    let kind = path.strip_prefix('/')?;
    let (kind, one) = kind.strip_suffix("/{name}").map_or((kind, false), |kind| (kind, true));
    let (_, read, write) = KINDS.iter().find(|(name, ..)| *name == kind)?;
    match (method, one) {
        ("GET", _) => Some(*read),
        ("PUT" | "DELETE", true) => Some(*write),
        _ => None,
    }
}

impl Row {
    /// How far somebody reaches.
    pub(crate) fn reach(self, actor: &Actor) -> Reach {
        if self.instance && !actor.runs_the_instance() { Reach::Nothing } else { self.of(actor.role) }
    }

    /// How far a role reaches.
    pub(crate) const fn of(self, role: Role) -> Reach {
        let column = match role {
            Role::Owner => 0,
            Role::Admin => 1,
            Role::Auditor => 2,
            Role::TeamLead => 3,
            Role::Developer => 4,
            Role::Viewer => 5,
        };
        self.reach[column]
    }
}

/// May somebody of one role make a key of another? Nobody gives more than there is to give, and who only reads gives
/// nothing.
pub(crate) const fn gives(giver: Role, given: Role) -> bool {
    match giver {
        Role::Owner => true,
        Role::Admin => !matches!(given, Role::Owner),
        Role::TeamLead => matches!(given, Role::TeamLead | Role::Developer | Role::Viewer),
        Role::Developer => matches!(given, Role::Developer | Role::Viewer),
        Role::Auditor | Role::Viewer => false,
    }
}

/// Is there any method on this route?
pub(crate) fn knows(path: &str) -> bool {
    ["GET", "POST", "PUT", "DELETE"].into_iter().any(|method| row(method, path).is_some())
}
