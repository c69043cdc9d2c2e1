//! `gatehouse policy explain` and `gatehouse policy replay`: through a running gateway, or on a data folder.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use gatehouse_catalog::Config;
use gatehouse_domain::Now;
use gatehouse_policy::permissions::Permissions;
use gatehouse_server::control::{
    PolicyAnswer, PolicyContext, PolicyFile, PolicyPrincipal, PolicyQuestion, PolicyRefusal, ReplayQuestion,
    ReplayReport,
};
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Replay;
use crate::admin_client::AdminClient;
use crate::cli::{Output, PlaceArguments};
use crate::config_file;
use crate::failure::Failure;
use crate::house::{policies as house, wiring};
use crate::moment;
use crate::output::Listing;
use crate::place::Place;
use crate::policies::{self, Known, Period};

/// A question on the command line.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The id of the key the call is made with.
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "team", "agent", "service_account"])]
    key_id: Option<String>,
    /// The person who calls.
    #[arg(long)]
    user: Option<String>,
    /// The caller's team.
    #[arg(long)]
    team: Option<String>,
    /// The agent that calls.
    #[arg(long)]
    agent: Option<String>,
    /// The service account that calls.
    #[arg(long)]
    service_account: Option<String>,
    /// What the caller does.
    #[arg(long, default_value = "call_model")]
    action: String,
    /// To what: a name, or an entity such as 'Tool::"files.read"'.
    #[arg(long)]
    resource: String,
    /// A tag of the call: env=prod. May be given again.
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// When: 2026-11-22T19:30:00Z or 2026-11-22. Now if not given.
    #[arg(long)]
    time: Option<String>,
    /// From which IP address.
    #[arg(long)]
    address: Option<String>,
}

impl Explain {
    fn question(&self) -> PolicyQuestion {
        let words = PolicyPrincipal {
            team: self.team.clone(),
            user: self.user.clone(),
            service_account: self.service_account.clone(),
            agent: self.agent.clone(),
            ..PolicyPrincipal::default()
        };
        PolicyQuestion {
            key: self.key_id.clone(),
            principal: (words != PolicyPrincipal::default()).then_some(words),
            action: self.action.clone(),
            resource: self.resource.clone(),
            context: PolicyContext {
                time: self.time.clone(),
                address: self.address.clone(),
                tags: self.tags.clone(),
                ..PolicyContext::default()
            },
        }
    }
}

/// Asks, and prints the answer.
pub(super) async fn explain(explain: &Explain, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let question = explain.question();
    let answer: PolicyAnswer = match place.gateway() {
        Some(client) => remote(&client, "/api/v1/policy/explain", &question).await?,
        None => {
            let (permissions, known) = world(explain, place).await?;
            policies::answer(&permissions, &question, &known, Now(SystemTime::now())).map_err(refused)?
        }
    };
    let row = fields(&answer);
    Listing::new(["allow", "basis", "principal", "action", "resource", "reason"], vec![row])
        .write(output.output, &mut std::io::stdout().lock())
}

/// The policies of the configuration and, where a key is asked about, who is known: only that takes a data folder.
async fn world(explain: &Explain, place: &PlaceArguments) -> Result<(Arc<Permissions>, Known), Failure> {
    if explain.key_id.is_none() {
        let config = config_file::load(place.config.as_deref())?.config;
        return Ok((in_force(&config)?, Known::new()));
    }
    let Place::Folder(folder) = Place::open(place).await? else {
        return Err(Failure::usage("a gateway and a data folder are named", "name one of them"));
    };
    let stored = folder.store.list_keys().await;
    folder.store.close().await;
    Ok((in_force(&folder.config)?, wiring::known(&folder.config, &folder.pepper, &stored?)))
}

/// Replays, and prints what would have changed.
pub(super) async fn replay(replay: &Replay, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    // Checked here for both places, so that a slip costs no round trip.
    let since_unix_ms = moment::unix_ms("since", &replay.since)?;
    let until = replay.until.as_deref().map(|text| moment::unix_ms("until", text)).transpose()?;
    let texts = super::texts(&replay.policies, Path::new(""))?;
    let files = texts.into_iter().map(|text| (text.name.to_string(), text.text));
    let report: ReplayReport = match Place::open(place).await? {
        Place::Gateway(client) => {
            let question = ReplayQuestion {
                policies: files.map(|(name, text)| PolicyFile { name, text }).collect(),
                since: Some(replay.since.clone()),
                until: replay.until.clone(),
                limit: replay.limit,
            };
            remote(&client, "/api/v1/policy/replay", &question).await?
        }
        Place::Folder(folder) => {
            let period = Period { since_unix_ms, until_unix_ms: until.unwrap_or(u64::MAX), limit: replay.limit };
            let before = in_force(&folder.config)?;
            let after = house::replacement(files, &before).map_err(refused)?;
            let report = policies::replay(&folder.store, &before, &after, period).await;
            folder.store.close().await;
            report.map_err(refused)?
        }
    };
    print(&report, output)
}

/// The counts for people go to standard error, so that the listing stays one document.
fn print(report: &ReplayReport, output: Output) -> Result<(), Failure> {
    let rows = report.changes.iter().map(fields).collect();
    let columns = ["calls", "change", "key", "team", "model", "before", "after", "example"];
    Listing::new(columns, rows).write(output.output, &mut std::io::stdout().lock())?;
    let more = if report.truncated { " (there are more in the period: --limit)" } else { "" };
    writeln!(
        std::io::stderr(),
        "{} calls{more}: {} unchanged, {} allowed before and refused now, {} refused before and allowed now",
        report.calls,
        report.unchanged,
        report.allow_to_deny,
        report.deny_to_allow
    )?;
    Ok(())
}

fn in_force(config: &Config) -> Result<Arc<Permissions>, Failure> {
    let made = policies::permissions(config);
    made.map(Arc::new).map_err(|problems| {
        Failure::problem(format!("the policies of the configuration cannot be used:\n{problems}"), "mend them first")
    })
}

async fn remote<T: DeserializeOwned>(
    client: &AdminClient,
    path: &str,
    question: &impl Serialize,
) -> Result<T, Failure> {
    let body = serde_json::to_value(question).map_err(|error| Failure::problem(error, ""))?;
    let answer = client.ask(Method::POST, path, Some(&body)).await?;
    T::deserialize(&answer).map_err(|error| {
        Failure::problem(
            format!("{} answered something else: {error}", client.url()),
            "is it a Gatehouse of this version?",
        )
    })
}

fn refused(refusal: PolicyRefusal) -> Failure {
    Failure::problem(refusal.message, refusal.hint)
}

fn fields(row: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}
