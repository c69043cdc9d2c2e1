//! `keys`: uniqueness, references and dates.

use std::collections::HashMap;
use std::sync::Arc;

use gatehouse_domain::Secret;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::mcp::Servers;
use super::principals::{known_models, known_tags};
use super::server::KEY_CHARS_MIN;
use super::{limits, ranges};
use crate::check::{Check, nth};
use crate::config::Key;
use crate::pattern::Names;
use crate::principals::{Holder, Principals};
use crate::written;

pub(super) fn all(
    keys: Vec<written::Key>,
    models: &Names<'_, written::Model>,
    mcp: &Servers,
    principals: &Principals,
    check: &mut Check,
) -> Vec<Key> {
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut secrets: HashMap<String, usize> = HashMap::new();
    let mut resolved = Vec::with_capacity(keys.len());
    for (n, key) in keys.into_iter().enumerate() {
        let path = nth("keys", n);
        if key.name.trim().is_empty() {
            check.error_at(&format!("{path}.name"), "empty", Some("give the key a name for reports".to_owned()));
        } else if let Some(first) = names.insert(key.name.clone(), n) {
            let message = format!("keys[{first}] has the name `{}` already", key.name);
            check.error_at(&format!("{path}.name"), message, Some("names are unique".to_owned()));
        }
        secret(&path, &key.secret.0, &mut secrets, n, check);
        resolved.push(one(&path, key, models, mcp, principals, check));
    }
    resolved
}

fn secret(path: &str, secret: &Secret, seen: &mut HashMap<String, usize>, n: usize, check: &mut Check) {
    let at = format!("{path}.secret");
    let text = secret.reveal();
    if text.chars().count() < KEY_CHARS_MIN {
        let hint = "make one: openssl rand -hex 32".to_owned();
        check.error_at(&at, format!("shorter than {KEY_CHARS_MIN} characters"), Some(hint));
    } else if !text.chars().all(|c| c.is_ascii_graphic()) {
        check.error_at(&at, "has characters a header cannot carry", Some("use ASCII without spaces".to_owned()));
    } else if let Some(first) = seen.insert(text.to_owned(), n) {
        let hint = "every key needs its own, or nobody can tell whose usage it is".to_owned();
        check.error_at(&at, format!("the same secret as keys[{first}]"), Some(hint));
    }
}

fn one(
    path: &str,
    key: written::Key,
    names: &Names<'_, written::Model>,
    mcp: &Servers,
    principals: &Principals,
    check: &mut Check,
) -> Key {
    known_models(path, &key.models, names, check);
    mcp.known(path, &key.mcp_servers, &key.toolsets, check);
    if !key.agents.is_empty() {
        check.warn(&format!("{path}.agents"), "has no effect yet: it comes with a later release", None);
    }
    Key {
        name: key.name.as_str().into(),
        secret: key.secret.0,
        holder: holder(path, [key.organisation, key.team, key.user, key.service_account, key.agent], principals, check),
        terms: limits::terms(path, key.limits, key.budgets, names, check),
        models: key.models,
        mcp_servers: key.mcp_servers,
        toolsets: key.toolsets,
        agents: key.agents,
        ip_ranges: ranges(&format!("{path}.ip_ranges"), &key.ip_ranges, check),
        tags: known_tags(path, &key.tags, check),
        role: key.role.map(Into::into),
        expires: key.expires.filter(|text| !text.is_empty()).and_then(|text| moment(path, &text, check)),
    }
}

fn holder(path: &str, written: [Option<String>; 5], principals: &Principals, check: &mut Check) -> Holder {
    let [organisation, team, user, service_account, agent] =
        written.map(|name| name.filter(|name| !name.is_empty()).map(Arc::from));
    let holder = Holder { organisation, team, user, service_account, agent };
    if let Err(problem) = principals.check(&holder) {
        check.error_at(&format!("{path}.{}", problem.field), problem.message, problem.hint);
    }
    holder
}

fn moment(path: &str, text: &str, check: &mut Check) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    // Strictly a date: a time of day without an offset would be a different moment in every place.
    let date = if text.len() == 10 { text.parse::<Date>().ok() } else { None };
    let moment = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
    if moment.is_none() {
        let hint = "write 2027-01-01 or 2027-01-01T12:00:00Z".to_owned();
        check.error_at(&format!("{path}.expires"), format!("`{text}` is not a date"), Some(hint));
    }
    moment
}
