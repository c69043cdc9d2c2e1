//! Limits and budgets in answers and requests of this API: the words of the configuration file, which the catalogue owns.

use std::borrow::Cow;

use gatehouse_catalog::{Budget, Limit, Terms, terms_schema};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::error::ApiError;

/// Refuses what has no meaning.
pub(crate) fn check(limits: &[Limit], budgets: &[Budget]) -> Result<Terms, ApiError> {
    Terms::of(limits.to_vec(), budgets.to_vec()).map_err(|wrong| {
        let field = if wrong.field.is_empty() { String::new() } else { format!("{}: ", wrong.field) };
        ApiError::invalid(format!("{field}{}.", wrong.message), format!("{}.", wrong.hint))
    })
}

/// A limit in the document.
pub(crate) struct LimitWords;

/// A budget in the document.
pub(crate) struct BudgetWords;

impl PartialSchema for LimitWords {
    fn schema() -> RefOr<Schema> {
        let [limit, _] = terms_schema();
        read(limit)
    }
}

impl ToSchema for LimitWords {
    fn name() -> Cow<'static, str> {
        "Limit".into()
    }
}

impl PartialSchema for BudgetWords {
    fn schema() -> RefOr<Schema> {
        let [_, budget] = terms_schema();
        read(budget)
    }
}

impl ToSchema for BudgetWords {
    fn name() -> Cow<'static, str> {
        "Budget".into()
    }
}

/// Both sides speak JSON Schema; what could not be read would fail the golden test of the document.
fn read(schema: serde_json::Value) -> RefOr<Schema> {
    RefOr::T(serde_json::from_value(schema).unwrap_or_default())
}
