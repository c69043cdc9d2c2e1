//! `gatehouse usage report`: what was used and what it cost, from the ledger of a data folder or of a running gateway.

use clap::{Args, Subcommand};
use gatehouse_store::{UsageDimension, UsageQuery};
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::admin_client::{AdminClient, encoded};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::moment;
use crate::output::{Listing, fields, rows};
use crate::place::{Folder, Place};

/// The counters a table shows behind the dimensions.
const COUNTERS: &[&str] = &["attempts", "input_tokens", "output_tokens", "cost_usd"];

/// What to do with usage.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Sum up the ledger.
    Report(Report),
}

/// What to sum up.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// One row for each of these, separated by commas: key, organisation, team, user, agent, tags, run, model, provider,
    /// upstream_model, dialect, operation, status, day, hour, attempt.
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
    let Action::Report(report) = action;
    let by: Vec<&str> = report.by.iter().map(|dimension| dimension.as_str()).collect();
    let now = Timestamp::now();
    // Checked here for both places, so that a slip costs no round trip.
    let moment = |name, text: &Option<String>| text.as_deref().map(|text| moment::unix_ms(name, text, now)).transpose();
    let (since, until) = (moment("since", &report.since)?, moment("until", &report.until)?);
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
    let question: Vec<String> = [
        ("by", by.as_ref()),
        ("since", report.since.as_ref()),
        ("until", report.until.as_ref()),
        ("key", report.key_id.as_ref()),
        ("team", report.team.as_ref()),
        ("user", report.user.as_ref()),
        ("run", report.run.as_ref()),
        ("limit", limit.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| format!("{name}={}", encoded(value))))
    .collect();
    let answer = client.ask(Method::GET, &format!("/api/v1/usage?{}", question.join("&")), None).await?;
    Ok(answer["rows"].as_array().into_iter().flatten().cloned().filter_map(fields).collect())
}
