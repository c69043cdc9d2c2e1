//! `auth.jwt`: issuers, their keys and what is pinned.

use std::sync::Arc;
use std::time::Duration;

use super::address::{endpoint, stays_near};
use crate::check::{Check, nth};
use crate::load::Surroundings;
use crate::principals::{JwksSource, JwtIssuer};
use crate::written::{Algorithm, Claims, Jwt};

/// Allowed difference of clocks where none is written.
const LEEWAY_SECS: f64 = 60.0;
/// More would be a longer life for every token.
const LEEWAY_SECS_MAX: f64 = 600.0;
/// How long keys are used after the issuer could last be reached, where nothing is written.
const STALE_SECS: f64 = 86_400.0;
/// And at most: 30 days.
const STALE_SECS_MAX: f64 = 30.0 * 86_400.0;

pub(super) fn issuers(written: Vec<Jwt>, around: &Surroundings<'_>, check: &mut Check) -> Vec<JwtIssuer> {
    let mut seen: Vec<String> = Vec::new();
    let mut issuers = Vec::with_capacity(written.len());
    for (n, jwt) in written.into_iter().enumerate() {
        let path = nth("auth.jwt", n);
        if seen.contains(&jwt.issuer) {
            let hint = "one entry for each; `audience` takes a list".to_owned();
            check.error_at(&format!("{path}.issuer"), "this issuer has an entry already", Some(hint));
        }
        seen.push(jwt.issuer.clone());
        issuers.extend(issuer(&path, jwt, around, check));
    }
    issuers
}

fn issuer(path: &str, jwt: Jwt, around: &Surroundings<'_>, check: &mut Check) -> Option<JwtIssuer> {
    // `#` separates issuer and subject in the ids of callers.
    if jwt.issuer.is_empty() || jwt.issuer.contains('#') || jwt.issuer.chars().any(|c| c.is_control() || c == ' ') {
        let hint = "write it as the tokens have it, like https://login.example.com/".to_owned();
        check.error_at(&format!("{path}.issuer"), "not the name of an issuer", Some(hint));
    }
    let audiences = jwt.audience.into_vec();
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        let hint = "without one, a token for any other service of the issuer would open this gateway".to_owned();
        check.error_at(&format!("{path}.audience"), "empty", Some(hint));
    }
    let jwks = source(path, jwt.jwks_url, jwt.jwks_file, around, check);
    claims(path, &jwt.claims, check);
    for claim in jwt.require.keys().filter(|claim| claim.is_empty()) {
        check.error_at(&format!("{path}.require.{claim}"), "a claim without a name", None);
    }
    let leeway = time(&format!("{path}.leeway"), jwt.leeway.unwrap_or(LEEWAY_SECS), LEEWAY_SECS_MAX, check);
    let stale = jwt.jwks_max_stale.unwrap_or(STALE_SECS);
    let max_stale = time(&format!("{path}.jwks_max_stale"), stale, STALE_SECS_MAX, check);
    let usual = || vec![Algorithm::RS256, Algorithm::ES256];
    Some(JwtIssuer {
        issuer: jwt.issuer,
        audiences,
        jwks: jwks?,
        algorithms: if jwt.algorithms.is_empty() { usual() } else { jwt.algorithms },
        claims: Arc::new(jwt.claims),
        require: jwt.require,
        leeway: leeway?,
        max_stale: max_stale?,
    })
}

fn source(
    path: &str,
    url: Option<String>,
    file: Option<String>,
    around: &Surroundings<'_>,
    check: &mut Check,
) -> Option<JwksSource> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    match (given(url), given(file)) {
        (Some(url), None) => {
            let at = format!("{path}.jwks_url");
            let url = endpoint(&at, &url, check)?;
            if !url.origin.tls && !stays_near(&url.origin.host) {
                let message = "whoever stands between could put keys of its own in place of the issuer's";
                check.error_at(&at, message, Some("use https://".to_owned()));
            }
            Some(JwksSource::Url(url))
        }
        (None, Some(file)) => {
            let at = around.folder.join(&file);
            if let Err(error) = (around.read)(&at) {
                let message = format!("cannot read {}: {error}", at.display());
                check.error_at(&format!("{path}.jwks_file"), message, None);
            }
            Some(JwksSource::File(at))
        }
        (None, None) => {
            let hint = "the issuer's /.well-known/openid-configuration names it as `jwks_uri`".to_owned();
            check.error_at(path, "`jwks_url` or `jwks_file` is missing", Some(hint));
            None
        }
        (Some(_), Some(_)) => {
            check.error_at(path, "has both `jwks_url` and `jwks_file`", Some("keep one".to_owned()));
            None
        }
    }
}

fn claims(path: &str, claims: &Claims, check: &mut Check) {
    let all = [
        ("user", Some(&claims.user)),
        ("team", claims.team.as_ref()),
        ("organisation", claims.organisation.as_ref()),
        ("role", claims.role.as_ref()),
        ("agent", claims.agent.as_ref()),
    ];
    for (field, claim) in all {
        if claim.is_some_and(String::is_empty) {
            let hint = Some("name a claim, or leave it out".to_owned());
            check.error_at(&format!("{path}.claims.{field}"), "empty", hint);
        }
    }
}

/// Seconds, none allowed.
fn time(path: &str, secs: f64, most: f64, check: &mut Check) -> Option<Duration> {
    if (0.0..=most).contains(&secs) {
        return Duration::try_from_secs_f64(secs).ok();
    }
    check.error_at(path, format!("{secs} is not a time from 0 to {most} seconds"), None);
    None
}
