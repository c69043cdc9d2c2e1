//! Keys of the database held against a change of those they belong to. The check of a configuration does not see them: they are no
//! objects.

use gatehouse_catalog::principals::{Holder, Principals};
use gatehouse_server::control::Wrong;
use gatehouse_store::KeyRecord;

use super::wiring;

const HINT: &str = "revoke the key first, and make another one afterwards";

/// The keys that are right as things stand `now`, and would be nobody's or somewhere else's `then`.
pub(super) fn wronged(now: &Principals, then: &Principals, keys: &[KeyRecord]) -> Vec<Wrong> {
    let live = keys.iter().filter(|record| record.revoked_unix_ms.is_none());
    live.filter_map(|record| {
        let key = &record.key;
        let why = why_wrong(now, then, &wiring::holder(record), key.role.as_deref())?;
        Some(Wrong {
            object: Some(format!("keys/{}", key.id)),
            pointer: String::new(),
            message: format!("of the key {}: {why}", key.name),
            hint: Some(HINT.to_owned()),
        })
    })
    .collect()
}

fn why_wrong(now: &Principals, then: &Principals, holder: &Holder, role: Option<&str>) -> Option<String> {
    now.check(holder).ok()?;
    if let Err(problem) = then.check(holder) {
        // What is a mere label does not become a team when the first one is declared.
        let label = holder.team.as_ref().is_some_and(|team| !now.teams.contains_key(team));
        return (problem.field != "team" || !label).then_some(problem.message);
    }
    // Roles are given within an organisation: nobody administers another one because its people were moved there.
    let home = |principals: &Principals| principals.principal(holder, "", "").organisation;
    let (before, after) = (home(now), home(then));
    let role = role.filter(|_| before != after)?;
    Some(format!("its role {role} was given in the organisation `{before}` and would be one in `{after}`"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gatehouse_catalog::principals::{Means, Team, User};

    use super::*;

    fn with(teams: &[(&str, &str)], users: &[(&str, &[&str], &str)]) -> Principals {
        let team = |organisation: &str| Team { organisation: organisation.into(), means: Means::default() };
        let user = |teams: &[&str], organisation: &str| User {
            teams: teams.iter().map(|team| Arc::from(*team)).collect(),
            organisation: organisation.into(),
            role: None,
            email: None,
            means: Means::default(),
        };
        Principals {
            teams: teams.iter().map(|(name, of)| ((*name).into(), team(of))).collect(),
            users: users.iter().map(|(name, teams, of)| ((*name).into(), user(teams, of))).collect(),
            ..Principals::default()
        }
    }

    fn of(user: Option<&str>, team: Option<&str>) -> Holder {
        Holder { user: user.map(Arc::from), team: team.map(Arc::from), ..Holder::default() }
    }

    #[test]
    fn who_leaves_a_team_or_is_gone_wrongs_the_keys_that_say_so() {
        let now = with(&[("a", "default"), ("b", "default")], &[("ann", &["a", "b"], "default")]);
        let then = with(&[("a", "default"), ("b", "default")], &[("ann", &["a"], "default")]);
        let wrong = |then: &Principals, holder: &Holder| why_wrong(&now, then, holder, None);
        assert_eq!(wrong(&then, &of(Some("ann"), Some("b"))).unwrap(), "`b` is no team of this key's owner");
        assert_eq!(wrong(&then, &of(Some("ann"), Some("a"))), None);
        assert_eq!(wrong(&then, &of(Some("ann"), None)), None);
        assert_eq!(wrong(&with(&[], &[]), &of(Some("ann"), None)).unwrap(), "there is no user `ann`");
    }

    #[test]
    fn a_label_stays_a_label_and_what_was_wrong_stands_in_nobodys_way() {
        let (now, then) = (with(&[], &[]), with(&[("a", "default")], &[]));
        assert_eq!(why_wrong(&now, &then, &of(None, Some("any")), None), None);
        assert_eq!(why_wrong(&then, &then, &of(Some("gone"), None), None), None);
    }

    #[test]
    fn a_key_with_a_role_does_not_move_to_another_organisation_and_one_without_does() {
        let (now, then) = (with(&[("a", "acme")], &[]), with(&[("a", "other")], &[]));
        assert!(why_wrong(&now, &then, &of(None, Some("a")), Some("admin")).unwrap().contains("`other`"));
        assert_eq!(why_wrong(&now, &then, &of(None, Some("a")), None), None);
    }
}
