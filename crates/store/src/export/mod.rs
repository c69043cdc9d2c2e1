//! The ledger for other programs: every attempt as CSV or as JSON lines, or summed up as FOCUS 1.3 rows that finance tools
//! take. The writers are pure (rows in, text out); [`Export`] turns the pages of the ledger for them.

mod attempts;
mod focus;

use std::collections::VecDeque;
use std::str::FromStr;

use gatehouse_domain::PricedPart;

pub use attempts::{Attempts, AttemptsFormat};
pub use focus::Focus;

use crate::{LedgerEntry, Store, StoreError};

/// How the ledger is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One line per attempt, with a header.
    Csv,
    /// One JSON object per attempt and line.
    Json,
    /// FOCUS 1.3 as CSV: one row per hour, payer, model, kind of token and unit price.
    Focus,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Focus];

    /// The word on the command line and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Focus => "focus",
        }
    }

    /// The content type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv | Self::Focus => "text/csv; charset=utf-8",
            Self::Json => "application/x-ndjson",
        }
    }
}

/// A word that is no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format of an export; there are csv, json and focus")]
pub struct UnknownFormat(String);

impl FromStr for ExportFormat {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// The lines of an attempt's invoice by the price list as it is now; `None` if it has no price.
pub type Parts<'a> = &'a (dyn Fn(&LedgerEntry) -> Option<Vec<PricedPart>> + Send + Sync);

/// An export under way. Memory: one page, and for FOCUS the rows it makes.
pub struct Export<'a> {
    store: &'a Store,
    parts: Parts<'a>,
    format: ExportFormat,
    /// Unix milliseconds: from, and before.
    span: (u64, u64),
    after: Option<gatehouse_domain::AttemptId>,
    ended: bool,
    attempts: Attempts,
    focus: Focus,
    ready: VecDeque<Vec<u8>>,
}

impl<'a> Export<'a> {
    /// Of attempts that started at or after `since` and before `until` (Unix milliseconds).
    #[must_use]
    pub fn new(store: &'a Store, format: ExportFormat, since: u64, until: u64, parts: Parts<'a>) -> Self {
        let lines = if format == ExportFormat::Json { AttemptsFormat::Json } else { AttemptsFormat::Csv };
        Self {
            store,
            parts,
            format,
            span: (since, until),
            after: None,
            ended: false,
            attempts: Attempts::new(lines),
            focus: Focus::default(),
            ready: VecDeque::new(),
        }
    }

    /// The next piece of text; `None` at the end.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        while self.ready.is_empty() && !self.ended {
            let page = self.store.ledger_page(self.span.0, self.span.1, self.after).await?;
            self.ended = page.is_empty();
            self.after = page.last().map(|last| last.id);
            match self.format {
                ExportFormat::Focus => {
                    for attempt in &page {
                        self.focus.take(attempt, (self.parts)(attempt).as_deref());
                    }
                    if self.ended {
                        self.ready.push_back(self.focus.csv()?);
                    }
                }
                ExportFormat::Csv | ExportFormat::Json => self.ready.push_back(self.attempts.page(&page)?),
            }
        }
        Ok(self.ready.pop_front())
    }
}
