//! Files streamed page by page, so that a year of it takes no more memory than a page; and the ledger as one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gatehouse_store::StoreError;
use gatehouse_store::export::{Export, ExportFormat};
use http_body_util::channel::{Channel, Sender};
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
    let (since, until) = moment::span(question.since.as_deref(), question.until.as_deref())?;
    let (since, until) = (since.unwrap_or(0), until.unwrap_or(u64::MAX));
    let ending = if format == ExportFormat::Json { "ndjson" } else { "csv" };
    let (pieces, file) = file(&format!("usage.{ending}"), format.media_type());
    tokio::spawn(async move {
        let operations = Arc::clone(&control.operations);
        let parts = move |attempt: &_| operations.priced_parts(attempt);
        let mut export = Export::new(&control.store, format, since, until, &parts);
        let mut open = Some(pieces);
        while let Some(pieces) = open {
            open = pieces.pass_on(export.next().await).await;
        }
    });
    Ok(file)
}

/// Where the pieces of a file go.
pub(super) struct Pieces(Sender<Bytes, std::io::Error>);

/// A file that is answered piece by piece.
pub(super) fn file(name: &str, media_type: &str) -> (Pieces, Response) {
    let (sender, body) = Channel::<Bytes, std::io::Error>::new(PIECES_AHEAD);
    let headers =
        [(CONTENT_TYPE, media_type.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    (Pieces(sender), (headers, Body::new(body)).into_response())
}

impl Pieces {
    /// Passes the next piece on; `None` when there is nothing more to pass on, or nobody to pass it to.
    pub(super) async fn pass_on(mut self, piece: Result<Option<impl Into<Bytes>>, StoreError>) -> Option<Self> {
        match piece {
            Ok(Some(piece)) => self.0.send_data(piece.into()).await.is_ok().then_some(self),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                // The reader sees a body that does not end as it should, never a short file that looks whole.
                self.0.abort(std::io::Error::other("the database cannot be read"));
                None
            }
        }
    }
}
