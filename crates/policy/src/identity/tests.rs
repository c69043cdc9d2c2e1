//! Tokens of an issuer with keys of our own: what is taken, and everything that is not.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use gatehouse_domain::{Code, Now, Role};
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_795_000_000;
const ISSUER: &str = "https://login.example.com";

/// Three keys: `rsa`, `ec` and `ed`.
struct Login {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

static LOGIN: LazyLock<Login> = LazyLock::new(|| Login {
    rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
    ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    ed: Ed25519KeyPair::generate().unwrap(),
});

impl Login {
    fn document(&self) -> Value {
        let rsa = self.rsa.public_key();
        let [n, e] =
            [rsa.modulus().big_endian_without_leading_zero(), rsa.exponent().big_endian_without_leading_zero()]
                .map(|number| B64.encode(number));
        let point = self.ec.public_key().as_ref();
        json!({"keys": [
            {"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": n, "e": e},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..])},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": B64.encode(self.ed.public_key())},
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
            {"kty": "RSA", "kid": "sealing", "use": "enc", "n": n, "e": e},
        ]})
    }

    fn keys(&self) -> Keyring {
        Keyring::read(self.document().to_string().as_bytes()).unwrap()
    }

    fn sign(&self, algorithm: &str, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match algorithm {
            "ES256" => self.ec.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(text.as_bytes()).as_ref().to_vec(),
            _ => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token as text for a header and claims as text.
    fn token_of(&self, header: &str, claims: &str) -> String {
        let algorithm = serde_json::from_str::<Value>(header).unwrap_or_default();
        let signed = format!("{}.{}", B64.encode(header), B64.encode(claims));
        let signature = self.sign(algorithm["alg"].as_str().unwrap_or_default(), &signed);
        format!("{signed}.{}", B64.encode(signature))
    }

    fn token(&self, algorithm: &str, kid: &str, claims: &Value) -> String {
        self.token_of(&json!({"alg": algorithm, "kid": kid, "typ": "JWT"}).to_string(), &claims.to_string())
    }
}

fn issuer() -> Issuer {
    Issuer {
        issuer: ISSUER.to_owned(),
        audiences: vec!["gatehouse".to_owned(), "gatehouse-dev".to_owned()],
        algorithms: vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
        claims: ClaimNames {
            user: "sub".to_owned(),
            team: Some("groups".to_owned()),
            organisation: Some("org".to_owned()),
            role: Some("realm_access.roles".to_owned()),
            agent: Some("agent".to_owned()),
        },
        require: Vec::new(),
        leeway_secs: 60,
        own: false,
    }
}

/// The claims of a token that is good now, with changes.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": "gatehouse", "sub": "ann", "iat": NOW - 10, "exp": NOW + 300});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn verify_with(issuer: &Issuer, keys: &Keyring, token: &str) -> Result<Identity, TokenFault> {
    Token::read(token)?.verify(issuer, keys, Now(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)))
}

fn verify(token: &str) -> Result<Identity, TokenFault> {
    verify_with(&issuer(), &LOGIN.keys(), token)
}

/// What becomes of a token with these changes to its claims.
fn with(changes: Value) -> Result<Identity, TokenFault> {
    verify(&LOGIN.token("ES256", "ec", &claims(changes)))
}

#[test]
fn a_good_token_says_who_it_is() {
    let told = with(json!({
        "groups": ["everyone", "support"], "org": "acme", "realm_access": {"roles": ["uma", "auditor"]},
    }));
    let told = told.unwrap();
    assert_eq!((told.subject.as_str(), told.organisation.as_deref()), ("ann", Some("acme")));
    assert_eq!((told.groups, told.role), (vec!["everyone".to_owned(), "support".to_owned()], Some(Role::Auditor)));
    assert_eq!((told.agent, told.act, told.until_unix_secs), (None, vec![], NOW + 360));
}

#[test]
fn every_allowed_algorithm_is_verified_with_its_own_key() {
    for (algorithm, kid) in [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")] {
        let token = LOGIN.token(algorithm, kid, &claims(json!({})));
        assert!(looks_like_token(&token));
        assert_eq!(verify(&token).map(|told| told.subject), Ok("ann".to_owned()), "{algorithm}");
    }
}

