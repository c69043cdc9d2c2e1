//! `gatehouse up`: the gateway in the first minute. Without a file it serves the demo model; without any key it makes one.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use gatehouse_catalog::Config;
use gatehouse_catalog::mcp::{Builtin, McpServer, McpTransport};
use gatehouse_domain::{Now, Secret};
use gatehouse_store::{NewKey, Pepper, StoreError, keys};
use serde_json::value::RawValue;

use super::up_text::{Banner, OFFERED};
use crate::failure::Failure;
use crate::house::{Options, Ready, run};

/// The file that is used when it is there and none is named.
const USUAL_FILE: &str = "gatehouse.yaml";
/// Name of the key that the first start makes.
const FIRST_KEY: &str = "first";

/// Arguments of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file; `gatehouse.yaml` if it is there, else the built-in default with the demo model.
    #[arg(long, short, env = "GATEHOUSE_CONFIG")]
    config: Option<PathBuf>,
    /// Listen here instead of at the configuration's `listen`.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    /// Keep data here instead of in the configuration's `data_dir`.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Let the claim link be used from other machines.
    #[arg(long)]
    claim_remote: bool,
}

pub(crate) fn run_command(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { config, listen, data_dir, claim_remote } = arguments;
    let usual = || Some(PathBuf::from(USUAL_FILE)).filter(|file| file.exists());
    run(Options { file: config.or_else(usual), listen, data_dir, claim_remote }, greet)
}

async fn greet(ready: Ready<'_>) -> Result<(), Failure> {
    let scheme = if ready.config.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", ready.address);
    let key = first_key(&ready).await.map_err(|error| Failure::problem(error, "check the data folder"))?;
    let claim_link = ready.claim.as_ref().map(|token| format!("{url}/claim/{}", token.reveal()));
    let found: Vec<&str> =
        OFFERED.iter().map(|(name, _)| *name).filter(|name| std::env::var_os(name).is_some()).collect();
    let model = ready.config.models.keys().find(|name| !name.ends_with('*')).map_or("demo", |name| name);
    let tools = demo_tools(ready.config);
    let banner = Banner {
        url: &url,
        data_dir: &ready.config.data_dir.display().to_string(),
        claim_link: claim_link.as_deref(),
        key: key.as_ref(),
        model,
        tools: tools.as_deref(),
        found: &found,
    };
    std::io::stdout().lock().write_all(banner.to_string().as_bytes())?;
    Ok(())
}

/// Where the tools of the demo MCP server are called by their own names.
fn demo_tools(config: &Config) -> Option<String> {
    let mut servers = config.mcp.servers.iter();
    let is_demo = |server: &McpServer| matches!(server.transport, McpTransport::Builtin(Builtin::Demo));
    let (name, _) = servers.find(|(_, server)| is_demo(server))?;
    Some(if config.mcp.servers.len() == 1 { "/mcp".to_owned() } else { format!("/mcp/servers/{name}") })
}

/// Makes a key if there is none at all, neither in the file nor in the database.
async fn first_key(ready: &Ready<'_>) -> Result<Option<Secret>, StoreError> {
    if !ready.config.keys.is_empty() || !ready.store.list_keys().await?.is_empty() {
        return Ok(None);
    }
    let id = keys::new_id()?;
    let minted = keys::mint(&ready.config.auth.environment, &id)?;
    ready.store.create_key(&new_key(id, &minted, ready.pepper)).await?;
    Ok(Some(minted.secret))
}

fn new_key(id: String, minted: &keys::Minted, pepper: &Pepper) -> NewKey {
    let nothing = || RawValue::from_string("[]".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
    NewKey {
        id,
        name: FIRST_KEY.to_owned(),
        shown: minted.shown.clone(),
        hash: keys::hash(pepper, minted.secret.reveal()),
        organisation: None,
        team: None,
        user: None,
        service_account: None,
        agent: None,
        models: Vec::new(),
        mcp_servers: Vec::new(),
        toolsets: Vec::new(),
        agents: Vec::new(),
        ip_ranges: Vec::new(),
        tags: None,
        role: None,
        limits: nothing(),
        budgets: nothing(),
        created_unix_ms: Now(SystemTime::now()).unix_ms(),
        expires_unix_ms: None,
    }
}
