//! Prices the past again, by the price list in force now.

use std::sync::Arc;

use axum::extract::State;
use gatehouse_domain::{Money, Now};
use gatehouse_store::{LedgerEntry, Reprice, Repriced};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acts::{Act, Changed};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::moment;
use super::rows::Rows;
use crate::control::Control;

/// Which attempts, and whether to write.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepriceQuestion {
    /// Attempts that started at or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`).
    since: String,
    /// Attempts that started before this.
    until: Option<String>,
    /// Only this provider.
    provider: Option<String>,
    /// Only this model of the provider.
    upstream_model: Option<String>,
    /// Are the corrections written? Otherwise they are only shown.
    #[serde(default)]
    write: bool,
}

/// A provider's model: what its attempts cost, and what they cost by the price list now.
#[derive(Serialize, ToSchema)]
pub(crate) struct RepricedRow {
    /// The provider's name.
    provider: String,
    /// The provider's model.
    upstream_model: String,
    /// Attempts looked at.
    attempts: u64,
    /// Attempts that cost something else now.
    changed: u64,
    /// Attempts left alone because there is no price for them now.
    unpriced: u64,
    /// As the ledger counted before.
    old_usd: f64,
    /// By the price list.
    new_usd: f64,
}

/// Prices attempts again by the price list in force. Ledger rows stay as they are; corrections stand beside them, and reports
/// count the latest.
#[utoipa::path(post, path = "/usage/reprice", tag = "usage", operation_id = "reprice_usage", request_body = RepriceQuestion,
    responses((status = 200, body = Rows<RepricedRow>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn reprice(
    State(control): State<Control>,
    Body(question): Body<RepriceQuestion>,
) -> Result<Changed<Rows<RepricedRow>>, ApiError> {
    let until = question.until.map(|text| moment::unix_ms("until", &text)).transpose()?;
    let reprice = Reprice {
        since_unix_ms: moment::unix_ms("since", &question.since)?,
        until_unix_ms: until.unwrap_or(u64::MAX),
        provider: question.provider,
        upstream_model: question.upstream_model,
        write: question.write,
        now_unix_ms: Now(std::time::SystemTime::now()).unix_ms(),
    };
    let operations = Arc::clone(&control.operations);
    let price = move |entry: &LedgerEntry| operations.priced_parts(entry).map(|parts| Money::of_parts(&parts));
    let rows = control.store.reprice(&reprice, &price).await?;
    let rows = Rows::all(rows.into_iter().map(RepricedRow::from).collect());
    Ok(if reprice.write { Changed::by(Act::of("usage.reprice"), rows) } else { Changed::nothing(rows) })
}

impl From<Repriced> for RepricedRow {
    fn from(row: Repriced) -> Self {
        let Repriced { provider, upstream_model, attempts, changed, unpriced, old_usd, new_usd } = row;
        Self { provider, upstream_model, attempts, changed, unpriced, old_usd, new_usd }
    }
}
