//! Who is asking: the holder of an admin key, who is an owner of the organisation that runs the instance, or of a key with a
//! role.

use std::sync::Arc;

use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Principal, Role};
use gatehouse_store::keys;

use super::claim;
use super::error::ApiError;
use crate::control::Control;

/// Somebody with a role.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// How logs and objects name it: the key's id, `admin_key` or `claimed_key`.
    pub(crate) name: Arc<str>,
    /// Nothing outside of it exists for this actor.
    pub(crate) organisation: Arc<str>,
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

/// Who a presented key is. Takes the same time for every wrong key: hashes are compared, all of them, whole.
pub(crate) async fn identify(control: &Control, presented: &str) -> Result<Actor, NotLetIn> {
    let hash = keys::hash(&control.pepper, presented);
    let configured = control.operations.admin_key().filter(|key| !key.is_empty());
    let configured = configured.map(|key| keys::hash(&control.pepper, key.reveal()));
    let claimed = claim::admin_key(&control.store).await.map_err(|error| NotLetIn::Failed(error.into()))?;
    let is = |known: Option<[u8; 32]>| known.is_some_and(|known| same(&known, &hash));
    let (configured, claimed) = (is(configured), is(claimed));
    let caller = control.operations.caller(presented);
    if configured || claimed {
        return Ok(Actor::owner(if configured { "admin_key" } else { "claimed_key" }));
    }
    match caller {
        Ok(principal) => Actor::of(&principal).ok_or_else(|| {
            let hint = "An admin can make a key with a role, or use an admin key.";
            NotLetIn::NoRole(ApiError::new(Code::NotAllowed, "This key has no role in the admin API.", hint))
        }),
        Err(fault) if fault.code == Code::UnknownKey => {
            Err(NotLetIn::Wrong(ApiError::new(Code::UnknownKey, "This key is not an admin key.", HINT)))
        }
        Err(fault) => Err(NotLetIn::Wrong(ApiError::new(fault.code, fault.message, HINT))),
    }
}

impl Actor {
    fn owner(name: &str) -> Self {
        let organisation = DEFAULT_ORGANISATION.into();
        Self { name: name.into(), organisation, role: Role::Owner, team: None, user: None }
    }

    fn of(principal: &Principal) -> Option<Self> {
        Some(Self {
            name: Arc::clone(&principal.key),
            organisation: Arc::clone(&principal.organisation),
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
