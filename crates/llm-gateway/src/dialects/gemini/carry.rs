//! Signatures in `thoughtSignature`, and ids for calls that came without one.
//!
//! A thought signature is opaque base64 that clients return unchanged. When another vendor's model answers a Gemini
//! client, its signature rides in the same field with a mark in front, so that it finds its way home and is never shown
//! to Google.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::form::{Issuer, Signature};

/// Twelve bytes, so that their base64 is sixteen letters without padding.
const MARK: &[u8; 12] = b"gatehouse.v1";
const MARK_BASE64: &str = "Z2F0ZWhvdXNlLnYx";

/// What a `thoughtSignature` says: the signature, and whether it is an encrypted thought.
pub(super) fn unpack(value: String) -> (Signature, bool) {
    let foreign = value.strip_prefix(MARK_BASE64).and_then(|rest| {
        // SDKs that hold bytes may return the URL-safe alphabet, with or without padding.
        let rest = rest.trim_end_matches('=').replace('-', "+").replace('_', "/");
        let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
        let text = String::from_utf8(engine.decode(rest).ok()?).ok()?;
        let (letter, value) = text.split_at_checked(1)?;
        let issuer = match letter {
            "a" | "A" => Issuer::Anthropic,
            "o" | "O" => Issuer::OpenAi,
            _ => return None,
        };
        Some((Signature { issuer, value: value.to_owned() }, letter == "A" || letter == "O"))
    });
    foreign.unwrap_or((Signature { issuer: Issuer::Google, value }, false))
}

/// The `thoughtSignature` for a client; `None` for issuers whose signatures nobody takes back.
pub(super) fn pack(signature: &Signature, encrypted: bool) -> Option<Cow<'_, str>> {
    let letter = match (signature.issuer, encrypted) {
        (Issuer::Google, _) => return Some(Cow::Borrowed(&signature.value)),
        (Issuer::Anthropic, false) => b'a',
        (Issuer::Anthropic, true) => b'A',
        (Issuer::OpenAi, false) => b'o',
        (Issuer::OpenAi, true) => b'O',
        (Issuer::Other, _) => return None,
    };
    let mut bytes = Vec::with_capacity(MARK.len() + 1 + signature.value.len());
    bytes.extend_from_slice(MARK);
    bytes.push(letter);
    bytes.extend_from_slice(signature.value.as_bytes());
    Some(Cow::Owned(STANDARD.encode(bytes)))
}

/// An id for a call that came without one: the same conversation gives the same ids, so that a provider's prompt cache
/// sees the same bytes. `salt` tells one answer from another.
pub(super) fn mint_call_id(ordinal: usize, name: &str, salt: &str) -> String {
    // FNV-1a: not for secrets, only to make ids of different calls differ.
    let mut hash: u32 = 0x811c_9dc5;
    for byte in name.bytes().chain([0]).chain(salt.bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    format!("call_{ordinal}_{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_its_own_base64() {
        assert_eq!(STANDARD.encode(MARK), MARK_BASE64);
    }

    #[test]
    fn a_foreign_signature_comes_home_through_a_gemini_client() {
        for encrypted in [false, true] {
            let claude = Signature { issuer: Issuer::Anthropic, value: "EqQB??>>".to_owned() };
            let packed = pack(&claude, encrypted).expect("packed").into_owned();
            assert_eq!(unpack(packed.clone()), (claude.clone(), encrypted));
            let url_safe = packed.replace('+', "-").replace('/', "_");
            assert_eq!(unpack(url_safe), (claude, encrypted));
        }
    }

    #[test]
    fn googles_own_signature_is_not_touched() {
        let own = Signature { issuer: Issuer::Google, value: "CkEB+/==".to_owned() };
        assert_eq!(pack(&own, false), Some(Cow::Borrowed("CkEB+/==")));
        assert_eq!(unpack("CkEB+/==".to_owned()), (own, false));
    }

    #[test]
    fn a_tampered_mark_reads_as_googles() {
        assert_eq!(unpack(format!("{MARK_BASE64}!!")).0.issuer, Issuer::Google);
    }

    #[test]
    fn minted_ids_are_the_same_for_the_same_call() {
        assert_eq!(mint_call_id(0, "f", "x"), mint_call_id(0, "f", "x"));
        assert_ne!(mint_call_id(0, "f", "x"), mint_call_id(0, "f", "y"));
    }
}
