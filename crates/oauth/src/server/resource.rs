//! The resources of this gateway: every path of MCP is one, with a URI of its own (RFC 8707 §2) and metadata that says who issues
//! tokens for it (RFC 9728).

use gatehouse_domain::{Scopes, split_origin};
use serde_json::{Value, json};

use super::{Oops, Wrong};

/// The path everything the caller may use is behind.
pub const ROOT: &str = "/mcp";

/// Is this path a resource, and under which name? Without a slash at its end.
#[must_use]
pub fn path(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    let name = path.strip_prefix("/mcp/servers/").or_else(|| path.strip_prefix("/mcp/toolsets/"));
    let sound = |name: &str| !name.is_empty() && !name.contains(['/', '?', '#', '"', '\\']) && name.is_ascii();
    (path == ROOT || name.is_some_and(sound)).then_some(path)
}

/// The URI of the resource a client names, as tokens have it. Scheme and host may be written in capitals and with the scheme's
/// own port; the gateway's own address stands for [`ROOT`], and so does naming none, which clients of before 2025-06-18 do.
///
/// # Errors
/// [`Wrong::Target`] for what is none of this gateway's.
pub fn named(public_url: &str, asked: Option<&str>) -> Result<String, Oops> {
    let Some(asked) = asked else { return Ok(format!("{public_url}{ROOT}")) };
    let (origin, base) = split_origin(public_url);
    let (asked_origin, asked_path) = split_origin(asked);
    let below = asked_path.strip_prefix(base).filter(|_| plain(asked_origin) == plain(origin));
    let found = below.and_then(|below| if below.trim_end_matches('/').is_empty() { Some(ROOT) } else { path(below) });
    found.map(|path| format!("{public_url}{path}")).ok_or_else(|| {
        Oops::new(
            Wrong::Target,
            "the resource is none of this gateway; name the URL of the MCP endpoint, without a fragment",
        )
    })
}

/// The metadata of a resource (RFC 9728 §2).
#[must_use]
pub fn document(public_url: &str, path: &str) -> Value {
    json!({
        "resource": format!("{public_url}{path}"),
        "authorization_servers": [public_url],
        "scopes_supported": Scopes::ALL,
        "bearer_methods_supported": ["header"],
        "resource_name": "Gatehouse",
    })
}

/// Scheme and host in small letters, without the port the scheme has anyway.
fn plain(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let default = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(default).unwrap_or(&origin).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://gw.example.com";

    #[test]
    fn every_path_of_mcp_is_a_resource_and_nothing_else_is() {
        assert_eq!(path("/mcp/"), Some("/mcp"));
        assert_eq!(path("/mcp/servers/github"), Some("/mcp/servers/github"));
        for other in ["", "/", "/mcpx", "/mcp/servers", "/mcp/servers/", "/mcp/servers/a/b", "/mcp/x/y", "/v1/models"] {
            assert_eq!(path(other), None, "{other}");
        }
    }

    #[test]
    fn a_resource_is_known_by_its_uri_in_every_harmless_spelling() {
        for (asked, expected) in [
            (None, "/mcp"),
            (Some("https://gw.example.com"), "/mcp"),
            (Some("https://gw.example.com/"), "/mcp"),
            (Some("https://GW.example.com:443/mcp/"), "/mcp"),
            (Some("https://gw.example.com/mcp/toolsets/support"), "/mcp/toolsets/support"),
        ] {
            assert_eq!(named(URL, asked), Ok(format!("{URL}{expected}")), "{asked:?}");
        }
    }

    #[test]
    fn somebody_elses_resource_is_refused() {
        for asked in [
            "https://other.example.com/mcp",
            "http://gw.example.com/mcp",
            "https://gw.example.com:8443/mcp",
            "https://gw.example.com/mcp#x",
            "https://gw.example.com/mcp?x=1",
            "https://gw.example.com/v1",
            "https://gw.example.com@evil.example/mcp",
            "mcp",
            "",
        ] {
            assert_eq!(named(URL, Some(asked)).unwrap_err().wrong, Wrong::Target, "{asked}");
        }
        assert!(named("https://gw.example.com/a", Some("https://gw.example.com/b/mcp")).is_err());
        assert!(named("https://gw.example.com/a", Some("https://gw.example.com/a/mcp")).is_ok());
    }

    #[test]
    fn metadata_names_the_resource_as_the_client_does() {
        let document = document(URL, "/mcp/servers/github");
        assert_eq!(document["resource"], "https://gw.example.com/mcp/servers/github");
        assert_eq!(document["authorization_servers"], json!([URL]));
        assert_eq!(document["scopes_supported"], json!(["mcp:read", "mcp:tools"]));
    }
}