#[test]
fn a_key_signs_with_its_own_algorithm_only() {
    for (algorithm, kid) in [("ES256", "rsa"), ("RS256", "ec"), ("EdDSA", "ec")] {
        let token = LOGIN.token(algorithm, kid, &claims(json!({})));
        assert_eq!(verify(&token), Err(TokenFault::Signature), "{algorithm} with {kid}");
    }
}

#[test]
fn neither_none_nor_a_shared_secret_nor_what_is_not_pinned_is_an_algorithm() {
    for algorithm in ["none", "None", "HS256", "RS384", "ES512", "", "rs256"] {
        let token = LOGIN.token(algorithm, "rsa", &claims(json!({})));
        assert_eq!(verify(&token), Err(TokenFault::Algorithm), "{algorithm}");
    }
    // The public key as the secret of an HMAC is an old trick.
    let hmac = Issuer { algorithms: vec![Algorithm::HS256], ..issuer() };
    let token = LOGIN.token("HS256", "shared", &claims(json!({})));
    assert_eq!(verify_with(&hmac, &LOGIN.keys(), &token), Err(TokenFault::UnknownKey));
}

#[test]
fn a_changed_token_is_refused_wherever_it_was_changed() {
    let token = LOGIN.token("ES256", "ec", &claims(json!({})));
    for place in (0..token.len()).step_by(7) {
        let mut other = token.clone().into_bytes();
        other[place] = if other[place] == b'A' { b'B' } else { b'A' };
        assert!(verify(std::str::from_utf8(&other).unwrap()).is_err(), "changed at {place}");
    }
    let stripped = &token[..=token.rfind('.').unwrap()];
    assert_eq!(verify(stripped), Err(TokenFault::Signature));
}

#[test]
fn times_count_to_the_leeway_and_no_further() {
    assert!(with(json!({"exp": NOW - 59})).is_ok());
    assert_eq!(with(json!({"exp": NOW - 60})), Err(TokenFault::Expired));
    assert!(with(json!({"nbf": NOW + 60})).is_ok());
    assert_eq!(with(json!({"nbf": NOW + 61})), Err(TokenFault::Early));
    assert_eq!(with(json!({"iat": NOW + 3600})), Err(TokenFault::Early));
    assert!(with(json!({"exp": NOW as f64 + 0.5})).is_ok());
    for wrong in [json!({"exp": null}), json!({"exp": "2099"}), json!({"exp": -1}), json!({"nbf": []})] {
        assert!(matches!(with(wrong.clone()), Err(TokenFault::Shape(_))), "{wrong}");
    }
    assert!(with(json!({"exp": u64::MAX})).is_ok(), "no overflow");
}

#[test]
fn one_of_the_audiences_is_enough_and_none_is_not() {
    assert!(with(json!({"aud": ["other", "gatehouse-dev"]})).is_ok());
    for wrong in [json!("other"), json!([]), json!(["gatehouse "]), json!({"gatehouse": 1}), Value::Null] {
        assert_eq!(with(json!({"aud": wrong})), Err(TokenFault::Audience));
    }
}

#[test]
fn a_token_of_another_issuer_is_refused_even_with_a_good_signature() {
    assert_eq!(with(json!({"iss": "https://login.example.com/"})), Err(TokenFault::Issuer));
    assert!(matches!(with(json!({"iss": null})), Err(TokenFault::Shape(_))));
}

#[test]
fn required_claims_are_required() {
    let require = vec![
        ("email_verified".to_owned(), Expected::Flag(true)),
        ("hd".to_owned(), Expected::AnyOf(vec!["example.com".to_owned(), "example.org".to_owned()])),
    ];
    let strict = Issuer { require, ..issuer() };
    let ask = |changes: Value| verify_with(&strict, &LOGIN.keys(), &LOGIN.token("ES256", "ec", &claims(changes)));
    assert!(ask(json!({"email_verified": true, "hd": "example.org"})).is_ok());
    assert!(ask(json!({"email_verified": true, "hd": ["x", "example.com"]})).is_ok());
    for wrong in [json!({"hd": "example.com"}), json!({"email_verified": "true", "hd": "example.com"})] {
        assert_eq!(ask(wrong), Err(TokenFault::Required("email_verified".to_owned())));
    }
    assert_eq!(ask(json!({"email_verified": true})), Err(TokenFault::Required("hd".to_owned())));
}

