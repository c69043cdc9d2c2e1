//! Listings: `{"rows": […], "next_cursor"?}`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::ApiError;

/// Rows of a page when nobody says.
const PAGE: u32 = 100;
/// Rows of a page at most.
const PAGE_MAX: u32 = 1_000;

/// One page of a listing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rows<T> {
    /// The rows.
    pub(crate) rows: Vec<T>,
    /// Pass it as `cursor` to get the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// Rows on this page: 1 to 1000, 100 if not given.
    pub(crate) limit: Option<u32>,
}

impl Page {
    /// Rows on this page.
    pub(crate) fn limit(&self) -> Result<u32, ApiError> {
        match self.limit {
            None => Ok(PAGE),
            Some(limit @ 1..=PAGE_MAX) => Ok(limit),
            Some(_) => Err(ApiError::invalid("limit is out of range.", format!("Ask for 1 to {PAGE_MAX} rows."))),
        }
    }
}

impl<T> Rows<T> {
    /// A listing that fits one page.
    pub(crate) fn all(rows: Vec<T>) -> Self {
        Self { rows, next_cursor: None }
    }

    /// A page, out of one row more than asked for: that there is one means there is a next page.
    pub(crate) fn page(mut rows: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(cursor) } else { None };
        Self { rows, next_cursor }
    }
}
