//! A question in words, put to the policies, and their answer in words. The admin API, the command line and policy tests
//! ask through here, so that none of them understands a word differently.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use gatehouse_domain::{Actor, DEFAULT_ORGANISATION, Now, Principal, PrincipalKind, tags};
use gatehouse_policy::Permit;
use gatehouse_policy::permissions::{
    ACTIONS, Caller, Circumstances, Kind, Named, Permissions, Question, kind_of_action, server_of,
};
use gatehouse_server::control::{
    DecidingPolicy, PolicyAnswer, PolicyError, PolicyPrincipal, PolicyQuestion, PolicyRefusal,
};
use jiff::Timestamp;

use crate::moment;

/// Who is known by the id of a key.
pub(crate) type Known = HashMap<Arc<str>, (Arc<Principal>, Permit)>;

/// A caller in words, made into what policies see.
struct Who {
    principal: Principal,
    service: Option<String>,
    has_key: bool,
}

/// The caller of a question: the key it names, or who it describes.
fn who(question: &PolicyQuestion, known: &Known) -> Result<Who, PolicyRefusal> {
    match (&question.key, &question.principal) {
        (Some(_), Some(_)) => Err(PolicyRefusal::new(
            "A question is about a key or about a principal, not both.",
            "Leave one of them out.",
        )),
        (Some(key), None) => {
            let found = known.get(&**key).ok_or_else(|| {
                PolicyRefusal::new(
                    format!("There is no key with the id `{key}`."),
                    "`gatehouse keys list` shows the ids; or describe the caller as `principal`.",
                )
            })?;
            let principal = Principal::clone(&found.0);
            Ok(Who { has_key: principal.kind != PrincipalKind::Anonymous, principal, service: None })
        }
        (None, Some(words)) => described(words),
        (None, None) => Ok(Who {
            principal: Principal::bare(PrincipalKind::Anonymous, "", "anonymous"),
            service: None,
            has_key: false,
        }),
    }
}

fn described(words: &PolicyPrincipal) -> Result<Who, PolicyRefusal> {
    let kind = match (&words.agent, &words.user, &words.service_account, &words.key) {
        (Some(_), ..) => PrincipalKind::Agent,
        (None, Some(_), ..) => PrincipalKind::User,
        (None, None, None, None) => PrincipalKind::Anonymous,
        _ => PrincipalKind::Service,
    };
    let key = words.key.clone().unwrap_or_default();
    let text = |words: &Option<String>| words.as_deref().map(Arc::from);
    let principal = Principal {
        organisation: words.organisation.as_deref().unwrap_or(DEFAULT_ORGANISATION).into(),
        team: text(&words.team),
        user: text(&words.user),
        agent: text(&words.agent),
        act: words.act.iter().map(|actor| chained(actor)).collect::<Result<_, _>>()?,
        tags: tagged(&words.tags)?,
        ..Principal::bare(kind, key.as_str(), key.as_str())
    };
    Ok(Who { principal, service: words.service_account.clone(), has_key: !key.is_empty() })
}

fn chained(text: &str) -> Result<Actor, PolicyRefusal> {
    let kinds = [PrincipalKind::User, PrincipalKind::Agent, PrincipalKind::Service];
    let parts = text.split_once(':');
    let known = parts.and_then(|(kind, name)| Some((kinds.into_iter().find(|known| known.as_str() == kind)?, name)));
    known.map(|(kind, name)| Actor { kind, name: name.into() }).ok_or_else(|| {
        PolicyRefusal::new(
            format!("`{text}` is nobody who could act."),
            "Write `agent:NAME`, `user:NAME` or `service_account:NAME`.",
        )
    })
}

fn tagged(written: &[String]) -> Result<Option<Arc<str>>, PolicyRefusal> {
    tags(written.iter().map(String::as_str)).ok_or_else(|| {
        PolicyRefusal::new(format!("`{}` are no tags.", written.join(",")), "Write each as `name=value`.")
    })
}

