//! `gatehouse oauth`: clients and grants of a running gateway's authorization server.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value};

use crate::admin_client::{AdminClient, encoded};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::output::Listing;

const CLIENT_COLUMNS: &[&str] = &["id", "kind", "name", "confidential", "last_used_unix_ms", "revoked_unix_ms"];
const GRANT_COLUMNS: &[&str] = &["id", "kind", "client_name", "subject", "resource", "scopes", "expires_unix_ms"];

/// What of the authorization server.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Those who ask people for access.
    Clients {
        /// What to do.
        #[command(subcommand)]
        action: ClientAction,
    },
    /// What people let them do.
    Grants {
        /// What to do.
        #[command(subcommand)]
        action: GrantAction,
    },
    /// What access tokens are signed with.
    Keys {
        /// What to do.
        #[command(subcommand)]
        action: KeyAction,
    },
}

/// What to do with clients.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientAction {
    /// List them.
    List,
    /// Give one no more tokens, and end everything it was granted.
    Revoke {
        /// Its id.
        id: String,
    },
}

/// What to do with grants.
#[derive(Debug, Subcommand)]
pub(crate) enum GrantAction {
    /// List them.
    List(Which),
    /// End one: its tokens open nothing from now on.
    Revoke {
        /// Its id.
        id: String,
    },
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// Make the key that signs from now on.
    Rotate,
}

/// Which grants.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only those of this client.
    #[arg(long)]
    client: Option<String>,
    /// Ended and revoked ones, too.
    #[arg(long)]
    ended: bool,
}

/// Does it. Revocations must reach the data plane, so that a running gateway is asked.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let Some(client) = place.gateway() else {
        let message = "clients and grants are those of a running gateway";
        return Err(Failure::problem(message, "name it with --url and --key"));
    };
    let (columns, rows) = match action {
        Action::Clients { action: ClientAction::List } => {
            (CLIENT_COLUMNS, client.every("/api/v1/oauth/clients", &[]).await?)
        }
        Action::Grants { action: GrantAction::List(which) } => {
            let ended = which.ended.to_string();
            let filters = [("client", which.client.as_deref()), ("ended", Some(&*ended))];
            (GRANT_COLUMNS, client.every("/api/v1/oauth/grants", &filters).await?)
        }
        Action::Clients { action: ClientAction::Revoke { id } } => {
            (&["id", "grants"][..], done(&client, &format!("clients/{}/revoke", encoded(&id))).await?)
        }
        Action::Grants { action: GrantAction::Revoke { id } } => {
            (&["id", "grants"][..], done(&client, &format!("grants/{}/revoke", encoded(&id))).await?)
        }
        Action::Keys { action: KeyAction::Rotate } => (&["keys"][..], done(&client, "keys/rotate").await?),
    };
    Listing::new(columns.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock())
}

async fn done(client: &AdminClient, path: &str) -> Result<Vec<Map<String, Value>>, Failure> {
    let answer = client.ask(Method::POST, &format!("/api/v1/oauth/{path}"), None).await?;
    Ok(answer.as_object().cloned().into_iter().collect())
}
