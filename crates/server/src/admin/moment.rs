//! Moments in query strings.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::error::ApiError;
use crate::moment::{self, FORMS};

pub(crate) use crate::moment::point;

/// The moment a parameter names.
pub(crate) fn time(name: &str, text: &str) -> Result<SystemTime, ApiError> {
    Ok(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms(name, text)?))
}

/// Unix milliseconds of a moment.
pub(crate) fn unix_ms(name: &str, text: &str) -> Result<u64, ApiError> {
    moment::unix_ms(text, Timestamp::now())
        .ok_or_else(|| ApiError::invalid(format!("{name} is not a moment."), format!("Write {FORMS}.")))
}

/// The parameters `since` and `until`.
pub(crate) fn span(since: Option<&str>, until: Option<&str>) -> Result<(Option<u64>, Option<u64>), ApiError> {
    let read = |name, text: Option<&str>| text.map(|text| unix_ms(name, text)).transpose();
    Ok((read("since", since)?, read("until", until)?))
}
