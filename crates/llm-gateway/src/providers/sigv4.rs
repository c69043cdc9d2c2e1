//! AWS Signature Version 4. The time comes from the caller.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use gatehouse_domain::{Code, Fault, Now, Origin, Secret};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Who signs, and for where.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Option<Secret>,
    pub(super) region: String,
    pub(super) service: &'static str,
}

impl Signer {
    /// Adds date, token and signature to the headers of a POST. Content type and host are signed along; every other
    /// header may be changed by a proxy on the way, so none is.
    pub(super) fn sign(
        &self,
        origin: &Origin,
        path: &str,
        headers: &mut HeaderMap,
        body: &[u8],
        now: Now,
    ) -> Result<(), Fault> {
        let url = format!("{}://{}{path}", if origin.tls { "https" } else { "http" }, authority(origin));
        let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let signed: Vec<(&str, &str)> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        let made = self.signature(&url, &signed, body, now, SigningSettings::default()).ok_or_else(unsignable)?;
        for (name, value) in made {
            let name = HeaderName::try_from(name).map_err(|_| unsignable())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| unsignable())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(())
    }

    /// The headers to add; `None` if anything of it cannot be signed.
    fn signature(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        now: Now,
        settings: SigningSettings,
    ) -> Option<Vec<(String, String)>> {
        let identity = Credentials::new(
            &self.access_key_id,
            self.secret_access_key.reveal(),
            self.session_token.as_ref().map(|token| token.reveal().to_owned()),
            None,
            "gatehouse",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now.0)
            .settings(settings)
            .build()
            .ok()?
            .into();
        let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body)).ok()?;
        let (instructions, _) = sign(request, &params).ok()?.into_parts();
        Some(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Host and port as they stand in the host header: without the port of the scheme.
pub(super) fn authority(origin: &Origin) -> String {
    let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.to_string() };
    match (origin.tls, origin.port) {
        (true, 443) | (false, 80) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

fn unsignable() -> Fault {
    Fault::new(Code::UpstreamCredentials, "the request could not be signed with the configured AWS credentials")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aws_sigv4::http_request::PayloadChecksumKind;

    use super::*;

    /// The credentials of AWS's published signing test suite.
    fn signer() -> Signer {
        Signer {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
            region: "us-east-1".to_owned(),
            service: "service",
        }
    }

    /// 2015-08-30T12:36:00Z
    fn then() -> Now {
        Now(SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160))
    }

    #[test]
    fn the_published_test_vector_is_signed_as_published() {
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("content-length", "13")];
        let url = "https://example.amazonaws.com/";
        let made = signer().signature(url, &headers, b"Param1=value1", then(), settings).unwrap();
        let (_, authorization) = made.iter().find(|(name, _)| name == "authorization").unwrap();
        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, \
             Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"
        );
    }

    #[test]
    fn date_token_and_signature_are_added_and_marked_sensitive() {
        let origin = Origin { tls: false, host: "::1".into(), port: 9000 };
        let signer = Signer { session_token: Some(Secret::new("temporary")), ..signer() };
        let mut headers = HeaderMap::new();
        signer.sign(&origin, "/model/a%3A0/converse", &mut headers, b"{}", then()).unwrap();
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
        assert_eq!(headers["x-amz-security-token"], "temporary");
        assert!(headers["authorization"].is_sensitive());
    }

    #[test]
    fn the_body_and_the_path_are_part_of_the_signature() {
        let origin = Origin { tls: true, host: "bedrock-runtime.us-east-1.amazonaws.com".into(), port: 443 };
        let signed = |path: &str, body: &[u8]| {
            let mut headers = HeaderMap::new();
            signer().sign(&origin, path, &mut headers, body, then()).unwrap();
            headers["authorization"].clone()
        };
        assert_ne!(signed("/a", b"1"), signed("/a", b"2"));
        assert_ne!(signed("/a", b"1"), signed("/b", b"1"));
    }
}
