//! Carrying a signature through a client that knows nothing of signatures.
//!
//! Some models (Gemini 3) want the signature of a tool call back with the call. A client of another dialect has no
//! field for it, and drops fields it does not know; what every client returns unchanged is the call's id. So, where
//! no extension field survives, the signature rides in the id: `{id}--gs{issuer letter}{base64url of the signature}`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Issuer, Signature};

/// Letters every API and client takes in an id.
const MARK: &str = "--gs";

/// The id with the signature packed into it; the id as it is when there is none.
#[must_use]
pub fn pack_call_id(id: &str, signature: Option<&Signature>) -> String {
    let Some(signature) = signature else { return id.to_owned() };
    let Some(letter) = signature.issuer.letter() else { return id.to_owned() };
    let mut packed = String::with_capacity(id.len() + 4 + signature.value.len() * 4 / 3 + 3);
    packed.push_str(id);
    packed.push_str(MARK);
    packed.push(letter);
    URL_SAFE_NO_PAD.encode_string(&signature.value, &mut packed);
    packed
}

/// Splits a packed id. An id that was never packed, or was tampered with, comes back as it is.
#[must_use]
pub fn unpack_call_id(packed: &str) -> (String, Option<Signature>) {
    let whole = || (packed.to_owned(), None);
    let Some((id, rest)) = packed.split_once(MARK) else { return whole() };
    let mut letters = rest.chars();
    let Some(issuer) = letters.next().and_then(Issuer::of_letter) else { return whole() };
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(letters.as_str()) else { return whole() };
    let Ok(value) = String::from_utf8(bytes) else { return whole() };
    (id.to_owned(), Some(Signature { issuer, value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_survives_in_the_id() {
        let signature = Signature { issuer: Issuer::Google, value: "CkEB+/==".to_owned() };
        let packed = pack_call_id("call_1", Some(&signature));
        assert!(packed.is_ascii() && !packed.contains('/'));
        assert_eq!(unpack_call_id(&packed), ("call_1".to_owned(), Some(signature)));
    }

    #[test]
    fn an_id_that_was_never_packed_comes_back_as_it_is() {
        for id in ["call_1", "a--gsx", "a--gsg***", ""] {
            assert_eq!(unpack_call_id(id), (id.to_owned(), None));
        }
    }
}
