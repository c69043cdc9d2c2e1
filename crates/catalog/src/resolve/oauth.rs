//! `oauth`: identity providers, clients and times.

use std::sync::Arc;
use std::time::Duration;

use super::address::{endpoint, seconds, stays_near};
use crate::check::{Check, nth};
use crate::config::Endpoint;
use crate::oauth::{Login, OAuth, OAuthClient};
use crate::principals::{JwtIssuer, Principals};
use crate::problem::did_you_mean;
use crate::written;

/// The shortest secret of a client.
const SECRET_CHARS_MIN: usize = 16;
/// Ways to a token that can be written.
const GRANT_TYPES: [&str; 5] = [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];

/// What the section is held against.
pub(super) struct Around<'a> {
    pub(super) principals: &'a Principals,
    pub(super) issuers: &'a [JwtIssuer],
}

pub(super) fn oauth(written: written::OAuth, around: &Around<'_>, check: &mut Check) -> Option<OAuth> {
    let access_token = between("oauth.access_token_secs", written.access_token_secs, 60.0, 3_600.0, check);
    let session = between("oauth.session_secs", written.session_secs, 60.0, 86_400.0, check);
    if !(1..=365).contains(&written.refresh_days) {
        check.error_at("oauth.refresh_days", "not a number of days from 1 to 365", None);
    }
    for (n, issuer) in written.assertion_issuers.iter().enumerate() {
        if !around.issuers.iter().any(|known| known.issuer == *issuer) {
            let known = around.issuers.iter().map(|known| known.issuer.as_str());
            let hint = did_you_mean(issuer, known).or_else(|| Some("declare it under auth.jwt".to_owned()));
            check.error_at(&nth("oauth.assertion_issuers", n), "no issuer of auth.jwt", hint);
        }
    }
    let key_login = written.key_login.unwrap_or(written.login.is_empty());
    if !key_login && written.login.is_empty() && written.enabled {
        let hint = Some("add an identity provider under `login`, or allow `key_login`".to_owned());
        check.error_at("oauth.key_login", "nobody could log in", hint);
    }
    let login = written.login.into_iter().enumerate().filter_map(|(n, login)| provider(n, login, check)).collect();
    Some(OAuth {
        enabled: written.enabled,
        login,
        key_login,
        registration: written.registration,
        client_documents: written.client_documents,
        client_hosts: written.client_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        local_client_documents: written.local_client_documents,
        clients: clients(written.clients, around, check),
        assertion_issuers: written.assertion_issuers,
        access_token: access_token?,
        refresh: Duration::from_secs(u64::from(written.refresh_days) * 86_400),
        session: session?,
    })
}

fn provider(n: usize, written: written::Login, check: &mut Check) -> Option<Login> {
    let path = nth("oauth.login", n);
    let at = secured(&format!("{path}.issuer"), &written.issuer, check)?;
    if written.issuer.contains('#') {
        check.error_at(&format!("{path}.issuer"), "not the name of an issuer", None);
    }
    if written.client_id.is_empty() {
        check.error_at(&format!("{path}.client_id"), "empty", None);
    }
    let usual = || ["openid", "profile", "email"].map(str::to_owned).to_vec();
    let scopes = if written.scopes.is_empty() { usual() } else { written.scopes };
    if !scopes.iter().any(|scope| scope == "openid") {
        let hint = Some("without it nobody learns who logged in".to_owned());
        check.error_at(&format!("{path}.scopes"), "`openid` is missing", hint);
    }
    Some(Login {
        name: written.name.unwrap_or_else(|| at.origin.host.to_string()),
        issuer: written.issuer,
        endpoint: at,
        client_id: written.client_id,
        client_secret: written.client_secret.map(|secret| secret.0).filter(|secret| !secret.is_empty()),
        scopes,
        claims: Arc::new(written.claims),
    })
}

fn clients(written: Vec<written::OAuthClient>, around: &Around<'_>, check: &mut Check) -> Vec<OAuthClient> {
    let mut known: Vec<OAuthClient> = Vec::with_capacity(written.len());
    for (n, client) in written.into_iter().enumerate() {
        let path = nth("oauth.clients", n);
        if client.id.is_empty() || client.id.chars().any(char::is_control) {
            check.error_at(&format!("{path}.id"), "not an id", None);
        }
        if known.iter().any(|other| other.id == client.id) {
            check.error_at(&format!("{path}.id"), "another client has this id", None);
        }
        known.push(one(&path, client, around, check));
    }
    known
}

