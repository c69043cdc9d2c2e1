//! One MCP server: what goes with its transport, its timers, sizes and prices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::Money;

use super::auth::auth;
use super::transport::transport;
use super::{plain_name, star_inside};
use crate::check::Check;
use crate::load::Surroundings;
use crate::mcp::{McpAuth, McpServer, McpTransport, OWN_SERVER, Pins};
use crate::pattern::Names;
use crate::resolve::address::{seconds, stays_near};
use crate::resolve::limits;
use crate::written::{self, Model};

/// A tool that costs more than this a call is priced in another currency.
const USD_PER_CALL_MAX: f64 = 1_000.0;
/// Messages are held in memory whole.
const MESSAGE_BYTES_MAX: u64 = 256 << 20;
const CONCURRENT_MAX: u32 = 100_000;

/// The servers of a file.
pub(in crate::resolve) fn servers(
    written: BTreeMap<String, written::McpServer>,
    defaults: &written::Mcp,
    models: &Names<'_, Model>,
    around: &Surroundings<'_>,
    check: &mut Check,
) -> BTreeMap<Arc<str>, McpServer> {
    let defaults = Defaults::of(defaults, check);
    let mut servers = BTreeMap::new();
    for (name, written) in written {
        let path = format!("mcp_servers.{name}");
        plain_name(&path, &name, check);
        reserved_name(&path, &name, check);
        let sampling_model = written.sampling_model.as_deref();
        if let Some(model) = sampling_model.filter(|model| models.serving(model).is_none()) {
            let hint = check.near(model, models.all());
            check.error_at(&format!("{path}.sampling_model"), format!("there is no model `{model}`"), hint);
        }
        if let Some(server) = server(&path, written, &defaults, models, around, check) {
            servers.insert(name.into(), server);
        }
    }
    servers
}

/// The gateway's own server has its name whether it is offered or not: nobody takes its place in a key or a policy.
fn reserved_name(path: &str, name: &str, check: &mut Check) {
    if name == OWN_SERVER {
        let hint = "choose another name; `mcp.gatehouse` says where the gateway's own is offered".to_owned();
        check.error_at(path, format!("`{OWN_SERVER}` is the gateway's own MCP server"), Some(hint));
    }
}

fn server(
    path: &str,
    mut written: written::McpServer,
    defaults: &Defaults,
    models: &Names<'_, Model>,
    around: &Surroundings<'_>,
    check: &mut Check,
) -> Option<McpServer> {
    strangers(path, &written, check);
    let auth = auth(path, written.auth.take(), check);
    let transport = transport(path, &mut written, around, check);
    shared_by_many(path, &written, &auth, check);
    if let Some(McpTransport::Http { url, .. }) = &transport
        && !url.origin.tls
        && !stays_near(&url.origin.host)
        && !matches!(auth, McpAuth::None)
    {
        let hint = Some("use https://".to_owned());
        check.warn(&format!("{path}.url"), "its credentials travel unencrypted", hint);
    }
    let [connect, idle, total] = timers(path, &written.timeouts, &defaults.timers, check);
    let (message_bytes, result_bytes, concurrent) = sizes(path, &written.sizes, defaults.sizes, check);
    let terms = limits::terms(path, written.limits, written.budgets, models, check);
    limits::of_tools(path, &terms, check);
    Some(McpServer {
        transport: transport?,
        auth,
        trusted: written.trusted,
        pins: written.pins.unwrap_or(defaults.pins),
        park: written.park,
        sampling_model: written.sampling_model.map(Arc::from),
        shared: written.shared,
        connect,
        idle,
        total,
        message_bytes,
        result_bytes,
        concurrent,
        prices: prices(path, &written.prices, check),
        tool_timeouts: tool_timeouts(path, &written.tool_timeouts, check),
        terms,
    })
}

/// Settings that belong to another transport than the one that is written.
fn strangers(path: &str, written: &written::McpServer, check: &mut Check) {
    let settings = [
        ("env", !written.env.is_empty(), "command", written.command.is_some()),
        ("cwd", written.cwd.is_some(), "command", written.command.is_some()),
        ("base_url", written.base_url.is_some(), "openapi", written.openapi.is_some()),
    ];
    for (setting, there, of, fits) in settings {
        if there && !fits {
            check.error_at(&format!("{path}.{setting}"), format!("belongs to `{of}`"), Some("remove it".to_owned()));
        }
    }
    let over_http = written.url.is_some() || written.openapi.is_some();
    for (setting, there) in [("headers", !written.headers.is_empty()), ("auth", written.auth.is_some())] {
        if there && !over_http {
            let hint = if written.command.is_some() { "give the program what it needs in `env`" } else { "remove it" };
            let message = "belongs to `url` and `openapi`";
            check.error_at(&format!("{path}.{setting}"), message, Some(hint.to_owned()));
        }
    }
}

