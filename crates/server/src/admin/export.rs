//! The ledger as a file: streamed page by page, so that a year of it takes no more memory than a page.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gatehouse_store::export::{Export, ExportFormat};
use http_body_util::channel::Channel;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, ErrorBody};
use super::extract::Parameters;
use super::moment;
use crate::control::Control;

/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 2;

/// What to write, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuestion {
    /// `csv` or `json` (one attempt a line), or `focus` (FOCUS 1.3 as CSV). `csv` if not given.
    format: Option<String>,
    /// Attempts that started at or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`).
    since: Option<String>,
    /// Attempts that started before this.
    until: Option<String>,
}

/// Every attempt of a period, as a file.
#[utoipa::path(get, path = "/usage/export", tag = "usage", operation_id = "export_usage", params(ExportQuestion),
    responses((status = 200, content((String = "text/csv"), (String = "application/x-ndjson"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn export(
    State(control): State<Control>,
    Parameters(question): Parameters<ExportQuestion>,
) -> Result<Response, ApiError> {
    let format: ExportFormat = question
        .format
        .as_deref()
        .unwrap_or("csv")
        .parse()
        .map_err(|_| ApiError::invalid("format: there is no such format.", "There are csv, json and focus."))?;
    let now = jiff::Timestamp::now();
    let moment = |name, text: Option<String>| text.map(|text| moment::unix_ms(name, &text, now)).transpose();
    let since = moment("since", question.since)?.unwrap_or(0);
    let until = moment("until", question.until)?.unwrap_or(u64::MAX);
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(PIECES_AHEAD);
    tokio::spawn(async move {
        let operations = Arc::clone(&control.operations);
        let parts = move |attempt: &_| operations.priced_parts(attempt);
        let mut export = Export::new(&control.store, format, since, until, &parts);
        loop {
            match export.next().await {
                Ok(Some(piece)) => {
                    if sender.send_data(piece.into()).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "an export broke off");
                    // The reader sees a body that does not end as it should, never a short file that looks whole.
                    sender.abort(std::io::Error::other("the ledger cannot be read"));
                    return;
                }
            }
        }
    });
    let name =
        format!("attachment; filename=\"usage.{}\"", if format == ExportFormat::Json { "ndjson" } else { "csv" });
    Ok(([(CONTENT_TYPE, format.media_type().to_owned()), (CONTENT_DISPOSITION, name)], Body::new(body)).into_response())
}
