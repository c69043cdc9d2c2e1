//! Addresses: `host:port` to listen on, `http://…` to call.

use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_domain::Origin;

use crate::check::Check;
use crate::config::Endpoint;

/// The longest timer there is sense in.
const SECONDS_MAX: f64 = 86_400.0;

/// An address to listen on.
pub(super) fn socket(path: &str, text: &str, check: &mut Check) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let port = text.rsplit(':').next().unwrap_or_default();
    let hint = match port.parse::<u16>() {
        Ok(port) => format!("write an IP address and a port: 127.0.0.1:{port}"),
        Err(_) => "write an IP address and a port: 127.0.0.1:8080".to_owned(),
    };
    check.error_at(path, format!("`{text}` is not an address to listen on"), Some(hint));
    None
}

/// A URL to call.
pub(super) fn endpoint(path: &str, text: &str, check: &mut Check) -> Option<Endpoint> {
    let parsed = parse(text);
    if let Err(reason) = &parsed {
        // A password inside the URL must not reach a log through us.
        let shown = if text.contains('@') { "the URL" } else { text };
        let hint = "write it like https://example.com/v1".to_owned();
        check.error_at(path, format!("{shown}: {reason}"), Some(hint));
    }
    parsed.ok()
}

fn parse(text: &str) -> Result<Endpoint, &'static str> {
    let text = text.trim_end_matches('/');
    let uri: http::Uri = text.parse().map_err(|_| "not a URL")?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("a URL starts with https:// or http://"),
    };
    let authority = uri.authority().ok_or("the URL has no host")?;
    if authority.as_str().contains('@') {
        return Err("user and password do not belong into a URL; use `api_key` or `headers`");
    }
    if uri.query().is_some() {
        return Err("the URL has a query string; only scheme, host, port and path are used");
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err("the URL has no host");
    }
    let port = match authority.as_str().rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port.parse().map_err(|_| "the port is not a number up to 65535")?,
        _ if tls => 443,
        _ => 80,
    };
    let path = uri.path().trim_end_matches('/').to_owned();
    Ok(Endpoint { origin: Origin { tls, host: host.into(), port }, path, text: text.to_owned() })
}

/// Whether plain HTTP to this host never leaves the machine or the private network it is on.
pub(super) fn stays_near(host: &str) -> bool {
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        // A name without a dot is resolved by the machine or its cluster.
        Err(_) => !host.contains('.') || host.ends_with(".local") || host.ends_with(".internal"),
    }
}

/// Seconds, more than none.
pub(super) fn seconds(path: &str, secs: f64, check: &mut Check) -> Option<Duration> {
    if secs > 0.0 && secs <= SECONDS_MAX {
        return Duration::try_from_secs_f64(secs).ok();
    }
    check.error_at(path, format!("{secs} is not a time of more than 0 and at most {SECONDS_MAX} seconds"), None);
    None
}
