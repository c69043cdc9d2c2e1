//! `thoughtSignature`, opaque base64 that clients return unchanged: Google's own as it is, every other vendor's proof
//! marked. And ids for calls that came without one.

use std::borrow::Cow;

use crate::dialects::shared::carried::{mark_base64, unmark_base64};
use crate::dialects::shared::words::fnv1a;
use crate::form::{Issuer, Signature};

/// What a `thoughtSignature` says: the signature, and whether it is an encrypted thought.
pub(super) fn unpack(value: String) -> (Signature, bool) {
    match unmark_base64(&value) {
        Some(carried) => (carried.proof, carried.encrypted),
        None => (Signature { issuer: Issuer::Google, value }, false),
    }
}

/// The `thoughtSignature` for a client; `None` for issuers whose signatures nobody takes back.
pub(super) fn pack(signature: &Signature, encrypted: bool) -> Option<Cow<'_, str>> {
    if signature.issuer == Issuer::Google {
        return Some(Cow::Borrowed(&signature.value));
    }
    mark_base64(signature, encrypted, None).map(Cow::Owned)
}

/// An id for a call that came without one: the same conversation gives the same ids, so that a provider's prompt cache
/// sees the same bytes. `salt` tells one answer from another.
pub(super) fn mint_call_id(ordinal: usize, name: &str, salt: &str) -> String {
    format!("call_{ordinal}_{:08x}", fnv1a(name.bytes().chain([0]).chain(salt.bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_own_signature_is_not_touched() {
        let own = Signature { issuer: Issuer::Google, value: "CkEB+/==".to_owned() };
        assert_eq!(pack(&own, false), Some(Cow::Borrowed("CkEB+/==")));
        assert_eq!(unpack("CkEB+/==".to_owned()), (own, false));
    }

    #[test]
    fn minted_ids_are_the_same_for_the_same_call() {
        assert_eq!(mint_call_id(0, "f", "x"), mint_call_id(0, "f", "x"));
        assert_ne!(mint_call_id(0, "f", "x"), mint_call_id(0, "f", "y"));
    }
}
