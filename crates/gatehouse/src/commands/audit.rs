//! `gatehouse audit list|verify|export`: who did what, whether the log is still what was written, and a copy of it to keep
//! elsewhere.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use gatehouse_store::audit::{AuditOutcome, AuditQuery, AuditReport, verify_export};
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::admin_client::{AdminClient, asked};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::moment;
use crate::output::{Listing, fields, rows};
use crate::place::{Folder, Place};

/// The fields a table shows.
const COLUMNS: &[&str] = &["at", "seq", "who", "action", "object", "outcome", "code", "count"];
const REPORT_COLUMNS: &[&str] = &["organisation", "entries", "first", "last", "signed_to", "sound", "findings"];

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List entries, newest first.
    List(List),
    /// Check every hash and signature. Exits with 1 if anything is wrong.
    Verify {
        /// Check this export instead of a data folder.
        #[arg(long, value_name = "EXPORT")]
        file: Option<PathBuf>,
        /// The public key the export must be signed with (`gatehouse audit verify` on the gateway's machine shows it).
        #[arg(long, value_name = "HEX", requires = "file")]
        public_key: Option<String>,
    },
    /// Write the log as JSON lines, for keeping elsewhere.
    Export {
        /// From this moment on: 2026-11-22T12:00:00Z, 2026-11-22 (UTC), or so long ago: 7d, 24h, 30m. Without it: all.
        #[arg(long)]
        since: Option<String>,
    },
}

/// Which entries.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// From this moment on: 2026-11-22T12:00:00Z, 2026-11-22 (UTC), or so long ago: 7d, 24h, 30m.
    #[arg(long)]
    since: Option<String>,
    /// Before this moment.
    #[arg(long)]
    until: Option<String>,
    /// Only this organisation's chain.
    #[arg(long)]
    organisation: Option<String>,
    /// Only this actor.
    #[arg(long)]
    actor: Option<String>,
    /// Only this action, or all that begin so: keys.create, `keys.*`, `call.*`.
    #[arg(long)]
    action: Option<String>,
    /// Only acts on the object of this name.
    #[arg(long)]
    object: Option<String>,
    /// Only what ended so: begun, done, failed or refused.
    #[arg(long, value_parser = outcome)]
    outcome: Option<AuditOutcome>,
    /// Only this reason.
    #[arg(long)]
    code: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match action {
        Action::List(list) => {
            let entries = match Place::open(place).await? {
                Place::Gateway(client) => list.remote(&client).await?,
                Place::Folder(folder) => closing(&folder, list.local(&folder)).await?,
            };
            Listing::new(COLUMNS.iter().copied(), entries.into_iter().map(flat).collect())
                .write(output.output, &mut out)
        }
        Action::Verify { file: Some(file), public_key } => {
            let export = File::open(&file).map_err(|error| {
                Failure::problem(
                    format!("cannot read {}: {error}", file.display()),
                    "name a file of `gatehouse audit export`",
                )
            })?;
            let reports = verify_export(BufReader::new(export), public_key.as_deref()).map_err(|error| {
                Failure::problem(error, "name a file of `gatehouse audit export`, and its gateway's key")
            })?;
            tell(reports.iter().map(report).collect(), output, &mut out)
        }
        Action::Verify { file: None, .. } => {
            let reports = match Place::open(place).await? {
                Place::Gateway(client) => {
                    let answer = client.ask(Method::GET, "/api/v1/audit/verify", None).await?;
                    let key = answer["public_key"].clone();
                    let chains = answer["chains"].as_array().into_iter().flatten().cloned().filter_map(fields);
                    chains.map(|chain| with_key(chain, &key)).collect()
                }
                Place::Folder(folder) => closing(&folder, verified(&folder)).await?,
            };
            tell(reports, output, &mut out)
        }
        Action::Export { since } => match Place::open(place).await? {
            Place::Gateway(client) => {
                let path = asked("/api/v1/audit/export", &[("since", since.as_deref())]);
                Ok(out.write_all(&client.download(&path).await?)?)
            }
            Place::Folder(folder) => closing(&folder, export(&folder, since, &mut out)).await,
        },
    }
}

