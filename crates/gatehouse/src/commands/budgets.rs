//! `gatehouse usage budgets`: where every limit and budget of a running gateway stands.

use clap::Args;
use http::Method;
use serde_json::{Map, Value};

use crate::admin_client::encoded;
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::output::Listing;

/// What a table shows.
const COLUMNS: &[&str] = &["kind", "payer", "measure", "per", "max", "used", "reserved", "remaining"];

/// Rows asked for at once.
const PAGE: &str = "1000";

/// Which limits and budgets.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only this kind of payer: organisation, team, user, service_account, agent, key, model, tag or run.
    #[arg(long)]
    kind: Option<String>,
    /// Only the payer of this name; of a tag, name=value.
    #[arg(long)]
    payer: Option<String>,
}

/// Shows them. What is used now is known to the gateway that counts it, and to nobody else.
pub(crate) async fn run(wanted: Arguments, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let Some(client) = place.gateway() else {
        let message = "what limits and budgets hold is counted by a running gateway";
        let next = "name it with --url and --key; `usage report` reads the ledger without one";
        return Err(Failure::problem(message, next));
    };
    let mut rows: Vec<Map<String, Value>> = Vec::new();
    let mut cursor = None;
    loop {
        let filters = [("kind", &wanted.kind), ("payer", &wanted.payer), ("cursor", &cursor)];
        let filters = filters.iter().filter_map(|(name, value)| Some(format!("&{name}={}", encoded(value.as_ref()?))));
        let path = format!("/api/v1/budgets?limit={PAGE}{}", filters.collect::<String>());
        let answer = client.ask(Method::GET, &path, None).await?;
        let before = rows.len();
        rows.extend(answer["rows"].as_array().into_iter().flatten().filter_map(|row| row.as_object().cloned()));
        cursor = answer["next_cursor"].as_str().map(str::to_owned);
        // A gateway that repeats itself does not keep this here for ever.
        if cursor.is_none() || rows.len() == before {
            break;
        }
    }
    Listing::new(COLUMNS.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock())
}
