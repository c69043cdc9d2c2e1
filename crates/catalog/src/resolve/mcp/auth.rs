//! What an MCP server is shown of who calls: exactly one kind of credentials, with what goes with it.

use crate::check::Check;
use crate::mcp::{McpAuth, McpClient, McpGrant, McpIdentityProvider};
use crate::resolve::address::endpoint;
use crate::resolve::providers::{given, secret};
use crate::written::{self, SecretText};

/// The credentials of a server.
pub(super) fn auth(path: &str, written: Option<written::McpAuth>, check: &mut Check) -> McpAuth {
    let Some(written) = written else { return McpAuth::None };
    let path = format!("{path}.auth");
    let said = [
        written.bearer.is_some(),
        written.client_credentials.is_some(),
        written.per_user.is_some(),
        written.exchange.is_some(),
    ];
    if said.iter().filter(|there| **there).count() != 1 {
        let hint = "write one of {bearer: …}, {client_credentials: …}, {per_user: {}} and {exchange: …}".to_owned();
        check.error_at(&path, "exactly one kind is needed", Some(hint));
    }
    let mut client = |kind: &str, written| client(&format!("{path}.{kind}"), kind == "exchange", written, check);
    if let Some(written) = written.client_credentials {
        McpAuth::ClientCredentials(client("client_credentials", written))
    } else if let Some(written) = written.per_user {
        McpAuth::PerUser(client("per_user", written))
    } else if let Some(written) = written.exchange {
        McpAuth::Exchange(client("exchange", written))
    } else {
        // A token that resolves to nothing was not given: the server is then shown nothing, and says what it wants.
        written
            .bearer
            .map(|SecretText(token)| token)
            .filter(|token| !token.is_empty())
            .map_or(McpAuth::None, McpAuth::Bearer)
    }
}

/// What the gateway is to an authorization server.
fn client(path: &str, exchanges: bool, written: written::McpClient, check: &mut Check) -> McpClient {
    let proofs = [("client_secret", written.client_secret.is_some()), ("private_key", written.private_key.is_some())];
    if let Some((proof, _)) = proofs.iter().find(|(_, there)| *there && written.client_id.is_none()) {
        check.error_at(&format!("{path}.{proof}"), "of no client", Some("add `client_id: …`".to_owned()));
    }
    if proofs.iter().all(|(_, there)| *there) {
        let hint = Some("keep one of them".to_owned());
        check.error_at(&format!("{path}.private_key"), "`client_secret` shows who the gateway is already", hint);
    }
    if let Some(issuer) = written.issuer.as_deref() {
        endpoint(&format!("{path}.issuer"), issuer, check);
    }
    let of_exchange = [
        ("grant", written.grant != McpGrant::default()),
        ("identity_provider", written.identity_provider.is_some()),
        ("subject_token", written.subject_token.is_some()),
    ];
    for (setting, _) in of_exchange.iter().filter(|(_, there)| *there && !exchanges) {
        let hint = Some("remove it".to_owned());
        check.error_at(&format!("{path}.{setting}"), "belongs to `exchange`", hint);
    }
    let identity_provider = written.identity_provider.and_then(|written| {
        let path = format!("{path}.identity_provider");
        if written.client_id.is_empty() {
            check.error_at(&path, "`client_id` is missing", Some("add `client_id: …`".to_owned()));
        }
        endpoint(&format!("{path}.token_url"), &written.token_url, check)?;
        let client_secret = secret(written.client_secret);
        Some(McpIdentityProvider { token_url: written.token_url, client_id: written.client_id, client_secret })
    });
    McpClient {
        client_id: given(written.client_id),
        client_secret: secret(written.client_secret),
        issuer: given(written.issuer),
        scopes: written.scopes,
        private_key: secret(written.private_key),
        private_key_id: given(written.private_key_id),
        allow_private: written.allow_private,
        grant: written.grant,
        identity_provider,
        subject_token: secret(written.subject_token),
    }
}

/// Where a copy of the gateway's document is: what it is known by must be `https`, and it is known by that.
pub(in crate::resolve) fn client_document(written: Option<&str>, check: &mut Check) -> Option<String> {
    let written = written.filter(|written| !written.is_empty())?;
    let url = endpoint("mcp.client_document", written, check)?;
    if !url.origin.tls {
        check.error_at("mcp.client_document", "not https", Some("use https://".to_owned()));
    }
    Some(written.to_owned())
}
