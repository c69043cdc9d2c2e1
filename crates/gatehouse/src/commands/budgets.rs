//! `gatehouse usage budgets`: where every limit and budget of a running gateway stands.

use clap::Args;

use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::output::Listing;

/// What a table shows.
const COLUMNS: &[&str] = &["kind", "payer", "measure", "per", "max", "used", "reserved", "remaining"];

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
    let filters = [("kind", wanted.kind.as_deref()), ("payer", wanted.payer.as_deref())];
    let rows = client.every("/api/v1/budgets", &filters).await?;
    Listing::new(COLUMNS.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock())
}
