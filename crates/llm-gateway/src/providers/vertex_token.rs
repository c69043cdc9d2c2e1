//! Google service accounts: from a downloaded key to a grant, from a grant to the assertion that is exchanged for a
//! token (RFC 7523), from the answer to the token. Fetching it is the control plane's.

use gatehouse_domain::{Code, Fault, Now, Secret, TokenGrant};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

/// How long an assertion is good for: the longest Google takes.
const ASSERTION_SECS: u64 = 3600;

/// The fields of a downloaded key that matter.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type", default)]
    kind: String,
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default)]
    project_id: Option<String>,
    #[serde(default = "token_uri")]
    token_uri: String,
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

/// The grant a key file stands for, and the project it names. Errors are sentences without the key.
pub(super) fn grant(json: &Secret) -> Result<(TokenGrant, Option<String>), String> {
    let file: KeyFile = serde_json::from_str(json.reveal())
        .map_err(|_| "is not the JSON key of a service account (client_email, private_key)".to_owned())?;
    if !file.kind.is_empty() && file.kind != "service_account" {
        return Err(format!("is a credential of type `{}`; only service_account is served", file.kind));
    }
    if EncodingKey::from_rsa_pem(file.private_key.as_bytes()).is_err() {
        return Err("its private_key is not an RSA key in PEM form".to_owned());
    }
    let grant = TokenGrant {
        name: format!("google:{}:{}", file.client_email, file.private_key_id.as_deref().unwrap_or_default()),
        token_url: file.token_uri,
        issuer: file.client_email,
        scope: "https://www.googleapis.com/auth/cloud-platform".to_owned(),
        private_key: Secret::new(file.private_key),
        key_id: file.private_key_id,
    };
    Ok((grant, file.project_id))
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

/// The signed assertion (RS256) to be posted as `assertion` with
/// `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer`.
///
/// # Errors
/// `UpstreamCredentials` when the key cannot sign.
pub fn assertion(grant: &TokenGrant, now: Now) -> Result<String, Fault> {
    let iat = now.unix_secs();
    let claims =
        Claims { iss: &grant.issuer, scope: &grant.scope, aud: &grant.token_url, iat, exp: iat + ASSERTION_SECS };
    let header = Header { kid: grant.key_id.clone(), ..Header::new(Algorithm::RS256) };
    EncodingKey::from_rsa_pem(grant.private_key.reveal().as_bytes())
        .and_then(|key| jsonwebtoken::encode(&header, &claims, &key))
        .map_err(|_| Fault::new(Code::UpstreamCredentials, "the service account's private key cannot sign"))
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// The token in the answer, and for how many seconds it is good.
///
/// # Errors
/// `UpstreamCredentials` when there is none.
pub fn read_token(body: &[u8]) -> Result<(Secret, u64), Fault> {
    let refused = || Fault::new(Code::UpstreamCredentials, "the token endpoint did not answer with a token");
    let answer: TokenAnswer = serde_json::from_slice(body).map_err(|_| refused())?;
    // It becomes a header value.
    if answer.access_token.is_empty() || !answer.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused());
    }
    Ok((Secret::new(answer.access_token), answer.expires_in.unwrap_or(ASSERTION_SECS)))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, SystemTime};

    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    /// A key file with a key made on the spot, and the public half in DER.
    pub(in crate::providers) fn key_file() -> (Secret, Vec<u8>) {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let label = "PRIVATE KEY";
        let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der.as_ref()));
        let json = serde_json::json!({"type": "service_account", "client_email": "me@p.iam.gserviceaccount.com",
            "private_key": pem, "private_key_id": "k1", "project_id": "p", "token_uri": "https://token.example/t"});
        (Secret::new(json.to_string()), pair.public_key().as_ref().to_vec())
    }

    #[test]
    fn an_assertion_is_signed_by_the_service_account_for_the_token_endpoint() {
        let (json, public) = key_file();
        let (grant, project) = grant(&json).unwrap();
        assert_eq!(project.as_deref(), Some("p"));
        let now = Now(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000));
        let token = assertion(&grant, now).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://token.example/t"]);
        let key = DecodingKey::from_rsa_der(&public);
        let read = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap();
        assert_eq!(read.header.kid.as_deref(), Some("k1"));
        assert_eq!(read.claims["iss"], "me@p.iam.gserviceaccount.com");
        assert_eq!(read.claims["exp"], 4_000_003_600_u64);
    }

    #[test]
    fn a_key_file_that_is_none_is_refused_without_showing_it() {
        for text in ["", "{}", "[1]", r#"{"type":"authorized_user","client_email":"e","private_key":"hush"}"#] {
            let why = grant(&Secret::new(text)).err().unwrap();
            assert!(!why.contains("hush"), "{why}");
        }
    }

    #[test]
    fn a_token_is_read_and_nothing_else_is_taken_for_one() {
        let (token, secs) =
            read_token(br#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#).unwrap();
        assert_eq!((token.reveal(), secs), ("ya29.x", 3599));
        for body in [&b"<html>"[..], b"{}", br#"{"access_token":""}"#, br#"{"access_token":"a\r\nb: c"}"#] {
            assert_eq!(read_token(body).err().map(|fault| fault.code), Some(Code::UpstreamCredentials));
        }
    }
}
