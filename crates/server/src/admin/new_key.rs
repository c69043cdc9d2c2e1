//! A key to make: what is asked for, held against what there is.

use gatehouse_catalog::{Budget, Limit};
use gatehouse_domain::{Code, IpRange, Role, tags};
use gatehouse_store::NewKey;
use gatehouse_store::keys::Minted;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::auth::{Granted, Whose};
use super::error::ApiError;
use super::moment;
use super::rights::{self, Reach};
use super::terms::{self, BudgetWords, LimitWords};
use crate::control::{Control, Holder};

/// Characters of a name.
const NAME_MAX: usize = 128;
/// Models, limits or budgets of one key.
const TERMS_MAX: usize = 256;

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateKey {
    /// What people call it.
    name: String,
    /// The organisation it belongs to. A key has one owner: organisation, team, user, service account or agent.
    #[serde(default)]
    organisation: Option<String>,
    /// The team that pays. Beside another owner: which of the owner's teams.
    #[serde(default)]
    team: Option<String>,
    /// The person it belongs to.
    #[serde(default)]
    user: Option<String>,
    /// The service account it belongs to.
    #[serde(default)]
    service_account: Option<String>,
    /// The agent it belongs to.
    #[serde(default)]
    agent: Option<String>,
    /// Models it may use: names and `prefix*`; none means all.
    #[serde(default)]
    models: Vec<String>,
    /// MCP servers it may use; none means all. Has no effect yet.
    #[serde(default)]
    mcp_servers: Vec<String>,
    /// Toolsets it may use; none means all. Has no effect yet.
    #[serde(default)]
    toolsets: Vec<String>,
    /// Agents it may call; none means all. Has no effect yet.
    #[serde(default)]
    agents: Vec<String>,
    /// Addresses it may be used from (`10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`); none means any.
    #[serde(default)]
    ip_ranges: Vec<String>,
    /// Tags its usage is counted under: `env=prod,job=nightly`.
    #[serde(default)]
    tags: Option<String>,
    /// What it may do in the admin API: owner, admin, auditor, team_lead, developer or viewer. Without it: nothing.
    #[serde(default)]
    role: Option<String>,
    /// How fast it may call.
    #[serde(default)]
    #[schema(value_type = Vec<LimitWords>)]
    limits: Vec<Limit>,
    /// How much it may spend.
    #[serde(default)]
    #[schema(value_type = Vec<BudgetWords>)]
    budgets: Vec<Budget>,
    /// The first moment it no longer works: `2027-01-01` (UTC) or `2027-01-01T12:00:00Z`.
    #[serde(default)]
    expires: Option<String>,
}

impl CreateKey {
    /// As asked for by somebody: who names no owner means what is within the own reach, and nobody gives away what is
    /// another's.
    pub(crate) fn by(mut self, control: &Control, granted: &Granted) -> Result<Self, ApiError> {
        let actor = &granted.actor;
        let Holder { organisation, team, user, service_account, agent } = self.holder();
        let unnamed = organisation.or(user).or(service_account).or(agent).is_none();
        match granted.reach {
            Reach::Own if unnamed => self.user = actor.user.as_deref().map(str::to_owned),
            Reach::Team if unnamed && team.is_none() => self.team = actor.team.as_deref().map(str::to_owned),
            Reach::All if unnamed && team.is_none() && !actor.runs_the_instance() => {
                self.organisation = Some(actor.organisation.to_string());
            }
            _ => {}
        }
        if !granted.sees(Whose::of(&control.operations.stands_for(&self.holder()))) {
            let hint = "Leave the owner out, or name yourself or your own team.";
            return Err(ApiError::new(Code::NotAllowed, "This key would belong to somebody else.", hint));
        }
        match self.role.as_deref().map(str::parse::<Role>) {
            Some(Ok(role)) if !rights::gives(actor.role, role) => {
                let message = format!("The role {} may not make keys with the role {role}.", actor.role);
                Err(ApiError::new(Code::NotAllowed, message, "Leave `role` out, or ask somebody who has it."))
            }
            _ => Ok(self),
        }
    }

