//! Whom keys and tokens stand for: from what is declared to the principals and permits of the path.

use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_catalog::principals::{Holder, JwtIssuer, Means, Principals};
use gatehouse_catalog::{Config, Loaded, written};
use gatehouse_domain::{Actor, Code, Fault, Now, Principal, PrincipalKind, Role};
use gatehouse_pipeline::KeyEntry;
use gatehouse_pipeline::identity::Welcome;
use gatehouse_policy::identity::{Algorithm, ClaimNames, Expected, Identity, Issuer};
use gatehouse_policy::{Patterns, Permit, ToolLists, Tree};

/// What is pinned of an issuer, in the words of the one who verifies.
pub(super) fn pinned(issuer: &JwtIssuer) -> Issuer {
    let expected = |expected: &written::Expected| match expected {
        written::Expected::Flag(flag) => Expected::Flag(*flag),
        written::Expected::One(text) => Expected::AnyOf(vec![text.clone()]),
        written::Expected::Many(texts) => Expected::AnyOf(texts.clone()),
    };
    let claims = &issuer.claims;
    Issuer {
        issuer: issuer.issuer.clone(),
        audiences: issuer.audiences.clone(),
        algorithms: issuer.algorithms.iter().filter_map(|by| by.as_str().parse::<Algorithm>().ok()).collect(),
        claims: ClaimNames {
            user: claims.user.clone(),
            team: claims.team.clone(),
            organisation: claims.organisation.clone(),
            role: claims.role.clone(),
            agent: claims.agent.clone(),
        },
        require: issuer.require.iter().map(|(claim, value)| (claim.clone(), expected(value))).collect(),
        leeway_secs: issuer.leeway.as_secs(),
        own: false,
    }
}

/// The models a caller may use as far as those it belongs to say.
pub(super) fn models(principals: &Principals, who: &Principal) -> Patterns {
    principals.means_of(who).fold(Patterns::default(), |models, means| models.narrowed(&means.models))
}

/// The tools a caller may use as far as those it belongs to say.
pub(super) fn tools(principals: &Principals, who: &Principal) -> ToolLists {
    let narrowed = |tools: ToolLists, means: &Means| tools.narrowed(&means.mcp_servers, &means.toolsets);
    principals.means_of(who).fold(ToolLists::default(), narrowed)
}

/// Takes holders of good tokens for whom the configuration declares, with the limits and budgets of everybody they are.
pub(super) fn welcome(loaded: Arc<Loaded>, tree: Arc<Tree>) -> Box<Welcome> {
    Box::new(move |issuer, identity| {
        let Config { principals, .. } = &loaded.config;
        let principal = principal(principals, issuer, identity)?;
        let meters = tree.of_caller(&principal, Now(SystemTime::now()));
        let (models, tools) = (models(principals, &principal), tools(principals, &principal));
        let permit = Permit { models, tools, ..Permit::default() };
        Ok(Arc::new(KeyEntry { principal: Arc::new(principal), permit, meters }))
    })
}

fn principal(principals: &Principals, issuer: &Issuer, identity: &Identity) -> Result<Principal, Fault> {
    let subject: Arc<str> = identity.subject.as_str().into();
    let is_agent = principals.agents.contains_key(&subject) && identity.agent.is_none();
    let holder = if principals.service_accounts.contains_key(&subject) {
        Holder { service_account: Some(Arc::clone(&subject)), ..Holder::default() }
    } else if is_agent {
        Holder { agent: Some(Arc::clone(&subject)), ..Holder::default() }
    } else {
        Holder { user: Some(Arc::clone(&subject)), ..Holder::default() }
    };
    let mut who = principals.principal(&holder, &caller_id(issuer, identity), &identity.subject);
    place(principals, identity, &mut who)?;
    if let Some(agent) = &identity.agent {
        who.kind = PrincipalKind::Agent;
        who.agent = Some(agent.as_str().into());
    } else {
        who.role = identity.role.or_else(|| declared_role(principals, &subject, &who.organisation));
    }
    // A role is the person's own: an agent that acts for an administrator is none.
    who.act = identity.act.iter().map(|name| actor(principals, name)).collect();
    who.tags = principals.tags_of(&who, None);
    Ok(who)
}

