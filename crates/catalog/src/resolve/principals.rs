//! `organisations`, `teams`, `users`, `service_accounts`, `agents`: names, references and means.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_domain::{DEFAULT_ORGANISATION, tags};

use super::limits;
use super::mcp::Servers;
use crate::check::{Check, nth};
use crate::pattern::Names;
use crate::principals::{Agent, Means, Principals, ServiceAccount, Team, User};
use crate::written::{self, File, Model};

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 255;

/// Everybody the file declares.
pub(super) fn all(file: &mut File, check: &mut Check) -> Principals {
    let (models, mcp) = (Names::of(&file.models), Servers::of(file));
    let usable = Usable { models: &models, mcp: &mcp };
    let names = Known::of(file);
    let mut principals = Principals::default();
    for (name, written) in std::mem::take(&mut file.organisations) {
        let path = named("organisations", &name, check);
        let lists = [written.models, written.mcp_servers, written.toolsets];
        let means = usable.means(&path, Written(lists, written.limits, written.budgets, written.tags), check);
        principals.organisations.insert(name.into(), means);
    }
    for (name, written) in std::mem::take(&mut file.teams) {
        let path = named("teams", &name, check);
        let organisation = names.organisation(&path, written.organisation, check);
        for (n, member) in written.members.iter().enumerate() {
            names.user(&nth(&format!("{path}.members"), n), member, check);
        }
        let lists = [written.models, written.mcp_servers, written.toolsets];
        let means = usable.means(&path, Written(lists, written.limits, written.budgets, written.tags), check);
        principals.teams.insert(name.into(), Team { organisation: or_default(organisation), means });
    }
    for (name, written) in std::mem::take(&mut file.users) {
        let user = user(&name, written, &names, &principals, &usable, check);
        principals.users.insert(name.into(), user);
    }
    for (name, written) in std::mem::take(&mut file.service_accounts) {
        let path = named("service_accounts", &name, check);
        let team = names.team(&format!("{path}.team"), written.team, check);
        let organisation = names.organisation(&path, written.organisation, check);
        let organisation = home(&path, &team, organisation, &principals, check);
        let lists = [written.models, written.mcp_servers, written.toolsets];
        let means = usable.means(&path, Written(lists, written.limits, written.budgets, written.tags), check);
        let account = ServiceAccount { team, organisation, role: written.role.map(Into::into), means };
        principals.service_accounts.insert(name.into(), account);
    }
    for (name, written) in std::mem::take(&mut file.agents) {
        let path = named("agents", &name, check);
        for (field, later) in [("url", &written.url), ("card_url", &written.card_url)] {
            if later.is_some() {
                let message = "has no effect yet: calls to agents come with a later release";
                check.warn(&format!("{path}.{field}"), message, None);
            }
        }
        let team = names.team(&format!("{path}.team"), written.team, check);
        if let Some(owner) = &written.owner {
            names.user(&format!("{path}.owner"), owner, check);
        }
        let organisation = names.organisation(&path, written.organisation, check);
        let organisation = home(&path, &team, organisation, &principals, check);
        let lists = [written.models, written.mcp_servers, written.toolsets];
        let means = usable.means(&path, Written(lists, written.limits, written.budgets, written.tags), check);
        let agent = Agent { team, owner: written.owner.map(Into::into), organisation, means };
        principals.agents.insert(name.into(), agent);
    }
    principals
}

fn user(
    name: &str,
    written: written::User,
    names: &Known,
    principals: &Principals,
    usable: &Usable<'_>,
    check: &mut Check,
) -> User {
    let path = named("users", name, check);
    let mut teams: Vec<Arc<str>> = Vec::new();
    let first = names.team(&format!("{path}.team"), written.team, check);
    let others = written.teams.into_iter().enumerate();
    let others: Vec<_> =
        others.filter_map(|(n, team)| names.team(&nth(&format!("{path}.teams"), n), Some(team), check)).collect();
    let memberships = names.memberships.get(name).into_iter().flatten().map(|team| Arc::from(team.as_str()));
    for team in first.into_iter().chain(others).chain(memberships) {
        if !teams.contains(&team) {
            teams.push(team);
        }
    }
    let organisation = names.organisation(&path, written.organisation, check);
    let organisation = home(&path, &teams.first().cloned(), organisation, principals, check);
    for team in teams.iter().skip(1).filter_map(|name| principals.teams.get_key_value(name)) {
        if team.1.organisation != organisation {
            let message =
                format!("team `{}` is of organisation `{}`, not `{organisation}`", team.0, team.1.organisation);
            check.error_at(&path, message, Some("a person is of one organisation".to_owned()));
        }
    }
    let lists = [const { Vec::new() }; 3];
    let means = usable.means(&path, Written(lists, written.limits, written.budgets, written.tags), check);
    User { teams, organisation, role: written.role.map(Into::into), email: written.email, means }
}

