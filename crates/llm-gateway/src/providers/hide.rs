//! Providers repeat in their errors what they were sent, the gateway's own credentials among it ("Incorrect API key provided:
//! sk-…"). Whoever reads such an error must not read those.

use std::borrow::Cow;

use memchr::memmem;

use super::Provider;

/// What stands where a credential stood.
const HIDDEN: &[u8] = b"[secret]";
/// Shorter values are words of everyday.
const CREDENTIAL_MIN: usize = 8;

/// The body without the credentials its provider is sent in headers.
#[must_use]
pub fn hide<'a>(provider: &Provider, body: &'a [u8]) -> Cow<'a, [u8]> {
    let mut body = Cow::Borrowed(body);
    for value in provider.sensitive_headers() {
        // `Bearer sk-…`: the scheme is no secret.
        let credential = value.rsplit(|byte| *byte == b' ').next().unwrap_or(value);
        if credential.len() >= CREDENTIAL_MIN && memmem::find(&body, credential).is_some() {
            body = Cow::Owned(without(&body, credential));
        }
    }
    body
}

fn without(body: &[u8], credential: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut from = 0;
    for place in memmem::find_iter(body, credential) {
        out.extend_from_slice(&body[from..place]);
        out.extend_from_slice(HIDDEN);
        from = place + credential.len();
    }
    out.extend_from_slice(&body[from..]);
    out
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::Secret;

    use super::super::{Settings, resolve};
    use super::*;

    #[test]
    fn a_key_and_a_secret_header_are_hidden_wherever_they_are_repeated() {
        let settings = Settings {
            api_key: Some(Secret::new("sk-0123456789")),
            headers: vec![("x-internal".to_owned(), Secret::new("internal-word"))],
            ..Settings::default()
        };
        let provider = resolve("openai", "openai", &settings).unwrap();
        let body = b"no sk-0123456789, no Bearer sk-0123456789, no internal-word, but sk-012";
        assert_eq!(&*hide(&provider, body), b"no [secret], no Bearer [secret], no [secret], but sk-012");
        assert!(matches!(hide(&provider, b"nothing"), Cow::Borrowed(_)));
    }
}
