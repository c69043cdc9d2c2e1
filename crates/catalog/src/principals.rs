//! Who may call, resolved: organisations of teams, users, service accounts and agents; and whom a key or token stands for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{DEFAULT_ORGANISATION, Principal, PrincipalKind, Role, tags};

use crate::config::{Endpoint, Terms};
use crate::problem::did_you_mean;
use crate::written::{Algorithm, Claims, Expected};

/// What somebody may do and spend, whatever kind of principal it is.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// Models or patterns; empty: all.
    pub models: Vec<String>,
    /// MCP servers or patterns; with no toolsets either: all.
    pub mcp_servers: Vec<String>,
    /// Toolsets or patterns, besides the servers.
    pub toolsets: Vec<String>,
    /// How fast it may call and how much it may spend.
    pub terms: Terms,
    /// Tags its usage is counted under, as [`tags`] writes them.
    pub tags: Option<Arc<str>>,
}

/// A team.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its organisation.
    pub organisation: Arc<str>,
    /// What it may do and spend.
    pub means: Means,
}

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// Teams, the one that pays first.
    pub teams: Vec<Arc<str>>,
    /// The organisation.
    pub organisation: Arc<str>,
    /// What a token of this person may do in the admin API.
    pub role: Option<Role>,
    /// Mail address.
    pub email: Option<String>,
    /// What the person may do and spend.
    pub means: Means,
}

/// A service account.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// The team that pays.
    pub team: Option<Arc<str>>,
    /// The organisation.
    pub organisation: Arc<str>,
    /// What a token of it may do in the admin API.
    pub role: Option<Role>,
    /// What it may do and spend.
    pub means: Means,
}

/// An agent as a caller.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The team that pays.
    pub team: Option<Arc<str>>,
    /// The person who answers for it.
    pub owner: Option<Arc<str>>,
    /// The organisation.
    pub organisation: Arc<str>,
    /// What it may do and spend.
    pub means: Means,
}

/// Everybody the configuration declares, by name.
#[derive(Clone, Debug, Default)]
pub struct Principals {
    /// Organisations.
    pub organisations: BTreeMap<Arc<str>, Means>,
    /// Teams.
    pub teams: BTreeMap<Arc<str>, Team>,
    /// Users.
    pub users: BTreeMap<Arc<str>, User>,
    /// Service accounts.
    pub service_accounts: BTreeMap<Arc<str>, ServiceAccount>,
    /// Agents.
    pub agents: BTreeMap<Arc<str>, Agent>,
}

/// Whom a key belongs to, as written: one owner, and with a user perhaps which of its teams pays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// An organisation.
    pub organisation: Option<Arc<str>>,
    /// A team.
    pub team: Option<Arc<str>>,
    /// A user.
    pub user: Option<Arc<str>>,
    /// A service account.
    pub service_account: Option<Arc<str>>,
    /// An agent.
    pub agent: Option<Arc<str>>,
}