fn one(path: &str, written: written::OAuthClient, around: &Around<'_>, check: &mut Check) -> OAuthClient {
    let secret = written.secret.map(|secret| secret.0).filter(|secret| !secret.is_empty());
    if secret.as_ref().is_some_and(|secret| secret.reveal().chars().count() < SECRET_CHARS_MIN) {
        let hint = Some("make one: openssl rand -hex 32".to_owned());
        check.error_at(&format!("{path}.secret"), format!("shorter than {SECRET_CHARS_MIN} characters"), hint);
    }
    let jwks_url = written.jwks_url.and_then(|url| secured(&format!("{path}.jwks_url"), &url, check));
    let account = account(path, written.service_account, written.agent, around.principals, check);
    let mut grant_types = written.grant_types;
    for (n, grant) in grant_types.iter().enumerate() {
        if !GRANT_TYPES.contains(&grant.as_str()) {
            let hint = check.near(grant, GRANT_TYPES);
            check.error_at(&nth(&format!("{path}.grant_types"), n), "no way to a token", hint);
        }
    }
    if grant_types.is_empty() {
        let people: &[&str] = if written.redirect_uris.is_empty() { &[] } else { &GRANT_TYPES[..2] };
        let own: &[&str] = if account.is_some() { &GRANT_TYPES[2..3] } else { &[] };
        grant_types = people.iter().chain(own).map(|grant| (*grant).to_owned()).collect();
    }
    let has = |grant: &str| grant_types.iter().any(|own| own == grant);
    let proves = secret.is_some() || jwks_url.is_some();
    if !proves && GRANT_TYPES[2..].iter().any(|grant| has(grant)) {
        let hint = Some("give it a `secret` or a `jwks_url`".to_owned());
        check.error_at(path, "a client that anybody can be gets tokens through people only", hint);
    }
    if has(GRANT_TYPES[2]) && account.is_none() {
        let hint = Some("name a `service_account` or an `agent`".to_owned());
        check.error_at(path, "nobody knows who this client is when it asks for itself", hint);
    }
    if has(GRANT_TYPES[0]) && written.redirect_uris.is_empty() {
        check.error_at(path, "people's answers would have nowhere to go: `redirect_uris` is empty", None);
    }
    OAuthClient {
        name: written.name.unwrap_or_else(|| written.id.clone()),
        id: written.id,
        secret,
        jwks_url,
        redirect_uris: written.redirect_uris,
        grant_types,
        is_agent: account.as_ref().is_some_and(|(_, agent)| *agent),
        account: account.map(|(name, _)| name),
    }
}

/// The account a client is, and whether it is an agent.
fn account(
    path: &str,
    service_account: Option<String>,
    agent: Option<String>,
    principals: &Principals,
    check: &mut Check,
) -> Option<(Arc<str>, bool)> {
    let (name, is_agent) = match (service_account, agent) {
        (Some(_), Some(_)) => {
            check.error_at(path, "has both `service_account` and `agent`", Some("keep one".to_owned()));
            return None;
        }
        (Some(name), None) => (name, false),
        (None, Some(name)) => (name, true),
        (None, None) => return None,
    };
    let (field, hint) = if is_agent {
        ("agent", did_you_mean(&name, principals.agents.keys().map(|name| &**name)))
    } else {
        ("service_account", did_you_mean(&name, principals.service_accounts.keys().map(|name| &**name)))
    };
    let name: Arc<str> = name.into();
    let known =
        if is_agent { principals.agents.contains_key(&name) } else { principals.service_accounts.contains_key(&name) };
    if !known {
        check.error_at(&format!("{path}.{field}"), format!("there is no {} `{name}`", field.replace('_', " ")), hint);
    }
    Some((name, is_agent))
}

/// An address that must be https, or near.
fn secured(path: &str, text: &str, check: &mut Check) -> Option<Endpoint> {
    let at = endpoint(path, text, check)?;
    if !at.origin.tls && !stays_near(&at.origin.host) {
        let message = "whoever stands between could answer in its place";
        check.error_at(path, message, Some("use https://".to_owned()));
    }
    Some(at)
}

fn between(path: &str, secs: f64, least: f64, most: f64, check: &mut Check) -> Option<Duration> {
    if !(least..=most).contains(&secs) {
        check.error_at(path, format!("{secs} is not a time from {least} to {most} seconds"), None);
        return None;
    }
    seconds(path, secs, check)
}
