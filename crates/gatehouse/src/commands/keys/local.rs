//! Keys in a data folder. A running gateway that uses the folder notices within a second.

use std::sync::Arc;

use gatehouse_catalog::pattern;
use gatehouse_catalog::principals::Holder;
use gatehouse_domain::tags;
use gatehouse_store::{KeyRecord, NewKey, keys};
use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::{Action, Create, issued, listed, object};
use crate::acts::{audited, by_command};
use crate::failure::Failure;
use crate::moment;
use crate::output::Listing;
use crate::place::Folder;

/// Characters of a name.
const NAME_CHARS_MAX: usize = 128;
/// The longest a secret stays good after a rotation: 30 days.
const OVERLAP_SECS_MAX: u64 = 30 * 86_400;

/// Does it.
pub(super) async fn run(action: Action, folder: &Folder) -> Result<Listing, Failure> {
    let now = now_ms();
    match action {
        Action::Create(wanted) => create(wanted, folder, now).await,
        Action::List => {
            let stored = folder.store.list_keys().await?;
            let rows = of_file(folder, now).chain(stored.into_iter().map(|key| row(key, now))).collect();
            Ok(listed(rows))
        }
        Action::Revoke { id } => {
            let act = by_command("keys.delete", "keys", &id);
            if !audited(&folder.store, act, folder.store.revoke_key(&id, now)).await? {
                return Err(no_such_key(&id));
            }
            Ok(listed(vec![one(&id, folder, now).await?]))
        }
        Action::Whoami => {
            let next = "name one with --url (or GATEHOUSE_URL), and the key or token with --key";
            Err(Failure::usage("only a running gateway can say who somebody is", next))
        }
        Action::Rotate { id, overlap_secs } => rotate(&id, overlap_secs, folder, now).await,
    }
}

async fn create(wanted: Create, folder: &Folder, now: u64) -> Result<Listing, Failure> {
    let texts = [
        ("name", Some(&wanted.name)),
        ("organisation", wanted.organisation.as_ref()),
        ("team", wanted.team.as_ref()),
        ("user", wanted.user.as_ref()),
        ("service account", wanted.service_account.as_ref()),
        ("agent", wanted.agent.as_ref()),
    ];
    for (what, text) in texts {
        let fits = |text: &String| {
            (1..=NAME_CHARS_MAX).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control)
        };
        if text.is_some_and(|text| !fits(text)) {
            let next = format!("1 to {NAME_CHARS_MAX} characters, without control characters");
            return Err(Failure::usage(format!("the {what} cannot be used"), next));
        }
    }
    let known: Vec<&str> = folder.config.models.keys().map(|name| &**name).collect();
    for name in &wanted.models {
        if !known.iter().any(|model| meet(model, name)) {
            let next = gatehouse_catalog::did_you_mean(name, known.iter().copied());
            return Err(Failure::problem(format!("there is no model `{name}`"), next.unwrap_or_default()));
        }
    }
    let expires_unix_ms = match &wanted.expires {
        Some(text) => Some(expiry(text, now)?),
        None => None,
    };
    let tags = tags(wanted.tags.iter().map(String::as_str)).ok_or_else(|| {
        let next = "write NAME=VALUE, in up to 64 letters, digits and `._-/:` each";
        Failure::usage("a --tag cannot be used", next)
    })?;
    let holder = holder(&wanted);
    if let Err(problem) = folder.config.principals.check(&holder) {
        return Err(Failure::problem(problem.message, problem.hint.unwrap_or_default()));
    }
    let id = keys::new_id()?;
    let minted = keys::mint(&folder.config.auth.environment, &id)?;
    let key = NewKey {
        id,
        name: wanted.name,
        shown: minted.shown,
        hash: keys::hash(&folder.pepper, minted.secret.reveal()),
        organisation: wanted.organisation,
        team: wanted.team,
        user: wanted.user,
        service_account: wanted.service_account,
        agent: wanted.agent,
        models: wanted.models,
        mcp_servers: Vec::new(),
        toolsets: Vec::new(),
        agents: Vec::new(),
        ip_ranges: wanted.ip_ranges.iter().map(ToString::to_string).collect(),
        tags: tags.map(|tags| tags.to_string()),
        role: wanted.role.map(|role| role.as_str().to_owned()),
        limits: raw(&wanted.limits)?,
        budgets: raw(&wanted.budgets)?,
        created_unix_ms: now,
        expires_unix_ms,
    };
    let act = by_command("keys.create", "keys", &key.id);
    audited(&folder.store, act, folder.store.create_key(&key)).await?;
    let record = KeyRecord { key, old_hash: None, revoked_unix_ms: None, last_used_unix_ms: None };
    Ok(issued(row(record, now), json!(minted.secret.reveal())))
}

