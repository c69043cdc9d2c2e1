//! API keys: minted here, recognised by their form, stored as keyed hashes.
//!
//! A key is `gh_`, 40 base-62 characters of randomness (238 bits) and 6 of a checksum, which lets a gateway refuse a
//! mistyped key without a look-up and lets secret scanners find leaked ones without false alarms.

use gatehouse_domain::Secret;

use crate::{Pepper, StoreError};

const PREFIX: &str = "gh_";
const RANDOM: usize = 40;
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A fresh key.
#[derive(Debug)]
pub struct Minted {
    /// The key itself: shown once, never stored.
    pub secret: Secret,
    /// Its first characters (`gh_4fQz…`), by which people recognise it.
    pub shown: String,
}

/// Makes a key from the operating system's randomness.
///
/// # Errors
/// When the operating system gives none.
pub fn mint() -> Result<Minted, StoreError> {
    let mut text = String::with_capacity(PREFIX.len() + RANDOM + CHECK);
    text.push_str(PREFIX);
    push_random(&mut text, RANDOM)?;
    push_check(&mut text);
    let shown = format!("{}…", &text[..PREFIX.len() + 4]);
    Ok(Minted { secret: Secret::new(text), shown })
}

/// Makes the public id of a new key: `key_` and 12 characters.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn new_id() -> Result<String, StoreError> {
    let mut text = String::from("key_");
    push_random(&mut text, 12)?;
    Ok(text)
}

/// Has the text the form of a minted key, checksum included? Keys given in a configuration file need not.
#[must_use]
pub fn looks_valid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else { return false };
    if rest.len() != RANDOM + CHECK || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let mut again = text[..PREFIX.len() + RANDOM].to_owned();
    push_check(&mut again);
    again == text
}

/// What is stored and looked up instead of the key.
#[must_use]
pub fn hash(pepper: &Pepper, text: &str) -> [u8; 32] {
    *blake3::keyed_hash(pepper.bytes(), text.as_bytes()).as_bytes()
}

/// Appends so many characters, all equally likely: bytes from 248 on are thrown away, because 248 is the last multiple
/// of 62 below 256.
fn push_random(text: &mut String, mut missing: usize) -> Result<(), StoreError> {
    let mut bytes = [0; 64];
    while missing > 0 {
        getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
        for byte in bytes.iter().filter(|byte| **byte < 248).take(missing) {
            text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            missing -= 1;
        }
    }
    Ok(())
}

fn push_check(text: &mut String) {
    let mut sum = crc32fast::hash(text.as_bytes());
    for _ in 0..CHECK {
        let digit = usize::try_from(sum % 62).unwrap_or_default();
        text.push(char::from(ALPHABET[digit]));
        sum /= 62;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_has_the_promised_form() {
        let minted = mint().unwrap();
        let key = minted.secret.reveal();
        assert_eq!(key.len(), 49);
        assert!(looks_valid(key), "{key}");
        assert!(key.starts_with(minted.shown.trim_end_matches('…')));
    }

    #[test]
    fn a_key_with_any_character_changed_does_not_look_valid() {
        let minted = mint().unwrap();
        let key = minted.secret.reveal();
        for place in 0..key.len() {
            let mut other = key.as_bytes().to_vec();
            other[place] = if other[place] == b'x' { b'y' } else { b'x' };
            assert!(!looks_valid(std::str::from_utf8(&other).unwrap()), "changed at {place}");
        }
    }

    #[test]
    fn hostile_texts_do_not_look_valid() {
        let long = format!("gh_{}", "a".repeat(100_000));
        for text in ["", "gh_", "sk-123", "gh_é", &long, &format!("gh_{}", "é".repeat(23))] {
            assert!(!looks_valid(text));
        }
    }

    #[test]
    fn the_hash_depends_on_key_and_pepper() {
        let pepper = Pepper::from_bytes([1; 32]);
        assert_eq!(hash(&pepper, "a"), hash(&pepper, "a"));
        assert_ne!(hash(&pepper, "a"), hash(&pepper, "b"));
        assert_ne!(hash(&pepper, "a"), hash(&Pepper::from_bytes([2; 32]), "a"));
    }

    #[test]
    fn no_two_minted_keys_are_alike() {
        assert_ne!(mint().unwrap().secret, mint().unwrap().secret);
        assert_ne!(new_id().unwrap(), new_id().unwrap());
    }
}
