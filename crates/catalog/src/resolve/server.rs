//! Listeners, storage, admission, TLS, caps and telemetry.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::Secret;

use super::address::{endpoint, seconds, socket};
use super::{identity, ranges};
use crate::check::{Check, nth};
use crate::config::{Auth, Config, Endpoint, Server, Telemetry, Tls};
use crate::load::Surroundings;
use crate::written;

/// The shortest key that is worth the name.
pub(super) const KEY_CHARS_MIN: usize = 16;

/// A hundred years: more is a slip of the finger.
const DAYS_MAX: u32 = 36_500;

/// The database's file in the data folder.
const DATABASE: &str = "gatehouse.db";

/// What decides over the listeners.
pub(super) struct Listen<'a> {
    pub(super) listen: &'a str,
    pub(super) admin_listen: Option<&'a str>,
    pub(super) public_url: Option<&'a str>,
    pub(super) tls: bool,
    pub(super) anonymous: bool,
}

/// Where the gateway listens and how it is reached.
pub(super) struct Listeners {
    pub(super) listen: SocketAddr,
    pub(super) admin_listen: Option<SocketAddr>,
    pub(super) public_url: Endpoint,
}

pub(super) fn listeners(written: &Listen<'_>, check: &mut Check) -> Option<Listeners> {
    let listen = socket("listen", written.listen, check);
    let admin_text = written.admin_listen.filter(|text| !text.is_empty());
    let admin_listen = admin_text.map(|text| socket("admin_listen", text, check));
    for (path, address) in [("listen", listen), ("admin_listen", admin_listen.flatten())] {
        if address.is_some_and(|address| address.ip().is_unspecified()) {
            let hint = "behind a firewall or in a container this is fine; else write one address, such as 127.0.0.1";
            check.warn(path, "listens on every network of this machine", Some(hint.to_owned()));
        }
    }
    if let (Some(one), Some(Some(other))) = (listen, admin_listen)
        && one == other
    {
        let hint = "leave it out to serve both on one address".to_owned();
        check.error_at("admin_listen", "the same address as `listen`", Some(hint));
    }
    if written.anonymous && listen.is_some_and(|address| !address.ip().is_loopback()) {
        let hint = "set auth.anonymous to false, or listen on 127.0.0.1".to_owned();
        check.warn("auth.anonymous", "anyone who reaches this machine can spend on your provider accounts", Some(hint));
    }
    let scheme = if written.tls { "https" } else { "http" };
    let fallback = listen.map(|address| format!("{scheme}://{}", reachable(address)));
    let public_text = written.public_url.filter(|text| !text.is_empty()).map(str::to_owned).or(fallback)?;
    let public_url = endpoint("public_url", &public_text, check);
    let admin_listen = match admin_listen {
        Some(address) => Some(address?),
        None => None,
    };
    Some(Listeners { listen: listen?, admin_listen, public_url: public_url? })
}

impl Config {
    /// Listens somewhere else than the file says. Where the file names no `public_url`, that goes along.
    pub fn listen_on(&mut self, address: SocketAddr) {
        let derived = |address, tls| format!("{}://{}", if tls { "https" } else { "http" }, reachable(address));
        let tls = self.public_url.origin.tls;
        if self.public_url.text == derived(self.listen, tls) {
            let shown = reachable(address);
            self.public_url.text = derived(address, tls);
            self.public_url.origin.host = shown.ip().to_string().into();
            self.public_url.origin.port = shown.port();
        }
        self.listen = address;
    }
}

/// An address clients on this machine can use for one that is listened on.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

