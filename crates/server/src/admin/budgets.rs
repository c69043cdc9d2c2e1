//! Limits and budgets: where everybody stands, as the data plane counts it now.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, ErrorBody};
use super::extract::Parameters;
use super::rows::{Page, Rows};
use crate::control::{BudgetStanding, Control};

/// Which of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only this kind: organisation, team, user, service_account, agent, key, model, tag or run.
    kind: Option<String>,
    /// Only the payer of this name; of a tag, `name=value`.
    payer: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows on this page: 1 to 1000, 100 if not given.
    limit: Option<u32>,
}

/// Every limit and budget in force, by payer, with what is used and reserved of it.
#[utoipa::path(get, path = "/budgets", tag = "budgets", operation_id = "list_budgets", params(Which),
    responses((status = 200, body = Rows<BudgetStanding>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    State(control): State<Control>,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Rows<BudgetStanding>>, ApiError> {
    let Which { kind, payer, cursor, limit } = which;
    let limit = Page { cursor: None, limit }.limit()?;
    let mut rows = control.operations.budgets();
    rows.retain(|row| kind.as_ref().is_none_or(|kind| row.kind == *kind));
    rows.retain(|row| payer.as_ref().is_none_or(|payer| row.payer == *payer));
    if let Some(cursor) = cursor {
        let Some(place) = rows.iter().position(|row| row.id == cursor) else {
            return Err(ApiError::invalid("The cursor is not one of this listing.", "Start again without a cursor."));
        };
        rows.drain(..=place);
    }
    Ok(Json(Rows::page(rows, limit, |row| row.id.clone())))
}
