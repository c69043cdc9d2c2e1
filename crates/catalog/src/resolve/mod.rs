//! From the file as written to the resolved configuration: the checks of meaning.

mod address;
mod alerts;
mod guardrails;
mod identity;
mod keys;
mod limits;
mod mcp;
mod models;
mod oauth;
mod policies;
mod principals;
mod providers;
mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gatehouse_domain::{IpRange, NoIpRange};

use crate::check::{Check, nth};
use crate::config::{Config, Price};
use crate::load::Surroundings;
use crate::mcp::Mcp;
use crate::pattern::Names;
use crate::written::{File, Prices, Provider};

pub use limits::WrongTerms;
pub(crate) use policies::all as policies;

/// A cent a token: a higher figure is meant per thousand tokens, or in another currency.
const USD_PER_MILLION_MAX: f64 = 10_000.0;

/// The resolved form. `None` only after an error was reported.
pub(crate) fn config(mut file: File, around: &Surroundings<'_>, check: &mut Check) -> Option<Config> {
    let servers = mcp::Servers::of(&file);
    let principals = principals::all(&mut file, check);
    let telemetry = server::telemetry(file.telemetry, check);
    let caps = server::caps(&file.server, check);
    let auth = server::auth(file.auth, around, check);
    let held_against = oauth::Around { principals: &principals, issuers: &auth.jwt };
    let oauth = oauth::oauth(file.oauth, &held_against, check);
    let tls = server::tls(file.tls, around, check);
    // Its components without the `.` ones, because people read this path.
    let data_dir: PathBuf = around.folder.join(&file.data_dir).components().collect();
    let database = server::database(&file.storage, &data_dir, check);
    let (master_key, old_master_keys) = server::master_keys(&file.storage, check);
    let listeners = server::listeners(
        &server::Listen {
            listen: &file.listen,
            admin_listen: file.admin_listen.as_deref(),
            public_url: file.public_url.as_deref(),
            tls: tls.is_some(),
            anonymous: auth.anonymous,
        },
        check,
    );
    prices(&file.prices, &file.providers, check);
    let names = Names::of(&file.models);
    let models = models::all(&file.models, &file.providers, check);
    let providers = providers::all(file.providers, check);
    let keys = keys::all(file.keys, &names, &servers, &principals, check);
    let policies = policies::all(&file.policies, around, check);
    let limits = limits::all(file.limits, &names, &servers, check);
    let mcp = Mcp {
        allowed_hosts: mcp::hosts(&file.mcp.allowed_hosts, check),
        client_document: mcp::client_document(file.mcp.client_document.as_deref(), check),
        own_server: file.mcp.gatehouse,
        servers: mcp::servers(file.mcp_servers, &file.mcp, &names, around, check),
        toolsets: mcp::toolsets(file.toolsets, &servers, check),
    };
    let guardrails = guardrails::all(file.guardrails, check);
    let alerts = alerts::all(file.alerts, check);
    let listeners = listeners?;
    Some(Config {
        listen: listeners.listen,
        admin_listen: listeners.admin_listen,
        public_url: listeners.public_url,
        data_dir,
        database: database?,
        master_key,
        old_master_keys,
        auth,
        oauth: Arc::new(oauth?),
        tls,
        server: caps?,
        providers,
        models,
        mcp,
        principals,
        keys,
        policies,
        limits,
        guardrails,
        alerts,
        unpriced: file.prices.unpriced,
        prices: file.prices.overrides,
        telemetry: telemetry?,
    })
}

/// Ranges of addresses.
fn ranges(path: &str, written: &[String], check: &mut Check) -> Vec<IpRange> {
    let mut ranges = Vec::with_capacity(written.len());
    for (n, text) in written.iter().enumerate() {
        match text.parse() {
            Ok(range) => ranges.push(range),
            Err(problem) => {
                let problem: NoIpRange = problem;
                check.error_at(&nth(path, n), problem.to_string(), None);
            }
        }
    }
    ranges
}

/// The section `prices`.
fn prices(prices: &Prices, providers: &BTreeMap<String, Provider>, check: &mut Check) {
    price_table("prices.overrides", prices, check);
    for name in prices.overrides.keys() {
        let Some((provider, _)) = name.split_once('/') else { continue };
        if !providers.contains_key(provider) && !check.positions.has(&format!("providers.{provider}")) {
            let hint = check.near(provider, providers.keys().map(String::as_str));
            check.warn(&format!("prices.overrides.{name}"), format!("there is no provider `{provider}`"), hint);
        }
    }
}

/// A price file of its own.
pub(crate) fn price_file(prices: &Prices, check: &mut Check) {
    price_table("overrides", prices, check);
}

fn price_table(path: &str, prices: &Prices, check: &mut Check) {
    for (name, price) in &prices.overrides {
        let path = format!("{path}.{name}");
        if !name.split_once('/').is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty()) {
            check.error_at(&path, "a price belongs to `provider/model`", None);
        }
        for (field, usd) in fields(price) {
            if !(0.0..=USD_PER_MILLION_MAX).contains(&usd) {
                let message = format!("{usd} is not a price from 0 to {USD_PER_MILLION_MAX} USD per million tokens");
                check.error_at(&format!("{path}.{field}"), message, None);
            }
        }
    }
}

fn fields(price: &Price) -> BTreeMap<&'static str, f64> {
    let all = [
        ("input", Some(price.input)),
        ("output", Some(price.output)),
        ("cache_read", price.cache_read),
        ("cache_write", price.cache_write),
        ("cache_write_1h", price.cache_write_1h),
        ("reasoning", price.reasoning),
        ("input_audio", price.input_audio),
        ("output_audio", price.output_audio),
        ("input_image", price.input_image),
        ("output_image", price.output_image),
    ];
    all.into_iter().filter_map(|(name, usd)| usd.map(|usd| (name, usd))).collect()
}