pub(super) fn database(storage: &written::Storage, data_dir: &Path, check: &mut Check) -> Option<PathBuf> {
    match storage.shared.split(':').next().unwrap_or_default() {
        "memory" if storage.shared == "memory" => {}
        "redis" | "rediss" | "valkey" | "valkeys" => {
            let message = "this release keeps shared counters in memory only; Redis comes with a later release";
            check.error_at("storage.shared", message, Some("write `memory` and run one replica".to_owned()));
        }
        _ => check.error_at("storage.shared", "not a place for shared counters", Some("write `memory`".to_owned())),
    }
    let hint = Some(format!("write `sqlite:{DATABASE}`"));
    match storage.database.split_once(':') {
        Some(("sqlite", DATABASE)) => return Some(data_dir.join(DATABASE)),
        Some(("sqlite", _)) => {
            let message = format!("this release names the file {DATABASE} and keeps it in data_dir");
            check.error_at("storage.database", message, hint);
        }
        Some(("postgres" | "postgresql", _)) => {
            let message = "this release keeps its tables in SQLite only; Postgres comes with a later release";
            check.error_at("storage.database", message, hint);
        }
        _ => check.error_at("storage.database", "not a database", hint),
    }
    None
}

/// What stored secrets are wrapped by, and were wrapped by before.
pub(super) fn master_keys(storage: &written::Storage, check: &mut Check) -> (Option<Secret>, Vec<Secret>) {
    let mut key = |path: &str, written: &Secret| {
        let text = written.reveal();
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let hint = "make one: openssl rand -hex 32".to_owned();
            check.error_at(path, "a master key has 64 hexadecimal digits", Some(hint));
        }
        written.clone()
    };
    let current = storage.master_key.as_ref().map(|key| &key.0).filter(|text| !text.is_empty());
    let current = current.map(|secret| key("storage.master_key", secret));
    let old = storage.old_master_keys.iter().enumerate().filter(|(_, old)| !old.0.is_empty());
    let old = old.map(|(n, old)| key(&format!("storage.old_master_keys[{n}]"), &old.0)).collect();
    (current, old)
}

pub(super) fn auth(auth: written::Auth, around: &Surroundings<'_>, check: &mut Check) -> Auth {
    let word = &auth.environment;
    if !(1..=12).contains(&word.len()) || !word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        let hint = "write 1 to 12 small letters and digits, like live or test".to_owned();
        check.error_at("auth.environment", "not a word for keys to carry", Some(hint));
    }
    let admin_key = auth.admin_key.map(|key| key.0).filter(|key| !key.is_empty());
    if admin_key.as_ref().is_some_and(|key| key.reveal().chars().count() < KEY_CHARS_MIN) {
        let hint = "make one: openssl rand -hex 32".to_owned();
        check.error_at("auth.admin_key", format!("shorter than {KEY_CHARS_MIN} characters"), Some(hint));
    } else if admin_key.as_ref().is_some_and(|key| easily_guessed(key.reveal())) {
        let hint = "make one: openssl rand -hex 32".to_owned();
        check.error_at("auth.admin_key", "easily guessed", Some(hint));
    }
    let jwt = identity::issuers(auth.jwt, around, check);
    Auth { admin_key, anonymous: auth.anonymous, jwt, environment: auth.environment }
}

/// Is it what everybody tries first: a well-known word padded out, or few characters again and again?
fn easily_guessed(key: &str) -> bool {
    const WORDS: [&str; 8] =
        ["password", "changeme", "change-me", "letmein", "qwerty", "adminadmin", "12345678", "01234567"];
    const DIFFERENT_MIN: usize = 8;
    let key = key.to_lowercase();
    let different: BTreeSet<char> = key.chars().collect();
    different.len() < DIFFERENT_MIN || WORDS.iter().any(|word| key.starts_with(word))
}

pub(super) fn tls(tls: Option<written::Tls>, around: &Surroundings<'_>, check: &mut Check) -> Option<Tls> {
    let tls = tls?;
    let mut file = |path: &str, name: &str, content: &str| {
        let at = around.folder.join(name);
        match (around.read)(&at) {
            Ok(text) if text.contains(content) => {}
            Ok(_) => check.error_at(path, format!("{} holds no PEM {content}", at.display()), None),
            Err(error) => check.error_at(path, format!("cannot read {}: {error}", at.display()), None),
        }
        at
    };
    Some(Tls {
        cert_file: file("tls.cert_file", &tls.cert_file, "CERTIFICATE"),
        key_file: file("tls.key_file", &tls.key_file, "PRIVATE KEY"),
    })
}