/// One session for all callers cannot be where each has credentials of its own.
fn shared_by_many(path: &str, written: &written::McpServer, auth: &McpAuth, check: &mut Check) {
    if written.shared && matches!(auth, McpAuth::PerUser(_) | McpAuth::Exchange(_)) {
        let hint = "remove `shared`: each caller has a session of its own then".to_owned();
        let message = "callers with credentials of their own cannot share a session";
        check.error_at(&format!("{path}.shared"), message, Some(hint));
    }
}

/// What holds for servers that do not say.
struct Defaults {
    pins: Pins,
    timers: [Duration; 3],
    sizes: (usize, usize, usize),
}

impl Defaults {
    fn of(written: &written::Mcp, check: &mut Check) -> Self {
        let timers = [10, 120, 900].map(Duration::from_secs);
        Self {
            pins: written.pins.unwrap_or_default(),
            timers: self::timers("mcp", &written.timeouts, &timers, check),
            sizes: sizes("mcp", &written.sizes, (16 << 20, 1 << 20, 256), check),
        }
    }
}

/// Connect, idle and total. Those that are not written shrink to fit into the total.
fn timers(path: &str, written: &written::McpTimeouts, outer: &[Duration; 3], check: &mut Check) -> [Duration; 3] {
    let mut read =
        |name: &str, secs: Option<f64>| secs.and_then(|secs| seconds(&format!("{path}.timeouts.{name}"), secs, check));
    let (connect, idle, total) =
        (read("connect", written.connect), read("idle", written.idle), read("total", written.total));
    let longest = [connect, idle].into_iter().flatten().max().unwrap_or_default();
    if total.is_some_and(|total| longest > total) {
        let hint = "a timer around others is the longest one: raise `total`".to_owned();
        check.error_at(&format!("{path}.timeouts.total"), "shorter than a timer inside it", Some(hint));
    }
    let total = total.unwrap_or(outer[2].max(longest));
    [connect.unwrap_or(outer[0].min(total)), idle.unwrap_or(outer[1].min(total)), total]
}

/// Message, result and calls at once.
fn sizes(
    path: &str,
    written: &written::McpSizes,
    outer: (usize, usize, usize),
    check: &mut Check,
) -> (usize, usize, usize) {
    let mut size = |name: &str, bytes: Option<u64>, outer: usize| {
        let Some(bytes) = bytes else { return outer };
        if bytes == 0 || bytes > MESSAGE_BYTES_MAX {
            let message = format!("not a size from 1 to {MESSAGE_BYTES_MAX} bytes");
            check.error_at(&format!("{path}.sizes.{name}"), message, None);
        }
        usize::try_from(bytes).unwrap_or(outer)
    };
    let message = size("message_bytes", written.message_bytes, outer.0);
    let result = size("result_bytes", written.result_bytes, outer.1.min(message));
    if result > message {
        let hint = "a result is part of a message: raise `message_bytes`".to_owned();
        check.error_at(&format!("{path}.sizes.result_bytes"), "larger than `message_bytes`", Some(hint));
    }
    if written.concurrent.is_some_and(|calls| calls == 0 || calls > CONCURRENT_MAX) {
        let message = format!("not a number from 1 to {CONCURRENT_MAX}");
        check.error_at(&format!("{path}.sizes.concurrent"), message, None);
    }
    (message, result, written.concurrent.map_or(outer.2, |calls| calls as usize))
}

/// Prices by pattern, the most exact first.
fn prices(path: &str, written: &BTreeMap<String, f64>, check: &mut Check) -> Vec<(Arc<str>, Money)> {
    let mut prices: Vec<(Arc<str>, Money)> = Vec::with_capacity(written.len());
    for (pattern, usd) in written {
        let at = format!("{path}.prices.{pattern}");
        if !(0.0..=USD_PER_CALL_MAX).contains(usd) {
            check.error_at(&at, format!("{usd} is not a price from 0 to {USD_PER_CALL_MAX} USD a call"), None);
        }
        prices.push((of_tools(&at, pattern, check), Money::from_usd(*usd)));
    }
    most_exact_first(prices)
}

/// Times by pattern, the most exact first.
fn tool_timeouts(path: &str, written: &BTreeMap<String, f64>, check: &mut Check) -> Vec<(Arc<str>, Duration)> {
    let mut timeouts = Vec::with_capacity(written.len());
    for (pattern, secs) in written {
        let at = format!("{path}.tool_timeouts.{pattern}");
        let pattern = of_tools(&at, pattern, check);
        timeouts.extend(seconds(&at, *secs, check).map(|time| (pattern, time)));
    }
    most_exact_first(timeouts)
}

/// A pattern of names of tools.
fn of_tools(at: &str, pattern: &str, check: &mut Check) -> Arc<str> {
    if star_inside(pattern) {
        check.error_at(at, "`*` may only stand at the end", None);
    }
    pattern.into()
}

fn most_exact_first<T>(mut by_pattern: Vec<(Arc<str>, T)>) -> Vec<(Arc<str>, T)> {
    by_pattern.sort_by_key(|(pattern, _)| (pattern.ends_with('*'), std::cmp::Reverse(pattern.len())));
    by_pattern
}
