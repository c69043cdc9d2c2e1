//! Organisations, teams, people, agents, whom keys belong to, and issuers of tokens.

use std::time::Duration;

use gatehouse_domain::Role;

use super::{bad, good, refused, warnings};
use crate::principals::{Holder, JwksSource};

const HOUSE: &str = "
models: {fast: {targets: [{provider: local, model: m}]}}
providers: {local: {kind: demo}}
organisations: {acme: {tags: {cost: acme}, models: [fast]}}
teams:
  support: {organisation: acme, members: [ann], tags: {team: support}}
users: {ann: {teams: [support], email: ann@example.com, role: developer}}
service_accounts: {nightly: {team: support}}
agents: {billing: {team: support, owner: ann}}
";

fn key(rest: &str) -> String {
    format!("{HOUSE}keys: [{{name: k, secret: 0123456789abcdef, {rest}}}]\n")
}

#[test]
fn everybody_belongs_to_an_organisation() {
    let known = good(HOUSE).principals;
    assert_eq!(&*known.teams["support"].organisation, "acme");
    assert_eq!(&*known.users["ann"].organisation, "acme");
    assert_eq!(known.users["ann"].teams, ["support".into()], "named twice, a member once");
    assert_eq!(&*known.agents["billing"].organisation, "acme");
}

#[test]
fn a_key_stands_for_its_owner() {
    let config = good(&key("user: ann, tags: {env: prod}, role: auditor, ip_ranges: [10.0.0.0/8, '::1']"));
    let key = &config.keys[0];
    assert_eq!(key.holder, Holder { user: Some("ann".into()), ..Holder::default() });
    assert_eq!((key.role, key.tags.as_deref(), key.ip_ranges.len()), (Some(Role::Auditor), Some("env=prod"), 2));
    let who = config.principals.principal(&key.holder, "k", "k");
    assert_eq!((who.team.as_deref(), &*who.organisation, who.role), (Some("support"), "acme", None));
    let tags = config.principals.tags_of(&who, key.tags.as_deref());
    assert_eq!(tags.as_deref(), Some("cost=acme,env=prod,team=support"));
    assert_eq!(config.principals.means_of(&who).filter(|means| means.models == ["fast"]).count(), 1);
}

#[test]
fn a_key_has_one_owner_that_is_there() {
    for (rest, says) in [
        ("user: ann, agent: billing", "keys[0].agent: a key belongs to one owner; this one has user and agent"),
        ("user: anna", "keys[0].user: there is no user `anna` (did you mean `ann`?)"),
        ("agent: biling", "keys[0].agent: there is no agent `biling` (did you mean `billing`?)"),
        ("service_account: x", "keys[0].service_account: there is no service account `x` (known here: nightly)"),
        ("organisation: acne", "keys[0].organisation: there is no organisation `acne` (did you mean `acme`?)"),
        ("team: suport", "keys[0].team: there is no team `suport` (did you mean `support`?)"),
        ("team: support, organisation: acme", "keys[0].organisation: a team has its organisation already"),
        ("role: boss", "keys[0].role: `boss` is not a known value"),
        ("ip_ranges: [10.0.0.0/33]", "keys[0].ip_ranges[0]: not a range of addresses"),
        ("tags: {env: 'a,b=c'}", "keys[0].tags: not all of these are tags"),
    ] {
        let told = bad(key(rest));
        assert!(told.contains(says), "{rest}: {told}");
    }
}

#[test]
fn a_team_is_a_label_while_no_team_is_declared() {
    let config = good("keys: [{name: k, secret: 0123456789abcdef, team: anything}]\n");
    assert_eq!(config.keys[0].holder.team.as_deref(), Some("anything"));
}

#[test]
fn beside_an_owner_a_team_is_one_of_the_owners() {
    let two = HOUSE.replace("users:", "  research: {organisation: acme}\nusers:");
    let with = |rest: &str| format!("{two}keys: [{{name: k, secret: 0123456789abcdef, {rest}}}]\n");
    good(&with("user: ann, team: support"));
    let told = bad(with("user: ann, team: research"));
    assert!(told.contains("`research` is no team of this key's owner"), "{told}");
}

