//! `gatehouse mcp servers|findings|explain`: how the MCP servers of a running gateway stand, what is odd about what they offer, and
//! why somebody does not see a tool.

use std::path::PathBuf;

use clap::Args;
use http::Method;
use serde_json::{Map, Value};

use crate::admin_client::{AdminClient, asked, listed_rows};
use crate::cli::PlaceArguments;
use crate::failure::Failure;
use crate::output::{Format, Listing, fields};

const SERVERS: &[&str] =
    &["name", "state", "era", "tools", "prompts", "resources", "held", "tool_tokens", "findings", "last_error"];
const FINDINGS: &[&str] = &["severity", "code", "server", "kind", "name", "message"];
const EXPLAINED: &[&str] = &["visible", "why", "tool", "exposed", "server_state", "message"];

/// Which findings.
#[derive(Debug, Args)]
pub(crate) struct Findings {
    /// Only of this server.
    #[arg(long)]
    server: Option<String>,
    /// Only this severity: low, medium or high.
    #[arg(long)]
    severity: Option<String>,
    /// Where.
    #[command(flatten)]
    place: PlaceArguments,
}

/// Whose view of which tool.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The id of the key whose view is asked about; without one, a caller without credentials.
    #[arg(long)]
    key: Option<String>,
    /// The tool: server.tool, or the name it has on the endpoint.
    #[arg(long)]
    tool: String,
    /// /mcp, /mcp/servers/NAME or /mcp/toolsets/NAME.
    #[arg(long, default_value = "/mcp")]
    endpoint: String,
    /// The configuration file of the gateway, instead of its URL.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The gateway.
    #[arg(long, env = "GATEHOUSE_URL")]
    url: Option<String>,
    /// An admin key of that gateway (--key is whose view is asked about).
    #[arg(long, env = "GATEHOUSE_ADMIN_KEY", hide_env_values = true)]
    admin_key: Option<String>,
}

/// Lists the servers.
pub(crate) async fn servers(place: PlaceArguments, output: Format) -> Result<(), Failure> {
    let answer = gateway(&place)?.ask(Method::GET, "/api/v1/mcp/servers", None).await?;
    write(SERVERS, listed_rows(&answer), output)
}

/// Lists the findings.
pub(crate) async fn findings(wanted: Findings, output: Format) -> Result<(), Failure> {
    let parameters = [("server", wanted.server.as_deref()), ("severity", wanted.severity.as_deref())];
    let path = asked("/api/v1/mcp/findings", &parameters);
    write(FINDINGS, listed_rows(&gateway(&wanted.place)?.ask(Method::GET, &path, None).await?), output)
}

/// Explains.
pub(crate) async fn explain(wanted: Explain, output: Format) -> Result<(), Failure> {
    let place = PlaceArguments { config: wanted.config, url: wanted.url, key: wanted.admin_key };
    let parameters =
        [("key", wanted.key.as_deref()), ("tool", Some(&*wanted.tool)), ("endpoint", Some(&*wanted.endpoint))];
    let path = asked("/api/v1/mcp/explain", &parameters);
    let answer = gateway(&place)?.ask(Method::GET, &path, None).await?;
    write(EXPLAINED, fields(answer).into_iter().collect(), output)
}

/// The running gateway: what servers say, it knows alone.
pub(super) fn gateway(place: &PlaceArguments) -> Result<AdminClient, Failure> {
    place.gateway().ok_or_else(|| {
        let message = "how MCP servers stand is known to a running gateway";
        Failure::problem(message, "name it with --url, and an admin key of it in GATEHOUSE_ADMIN_KEY")
    })
}

pub(super) fn write(columns: &[&str], rows: Vec<Map<String, Value>>, output: Format) -> Result<(), Failure> {
    Listing::new(columns.iter().copied(), rows).write(output, &mut std::io::stdout().lock())
}