#[test]
fn an_agent_for_a_person_is_told_with_its_chain() {
    let told = with(json!({"act": {"sub": "billing", "act": {"sub": "planner", "iss": "x"}}})).unwrap();
    assert_eq!((told.subject.as_str(), told.agent.as_deref()), ("ann", Some("billing")));
    assert_eq!(told.act, ["billing", "planner"]);
}

#[test]
fn a_chain_without_end_or_without_names_is_refused() {
    let chain = |links: usize| (0..links).fold(Value::Null, |inner, n| json!({"sub": format!("a{n}"), "act": inner}));
    let trimmed = |links| {
        serde_json::from_str::<Value>(
            &chain(links).to_string().replace(",\"act\":null", "").replace("\"act\":null,", ""),
        )
        .unwrap()
    };
    assert_eq!(with(json!({"act": trimmed(8)})).unwrap().act.len(), 8);
    for wrong in
        [trimmed(9), trimmed(60), json!("billing"), json!({}), json!([]), json!({"sub": ""}), json!({"sub": 1})]
    {
        assert!(matches!(with(json!({"act": wrong})), Err(TokenFault::Shape(_))));
    }
}

#[test]
fn a_subject_is_a_short_text() {
    for wrong in [Value::Null, json!(7), json!(""), json!("a\nb"), json!("x".repeat(256))] {
        assert_eq!(with(json!({"sub": wrong})), Err(TokenFault::Subject));
    }
}

#[test]
fn headers_that_ask_for_something_else_are_refused() {
    let good = claims(json!({})).to_string();
    for header in [
        r#"{"alg":"ES256","kid":"ec","crit":["b64"],"b64":false}"#,
        r#"{"alg":"ES256","kid":"ec","crit":[]}"#,
        r#"{"alg":"ES256","kid":"ec","typ":"logout+jwt"}"#,
        r#"{"alg":"ES256","kid":"ec","typ":1}"#,
        r#"{"alg":"ES256","kid":["ec"]}"#,
        r#"{"alg":"ES256","kid":"ec","kid":"rsa"}"#,
        r#"{"alg":"ES256","kid":"ec"} x"#,
        "[]",
    ] {
        assert!(matches!(verify(&LOGIN.token_of(header, &good)), Err(TokenFault::Shape(_))), "{header}");
    }
    for kind in ["jwt", "JWT", "at+jwt", "application/at+JWT"] {
        let header = json!({"alg": "ES256", "kid": "ec", "typ": kind}).to_string();
        assert!(verify(&LOGIN.token_of(&header, &good)).is_ok(), "{kind}");
    }
}

