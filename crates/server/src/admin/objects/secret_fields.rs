//! Secret fields of a body on their way in: a text is taken and sealed, a mask means "the one that is there".

use gatehouse_catalog::{Kind, mask, refers_to_a_secret};
use gatehouse_domain::Secret;
use gatehouse_store::{Store, StoredObject};
use serde_json::Value;

use crate::admin::error::{AdminCode, ApiError};
use crate::admin::now_ms;
use crate::control::Wrong;
use crate::secrets::{self, Place};

/// What the vault takes.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// A body taken apart.
pub(super) struct Taken {
    /// With a mask in every secret field: this is stored and shown.
    pub(super) masked: Value,
    /// Secrets that are new, by JSON pointer.
    pub(super) fresh: Vec<(String, Secret)>,
}

impl Taken {
    /// The body with its secrets in the clear, for a check of the configuration. `kept` is what is stored now, opened.
    pub(super) fn clear(&self, kind: &Kind, kept: Option<&Value>) -> Value {
        let mut body = self.masked.clone();
        kind.secrets(&mut body, &mut |pointer, value| {
            let fresh = self.fresh.iter().find(|(at, _)| at == pointer);
            match (fresh, kept.and_then(|kept| kept.pointer(pointer))) {
                (Some((_, secret)), _) => *value = Value::from(secret.reveal()),
                (None, Some(kept)) => *value = kept.clone(),
                (None, None) => {}
            }
        });
        body
    }

    /// A secret that is there already is nothing new.
    pub(super) fn forget_what_is_kept(&mut self, kept: &Value) {
        let same = |(pointer, secret): &(String, Secret)| {
            kept.pointer(pointer).and_then(Value::as_str) == Some(secret.reveal())
        };
        self.fresh.retain(|fresh| !same(fresh));
    }
}

/// Takes the secrets out of a body. `before` is what is stored now, masks included.
pub(super) fn take(kind: &Kind, body: &Value, before: Option<&Value>) -> Result<Taken, ApiError> {
    let (mut masked, mut fresh, mut wrong) = (body.clone(), Vec::new(), Vec::new());
    kind.secrets(&mut masked, &mut |pointer, value| match value {
        // A reference is no secret: it is kept and shown as it is.
        Value::String(text) if refers_to_a_secret(text) => {}
        Value::String(text) if text.is_empty() || text.len() > SECRET_BYTES_MAX => {
            wrong.push(problem(pointer, "a secret has 1 to 65536 bytes"));
        }
        Value::String(text) => {
            let shown = mask(text);
            fresh.push((pointer.to_owned(), Secret::new(std::mem::take(text))));
            *value = shown;
        }
        _ if is_mask(value) => match before.and_then(|before| before.pointer(pointer)).filter(|kept| is_mask(kept)) {
            Some(kept) => *value = kept.clone(),
            None => wrong.push(problem(pointer, "there is no secret here yet that could stay")),
        },
        _ => wrong.push(problem(pointer, "expected text")),
    });
    if wrong.is_empty() {
        return Ok(Taken { masked, fresh });
    }
    let hint = "Write the secret as text, or the mask that GET shows to keep the one that is there.";
    Err(ApiError::of(AdminCode::InvalidObject, "A secret field cannot be read.", hint).wrong(wrong))
}

/// Seals what is new.
pub(super) async fn seal(
    store: &Store,
    (organisation, kind, object): (&str, &Kind, &str),
    fresh: &[(String, Secret)],
) -> Result<(), ApiError> {
    for (pointer, secret) in fresh {
        secrets::seal(store, Place { organisation, kind: kind.name, object, pointer }, secret, now_ms()).await?;
    }
    Ok(())
}

/// Forgets the secrets of an object that its new body, if it has one, does not hold any more.
pub(super) async fn forget(store: &Store, before: &StoredObject, after: Option<&Value>) -> Result<(), ApiError> {
    let kept = after.map(|after| secrets::places(&before.kind, after)).unwrap_or_default();
    for pointer in secrets::places(&before.kind, &before.body) {
        if !kept.contains(&pointer) {
            let (organisation, kind, object) = (&*before.organisation, &*before.kind, &*before.name);
            secrets::forget(store, Place { organisation, kind, object, pointer: &pointer }).await?;
        }
    }
    Ok(())
}

fn problem(pointer: &str, message: &str) -> Wrong {
    Wrong { object: None, pointer: pointer.to_owned(), message: message.to_owned(), hint: None }
}

fn is_mask(value: &Value) -> bool {
    value.get("secret") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn providers() -> &'static Kind {
        Kind::named("providers").unwrap()
    }

    #[test]
    fn a_secret_leaves_only_its_mask_behind() {
        let body = json!({"kind": "openai", "api_key": "sk-0123456789abcdef"});
        let taken = take(providers(), &body, None).unwrap();
        assert_eq!(taken.masked["api_key"], json!({"secret": true, "last4": "cdef"}));
        assert_eq!((&*taken.fresh[0].0, taken.fresh[0].1.reveal()), ("/api_key", "sk-0123456789abcdef"));
    }

    #[test]
    fn a_mask_keeps_what_is_there_and_cannot_be_made_up() {
        let body = json!({"kind": "openai", "api_key": {"secret": true, "last4": "zzzz"}});
        let before = json!({"kind": "openai", "api_key": {"secret": true, "last4": "cdef"}});
        let taken = take(providers(), &body, Some(&before)).unwrap();
        assert_eq!((taken.masked, taken.fresh.len()), (before, 0));
        assert!(take(providers(), &body, None).is_err());
        assert!(take(providers(), &json!({"kind": "openai", "api_key": 7}), None).is_err());
    }
}
