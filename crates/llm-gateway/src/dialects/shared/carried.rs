//! Foreign signatures in the fields in which clients return a thought's proof unmodified.
//!
//! A client of one dialect returns what it was given: a thinking block's `signature` (Anthropic, Bedrock), a reasoning
//! item's `encrypted_content` (Responses), a part's `thoughtSignature` (Gemini). So the proof of another vendor's thought
//! rides there, marked, and comes back when the conversation goes on: `gatehouse~{issuer}{s|e}~{item id}~{value}`, `s` for
//! a signature, `e` for an encrypted thought. What is marked is never shown to a vendor; what is not marked is the
//! dialect's owner's.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::form::{Issuer, Reasoning, Signature};

const MARK: &str = "gatehouse~";
/// How the base64 of a marked value begins: that of the mark's first nine bytes.
const MARK_BASE64: &str = "Z2F0ZWhvdXNl";

/// A proof that came back.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::dialects) struct Carried {
    /// The proof itself.
    pub(in crate::dialects) proof: Signature,
    /// Is it the thought in encrypted form, and not a signature?
    pub(in crate::dialects) encrypted: bool,
    /// The item's id in the dialect of origin.
    pub(in crate::dialects) id: Option<String>,
}

/// The proof, marked; `None` for issuers whose proofs nobody takes back.
pub(in crate::dialects) fn mark(proof: &Signature, encrypted: bool, id: Option<&str>) -> Option<String> {
    let letter = proof.issuer.letter()?;
    let kind = if encrypted { 'e' } else { 's' };
    Some(format!("{MARK}{letter}{kind}~{}~{}", id.unwrap_or_default(), proof.value))
}

/// The same in base64, for fields that take nothing else.
pub(in crate::dialects) fn mark_base64(proof: &Signature, encrypted: bool, id: Option<&str>) -> Option<String> {
    mark(proof, encrypted, id).map(|marked| STANDARD.encode(marked))
}

/// What a marked value carries; `None` for one that is not marked.
pub(in crate::dialects) fn unmark(value: &str) -> Option<Carried> {
    let mut parts = value.strip_prefix(MARK)?.splitn(3, '~');
    let mut head = parts.next()?.chars();
    let issuer = Issuer::of_letter(head.next()?)?;
    let encrypted = match head.as_str() {
        "s" => false,
        "e" => true,
        _ => return None,
    };
    let id = parts.next().filter(|id| !id.is_empty()).map(str::to_owned);
    Some(Carried { proof: Signature { issuer, value: parts.next()?.to_owned() }, encrypted, id })
}

/// The same for a value in base64. SDKs that hold bytes may return the URL-safe alphabet, with or without padding.
pub(in crate::dialects) fn unmark_base64(value: &str) -> Option<Carried> {
    if !value.starts_with(MARK_BASE64) {
        return None;
    }
    let plain = value.trim_end_matches('=').replace('-', "+").replace('_', "/");
    unmark(&String::from_utf8(STANDARD_NO_PAD.decode(plain).ok()?).ok()?)
}

/// The `signature` of a thinking block for a client of Anthropic's or Bedrock's: theirs bare, any other marked, empty
/// when there is none to carry.
pub(in crate::dialects) fn block_signature<'a>(
    proof: &'a Signature,
    encrypted: bool,
    id: Option<&str>,
) -> Cow<'a, str> {
    if proof.issuer == Issuer::Anthropic && !encrypted {
        return Cow::Borrowed(&proof.value);
    }
    Cow::Owned(mark(proof, encrypted, id).unwrap_or_default())
}

/// The thought of a thinking block that a client of Anthropic's or Bedrock's sent back.
pub(in crate::dialects) fn block_thought(text: String, signature: Option<String>) -> Reasoning {
    let mut thought = Reasoning { text, ..Reasoning::default() };
    let Some(value) = signature.filter(|value| !value.is_empty()) else { return thought };
    match unmark(&value) {
        None => thought.signature = Some(Signature { issuer: Issuer::Anthropic, value }),
        Some(Carried { proof, encrypted: true, id }) => {
            thought.summary = proof.issuer == Issuer::OpenAi;
            thought.encrypted = Some(proof);
            thought.id = id;
        }
        Some(Carried { proof, encrypted: false, id }) => {
            thought.signature = Some(proof);
            thought.id = id;
        }
    }
    thought
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(issuer: Issuer) -> Signature {
        Signature { issuer, value: "EqQB??>>~A=".to_owned() }
    }

    #[test]
    fn an_anthropic_signature_travels_bare() {
        let own = signature(Issuer::Anthropic);
        assert_eq!(block_signature(&own, false, None), own.value);
        assert_eq!(block_thought("t".to_owned(), Some(own.value.clone())).signature, Some(own));
    }

    #[test]
    fn a_foreign_one_comes_back_with_its_issuer_and_item() {
        let proof = signature(Issuer::OpenAi);
        let thought = block_thought(String::new(), Some(block_signature(&proof, true, Some("rs_1")).into_owned()));
        assert_eq!((thought.encrypted, thought.id.as_deref()), (Some(proof), Some("rs_1")));
    }

    #[test]
    fn it_survives_base64_of_either_alphabet() {
        for (issuer, encrypted) in [(Issuer::Anthropic, true), (Issuer::OpenAi, false), (Issuer::Google, false)] {
            let packed = mark_base64(&signature(issuer), encrypted, None).unwrap();
            assert!(packed.starts_with(MARK_BASE64));
            let url_safe = packed.replace('+', "-").replace('/', "_").replace('=', "");
            let back = Some(Carried { proof: signature(issuer), encrypted, id: None });
            assert_eq!((unmark_base64(&packed), unmark_base64(&url_safe)), (back, unmark_base64(&packed)));
        }
    }

    #[test]
    fn what_is_tampered_with_or_of_nobody_known_is_not_carried() {
        assert_eq!(mark(&signature(Issuer::Other), false, None), None);
        for value in ["gatehouse~xs~~v", "gatehouse~gq~~v", "gatehouse~gs", "EqQB"] {
            assert_eq!(unmark(value), None, "{value}");
        }
        assert_eq!(unmark_base64("Z2F0ZWhvdXNl!!"), None);
    }
}
