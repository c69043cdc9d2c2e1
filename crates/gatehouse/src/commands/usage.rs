//! `gatehouse usage report|budgets|export|reprice`: what was used and what it cost, from the ledger of a data folder or of a running gateway.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use gatehouse_domain::Money;
use gatehouse_store::export::{Export, ExportFormat};
use gatehouse_store::{LedgerEntry, Reprice, UsageDimension, UsageQuery};
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::budgets;
use crate::admin_client::{AdminClient, asked, listed_rows};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::house::wiring;
use crate::moment;
use crate::output::{Listing, fields, rows};
use crate::place::{Folder, Place};

/// The counters a table shows behind the dimensions.
const COUNTERS: &[&str] = &["attempts", "input_tokens", "output_tokens", "cost_usd"];

/// What a table of repriced attempts shows.
const REPRICED: &[&str] = &["provider", "upstream_model", "attempts", "changed", "unpriced", "old_usd", "new_usd"];

/// What to do with usage.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Sum up the ledger.
    Report(Report),
    /// Show every limit and budget of a running gateway: what is used and reserved of it, and when it is whole again.
    Budgets(budgets::Arguments),
    /// Write the ledger to a file, or to standard output: every attempt as CSV or JSON lines, or FOCUS 1.3 for finance tools.
    Export(ExportArguments),
    /// Price the past again by the price list now. Shows what would change; --write records it beside the ledger.
    Reprice(RepriceArguments),
}

/// What to price again.
#[derive(Debug, Args)]
pub(crate) struct RepriceArguments {
    /// From this moment on: 2026-11-22T12:00:00Z, 2026-11-22 (UTC), or so long ago: 7d, 24h, 30m.
    #[arg(long)]
    since: String,
    /// Before this moment.
    #[arg(long)]
    until: Option<String>,
    /// Only this provider.
    #[arg(long)]
    provider: Option<String>,
    /// Only this model of the provider.
    #[arg(long)]
    upstream_model: Option<String>,
    /// Record the corrections; reports count them from then on.
    #[arg(long)]
    write: bool,
}

/// What to write, and where.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// csv, json or focus.
    #[arg(long, default_value = "csv")]
    format: ExportFormat,
    /// From this moment on: 2026-11-22T12:00:00Z, 2026-11-22 (UTC), or so long ago: 7d, 24h, 30m.
    #[arg(long)]
    since: Option<String>,
    /// Before this moment.
    #[arg(long)]
    until: Option<String>,
    /// The file to write; standard output if not given.
    #[arg(long)]
    file: Option<PathBuf>,
}

/// What to sum up.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// One row for each of these, separated by commas: key, organisation, team, user, agent, tags, run, model, provider,
    /// upstream_model, dialect, operation, status, service_tier, day, hour,
    /// attempt.
    #[arg(long, value_delimiter = ',')]
    by: Vec<UsageDimension>,
    /// From this moment on: 2026-11-22T12:00:00Z, 2026-11-22 (UTC), or so long ago: 7d, 24h, 30m.
    #[arg(long)]
    since: Option<String>,
    /// Before this moment.
    #[arg(long)]
    until: Option<String>,
    /// Only the key with this id.
    #[arg(long)]
    key_id: Option<String>,
    /// Only this team.
    #[arg(long)]
    team: Option<String>,
    /// Only this person.
    #[arg(long)]
    user: Option<String>,
    /// Only this run.
    #[arg(long)]
    run: Option<String>,
    /// Rows at most.
    #[arg(long)]
    limit: Option<u32>,
}

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let report = match action {
        Action::Report(report) => report,
        Action::Budgets(wanted) => return budgets::run(wanted, place, output).await,
        Action::Export(arguments) => return export(arguments, place).await,
        Action::Reprice(arguments) => return reprice(arguments, place, output).await,
    };
    let by: Vec<&str> = report.by.iter().map(|dimension| dimension.as_str()).collect();
    // Checked here for both places, so that a slip costs no round trip.
    let (since, until) = moment::span(report.since.as_deref(), report.until.as_deref())?;
    let rows = match Place::open(place).await? {
        Place::Gateway(client) => remote(&report, &by, &client).await?,
        Place::Folder(folder) => {
            let rows = local(&report, since, until, &folder).await;
            folder.store.close().await;
            rows?
        }
    };
    let columns = by.iter().chain(COUNTERS).copied();
    Listing::new(columns, rows).write(output.output, &mut std::io::stdout().lock())
}

