//! Organisations keep to themselves. What the database declares for one that does not run this instance is about its own
//! teams, people and agents: nobody makes somebody of another organisation, or takes a person out of one.

use gatehouse_domain::DEFAULT_ORGANISATION;

use crate::check::{Check, nth};
use crate::objects::Declared;
use crate::written::{File, User};

/// Reports what an organisation declares beyond itself.
pub(crate) fn check(file: &File, declared: &[Declared<'_>], check: &mut Check) {
    for object in declared.iter().filter(|object| object.organisation != DEFAULT_ORGANISATION) {
        let Some(path) = check.path_of(object.kind, object.name) else { continue };
        if object.kind.of_instance {
            let hint = format!("that is `{DEFAULT_ORGANISATION}`; what it is about concerns everybody");
            check.error_at(&path, "only the organisation that runs this instance may declare this", Some(hint));
        } else {
            of_its_own(file, object, &path, check);
        }
    }
}

fn of_its_own(file: &File, object: &Declared<'_>, path: &str, check: &mut Check) {
    let homes = Homes { file };
    let home = match object.kind.name {
        "teams" => file.teams.get(object.name).map(|team| {
            members(file, object, path, check);
            or_default(team.organisation.as_deref())
        }),
        "users" => file.users.get(object.name).map(|user| homes.of_user(user)),
        "service_accounts" => {
            let account = file.service_accounts.get(object.name);
            account.map(|account| homes.of(account.team.as_deref(), account.organisation.as_deref()))
        }
        "agents" => {
            let agent = file.agents.get(object.name);
            agent.map(|agent| homes.of(agent.team.as_deref(), agent.organisation.as_deref()))
        }
        _ => None,
    };
    if home.is_some_and(|home| home != object.organisation) {
        let hint = format!("write `organisation: {}`, or one of its teams", object.organisation);
        check.error_at(path, "this would be of another organisation than yours", Some(hint));
    }
}

/// A team that names somebody makes them its own, so they must be already.
fn members(file: &File, object: &Declared<'_>, path: &str, check: &mut Check) {
    let homes = Homes { file };
    let named = file.teams.get(object.name).map(|team| team.members.as_slice()).unwrap_or_default();
    for (n, member) in named.iter().enumerate() {
        // Somebody who is not declared is reported where names are looked up.
        let Some(user) = file.users.get(member) else { continue };
        if homes.of_user(user) != object.organisation {
            let hint = Some("the person itself has to name the organisation, or another team of it".to_owned());
            check.error_at(&nth(&format!("{path}.members"), n), format!("`{member}` is of another organisation"), hint);
        }
    }
}

/// Where people are by their own words, not by those of teams that name them.
struct Homes<'a> {
    file: &'a File,
}

impl<'a> Homes<'a> {
    fn of_user(&self, user: &'a User) -> &'a str {
        let team = user.team.as_deref().or_else(|| user.teams.first().map(String::as_str));
        self.of(team, user.organisation.as_deref())
    }

    fn of(&self, team: Option<&str>, organisation: Option<&'a str>) -> &'a str {
        let team = team.and_then(|name| self.file.teams.get(name));
        or_default(team.map_or(organisation, |team| team.organisation.as_deref()))
    }
}

fn or_default(organisation: Option<&str>) -> &str {
    organisation.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_ORGANISATION)
}
