//! Where an authorization answer may be sent: which addresses can be registered, which of a request is one of them, and the
//! answer itself (RFC 6749 §4.1.2, RFC 8252 §7.3, RFC 9207).

use super::form::encode;
use super::{Oops, Wrong};

/// The longest address, in bytes.
const BYTES_MAX: usize = 2_048;
/// Schemes in which a browser runs or reads something itself.
const NEVER: [&str; 8] = ["javascript", "data", "file", "vbscript", "blob", "about", "view-source", "filesystem"];

/// The parts of an address that matter here.
struct Parts<'a> {
    scheme: &'a str,
    /// Host without port; empty for schemes of apps without one.
    host: &'a str,
    port: Option<&'a str>,
    /// Path and query.
    rest: &'a str,
}

/// Can this address be registered: https, http on this machine, or a scheme of an app?
///
/// # Errors
/// [`Wrong::RedirectUri`], saying why not.
pub fn check(uri: &str) -> Result<(), Oops> {
    let oops = |what: &'static str| Err(Oops::new(Wrong::RedirectUri, what));
    if uri.len() > BYTES_MAX
        || !uri.bytes().all(|byte| matches!(byte, 0x21..=0x7e))
        || uri.contains(['"', '<', '>', '\\'])
    {
        return oops("a redirect address is at most 2048 characters of a URL");
    }
    let Some(parts) = split(uri) else { return oops("a redirect address is a whole URL with its scheme") };
    if uri.contains('#') {
        return oops("a redirect address has no fragment");
    }
    match parts.scheme.to_ascii_lowercase().as_str() {
        "https" if !parts.host.is_empty() => Ok(()),
        "http" if is_loopback(parts.host) => Ok(()),
        "https" | "http" => oops("a redirect address is https, or http on localhost, 127.0.0.1 or [::1]"),
        scheme if NEVER.contains(&scheme) => oops("this scheme leads to no app"),
        _ => Ok(()),
    }
}

/// Does a requested address belong to a registered one? Letter for letter, but for the port of an address on this machine, which
/// apps choose when they start (RFC 8252 §7.3).
#[must_use]
pub fn matches(registered: &str, requested: &str) -> bool {
    if registered == requested {
        return check(requested).is_ok();
    }
    let (Some(known), Some(asked)) = (split(registered), split(requested)) else { return false };
    let port = asked.port.is_none_or(|port| port.parse::<u16>().is_ok());
    let same = known.scheme == "http" && asked.scheme == "http" && known.host == asked.host && known.rest == asked.rest;
    is_loopback(known.host) && same && port && check(requested).is_ok()
}

/// Does it lead to this machine, where nobody can say which program listens, or to an app by a scheme any other can claim?
#[must_use]
pub fn is_local(uri: &str) -> bool {
    split(uri).is_none_or(|parts| parts.scheme != "https")
}

/// What people are shown of it: its host, or its scheme where there is none.
#[must_use]
pub fn shown(uri: &str) -> &str {
    match split(uri) {
        Some(Parts { host: "", scheme, .. }) => scheme,
        Some(parts) if matches!(parts.scheme, "http" | "https") => parts.host,
        Some(parts) => parts.scheme,
        None => uri,
    }
}

/// The answer to an authorization request, as the address the browser is sent to. `iss` is always there, errors included
/// (RFC 9207 §2), and `state` as it came.
#[must_use]
pub fn answer(uri: &str, issuer: &str, state: Option<&str>, fields: &[(&str, &str)]) -> String {
    let mut address = uri.to_owned();
    let mut separator = if uri.contains('?') { '&' } else { '?' };
    let ours = [("state", state.unwrap_or_default()), ("iss", issuer)];
    for (name, value) in fields.iter().chain(&ours).filter(|(_, value)| !value.is_empty()) {
        address.push(separator);
        address.push_str(name);
        address.push('=');
        address.push_str(&encode(value));
        separator = '&';
    }
    address
}

/// An error as such an answer.
#[must_use]
pub fn refusal(uri: &str, issuer: &str, state: Option<&str>, oops: &Oops) -> String {
    let fields = [("error", oops.wrong.as_str()), ("error_description", &*oops.description)];
    answer(uri, issuer, state, &fields)
}

fn split(uri: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = uri.split_once(':')?;
    let mut letters = scheme.bytes();
    let sound = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !sound || rest.is_empty() {
        return None;
    }
    let Some(after) = rest.strip_prefix("//") else {
        // `com.example.app:/callback`; for the web's own schemes an address without a host is none.
        let own = !matches!(scheme, "http" | "https");
        return own.then_some(Parts { scheme, host: "", port: None, rest });
    };
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    if authority.contains('@') {
        return None;
    }
    let (host, port) = match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => (&authority[..at], Some(&authority[at + 1..])),
        _ => (authority, None),
    };
    Some(Parts { scheme, host, port, rest })
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_this_machine_and_apps_can_be_registered() {
        for uri in [
            "https://app.example.com/cb",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:9/cb",
            "cursor://anysphere.cursor/oauth/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn what_runs_code_or_leaves_the_machine_in_the_clear_cannot() {
        for uri in [
            "http://app.example.com/cb",
            "http://localhost.example.com/cb",
            "http://127.0.0.1@evil.example/cb",
            "javascript:alert(1)",
            "JavaScript://x/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "https://app.example.com/cb#x",
            "https:///cb",
            "/cb",
            "app",
            "",
            "https://a.example/\"><b>",
            "https://a.example/ x",
            "https://a.example/\u{202e}",
        ] {
            assert!(check(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn an_address_is_matched_letter_for_letter() {
        let known = "https://app.example.com/cb";
        assert!(matches(known, known));
        for other in [
            "https://app.example.com/cb/",
            "https://app.example.com/cb?x=1",
            "https://app.example.com:443/cb",
            "https://APP.example.com/cb",
            "https://app.example.com/cb/../x",
            "https://app.example.com.evil.example/cb",
        ] {
            assert!(!matches(known, other), "{other}");
        }
    }

    #[test]
    fn the_port_on_this_machine_is_free_and_nothing_else_is() {
        for asked in ["http://127.0.0.1:49152/cb", "http://127.0.0.1/cb"] {
            assert!(matches("http://127.0.0.1:3000/cb", asked), "{asked}");
        }
        for asked in [
            "http://localhost:3000/cb",
            "http://127.0.0.1:3000/other",
            "https://127.0.0.1:3000/cb",
            "http://127.0.0.1:x/cb",
            "http://127.0.0.1:3000@evil.example/cb",
        ] {
            assert!(!matches("http://127.0.0.1:3000/cb", asked), "{asked}");
        }
    }

    #[test]
    fn an_answer_names_its_issuer_whether_it_is_good_or_bad() {
        let good = answer("https://a.example/cb?x=1", "https://gw.example", Some("s t"), &[("code", "c")]);
        assert_eq!(good, "https://a.example/cb?x=1&code=c&state=s%20t&iss=https%3A%2F%2Fgw.example");
        let bad = refusal("https://a.example/cb", "https://gw.example", None, &Oops::new(Wrong::AccessDenied, "no"));
        assert_eq!(bad, "https://a.example/cb?error=access_denied&error_description=no&iss=https%3A%2F%2Fgw.example");
    }
}
