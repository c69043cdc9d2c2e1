//! What payers have used since a moment: what their limits and budgets must be told after a restart.

use gatehouse_domain::Money;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::tables::ledger::first_id;
use crate::{Store, StoreError};

/// Whose spending is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer<'a> {
    /// A key's id.
    Key(&'a str),
    /// A team's name.
    Team(&'a str),
}

/// What a payer used since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls that reached at least one upstream.
    pub calls: u64,
    /// Upstream attempts.
    pub attempts: u64,
    /// Tokens, in and out.
    pub tokens: u64,
    /// Money.
    pub cost: Money,
}

/// What one key used for one team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayerSpent {
    /// The key's id.
    pub key: String,
    /// The team it belonged to at the time.
    pub team: Option<String>,
    /// How much.
    pub spent: Spent,
}

impl Store {
    /// What a payer used in attempts that started at or after a moment: what its budget windows held before a restart.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spent_since(&self, payer: Payer<'_>, since_unix_ms: u64) -> Result<Spent, StoreError> {
        let (column, name) = match payer {
            Payer::Key(name) => ("key", name),
            Payer::Team(name) => ("team", name),
        };
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT coalesce(sum(substr(l.id, 16) = X'00'), 0) AS calls, count(*) AS attempts,
                 coalesce(sum(l.input + l.output), 0) AS tokens, coalesce(sum(l.cost_nano_usd), 0) AS cost
             FROM ledger l JOIN ledger_subjects s ON s.id = l.subject
             WHERE l.id >= ? AND l.started_ms >= ? AND s.{column} = ?"
        ));
        let row = sqlx::query(sql)
            .bind(&first_id(since_unix_ms)[..])
            .bind(signed(since_unix_ms))
            .bind(name)
            .fetch_one(&self.pool)
            .await?;
        read_spent(&row)
    }

    /// What every payer used since a moment, by key and team: one pass over the ledger, for restoring all budgets at a
    /// start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spending_since(&self, since_unix_ms: u64) -> Result<Vec<PayerSpent>, StoreError> {
        let sql = "SELECT s.key, s.team, sum(l.calls) AS calls, sum(l.attempts) AS attempts, sum(l.tokens) AS tokens,
                       sum(l.cost) AS cost
                   FROM (SELECT subject, sum(substr(id, 16) = X'00') AS calls, count(*) AS attempts,
                             sum(input + output) AS tokens, sum(cost_nano_usd) AS cost
                         FROM ledger WHERE id >= ? AND started_ms >= ? GROUP BY subject) l
                   JOIN ledger_subjects s ON s.id = l.subject GROUP BY s.key, s.team";
        let rows = sqlx::query(sql)
            .bind(&first_id(since_unix_ms)[..])
            .bind(signed(since_unix_ms))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let team: String = row.try_get("team")?;
                let team = Some(team).filter(|team| !team.is_empty());
                Ok(PayerSpent { key: row.try_get("key")?, team, spent: read_spent(row)? })
            })
            .collect()
    }
}

fn read_spent(row: &SqliteRow) -> Result<Spent, StoreError> {
    let count = |column| Ok::<_, sqlx::Error>(unsigned(row.try_get(column)?));
    Ok(Spent {
        calls: count("calls")?,
        attempts: count("attempts")?,
        tokens: count("tokens")?,
        cost: Money::from_nano_usd(row.try_get("cost")?),
    })
}
