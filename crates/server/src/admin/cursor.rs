//! Cursors: opaque to callers, so that what they hold may change. They name the last row of a page, not a number of rows:
//! rows that come and go meanwhile make no other row appear twice or not at all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ApiError;

/// The cursor after a row.
pub(crate) fn after(row: &str) -> String {
    URL_SAFE_NO_PAD.encode(row)
}

/// The row a cursor stands after.
pub(crate) fn row(cursor: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(foreign)
}

/// The refusal of a cursor that is none of this listing.
pub(crate) fn foreign() -> ApiError {
    ApiError::invalid("The cursor is not one of this listing.", "Start again without a cursor.")
}
