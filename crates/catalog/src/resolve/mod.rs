//! From the file as written to the resolved configuration: the checks of meaning.

mod address;
mod alerts;
mod guardrails;
mod identity;
mod keys;
mod limits;
mod mcp;
mod models;
mod names;
mod oauth;
mod policies;
mod prices;
mod principals;
mod providers;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use gatehouse_domain::{Guests, IpRange, NoIpRange};

use crate::check::{Check, nth};
use crate::config::Config;
use crate::load::Surroundings;
use crate::mcp::Mcp;
use crate::pattern::Names;
use crate::written::File;

pub use limits::WrongTerms;
pub(crate) use policies::all as policies;
pub(crate) use prices::file as price_file;

/// The resolved form. `None` only after an error was reported.
pub(crate) fn config(mut file: File, around: &Surroundings<'_>, check: &mut Check) -> Option<Config> {
    let servers = mcp::Servers::of(&file);
    let principals = principals::all(&mut file, check);
    let telemetry = server::telemetry(file.telemetry, check);
    let caps = server::caps(&file.server, check);
    let authorities = server::authorities(file.server.ca_file.as_deref(), around, check);
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
    prices::section(&file.prices, &file.providers, check);
    let names = Names::of(&file.models);
    let models = models::all(&file.models, &file.providers, check);
    let providers = providers::all(file.providers, check);
    let keys = keys::all(file.keys, &names, &servers, &principals, check);
    let policies = policies::all(&file.policies, around, check);
    let limits = limits::all(file.limits, &names, &servers, check);
    let mcp = Mcp {
        client_document: mcp::client_document(file.mcp.client_document.as_deref(), check),
        listens: mcp::listens(file.mcp.listens, check),
        own_server: file.mcp.gatehouse,
        servers: mcp::servers(file.mcp_servers, &file.mcp, &names, around, check),
        toolsets: mcp::toolsets(file.toolsets, &servers, check),
    };
    let guardrails = guardrails::all(file.guardrails, check);
    let alerts = alerts::all(file.alerts, check);
    let listeners = listeners?;
    Some(Config {
        guests: Guests::new(&listeners.public_url.text, &file.server.allowed_hosts),
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
        authorities,
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
