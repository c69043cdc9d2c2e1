//! `gatehouse get|delete|apply|export`: what is declared in the database of a running gateway, in the words of its admin API
//! and of the configuration file.

mod apply;
mod export;

use std::io::Write as _;

use clap::Args;
use gatehouse_catalog::{KINDS, Kind, did_you_mean};
use http::Method;
use serde_json::{Map, Value, json};

pub(crate) use apply::{Arguments as ApplyArguments, run as apply};
pub(crate) use export::run as export;

use crate::admin_client::{AdminClient, encoded};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::output::{Format, Listing};

/// The fields a table shows.
const COLUMNS: &[&str] = &["name", "source", "version", "changed_by", "body"];

/// Arguments of `get`.
#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    /// What: models, providers, prices, …
    kind: String,
    /// Which one; all of them without.
    name: Option<String>,
}

/// Arguments of `delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// What: models, providers, prices, …
    kind: String,
    /// Which one.
    name: String,
    /// Only say what would be deleted.
    #[arg(long)]
    dry_run: bool,
}

/// Lists objects of a kind, or shows one.
pub(crate) async fn get(arguments: GetArguments, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let (kind, client) = (kind(&arguments.kind)?, gateway(place)?);
    let Some(name) = arguments.name else {
        let rows = all(&client, kind).await?;
        return Listing::new(COLUMNS.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock());
    };
    let object = client.ask(Method::GET, &path(kind, &name), None).await?;
    let text = match output.output {
        Format::Json => serde_json::to_string_pretty(&object).map_err(|error| Failure::problem(error, ""))?,
        Format::Table | Format::Yaml => {
            serde_saphyr::to_string(&object).map_err(|error| Failure::problem(error, ""))?
        }
    };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())?;
    Ok(())
}

/// Deletes an object.
pub(crate) async fn delete(arguments: DeleteArguments, place: &PlaceArguments) -> Result<(), Failure> {
    let (kind, client) = (kind(&arguments.kind)?, gateway(place)?);
    let question = if arguments.dry_run { "?dry_run=true" } else { "" };
    let path = format!("{}{question}", path(kind, &arguments.name));
    client.ask(Method::DELETE, &path, None).await?;
    let verb = if arguments.dry_run { "would be deleted" } else { "deleted" };
    writeln!(std::io::stdout().lock(), "{}/{} {verb}", kind.name, arguments.name)?;
    Ok(())
}

/// The kind of a word.
fn kind(word: &str) -> Result<&'static Kind, Failure> {
    Kind::named(word).or_else(|| KINDS.iter().find(|kind| kind.one == word)).ok_or_else(|| {
        let hint = did_you_mean(word, KINDS.iter().map(|kind| kind.name)).unwrap_or_default();
        Failure::usage(format!("there is no kind `{word}`"), hint)
    })
}

/// These commands change a running gateway, which checks every change against all it has.
fn gateway(place: &PlaceArguments) -> Result<AdminClient, Failure> {
    place.gateway().ok_or_else(|| {
        Failure::usage(
            "no gateway is named",
            "name a running one with --url and --key (GATEHOUSE_URL, GATEHOUSE_ADMIN_KEY)",
        )
    })
}

fn path(kind: &Kind, name: &str) -> String {
    format!("/api/v1/{}/{}", kind.name, encoded(name))
}

/// Every object of a kind.
async fn all(client: &AdminClient, kind: &Kind) -> Result<Vec<Map<String, Value>>, Failure> {
    client.every(&format!("/api/v1/{}", kind.name), &[]).await
}

/// An object as the API takes it in an apply.
fn applied(kind: &Kind, name: &str, body: &Value) -> Value {
    json!({ "kind": kind.name, "name": name, "body": body })
}
