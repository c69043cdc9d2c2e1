//! The one place where secrets of objects made through the admin API go in and come out. Bodies in the database hold a
//! mask; what it stands for is sealed beside it.
//!
//! This build has no vault, and a secret is never stored in the clear: so there is nothing to seal with yet, and the API
//! refuses secret fields.

use gatehouse_domain::Secret;
use gatehouse_store::{Store, StoreError, StoredObject};
use serde_json::Value;

/// Where a secret belongs: one field of one object.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Whose object.
    pub organisation: &'a str,
    /// Which kind: `providers`.
    pub kind: &'a str,
    /// The object's name.
    pub object: &'a str,
    /// JSON pointer to the field.
    pub pointer: &'a str,
}

/// Why a secret was not sealed.
#[derive(Debug)]
pub enum NotSealed {
    /// There is nothing to seal with.
    NoVault,
    /// The database failed.
    Store(StoreError),
}

/// Can secrets be sealed here?
#[must_use]
pub const fn available(_store: &Store) -> bool {
    false
}

/// Seals a secret into its place.
///
/// # Errors
/// When there is no vault or the database fails.
pub async fn seal(_store: &Store, _place: Place<'_>, _secret: &Secret) -> Result<(), NotSealed> {
    Err(NotSealed::NoVault)
}

/// The body of an object with every mask replaced by the secret it stands for.
///
/// # Errors
/// When a secret cannot be opened.
pub async fn open(_store: &Store, object: &StoredObject) -> Result<Value, StoreError> {
    Ok(object.body.clone())
}