/// Puts a caller into the organisation and team its token names.
fn place(principals: &Principals, identity: &Identity, who: &mut Principal) -> Result<(), Fault> {
    if let Some(claimed) = &identity.organisation {
        if !principals.organisations.is_empty() && !principals.organisations.contains_key(claimed.as_str()) {
            let message =
                "the bearer token names an organisation this gateway does not know; ask its operator to declare it";
            return Err(Fault::new(Code::NotAllowed, message));
        }
        who.organisation = claimed.as_str().into();
    }
    let is_ours = |team: &str| match principals.teams.get(team) {
        Some(team) => identity.organisation.is_none() || team.organisation == who.organisation,
        None => false,
    };
    // While no team is declared, a team is a mere label, and any will do.
    let named = identity.groups.iter().find(|group| principals.teams.is_empty() || is_ours(group));
    let named = named.map(|group| Arc::from(group.as_str()));
    who.team = named.or_else(|| who.team.clone().filter(|team| is_ours(team)));
    if let Some(team) = who.team.as_ref().and_then(|name| principals.teams.get(name)) {
        who.organisation = Arc::clone(&team.organisation);
    }
    Ok(())
}

/// A role counts in the organisation it was given in, and in no other.
fn declared_role(principals: &Principals, subject: &str, organisation: &str) -> Option<Role> {
    let user = principals.users.get(subject).filter(|user| *user.organisation == *organisation);
    let account = principals.service_accounts.get(subject).filter(|account| *account.organisation == *organisation);
    user.and_then(|user| user.role).or_else(|| account.and_then(|account| account.role))
}

fn actor(principals: &Principals, name: &str) -> Actor {
    let kind = if principals.users.contains_key(name) {
        PrincipalKind::User
    } else if principals.service_accounts.contains_key(name) {
        PrincipalKind::Service
    } else {
        PrincipalKind::Agent
    };
    Actor { kind, name: name.into() }
}