/// Puts a question to the policies.
pub(crate) fn answer(
    permissions: &Permissions,
    asked: &PolicyQuestion,
    known: &Known,
    now: Now,
) -> Result<PolicyAnswer, PolicyRefusal> {
    let who = who(asked, known)?;
    let (kind, resource) = resource(asked)?;
    let spoken = asked.context.tags.iter().map(String::as_str).chain(who.principal.tags.as_deref());
    let spoken: Vec<String> = spoken.map(str::to_owned).collect();
    let all_tags = tagged(&spoken)?;
    let principal = &who.principal;
    let caller = Caller {
        key: if who.has_key { &principal.key } else { "" },
        service: who.service.as_deref(),
        tags: all_tags.as_deref(),
        ..Caller::from(principal)
    };
    let circumstances = circumstances(asked, now)?;
    let question = Question { caller, action: &asked.action, kind, resource: &resource, circumstances };
    let decision = permissions.decide(&question);
    let permit = asked.key.as_ref().and_then(|key| known.get(&**key));
    let permitted = |permit: &Permit| match kind {
        Kind::Model => Some(permit.models.match_name(&resource)),
        Kind::Tool | Kind::Resource | Kind::Prompt => {
            let toolsets = permissions.directory.toolsets_of(kind, &resource);
            Some(permit.tools.permit(server_of(&resource), toolsets))
        }
        _ => None,
    };
    Ok(PolicyAnswer {
        allow: decision.allow,
        basis: decision.basis.as_str().to_owned(),
        reason: decision.reason(&question),
        key_permits: permit.and_then(|(_, permit)| permitted(permit)),
        principal: caller.who().to_string(),
        action: asked.action.clone(),
        resource: question.resource().to_string(),
        deciding: decision.deciding.iter().map(|id| deciding(permissions, id)).collect(),
        errors: decision
            .errors
            .iter()
            .map(|error| PolicyError { policy: error.policy.to_string(), message: error.message.clone() })
            .collect(),
    })
}

fn deciding(permissions: &Permissions, id: &str) -> DecidingPolicy {
    let (file, line) = permissions.policies.place(id).unwrap_or_default();
    DecidingPolicy { id: id.to_owned(), file: file.to_owned(), line }
}

fn resource(asked: &PolicyQuestion) -> Result<(Kind, String), PolicyRefusal> {
    let action = &asked.action;
    let kind = kind_of_action(action).ok_or_else(|| {
        let all: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
        PolicyRefusal::new(format!("There is no action `{action}`."), format!("There are {}.", all.join(", ")))
    })?;
    if asked.resource.is_empty() {
        return Err(PolicyRefusal::new("The resource is missing.", format!("Name a {kind}.")));
    }
    if !asked.resource.contains("::") {
        return Ok((kind, asked.resource.clone()));
    }
    let named: Named = asked.resource.parse().map_err(|problem: String| {
        PolicyRefusal::new(format!("{problem}."), format!("`{action}` is done to a {kind}: {kind}::\"name\"."))
    })?;
    if named.kind == kind {
        return Ok((kind, named.name.to_string()));
    }
    let message = format!("`{action}` is done to a {kind}, not to a {}.", named.kind);
    Err(PolicyRefusal::new(message, format!("Name a {kind}.")))
}

fn circumstances<'q>(asked: &'q PolicyQuestion, now: Now) -> Result<Circumstances<'q>, PolicyRefusal> {
    let context = &asked.context;
    let unix_secs = match &context.time {
        None => now.unix_secs(),
        Some(text) => {
            let moment = moment::point(text).map(Timestamp::as_second).and_then(|secs| u64::try_from(secs).ok());
            moment.ok_or_else(|| {
                PolicyRefusal::new(format!("`{text}` is no time."), "Write it like 2026-11-22T19:30:00Z or 2026-11-22.")
            })?
        }
    };
    let address = context.address.as_ref().map(|text| text.parse::<IpAddr>()).transpose();
    let address = address
        .map_err(|_| PolicyRefusal::new("The address is none.", "Write an IPv4 or IPv6 address, without a port."))?;
    Ok(Circumstances {
        unix_secs,
        address,
        stream: context.stream,
        input_tokens: context.input_tokens,
        output_cap: context.output_cap,
        arguments: context.arguments.as_ref(),
    })
}
