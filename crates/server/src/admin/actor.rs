//! Who is asking: the holder of an admin key, who is an owner of the organisation that runs the instance, or of a key with a
//! role.

use std::sync::Arc;

use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Fault, Principal, Role};
use gatehouse_store::keys;

use super::claim;
use super::error::ApiError;
use crate::control::{Control, From};

/// Somebody with a role.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// How logs and objects name it: the key's id, `admin_key` or `claimed_key`.
    pub(crate) name: Arc<str>,
    /// Nothing outside of it exists for this actor.
    pub(crate) organisation: Arc<str>,
    /// Does it hold an admin key? Keys and usage of every organisation are its own then.
    pub(crate) operator: bool,
    /// What it is.
    pub(crate) role: Role,
    /// Its team.
    pub(crate) team: Option<Arc<str>>,
    /// The person it is.
    pub(crate) user: Option<Arc<str>>,
}

/// Why a presented key opens nothing.
#[derive(Debug)]
pub(crate) enum NotLetIn {
    /// It is wrong; another guess may be right.
    Wrong(ApiError),
    /// It is a key, but not one that may do anything here. Nobody learns a key from it.
    NoRole(ApiError),
    /// It could not be found out.
    Failed(ApiError),
}

const HINT: &str = "Send `Authorization: Bearer KEY` with auth.admin_key of the configuration, the key that the claim link of \
                    the first start gave, or a key with a role.";

/// The error of a request without any key.
pub(crate) fn nobody() -> ApiError {
    ApiError::new(Code::MissingKey, "The admin API needs a key.", HINT)
}

/// The error of a caller who is known, and has no role.
pub(crate) fn no_role() -> ApiError {
    let hint = "An admin can make a key with a role, or use an admin key.";
    ApiError::new(Code::NotAllowed, "This key has no role in the admin API.", hint)
}

/// Who a presented key is. Takes the same time for every wrong key: hashes are compared, all of them, whole.
pub(crate) async fn identify(control: &Control, presented: &str, from: &From<'_>) -> Result<Actor, NotLetIn> {
    let admin_key = admin_key(control, presented).await?;
    let caller = control.operations.caller_from(presented, from);
    if let Some(name) = admin_key {
        return Ok(Actor::owner(name));
    }
    match caller {
        Ok(principal) => Actor::of(&principal).ok_or_else(|| NotLetIn::NoRole(no_role())),
        Err(fault) if fault.code == Code::UnknownKey => {
            Err(NotLetIn::Wrong(ApiError::new(Code::UnknownKey, "This key is not an admin key.", HINT)))
        }
        Err(fault) => Err(NotLetIn::of(fault, HINT)),
    }
}

/// Is it the configured admin key, or the claimed one? As what it goes, if it is.
pub(crate) async fn admin_key(control: &Control, presented: &str) -> Result<Option<&'static str>, NotLetIn> {
    let hash = keys::hash(&control.pepper, presented);
    let configured = control.operations.admin_key().filter(|key| !key.is_empty());
    let configured = configured.map(|key| keys::hash(&control.pepper, key.reveal()));
    let claimed = claim::admin_key(&control.store).await.map_err(|error| NotLetIn::Failed(error.into()))?;
    let is = |known: Option<[u8; 32]>| known.is_some_and(|known| same(&known, &hash));
    let (configured, claimed) = (is(configured), is(claimed));
    Ok(if configured { Some("admin_key") } else { claimed.then_some("claimed_key") })
}

impl NotLetIn {
    /// Why a credential is not good. What cannot be found out now is no wrong guess.
    pub(crate) fn of(fault: Fault, hint: &str) -> Self {
        let error = ApiError::new(fault.code, fault.message, hint);
        match fault.retry_after_secs {
            Some(seconds) => Self::Failed(error.retry_after(seconds)),
            None => Self::Wrong(error),
        }
    }
}

impl Actor {
    fn owner(name: &str) -> Self {
        let organisation = DEFAULT_ORGANISATION.into();
        Self { name: name.into(), organisation, operator: true, role: Role::Owner, team: None, user: None }
    }

    /// Who a caller is here; `None` without a role.
    pub(crate) fn of(principal: &Principal) -> Option<Self> {
        Some(Self {
            name: Arc::clone(&principal.key),
            organisation: Arc::clone(&principal.organisation),
            operator: false,
            role: principal.role?,
            team: principal.team.clone(),
            user: principal.user.clone(),
        })
    }

    /// Is it of the organisation that runs this instance?
    pub(crate) fn runs_the_instance(&self) -> bool {
        *self.organisation == *DEFAULT_ORGANISATION
    }
}

/// Takes the same time wherever two hashes differ.
pub(crate) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
