//! `gatehouse mcp pins list|diff|approve|rollback`: what MCP servers offered and offer, what changed, and what is let through.

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::standing::{gateway, write};
use crate::admin_client::{asked, listed_rows};
use crate::cli::PlaceArguments;
use crate::failure::Failure;
use crate::output::Format;

const PINS: &[&str] = &["server", "kind", "name", "state", "hash", "seen_unix_ms", "decided_by"];
const CHANGES: &[&str] = &["class", "path", "before", "after"];

/// What to do with versions.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List versions.
    List(List),
    /// Show what changed between two versions of an item.
    Diff(Diff),
    /// Let a version through, or everything of a server that is pending.
    Approve(Approve),
    /// Take a version back.
    Rollback(RollBack),
}

/// What has versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource template.
    Template,
    /// What a server says of itself.
    Instructions,
}

/// Which versions.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this server.
    #[arg(long)]
    server: Option<String>,
    /// Only of this kind.
    #[arg(long)]
    kind: Option<Kind>,
    /// Only in this state: approved, pending or held.
    #[arg(long)]
    state: Option<String>,
}

/// Which item.
#[derive(Debug, Args)]
struct Item {
    /// What it is.
    kind: Kind,
    /// server.name; of instructions, the server.
    item: String,
}

/// Which versions of which item.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    item: Item,
    /// The hash of the older version; the last approved one if not given.
    #[arg(long)]
    from: Option<String>,
    /// The hash of the newer version; the newest if not given.
    #[arg(long)]
    to: Option<String>,
}

/// What to let through.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// What it is.
    #[arg(requires = "item", required_unless_present = "server")]
    kind: Option<Kind>,
    /// server.name; of instructions, the server.
    item: Option<String>,
    /// The hash of the version; the newest if not given.
    #[arg(long, requires = "item")]
    hash: Option<String>,
    /// Everything of this server that is pending.
    #[arg(long, conflicts_with = "kind")]
    server: Option<String>,
}

/// What to take back.
#[derive(Debug, Args)]
pub(crate) struct RollBack {
    #[command(flatten)]
    item: Item,
    /// The hash of the version; the newest if not given.
    #[arg(long)]
    hash: Option<String>,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Template => "template",
            Self::Instructions => "instructions",
        }
    }

    /// Server and name. No server's name has a dot.
    fn split(self, item: &str) -> Result<(&str, &str), Failure> {
        if self == Self::Instructions {
            return Ok((item, ""));
        }
        item.split_once('.').ok_or_else(|| {
            Failure::problem(
                format!("`{item}` names no server"),
                "write server.name, as `gatehouse mcp pins list` does",
            )
        })
    }
}

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Format) -> Result<(), Failure> {
    match action {
        Action::List(wanted) => list(&wanted, place, output).await,
        Action::Diff(wanted) => diff(&wanted, place, output).await,
        Action::Approve(Approve { kind: Some(kind), item: Some(item), hash, .. }) => {
            let (server, name) = kind.split(&item)?;
            let body = json!({"server": server, "kind": kind.word(), "name": name, "hash": hash});
            decide("approve", &body, place, output).await
        }
        Action::Approve(all) => decide("approve", &json!({"server": all.server}), place, output).await,
        Action::Rollback(RollBack { item: Item { kind, item }, hash }) => {
            let (server, name) = kind.split(&item)?;
            let body = json!({"server": server, "kind": kind.word(), "name": name, "hash": hash});
            decide("rollback", &body, place, output).await
        }
    }
}

async fn list(wanted: &List, place: &PlaceArguments, output: Format) -> Result<(), Failure> {
    let client = gateway(place)?;
    let filters = [
        ("server", wanted.server.as_deref()),
        ("kind", wanted.kind.map(Kind::word)),
        ("state", wanted.state.as_deref()),
    ];
    write(PINS, client.every("/api/v1/mcp/pins", &filters).await?, output)
}

async fn diff(wanted: &Diff, place: &PlaceArguments, output: Format) -> Result<(), Failure> {
    let (server, name) = wanted.item.kind.split(&wanted.item.item)?;
    let parameters = [
        ("server", Some(server)),
        ("kind", Some(wanted.item.kind.word())),
        ("name", Some(name)),
        ("from", wanted.from.as_deref()),
        ("to", wanted.to.as_deref()),
    ];
    let answer = gateway(place)?.ask(Method::GET, &asked("/api/v1/mcp/pins/diff", &parameters), None).await?;
    let changes = answer["changes"].as_array().into_iter().flatten().filter_map(|row| row.as_object().cloned());
    let mut rows: Vec<Map<String, Value>> = changes.collect();
    // The first version of an item: all of it is new.
    if answer.get("from").is_none() {
        let row = json!({"class": "new", "path": "", "after": answer["document"]});
        rows.extend(row.as_object().cloned());
    }
    write(CHANGES, rows, output)
}

async fn decide(what: &str, body: &Value, place: &PlaceArguments, output: Format) -> Result<(), Failure> {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let answer = gateway(place)?.ask(Method::POST, &format!("/api/v1/mcp/pins/{what}"), Some(&body)).await?;
    write(PINS, listed_rows(&answer), output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_its_server_and_the_rest() {
        assert_eq!(Kind::Tool.split("git.a.b").unwrap(), ("git", "a.b"));
        assert_eq!(Kind::Instructions.split("git").unwrap(), ("git", ""));
        assert!(Kind::Tool.split("git").is_err());
    }
}
