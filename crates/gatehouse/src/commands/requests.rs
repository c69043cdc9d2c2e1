//! `gatehouse requests list|show` and `gatehouse runs show`: the request log of a data folder or of a running gateway.

use clap::{Args, Subcommand};
use gatehouse_domain::{Money, RequestId};
use gatehouse_store::RequestFilter;
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::admin_client::{AdminClient, asked, encoded, listed_rows};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::moment;
use crate::output::{Listing, fields, rows};
use crate::place::{Folder, Place};

const COLUMNS: &[&str] = &[
    "at",
    "id",
    "key",
    "team",
    "model",
    "upstream_model",
    "status",
    "code",
    "input_tokens",
    "output_tokens",
    "cost_usd",
];
/// Calls of a run that are shown with its sums.
const RUN_ROWS: u32 = 1_000;

/// What to do with the request log.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List calls, newest first.
    List(Box<List>),
    /// Show one call.
    Show {
        /// Its x-gatehouse-request-id.
        id: String,
    },
}

/// What to do with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunAction {
    /// Show the calls of a run in order, and their sums.
    Show {
        /// What calls name in x-gatehouse-run, or the trace they belong to.
        run: String,
    },
}

/// Which calls. Everything given must hold.
#[derive(Debug, Args)]
pub(crate) struct List {
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
    /// Only this model, as clients name it.
    #[arg(long)]
    model: Option<String>,
    /// Only this run.
    #[arg(long)]
    run: Option<String>,
    /// Only this HTTP status, or a class of them: 429, 4xx.
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only calls refused with this code.
    #[arg(long)]
    code: Option<String>,
    /// Only calls that cost at least so much (USD).
    #[arg(long, value_parser = usd)]
    min_cost: Option<f64>,
    /// Only calls with this in a name: who, model, provider, run, tags or code.
    #[arg(long)]
    text: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// A status as written, and the range it means.
#[derive(Clone, Debug)]
struct Status {
    text: String,
    range: (u16, u16),
}

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let calls = match Place::open(place).await? {
        Place::Gateway(client) => remote(&action, &client).await?,
        Place::Folder(folder) => {
            let calls = local(&action, &folder).await;
            folder.store.close().await;
            calls?
        }
    };
    listed(calls).write(output.output, &mut std::io::stdout().lock())
}

/// Shows a run: its calls, and in a last row the sums.
pub(crate) async fn run_runs(action: RunAction, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let RunAction::Show { run } = action;
    let (mut calls, sums) = match Place::open(place).await? {
        Place::Gateway(client) => {
            let answer = client.ask(Method::GET, &format!("/api/v1/runs/{}", encoded(&run)), None).await?;
            (listed_rows(&answer), fields(answer["sums"].clone()).unwrap_or_default())
        }
        Place::Folder(folder) => {
            let found = run_of(&run, &folder).await;
            folder.store.close().await;
            found?
        }
    };
    let mut sums = sums;
    sums.insert("id".to_owned(), format!("sum of {} calls", sums.get("calls").cloned().unwrap_or_default()).into());
    calls.push(sums);
    listed(calls).write(output.output, &mut std::io::stdout().lock())
}

type Rows = Vec<Map<String, Value>>;

async fn run_of(run: &str, folder: &Folder) -> Result<(Rows, Map<String, Value>), Failure> {
    let sums = folder.store.run_sums(run, None).await?;
    if sums.calls == 0 {
        return Err(Failure::problem(
            format!("there is no run `{run}`"),
            "gatehouse requests list shows calls and their runs",
        ));
    }
    let filter =
        RequestFilter { run: Some(run.to_owned()), oldest_first: true, limit: RUN_ROWS, ..RequestFilter::default() };
    let calls = folder.store.requests(&filter).await?;
    Ok((rows(&calls), rows(&[sums]).pop().unwrap_or_default()))
}

async fn local(action: &Action, folder: &Folder) -> Result<Rows, Failure> {
    match action {
        Action::List(list) => Ok(rows(&folder.store.requests(&list.filter()?).await?)),
        Action::Show { id } => {
            let row = match uuid::Uuid::try_parse(id) {
                Ok(id) => folder.store.request(RequestId(id)).await?,
                Err(_) => None,
            };
            let next = "it may be too new (a second) or too old (telemetry.requests.keep_days)";
            let row = row.ok_or_else(|| Failure::problem(format!("there is no call {id}"), next))?;
            Ok(rows(&[row]))
        }
    }
}

async fn remote(action: &Action, client: &AdminClient) -> Result<Rows, Failure> {
    match action {
        Action::List(list) => client.rows(&list.path()).await,
        Action::Show { id } => {
            let call = client.ask(Method::GET, &format!("/api/v1/requests/{}", encoded(id)), None).await?;
            Ok(fields(call).into_iter().collect())
        }
    }
}

impl List {
    fn filter(&self) -> Result<RequestFilter, Failure> {
        let (since_unix_ms, until_unix_ms) = moment::span(self.since.as_deref(), self.until.as_deref())?;
        Ok(RequestFilter {
            key: self.key_id.clone(),
            team: self.team.clone(),
            model: self.model.clone(),
            run: self.run.clone(),
            code: self.code.clone(),
            status: self.status.as_ref().map(|status| status.range),
            since_unix_ms,
            until_unix_ms,
            min_cost: self.min_cost.map(Money::from_usd),
            text: self.text.clone(),
            limit: self.limit,
            ..RequestFilter::default()
        })
    }

    fn path(&self) -> String {
        asked(
            "/api/v1/requests",
            &[
                ("since", self.since.as_deref()),
                ("until", self.until.as_deref()),
                ("key", self.key_id.as_deref()),
                ("team", self.team.as_deref()),
                ("model", self.model.as_deref()),
                ("run", self.run.as_deref()),
                ("status", self.status.as_ref().map(|status| &*status.text)),
                ("code", self.code.as_deref()),
                ("min_cost", self.min_cost.map(|usd| usd.to_string()).as_deref()),
                ("q", self.text.as_deref()),
                ("limit", Some(&self.limit.to_string())),
            ],
        )
    }
}

fn listed(calls: Rows) -> Listing {
    let with_time = |mut call: Map<String, Value>| {
        let at = call.get("started_unix_ms").and_then(Value::as_i64);
        let at = at.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        call.insert("at".to_owned(), at.map(|at| at.to_string()).into());
        call
    };
    Listing::new(COLUMNS.iter().copied(), calls.into_iter().map(with_time).collect())
}

fn status(text: &str) -> Result<Status, String> {
    let class =
        text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()).filter(|class| (1..=5).contains(class));
    let range = match class {
        Some(class) => Some((class * 100, class * 100 + 99)),
        None => text.parse().ok().filter(|status| (100..600).contains(status)).map(|status| (status, status)),
    };
    let range = range.ok_or("write a status (429) or a class of them (4xx)")?;
    Ok(Status { text: text.to_owned(), range })
}

fn usd(text: &str) -> Result<f64, String> {
    let usd: Option<f64> = text.parse().ok();
    usd.filter(|usd| usd.is_finite() && *usd >= 0.0).ok_or_else(|| "write USD, 0 or more".to_owned())
}