/// The organisation of somebody: its team's, else the one written.
fn home(
    path: &str,
    team: &Option<Arc<str>>,
    written: Option<Arc<str>>,
    principals: &Principals,
    check: &mut Check,
) -> Arc<str> {
    let of_team = team.as_ref().and_then(|name| principals.teams.get(name)).map(|team| &team.organisation);
    match (of_team, written) {
        (Some(one), Some(other)) if *one != other => {
            let message = format!("the team is of organisation `{one}`");
            check.error_at(&format!("{path}.organisation"), message, Some("remove it: the team says it".to_owned()));
            Arc::clone(one)
        }
        (Some(one), _) => Arc::clone(one),
        (None, written) => or_default(written),
    }
}

fn or_default(organisation: Option<Arc<str>>) -> Arc<str> {
    organisation.unwrap_or_else(|| DEFAULT_ORGANISATION.into())
}

/// The path of an entry, whose name is looked at.
fn named(section: &str, name: &str, check: &mut Check) -> String {
    let path = format!("{section}.{name}");
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        check.error_at(&path, message, None);
    }
    path
}

/// Models, MCP servers and toolsets, limits, budgets and tags as written.
struct Written([Vec<String>; 3], Vec<written::Limit>, Vec<written::Budget>, BTreeMap<String, String>);

/// What there is to use.
struct Usable<'a> {
    models: &'a Names<'a, Model>,
    mcp: &'a Servers,
}

impl Usable<'_> {
    fn means(&self, path: &str, written: Written, check: &mut Check) -> Means {
        let Written([models, mcp_servers, toolsets], limits, budgets, tags) = written;
        known_models(path, &models, self.models, check);
        self.mcp.known(path, &mcp_servers, &toolsets, check);
        Means {
            models,
            mcp_servers,
            toolsets,
            terms: limits::terms(path, limits, budgets, self.models, check),
            tags: known_tags(path, &tags, check),
        }
    }
}

/// Every model of a list is there.
pub(super) fn known_models(path: &str, models: &[String], names: &Names<'_, Model>, check: &mut Check) {
    for (n, name) in models.iter().enumerate() {
        if !names.meets(name) && !check.positions.has(&format!("models.{name}")) {
            let hint = check.near(name, names.all());
            check.error_at(&nth(&format!("{path}.models"), n), format!("there is no model `{name}`"), hint);
        }
    }
}

/// Tags in their one form.
pub(super) fn known_tags(path: &str, written: &BTreeMap<String, String>, check: &mut Check) -> Option<Arc<str>> {
    let pairs: Vec<String> = written.iter().map(|(name, value)| format!("{name}={value}")).collect();
    match tags(pairs.iter().map(String::as_str)) {
        // A comma inside a value would make two tags of one.
        Some(tags) if !pairs.iter().any(|pair| pair.contains(',')) => tags,
        _ => {
            let hint = "up to 16, names and values of up to 64 letters, digits and `._-/:`".to_owned();
            check.error_at(&format!("{path}.tags"), "not all of these are tags", Some(hint));
            None
        }
    }
}

/// The names each section declares, for references from anywhere to anywhere.
struct Known {
    organisations: Vec<String>,
    teams: Vec<String>,
    users: Vec<String>,
    /// The teams that name a user among their members.
    memberships: BTreeMap<String, Vec<String>>,
}

impl Known {
    fn of(file: &File) -> Self {
        let mut memberships: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (team, written) in &file.teams {
            for member in &written.members {
                memberships.entry(member.clone()).or_default().push(team.clone());
            }
        }
        Self {
            organisations: file.organisations.keys().cloned().collect(),
            teams: file.teams.keys().cloned().collect(),
            users: file.users.keys().cloned().collect(),
            memberships,
        }
    }

    fn organisation(&self, path: &str, name: Option<String>, check: &mut Check) -> Option<Arc<str>> {
        let name = name.filter(|name| !name.is_empty())?;
        look_up(&format!("{path}.organisation"), "organisation", &name, &self.organisations, check);
        Some(name.into())
    }

    fn team(&self, path: &str, name: Option<String>, check: &mut Check) -> Option<Arc<str>> {
        let name = name.filter(|name| !name.is_empty())?;
        look_up(path, "team", &name, &self.teams, check);
        Some(name.into())
    }

    fn user(&self, path: &str, name: &str, check: &mut Check) {
        look_up(path, "user", name, &self.users, check);
    }
}

fn look_up(path: &str, what: &str, name: &str, known: &[String], check: &mut Check) {
    if known.iter().any(|known| known == name) || check.positions.has(&format!("{what}s.{name}")) {
        return;
    }
    let near = check.near(name, known.iter().map(String::as_str));
    let hint = near.or_else(|| Some(format!("declare it under `{what}s`")));
    check.error_at(path, format!("there is no {what} `{name}`"), hint);
}
