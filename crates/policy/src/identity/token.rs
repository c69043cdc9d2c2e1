//! A token, taken apart and verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_domain::{Code, Fault, Now};
use jsonwebtoken::{Algorithm, crypto};
use serde_json::{Map, Value};

use super::claims::{Identity, Issuer};
use super::keyring::Keyring;
use super::strict;

/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Types of tokens that are meant for this (RFC 7519 §5.1, RFC 9068 §2.1). Others, a logout token for one, may carry the same
/// claims and a good signature, and are no permission to call.
const TYPES: [&str; 4] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

/// Could the text be a token rather than a key? Three parts of base64url, the first of which begins a JSON object.
#[must_use]
pub fn looks_like_token(text: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    text.starts_with("ey") && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// A token as it came: nothing of it is to be believed yet.
#[derive(Debug)]
pub struct Token<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    issuer: String,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: &'a str,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It is not what a token is.
    Shape(&'static str),
    /// Nobody configured its issuer.
    Issuer,
    /// It is signed in a way that is not allowed.
    Algorithm,
    /// It is signed with a key the issuer has not published, as far as is known here.
    UnknownKey,
    /// The signature does not hold.
    Signature,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Early,
    /// It is for somebody else.
    Audience,
    /// A claim that is required is missing or says something else.
    Required(String),
    /// It does not say whom it is about.
    Subject,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`TokenFault::Shape`] or [`TokenFault::Algorithm`].
    pub fn read(text: &'a str) -> Result<Self, TokenFault> {
        Self::read_as(text, &TYPES)
    }

    /// Takes apart a token that is meant for something else than calling: one whose type (`typ`, in small letters) is among these.
    /// A token without a type is an ordinary one.
    ///
    /// # Errors
    /// As for [`Token::read`].
    pub fn read_as(text: &'a str, types: &[&str]) -> Result<Self, TokenFault> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Shape("is longer than 16 KiB"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenFault::Shape("has not three parts"))?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Shape("has not three parts"))?;
        let part = |part: &str| strict::object(&URL_SAFE_NO_PAD.decode(part).ok()?);
        let header = part(header).ok_or(TokenFault::Shape("has a header that cannot be read"))?;
        let claims = part(payload).ok_or(TokenFault::Shape("has claims that cannot be read, or a claim twice"))?;
        // RFC 7515 §4.1.11: what is critical must be understood, and no extension is.
        if header.contains_key("crit") {
            return Err(TokenFault::Shape("needs an extension (`crit`) that is not understood here"));
        }
        let kind = header.get("typ").map_or("jwt", |kind| kind.as_str().unwrap_or_default()).to_ascii_lowercase();
        if !types.contains(&kind.as_str()) {
            return Err(TokenFault::Shape("is of a type that is no permission to call"));
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(|name| name.parse().ok());
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(TokenFault::Shape("has a `kid` that is no text")),
        };
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or(TokenFault::Shape("has no `iss`"))?.to_owned();
        let algorithm = algorithm.ok_or(TokenFault::Algorithm)?;
        Ok(Self { algorithm, kid, issuer, claims, signed, signature })
    }

    /// Who it says has issued it, for looking up the issuer it is then verified against.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Verifies the signature with the issuer's keys, then everything that is pinned, and says whom it is about.
    ///
    /// # Errors
    /// Everything but [`TokenFault::Shape`] of the parts. [`TokenFault::UnknownKey`] may be cured by newer keys.
    pub fn verify(self, issuer: &Issuer, keys: &Keyring, now: Now) -> Result<Identity, TokenFault> {
        if self.issuer != issuer.issuer {
            return Err(TokenFault::Issuer);
        }
        if !issuer.algorithms.contains(&self.algorithm) {
            return Err(TokenFault::Algorithm);
        }
        if self.kid.as_deref().is_some_and(|kid| !keys.has(kid)) {
            return Err(TokenFault::UnknownKey);
        }
        let mut candidates = keys.candidates(self.kid.as_deref(), self.algorithm).peekable();
        if candidates.peek().is_none() && self.kid.is_none() {
            return Err(TokenFault::Shape("does not name its key (`kid`), and the issuer has several"));
        }
        let holds = candidates.any(|key| {
            crypto::verify(self.signature, self.signed.as_bytes(), key, self.algorithm).is_ok_and(|holds| holds)
        });
        if !holds {
            return Err(TokenFault::Signature);
        }
        issuer.identity(&self.claims, now.unix_secs())
    }
}

impl TokenFault {
    /// As callers are told, in a sentence that holds nothing of the token.
    #[must_use]
    pub fn fault(&self) -> Fault {
        let invalid = |what: &str| {
            Fault::new(Code::InvalidToken, format!("the bearer token {what}; get a new one from its issuer"))
        };
        match self {
            Self::Shape(what) => invalid(what),
            Self::Issuer => invalid("is of an issuer this gateway does not trust"),
            Self::Algorithm => invalid("is signed with an algorithm this gateway does not take from its issuer"),
            Self::UnknownKey => invalid("is signed with a key its issuer does not publish"),
            Self::Signature => invalid("has a signature that does not hold"),
            Self::Required(claim) => invalid(&format!("lacks what this gateway requires of the claim `{claim}`")),
            Self::Subject => invalid("does not say whom it is about"),
            Self::Expired => {
                Fault::new(Code::ExpiredToken, "the bearer token has expired; get a new one from its issuer")
            }
            Self::Early => Fault::new(
                Code::ExpiredToken,
                "the bearer token is from the future; compare the clocks of its issuer and this gateway",
            ),
            Self::Audience => Fault::new(
                Code::WrongAudience,
                "the bearer token was issued for somebody else; ask its issuer for one whose audience (`aud`) is this gateway",
            ),
        }
    }
}