async fn export(arguments: ExportArguments, place: &PlaceArguments) -> Result<(), Failure> {
    let (since, until) = moment::span(arguments.since.as_deref(), arguments.until.as_deref())?;
    let mut out: Box<dyn Write> = match &arguments.file {
        Some(file) => Box::new(BufWriter::new(File::create(file).map_err(|error| {
            Failure::problem(format!("cannot write {}: {error}", file.display()), "name another --file")
        })?)),
        None => Box::new(std::io::stdout().lock()),
    };
    match Place::open(place).await? {
        Place::Gateway(client) => {
            let question = [
                ("format", Some(arguments.format.as_str())),
                ("since", arguments.since.as_deref()),
                ("until", arguments.until.as_deref()),
            ];
            let path = asked("/api/v1/usage/export", &question);
            out.write_all(&client.download(&path).await?)?;
        }
        Place::Folder(folder) => {
            let parts = |attempt: &_| wiring::priced_parts(&folder.config, attempt);
            let span = (since.unwrap_or(0), until.unwrap_or(u64::MAX));
            let mut export = Export::new(&folder.store, arguments.format, span.0, span.1, &parts);
            while let Some(piece) = export.next().await? {
                out.write_all(&piece)?;
            }
        }
    }
    Ok(out.flush()?)
}

async fn reprice(arguments: RepriceArguments, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let RepriceArguments { since, until, provider, upstream_model, write } = arguments;
    let since_unix_ms = moment::unix_ms("since", &since)?;
    let until_unix_ms = until.as_deref().map(|text| moment::unix_ms("until", text)).transpose()?;
    let rows = match Place::open(place).await? {
        Place::Gateway(client) => {
            let question = json!({"since": since, "until": until, "provider": provider, "upstream_model": upstream_model,
                "write": write});
            let answer = client.ask(Method::POST, "/api/v1/usage/reprice", Some(&question)).await?;
            listed_rows(&answer)
        }
        Place::Folder(folder) => {
            let reprice = Reprice {
                since_unix_ms,
                until_unix_ms: until_unix_ms.unwrap_or(u64::MAX),
                provider,
                upstream_model,
                write,
                now_unix_ms: u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0),
            };
            let price = |entry: &LedgerEntry| Some(Money::of_parts(&wiring::priced_parts(&folder.config, entry)?));
            let rows = folder.store.reprice(&reprice, &price).await?;
            rows.iter().filter_map(|row| serde_json::to_value(row).ok()).filter_map(fields).collect()
        }
    };
    Listing::new(REPRICED.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock())
}

async fn local(
    report: &Report,
    since_unix_ms: Option<u64>,
    until_unix_ms: Option<u64>,
    folder: &Folder,
) -> Result<Vec<Map<String, Value>>, Failure> {
    let query = UsageQuery {
        by: report.by.clone(),
        since_unix_ms,
        until_unix_ms,
        organisation: None,
        key: report.key_id.clone(),
        team: report.team.clone(),
        user: report.user.clone(),
        run: report.run.clone(),
        limit: report.limit.unwrap_or_default(),
    };
    let found = folder.store.usage(&query).await?;
    Ok(rows(&found))
}

async fn remote(report: &Report, by: &[&str], client: &AdminClient) -> Result<Vec<Map<String, Value>>, Failure> {
    let limit = report.limit.map(|limit| limit.to_string());
    let by = (!by.is_empty()).then(|| by.join(","));
    let question = [
        ("by", by.as_deref()),
        ("since", report.since.as_deref()),
        ("until", report.until.as_deref()),
        ("key", report.key_id.as_deref()),
        ("team", report.team.as_deref()),
        ("user", report.user.as_deref()),
        ("run", report.run.as_deref()),
        ("limit", limit.as_deref()),
    ];
    client.rows(&asked("/api/v1/usage", &question)).await
}
