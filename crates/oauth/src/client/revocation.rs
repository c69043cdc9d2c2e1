//! A token given back (RFC 7009): who does not want a connection any more leaves nothing behind that still opens it.

use gatehouse_domain::{Now, Secret};

use super::token::{TokenRequest, from_client};
use super::{AssertionFault, Client};

/// Writes a request for the revocation endpoint. A refresh token takes the access tokens that were got with it along (§2.1), so
/// it is the one to give back where there is one. `nonce` is a fresh random text for a client that signs.
///
/// # Errors
/// When the client's key does not sign.
pub fn revocation_request(
    access: &Secret,
    refresh: Option<&Secret>,
    client: &Client,
    nonce: &str,
    now: Now,
) -> Result<TokenRequest, AssertionFault> {
    let (token, kind) = refresh.map_or((access, "access_token"), |refresh| (refresh, "refresh_token"));
    from_client(vec![("token", token.reveal()), ("token_type_hint", kind)], client, nonce, now)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::ClientAuth;
    use super::*;

    #[test]
    fn the_refresh_token_is_given_back_where_there_is_one() {
        let client = Client { issuer: "https://as.example".into(), id: "me".into(), auth: ClientAuth::None };
        let written = |refresh: Option<&Secret>| {
            let request = revocation_request(&Secret::new("a"), refresh, &client, "n", Now(SystemTime::UNIX_EPOCH));
            request.unwrap().body.reveal().to_owned()
        };
        assert_eq!(written(Some(&Secret::new("r"))), "token=r&token_type_hint=refresh_token&client_id=me");
        assert_eq!(written(None), "token=a&token_type_hint=access_token&client_id=me");
    }
}
