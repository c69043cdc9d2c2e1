//! Foreign signatures inside Anthropic and Bedrock thinking blocks.
//!
//! A client of these dialects returns a thinking block's signature unmodified. So the proof of another vendor's thought
//! rides there, marked, and comes back when the conversation goes on: `gatehouse~{issuer}{s|e}~{item id}~{value}`.

use crate::form::{Issuer, Reasoning, Signature};

const MARK: &str = "gatehouse~";

/// The signature to write for a client: an Anthropic one bare, any other marked, empty when there is none.
pub(in crate::dialects) fn pack(signature: &Signature, encrypted: bool, id: Option<&str>) -> String {
    let letter = match signature.issuer {
        Issuer::Anthropic if !encrypted => return signature.value.clone(),
        Issuer::Anthropic => 'a',
        Issuer::Google => 'g',
        Issuer::OpenAi => 'o',
        Issuer::Other => return String::new(),
    };
    let kind = if encrypted { 'e' } else { 's' };
    format!("{MARK}{letter}{kind}~{}~{}", id.unwrap_or_default(), signature.value)
}

/// The thought a client sent back: text and signature of one thinking block.
pub(in crate::dialects) fn unpack(text: String, signature: Option<String>) -> Reasoning {
    let mut thought = Reasoning { text, ..Reasoning::default() };
    let Some(value) = signature.filter(|value| !value.is_empty()) else { return thought };
    let Some((issuer, encrypted, id, carried)) = marked(&value) else {
        thought.signature = Some(Signature { issuer: Issuer::Anthropic, value });
        return thought;
    };
    let signature = Some(Signature { issuer, value: carried.to_owned() });
    thought.id = (!id.is_empty()).then(|| id.to_owned());
    if encrypted {
        thought.summary = issuer == Issuer::OpenAi;
        thought.encrypted = signature;
    } else {
        thought.signature = signature;
    }
    thought
}

fn marked(value: &str) -> Option<(Issuer, bool, &str, &str)> {
    let mut parts = value.strip_prefix(MARK)?.splitn(3, '~');
    let (issuer, encrypted) = match parts.next()? {
        "ae" => (Issuer::Anthropic, true),
        "gs" => (Issuer::Google, false),
        "ge" => (Issuer::Google, true),
        "os" => (Issuer::OpenAi, false),
        "oe" => (Issuer::OpenAi, true),
        _ => return None,
    };
    Some((issuer, encrypted, parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anthropic_signature_travels_bare() {
        let signature = Signature { issuer: Issuer::Anthropic, value: "EqQB".to_owned() };
        assert_eq!(pack(&signature, false, None), "EqQB");
        assert_eq!(unpack("t".to_owned(), Some("EqQB".to_owned())).signature, Some(signature));
    }

    #[test]
    fn a_foreign_one_comes_back_with_its_issuer_and_item() {
        let signature = Signature { issuer: Issuer::OpenAi, value: "gAA~A=".to_owned() };
        let thought = unpack(String::new(), Some(pack(&signature, true, Some("rs_1"))));
        assert_eq!((thought.encrypted, thought.id.as_deref()), (Some(signature), Some("rs_1")));
    }
}
