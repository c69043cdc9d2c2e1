//! `encrypted_content`: OpenAI's own as it is, every other vendor's proof marked.

use std::borrow::Cow;

use crate::dialects::shared::carried::{mark, unmark};
use crate::form::{Issuer, Reasoning, Signature};

/// What to write as `encrypted_content`, if anything.
pub(super) fn seal<'a>(signature: Option<&'a Signature>, encrypted: Option<&'a Signature>) -> Option<Cow<'a, str>> {
    match (encrypted, signature) {
        (Some(own), _) if own.issuer == Issuer::OpenAi => Some(Cow::Borrowed(&own.value)),
        (Some(encrypted), _) => mark(encrypted, true, None).map(Cow::Owned),
        (None, signature) => mark(signature?, false, None).map(Cow::Owned),
    }
}

/// Puts what a client returned as `encrypted_content` where it belongs.
pub(super) fn unseal(value: String, thought: &mut Reasoning) {
    match unmark(&value) {
        None => thought.encrypted = Some(Signature { issuer: Issuer::OpenAi, value }),
        Some(carried) if carried.encrypted => thought.encrypted = Some(carried.proof),
        Some(carried) => thought.signature = Some(carried.proof),
    }
}
