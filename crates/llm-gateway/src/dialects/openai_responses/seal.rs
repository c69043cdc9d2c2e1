//! `encrypted_content` as a carrier of other vendors' proofs.
//!
//! Clients of this dialect return reasoning items unchanged, `encrypted_content` included. A signature or encrypted
//! thought of another vendor therefore rides there, marked with its issuer, and is recognised when it comes back. What
//! is marked is never sent to OpenAI; what is not marked is OpenAI's own.

use std::borrow::Cow;

use crate::dialects::openai_shared::wire::{issuer_letter, issuer_of};
use crate::form::{Issuer, Reasoning, Signature};

/// `gatehouse1:{issuer}{s = signature, e = encrypted thought}:{value}`.
const MARK: &str = "gatehouse1:";

/// What to write as `encrypted_content`, if anything.
pub(super) fn seal<'a>(signature: Option<&'a Signature>, encrypted: Option<&'a Signature>) -> Option<Cow<'a, str>> {
    let (proof, kind) = match (encrypted, signature) {
        (Some(own), _) if own.issuer == Issuer::OpenAi => return Some(Cow::Borrowed(&own.value)),
        (Some(encrypted), _) => (encrypted, 'e'),
        (None, Some(signature)) => (signature, 's'),
        (None, None) => return None,
    };
    Some(Cow::Owned(format!("{MARK}{}{kind}:{}", issuer_letter(proof.issuer), proof.value)))
}

/// Puts what a client returned as `encrypted_content` where it belongs.
pub(super) fn unseal(value: String, thought: &mut Reasoning) {
    let Some((head, proof)) = value.strip_prefix(MARK).and_then(|rest| rest.split_once(':')) else {
        thought.encrypted = Some(Signature { issuer: Issuer::OpenAi, value });
        return;
    };
    let mut letters = head.chars();
    let Some(issuer) = letters.next().and_then(issuer_of) else { return };
    let proof = Some(Signature { issuer, value: proof.to_owned() });
    match letters.as_str() {
        "s" => thought.signature = proof,
        "e" => thought.encrypted = proof,
        _ => {}
    }
}
