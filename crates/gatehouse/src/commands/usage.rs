//! `gatehouse usage`: what was used and what it cost, from the ledger of a data folder or of a running gateway; and where
//! limits and budgets stand.

use clap::{Args, Subcommand};
use gatehouse_store::{UsageDimension, UsageQuery};
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::admin_client::{AdminClient, encoded};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::moment;
use crate::output::Listing;
use crate::place::{Folder, Place};

/// The counters a table shows behind the dimensions.
const COUNTERS: &[&str] = &["attempts", "input_tokens", "output_tokens", "cost_usd"];

/// What to do with usage.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Sum up the ledger.
    Report(Report),
    /// Show every limit and budget of a running gateway: what is used and reserved of it, and when it is whole again.
    Budgets(Budgets),
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

/// Which limits and budgets.
#[derive(Debug, Args)]
pub(crate) struct Budgets {
    /// Only this kind of payer: organisation, team, user, service_account, agent, key, model, tag or run.
    #[arg(long)]
    kind: Option<String>,
    /// Only the payer of this name; of a tag, name=value.
    #[arg(long)]
    payer: Option<String>,
}

/// What a table of limits and budgets shows.
const STANDS: &[&str] = &["kind", "payer", "measure", "per", "max", "used", "reserved", "remaining"];

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    match action {
        Action::Report(wanted) => report(wanted, place, output).await,
        Action::Budgets(wanted) => budgets(wanted, place, output).await,
    }
}

/// What is used now is known to the gateway that counts it, and to nobody else.
async fn budgets(wanted: Budgets, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let Some(client) = place.gateway() else {
        let message = "what limits and budgets hold is counted by a running gateway";
        return Err(Failure::problem(
            message,
            "name it with --url and --key; `usage report` reads the ledger without one",
        ));
    };
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = "1000".to_owned();
        let question: Vec<String> = [
            ("limit", Some(&page)),
            ("kind", wanted.kind.as_ref()),
            ("payer", wanted.payer.as_ref()),
            ("cursor", cursor.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={}", encoded(value))))
        .collect();
        let answer = client.ask(Method::GET, &format!("/api/v1/budgets?{}", question.join("&")), None).await?;
        let before = rows.len();
        rows.extend(answer["rows"].as_array().into_iter().flatten().cloned().filter_map(fields));
        cursor = answer["next_cursor"].as_str().map(str::to_owned);
        // A gateway that repeats itself does not keep this here for ever.
        if cursor.is_none() || rows.len() == before {
            break;
        }
    }
    Listing::new(STANDS.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock())
}

async fn report(report: Report, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
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
    let rows = folder.store.usage(&query).await?;
    Ok(rows.iter().filter_map(|row| serde_json::to_value(row).ok()).filter_map(fields).collect())
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

fn fields(row: Value) -> Option<Map<String, Value>> {
    match row {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}
