//! Who may knock: the `Host` a request was sent to and the web page it was sent from. A page on the internet can make a browser
//! call a gateway on its user's machine (DNS rebinding), so MCP and the admin API look at both on every request, before anything
//! else, always. Calls of models look at the page only, and only where no key is asked for: a page knows no key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Uri};

use crate::{Code, Fault};

/// The hosts that count as this gateway.
#[derive(Clone, Debug, Default)]
pub struct Guests {
    hosts: Vec<Arc<str>>,
}

impl Guests {
    /// `public_url` and `server.allowed_hosts` as the configuration has them. Addresses and loopback names always count.
    #[must_use]
    pub fn new(public_url: &str, allowed_hosts: &[String]) -> Self {
        let public = public_url.parse::<Uri>().ok().and_then(|uri| uri.host().map(host_name));
        let allowed = allowed_hosts.iter().map(|host| host_name(host));
        Self { hosts: public.into_iter().chain(allowed).map(Arc::from).collect() }
    }

    /// May a request with this head come nearer?
    ///
    /// # Errors
    /// `NotAllowed` (403), saying which header and what to configure.
    pub fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
        self.host(uri, headers)?;
        self.admit_page(headers)
    }

    /// May a page of this `Origin` call? A request that says none comes from no page, or from one of this gateway's own.
    ///
    /// # Errors
    /// `NotAllowed` (403), saying what to configure.
    pub fn admit_page(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(origin) = values.next() else { return Ok(()) };
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
        let web = |origin: &Uri| matches!(origin.scheme_str(), Some("http" | "https"));
        match origin.filter(web) {
            Some(origin) if values.next().is_none() && origin.host().is_some_and(|host| self.is_page(host)) => Ok(()),
            _ => Err(refused("Origin", "the web page that calls")),
        }
    }

    fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
        let mut values = headers.get_all(HOST).iter();
        let (said, second) = (values.next(), values.next());
        let said = said.map(|value| value.to_str().unwrap_or("?"));
        let authority = uri.authority().map(Authority::as_str);
        let agree = said.is_none() || authority.is_none() || said == authority;
        // Told from names at a glance, and never a name that could be rebound.
        if second.is_none() && agree && said.is_some_and(is_address) {
            return Ok(());
        }
        let host = said.or(authority).and_then(|host| host.parse::<Authority>().ok());
        match host {
            Some(host) if second.is_none() && agree && self.is_host(host.host()) => Ok(()),
            _ => Err(refused("Host", "the name under which this gateway is reached")),
        }
    }

    /// An address cannot be rebound: a page that was loaded from it is a page of this gateway.
    fn is_host(&self, host: &str) -> bool {
        address(host).is_some() || self.is_page(host)
    }

    fn is_page(&self, host: &str) -> bool {
        let host = host_name(host);
        is_loopback(&host) || self.hosts.iter().any(|known| **known == *host)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Is it an address and nothing else, with a port or without?
fn is_address(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok() || host.parse::<SocketAddr>().is_ok()
}

/// Without port, final dot and case.
fn host_name(host: &str) -> String {
    let name = host.parse::<Authority>().map_or_else(|_| host.to_owned(), |authority| authority.host().to_owned());
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn refused(header: &'static str, what: &str) -> Fault {
    let message = format!(
        "The `{header}` header does not name {what}, as far as this gateway knows. Whoever runs it can add the host name to \
         `server.allowed_hosts`, or set `public_url`."
    );
    Fault::new(Code::NotAllowed, message).at(header)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn admitted(headers: &[(&'static str, &'static str)]) -> bool {
        let guests = Guests::new("https://gate.example.com/base", &["tools.example.org".to_owned()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        guests.admit(&Uri::from_static("/mcp"), &map).is_ok()
    }

    #[test]
    fn loopback_the_public_name_and_named_hosts_are_this_gateway() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "gate.example.com", "Tools.Example.org.:443"] {
            assert!(admitted(&[("host", host)]), "{host}");
        }
    }

    #[test]
    fn an_address_is_no_name_that_could_be_rebound() {
        assert!(admitted(&[("host", "10.1.2.3:8080")]));
        assert!(!admitted(&[("host", "10.1.2.3:8080"), ("origin", "http://10.9.9.9")]));
    }

    #[test]
    fn other_hosts_and_several_of_them_are_refused() {
        for host in ["evil.example.net", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!admitted(&[("host", host)]), "{host}");
        }
        assert!(!admitted(&[]));
        assert!(!admitted(&[("host", "localhost"), ("host", "localhost")]));
    }

    #[test]
    fn pages_of_this_machine_and_of_named_hosts_may_call() {
        for origin in ["http://localhost:6274", "https://gate.example.com", "http://127.0.0.1", "http://[::1]:3000"] {
            assert!(admitted(&[("host", "localhost"), ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn foreign_pages_may_not() {
        for origin in [
            "https://evil.example",
            "null",
            "",
            "file://",
            "localhost",
            "chrome-extension://localhost",
            "http://localhost@evil.example",
        ] {
            assert!(!admitted(&[("host", "localhost"), ("origin", origin)]), "{origin}");
        }
        assert!(!admitted(&[("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://localhost")]));
    }
}
