//! `ledger_corrections`: what attempts cost by a price list that became known later. The ledger itself is never changed.

use std::collections::BTreeMap;

use gatehouse_domain::{AttemptId, AttemptStatus, Money};
use serde::Serialize;

use crate::database::signed;
use crate::{LedgerEntry, Store, StoreError};

/// What a provider's model cost, and what it costs by the price list now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Repriced {
    /// The provider's name.
    pub provider: String,
    /// The provider's model.
    pub upstream_model: String,
    /// Attempts looked at.
    pub attempts: u64,
    /// Attempts that cost something else now.
    pub changed: u64,
    /// Attempts left alone because there is no price for them now.
    pub unpriced: u64,
    /// What all of them cost as the ledger counts now, in US dollars.
    pub old_usd: f64,
    /// What they cost by the price list, in US dollars.
    pub new_usd: f64,
}

/// Which attempts to price again.
#[derive(Clone, Debug)]
pub struct Reprice {
    /// Only attempts that started at or after this (Unix milliseconds).
    pub since_unix_ms: u64,
    /// Only attempts that started before this (Unix milliseconds).
    pub until_unix_ms: u64,
    /// Only this provider.
    pub provider: Option<String>,
    /// Only this model of the provider.
    pub upstream_model: Option<String>,
    /// Are corrections written, or only shown?
    pub write: bool,
    /// Unix milliseconds: when corrections are made.
    pub now_unix_ms: u64,
}

#[derive(Default)]
struct Sums {
    attempts: u64,
    changed: u64,
    unpriced: u64,
    old: Money,
    new: Money,
}

struct Correction {
    attempt: AttemptId,
    old: Money,
    new: Money,
}

impl Store {
    /// Prices attempts again, page by page: by provider and model, what they cost and what they cost now. An attempt that was
    /// interrupted is left alone: it is booked at what it had reserved. So is one that has no price now.
    ///
    /// # Errors
    /// When the database fails or a row is damaged. Pages before that are corrected; to price them again changes nothing.
    pub async fn reprice(
        &self,
        reprice: &Reprice,
        price: &(dyn Fn(&LedgerEntry) -> Option<Money> + Send + Sync),
    ) -> Result<Vec<Repriced>, StoreError> {
        let mut sums: BTreeMap<(String, String), Sums> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.ledger_page(reprice.since_unix_ms, reprice.until_unix_ms, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            let mut corrections = Vec::new();
            for entry in page.iter().filter(|entry| reprice.takes(entry)) {
                let sum = sums.entry((entry.provider.clone(), entry.upstream_model.clone())).or_default();
                corrections.extend(sum.take(entry, price(entry)));
            }
            if reprice.write {
                self.correct(&corrections, reprice.now_unix_ms).await?;
            }
        }
        Ok(sums.into_iter().map(|(about, sum)| sum.report(about)).collect())
    }

    async fn correct(&self, corrections: &[Correction], now_unix_ms: u64) -> Result<(), StoreError> {
        if corrections.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for correction in corrections {
            let id = correction.attempt.0.as_bytes().to_vec();
            sqlx::query(
                "INSERT INTO ledger_corrections (attempt, made_ms, old_nano_usd, new_nano_usd) VALUES (?, ?, ?, ?)",
            )
            .bind(&id)
            .bind(signed(now_unix_ms))
            .bind(correction.old.nano_usd)
            .bind(correction.new.nano_usd)
            .execute(&mut *transaction)
            .await?;
            let latest = "INSERT INTO ledger_corrected (attempt, cost_nano_usd) VALUES (?, ?)
                          ON CONFLICT (attempt) DO UPDATE SET cost_nano_usd = excluded.cost_nano_usd";
            sqlx::query(latest).bind(&id).bind(correction.new.nano_usd).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}

impl Reprice {
    fn takes(&self, entry: &LedgerEntry) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        entry.status != AttemptStatus::Interrupted.as_str()
            && is(&self.provider, &entry.provider)
            && is(&self.upstream_model, &entry.upstream_model)
    }
}

impl Sums {
    fn take(&mut self, entry: &LedgerEntry, price: Option<Money>) -> Option<Correction> {
        self.attempts += 1;
        self.old += entry.cost;
        self.new += price.unwrap_or(entry.cost);
        let Some(new) = price else {
            self.unpriced += 1;
            return None;
        };
        // An attempt without a price gets one, even if that is nothing.
        let changes = new != entry.cost || !entry.priced;
        self.changed += u64::from(changes);
        changes.then_some(Correction { attempt: entry.id, old: entry.cost, new })
    }

    fn report(&self, (provider, upstream_model): (String, String)) -> Repriced {
        Repriced {
            provider,
            upstream_model,
            attempts: self.attempts,
            changed: self.changed,
            unpriced: self.unpriced,
            old_usd: self.old.usd(),
            new_usd: self.new.usd(),
        }
    }
}
