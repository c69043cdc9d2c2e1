//! Is a match a secret? Random enough for its rule, and no sample, name, path or well-known value.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::rules::Rule;

/// The rule for "something named like a secret is given a value". It needs the most doubt.
const GENERIC: &str = "generic-api-key";
/// How far back the name of an assignment is read.
const NAME: usize = 50;

/// Values that documentation prints (FNV-1a of each): Firebase's and Algolia's samples, on the allow-lists of gitleaks.
const PUBLISHED: &[u64] = &[
    0x08b5_4596_2adc_7d8b,
    0x1211_3c2e_6979_f447,
    0x294c_63f8_344d_5df1,
    0x29a3_36c7_244f_48dd,
    0x6835_e0f2_8883_2a40,
    0x816c_d10f_db11_ead0,
    0x8288_18f8_3325_7868,
    0xadbd_04e3_fe1b_6d49,
    0xd8e1_3cde_d253_33c6,
    0xdb94_22f1_dd33_2dcc,
];

/// Words that make a value a sample.
const SAMPLES: &[&str] =
    &["example", "placeholder", "changeme", "change_me", "your_", "your-", "put_your", "insert_", "dummy", "redacted"];

/// Names that hold a word like `key` or `token` and are no secrets, without `_`, `-` and `.`, parted by `|`. One list for
/// beginnings, middles and ends.
const HARMLESS_NAMES: &str = "accessib|accessor|accessid|randomaccess|apiid|apiname|apiversion|apiurl|apiuri|apiendpoint|rapidstring|\
    capital|authsource|authenticationresults|authority|credentialsid|credentialid|withcredentials|\
    credentialsurl|bucketkey|foreignkey|primarykey|indexkey|naturalkey|sortkey|partitionkey|cachekey|publickey|\
    pubkey|schemakey|sequencekey|hotkey|keyalias|keyboard|keycode|keyframe|keyid|keylength|keyname|keypair|\
    keypress|keyring|keyselector|keysignature|keysize|keystone|keystore|keytab|keyword|keyup|keydown|keyfile|\
    keypath|keychar|keyusage|keytype|keyspace|tokenfile|tokenurl|tokenuri|tokenendpoint|tokentype|tokencount|\
    tokenid|tokenlength|tokenize|maxtoken|secretname|secretsize|secretlength|secretref|secretid|csrftoken|\
    xsrftoken|publictoken|monkey|donkey|turkey|hockey|jockey|whiskey|author|graphdbapi|passwordhash|\
    passwordpolicy|passwordfield|slf4japi|validkey|keystr|keyclass|signaturekey|keyhash|keyfingerprint";

/// Whether what a rule matched at `start`, with its secret at `span`, is one.
pub(super) fn is_secret(rule: &Rule, text: &[u8], start: usize, span: Range<usize>) -> bool {
    let value = &text[span.clone()];
    if rule.entropy.is_some_and(|least| entropy(value) <= least) || PUBLISHED.contains(&fnv(value)) {
        return false;
    }
    if rule.entropy.is_some() && (is_sample(value) || counts_up(value)) {
        return false;
    }
    match &*rule.name {
        GENERIC => is_unlike_code(value) && !harmless_name(text, start, span.start),
        "jwt" => has_jose_header(value),
        "vault-service-token" => value.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()),
        "basic-auth-url" => !is_variable(value) && !is_sample(value),
        "curl-auth-user" => !is_variable(value) && !is_sample(value) && !names_its_parts(value),
        _ => true,
    }
}

/// Shannon's entropy in bits per byte.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "lengths of matches")]
    let length = value.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum()
}

/// A value somebody made up or left out: it says so, ends in dots, or repeats one character.
fn is_sample(value: &[u8]) -> bool {
    let repeats = |part: &[u8]| part.iter().all(|byte| *byte == part[0]);
    SAMPLES.iter().any(|word| contains(value, word)) || contains(value, "...") || value.windows(8).any(repeats)
}