/// How logs, usage and stored responses name the holder of a token. Two issuers may know two people by one subject, and what
/// an agent stores for somebody is not that person's own; so all three are in it, and none can pass for another.
fn caller_id(issuer: &Issuer, identity: &Identity) -> String {
    let plain = |text: &str| text.replace('%', "%25").replace('#', "%23");
    let vouched_by = identity.own.as_ref().and_then(|own| own.vouched_by.as_deref());
    let mut id = format!("{}#{}", vouched_by.unwrap_or(&issuer.issuer), plain(&identity.subject));
    if let Some(agent) = &identity.agent {
        id.push('#');
        id.push_str(&plain(agent));
    }
    id
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gatehouse_catalog::{Known, Secrets, Surroundings, load};

    use super::*;

    const FILE: &str = "
organisations: {acme: {tags: {cost: acme}}, other: {}}
teams:
  support: {organisation: acme, members: [ann], tags: {team: support}}
  research: {organisation: acme}
  foreign: {organisation: other}
users: {ann: {role: admin}, bob: {team: research}}
service_accounts: {nightly: {team: research, role: auditor}}
agents: {billing: {team: research, owner: bob}}
";

    fn known() -> Principals {
        let around = Surroundings {
            file_name: "gatehouse.yaml",
            folder: Path::new("/"),
            env: &|_| None,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
            list: &|_| Err(std::io::ErrorKind::NotFound.into()),
            secrets: Secrets::NotOpen,
            known: Known { provider_kinds: &["demo"], strategies: &[] },
        };
        load(FILE.as_bytes(), &around).unwrap().config.principals
    }

    fn identity(subject: &str) -> Identity {
        Identity {
            subject: subject.to_owned(),
            groups: Vec::new(),
            organisation: None,
            role: None,
            agent: None,
            act: Vec::new(),
            until_unix_secs: 1,
            own: None,
        }
    }

    fn who(identity: &Identity) -> Principal {
        let issuer = Issuer {
            issuer: "https://login.example.com".to_owned(),
            audiences: Vec::new(),
            algorithms: Vec::new(),
            claims: ClaimNames::default(),
            require: Vec::new(),
            leeway_secs: 0,
            own: false,
        };
        principal(&known(), &issuer, identity).unwrap()
    }

    #[test]
    fn a_declared_person_has_its_team_its_organisation_its_tags_and_its_role() {
        let ann = who(&identity("ann"));
        assert_eq!(
            (ann.kind, ann.user.as_deref(), ann.team.as_deref()),
            (PrincipalKind::User, Some("ann"), Some("support"))
        );
        assert_eq!((&*ann.organisation, ann.role), ("acme", Some(Role::Admin)));
        assert_eq!(ann.tags.as_deref(), Some("cost=acme,team=support"));
    }

    #[test]
    fn of_several_groups_the_first_that_is_a_team_pays() {
        let groups = vec!["everyone".to_owned(), "research".to_owned(), "support".to_owned()];
        let ann = who(&Identity { groups, ..identity("ann") });
        assert_eq!(ann.team.as_deref(), Some("research"));
    }

    #[test]
    fn a_team_of_another_organisation_than_the_claimed_one_is_not_taken() {
        let groups = vec!["foreign".to_owned(), "support".to_owned()];
        let eve = who(&Identity { groups, organisation: Some("acme".to_owned()), ..identity("eve") });
        assert_eq!((eve.team.as_deref(), &*eve.organisation), (Some("support"), "acme"));
        let bob = who(&Identity { organisation: Some("other".to_owned()), ..identity("bob") });
        assert_eq!((bob.team, &*bob.organisation), (None, "other"));
    }

    #[test]
    fn a_role_given_in_one_organisation_is_none_in_another() {
        let ann = who(&Identity { organisation: Some("other".to_owned()), ..identity("ann") });
        assert_eq!((&*ann.organisation, ann.role), ("other", None));
    }

    #[test]
    fn somebody_nobody_declared_is_let_in_with_nothing() {
        let eve = who(&identity("eve"));
        assert_eq!((eve.user.as_deref(), eve.team, eve.role, &*eve.organisation), (Some("eve"), None, None, "default"));
    }

    #[test]
    fn an_agent_for_a_person_keeps_both_and_has_no_role() {
        let act = vec!["billing".to_owned(), "nightly".to_owned()];
        let both =
            who(&Identity { agent: Some("billing".to_owned()), act, role: Some(Role::Owner), ..identity("ann") });
        assert_eq!(
            (both.kind, both.user.as_deref(), both.agent.as_deref()),
            (PrincipalKind::Agent, Some("ann"), Some("billing"))
        );
        assert_eq!((both.role, both.team.as_deref()), (None, Some("support")));
        let kinds: Vec<_> = both.act.iter().map(|actor| actor.kind).collect();
        assert_eq!(kinds, [PrincipalKind::Agent, PrincipalKind::Service]);
    }

    #[test]
    fn a_service_account_or_an_agent_of_its_own_is_no_person() {
        let nightly = who(&identity("nightly"));
        assert_eq!((nightly.user, nightly.service_account.as_deref()), (None, Some("nightly")));
        assert_eq!((nightly.team.as_deref(), nightly.role), (Some("research"), Some(Role::Auditor)));
        let billing = who(&identity("billing"));
        assert_eq!(
            (billing.kind, billing.user, billing.agent.as_deref()),
            (PrincipalKind::Agent, None, Some("billing"))
        );
    }

    #[test]
    fn no_two_callers_have_one_id() {
        let agent = |subject: &str, agent: &str| Identity { agent: Some(agent.to_owned()), ..identity(subject) };
        let ids =
            [identity("a"), identity("a#b"), agent("a", "b"), agent("a#b", "c"), agent("a", "b#c"), identity("a%23b")];
        let unique: std::collections::BTreeSet<_> = ids.iter().map(|identity| who(identity).key).collect();
        assert_eq!(unique.len(), ids.len());
    }
}
