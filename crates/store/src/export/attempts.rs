//! One line per attempt.

use gatehouse_domain::Usage;
use jiff::Timestamp;
use serde::Serialize;

use crate::{LedgerEntry, StoreError};

/// CSV with a header line, or one JSON object a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptsFormat {
    /// RFC 4180.
    Csv,
    /// Newline-delimited JSON.
    Json,
}

/// Writes attempts page by page.
#[derive(Debug)]
pub struct Attempts {
    format: AttemptsFormat,
    begun: bool,
}

/// A line. Flat, because CSV is; names are those of the API and of reports.
#[derive(Serialize)]
struct Line<'a> {
    id: String,
    started: Timestamp,
    organisation: &'a str,
    team: Option<&'a str>,
    user: Option<&'a str>,
    agent: Option<&'a str>,
    key: &'a str,
    tags: Option<&'a str>,
    run: Option<&'a str>,
    model: &'a str,
    provider: &'a str,
    upstream_model: &'a str,
    dialect: &'a str,
    operation: &'a str,
    stream: bool,
    status: &'static str,
    http_status: u16,
    service_tier: &'static str,
    input: u64,
    cache_read: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    input_audio: u64,
    input_image: u64,
    input_tool: u64,
    output: u64,
    reasoning: u64,
    output_audio: u64,
    output_image: u64,
    estimated: bool,
    priced: bool,
    cost_usd: String,
    duration_us: u64,
    first_byte_us: u64,
}

impl Attempts {
    /// A writer that has written nothing yet.
    #[must_use]
    pub fn new(format: AttemptsFormat) -> Self {
        Self { format, begun: false }
    }

    /// The text of a page; the first one begins with the header.
    ///
    /// # Errors
    /// When a row cannot be written, which a row of the ledger always can.
    pub fn page(&mut self, rows: &[LedgerEntry]) -> Result<Vec<u8>, StoreError> {
        let failed = |_| StoreError::Row { table: "ledger", what: "a row cannot be exported" };
        let begun = std::mem::replace(&mut self.begun, true);
        match self.format {
            AttemptsFormat::Csv => {
                let mut writer = csv::WriterBuilder::new().has_headers(!begun).from_writer(Vec::new());
                for row in rows {
                    writer.serialize(line(row)).map_err(failed)?;
                }
                writer.into_inner().map_err(|_| StoreError::Row { table: "ledger", what: "a page cannot be exported" })
            }
            AttemptsFormat::Json => {
                let mut text = Vec::new();
                for row in rows {
                    serde_json::to_writer(&mut text, &line(row))
                        .map_err(|_| StoreError::Row { table: "ledger", what: "a row cannot be exported" })?;
                    text.push(b'\n');
                }
                Ok(text)
            }
        }
    }
}

fn line(row: &LedgerEntry) -> Line<'_> {
    let Usage { input, cache_read, cache_write_5m, cache_write_1h, input_audio, input_image, input_tool, .. } =
        row.usage;
    let Usage { output, reasoning, output_audio, output_image, .. } = row.usage;
    Line {
        id: row.id.to_string(),
        started: super::focus::moment(row.started_unix_ms),
        organisation: &row.organisation,
        team: row.team.as_deref(),
        user: row.user.as_deref(),
        agent: row.agent.as_deref(),
        key: &row.key,
        tags: row.tags.as_deref(),
        run: row.run.as_deref(),
        model: &row.model,
        provider: &row.provider,
        upstream_model: &row.upstream_model,
        dialect: &row.dialect,
        operation: &row.operation,
        stream: row.stream,
        status: row.status,
        http_status: row.http_status,
        service_tier: row.usage.tier.as_str(),
        input,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        input_audio,
        input_image,
        input_tool,
        output,
        reasoning,
        output_audio,
        output_image,
        estimated: row.estimated,
        priced: row.priced,
        cost_usd: row.cost.to_string(),
        duration_us: row.duration_us,
        first_byte_us: row.first_byte_us,
    }
}
