//! The one place where secrets of objects made through the admin API go in and come out. Bodies in the database hold a
//! mask; what it stands for is sealed in the vault, under the object's name and the pointer to the field.

use gatehouse_catalog::Kind;
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

impl Place<'_> {
    /// The secret's name in the vault: `openai#/api_key`. No two places have one name, whatever objects are called.
    fn name(&self) -> String {
        let object = self.object.replace('%', "%25").replace('#', "%23");
        format!("{object}#{}", self.pointer)
    }
}

/// Seals a secret into its place.
///
/// # Errors
/// When it is empty or too long, or the database fails.
pub async fn seal(store: &Store, place: Place<'_>, secret: &Secret, now_unix_ms: u64) -> Result<(), StoreError> {
    let Place { organisation, kind, .. } = place;
    store.vault()?.put(organisation, kind, &place.name(), secret, now_unix_ms).await.map(drop)
}

/// Takes a secret out of its place for good.
///
/// # Errors
/// When the database fails.
pub async fn forget(store: &Store, place: Place<'_>) -> Result<(), StoreError> {
    store.vault()?.delete(place.organisation, place.kind, &place.name()).await.map(drop)
}

/// The body of an object with every mask replaced by the secret it stands for. A mask without one stays, and the check of
/// the configuration says where.
///
/// # Errors
/// When a secret cannot be opened.
pub async fn open(store: &Store, object: &StoredObject) -> Result<Value, StoreError> {
    let mut body = object.body.clone();
    for pointer in places(&object.kind, &object.body) {
        let place =
            Place { organisation: &object.organisation, kind: &object.kind, object: &object.name, pointer: &pointer };
        let secret = store.vault()?.get(place.organisation, place.kind, &place.name()).await?;
        if let (Some(secret), Some(field)) = (secret, body.pointer_mut(&pointer)) {
            *field = Value::from(secret.reveal());
        }
    }
    Ok(body)
}

/// Pointers to the masks in a body.
#[must_use]
pub fn places(kind: &str, body: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    if let Some(kind) = Kind::named(kind) {
        kind.secrets(&mut body.clone(), &mut |pointer, value| {
            if value.get("secret") == Some(&Value::Bool(true)) {
                pointers.push(pointer.to_owned());
            }
        });
    }
    pointers
}