fn contains(value: &[u8], word: &str) -> bool {
    value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// `abcdefgh…`, `01234567…`: an alphabet, not a secret.
fn counts_up(value: &[u8]) -> bool {
    value.windows(10).any(|part| part.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)))
}

/// `$PASSWORD`, `${{ … }}`, `<password>`, `[PASSWORD]`, `$(cat file)`: a place for a secret.
fn is_variable(value: &[u8]) -> bool {
    let inner = value.trim_ascii_start().strip_prefix(b"\"").unwrap_or(value);
    let after = inner.iter().position(|byte| *byte == b':').map_or(&b""[..], |at| &inner[at + 1..]);
    let stands_for = |part: &[u8]| matches!(part.first(), Some(b'$' | b'<' | b'[' | b'{' | b'%' | b'\\'));
    stands_for(inner) || stands_for(after) || stands_for(after.strip_prefix(b"\"").unwrap_or(after))
}

/// `username:token`, `user:password`: what stands there is what should.
fn names_its_parts(value: &[u8]) -> bool {
    let password = value.rsplit(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
    let password = password.strip_suffix(b"\"").unwrap_or(password);
    ["password", "pass", "passwd", "token", "secret", "key", "apikey", "api_key"]
        .iter()
        .any(|word| password.eq_ignore_ascii_case(word.as_bytes()))
}

/// A value of [`GENERIC`] needs a digit and must not read like code.
fn is_unlike_code(value: &[u8]) -> bool {
    let dotted = |part: &[u8]| {
        part.first().is_some_and(u8::is_ascii_alphabetic)
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let path = value.contains(&b'.') && value.split(|byte| *byte == b'.').all(dotted);
    let names_itself =
        ["_key", "key_", "_token", "_secret", "password", "snapshot"].iter().any(|word| contains(value, word));
    // `default_rc==0`: padding stands at an end.
    let compares = value.windows(3).any(|part| part.starts_with(b"==") && part[2] != b'=');
    // The address of a contract or account; a private key would be longer.
    let address = value.len() == 42 && value.starts_with(b"0x");
    !address && value.iter().any(u8::is_ascii_digit) && !path && !names_itself && !compares
}

/// Whether the name that is given the value says that it is no secret. The name begins before the rule's anchor.
fn harmless_name(text: &[u8], start: usize, value: usize) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let before = text[start.saturating_sub(NAME)..start].iter().rev().take_while(|byte| part(byte)).count();
    let name: Vec<u8> = text[start - before..value]
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
    let version = name.ends_with(b"version") || name.ends_with(b"id");
    let says = |word: &str| contains(&name, word) && !(word == "author" && contains(&name, "authoriz"));
    version || HARMLESS_NAMES.split('|').any(says)
}

/// The first part of a JWT is a JSON object with an algorithm.
fn has_jose_header(value: &[u8]) -> bool {
    let header = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(header).ok();
    let parsed = decoded.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    parsed.is_some_and(|header| header.get("alg").is_some_and(serde_json::Value::is_string))
}

/// FNV-1a, 64 bits: so that no published key stands in this file.
fn fnv(value: &[u8]) -> u64 {
    value.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_bits_per_byte() {
        assert!((entropy(b"aaaa") - 0.0).abs() < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_name_is_read_from_its_beginning() {
        let harmless = |text: &str| {
            let start = text.find("Key").or(text.find("token")).unwrap();
            harmless_name(text.as_bytes(), start, text.find('=').unwrap())
        };
        assert!(harmless("foreignKey=") && harmless("csrf-token=") && harmless("KeySize="));
        assert!(!harmless("stripeKey=") && !harmless("access-token="));
    }

    #[test]
    fn places_for_secrets_are_no_secrets() {
        for value in ["$USER:$PASS", "\"${{ a }}:${{ b }}\"", "user:<password>", "neo4j:[PASSWORD]"] {
            assert!(is_variable(value.as_bytes()), "{value}");
        }
        assert!(!is_variable(b"elastic:P@ssw0rd$1"));
    }
}