#[test]
fn references_between_people_are_checked() {
    for (text, says) in [
        ("teams: {a: {organisation: x}}", "teams.a.organisation: there is no organisation `x`"),
        ("teams: {a: {members: [ann]}}", "teams.a.members[0]: there is no user `ann`"),
        ("users: {ann: {teams: [a]}}", "users.ann.teams[0]: there is no team `a`"),
        ("agents: {a: {owner: ann}}", "agents.a.owner: there is no user `ann`"),
        ("teams: {a: {models: [x]}}", "teams.a.models[0]: there is no model `x`"),
        ("teams: {a: {budgets: [{usd: -1, per: day}]}}", "teams.a.budgets[0].usd"),
        (
            "organisations: {x: {}, y: {}}\nteams: {a: {organisation: x}}\nusers: {ann: {team: a, organisation: y}}",
            "users.ann.organisation: the team is of organisation `x`",
        ),
        (
            "organisations: {x: {}, y: {}}\nteams: {a: {organisation: x}, b: {organisation: y}}\nusers: {ann: {teams: [a, b]}}",
            "team `b` is of organisation `y`, not `x`",
        ),
    ] {
        let told = bad(text);
        assert!(told.contains(says), "{text}: {told}");
    }
    assert!(warnings("agents: {a: {url: 'http://127.0.0.1:1'}}\n")[0].contains("later release"));
}

const JWT: &str = "auth:
  jwt:
    - issuer: https://login.example.com
      audience: gatehouse
      jwks_url: https://login.example.com/keys
";

#[test]
fn an_issuer_is_pinned_with_careful_defaults() {
    let config = good(JWT);
    let issuer = &config.auth.jwt[0];
    assert_eq!(issuer.audiences, ["gatehouse"]);
    assert_eq!(issuer.algorithms.iter().map(|by| by.as_str()).collect::<Vec<_>>(), ["RS256", "ES256"]);
    assert_eq!((issuer.leeway, issuer.max_stale), (Duration::from_secs(60), Duration::from_secs(86_400)));
    assert_eq!((issuer.claims.user.as_str(), issuer.claims.team.as_deref()), ("sub", None));
    assert!(matches!(&issuer.jwks, JwksSource::Url(url) if url.origin.tls));
    let file = JWT.replace("jwks_url: https://login.example.com/keys", "jwks_file: /run/secrets/key");
    assert!(matches!(&good(&file).auth.jwt[0].jwks, JwksSource::File(_)));
}

#[test]
fn an_issuer_that_would_not_be_safe_is_refused() {
    for (from, to, says) in [
        ("audience: gatehouse", "audience: []", "audience: empty"),
        ("audience: gatehouse", "algorithms: [RS256]", "`audience` is missing"),
        ("https://login.example.com/keys", "http://login.example.com/keys", "put keys of its own"),
        ("jwks_url: https://login.example.com/keys", "leeway: 5", "`jwks_url` or `jwks_file` is missing"),
        ("audience: gatehouse", "audience: x\n      jwks_file: x", "has both"),
        ("audience: gatehouse", "audience: x\n      algorithms: [none]", "`none` is not a known value"),
        ("audience: gatehouse", "audience: x\n      algorithms: [HS256]", "`HS256` is not a known value"),
        ("audience: gatehouse", "audience: x\n      leeway: 3600", "not a time from 0 to 600 seconds"),
        ("audience: gatehouse", "audience: x\n      claims: {user: ''}", "claims.user: empty"),
        ("audience: gatehouse", "audience: x\n      claims: {team: groups, mail: x}", "claims.mail: unknown key"),
        ("https://login.example.com\n", "a#b\n", "not the name of an issuer"),
    ] {
        let told = bad(JWT.replacen(from, to, 1));
        assert!(told.contains(says), "{to}: {told}");
    }
    let twice = format!("{JWT}{}", &JWT[JWT.find("    - ").unwrap()..]);
    assert!(bad(twice).contains("this issuer has an entry already"));
}

#[test]
fn a_mistyped_environment_or_proxy_is_told() {
    refused(
        "auth: {environment: Live}\n",
        &[
            "gatehouse.yaml:1:21: auth.environment: not a word for keys to carry (write 1 to 12 small letters and digits, like live or test)",
        ],
    );
    assert!(
        bad("server: {trusted_proxies: [proxy]}\n").contains("server.trusted_proxies[0]: not a range of addresses")
    );
}
