//! Limits and budgets in answers and requests of this API: the words of the configuration file, which the catalogue owns.

use gatehouse_catalog::{Budget, Limit, Terms, terms_schema};
use utoipa::openapi::{RefOr, Schema};

use super::error::ApiError;

/// Refuses what has no meaning.
pub(crate) fn check(limits: &[Limit], budgets: &[Budget]) -> Result<Terms, ApiError> {
    Terms::of(limits.to_vec(), budgets.to_vec()).map_err(|wrong| {
        let field = if wrong.field.is_empty() { String::new() } else { format!("{}: ", wrong.field) };
        ApiError::invalid(format!("{field}{}.", wrong.message), format!("{}.", wrong.hint))
    })
}

/// A list of limits, for the document.
pub(crate) fn limits_schema() -> RefOr<Schema> {
    let [limit, _] = terms_schema();
    list_of(limit)
}

/// A list of budgets, for the document.
pub(crate) fn budgets_schema() -> RefOr<Schema> {
    let [_, budget] = terms_schema();
    list_of(budget)
}

/// Both sides speak JSON Schema; what could not be read would fail the golden test of the document.
fn list_of(item: serde_json::Value) -> RefOr<Schema> {
    let item = serde_json::from_value::<Schema>(item).unwrap_or_default();
    RefOr::T(utoipa::openapi::ArrayBuilder::new().items(RefOr::T(item)).into())
}
