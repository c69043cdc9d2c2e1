//! Addresses that a stranger wrote: `https`, or `http` on this machine, and nothing that a shell, a browser or a proxy could
//! read as something else.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use gatehouse_domain::Origin;
use http::uri::PathAndQuery;

/// The longest address that is read.
const BYTES_MAX: usize = 2048;

/// An address that may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    text: Arc<str>,
    origin: Origin,
    path: PathAndQuery,
}

/// Why a text is no address that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// Too long, or with characters that no address has.
    #[error("it is not an address")]
    Shape,
    /// Another scheme than `https`, or `http` to another machine.
    #[error("it is neither https nor http on this machine")]
    Scheme,
    /// A user name, a password or a fragment.
    #[error("it has a user name or a fragment")]
    Extra,
}

impl Place {
    /// Reads an address as strictly as one can be read.
    ///
    /// # Errors
    /// See [`NoPlace`].
    pub fn read(text: &str) -> Result<Self, NoPlace> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if text.len() > BYTES_MAX || !text.bytes().all(plain) {
            return Err(NoPlace::Shape);
        }
        let (scheme, rest) = text.split_once("://").ok_or(NoPlace::Scheme)?;
        let tls = scheme.eq_ignore_ascii_case("https");
        if !tls && !scheme.eq_ignore_ascii_case("http") {
            return Err(NoPlace::Scheme);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') || path.contains('#') {
            return Err(NoPlace::Extra);
        }
        let (host, port) = read_authority(authority, tls).ok_or(NoPlace::Shape)?;
        if !tls && !is_loopback(&host) {
            return Err(NoPlace::Scheme);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let path = PathAndQuery::try_from(path).map_err(|_| NoPlace::Shape)?;
        Ok(Self { text: text.into(), origin: Origin { tls, host: host.into(), port }, path })
    }

    /// The address as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where to connect.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What to ask for there; at least `/`.
    #[must_use]
    pub fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// Scheme, host and port as addresses write them, without a port that says nothing.
    #[must_use]
    pub fn base(&self) -> String {
        let Origin { tls, host, port } = &self.origin;
        let scheme = if *tls { "https" } else { "http" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
        if *port == default_port(*tls) { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
    }

    /// Another address of the same origin.
    ///
    /// # Errors
    /// When `path` makes no address.
    pub fn at(&self, path: &str) -> Result<Self, NoPlace> {
        Self::read(&format!("{}{path}", self.base()))
    }

    /// Is `other` this place or below it (same origin, and its path begins with the segments of this one)?
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.path.path().trim_end_matches('/'), other.path.path().trim_end_matches('/'));
        let below = theirs.strip_prefix(mine).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.origin == other.origin && below && (self.path.query().is_none() || self.path == other.path)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// Host in lower case, without brackets, and port.
fn read_authority(authority: &str, tls: bool) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || host.starts_with('-') || !host.bytes().all(named) {
            return None;
        }
        (host, port)
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        None if port.is_empty() => default_port(tls),
        _ => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_and_http_on_this_machine_may_be_asked() {
        for text in ["https://as.example", "https://as.example:8443/t?x=1", "http://localhost:9/", "http://[::1]/a"] {
            assert_eq!(Place::read(text).map(|place| place.text().to_owned()), Ok(text.to_owned()));
        }
        assert_eq!(Place::read("http://as.example/"), Err(NoPlace::Scheme));
        assert_eq!(Place::read("http://127.0.0.1.evil.example/"), Err(NoPlace::Scheme));
    }

    #[test]
    fn what_a_shell_or_a_browser_would_run_is_no_address() {
        for text in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "$(touch /tmp/x)",
            "--config=x",
            "https://a.example/`id`",
            "https://a.example/\r\nHost: b",
            "https://a.example/\u{202e}",
            "https://user@a.example/",
            "https://a.example/#f",
            "https://",
            "https://-x.example/",
            "https://a.example:99999/",
            "https://a.example:+1/",
            "data://text/html,x",
            "ht\u{fb01}://a",
        ] {
            assert!(Place::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_covers_what_is_below_it_and_nothing_beside_it() {
        let covers = |one: &str, other: &str| Place::read(one).unwrap().covers(&Place::read(other).unwrap());
        assert!(covers("https://A.example", "https://a.example:443/mcp"));
        assert!(covers("https://a.example/mcp/", "https://a.example/mcp"));
        assert!(!covers("https://a.example/mcp", "https://a.example/mcpx"));
        assert!(!covers("https://a.example/mcp", "https://a.example"));
        assert!(!covers("https://a.example:444", "https://a.example/mcp"));
    }
}