/// Why a key cannot belong to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderProblem {
    /// The field it is about.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Principals {
    /// The organisation that a declared team, person, service account or agent is of, by the name of its kind.
    #[must_use]
    pub fn organisation_of(&self, kind: &str, name: &str) -> Option<Arc<str>> {
        match kind {
            "teams" => self.teams.get(name).map(|team| Arc::clone(&team.organisation)),
            "users" => self.users.get(name).map(|user| Arc::clone(&user.organisation)),
            "service_accounts" => self.service_accounts.get(name).map(|account| Arc::clone(&account.organisation)),
            "agents" => self.agents.get(name).map(|agent| Arc::clone(&agent.organisation)),
            _ => None,
        }
    }

    /// Can a key belong to this holder? A team that is not declared is a mere label, and as such allowed while no team
    /// is declared at all.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, holder: &Holder) -> Result<(), HolderProblem> {
        let owners = [
            ("organisation", &holder.organisation),
            ("user", &holder.user),
            ("service_account", &holder.service_account),
            ("agent", &holder.agent),
        ];
        let mut written = owners.iter().filter_map(|(field, name)| name.is_some().then_some(*field));
        if let (Some(first), Some(second)) = (written.next(), written.next()) {
            let message = format!("a key belongs to one owner; this one has {first} and {second}");
            let hint = Some("make a key for each".to_owned());
            return Err(HolderProblem { field: second, message, hint });
        }
        self.owner_is_there(holder)?;
        if !self.teams.is_empty() {
            declared("team", holder.team.as_deref(), &self.teams)?;
        }
        self.team_is_the_owners(holder)
    }

    /// Beside another owner, `team` says which of the owner's teams pays.
    fn team_is_the_owners(&self, holder: &Holder) -> Result<(), HolderProblem> {
        let Some(team) = &holder.team else { return Ok(()) };
        if holder.organisation.is_some() {
            let message = "a team has its organisation already".to_owned();
            let hint = Some("remove `organisation`".to_owned());
            return Err(HolderProblem { field: "organisation", message, hint });
        }
        match self.teams_of(holder) {
            Some(teams) if !teams.contains(team) => {
                let hint = did_you_mean(team, teams.iter().map(|name| &**name));
                let message = format!("`{team}` is no team of this key's owner");
                Err(HolderProblem { field: "team", message, hint })
            }
            _ => Ok(()),
        }
    }

    /// The teams of the user, service account or agent that a key belongs to; `None` if it belongs to none that is declared.
    fn teams_of(&self, holder: &Holder) -> Option<&[Arc<str>]> {
        let user = holder.user.as_ref().and_then(|name| self.users.get(name));
        let account = holder.service_account.as_ref().and_then(|name| self.service_accounts.get(name));
        let agent = holder.agent.as_ref().and_then(|name| self.agents.get(name));
        user.map(|user| &*user.teams)
            .or_else(|| account.map(|account| account.team.as_slice()))
            .or_else(|| agent.map(|agent| agent.team.as_slice()))
    }

    /// Why a key that was made for this holder is nobody's any more: its owner was declared and is gone.
    ///
    /// # Errors
    /// Which owner it was.
    pub fn owner_is_there(&self, holder: &Holder) -> Result<(), HolderProblem> {
        declared("organisation", holder.organisation.as_deref(), &self.organisations)?;
        declared("user", holder.user.as_deref(), &self.users)?;
        declared("service_account", holder.service_account.as_deref(), &self.service_accounts)?;
        declared("agent", holder.agent.as_deref(), &self.agents)
    }

    /// Who a key of this holder stands for. A team that is the owner's no more pays no more: the owner's first one does. Names that
    /// are not declared any more keep their usage, and have no means.
    #[must_use]
    pub fn principal(&self, holder: &Holder, key: &str, name: &str) -> Principal {
        let mut who = Principal::bare(PrincipalKind::Service, key, name);
        who.user.clone_from(&holder.user);
        who.service_account.clone_from(&holder.service_account);
        who.agent.clone_from(&holder.agent);
        who.team = holder.team.clone().filter(|team| self.teams_of(holder).is_none_or(|teams| teams.contains(team)));
        let mut organisation = holder.organisation.clone();
        if let Some(user) = holder.user.as_ref().and_then(|name| self.users.get(name)) {
            who.kind = PrincipalKind::User;
            who.team = who.team.or_else(|| user.teams.first().cloned());
            organisation = Some(Arc::clone(&user.organisation));
        } else if holder.user.is_some() {
            who.kind = PrincipalKind::User;
        }
        if let Some(account) = holder.service_account.as_ref().and_then(|name| self.service_accounts.get(name)) {
            who.team = who.team.or_else(|| account.team.clone());
            organisation = Some(Arc::clone(&account.organisation));
        }
        if holder.agent.is_some() {
            who.kind = PrincipalKind::Agent;
        }
        if let Some(agent) = holder.agent.as_ref().and_then(|name| self.agents.get(name)) {
            who.team = who.team.or_else(|| agent.team.clone());
            organisation = Some(Arc::clone(&agent.organisation));
        }
        let team = who.team.as_ref().and_then(|name| self.teams.get(name));
        let organisation = team.map(|team| Arc::clone(&team.organisation)).or(organisation);
        who.organisation = organisation.unwrap_or_else(|| DEFAULT_ORGANISATION.into());
        who.tags = self.tags_of(&who, None);
        who
    }

    /// The means of everybody a caller is, from the widest to the narrowest.
    pub fn means_of<'a>(&'a self, who: &Principal) -> impl Iterator<Item = &'a Means> {
        let team = who.team.as_ref().and_then(|name| self.teams.get(name)).map(|team| &team.means);
        let user = who.user.as_ref().and_then(|name| self.users.get(name)).map(|user| &user.means);
        let account = who.service_account.as_ref().and_then(|name| self.service_accounts.get(name));
        let agent = who.agent.as_ref().and_then(|name| self.agents.get(name)).map(|agent| &agent.means);
        let all = [self.organisations.get(&who.organisation), team, user, account.map(|account| &account.means), agent];
        all.into_iter().flatten()
    }

    /// The tags of everybody a caller is, the narrower over the wider, and those of its key over all.
    #[must_use]
    pub fn tags_of(&self, who: &Principal, key: Option<&str>) -> Option<Arc<str>> {
        let texts: Vec<&str> = self.means_of(who).filter_map(|means| means.tags.as_deref()).chain(key).collect();
        // Each of them was read by the same rules; together they can only be too many, and then the key's own stay.
        tags(texts).unwrap_or_else(|| key.map(Arc::from))
    }
}

fn declared<V>(field: &'static str, name: Option<&str>, known: &BTreeMap<Arc<str>, V>) -> Result<(), HolderProblem> {
    let Some(name) = name.filter(|name| !known.contains_key(*name)) else { return Ok(()) };
    let what = field.replace('_', " ");
    let hint = did_you_mean(name, known.keys().map(|name| &**name))
        .or_else(|| known.is_empty().then(|| format!("declare it under `{field}s`")));
    Err(HolderProblem { field, message: format!("there is no {what} `{name}`"), hint })
}

/// An issuer of signed tokens.
#[derive(Clone, Debug)]
pub struct JwtIssuer {
    /// The claim `iss`.
    pub issuer: String,
    /// Accepted values of the claim `aud`; never empty.
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub jwks: JwksSource,
    /// How its tokens may be signed; never empty.
    pub algorithms: Vec<Algorithm>,
    /// Which claim says what.
    pub claims: Arc<Claims>,
    /// Claims a token must have.
    pub require: BTreeMap<String, Expected>,
    /// How far its clock may be off.
    pub leeway: Duration,
    /// How long its keys are used after it could last be reached.
    pub max_stale: Duration,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// Behind a URL.
    Url(Endpoint),
    /// In a file.
    File(std::path::PathBuf),
}
