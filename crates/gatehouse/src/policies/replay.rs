//! Recorded calls held against a new set of policies: what would have changed.
//!
//! The ledger knows who called, for whom, under which tags, when, which model, and how many tokens went in. It knows no
//! address, no output limit and no call that was refused before it was sent; policies that read those see them absent.

use std::collections::HashMap;
use std::sync::Arc;

use gatehouse_policy::permissions::{Caller, Circumstances, Decision, DecisionCache, Kind, Permissions, Question};
use gatehouse_server::control::{PolicyRefusal, ReplayChange, ReplayReport};
use gatehouse_store::{LedgerEntry, Store};

/// Calls that are asked about when nobody says.
const CALLS: u32 = 10_000;
const CALLS_MAX: u32 = 100_000;
/// Kinds of change that are told apart; beyond them only counts grow.
const CHANGES_MAX: usize = 200;

/// Which calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    /// At or after this.
    pub(crate) since_unix_ms: u64,
    /// Before this.
    pub(crate) until_unix_ms: u64,
    /// So many, oldest first.
    pub(crate) limit: Option<u32>,
}

/// Asks both sets about every recorded call of a period.
pub(crate) async fn replay(
    store: &Store,
    before: &Arc<Permissions>,
    after: &Arc<Permissions>,
    period: Period,
) -> Result<ReplayReport, PolicyRefusal> {
    let limit = u64::from(period.limit.unwrap_or(CALLS).min(CALLS_MAX));
    let mut tally = Tally::default();
    let mut after_row = None;
    loop {
        let page = store.ledger_page(period.since_unix_ms, period.until_unix_ms, after_row).await.map_err(|error| {
            PolicyRefusal::new(format!("The recorded calls cannot be read: {error}."), "Try again in a moment.")
        })?;
        let Some(last) = page.last() else { break };
        after_row = Some(last.id);
        // Further attempts of a call ask nothing new.
        for row in page.iter().filter(|row| row.id == row.id.request().attempt(0)) {
            if tally.report.calls >= limit {
                tally.report.truncated = true;
                return Ok(tally.finish());
            }
            tally.ask(before, after, row);
        }
        // Calls come before reports.
        tokio::task::yield_now().await;
    }
    Ok(tally.finish())
}

/// What calls have in common that are told as one change.
#[derive(PartialEq, Eq, Hash)]
struct Alike {
    change: &'static str,
    key: String,
    team: Option<String>,
    model: String,
    before: Vec<String>,
    after: Vec<String>,
}

#[derive(Default)]
struct Tally {
    report: ReplayReport,
    changes: HashMap<Alike, ReplayChange>,
    before: DecisionCache,
    after: DecisionCache,
}

impl Tally {
    fn ask(&mut self, before: &Arc<Permissions>, after: &Arc<Permissions>, row: &LedgerEntry) {
        let question = question(row);
        let (before, after) = (self.before.decide(before, &question), self.after.decide(after, &question));
        self.report.calls += 1;
        match (before.allow, after.allow) {
            (true, false) => {
                self.report.allow_to_deny += 1;
                self.note("allow_to_deny", &before, &after, row);
            }
            (false, true) => {
                self.report.deny_to_allow += 1;
                self.note("deny_to_allow", &before, &after, row);
            }
            _ => self.report.unchanged += 1,
        }
    }

    fn note(&mut self, change: &'static str, before: &Decision, after: &Decision, row: &LedgerEntry) {
        let ids = |decision: &Decision| decision.deciding.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (before, after) = (ids(before), ids(after));
        let alike = Alike {
            change,
            key: row.key.clone(),
            team: row.team.clone(),
            model: row.model.clone(),
            before: before.clone(),
            after: after.clone(),
        };
        if let Some(known) = self.changes.get_mut(&alike) {
            known.calls += 1;
        } else if self.changes.len() < CHANGES_MAX {
            let change = ReplayChange {
                calls: 1,
                change: change.to_owned(),
                key: row.key.clone(),
                team: row.team.clone(),
                model: row.model.clone(),
                before,
                after,
                example: row.id.request().to_string(),
                example_unix_ms: row.started_unix_ms,
            };
            self.changes.insert(alike, change);
        }
    }

    fn finish(self) -> ReplayReport {
        let mut changes: Vec<ReplayChange> = self.changes.into_values().collect();
        changes.sort_by(|a, b| (b.calls, &a.key, &a.model).cmp(&(a.calls, &b.key, &b.model)));
        ReplayReport { changes, ..self.report }
    }
}

fn question(row: &LedgerEntry) -> Question<'_> {
    let anonymous = row.key == "anonymous";
    let caller = Caller {
        key: if anonymous { "" } else { &row.key },
        name: &row.key,
        organisation: Some(&row.organisation),
        team: row.team.as_deref(),
        user: row.user.as_deref(),
        service: None,
        agent: row.agent.as_deref(),
        act: &[],
        tags: row.tags.as_deref(),
    };
    let circumstances = Circumstances {
        unix_secs: row.started_unix_ms / 1_000,
        stream: row.stream,
        input_tokens: row.usage.input_total(),
        ..Circumstances::default()
    };
    Question { caller, action: "call_model", kind: Kind::Model, resource: &row.model, circumstances }
}
