//! What is pinned of an issuer, and what its claims say about a caller.

use gatehouse_domain::{Access, Role, Scopes};
use serde_json::{Map, Value};

use super::Algorithm;
use super::token::TokenFault;

/// Links of a delegation chain. Longer ones are refused: nobody delegates that often by intention.
const ACT_DEPTH_MAX: usize = 8;
/// Bytes of a name out of a token (OpenID Connect Core §2 has 255 for `sub`).
const NAME_BYTES_MAX: usize = 255;
/// Teams looked at in one token.
const GROUPS_MAX: usize = 200;

/// An issuer as the configuration pins it.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The claim `iss`, letter for letter.
    pub issuer: String,
    /// Accepted values of the claim `aud`.
    pub audiences: Vec<String>,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Which claim says what.
    pub claims: ClaimNames,
    /// Claims a token must have.
    pub require: Vec<(String, Expected)>,
    /// Seconds its clock may be off.
    pub leeway_secs: u64,
    /// Is it this gateway's own authorization server? Then each token is for one resource, whichever, and whoever lets its bearer
    /// in must compare: [`Identity::own`] says for which.
    pub own: bool,
}

/// Which claim says what. A dot leads into an object.
#[derive(Clone, Debug, Default)]
pub struct ClaimNames {
    /// Who it is.
    pub user: String,
    /// The teams.
    pub team: Option<String>,
    /// The organisation.
    pub organisation: Option<String>,
    /// The role in the admin API.
    pub role: Option<String>,
    /// The agent.
    pub agent: Option<String>,
}

/// What a claim must say.
#[derive(Clone, Debug)]
pub enum Expected {
    /// True or false.
    Flag(bool),
    /// One of these texts; of a list, any of its items.
    AnyOf(Vec<String>),
}

/// Whom a token that holds is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who it is: a person, or whoever got the token for itself.
    pub subject: String,
    /// Teams, in the issuer's order.
    pub groups: Vec<String>,
    /// The organisation.
    pub organisation: Option<String>,
    /// The role in the admin API.
    pub role: Option<Role>,
    /// The agent that calls.
    pub agent: Option<String>,
    /// Who acts for whom (RFC 8693 §4.1): the one that acts now first.
    pub act: Vec<String>,
    /// Unix seconds from which on the token counts no more, leeway included.
    pub until_unix_secs: u64,
    /// What only tokens of this gateway's own authorization server say.
    pub own: Option<Own>,
}

/// What a token of this gateway's own authorization server says besides who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// What it is bound to.
    pub access: Access,
    /// The id of the key its bearer logged in with: it is as good as that key, and no better.
    pub key: Option<String>,
    /// The issuer that knows the person by this subject, if another one does.
    pub vouched_by: Option<String>,
}

impl Issuer {
    /// Reads whom the claims are about, after everything that is pinned was held against them.
    pub(super) fn identity(&self, claims: &Map<String, Value>, now_secs: u64) -> Result<Identity, TokenFault> {
        let until_unix_secs = self.in_time(claims, now_secs)?;
        let own = if self.own { Some(own(claims)?) } else { None };
        if !self.own && !texts(claims.get("aud")).any(|audience| self.audiences.iter().any(|known| known == audience)) {
            return Err(TokenFault::Audience);
        }
        for (claim, expected) in &self.require {
            if !expected.holds(find(claims, claim)) {
                return Err(TokenFault::Required(claim.clone()));
            }
        }
        let one = |claim: &Option<String>| match find(claims, claim.as_deref()?)? {
            Value::String(text) if is_name(text) => Some(text.clone()),
            _ => None,
        };
        let act = act_chain(claims)?;
        let groups = self.claims.team.as_deref().map(|claim| texts(find(claims, claim)));
        let roles = self.claims.role.as_deref().map(|claim| texts(find(claims, claim)));
        Ok(Identity {
            subject: one(&Some(self.claims.user.clone())).ok_or(TokenFault::Subject)?,
            groups: groups.into_iter().flatten().filter(|name| is_name(name)).map(str::to_owned).collect(),
            organisation: one(&self.claims.organisation),
            role: roles.into_iter().flatten().find_map(|name| name.parse().ok()),
            agent: one(&self.claims.agent).or_else(|| act.first().cloned()),
            act,
            until_unix_secs,
            own,
        })
    }

    /// `exp`, `nbf` and `iat`; says until when the token counts.
    fn in_time(&self, claims: &Map<String, Value>, now: u64) -> Result<u64, TokenFault> {
        let Some(expires) = moment(claims, "exp")? else { return Err(TokenFault::Shape("has no `exp`")) };
        let until = expires.saturating_add(self.leeway_secs);
        if now >= until {
            return Err(TokenFault::Expired);
        }
        for claim in ["nbf", "iat"] {
            if moment(claims, claim)?.is_some_and(|from| from > now.saturating_add(self.leeway_secs)) {
                return Err(TokenFault::Early);
            }
        }
        Ok(until)
    }
}

impl Expected {
    fn holds(&self, claim: Option<&Value>) -> bool {
        match self {
            Self::Flag(expected) => claim == Some(&Value::Bool(*expected)),
            Self::AnyOf(accepted) => texts(claim).any(|text| accepted.iter().any(|known| known == text)),
        }
    }
}

/// A claim by its name, or by the way that dots lead. URLs as names of claims have dots, too, so the whole name is first.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut steps = name.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |place, step| place.as_object()?.get(step))
}

/// A text as one, a list as many.
fn texts(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match claim {
        Some(Value::String(text)) => (Some(text.as_str()), None),
        Some(Value::Array(items)) => (None, Some(items)),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten().take(GROUPS_MAX).filter_map(Value::as_str))
}

/// Unix seconds (RFC 7519 §2, NumericDate), fractions allowed.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, TokenFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such a cast stops at the bounds")]
    let seconds = value.as_u64().or_else(|| value.as_f64().filter(|secs| *secs >= 0.0).map(|secs| secs as u64));
    seconds.map(Some).ok_or(TokenFault::Shape("has a time that is no number"))
}

/// RFC 9068 §2.2, with one audience, and the two claims that are ours.
fn own(claims: &Map<String, Value>) -> Result<Own, TokenFault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let Some(resource) = text("aud") else { return Err(TokenFault::Audience) };
    let scopes = Scopes::read(text("scope").unwrap_or_default());
    let (Some(client), Some(grant)) = (text("client_id"), text("grant")) else {
        return Err(TokenFault::Shape("does not say to which client and by which grant it was issued"));
    };
    let access = Access { grant: grant.into(), client: client.into(), resource: resource.into(), scopes };
    Ok(Own { access, key: text("key").map(str::to_owned), vouched_by: text("vouched_by").map(str::to_owned) })
}

fn act_chain(claims: &Map<String, Value>) -> Result<Vec<String>, TokenFault> {
    let mut chain = Vec::new();
    let mut place = claims.get("act");
    while let Some(actor) = place {
        let name = actor.get("sub").and_then(Value::as_str).filter(|name| is_name(name));
        chain.push(name.ok_or(TokenFault::Shape("has an `act` without `sub`"))?.to_owned());
        if chain.len() > ACT_DEPTH_MAX {
            return Err(TokenFault::Shape("has an `act` chain of more than 8 links"));
        }
        place = actor.get("act");
    }
    Ok(chain)
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