/// Certificates by which upstreams may be signed, besides those of the public authorities.
pub(super) fn authorities(file: Option<&str>, around: &Surroundings<'_>, check: &mut Check) -> Option<Arc<str>> {
    let at = around.folder.join(file?);
    match (around.read)(&at) {
        Ok(pem) if pem.contains("BEGIN CERTIFICATE") => return Some(pem.into()),
        Ok(_) => check.error_at("server.ca_file", format!("{} holds no PEM CERTIFICATE", at.display()), None),
        Err(error) => check.error_at("server.ca_file", format!("cannot read {}: {error}", at.display()), None),
    }
    None
}

pub(super) fn caps(written: &written::Server, check: &mut Check) -> Option<Server> {
    const BODY_BYTES_TOP: u64 = 1024 * 1024 * 1024;
    if written.body_bytes_max == 0 || written.body_bytes_max > BODY_BYTES_TOP {
        check.error_at("server.body_bytes_max", format!("not a size from 1 to {BODY_BYTES_TOP} bytes"), None);
    }
    for (path, count) in
        [("server.connections_max", written.connections_max), ("server.in_flight_max", written.in_flight_max)]
    {
        if count == 0 {
            check.error_at(path, "0 would refuse everything", None);
        }
    }
    if written.workers.is_some_and(|workers| workers == 0 || workers > 1024) {
        let hint = "leave it out for one per core".to_owned();
        check.error_at("server.workers", "not a number from 1 to 1024", Some(hint));
    }
    for (n, host) in written.allowed_hosts.iter().enumerate() {
        if host.parse::<http::uri::Authority>().is_err() || host.contains('@') {
            let hint = "write a host, or a host and a port: mcp.example.com:8443".to_owned();
            check.error_at(&nth("server.allowed_hosts", n), format!("`{host}` is not a host"), Some(hint));
        }
    }
    let trusted_proxies = ranges("server.trusted_proxies", &written.trusted_proxies, check);
    let mut time = |name: &str, secs: f64| -> Option<Duration> { seconds(&format!("server.{name}"), secs, check) };
    let header_timeout = time("header_timeout_secs", written.header_timeout_secs);
    let body_timeout = time("body_timeout_secs", written.body_timeout_secs);
    let idle_timeout = time("idle_timeout_secs", written.idle_timeout_secs);
    let drain = time("drain_secs", written.drain_secs);
    Some(Server {
        body_bytes_max: written.body_bytes_max,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        idle_timeout: idle_timeout?,
        connections_max: written.connections_max,
        in_flight_max: written.in_flight_max,
        trusted_proxies,
        drain: drain?,
        workers: written.workers,
        responses_store: written.responses_store,
    })
}

pub(super) fn telemetry(written: written::Telemetry, check: &mut Check) -> Option<Telemetry> {
    let otlp = match written.otlp.as_str() {
        "" => None,
        url => Some(endpoint("telemetry.otlp", url, check)?),
    };
    if written.content == written::Content::On {
        let hint = "leave it `off`: prompts and answers are in no trace, log or metric".to_owned();
        check.error_at("telemetry.content", "this release has no way to record prompts and answers", Some(hint));
    }
    let keep = |path: &str, days: u32, check: &mut Check| {
        if days > DAYS_MAX {
            check.error_at(path, format!("not a number of days from 0 to {DAYS_MAX}"), None);
        }
        (days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400))
    };
    Some(Telemetry {
        otlp,
        log: written.log,
        keep_requests: keep("telemetry.requests.keep_days", written.requests.keep_days, check),
        keep_audit: keep("telemetry.audit.keep_days", written.audit.keep_days, check),
    })
}
