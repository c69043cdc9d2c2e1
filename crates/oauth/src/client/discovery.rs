//! Where documents are looked for, in the order in which they count (MCP 2026-07-28, "Authorization Server Discovery").

use super::{Challenge, NoPlace, Place};

/// Where an MCP server describes itself (RFC 9728 §3): where its challenge says, and only there; else below the well-known path
/// with the endpoint's own path, then without.
///
/// # Errors
/// When the challenge names what is no address.
pub fn resource_documents(server: &Place, challenge: Option<&Challenge>) -> Result<Vec<Place>, NoPlace> {
    if let Some(named) = challenge.and_then(|challenge| challenge.resource_metadata.as_deref()) {
        return Ok(vec![Place::read(named)?]);
    }
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let path = server.path().path().trim_end_matches('/');
    let mut places = Vec::with_capacity(2);
    if !path.is_empty() {
        places.push(server.at(&format!("{WELL_KNOWN}{path}"))?);
    }
    places.push(server.at(WELL_KNOWN)?);
    Ok(places)
}

/// Where an issuer describes itself: RFC 8414 §3.1 with the path inserted, OpenID Connect with the path inserted, OpenID
/// Connect with the path before it.
///
/// # Errors
/// When the issuer's path makes no address.
pub fn issuer_documents(issuer: &Place) -> Result<Vec<Place>, NoPlace> {
    let path = issuer.path().path().trim_end_matches('/');
    let oauth = issuer.at(&format!("/.well-known/oauth-authorization-server{path}"))?;
    let openid = issuer.at(&format!("/.well-known/openid-configuration{path}"))?;
    if path.is_empty() {
        return Ok(vec![oauth, openid]);
    }
    Ok(vec![oauth, openid, issuer.at(&format!("{path}/.well-known/openid-configuration"))?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(places: Vec<Place>) -> Vec<String> {
        places.iter().map(|place| place.text().to_owned()).collect()
    }

    #[test]
    fn a_server_is_asked_where_its_challenge_says_and_only_there() {
        let server = Place::read("https://mcp.example/public/mcp").unwrap();
        let named = |url: &str| Challenge { resource_metadata: Some(url.into()), ..Challenge::default() };
        let places = resource_documents(&server, Some(&named("https://mcp.example/m"))).unwrap();
        assert_eq!(texts(places), ["https://mcp.example/m"]);
        assert!(resource_documents(&server, Some(&named("file:///etc/passwd"))).is_err());
    }

    #[test]
    fn without_one_the_path_is_tried_before_the_root() {
        let server = Place::read("https://mcp.example/public/mcp").unwrap();
        let well_known = "https://mcp.example/.well-known/oauth-protected-resource";
        assert_eq!(
            texts(resource_documents(&server, None).unwrap()),
            [format!("{well_known}/public/mcp"), well_known.to_owned()]
        );
        let bare = Place::read("https://mcp.example/").unwrap();
        assert_eq!(texts(resource_documents(&bare, None).unwrap()), [well_known]);
    }

    #[test]
    fn an_issuer_with_a_path_is_asked_in_three_places_and_one_without_in_two() {
        let places = |issuer: &str| texts(issuer_documents(&Place::read(issuer).unwrap()).unwrap());
        assert_eq!(
            places("https://as.example/tenant1"),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant1",
                "https://as.example/.well-known/openid-configuration/tenant1",
                "https://as.example/tenant1/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            places("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
    }
}
