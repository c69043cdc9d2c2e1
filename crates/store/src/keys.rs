//! API keys: minted here, recognised by their form, stored as keyed hashes.
//!
//! ```text
//! gk_live_7Fq2xW9a_3nT…40 characters…Zp_0aB9xQ
//!    │    │        │                   └ checksum, by which a mistyped key is told from an unknown one
//!    │    │        └ 238 bits of randomness
//!    │    └ the id: what logs, listings and people call the key by
//!    └ the environment: where whoever finds the key has to go
//! ```
//!
//! The fixed prefix and the checksum let secret scanners find leaked keys without false alarms. Keys of an earlier form, `gh_`
//! with 40 characters and a checksum, go on working: a key is looked up by the hash of its whole text, whatever its form.

use gatehouse_domain::Secret;

use crate::{Pepper, StoreError};

const PREFIX: &str = "gk_";
const EARLIER_PREFIX: &str = "gh_";
/// Characters of an id. Among a hundred thousand keys two ids are alike with odds of one in forty thousand, and then making the
/// second key says so: try again.
const ID: usize = 8;
const RANDOM: usize = 40;
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What the public id begins with.
const ID_PREFIX: &str = "key_";

/// A fresh key.
#[derive(Debug)]
pub struct Minted {
    /// The key itself: shown once, never stored.
    pub secret: Secret,
    /// Its first characters (`gk_live_7Fq2xW9a…`), by which people recognise it. None of them is secret.
    pub shown: String,
}

/// What a presented text is, by its form alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A minted key, checksum included.
    Minted,
    /// It begins like a minted key, and is none: mistyped, cut off or made up.
    Mistyped,
    /// Something else. Keys given in a configuration file may be any text.
    Other,
}

/// Makes a key for an id ([`new_id`]) from the operating system's randomness. `environment` is a word of small letters and digits.
///
/// # Errors
/// When the operating system gives none.
pub fn mint(environment: &str, id: &str) -> Result<Minted, StoreError> {
    let mut text = format!("{PREFIX}{environment}_");
    // Ids of keys from before this form are longer; what is not of the alphabet is left out.
    let name = id.strip_prefix(ID_PREFIX).unwrap_or(id).chars().filter(char::is_ascii_alphanumeric).take(ID);
    text.extend(name.chain(std::iter::repeat('0')).take(ID));
    let shown = format!("{text}…");
    text.push('_');
    push_random(&mut text, RANDOM)?;
    let check = checksum(&text);
    text.push('_');
    text.extend(check.map(char::from));
    Ok(Minted { secret: Secret::new(text), shown })
}

/// Makes the public id of a new key: `key_` and 8 characters.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn new_id() -> Result<String, StoreError> {
    let mut text = String::from(ID_PREFIX);
    push_random(&mut text, ID)?;
    Ok(text)
}

/// So many letters and digits, all equally likely: 43 of them are as hard to guess as 256 bits.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn random_text(characters: usize) -> Result<String, StoreError> {
    let mut text = String::with_capacity(characters);
    push_random(&mut text, characters)?;
    Ok(text)
}

/// 32 bytes of the operating system's randomness, for keys of every kind.
///
/// # Errors
/// When it gives none.
pub fn random_bytes() -> Result<[u8; 32], StoreError> {
    crate::secret_file::random()
}

/// What a text is, without any look-up.
#[must_use]
pub fn form(text: &str) -> Form {
    let minted = if text.starts_with(PREFIX) {
        is_minted(text)
    } else if text.starts_with(EARLIER_PREFIX) {
        is_of_earlier_form(text)
    } else {
        return Form::Other;
    };
    if minted { Form::Minted } else { Form::Mistyped }
}

fn is_minted(text: &str) -> bool {
    let mut parts = text.split('_').skip(1);
    let (environment, id, random, check) = (parts.next(), parts.next(), parts.next(), parts.next());
    let lengths = [environment.map_or(0, str::len).min(1), id.map_or(0, str::len), random.map_or(0, str::len)];
    let check = check.unwrap_or_default();
    lengths == [1, ID, RANDOM]
        && parts.next().is_none()
        && check.len() == CHECK
        && checksum(&text[..text.len() - CHECK - 1]) == check.as_bytes()
}

fn is_of_earlier_form(text: &str) -> bool {
    let rest = &text[EARLIER_PREFIX.len()..];
    rest.len() == RANDOM + CHECK
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && checksum(&text[..text.len() - CHECK]) == text.as_bytes()[text.len() - CHECK..]
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

/// CRC-32 in base 62, the lowest digit first.
fn checksum(text: &str) -> [u8; CHECK] {
    let mut sum = crc32fast::hash(text.as_bytes());
    std::array::from_fn(|_| {
        let digit = ALPHABET[usize::try_from(sum % 62).unwrap_or_default()];
        sum /= 62;
        digit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minted() -> Minted {
        mint("live", "key_7Fq2xW9a").unwrap()
    }

    /// A key as `gatehouse keys create` made it before keys had an environment and an id.
    const EARLIER: &str = "gh_0123456789012345678901234567890123456789";

    fn earlier() -> String {
        format!("{EARLIER}{}", String::from_utf8(checksum(EARLIER).to_vec()).unwrap())
    }

    #[test]
    fn a_minted_key_has_the_promised_form() {
        let minted = minted();
        let key = minted.secret.reveal();
        assert!(key.starts_with("gk_live_7Fq2xW9a_") && key.len() == 64, "{key}");
        assert_eq!(form(key), Form::Minted);
        assert_eq!(minted.shown, "gk_live_7Fq2xW9a…");
    }

    #[test]
    fn a_key_with_any_character_changed_is_mistyped() {
        for key in [minted().secret.reveal().to_owned(), earlier()] {
            for place in 3..key.len() {
                let mut other = key.as_bytes().to_vec();
                other[place] = if other[place] == b'x' { b'y' } else { b'x' };
                assert_eq!(form(std::str::from_utf8(&other).unwrap()), Form::Mistyped, "changed at {place}");
            }
        }
    }

    #[test]
    fn a_key_of_the_earlier_form_is_one() {
        assert_eq!(form(&earlier()), Form::Minted);
    }

    #[test]
    fn hostile_texts_are_no_keys() {
        let long = format!("gk_{}", "a".repeat(100_000));
        for text in
            ["gk_", "gk____", "gk_live__x_y", "gk_é", "gh_", &long, &format!("gh_{}", "é".repeat(23)), &"_".repeat(64)]
        {
            assert_ne!(form(text), Form::Minted);
        }
        assert_eq!([form(""), form("sk-123")], [Form::Other, Form::Other]);
    }

    #[test]
    fn a_rotated_key_of_an_earlier_id_has_the_promised_form() {
        for id in ["key_abcdefghijkl", "key_a", "é"] {
            assert_eq!(form(mint("test", id).unwrap().secret.reveal()), Form::Minted, "{id}");
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
        assert_ne!(minted().secret, minted().secret);
        assert_ne!(new_id().unwrap(), new_id().unwrap());
    }
}