impl List {
    async fn local(&self, folder: &Folder) -> Result<Vec<Map<String, Value>>, Failure> {
        let (since_unix_ms, until_unix_ms) = moment::span(self.since.as_deref(), self.until.as_deref())?;
        let query = AuditQuery {
            organisation: self.organisation.clone(),
            actor: self.actor.clone(),
            action: self.action.clone(),
            object: self.object.clone(),
            outcome: self.outcome,
            code: self.code.clone(),
            since_unix_ms,
            until_unix_ms,
            before: None,
            limit: self.limit,
        };
        Ok(rows(&folder.store.audit()?.list(&query).await?))
    }

    async fn remote(&self, client: &AdminClient) -> Result<Vec<Map<String, Value>>, Failure> {
        let path = asked(
            "/api/v1/audit",
            &[
                ("organisation", self.organisation.as_deref()),
                ("actor", self.actor.as_deref()),
                ("action", self.action.as_deref()),
                ("object", self.object.as_deref()),
                ("outcome", self.outcome.map(AuditOutcome::as_str)),
                ("code", self.code.as_deref()),
                ("since", self.since.as_deref()),
                ("until", self.until.as_deref()),
                ("limit", Some(&self.limit.to_string())),
            ],
        );
        client.rows(&path).await
    }
}

async fn verified(folder: &Folder) -> Result<Vec<Map<String, Value>>, Failure> {
    let log = folder.store.audit()?;
    let key = Value::from(log.public_key());
    Ok(log.verify().await?.iter().map(report).map(|chain| with_key(chain, &key)).collect())
}

async fn export(folder: &Folder, since: Option<String>, out: &mut impl Write) -> Result<(), Failure> {
    let (since, _) = moment::span(since.as_deref(), None)?;
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    let mut export = folder.store.audit()?.export(since.unwrap_or(0), now);
    while let Some(piece) = export.next().await? {
        out.write_all(piece.as_bytes())?;
    }
    Ok(out.flush()?)
}

/// Prints what was found, and fails if anything is wrong.
fn tell(reports: Vec<Map<String, Value>>, output: Output, out: &mut impl Write) -> Result<(), Failure> {
    let sound = reports.iter().all(|report| report.get("sound") == Some(&Value::Bool(true)));
    Listing::new(REPORT_COLUMNS.iter().copied(), reports).write(output.output, out)?;
    if sound {
        return Ok(());
    }
    let next = "keep the data folder as it is, and compare it with the last export that was kept elsewhere";
    Err(Failure::problem("the audit log is not what was written", next))
}

/// A report as a row: findings as sentences.
fn report(report: &AuditReport) -> Map<String, Value> {
    let mut row = serde_json::to_value(report).ok().and_then(fields).unwrap_or_default();
    row.insert("findings".to_owned(), report.findings.iter().map(ToString::to_string).collect());
    row
}

fn with_key(mut chain: Map<String, Value>, key: &Value) -> Map<String, Value> {
    chain.insert("public_key".to_owned(), key.clone());
    chain
}

/// An entry with the columns of the table in front.
fn flat(mut entry: Map<String, Value>) -> Map<String, Value> {
    let who = entry.get("actor").map(|actor| actor["who"].clone()).unwrap_or_default();
    let key = entry.get("actor").map(|actor| actor["key"].clone()).unwrap_or_default();
    let object = entry.get("object").map(|object| {
        format!("{} {}", object["kind"].as_str().unwrap_or_default(), object["name"].as_str().unwrap_or_default())
    });
    let at = entry.get("at_unix_ms").and_then(Value::as_i64).and_then(|ms| Timestamp::from_millisecond(ms).ok());
    entry.insert("at".to_owned(), at.map(|at| at.to_string()).into());
    entry.insert("who".to_owned(), if who == "" { key } else { who });
    if let Some(object) = object {
        entry.insert("object".to_owned(), object.trim().into());
    }
    entry
}

fn outcome(text: &str) -> Result<AuditOutcome, String> {
    let all = [AuditOutcome::Begun, AuditOutcome::Done, AuditOutcome::Failed, AuditOutcome::Refused];
    let found = all.into_iter().find(|outcome| outcome.as_str() == text);
    found.ok_or_else(|| "there are begun, done, failed and refused".to_owned())
}

/// Closes the database after whatever was done with it.
async fn closing<T>(folder: &Folder, doing: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let done = doing.await;
    folder.store.close().await;
    done
}