#[test]
fn a_claim_that_stands_twice_is_refused() {
    let twice = claims(json!({})).to_string().replacen('{', r#"{"sub":"eve","#, 1);
    let token = LOGIN.token_of(r#"{"alg":"ES256","kid":"ec"}"#, &twice);
    assert!(matches!(verify(&token), Err(TokenFault::Shape(_))));
}

#[test]
fn a_token_names_its_key_unless_there_is_no_choice() {
    let nameless = LOGIN.token_of(r#"{"alg":"ES256"}"#, &claims(json!({})).to_string());
    assert!(verify(&nameless).is_ok(), "one key can have signed it");
    let mut document = LOGIN.document();
    let mut second = document["keys"][1].clone();
    second["kid"] = json!("ec2");
    document["keys"].as_array_mut().unwrap().push(second);
    let two = Keyring::read(document.to_string().as_bytes()).unwrap();
    assert!(matches!(verify_with(&issuer(), &two, &nameless), Err(TokenFault::Shape(_))));
    let unknown = LOGIN.token("ES256", "new", &claims(json!({})));
    assert_eq!(verify(&unknown), Err(TokenFault::UnknownKey));
    let sealing = LOGIN.token("RS256", "sealing", &claims(json!({})));
    assert_eq!(verify(&sealing), Err(TokenFault::UnknownKey), "a key for encrypting signs nothing");
}

#[test]
fn what_is_no_token_is_refused_without_a_panic() {
    let long = format!("ey{}.ey.x", "A".repeat(1 << 20));
    let deep = LOGIN
        .token_of(r#"{"alg":"ES256","kid":"ec"}"#, &format!("{{\"act\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000)));
    for text in ["", ".", "..", "...", "ey.ey.ey", "eyJ9.eyJ9.", "é.é.é", &long, &deep] {
        assert!(verify(text).is_err());
    }
    for key in ["gk_live_7Fq2xW9a_x", "sk-1.2.3", "ey.a", "ey.a.b.c", "ey a.b.c", "eyé.b.c"] {
        assert!(!looks_like_token(key), "{key}");
    }
}

#[test]
fn key_sets_that_are_of_no_use_are_told() {
    for (document, says) in [
        ("", KeyringError::NotASet),
        ("[]", KeyringError::NotASet),
        (r#"{"keys": {}}"#, KeyringError::NotASet),
        (r#"{"keys": []}"#, KeyringError::NoKeys),
        (r#"{"keys": [1, {"kty": "oct", "k": "AAAA"}]}"#, KeyringError::NoKeys),
        (r#"{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#, KeyringError::NoKeys),
        (r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}]}"#, KeyringError::NoKeys),
    ] {
        assert_eq!(Keyring::read(document.as_bytes()).err(), Some(says), "{document}");
    }
}

#[test]
fn no_refusal_repeats_anything_of_the_token() {
    let faults = [
        with(json!({"aud": "canary-aud"})),
        with(json!({"iss": "canary-iss"})),
        with(json!({"sub": "canary\n"})),
        with(json!({"exp": 1, "x": "canary"})),
        verify(&LOGIN.token("ES256", "canary-kid", &claims(json!({})))),
        verify(&LOGIN.token("canary", "ec", &claims(json!({})))),
    ];
    let codes: Vec<Code> = faults
        .into_iter()
        .map(|told| {
            let fault = told.unwrap_err().fault();
            assert!(!fault.message.contains("canary"), "{}", fault.message);
            fault.code
        })
        .collect();
    let expected = [Code::WrongAudience, Code::InvalidToken, Code::InvalidToken, Code::ExpiredToken];
    assert_eq!(codes[..4], expected);
}

/// What a token with these claims says to a gateway that is its own issuer.
fn own(changes: Value) -> Result<Identity, TokenFault> {
    let issuer = Issuer { own: true, audiences: Vec::new(), ..issuer() };
    verify_with(&issuer, &LOGIN.keys(), &LOGIN.token("ES256", "ec", &claims(changes)))
}

#[test]
fn a_token_of_the_own_server_says_which_resource_it_is_for_and_whose_login_it_came_from() {
    let bound = json!({
        "aud": "https://gw.example/mcp", "client_id": "c", "grant": "g", "scope": "mcp:read openid", "key": "key_1",
    });
    let told = own(bound).unwrap().own.unwrap();
    assert_eq!(
        (&*told.access.resource, &*told.access.client, &*told.access.grant),
        ("https://gw.example/mcp", "c", "g")
    );
    assert_eq!((told.access.scopes.to_string(), told.key.as_deref()), ("mcp:read".to_owned(), Some("key_1")));
    assert!(with(json!({})).unwrap().own.is_none(), "tokens of others are bound to nothing");
}

#[test]
fn a_token_of_the_own_server_is_for_one_resource_one_client_and_one_grant() {
    let two =
        json!({"aud": ["https://gw.example/mcp", "https://gw.example/mcp/servers/a"], "client_id": "c", "grant": "g"});
    assert_eq!(own(two), Err(TokenFault::Audience));
    for lacking in [json!({"aud": "x", "client_id": "c"}), json!({"aud": "x", "grant": "g"})] {
        assert!(matches!(own(lacking), Err(TokenFault::Shape(_))));
    }
}

#[test]
fn what_is_meant_for_something_else_is_read_by_who_asks_for_it_alone() {
    let assertion =
        LOGIN.token_of(r#"{"alg":"ES256","kid":"ec","typ":"oauth-id-jag+jwt"}"#, &claims(json!({})).to_string());
    assert!(matches!(Token::read(&assertion), Err(TokenFault::Shape(_))));
    assert!(Token::read_as(&assertion, &["oauth-id-jag+jwt"]).is_ok());
    let ordinary = LOGIN.token("ES256", "ec", &claims(json!({})));
    assert!(Token::read_as(&ordinary, &["oauth-id-jag+jwt"]).is_err());
}
