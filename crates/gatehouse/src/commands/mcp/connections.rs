//! `gatehouse mcp connections`: who has agreed that an MCP server is used in their name.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value};

use super::standing::gateway;
use crate::admin_client::AdminClient;
use crate::cli::PlaceArguments;
use crate::failure::Failure;
use crate::output::{Format, Listing};

const COLUMNS: &[&str] = &["id", "server", "owner", "state", "reason", "issuer", "scopes", "expires_unix_ms"];

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List them.
    List(Which),
    /// Forget one and its tokens: its owner is asked for consent again.
    Revoke {
        /// Its id.
        id: String,
    },
}

/// Which of them.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only with this server.
    #[arg(long)]
    server: Option<String>,
    /// Only this owner's: user/alice, key/01J…
    #[arg(long)]
    owner: Option<String>,
}

/// Runs one of them.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Format) -> Result<(), Failure> {
    let client = gateway(place)?;
    let (columns, rows) = match action {
        Action::List(which) => (COLUMNS, listed(&client, &which).await?),
        Action::Revoke { id } => {
            let safe = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !safe {
                return Err(Failure::problem("this is no id of a connection", "gatehouse mcp connections list"));
            }
            let answer = client.ask(Method::POST, &format!("/api/v1/mcp/connections/{id}/revoke"), None).await?;
            (&["id"][..], answer.as_object().cloned().into_iter().collect())
        }
    };
    Listing::new(columns.iter().copied(), rows).write(output, &mut std::io::stdout().lock())
}

async fn listed(client: &AdminClient, which: &Which) -> Result<Vec<Map<String, Value>>, Failure> {
    let filters = [("server", which.server.as_deref()), ("owner", which.owner.as_deref())];
    client.every("/api/v1/mcp/connections", &filters).await
}