/// Whom the key is to belong to.
fn holder(wanted: &Create) -> Holder {
    let name = |name: &Option<String>| name.as_deref().map(Arc::from);
    Holder {
        organisation: name(&wanted.organisation),
        team: name(&wanted.team),
        user: name(&wanted.user),
        service_account: name(&wanted.service_account),
        agent: name(&wanted.agent),
    }
}

async fn rotate(id: &str, overlap_secs: u64, folder: &Folder, now: u64) -> Result<Listing, Failure> {
    if overlap_secs > OVERLAP_SECS_MAX {
        return Err(Failure::usage("--overlap-secs is too long", format!("0 to {OVERLAP_SECS_MAX} (30 days)")));
    }
    one(id, folder, now).await?;
    let minted = keys::mint(&folder.config.auth.environment, id)?;
    let hash = keys::hash(&folder.pepper, minted.secret.reveal());
    let act = by_command("keys.rotate", "keys", id);
    let until = now + overlap_secs * 1_000;
    if !audited(&folder.store, act, folder.store.rotate_key(id, &hash, &minted.shown, until)).await? {
        return Err(Failure::problem(format!("key {id} is revoked"), "make a new one: gatehouse keys create NAME"));
    }
    Ok(issued(one(id, folder, now).await?, json!(minted.secret.reveal())))
}

async fn one(id: &str, folder: &Folder, now: u64) -> Result<Map<String, Value>, Failure> {
    let record = folder.store.key(id).await?.ok_or_else(|| no_such_key(id))?;
    Ok(row(record, now))
}

fn no_such_key(id: &str) -> Failure {
    let next = "gatehouse keys list shows ids; keys of the configuration file are changed in the file";
    Failure::problem(format!("there is no key {id}"), next)
}

fn expiry(text: &str, now: u64) -> Result<u64, Failure> {
    let moment = moment::point(text).and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
    match moment {
        Some(moment) if moment > now => Ok(moment),
        Some(_) => Err(Failure::usage("--expires is in the past", "such a key would never work")),
        None => Err(Failure::usage("--expires is not a date", "write 2027-01-01 or 2027-01-01T12:00:00Z")),
    }
}

/// Could the two mean the same model? Either may end in `*`.
fn meet(model: &str, name: &str) -> bool {
    let prefix = |text: &str| text.strip_suffix('*').map(str::to_owned);
    pattern::matched(model, name).is_some()
        || pattern::matched(name, model).is_some()
        || prefix(name).is_some_and(|prefix| pattern::matched(model, &prefix).is_some())
}

/// Keys of the configuration file. They have no id here: the gateway gives them one.
fn of_file(folder: &Folder, now: u64) -> impl Iterator<Item = Map<String, Value>> {
    folder.config.keys.iter().map(move |key| {
        let expires = key.expires.and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
        object(json!({
            "name": &*key.name,
            "source": "file",
            "state": state(expires, None, now),
            "organisation": key.holder.organisation.as_deref(),
            "team": key.holder.team.as_deref(),
            "user": key.holder.user.as_deref(),
            "service_account": key.holder.service_account.as_deref(),
            "agent": key.holder.agent.as_deref(),
            "models": key.models,
            "expires_unix_ms": expires,
        }))
    })
}

/// A key as the admin API shows it.
fn row(record: KeyRecord, now: u64) -> Map<String, Value> {
    let KeyRecord { key, old_hash, revoked_unix_ms, last_used_unix_ms } = record;
    let overlap = old_hash.map(|(_, until)| until).filter(|until| *until > now);
    let mut row = object(json!({
        "id": key.id,
        "name": key.name,
        "source": "database",
        "state": state(key.expires_unix_ms, revoked_unix_ms, now),
        "shown": key.shown,
        "organisation": key.organisation,
        "team": key.team,
        "user": key.user,
        "service_account": key.service_account,
        "agent": key.agent,
        "ip_ranges": (!key.ip_ranges.is_empty()).then_some(key.ip_ranges),
        "tags": key.tags,
        "role": key.role,
        "models": key.models,
        "limits": key.limits,
        "budgets": key.budgets,
        "created_unix_ms": key.created_unix_ms,
        "expires_unix_ms": key.expires_unix_ms,
        "revoked_unix_ms": revoked_unix_ms,
        "last_used_unix_ms": last_used_unix_ms,
        "old_secret_until_unix_ms": overlap,
    }));
    // What is not so is left out, as in the API.
    row.retain(|_, value| !value.is_null());
    row
}

fn state(expires: Option<u64>, revoked: Option<u64>, now: u64) -> &'static str {
    match (expires, revoked) {
        (_, Some(_)) => "revoked",
        (Some(moment), None) if moment <= now => "expired",
        _ => "active",
    }
}

fn raw(terms: &[Value]) -> Result<Box<RawValue>, Failure> {
    to_raw_value(terms).map_err(|error| Failure::problem(error, ""))
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}