    /// Refuses what has no meaning.
    pub(crate) fn check(self, control: &Control, now: u64) -> Result<Checked, ApiError> {
        let texts = [
            ("name", Some(&self.name)),
            ("organisation", self.organisation.as_ref()),
            ("team", self.team.as_ref()),
            ("user", self.user.as_ref()),
            ("service_account", self.service_account.as_ref()),
            ("agent", self.agent.as_ref()),
        ];
        for (field, text) in texts {
            if text.is_some_and(|text| text.chars().count() > NAME_MAX || text.chars().any(char::is_control)) {
                return Err(ApiError::invalid(
                    format!("{field} is too long or has control characters."),
                    format!("At most {NAME_MAX} characters."),
                ));
            }
        }
        if self.name.trim().is_empty() {
            return Err(ApiError::invalid("name is empty.", "Give the key a name for reports."));
        }
        let counts = [
            self.models.len(),
            self.mcp_servers.len(),
            self.toolsets.len(),
            self.agents.len(),
            self.ip_ranges.len(),
            self.limits.len(),
            self.budgets.len(),
        ];
        if counts.into_iter().any(|count| count > TERMS_MAX) {
            return Err(ApiError::invalid("There are too many models, limits or budgets.", "At most 256 of each."));
        }
        let terms = terms::check(&self.limits, &self.budgets)?;
        let known = control.operations.models();
        let unknown = |name: &&str| !known.iter().any(|model| meet(model, name));
        let unknown = self.models.iter().map(String::as_str).chain(terms.downgrades()).find(unknown);
        if let Some(name) = unknown {
            return Err(ApiError::new(
                Code::UnknownModel,
                format!("There is no model {name:?}."),
                "GET /api/v1/models lists them; `prefix*` stands for every model that starts so.",
            ));
        }
        let ip_ranges = self.ip_ranges.iter().map(|text| text.parse::<IpRange>().map(|range| range.to_string()));
        let ip_ranges = ip_ranges.collect::<Result<Vec<_>, _>>().map_err(|problem| {
            ApiError::invalid("ip_ranges has something that is no range of addresses.", format!("It is {problem}."))
        })?;
        let tags = match self.tags.as_deref().map(|text| tags([text])) {
            None => None,
            Some(Some(tags)) => tags.map(|tags| tags.to_string()),
            Some(None) => {
                let hint = "Up to 16 like `env=prod,job=nightly`: letters, digits and `._-/:`, 64 of them at most.";
                return Err(ApiError::invalid("tags is no list of tags.", hint));
            }
        };
        let role = self.role.as_deref().map(str::parse::<Role>).transpose();
        let role = role.map_err(|problem| ApiError::invalid("role is no role.", format!("{problem}.")))?;
        let expires_unix_ms = self.expires.as_deref().map(|text| expiry(text, now)).transpose()?;
        let holder = self.holder();
        control.operations.check_holder(&holder).map_err(|wrong| ApiError::invalid(wrong.message, wrong.hint))?;
        Ok(Checked { wanted: self, holder, ip_ranges, tags, role, expires_unix_ms })
    }

    fn holder(&self) -> Holder {
        let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        Holder {
            organisation: given(&self.organisation),
            team: given(&self.team),
            user: given(&self.user),
            service_account: given(&self.service_account),
            agent: given(&self.agent),
        }
    }
}

fn expiry(text: &str, now: u64) -> Result<u64, ApiError> {
    match moment::point(text).and_then(|moment| u64::try_from(moment.as_millisecond()).ok()) {
        Some(moment) if moment > now => Ok(moment),
        Some(_) => Err(ApiError::invalid("expires is in the past.", "Such a key would never work.")),
        None => Err(ApiError::invalid("expires is not a date.", "Write 2027-01-01 or 2027-01-01T12:00:00Z.")),
    }
}

/// A key that can be made.
pub(crate) struct Checked {
    wanted: CreateKey,
    holder: Holder,
    ip_ranges: Vec<String>,
    tags: Option<String>,
    role: Option<Role>,
    expires_unix_ms: Option<u64>,
}

impl Checked {
    /// As it is stored.
    pub(crate) fn key(self, id: String, minted: &Minted, hash: [u8; 32], now: u64) -> Result<NewKey, ApiError> {
        let Self { wanted, holder, ip_ranges, tags, role, expires_unix_ms } = self;
        Ok(NewKey {
            id,
            name: wanted.name,
            shown: minted.shown.clone(),
            hash,
            organisation: holder.organisation,
            team: holder.team,
            user: holder.user,
            service_account: holder.service_account,
            agent: holder.agent,
            models: wanted.models,
            mcp_servers: wanted.mcp_servers,
            toolsets: wanted.toolsets,
            agents: wanted.agents,
            ip_ranges,
            tags,
            role: role.map(|role| role.as_str().to_owned()),
            limits: raw(&wanted.limits)?,
            budgets: raw(&wanted.budgets)?,
            created_unix_ms: now,
            expires_unix_ms,
        })
    }
}

/// Could the two mean the same model? Either may end in `*`.
fn meet(model: &str, pattern: &str) -> bool {
    match (model.strip_suffix('*'), pattern.strip_suffix('*')) {
        (None, None) => model == pattern,
        (Some(prefix), None) => pattern.starts_with(prefix),
        (None, Some(prefix)) => model.starts_with(prefix),
        (Some(a), Some(b)) => a.starts_with(b) || b.starts_with(a),
    }
}

fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, ApiError> {
    serde_json::value::to_raw_value(value)
        .map_err(|error| ApiError::invalid(error.to_string(), "Numbers must be finite."))
}
