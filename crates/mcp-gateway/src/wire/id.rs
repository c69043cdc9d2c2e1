//! Ids of requests, and whole numbers as JSON writes them.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use bytes::BytesMut;

use super::raw::put_text;
use super::{Raw, unquote};

/// The id of a request. Its type is kept: `1` and `"1"` are two ids; `1.0` is `1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Arc<str>),
}

impl Id {
    /// Reads an id (or a progress token, which is of the same kind). `None` for anything that is neither a string nor a
    /// whole number.
    #[must_use]
    pub fn read(raw: &Raw) -> Option<Self> {
        Self::of_json(raw.as_json())
    }

    pub(super) fn of_json(json: &str) -> Option<Self> {
        match unquote(json) {
            Some(text) => Some(Self::Text(text.into())),
            None => whole(json).map(Self::Number),
        }
    }

    /// Writes it as JSON.
    pub(super) fn put(&self, text: &mut BytesMut) {
        match self {
            // Writing to memory cannot fail.
            Self::Number(number) => _ = write!(text, "{number}"),
            Self::Text(id) => put_text(text, id),
        }
    }

    /// As JSON.
    #[must_use]
    pub fn raw(&self) -> Raw {
        match self {
            Self::Number(number) => Raw::trusted(number.to_string().into()),
            Self::Text(text) => Raw::text(text),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Numbers up to this size are told apart by everybody who reads JSON numbers as doubles.
const SAFE: f64 = 9_007_199_254_740_992.0;

/// The whole number a JSON number is; `None` for fractions, for what a double cannot hold exactly, and for what is no number.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
pub(super) fn whole(json: &str) -> Option<i64> {
    if !json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    if let Ok(number) = json.parse() {
        return Some(number);
    }
    let number = json.parse::<f64>().ok()?;
    (number.fract() == 0.0 && number.abs() < SAFE).then_some(number as i64)
}
