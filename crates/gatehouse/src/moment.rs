//! Moments on the command line: the same words as the admin API's.

use gatehouse_server::moment::{self, FORMS};
use jiff::Timestamp;

use crate::failure::Failure;

pub(crate) use gatehouse_server::moment::point;

/// Unix milliseconds of a moment.
pub(crate) fn unix_ms(name: &str, text: &str) -> Result<u64, Failure> {
    let moment = moment::unix_ms(text, Timestamp::now());
    moment.ok_or_else(|| Failure::usage(format!("--{name} `{text}` is not a moment"), format!("write {FORMS}")))
}

/// The arguments `--since` and `--until`.
pub(crate) fn span(since: Option<&str>, until: Option<&str>) -> Result<(Option<u64>, Option<u64>), Failure> {
    let read = |name, text: Option<&str>| text.map(|text| unix_ms(name, text)).transpose();
    Ok((read("since", since)?, read("until", until)?))
}
