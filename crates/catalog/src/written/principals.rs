//! `organisations`, `teams`, `users`, `service_accounts`, `agents`: who keys and tokens stand for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Limit};

/// An organisation: everything of its teams and people belongs to it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Organisation {
    /// Models its members may use; `*` at the end of a name takes every model that starts so. Empty: all.
    pub models: Vec<String>,
    /// MCP servers its members may use, all their tools. Without this and `toolsets`: all.
    pub mcp_servers: Vec<String>,
    /// Toolsets its members may use, besides `mcp_servers`.
    pub toolsets: Vec<String>,
    /// How fast all its calls together may come.
    pub limits: Vec<Limit>,
    /// How much all its calls together may spend.
    pub budgets: Vec<Budget>,
    /// Tags its usage is counted under.
    pub tags: BTreeMap<String, String>,
}

/// A team: who pays.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    /// A name from `organisations`. Without it: the organisation `default`.
    pub organisation: Option<String>,
    /// Names from `users`; a user may also name its teams itself.
    pub members: Vec<String>,
    /// Models its members may use. Empty: all of the organisation's.
    pub models: Vec<String>,
    /// MCP servers its members may use, all their tools. Without this and `toolsets`: all.
    pub mcp_servers: Vec<String>,
    /// Toolsets its members may use, besides `mcp_servers`.
    pub toolsets: Vec<String>,
    /// How fast all its calls together may come.
    pub limits: Vec<Limit>,
    /// How much all its calls together may spend.
    pub budgets: Vec<Budget>,
    /// Tags its usage is counted under.
    pub tags: BTreeMap<String, String>,
}

/// A person. The name is what a token's `user` claim says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// The team that pays; short for `teams` with one name.
    pub team: Option<String>,
    /// The person's teams. The first one pays where nothing else is said.
    pub teams: Vec<String>,
    /// The organisation of somebody without a team.
    pub organisation: Option<String>,
    /// What the person may do in the admin API with a token. Keys say it themselves.
    pub role: Option<Role>,
    /// Mail address, for reports.
    pub email: Option<String>,
    /// How fast all the person's calls together may come.
    pub limits: Vec<Limit>,
    /// How much all the person's calls together may spend.
    pub budgets: Vec<Budget>,
    /// Tags the person's usage is counted under.
    pub tags: BTreeMap<String, String>,
}

/// A caller that is no person: a job, a server, a pipeline.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceAccount {
    /// The team that pays.
    pub team: Option<String>,
    /// The organisation of an account without a team.
    pub organisation: Option<String>,
    /// What it may do in the admin API with a token. Keys say it themselves.
    pub role: Option<Role>,
    /// Models it may use. Empty: all of the team's.
    pub models: Vec<String>,
    /// MCP servers it may use, all their tools. Without this and `toolsets`: all.
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use, besides `mcp_servers`.
    pub toolsets: Vec<String>,
    /// How fast all its calls together may come.
    pub limits: Vec<Limit>,
    /// How much all its calls together may spend.
    pub budgets: Vec<Budget>,
    /// Tags its usage is counted under.
    pub tags: BTreeMap<String, String>,
}

/// An agent: as a caller, and as somebody who can be called.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Where it is called (A2A). Comes with a later release.
    pub url: Option<String>,
    /// Where its card is, if not at the well-known path. Comes with a later release.
    pub card_url: Option<String>,
    /// The team that pays for its own calls.
    pub team: Option<String>,
    /// The organisation of an agent without a team.
    pub organisation: Option<String>,
    /// The person who answers for it: a name from `users`.
    pub owner: Option<String>,
    /// Models it may use. Empty: all of the team's.
    pub models: Vec<String>,
    /// MCP servers it may use, all their tools. Without this and `toolsets`: all.
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use, besides `mcp_servers`.
    pub toolsets: Vec<String>,
    /// How fast all its calls together may come, whoever it acts for.
    pub limits: Vec<Limit>,
    /// How much all its calls together may spend, whoever it acts for.
    pub budgets: Vec<Budget>,
    /// Tags its usage is counted under.
    pub tags: BTreeMap<String, String>,
}

/// What somebody may do in the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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

impl From<Role> for gatehouse_domain::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Auditor => Self::Auditor,
            Role::TeamLead => Self::TeamLead,
            Role::Developer => Self::Developer,
            Role::Viewer => Self::Viewer,
        }
    }
}
